"""Pieces of files: written by few system calls, which may do less than they are asked for, and read back."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from labeling import atomic_writes, files
from labeling.errors import WriteError
from labeling.filebytes import reads_back, write_views

_PIECES: dict[str, list[bytes]] = {
    "none": [],
    "empty ones": [b"", b"a", b"", b""],
    "small": [b"head", b"x" * 900, b"tail"],
    "larger than what is read at once": [random.Random(1).randbytes(700_001), b"between", bytes(600_000)],
    "more than one call takes": [bytes((number % 251,)) * (number % 3) for number in range(2500)],
}


@pytest.mark.parametrize("pieces", _PIECES.values(), ids=_PIECES)
@pytest.mark.parametrize("short", [0, 1, 3000], ids=["whole", "a byte less", "much less"])
def test_what_is_written_is_the_pieces_whatever_a_call_leaves_undone(
    tmp_path: Path, pieces: list[bytes], short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = os.writev

    def writev(fd: int, views: list[memoryview]) -> int:
        whole = b"".join(views)
        return gather(fd, [whole[: max(0, len(whole) - short)]])

    monkeypatch.setattr(os, "writev", writev)
    path = tmp_path / "made"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        write_views(fd, pieces)
        assert reads_back(fd, pieces)
    finally:
        os.close(fd)
    assert path.read_bytes() == b"".join(pieces)


@pytest.mark.parametrize("pieces", [p for p in _PIECES.values() if p], ids=[n for n, p in _PIECES.items() if p])
def test_what_differs_anywhere_does_not_read_back(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "made"
    whole = b"".join(pieces)
    places = {0, len(whole) // 2, len(whole) - 1}
    wrong = [whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :] for at in places]
    for content in (*wrong, whole[:-1], whole + b"\0", b""):
        path.write_bytes(content)
        fd = os.open(path, os.O_RDONLY)
        try:
            assert not reads_back(fd, pieces)
        finally:
            os.close(fd)


def test_a_disk_that_keeps_something_else_is_an_error_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, views: gather(fd, [b"".join(views).replace(b"n", b"m")]))
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with pytest.raises(WriteError, match="does not read back"):
        atomic_writes.write_atomically(path, [b"n", b"ew"])
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_files_of_all_sizes_are_read_whole_or_opened(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    heads: list[bytes] = []

    def whole(head: bytes) -> bool:
        heads.append(head)
        return False

    assert files.load(path) == (str(path), data)
    assert files.open_source(path, whole) == (str(path), data)
    name, opened = files.open_source(path, lambda _: True)
    with opened if not isinstance(opened, bytes) else pytest.fail("was read"):
        assert (name, opened[:], heads) == (str(path), data, [data[:64]])
