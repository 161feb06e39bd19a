"""One large file, and what a signature adds to a small one."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import PRODUCER, _pictures, memory
from benchmarks._measure import Row, Settings, alternate, detail, race

WIDTH, HEIGHT = 4000, 3000
QUALITY = 92


def _ours(labeler: Any, source: Path, target: Path) -> Any:
    return labeler.label_file(source, target)


def _pillow_copy(source: Path, target: Path) -> None:
    """Decode and save, nothing else."""
    from PIL import Image

    with Image.open(source) as image:
        image.save(target)


def _bare_copy(source: Path, target: Path) -> None:
    """Read, decompress once, write: nobody labels a file of which they did not see all."""
    from labeling.containers.png_chunks import walk
    from labeling.deflate import decompressor

    data = source.read_bytes()
    view, stream = memoryview(data), decompressor()
    for kind, start, end in walk(data):
        if kind == b"IDAT":
            stream.decompress(view[start + 8 : end - 4])
    target.write_bytes(data)


_PEAK = """
import sys
if sys.argv[2:]:
    import labeling
    labeling.Labeler(producer=sys.argv[1]).label_file(sys.argv[2], sys.argv[3])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _peak(*arguments: Path) -> int:
    run = [sys.executable, "-c", _PEAK, PRODUCER, *map(str, arguments)]
    return int(subprocess.run(run, capture_output=True, text=True, check=True).stdout) << 10


def _png_memory(settings: Settings) -> Iterator[Row]:
    """The most memory that a process holds for a file of 64 megapixels, without that of the bare interpreter."""
    import numpy as np
    from PIL import Image

    source, target = settings.scratch / "large.png", settings.scratch / "large.labeled.png"
    once = np.asarray(_pictures.photo(1000, 1000) if settings.quick else _pictures.photo(WIDTH, WIDTH))
    rows = np.concatenate([once, once[:, ::-1]], 1)  # mirrored: what repeats would be small
    Image.fromarray(np.concatenate([rows, rows[::-1]])).save(source, compress_level=1)
    pixels = rows.size * 2 // 3
    each = (_peak(source, target) - _peak()) / pixels
    yield Row(
        f"  peak memory, {pixels // 1_000_000} MP PNG file", "", each, None, "B/pixel", each, 4.0, "≤ 4 B/pixel",
        form="{:.1f} B/pixel", bare=source.stat().st_size / pixels, bare_of="the file",
    )  # fmt: skip


def png_12mp(settings: Settings) -> Iterator[Row]:
    """A PNG file of 12 megapixels, visible mark and metadata, file to file; and the memory for one of 64."""
    source, ours, other = (settings.scratch / f"{name}.png" for name in ("source", "ours", "pillow"))
    _pictures.photo(WIDTH, HEIGHT).save(source, compress_level=3)
    labeler = _labeler()
    yield race(
        "12 MP PNG file, visible + metadata", "Pillow decode and save", partial(_ours, labeler, source, ours),
        partial(_pillow_copy, source, other), settings.repetitions(3), 0.22, "≤ 0.22×",
        bare=partial(_bare_copy, source, settings.scratch / "bare.png"), bare_of="read, inflate, write",
    )  # fmt: skip
    yield Row(
        "  its size", "the file's own", ours.stat().st_size / 1024, source.stat().st_size / 1024, "KiB",
        ours.stat().st_size / source.stat().st_size, 1.05, "≤ 1.05×",
    )  # fmt: skip
    yield from _png_memory(settings)


def _labeler() -> Any:
    import labeling

    return labeling.Labeler(producer=PRODUCER)


def _pillow(source: Path, target: Path, font: Path) -> None:
    """What one would write by hand: decode, draw, encode at the same quality."""
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(source) as image:
        image.load()
        draw = ImageDraw.Draw(image)
        letters = ImageFont.truetype(font, round(0.06 * min(image.size)))
        place = (image.width - image.width // 50, image.height - image.height // 50)
        draw.text(place, "AI生成", "white", letters, anchor="rd", stroke_width=4, stroke_fill="black")
        image.save(target, "JPEG", quality=QUALITY)


def _psnr_outside(before: Path, after: Path, box: tuple[int, int, int, int]) -> float:
    """PSNR in dB of all samples outside ``box`` (left, top, right, bottom); infinite if they are equal."""
    import numpy as np
    from PIL import Image

    with Image.open(before) as one, Image.open(after) as other:
        difference = np.asarray(one).astype(np.int32) - np.asarray(other)
    left, top, right, bottom = box
    outside = np.ones(difference.shape[:2], bool)
    outside[top:bottom, left:right] = False
    error = float(np.mean(difference[outside] ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _whole_blocks(box: list[int]) -> tuple[int, int, int, int]:
    """The box with the MCUs (16×16 at 4:2:0) that it touches, and one more: decoders smooth chroma across blocks."""
    left, top, right, bottom = box
    return (
        max(0, left // 16 * 16 - 16), max(0, top // 16 * 16 - 16), -(-right // 16) * 16 + 16, -(-bottom // 16) * 16 + 16
    )  # fmt: skip


def jpeg_12mp(settings: Settings) -> Iterator[Row]:
    """A JPEG file of 12 megapixels, visible mark and metadata, file to file."""
    from labeling.marks import visible

    source, ours, other = (settings.scratch / f"{name}.jpg" for name in ("source", "ours", "pillow"))
    _pictures.photo(WIDTH, HEIGHT).save(source, "JPEG", quality=QUALITY)
    font = next((Path(visible.__file__).parent / "font").glob("*.[ot]tf"))
    labeler = _labeler()
    mine, theirs = alternate(
        partial(_ours, labeler, source, ours), partial(_pillow, source, other, font), settings.repetitions(11)
    )
    a, b = statistics.median(mine), statistics.median(theirs)
    yield Row(
        "12 MP JPEG file, visible + metadata", "Pillow decode, draw, encode", a * 1e3, b * 1e3, "ms", a / b, 3.0,
        "≤ 3×", detail={**detail(mine, theirs), "bytes": source.stat().st_size},
    )  # fmt: skip
    report = labeler.label_file(source, ours).report
    box = _whole_blocks(next(finding.value["box"] for finding in report.findings if finding.kind == "visible"))
    psnr, lossy = _psnr_outside(source, ours, box), _psnr_outside(source, other, box)
    yield Row(
        "  PSNR outside the label", "Pillow's", psnr, lossy, "dB", psnr, math.inf, "infinite",
        form="{:.0f} dB", at_least=True,
    )  # fmt: skip


def c2pa_bytes(settings: Settings) -> Iterator[Row]:
    """What AIGC, IPTC and a signed manifest add to a JPEG file of which the picture stays as it is."""
    import labeling

    source = settings.scratch / "plain.jpg"
    _pictures.photo().save(source, "JPEG", quality=QUALITY)
    size = source.stat().st_size
    signers = (("key from PEM", memory.pem_signer()), ("key behind a callback", memory.callback_signer()))
    for words, signer in signers:
        labeler = labeling.Labeler(
            producer=PRODUCER, generator="benchmark", generator_version="1", visible=False, signer=signer
        )
        added = len(labeler.label_image(source.read_bytes()).data) - size
        yield Row(f"bytes added with C2PA, {words}", "—", added, None, "bytes", added, 8192, "≤ 8192", form="{:.0f}")
