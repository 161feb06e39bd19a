"""Two limits on pixels: what is read of strangers' files, and what is labelled of one's own."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import labeling
from labeling import Labeler, TooLarge, batch
from labeling.cli import group
from labeling.fingerprint import fingerprint
from labeling.ledger import Ledger
from labeling.limits import MAX_PIXELS_LABELLED, MAX_PIXELS_READ

PRODUCER = "001191110102MACQD9K64010000"
SIZE = (12000, 9000)
"""108 million pixels, as phones make them."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "phone.png"
    Image.new("1", SIZE, 1).save(path)
    return path


@pytest.fixture(scope="module")
def labelled(plain: Path) -> Path:
    (plain.parent / "labelled").mkdir()
    return Labeler(PRODUCER).label_file(plain, plain.parent / "labelled" / "phone.png").path


def test_both_cameras_of_phones_can_be_labelled_and_only_the_smaller_default_is_for_strangers() -> None:
    assert MAX_PIXELS_READ < SIZE[0] * SIZE[1] < 16384 * 12288 <= MAX_PIXELS_LABELLED
    assert Labeler(PRODUCER).max_pixels == MAX_PIXELS_LABELLED


def test_what_is_labelled_is_judged_whole(plain: Path, labelled: Path) -> None:
    done = Labeler(PRODUCER).label_file(plain, dry_run=True)
    assert done.report.compliant
    assert done.report.find("visible").status == "present"  # type: ignore[union-attr]
    assert struct.unpack(">II", labelled.read_bytes()[16:24]) == SIZE
    with pytest.raises(TooLarge, match=r"the limit is 1,000,000; raise `max_pixels`"):
        Labeler(PRODUCER, max_pixels=1_000_000).label_file(plain, dry_run=True)


@pytest.mark.parametrize("isolate", [False, True])
def test_a_stranger_s_is_not_looked_at_and_its_metadata_is_judged(labelled: Path, isolate: bool) -> None:
    report = labeling.verify(labelled, isolate=isolate)
    visible = report.find("visible")
    assert visible is not None
    assert visible.status == "unreadable"
    assert [defect.message for defect in visible.defects] == [
        "the pixels were not looked at: the picture has 12000×9000 pixels and the limit is 100,000,000; raise "
        "`max_pixels` if you trust it"
    ]
    assert report.find("aigc").status == "present"  # type: ignore[union-attr]
    assert (report.readable, report.origin, report.verdicts["cn"].outcome) == (True, "confirmed", "inconclusive")
    assert labeling.verify(labelled, max_pixels=SIZE[0] * SIZE[1], isolate=isolate).compliant


def test_the_command_names_the_option_that_raises_it(labelled: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(group, ["verify", str(labelled)])
    assert ran.exit_code == 3, ran.output
    assert "raise --max-pixels if you trust it" in ran.output
    assert CliRunner().invoke(group, ["verify", str(labelled), "--max-pixels", "108000000"]).exit_code == 0
    for more, code in (([], 3), (["--max-pixels", "108000000"], 0)):
        target = tmp_path / str(code)
        command = ["batch", str(labelled.parent), str(target), "--verify", "--include", labelled.name, "--workers", "1"]
        ran = CliRunner().invoke(group, [*command, *more])
        assert ran.exit_code == code, ran.output
        (line,) = (target / ".aigc-label" / "results.jsonl").read_text("utf-8").splitlines()
        assert ("100,000,000" in json.dumps(json.loads(line))) == bool(code)


def test_readers_keep_to_the_lower_limit_and_writers_to_the_higher(plain: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="the limit is 100,000,000"):
        fingerprint(labelled)
    small = labeling.convert(labelled, tmp_path / "small.png", resize="1200")
    assert small.report.compliant
    bare = tmp_path / "bare.png"
    with Image.open(small.path) as image:
        image.convert("RGB").save(bare)
    assert labeling.transplant(labelled, bare, tmp_path / "carried.png").label.producer == PRODUCER
    done = labeling.propagate(labelled, tmp_path / "shared.png", propagator="platform", propagate_id="7")
    assert done.report.find("aigc").status == "present"  # type: ignore[union-attr]
    with Ledger.open(tmp_path / "ledger.db") as book:
        book.record(Labeler(PRODUCER).label_file(plain, tmp_path / "recorded.png"))
        whole = fingerprint(tmp_path / "recorded.png", max_pixels=SIZE[0] * SIZE[1])
        assert [match.record.fingerprint for match in book.find(tmp_path / "recorded.png")] == [whole]
    check = batch.Conversion(resize="100")
    assert check.max_pixels == MAX_PIXELS_LABELLED
