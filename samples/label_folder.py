"""Label the pictures in a folder in several processes, keep a ledger, and recognise a stripped copy.

Run it with an output folder, and a folder of your own if you like (it is read, never changed). Run it again, and it
continues:
    python samples/label_folder.py demo-output/folder my-pictures
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from pictures import MODEL, PROVIDER, VERSION, generate
from PIL import Image

import labeling
from labeling import batch
from labeling.ledger import Ledger


def collect(folder: Path) -> None:
    """Make a typical folder: several formats, and one file that is not a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, extension in enumerate(("jpg", "png", "webp", "tiff")):
        generate("folded silk, macro", seed=number, size=(480, 320)).save(folder / f"picture{number}.{extension}")
    (folder / "readme.txt").write_text("no picture", encoding="utf-8")


def stripped(picture: Path, target: Path) -> Path:
    """Do to a picture what many platforms do: scaled down, re-encoded, all metadata removed."""
    with Image.open(picture) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(target, quality=60)
    return target


def main(folder: Path, source: Path | None) -> None:
    if source is None:
        source = folder / "inbox"
        if not source.exists():
            collect(source)
    # A function, because each worker makes its own labeler: a signer's keys never travel between processes.
    labeler = partial(labeling.Labeler, producer=PROVIDER, generator=MODEL, generator_version=VERSION)
    folder.mkdir(parents=True, exist_ok=True)
    with Ledger.open(folder / "ledger.db") as ledger:
        done = batch.run(source, folder / "labelled", labeler=labeler, workers=2, ledger=ledger)
        counts = ", ".join(f"{count} {status}" for status, count in done.summary["statuses"].items() if count)
        print(f"{folder / 'labelled'}: {counts}; {done.summary['resumed']} of them before; see {done.page}")
        if (first := folder / "labelled" / "picture0.jpg").exists():
            copy = stripped(first, folder / "stripped.jpg")
            match = ledger.find(copy)[0]
            print(f"{copy.name}: is {match.record.content_id}, by its {match.by} ({match.distance} of 256 bits differ)")


if __name__ == "__main__":  # workers are spawned: they import this file, and must not run it
    arguments = [Path(argument) for argument in sys.argv[1:3]]
    main(
        arguments[0] if arguments else Path("demo-output/samples/folder"), arguments[1] if len(arguments) > 1 else None
    )
