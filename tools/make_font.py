"""Makes the font that labels are drawn with: Noto Sans CJK SC Bold, reduced to ASCII, Latin-1, GB 2312 and a few more.

    python tools/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc

The source is Debian's package fonts-noto-cjk (SIL Open Font License 1.1; its text is beside the font).
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

TARGET = Path(__file__).resolve().parent.parent / "labeling" / "marks" / "visible" / "font" / "aigc-label-bold.otf"
MORE = "人工智慧產由內容為與圖繪畫影視頻片製作擬處參數開廣電訊檔標識識別編輯修復強應用號碼" + "·・—–…“”‘’©®™•→←"
KOREAN = "생성된됨인공지능으로제작함이미지영상음성콘텐츠만든은는가를본했습니다"
"""Syllables of the usual wordings in Korean, such as "AI 생성"."""


def characters() -> set[int]:
    """ASCII, Latin-1, the 7 445 characters of GB 2312, and traditional forms and Korean syllables that labels use."""
    wanted = {*range(0x20, 0x7F), *range(0xA1, 0x100), *map(ord, MORE + KOREAN)}
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                wanted.add(ord(bytes((row, cell)).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    return wanted


def main(source: str) -> None:
    """Write the subset and say how large it is."""
    collection = TTCollection(source)
    font = next(f for f in collection if f["name"].getDebugName(4) == "Noto Sans CJK SC Bold")
    options = Options(
        hinting=False, desubroutinize=False, layout_features=["kern"], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14]
    )
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GSUB", "DSIG"]
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    font.save(TARGET)
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(font.getBestCmap())} characters\n")


if __name__ == "__main__":
    main(sys.argv[1])
