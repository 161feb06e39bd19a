"""PNG and APNG files that other programs are strict about, or lenient: what is written, and what is verified."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageSequence

from labeling import Labeler, containers, verify
from labeling.containers import Changes
from labeling.containers.png_chunks import SIGNATURE, chunk, walk
from labeling.errors import LabelingError
from labeling.findings import Status
from labeling.marks import xmp_edit
from labeling.marks.visible import Style, font

from .marks import signing
from .pictures import rgb

PRODUCER = "001191110102MACQD9K64010000"


def _saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _animated(*, still: bool = False) -> bytes:
    first, *others = [rgb(seed=seed) for seed in range(1, 5)]
    return _saved(
        first,
        save_all=True,
        append_images=others,
        duration=[100, 200, 300, 100],
        loop=2,
        default_image=still,
    )


def _kinds(data: bytes) -> list[str]:
    return [kind.decode() for kind, _, _ in walk(data)]


def _with(data: bytes, new: bytes, ahead_of: bytes) -> bytes:
    at = next(start for kind, start, _ in walk(data) if kind == ahead_of)
    return data[:at] + new + data[at:]


def _text(keyword: bytes = b"Note") -> bytes:
    return chunk(b"tEXt", keyword + b"\0anything")


ANIMATIONS: dict[str, Callable[[], bytes]] = {
    "as Pillow writes it": _animated,
    "still picture of its own": lambda: _animated(still=True),
    "text between fcTL and IDAT": lambda: _with(_animated(), _text() + _text(b"More"), b"IDAT"),
    "text ahead of acTL": lambda: _with(_animated(), _text(), b"acTL"),
    "labelled as before": lambda: _with(
        _animated(), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_edit.update(None, {})), b"IDAT"
    ),
}


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("kind", list(ANIMATIONS))
def test_every_frame_of_an_animation_is_played_by_others(kind: str, visible: bool, sign: bool, tmp_path: Path) -> None:
    source = ANIMATIONS[kind]()
    made = Labeler(PRODUCER, visible=visible, signer=signing.signer() if sign else None).label_image(source)
    kinds = _kinds(made.data)
    first = kinds.index("fcTL")
    assert kinds[first + 1] in ("IDAT", "fdAT")
    assert (
        kinds.index("acTL") < max(n for n in range(len(kinds)) if kinds[n] == "iTXt") < min(first, kinds.index("IDAT"))
    )
    assert sorted(k for k in kinds if k == "tEXt") == sorted(k for k in _kinds(source) if k == "tEXt")
    if sign:
        assert kinds[-2:] == ["caBX", "IEND"]
        assert signing.witness(made.data, "image/png")["validation_state"] == "Valid"
    assert not made.lost
    path = tmp_path / "out.png"
    path.write_bytes(made.data)
    assert not any("-f apng" in each for each in containers.read(made.data).warnings)
    done = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
            str(path),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    frames = 3 if kind == "still picture of its own" else 4
    assert (done.stdout.strip(), done.stderr) == (str(frames), "")
    with Image.open(path) as image, Image.open(io.BytesIO(source)) as before:
        for ours, theirs in zip(ImageSequence.Iterator(image), ImageSequence.Iterator(before), strict=True):
            unlike = np.asarray(ours.convert("RGB")) != np.asarray(theirs.convert("RGB"))
            assert unlike.any() == visible
            assert not unlike[: image.height // 2].any()


def _halves(between: bytes = b"") -> bytes:
    """As iOS stores a screenshot: two halves that can be decoded apart, and iDOT to tell where the second begins."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(rgb()).reshape(240, -1))
    coder = zlib.compressobj()
    top = coder.compress(rows[: len(rows) // 2]) + coder.flush(zlib.Z_FULL_FLUSH)
    bottom = coder.compress(rows[len(rows) // 2 :]) + coder.flush()
    first, gap = chunk(b"IDAT", top), 40 + len(between)
    halves = chunk(b"iDOT", struct.pack(">7I", 2, 0, 120, gap, 120, 120, gap + len(first)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 2, 0, 0, 0))
    return SIGNATURE + header + halves + between + first + chunk(b"IDAT", bottom) + chunk(b"IEND", b"")


def _leads(data: bytes) -> list[bool]:
    start, end = next((start, end) for kind, start, end in walk(data) if kind == b"iDOT")
    places = [place for at, place in enumerate(struct.unpack(">7I", data[start + 8 : end - 4])) if at in (3, 6)]
    assert zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
    return [data[start + place + 4 : start + place + 8] == b"IDAT" for place in places]


@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize(
    "between", [b"", _text(), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_edit.update(None, {}))]
)
def test_the_halves_of_a_screenshot_are_found_or_said_to_be_lost(between: bytes, sign: bool) -> None:
    source = _halves(between)
    assert _leads(source) == [True, True]
    signer = signing.signer() if sign else None
    made = Labeler(PRODUCER, visible=False, signer=signer).label_image(source)
    assert _leads(made.data) == [True, True]
    assert not made.lost
    again = Labeler(PRODUCER, visible=False, signer=signer).label_image(made.data)
    assert _leads(again.data) == [True, True]
    drawn = Labeler(PRODUCER, signer=signer).label_image(source)
    assert "iDOT" not in _kinds(drawn.data)
    assert [loss.what for loss in drawn.lost] == ["chunk iDOT"]


def test_halves_that_lead_nowhere_are_dropped_and_said() -> None:
    source = _halves()
    at = source.index(b"IDAT") - 4
    made = Labeler(PRODUCER, visible=False).label_image(source[:at] + _text() + source[at:])
    assert "iDOT" not in _kinds(made.data)
    assert [loss.what for loss in made.lost] == ["chunk iDOT"]


def test_apples_form_is_named() -> None:
    plain = _saved(rgb())
    data = SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\2") + plain[8:]
    for visible in (False, True):
        with pytest.raises(LabelingError, match=r"CgBI.*pngcrush"):
            Labeler(PRODUCER, visible=visible).label_image(data)
    report = verify(data)
    (finding,) = [each for each in report.findings if each.kind == "visible"]
    assert finding.status is Status.UNREADABLE
    assert "CgBI" in finding.defects[0].message


def _broken(new: bytes) -> bytes:
    return new[:-1] + bytes([new[-1] ^ 1])


_PALE = b"Profile\0\0" + zlib.compress(bytes(3 << 20))  # inflates to more than Pillow takes
ODD: dict[str, Callable[[], bytes]] = {
    "wrong CRC of a text": lambda: _with(_saved(rgb()), _broken(_text()), b"IDAT"),
    "wrong CRC of a profile": lambda: _with(_saved(rgb()), _broken(chunk(b"iCCP", _PALE)), b"IDAT"),
    "compressed text of 3 MiB": lambda: _with(
        _saved(rgb()), chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"{}" * (3 << 19))), b"IDAT"
    ),
    "text of 3 MiB behind the picture": lambda: _with(
        _saved(rgb()), chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"{}" * (3 << 19))), b"IEND"
    ),
    "text of 17 MiB": lambda: _with(_saved(rgb()), chunk(b"tEXt", b"workflow\0" + b"{}" * (17 << 19)), b"IDAT"),
    "64 texts of 1 MiB": lambda: _with(
        _saved(rgb()), chunk(b"zTXt", b"w\0\0" + zlib.compress(b"{}" * (1 << 19))) * 70, b"IDAT"
    ),
    "animated, wrong CRC": lambda: _with(_animated(), _broken(_text()), b"acTL"),
}


@pytest.mark.parametrize("kind", list(ODD))
def test_what_is_drawn_is_found_again_and_not_drawn_twice(kind: str) -> None:
    source = ODD[kind]()
    made = Labeler(PRODUCER).label_image(source)
    report = verify(made.data)
    assert report.compliant, str(report)
    assert not made.lost
    again = Labeler(PRODUCER).label_image(made.data)
    assert again.how == ("the visible label is there already",)
    beyond = [str(each) for each in report.verdicts["cn"].warnings if "not searched for labels" in str(each)]
    assert bool(beyond) == (kind in ("text of 17 MiB", "64 texts of 1 MiB"))


def _clear(mode: str = "RGBA") -> Image.Image:
    image = Image.new("RGBA", (480, 360), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((120, 60, 360, 300), fill=(240, 120, 40, 255))
    return image.convert(mode)


def _fading() -> Image.Image:
    image = rgb(480, 360).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").rotate(180).resize(image.size))
    return image


def _keyed() -> bytes:
    """RGB with one transparent colour (tRNS)."""
    return _saved(Image.new("RGB", (480, 360), (1, 2, 3)), transparency=(1, 2, 3))


def _moving(format: str) -> bytes:
    frames = [Image.new("RGBA", (480, 360), (0, 0, 0, 0)) for _ in range(3)]
    for n, frame in enumerate(frames):
        ImageDraw.Draw(frame).ellipse((20 + 60 * n, 20, 120 + 60 * n, 120), fill=(200, 40, 80, 255))
    more = {"disposal": 2} if format == "GIF" else {"lossless": True} if format == "WEBP" else {}
    return _saved(frames[0], format, save_all=True, append_images=frames[1:], duration=80, **more)


TRANSPARENT: dict[str, Callable[[], bytes]] = {
    "png": lambda: _saved(_clear()),
    "png, gray": lambda: _saved(_clear("LA")),
    "png, palette": lambda: _saved(_clear().quantize(16)),
    "png, one colour": _keyed,
    "png, fading": lambda: _saved(_fading()),
    "apng": lambda: _moving("PNG"),
    "webp": lambda: _saved(_clear(), "WEBP", lossless=True),
    "webp, lossy": lambda: _saved(_fading(), "WEBP", quality=80),
    "webp, animated": lambda: _moving("WEBP"),
    "gif": lambda: _saved(_clear(), "GIF"),
    "tiff": lambda: _saved(_clear(), "TIFF"),
    "tiff, fading": lambda: _saved(_fading(), "TIFF", compression="tiff_lzw"),
    "tiff, gray": lambda: _saved(_clear("LA"), "TIFF"),
    "gif, animated": lambda: _moving("GIF"),
    "avif": lambda: _saved(_fading(), "AVIF"),
}


def _ratio(region: NDArray[Any]) -> float:
    """Contrast of the lightest pixels with the darkest, by WCAG 2."""
    linear = np.where(region <= 10.3, region / 255 / 12.92, ((region / 255 + 0.055) / 1.055) ** 2.4)
    light = linear @ [0.2126, 0.7152, 0.0722]
    return float((np.percentile(light, 99) + 0.05) / (np.percentile(light, 20) + 0.05))


@pytest.mark.parametrize("kind", list(TRANSPARENT))
@pytest.mark.parametrize("plate", ["auto", "off"])
def test_a_label_over_nothing_is_legible_on_any_page(kind: str, plate: str) -> None:
    made = Labeler(PRODUCER, style=Style(plate=plate)).label_image(TRANSPARENT[kind]())
    (finding,) = [each for each in made.report.findings if each.kind == "visible"]
    left, top, right, bottom = finding.value["box"]
    with Image.open(io.BytesIO(made.data)) as image:
        for frame in ImageSequence.Iterator(image):
            for ground in (0, 118, 255):
                page = Image.new("RGBA", image.size, (ground, ground, ground, 255))
                page.alpha_composite(frame.convert("RGBA"))
                inner = page.convert("RGB").crop((left + 2, top + 2, right - 2, bottom - 2))
                assert _ratio(np.asarray(inner).reshape(-1, 3).astype(float)) >= 4.5
    (seen,) = [each for each in verify(made.data).findings if each.kind == "visible"]
    assert seen.status is Status.PRESENT
    assert seen.value["contrast"] >= 4.5
    assert not seen.defects


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (120, 120, 120)])
def test_bare_ink_over_nothing_is_called_hard_to_read(ink: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (480, 360), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((370, 315), "AI生成", fill=(*ink, 255), font=font.face(None, 28))
    (seen,) = [each for each in verify(_saved(image)).findings if each.kind == "visible"]
    assert seen.status is Status.PRESENT
    assert seen.value["contrast"] < 4.5
    assert [each.rule for each in seen.defects] == ["CN-VISIBLE-CONTRAST"]


def test_a_change_of_metadata_keeps_what_others_put_into_a_still_picture() -> None:
    data = _with(_saved(rgb()), _text() + chunk(b"prVt", b"private"), b"IDAT")
    after = b"".join(containers.rewrite(data, containers.read(data), Changes(xmp=b"<x/>")))
    assert after[: data.index(b"IDAT") - 4] == data[: data.index(b"IDAT") - 4]


@pytest.mark.needs("ffprobe")
def test_a_manifest_stays_ahead_where_ffmpeg_has_to_be_told_anyway(tmp_path: Path) -> None:
    """C2PA 2.2, A.3.2 recommends that place, and nothing is won by another."""
    source = _with(_animated(), chunk(b"tEXt", b"Note\0" + b"long " * 500), b"acTL")
    made = Labeler(PRODUCER, visible=False, signer=signing.signer()).label_image(source)
    kinds = _kinds(made.data)
    assert kinds.index("acTL") < kinds.index("caBX") < kinds.index("fcTL")
    assert any("-f apng" in each for each in containers.read(made.data).warnings)
    path = tmp_path / "out.png"
    path.write_bytes(made.data)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=format_name", "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.stdout.strip() == "png_pipe"


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("exif", [False, True], ids=["theirs", "ours too"])
@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("moving", [False, True], ids=["still", "animation"])
def test_exif_is_ahead_of_the_manifest(moving: bool, visible: bool, exif: bool, tmp_path: Path) -> None:
    """ExifTool up to 12 shows no EXIF that comes behind a manifest."""
    camera = Image.Exif()
    camera[0x010F] = "Camera"
    more: Any = {"save_all": True, "append_images": [rgb(seed=2)], "duration": 90} if moving else {}
    labeler = Labeler(PRODUCER, visible=visible, exif=exif, signer=signing.signer())
    made = labeler.label_image(_saved(rgb(), exif=camera, **more))
    path = tmp_path / "out.png"
    for data in (made.data, labeler.label_image(made.data).data):
        path.write_bytes(data)
        assert _kinds(data).index("eXIf") < _kinds(data).index("caBX")
        assert _kinds(data).count("caBX") == 1
        assert signing.witness(data, "image/png")["validation_state"] == "Valid"
        told = subprocess.run(["exiftool", "-s3", "-Make", str(path)], check=True, capture_output=True, text=True)
        assert told.stdout.strip() == "Camera"
