"""How well labels of real products are found: ``python -m benchmarks.realistic --part test``.

Recall by height of the label and by what happened to the picture, vendors, heights and false alarms, over the sets of
:mod:`benchmarks.realistic_set` and folders of ordinary pictures (``--ordinary``: photographs, screenshots, documents).
Nothing of the ``test`` half was used to tune the reader.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import realistic_set
from labeling.findings import Status
from labeling.marks.visible import read_visible
from labeling.marks.visible.font import face

LANGUAGES = ("zh", "en")
BANDS = ((0.0, 0.02), (0.02, 0.03), (0.03, 0.05), (0.05, 1.0))


def main() -> None:
    """Entry point. Ends with 0 whatever the figures are."""
    parser = argparse.ArgumentParser("python -m benchmarks.realistic", description=__doc__)
    parser.add_argument("--part", choices=("tuning", "test"), default="tuning")
    parser.add_argument("--count", type=int, default=1500, help="labelled pictures")
    parser.add_argument("--grounds", type=Path, nargs="*", default=realistic_set.FOLDERS, help="folders of photographs")
    parser.add_argument("--fonts", type=Path, default=realistic_set.FONTS, help="folder with CJK fonts")
    parser.add_argument("--ordinary", type=Path, nargs="*", default=(), help="folders of pictures without a label")
    parser.add_argument("--inside", type=int, default=300, help="photographs with a label away from the edges")
    parser.add_argument("--photographs", type=int, default=1000, help="photographs without a label")
    parser.add_argument("--names", action="store_true", help="name every picture that went wrong")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of those that were missed")
    given = parser.parse_args()
    if given.count:
        _labelled(given)
    if given.inside:
        _inside(given)
    _ordinary(given)


def _labelled(given: argparse.Namespace) -> None:
    found: dict[str, list[bool]] = defaultdict(list)
    errors: list[float] = []
    vendors: list[bool] = []
    missed = []
    spent = 0.0
    for example in realistic_set.labelled(given.count, given.part, given.grounds, given.fonts):
        assert example.mark is not None
        start = time.process_time()
        finding = read_visible(example.pixels, languages=LANGUAGES)
        spent += time.process_time() - start
        seen = finding.status is not Status.ABSENT
        band = next(f"{low:.0%} to {high:.0%}" for low, high in BANDS if low <= example.height < high)
        for key in ("all", f"height {band}", f"changed {example.change}", f"mark {example.mark.text}"):
            found[key].append(seen)
        if not seen:
            missed.append(example)
            continue
        errors.append(finding.value["height_ratio"] / example.height - 1)
        vendors.append((finding.value.get("vendor") or "") == example.mark.vendor)
        if given.names and not vendors[-1]:
            print("vendor", finding.value, example.name)
    for key, hits in sorted(found.items()):
        print(f"{key:24} {np.mean(hits):7.2%} of {len(hits)}")
    print(f"height within ±10 %      {np.mean(np.abs(errors) <= 0.1):7.2%} (median {np.median(errors):+.1%})")
    print(f"vendor right             {np.mean(vendors):7.2%}")
    print(f"CPU                      {1e3 * spent / max(1, len(found['all'])):.0f} ms a picture")
    if given.names:
        print(*(f"missed {example.name} contrast {example.contrast:.2f}" for example in missed), sep="\n")
    if given.sheet and missed:
        realistic_set.sheet(missed[:32]).save(given.sheet)


def _inside(given: argparse.Namespace) -> None:
    """Labels that stand alone inside a picture, and the same words as a line of a notice: the first are labels."""
    rng = np.random.default_rng(7)
    alone: list[bool] = []
    notices: list[bool] = []
    for example in realistic_set.unlabelled(given.inside, given.part, given.grounds):
        height, width = example.pixels.shape[:2]
        size = max(12, round(min(width, height) * rng.uniform(0.03, 0.06)))
        place = width * rng.uniform(0.25, 0.5), height * rng.uniform(0.3, 0.55)
        for lines, found in (("AI生成", alone), ("拍摄须知\nAI生成\n请勿转载\n如有疑问", notices)):
            image = Image.fromarray(example.pixels)
            draw, font = ImageDraw.Draw(image), face(None, size)
            if "\n" in lines:
                box = draw.multiline_textbbox(place, lines, font)
                draw.rectangle((box[0] - size, box[1] - size, box[2] + size, box[3] + size), (250, 250, 244))
            ink = (40, 40, 46) if "\n" in lines else (255, 255, 255)
            draw.multiline_text(place, lines, ink, font, stroke_width=0 if "\n" in lines else 1, stroke_fill=(0, 0, 0))
            finding = read_visible(np.asarray(image), languages=LANGUAGES)
            found.append("CN-VISIBLE-POSITION" in {each.rule for each in finding.defects})
    print(f"inside, alone            {np.mean(alone):7.2%} of {len(alone)} found, with the wrong position")
    print(f"inside, in a notice      {np.mean(notices):7.2%} of {len(notices)} taken for a label")


def _ordinary(given: argparse.Namespace) -> None:
    pictures = false = 0
    for example in realistic_set.unlabelled(given.photographs, given.part, given.grounds):
        pictures += 1
        false += _alarm(example.name, example.pixels)
    for path in sorted(each for folder in given.ordinary for each in folder.rglob("*")):
        if path.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"}:
            continue
        with Image.open(path) as image:
            if min(image.size) < 64:
                continue
            pixels = np.asarray(image.convert("RGB"))
        pictures += 1
        false += _alarm(str(path), pixels)
    print(f"ordinary pictures        {false} false labels in {pictures}")


def _alarm(name: str, pixels: np.ndarray) -> bool:
    finding = read_visible(pixels, languages=LANGUAGES)
    if finding.status is Status.ABSENT:
        return False
    print("false", name, finding.value.get("text"))
    return True


if __name__ == "__main__":
    main()
