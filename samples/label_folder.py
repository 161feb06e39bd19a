"""Label the pictures that a folder has collected, leave alone what is labelled already, and say what happened.

Run it with an output folder, and a folder of your own if you like (it is read, never changed):
    python samples/label_folder.py demo-output/folder my-pictures
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pictures import MODEL, PROVIDER, VERSION, generate

import labeling


def label_folder(source: Path, target: Path, labeler: labeling.Labeler) -> Counter[str]:
    """Label each file of ``source`` into ``target``. A file that cannot be labelled does not stop the others."""
    target.mkdir(parents=True, exist_ok=True)
    summary: Counter[str] = Counter()
    for path in sorted(p for p in source.iterdir() if p.is_file()):
        try:
            if labeling.verify(path, visible=False).origin == "confirmed":  # metadata only: fast
                outcome = "labelled before"
            else:
                labeler.label_file(path, target / path.name)
                outcome = "labelled"
        except labeling.LabelingError as error:
            outcome = "left out"
            print(f"  {error}")
        summary[outcome] += 1
    return summary


def collect(folder: Path, labeler: labeling.Labeler) -> None:
    """A folder as they are found: several formats, one picture with a label, one file that is no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, extension in enumerate(("jpg", "png", "webp", "tiff")):
        generate("folded silk, macro", seed=number, size=(480, 320)).save(folder / f"picture{number}.{extension}")
    (folder / "done.png").write_bytes(labeler.label_image(generate("snowy hills, minimalist"), "png").data)
    (folder / "readme.txt").write_text("no picture", encoding="utf-8")


def main(folder: Path, source: Path | None) -> None:
    labeler = labeling.Labeler(producer=PROVIDER, generator=MODEL, generator_version=VERSION)
    if source is None:
        source = folder / "inbox"
        collect(source, labeler)
    summary = label_folder(source, folder / "labelled", labeler)
    print(f"{folder / 'labelled'}: " + ", ".join(f"{count} {outcome}" for outcome, count in summary.items()))


if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:3]]
    main(
        arguments[0] if arguments else Path("demo-output/samples/folder"), arguments[1] if len(arguments) > 1 else None
    )
