"""Clusters that begin as nearly all do are passed over quickly, with the result of looking at each element."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from labeling.containers.matroska import outline
from labeling.containers.matroska.ebml import Element, Window, coded_id, made

HEAD = made(0x1A45DFA3, made(0x4282, b"matroska"))
TIME, BLOCK = made(0xE7, b"\x01\x02"), made(0xA3, b"\x81\0\0\x80" + b"x" * 9)
SUM = made(0xBF, b"\1\2\3\4")

cluster = partial(made, outline.CLUSTER)
CLUSTERS: dict[str, bytes] = {
    "plain": cluster(TIME + BLOCK * 2),
    "plain, wide size": cluster(TIME + BLOCK, width=8),
    "summed": cluster(SUM + TIME + BLOCK),
    "group": cluster(TIME + made(0xA0, made(0xA1, b"\x81\0\0\0y"))),
    "long time": cluster(made(0xE7, bytes(7) + b"\1") + BLOCK),
    "large": cluster(TIME + made(0xA3, b"\x81\0\0\x80" + bytes(5000))),
    "position": cluster(TIME + made(0xA7, b"\x12\x34") + BLOCK),
    "previous size": cluster(TIME + made(0xAB, b"\x12\x34") + BLOCK),
    "void first": cluster(made(0xEC, b"0000") + TIME + BLOCK),
    "empty": cluster(b""),
    "time alone": cluster(TIME),
    "no time": cluster(BLOCK),
    "empty time": cluster(made(0xE7, b"") + BLOCK),
    "time too long": cluster(b"\xe7\x90\1\2"),
    "summed too short": cluster(SUM[:4]),
    "unknown size": coded_id(outline.CLUSTER) + b"\xff" + TIME + BLOCK,
    "tags between": made(outline.TAGS, b""),
    "void between": made(0xEC, bytes(20)),
}


def segment(parts: list[bytes], *, sized: bool) -> bytes:
    body = made(outline.INFO, b"") + b"".join(parts)
    return HEAD + (made(outline.SEGMENT, body) if sized else coded_id(outline.SEGMENT) + b"\xff" + body)


def both(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[outline.Outline, outline.Outline]:
    quick = outline.outline(data)
    step: Callable[[object, int], int] = lambda _, pos: pos  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(outline._Walk, "_plain_clusters", step)
        return quick, outline.outline(data)


@pytest.mark.parametrize("sized", [True, False])
def test_all_kinds_of_clusters_in_any_order(monkeypatch: pytest.MonkeyPatch, sized: bool) -> None:
    rng = random.Random(7)
    plain = ["plain"] * 8 + ["summed"] * 8
    for _ in range(60):
        parts = [CLUSTERS[rng.choice([*CLUSTERS, *plain])] for _ in range(40)]
        data = segment(parts, sized=sized)
        quick, slow = both(data, monkeypatch)
        assert quick == slow
        for _ in range(4):  # and damaged, and cut off
            bad = bytearray(data)
            bad[rng.randrange(len(HEAD), len(bad))] = rng.choice([0, 1, 0x1F, 0x7F, 0x80, 0xA3, 0xE7, 0xFF])
            quick, slow = both(bytes(bad[: rng.choice([len(bad), rng.randrange(len(bad))])]), monkeypatch)
            assert quick == slow


@pytest.mark.parametrize("kind", ["plain", "summed"])
def test_many_plain_clusters_are_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    data = segment([CLUSTERS[kind]] * 3000, sized=True)
    quick, slow = both(data, monkeypatch)
    assert quick == slow and quick.clusters == 3000 and not quick.problems
    headers: list[int] = []
    element = Window.element

    def counted(window: Window, pos: int) -> Element | None:
        headers.append(pos)
        return element(window, pos)

    monkeypatch.setattr(Window, "element", counted)
    assert outline.outline(data) == quick
    assert len(headers) < 20


@pytest.mark.parametrize("kind", ["plain", "summed"])
def test_the_limit_on_elements_is_the_same(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    data = segment([CLUSTERS[kind]] * 300, sized=True)
    for limit in range(20, 40):
        monkeypatch.setattr(outline, "FEW_ELEMENTS", limit)
        monkeypatch.setattr(outline, "BYTES_EACH", 1 << 20)
        quick, slow = both(data, monkeypatch)
        assert quick.problems and quick.problems == slow.problems
        assert quick.clusters == slow.clusters
