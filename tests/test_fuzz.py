"""A short run of the fuzzer, the same files each time, and proof that it sees; ``make fuzz`` runs it at length."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import labeling

from .fuzzing.__main__ import run
from .fuzzing.check import VERBS
from .fuzzing.child import Child
from .fuzzing.findings import shown, smaller
from .fuzzing.media_fields import fields_of
from .fuzzing.mutate import mutate
from .fuzzing.seeds import gather

UNREAD = (".md", ".svg", ".pdf", ".tga", ".ppm", ".jpeg2000", ".ico", ".dds", ".sgi", ".icns", ".qoi")


def test_nothing_but_our_own_error_escapes_from_mutated_files() -> None:
    outcome = run(300, seed=45438, jobs=2, cases=False)
    assert outcome.findings == []
    assert outcome.counts["files"] == 300
    assert outcome.counts["pixels"] == 150
    assert outcome.counts["written"] > 20, "too few mutated files are accepted for the write path to be tested"


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    seeds = tmp_path_factory.mktemp("seeds") / "seeds"
    seeds.write_bytes(pickle.dumps([]))
    with Child(seeds) as made:
        yield made


@pytest.mark.skipif(sys.platform != "linux", reason="limits and peaks are Linux's")
@pytest.mark.parametrize(
    ("verb", "finding"),
    [("spin", "hang: more than 6 s of CPU"), ("swell", "memory: peak of "), ("burst", "MemoryError at check.py"),
     ("crash", "process died (-6)"), ("verify", "")],
)  # fmt: skip
def test_a_fault_is_seen_and_the_next_file_runs(verb: str, finding: str, child: Child) -> None:
    assert shown(child, verb, "any.svg", b"<svg/>").startswith(finding)
    assert shown(child, "inspect", "any.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>') == ""


def test_a_finding_s_file_is_cut_down() -> None:
    data = bytes(range(256)) * 20 + b"needle" + bytes(3000)
    assert smaller(data, lambda each: b"needle" in each, 500) == b"needle"


def test_the_fields_of_every_format_are_found_and_files_are_the_same_again() -> None:
    seeds = gather(cases=False)
    without = [name for name, data in seeds if len(fields_of(data)) < 4]
    assert [name for name in without if Path(name).suffix not in UNREAD] == []
    assert [mutate(Random(f"7:{each}"), seeds) for each in range(40)] == [
        mutate(Random(f"7:{each}"), seeds) for each in range(40)
    ]


def test_boxes_without_number_do_not_hold_up_the_check_of_a_signature(child: Child) -> None:
    signed = dict(gather(cases=False))["signed-h264.mp4"]
    few, many = (signed + b"\0\0\0\x08free" * count for count in (1000, 60_000))
    assert shown(child, "verify", "many.mp4", many) == ""  # two seconds of CPU at most
    statuses = [[each.status for each in labeling.verify(data, visible=False).findings if each.kind == "c2pa"]
                for data in (few, many)]  # fmt: skip
    assert statuses == [["present"], ["unreadable"]]


FOUND = {
    "GIF with a frame far outside its canvas": (
        "4749463839613000280000d3dcd1bcbdbcaa9ea5809188796b4c6162656c223a2231222c22436f6e74656e74"
    ),
    "GIF that ends in the header of such a frame": "4749463839619a920800021bc32c22436f6e27656e74",
}
"""What the fuzzer found in earlier versions, cut down: a few bytes in hexadecimal."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_before_stays_mended(name: str, child: Child) -> None:
    data = bytes.fromhex(FOUND[name])
    assert [shown(child, verb, "found.gif", data) for verb in VERBS] == [""] * len(VERBS)
