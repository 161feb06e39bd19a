"""Cropped, framed, mirrored and turned copies of real photographs are found in a ledger, and nothing else is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks.copies import CHANGES, changed
from labeling import fingerprint, keypoints
from labeling.errors import LabelingError
from labeling.fingerprint import SIZE, SIZES, resemblance
from labeling.ledger import Ledger
from labeling.ledger.chain import BLOCK
from labeling.ledger.recorded import how_alike

from .ledgers import aged, entry, raw

PHOTOGRAPHS = Path("/usr/share/backgrounds/mate/nature")


@pytest.fixture(scope="module")
def photographs() -> dict[str, Image.Image]:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"there are no photographs in {PHOTOGRAPHS}: apt-get install mate-backgrounds")
    found = {}
    for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
        with Image.open(path) as image:
            image.draft("RGB", (480, 480))
            found[path.stem] = image.convert("RGB").resize((480, round(480 * image.height / image.width)))
    assert len(found) >= 10
    return found


@pytest.fixture(scope="module")
def ledger(photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Half of the photographs, among records of random points, before and behind the end of a block."""
    rng = np.random.default_rng(1)
    others = [entry(n, fingerprint=rng.bytes(SIZES[-1])) for n in range(BLOCK)]
    ours = [
        entry(10_000 + n, content_id=name, fingerprint=fingerprint.fingerprint(photographs[name]))
        for n, name in enumerate(list(photographs)[::2])
    ]
    with Ledger.open(tmp_path_factory.mktemp("copies") / "ledger.db") as opened:
        opened.append([*ours[:3], *others, *ours[3:]])
        yield opened


def found(ledger: Ledger, source: object) -> set[str]:
    return {match.record.content_id for match in ledger.find(source)}  # type: ignore[arg-type]


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_and_strangers_are_not(
    change: str, ledger: Ledger, photographs: dict[str, Image.Image]
) -> None:
    names = list(photographs)
    missed = [name for name in names[::2] if found(ledger, changed(photographs[name], change, name)) != {name}]
    assert len(missed) <= (1 if change == "20 % cut off all sides" else 0)
    assert not any(found(ledger, changed(photographs[name], change, name)) for name in names[1::2])


def test_a_match_says_what_was_done_to_the_copy(ledger: Ledger, photographs: dict[str, Image.Image]) -> None:
    name, photograph = next(iter(photographs.items()))
    part = photograph.crop((0, 30, photograph.width, photograph.height)).transpose(Image.Transpose.ROTATE_90)
    for copy, mirrored, turned, words in (
        (part, False, -90, "turned by -90°"),
        (photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT), True, 0, "mirrored"),
    ):
        [match] = ledger.find(copy)
        assert (match.by, match.record.content_id) == ("fingerprint", name)
        assert match.distance is not None
        assert match.distance > 60
        seen = match.resemblance
        assert seen is not None
        assert seen.same
        assert (seen.mirrored, abs(seen.turned - turned) <= 2) == (mirrored, True)
        assert words[:9] in how_alike(match)


def test_the_public_functions_agree(photographs: dict[str, Image.Image]) -> None:
    one, other = list(photographs.values())[:2]
    stored = fingerprint.fingerprint(one)
    assert stored is not None
    assert SIZE < len(stored) <= 512
    seen = resemblance(changed(one, "20 % cut off one side", 1), stored)
    assert seen is not None
    assert seen.same
    seen = resemblance(other, stored)
    assert seen is None or not seen.same
    assert resemblance(one, stored[:SIZE]) is None  # as they were recorded before there were points
    for wrong in (b"", stored[:-1], stored + bytes(10 * keypoints.MAX_POINTS)):
        with pytest.raises(LabelingError, match="a fingerprint has 32 bytes"):
            resemblance(one, wrong)


def test_whatever_is_stored_can_be_compared(photographs: dict[str, Image.Image]) -> None:
    rng = np.random.default_rng(2)
    photograph = next(iter(photographs.values()))
    sight = fingerprint.sight_of(photograph)
    stored = fingerprint.fingerprint(photograph)
    assert sight is not None
    assert stored is not None
    point = stored[SIZE : SIZE + 10]
    for data in (b"", bytes(480), b"\xff" * 480, point * 48, *(rng.bytes(480) for _ in range(20))):
        seen = sight.resemblance(keypoints.unpacked(data))
        assert seen is None or not seen.same


def board(tilt: float) -> Image.Image:
    """A chessboard as a camera sees it: every board has the points of every other."""
    y, x = np.mgrid[0:300, 0:400].astype(np.float32)
    across = np.cos(tilt) * x + np.sin(tilt) * y + 1e-4 * x * y
    down = np.cos(tilt) * y - np.sin(tilt) * x
    dark = (np.floor(across / 34) + np.floor(down / 34)) % 2
    return Image.fromarray((60 + 140 * dark).astype(np.uint8)).convert("RGB")


def slide(seed: int) -> Image.Image:
    """A page of a presentation: the same heading and logo, another text and chart each time."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (480, 320), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 480, 40), fill="navy")
    draw.text((12, 12), "Example Company, annual meeting", "white")
    draw.ellipse((430, 270, 470, 310), fill="firebrick")
    for row in range(8):
        draw.text((20, 60 + 28 * row), "".join(map(chr, rng.integers(97, 122, rng.integers(8, 26)))), "black")
    for column, height in enumerate(rng.integers(10, 180, 9)):
        draw.rectangle((250 + 22 * column, 260 - int(height), 264 + 22 * column, 260), fill="seagreen")
    return page


def test_what_only_looks_alike_is_no_copy() -> None:
    for made in (board, slide):
        pages = [made(each) for each in (0.3, 0.8, 1.2)] if made is board else [made(seed) for seed in (1, 2, 3)]
        prints = [fingerprint.fingerprint(page, detail=0) for page in pages]
        for number, page in enumerate(pages):
            for other, stored in enumerate(prints):
                assert stored is not None
                seen = resemblance(page, stored)
                assert other == number or seen is None or not seen.same, (made, number, other, seen)


def test_the_index_is_checked_and_pruned_with_the_records(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = tmp_path / "ledger.db"
    aged(path, [400] * 5)
    with Ledger.open(path) as ledger:
        ledger.append([entry(n, fingerprint=rng.bytes(SIZES[-1])) for n in range(BLOCK)])
        assert ledger.verify().intact
        assert ledger.prune(timedelta(days=300)).upto == 5
        assert ledger.verify().intact
    connection = raw(path)
    [(data,)] = connection.execute("SELECT data FROM ledger_points").fetchall()
    assert len(data) == 5 * 32 * (BLOCK - 5)
    for change in ("UPDATE ledger_points SET data = zeroblob(10)", "DELETE FROM ledger_points"):
        connection.execute(change)
        with Ledger.open(path) as ledger:
            checked = ledger.verify()
        assert [each.message for each in checked.discrepancies] == [
            "block 0 of the index of points does not agree with the records"
        ]
    connection.close()


def test_a_ledger_from_before_there_were_points_is_searched_and_grows(
    tmp_path: Path, photographs: dict[str, Image.Image]
) -> None:
    path = tmp_path / "old.db"
    photograph = next(iter(photographs.values()))
    stored = fingerprint.fingerprint(photograph)
    assert stored is not None
    with Ledger.open(path) as ledger:
        ledger.append([entry(1, content_id="old", fingerprint=stored[:SIZE])])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE ledger_points")
        connection.execute("UPDATE ledger_meta SET value = '3' WHERE name = 'version'")
    connection.close()
    with Ledger.open(path) as ledger:
        assert found(ledger, changed(photograph, "scaled and re-encoded only", 1)) == {"old"}
        assert not found(ledger, changed(photograph, "20 % cut off one side", 1))
        ledger.append([entry(2, content_id="new", fingerprint=stored)])
        assert found(ledger, changed(photograph, "scaled and re-encoded only", 1)) == {"old", "new"}
        assert found(ledger, changed(photograph, "20 % cut off one side", 1)) == {"new"}
        assert ledger.verify().intact


def test_a_series_with_one_heading_is_searched_within_bounds(photographs: dict[str, Image.Image]) -> None:
    """However many pictures share points with one, few points vote; the picture itself is still found."""
    from labeling.ledger import _points

    rng = np.random.default_rng(5)
    photograph = next(iter(photographs.values()))
    stored = fingerprint.fingerprint(photograph)
    sight = fingerprint.sight_of(photograph.crop((0, 0, photograph.width, photograph.height * 4 // 5)))
    assert stored is not None
    assert sight is not None
    heading = stored[: SIZE + 120]
    series = [(seq, heading + rng.bytes(360)) for seq in range(1, BLOCK)]
    block = _points.pack_points(0, [*series, (BLOCK, stored)])
    search = _points.PointSearch(sight)
    for _ in range(20):
        search.look(0, block)
    assert sum(len(numbers) for numbers, _, _ in search._found) < 60_000
    assert BLOCK in search.likely()
