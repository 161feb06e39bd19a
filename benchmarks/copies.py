"""How well changed copies are found in a ledger: ``python -m benchmarks.copies PHOTOGRAPHS… --strangers FOLDERS…``.

The photographs in the folders are recorded among a million others. Of each, copies are made as people make them
(cropped, captioned, framed, mirrored, turned), all scaled and re-encoded too, and looked for. Then the pictures in the
other folders are looked for, none of which is recorded. The million are mixed from points of those pictures: as hard to
tell apart point by point as real ones, and as long to search.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labeling import fingerprint, keypoints
from labeling.errors import LabelingError
from labeling.ledger import Entry, Ledger, Match

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_LAST = "last photograph"
_LARGEST = 1024
"""Pixels of the longer side at which photographs are recorded."""


def _cut(image: Image.Image, *share: float) -> Image.Image:
    left, top, right, bottom = share
    width, height = image.size
    return image.crop(
        (round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom)))
    )


def _one_side(image: Image.Image, rng: random.Random, share: float) -> Image.Image:
    side = rng.randrange(4)
    return _cut(image, *(share if number == side else 0 for number in range(4)))


def _two_sides(image: Image.Image, rng: random.Random, share: float) -> Image.Image:
    some = rng.sample(range(4), 2)
    return _cut(image, *(share if number in some else 0 for number in range(4)))


def _caption(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    more, above = round(height * rng.uniform(0.08, 0.2)), rng.random() < 0.5
    out = Image.new("RGB", (width, height + more), rng.choice(["white", "black"]))
    out.paste(image, (0, more if above else 0))
    text = rng.choice(["When the photo is ours", "Breaking: look at this!", "Monday again"])
    place = (width // 50, (0 if above else height) + more // 5)
    ImageDraw.Draw(out).text(place, text, "gray", ImageFont.load_default(max(10, more // 2)))
    return out


def _margins(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    left, top, right, bottom = (rng.uniform(0.03, 0.2) for _ in range(4))
    size = round(width * (1 + left + right)), round(height * (1 + top + bottom))
    out = Image.new("RGB", size, rng.choice(["white", "black", "firebrick"]))
    out.paste(image, (round(width * left), round(height * top)))
    return out


_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
_MIRROR = Image.Transpose.FLIP_LEFT_RIGHT

CHANGES: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "scaled and re-encoded only": lambda image, _: image,
    "bottom 6 % cut off": lambda image, _: _cut(image, 0, 0, 0, 0.06),
    "10 % cut off one side": lambda image, rng: _one_side(image, rng, 0.1),
    "20 % cut off one side": lambda image, rng: _one_side(image, rng, 0.2),
    "20 % cut off two sides": lambda image, rng: _two_sides(image, rng, 0.2),
    "10 % cut off all sides": lambda image, _: _cut(image, *[0.1] * 4),
    "20 % cut off all sides": lambda image, _: _cut(image, *[0.2] * 4),
    "a caption of 8 to 20 %": _caption,
    "margins of 3 to 20 %": _margins,
    "mirrored": lambda image, _: image.transpose(_MIRROR),
    "a quarter or half turn": lambda image, rng: image.transpose(rng.choice(_TURNS)),
    "mirrored, 10 % cut off two sides": lambda image, rng: _two_sides(image, rng, 0.1).transpose(_MIRROR),
    "5 % cut off all sides, a caption": lambda image, rng: _caption(_cut(image, *[0.05] * 4), rng),
}


def changed(image: Image.Image, change: str, seed: object) -> bytes:
    """Return a JPEG file of quality 60 to 80, scaled by 0.5 to 1.2, of what a change makes of a picture."""
    rng = random.Random(f"{change} {seed}")
    out = CHANGES[change](image, rng)
    factor = max(rng.choice([0.5, 0.6, 0.75, 1, 1.2]), 200 / max(out.size))
    out = out.resize((max(1, round(out.width * factor)), max(1, round(out.height * factor))), Image.Resampling.BICUBIC)
    data = io.BytesIO()
    out.save(data, "JPEG", quality=rng.randrange(60, 81))
    return data.getvalue()


def pictures(folders: list[Path], least: int = 64) -> Iterator[tuple[Path, Image.Image]]:
    """Yield the pictures in folders, each once, on white, and no larger than they are recorded."""
    seen = set()
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES):
        try:
            digest = hashlib.sha256(path.read_bytes()).digest()
            with Image.open(path) as image:
                if digest in seen or min(image.size) < least or image.width * image.height > 60e6:
                    continue
                seen.add(digest)
                image.draft("RGB", (_LARGEST, _LARGEST))
                rgba = image.convert("RGBA")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
        rgba.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
        yield path, Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def main() -> None:
    """Entry point. Ends with 0 whatever the figures are."""
    parser = argparse.ArgumentParser("python -m benchmarks.copies", description=__doc__)
    parser.add_argument("photographs", type=Path, nargs="+", help="folders of photographs, which are recorded")
    parser.add_argument("--strangers", type=Path, nargs="*", default=[], help="folders of pictures that are not")
    parser.add_argument("--records", type=int, default=1_000_000, help="records in the ledger")
    parser.add_argument("--count", type=int, default=300, help="photographs of which copies are looked for")
    parser.add_argument("--most", type=int, default=12_000, help="strangers that are looked for")
    parser.add_argument("--least", type=int, default=200, help="pixels that a photograph has at least on a side")
    parser.add_argument("--ledger", type=Path, help="keep the ledger here, or look into the one that was kept")
    parser.add_argument("--names", action="store_true", help="name every picture that went wrong")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.ledger or Path(folder) / "ledger.db"
        photographs = _kept(path) if path.exists() else _made(given, path)
        _measure(given, path, photographs)


def _made(given: argparse.Namespace, path: Path) -> list[Path]:
    photographs = _recorded(given, path)
    _fill(path, given.records, _strangers(given, path, photographs))
    return photographs


def _kept(path: Path) -> list[Path]:
    """Return the photographs that a ledger of an earlier measurement has."""
    with Ledger.open(path) as ledger:
        names = (record.source for record in ledger.export())
        return [Path(name) for name in itertools.takewhile(lambda name: name != _LAST, names)]


def _measure(given: argparse.Namespace, path: Path, photographs: list[Path]) -> None:
    names = random.Random(1).sample(photographs, min(given.count, len(photographs)))
    sample = {}
    for photograph in names:
        with Image.open(photograph) as image:
            sample[photograph] = _small(image)
    print(f"{len(sample)} of {len(photographs)} photographs, among {given.records:,} records", flush=True)
    cold, warm = [], []
    for change in CHANGES:
        right, other = 0, 0
        with Ledger.open(path) as ledger:
            for photograph, picture in sample.items():
                data = changed(picture, change, photograph.name)
                start = time.perf_counter()
                matches = ledger.find(data)
                warm.append(time.perf_counter() - start)
                found = {match.record.source for match in matches}
                right += str(photograph) in found
                other += bool(found - {str(photograph)})
                if given.names and str(photograph) not in found:
                    print("missed", change, photograph)
                for name in sorted(found - {str(photograph)}) if given.names else ():
                    print("also found", change, photograph, name)
        print(f"{change:36} {right / len(sample):7.1%} found; another one as well in {other}", flush=True)
    for photograph, picture in list(sample.items())[:20]:
        data = changed(picture, "10 % cut off one side", photograph.name)
        start = time.perf_counter()
        with Ledger.open(path) as ledger:
            ledger.find(data)
        cold.append(time.perf_counter() - start)
    print(
        f"a search: {1e3 * statistics.median(warm):.0f} ms; with opening the ledger {1e3 * statistics.median(cold):.0f}"
    )


def _small(image: Image.Image) -> Image.Image:
    image.draft("RGB", (_LARGEST, _LARGEST))
    rgba = image.convert("RGBA")
    rgba.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _recorded(given: argparse.Namespace, path: Path) -> list[Path]:
    entries, spent = [], 0.0
    for photograph, image in pictures(given.photographs, given.least):
        start = time.process_time()
        found = fingerprint.fingerprint(np.asarray(image))
        spent += time.process_time() - start
        if found is not None:
            entries.append(_entry(str(photograph), found))
    with Ledger.open(path) as ledger:
        ledger.append(entries)
    sizes = [len(entry.fingerprint or b"") for entry in entries]
    print(
        f"{len(entries)} photographs, {statistics.mean(sizes):.0f} bytes and {1e3 * spent / len(entries):.1f} ms each"
    )
    return [Path(entry.source) for entry in entries]


def _strangers(given: argparse.Namespace, path: Path, photographs: list[Path]) -> list[bytes]:
    """Look for strangers while only the photographs are recorded, and return their fingerprints."""
    prints, asked, wrong = [], 0, 0
    known = {hashlib.sha256(photograph.read_bytes()).digest() for photograph in photographs}
    with Ledger.open(path) as ledger:
        for stranger, image in pictures(given.strangers):
            if asked >= given.most:
                break
            if hashlib.sha256(stranger.read_bytes()).digest() in known:
                continue
            try:
                matches: list[Match] = ledger.find(image)
                found = fingerprint.fingerprint(np.asarray(image))
            except LabelingError:
                continue
            asked += 1
            prints += [found] if found is not None else []
            matches = [match for match in matches if match.by == "fingerprint"]
            wrong += bool(matches)
            for match in matches if given.names else ():
                print("stranger", stranger, match.record.source, match.distance, match.resemblance, flush=True)
    print(f"{wrong} of {asked} strangers found among {len(photographs)} photographs", flush=True)
    return prints


def _fill(path: Path, count: int, mixed: list[bytes]) -> None:
    """Record fingerprints mixed from those of strangers until there are enough records."""
    rng = np.random.default_rng(1)
    rows = np.frombuffer(b"".join(each[fingerprint.SIZE :] for each in mixed), np.uint8)
    rows = rows.reshape(-1, keypoints.POINT_SIZE)
    with Ledger.open(path) as ledger:
        [record] = list(ledger.append([_entry(_LAST, None)]))
        made = record.seq
        while made < count and len(rows):
            some = min(8192, count - made)
            points = rows[rng.integers(0, len(rows), (some, keypoints.MAX_POINTS))]
            wholes = rng.integers(0, len(mixed), some)
            ledger.append(
                [
                    _entry(f"mixed {made + n}", mixed[wholes[n]][:16] + rng.bytes(16) + points[n].tobytes())
                    for n in range(some)
                ]
            )
            made += some


def _entry(name: str, found: bytes | None) -> Entry:
    return Entry(name, hashlib.sha256(name.encode()).hexdigest(), {"Label": "1"}, "cn", source=name, fingerprint=found)


if __name__ == "__main__":
    main()
