"""Makes the fonts that labels are drawn with, from Debian's packages fonts-noto-cjk and fonts-noto-core.

    python tools/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc \
        /usr/share/fonts/truetype/noto/NotoSans-Bold.ttf

The first is Noto Sans CJK SC Bold, reduced to ASCII, Latin-1, GB 2312 and a few more. It lacks letters of the European
Union's languages, so that texts with such letters are drawn with the second one, a part of Noto Sans Bold. Both are
under the SIL Open Font License 1.1; its text is beside them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

FOLDER = Path(__file__).resolve().parent.parent / "labeling" / "marks" / "visible" / "font"
MORE = "人工智慧產由內容為與圖繪畫影視頻片製作擬處參數開廣電訊檔標識識別編輯修復強應用號碼" + "·・—–…“”‘’©®™•→←"
KOREAN = "생성된됨인공지능으로제작함이미지영상음성콘텐츠만든은는가를본했습니다"
"""Syllables of the usual wordings in Korean, such as "AI 생성"."""
PUNCTUATION = "·—–…“”„‘’‚«»‹›©®™•→←€"


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


def european() -> set[int]:
    """ASCII, Latin-1, Latin Extended-A, the Romanian letters with commas, Greek and Cyrillic."""
    wanted = {*range(0x20, 0x7F), *range(0xA1, 0x180), *range(0x218, 0x21C), 0x1E9E, *map(ord, PUNCTUATION)}
    return wanted | {*range(0x386, 0x3CF), *range(0x400, 0x460), 0x490, 0x491}


def write(font: TTFont, wanted: set[int], name: str) -> None:
    """Write a part of a font and say how large it is."""
    options = Options(
        hinting=False, desubroutinize=False, layout_features=["kern"], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14]
    )
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GSUB", "DSIG"]
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    target = FOLDER / name
    font.save(target)
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes, {len(font.getBestCmap())} characters\n")


def main(chinese: str, latin: str) -> None:
    """Write both."""
    collection = TTCollection(chinese)
    font = next(f for f in collection if f["name"].getDebugName(4) == "Noto Sans CJK SC Bold")
    write(font, characters(), "aigc-label-bold.otf")
    write(TTFont(latin), european(), "aigc-label-europe-bold.ttf")


if __name__ == "__main__":
    main(*sys.argv[1:3])
