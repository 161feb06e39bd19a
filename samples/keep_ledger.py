"""Keep a record of labels, recognise a picture whose metadata was removed, and check that the record is intact.

The Labelling Measures (Art. 9) require a record, kept for six months, of who received a copy without the explicit
label.

Run it with an output folder:  python samples/keep_ledger.py demo-output/ledger
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from pictures import PROMPTS, PROVIDER, generate
from PIL import Image

import labeling
from labeling.ledger import Ledger


def stripped(path: Path) -> bytes:
    """Do to a picture what platforms do: half the size, re-encoded, no metadata."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
    small.info.clear()
    out = io.BytesIO()
    small.save(out, "JPEG", quality=50)
    return out.getvalue()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labeler = labeling.Labeler(producer=PROVIDER)
    unmarked = labeling.Labeler(producer=PROVIDER, visible=False)
    with Ledger.open(folder / "ledger.db") as ledger:
        for number, prompt in enumerate(list(PROMPTS)[:3]):
            picture = folder / f"picture-{number}.png"
            generate(prompt).save(picture)
            record = ledger.record(labeler.label_file(picture, folder / f"labelled-{number}.png"), source=picture.name)
            print(f"record {record.seq}: {record.output}, content id {record.content_id}")

        copy = unmarked.label_file(folder / "picture-0.png", folder / "for-the-customer.png")
        record = ledger.record(copy, recipient="customer 4711, contract 12", agreement="contract 12")
        print(f"record {record.seq}: {record.output} for {record.recipient}")

        match = ledger.find(stripped(folder / "labelled-1.png"))[0]
        print(f"known again: {match.record.output}, by {match.by}, {match.distance} of 256 bits differ")

        checked = ledger.verify()
        print(f"{checked.count} records, intact: {checked.intact}; keep this elsewhere: {checked.head}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo-output/ledger"))
