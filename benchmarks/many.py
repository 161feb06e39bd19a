"""Three thousand files: metadata only, one process of ours against one of exiftool, start-up included."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import PRODUCER, _pictures
from benchmarks._measure import Row, Settings, Work, alternate, command_path, detail, run

SIDE = 512
DIFFERENT = 10
"""Number of pictures of each format that are encoded; the other files are copies of them."""

CONFIG = """\
%Image::ExifTool::UserDefined = ('Image::ExifTool::XMP::Main' => {
  TC260 => { SubDirectory => { TagTable => 'Image::ExifTool::UserDefined::TC260' } },
});
%Image::ExifTool::UserDefined::TC260 = (
  GROUPS => { 0 => 'XMP', 1 => 'XMP-TC260', 2 => 'Image' },
  NAMESPACE => { 'TC260' => 'http://www.tc260.org.cn/ns/AIGC/1.0/' },
  WRITABLE => 'string',
  AIGC => { },
);
1;
"""

ADD = f"""\
import sys
from pathlib import Path
import labeling
labeler = labeling.Labeler(producer={PRODUCER!r}, visible=False)
target = Path(sys.argv[2])
for path in Path(sys.argv[1]).read_text().splitlines():
    labeler.label_file(path, target / Path(path).name)
"""

VERIFY = """\
import sys
from pathlib import Path
import labeling
from labeling.reports.plain import to_jsonl
for path in Path(sys.argv[1]).read_text().splitlines():
    sys.stdout.write(to_jsonl([labeling.verify(path, visible=False)]))
"""

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def _files(settings: Settings) -> tuple[Path, Path, int]:
    """A folder of as many JPEG as PNG and WebP files, a list of their names, and their number; made once."""
    each = 20 if settings.quick else 1000
    folder, listing = settings.scratch / "files", settings.scratch / "files.txt"
    if not listing.exists():
        folder.mkdir()
        formats: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("jpg", "JPEG", {"quality": 92}), ("png", "PNG", {"compress_level": 3}), ("webp", "WEBP", {"quality": 80}),
        )  # fmt: skip
        for number in range(each):
            for extension, kind, options in formats:
                path = folder / f"{number:04}.{extension}"
                if number < DIFFERENT:
                    _pictures.photo(SIDE, SIDE, seed=number).save(path, kind, **options)
                else:
                    shutil.copyfile(folder / f"{number % DIFFERENT:04}.{extension}", path)
        listing.write_text("".join(f"{path}\n" for path in sorted(folder.iterdir())))
    return folder, listing, 3 * each


def _exiftool() -> str:
    found = shutil.which("exiftool")
    if found is None:
        raise RuntimeError("exiftool is the alternative here; install it (Debian: libimage-exiftool-perl)")
    return found


def _afresh(*folders: Path) -> None:
    """Empty output folders, and wait until the disk has nothing to do for earlier runs."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    if hasattr(os, "sync"):
        os.sync()


def _exiftool_add(settings: Settings, listing: Path, target: Path) -> Work:
    """exiftool's fastest: without -fast it computes the CRC of every IDAT chunk in Perl, some 50 ms for each PNG."""
    config = settings.scratch / "exiftool.config"
    config.write_text(CONFIG)
    value = (
        f'{{"Label":"1","ContentProducer":"{PRODUCER}","ProduceID":"0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d",'
        f'"ReservedCode1":"","ContentPropagator":"{PRODUCER}","PropagateID":"0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d",'
        '"ReservedCode2":""}'
    )
    return partial(run, [
        _exiftool(), "-config", config, "-fast", "-q", "-q", f"-XMP-TC260:AIGC={value}",
        f"-XMP-iptcExt:DigitalSourceType={_SOURCE_TYPE}", "-o", f"{target}/", "-@", listing,
    ])  # fmt: skip


def _rows(
    work: str, ours: Work, command: Work, other: Work, count: int, repetitions: int, limit: float, between: Work | None
) -> Iterator[Row]:
    """The library against exiftool; and the command, against the same times of exiftool."""
    mine, theirs = alternate(ours, other, repetitions, between=between)
    twin, _ = alternate(command, lambda: None, repetitions, between=between)
    b = statistics.median(theirs)
    for words, times, least in ((work, mine, limit), ("the same by aigc-label", twin, None)):
        a = statistics.median(times)
        yield Row(
            f"{count} files 512², {words}", "exiftool, one process", a, b, "s", b / a, least,
            f"≥ {least:.1f}× faster" if least else "", form="{:.2f}× faster", at_least=True,
            detail={**detail(times, theirs), "files": count, "ms_per_file": [a / count * 1e3, b / count * 1e3]},
        )  # fmt: skip


def add(settings: Settings) -> Iterator[Row]:
    """Write AIGC and DigitalSourceType into every file: through the library, and through the command."""
    _, listing, count = _files(settings)
    ours, other = settings.scratch / "ours", settings.scratch / "exiftool"
    between = partial(_afresh, ours, other)
    script: list[str | Path] = [sys.executable, "-c", ADD, listing, ours]
    command: list[str | Path] = [
        command_path(),
        "add",
        "--no-visible",
        "--producer",
        PRODUCER,
        "-q",
        "-o",
        ours,
        *listing.read_text().split(),
    ]
    peer = _exiftool_add(settings, listing, other)
    between()
    run(script)
    peer()
    _same_properties(ours, other)
    repetitions = settings.repetitions(3)
    yield from _rows(
        "labels written", partial(run, script), partial(run, command), peer, count, repetitions, 1.6, between
    )


def _same_properties(ours: Path, other: Path) -> None:
    """Both must have done the work: exiftool itself reads both results."""
    for folder in (ours, other):
        listing = folder.with_suffix(".csv")
        run([_exiftool(), "-csv", "-AIGC", "-DigitalSourceType", folder], output=listing)
        lines = listing.read_text().splitlines()[1:]
        good = sum("ContentProducer" in line and "trainedAlgorithmicMedia" in line for line in lines)
        if good != len(list(folder.iterdir())) or not good:
            raise RuntimeError(f"only {good} files of {folder.name} carry both properties")


def verify(settings: Settings) -> Iterator[Row]:
    """Read and judge the metadata of every file, reports written to a file; exiftool writes JSON too."""
    _, listing, count = _files(settings)
    labelled = settings.scratch / "labelled"
    _afresh(labelled)
    run([sys.executable, "-c", ADD, listing, labelled])
    paths = sorted(labelled.iterdir())
    targets = settings.scratch / "labelled.txt"
    targets.write_text("".join(f"{path}\n" for path in paths))
    ours, other = settings.scratch / "ours.jsonl", settings.scratch / "exiftool.json"
    script = partial(run, [sys.executable, "-c", VERIFY, targets], output=ours)
    command = partial(run, [command_path(), "verify", "--no-visible", "--format", "jsonl", "-q", *paths], output=ours)
    peer = partial(run, [_exiftool(), "-q", "-j", "-@", targets], output=other)
    script()
    lines = ours.read_text().splitlines()
    if len(lines) != count or not all('"compliant"' in line for line in lines):
        raise RuntimeError("our verifier did not find every file compliant")
    yield from _rows("metadata verified", script, command, peer, count, settings.repetitions(3), 7.0, None)
