"""The files that ``aigc-label classify`` is asked about: arguments, folders, and a list that says more about each."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labeling import files
from labeling.errors import LabelingError

from . import _common
from ._classified import COLUMNS, uncelled

MAX_LIST = 256 << 20
GIVEN = ("path", "declared", "decision", "reviewer", "reason", "propagate_id")
"""Columns that are read; the others of the table that is written are known, and say nothing here."""

_DECLARED = {
    "": None,
    "yes": True,
    "true": True,
    "1": True,
    "是": True,
    "no": False,
    "false": False,
    "0": False,
    "否": False,
}


@dataclass(frozen=True, slots=True)
class Upload:
    """One file to classify, with what is said about it.

    Attributes:
        path: The file.
        below: Its place below the folder that the outputs go to.
        declared: The uploader's declaration; ``None`` if the list says nothing.
        decision: A reviewer's decision; "" if there is none.
        reviewer: Who decided.
        reason: Why.
        propagate_id: The platform's number for it; "" if the list gives none.
        problem: Why the file's line cannot be carried out.
    """

    path: Path
    below: Path
    declared: bool | None = None
    decision: str = ""
    reviewer: str = ""
    reason: str = ""
    propagate_id: str = ""
    problem: str = ""


def uploads(patterns: tuple[str, ...], listed: str | None, out: Path | None) -> list[Upload]:
    """Return the files that the arguments, and a list, name; folders stand for the files in them.

    Args:
        patterns: Files, globs and folders.
        listed: Path of a list, ``-`` for standard input.
        out: The folder of the outputs, which is left out.

    Raises:
        LabelingError: There is no file; or the list cannot be read.
    """
    found: dict[str, Upload] = {}
    for path in _common.expand(patterns):
        for upload in _in_folder(path, out) if path.is_dir() else [Upload(path, Path(path.name))]:
            found.setdefault(_place(upload.path), upload)
    in_list: dict[str, Upload] = {}
    for upload in _in_list(listed) if listed is not None else ():
        if in_list.setdefault(_place(upload.path), upload) is not upload:
            raise LabelingError("is named twice in the list", path=upload.path, hint="leave one line")
    found |= in_list
    if not found and (empty := listed or next(iter(patterns), None)):
        raise LabelingError("names no file to classify" if listed else "holds no file to classify", path=empty)
    if not found:
        raise LabelingError("there is no file to classify", hint="name files, folders, or a list with --files")
    return list(found.values())


def _place(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links, which may be anybody's


def _in_folder(folder: Path, out: Path | None) -> Iterator[Upload]:
    left_out = None if out is None else Path(os.path.realpath(out))
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(
            name for name in folders if name[:1] != "." and Path(os.path.realpath(here / name)) != left_out
        )
        for name in sorted(names):
            path = here / name
            if name[:1] != "." and path.is_file() and not path.is_symlink():
                yield Upload(path, path.relative_to(folder))


def _in_list(listed: str) -> Iterator[Upload]:
    name = "<standard input>" if listed == "-" else listed
    if listed == "-":
        data = sys.stdin.buffer.read(MAX_LIST + 1)
    else:
        data = files.read_file(Path(listed), "the list of files", MAX_LIST)
    if len(data) > MAX_LIST:
        raise LabelingError(f"has more than {MAX_LIST:,} bytes", path=name, hint="split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")  # as spreadsheets in China save CSV
        except UnicodeDecodeError:
            raise LabelingError("is neither UTF-8 nor GB 18030", path=name, hint="save it as UTF-8") from None
    first = text.partition("\n")[0]
    separator = next((each for each in (",", ";", "\t") if each in first), ",")
    heads = [head.strip().strip('"').lower() for head in first.rstrip("\r").split(separator)]
    if "path" not in heads:
        if len(heads) > 1 and (known := set(heads) & (set(GIVEN) | set(COLUMNS))):
            named = f"has the column {min(known)}, and none that is called path"
            raise LabelingError(named, path=name, hint="name the column of the files path")
        for line in text.splitlines():
            if line.strip():
                yield _upload({"path": line})
        return
    if unknown := set(heads) - set(GIVEN) - set(COLUMNS):
        raise LabelingError(
            f"has the columns {', '.join(sorted(unknown))[:80]}", path=name, hint=f"known are {', '.join(GIVEN)}"
        )
    if twice := [head for head in dict.fromkeys(heads) if heads.count(head) > 1]:
        raise LabelingError(f"has the column {twice[0]} twice", path=name, hint="leave one")
    rows = csv.DictReader(io.StringIO(text), heads, delimiter=separator, restval="")
    try:
        next(rows, None)
        for row in rows:
            if None in row:
                raise LabelingError(f"line {rows.line_num} has more cells than the first one", path=name)
            values = {key: uncelled(value.strip()) for key, value in row.items()}
            if any(values.values()):
                yield _upload(values, f"line {rows.line_num} of {name} ")
    except csv.Error as error:
        raise LabelingError(f"is not valid CSV ({error})", path=name) from error


def _upload(values: Mapping[str, str], line: str = "") -> Upload:
    given = {key: values.get(key, "") for key in GIVEN}
    path, problem = Path(given["path"]), ""
    if not given["path"] or "\0" in given["path"]:
        problem = f"{line}names no path"
    declared = given["declared"].lower()
    if declared not in _DECLARED:
        problem = problem or f"{line}has declared={given['declared'][:40]}; known are yes and no"
    decision = given["decision"].lower()
    if decision == values.get("automatic") and not given["reviewer"]:
        decision = ""  # a table of ours comes back: nobody decided anything about this file
    inside = not path.is_absolute() and ".." not in path.parts
    return Upload(
        path, path if inside else Path(path.name), _DECLARED.get(declared), decision,
        given["reviewer"], given["reason"], given["propagate_id"], problem,
    )  # fmt: skip
