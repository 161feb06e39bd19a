"""Where files come from and go to: a local folder here, an object store or anything else of fsspec in ``remote``.

A place lists its files one at a time, however many there are, and lends and takes them as local files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from labeling.batch.task import STATE, Item, Problem, Status
from labeling.errors import LabelingError, UnreadableFile
from labeling.files import SCRATCH, explained


class Place(Protocol):
    """A folder or bucket. ``path`` is always relative to it, with ``/``."""

    @property
    def name(self) -> str:
        """As the user wrote it, without secrets."""
        ...

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        ...

    def open(self) -> None:
        """Make sure that it can be spoken to at all. Raises :class:`LabelingError`."""
        ...

    def walk(self) -> Iterator[Item]:
        """All its files, as they come; what is no file to work on comes with its ``problem``."""
        ...

    def look(self, paths: list[str]) -> list[Item]:
        """Those files alone."""
        ...

    def exists(self, path: str) -> bool:
        """Whether something is there already."""
        ...

    def lend(self, path: str) -> AbstractContextManager[Path]:
        """The file on a local disk, for as long as the block runs. Raises :class:`LabelingError`."""
        ...

    def target(self, path: str, *, replaces: bool = False) -> AbstractContextManager[Path]:
        """Where to write the file; what is there when the block ends well is at ``path`` then, read back.

        ``replaces``: the source itself is there, so it is never taken away, whatever goes wrong. Raises
        :class:`LabelingError`.
        """
        ...

    def stamp(self, path: str) -> tuple[int, str]:
        """The file's size and stamp now. Raises :class:`LabelingError`."""
        ...


def open_place(where: str | os.PathLike[str], options: dict[str, Any] | None = None) -> Place:
    """The place of a path or URL. ``options`` go to fsspec. Raises :class:`LabelingError`."""
    text = os.fspath(where)
    if "://" not in text or text.startswith("file://"):
        return Folder(Path(text.removeprefix("file://")))
    from labeling.batch.remote_storage import Remote

    return Remote(text, options or {})


def relative(path: str) -> str:
    """A file list's path as ours are: no ``.``, no doubled slashes. Raises :class:`LabelingError` if it leads out."""
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    parts = PurePosixPath(path).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        raise LabelingError(f"{path}: leads out of the source; name files below it")
    return "/".join(parts)


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, or one that all machines mount at the same place."""

    root: Path
    local: bool = True
    links: bool = True
    """Whether links to files inside are followed; not where they would be replaced."""

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.root)

    def open(self) -> None: ...

    def walk(self, without: tuple[Path, ...] = ()) -> Iterator[Item]:
        """All files below, depth first, in the order of the file system.

        Links to files are followed where they stay inside; links to folders never are: what they lead to is listed
        under its own name, or not ours. ``without``: folders that are left out.
        """
        inside = os.path.realpath(self.root)
        closed = {os.path.realpath(folder) for folder in without}
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        path = f"{folder}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            if entry.name != STATE and not (closed and os.path.realpath(entry.path) in closed):
                                folders.append(f"{path}/")
                        elif not entry.name.startswith(SCRATCH):
                            yield _entry(entry, path, inside, self.links)
            except OSError as error:
                problem = Problem(Status.FAILED, "UnreadableFile", f"the folder cannot be listed ({error.strerror})")
                yield Item(f"{folder}.", problem=problem)

    def look(self, paths: list[str]) -> list[Item]:
        return [self._looked(path) for path in paths]

    def _looked(self, path: str) -> Item:
        inside, full = os.path.realpath(self.root), self.root / path
        try:
            if os.path.commonpath([inside, os.path.realpath(full)]) != inside:
                return Item(path, problem=_OUTSIDE)
            if full.is_symlink() and not self.links:
                return Item(path, problem=_LINK)
            status = full.stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", f"cannot be found ({reason})"))
        return _item(path, status)

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.root / path)

    def lend(self, path: str) -> AbstractContextManager[Path]:
        return nullcontext(self.root / path)

    def target(self, path: str, *, replaces: bool = False) -> AbstractContextManager[Path]:
        """The place itself: what writes there stages and reads back by itself."""
        goal = self.root / path
        with explained(goal):
            goal.parent.mkdir(parents=True, exist_ok=True)
        return nullcontext(goal)

    def stamp(self, path: str) -> tuple[int, str]:
        try:
            status = (self.root / path).stat()
        except OSError as error:
            raise UnreadableFile(f"{path}: vanished while it was worked on ({error.strerror})") from None
        return status.st_size, str(status.st_mtime_ns)

    def remove(self, path: str) -> None:
        """Take back a file that this run has written."""
        (self.root / path).unlink(missing_ok=True)

    def sweep(self, path: str, process: int | None = None) -> None:
        """Remove what a killed writer of ``path`` left beside it: of one process, or of all if nobody is at work."""
        begin = SCRATCH if process is None else f"{SCRATCH}{process:x}-"
        try:
            with os.scandir((self.root / path).parent) as entries:
                stale = [e.path for e in entries if e.name.startswith(begin) and e.name.endswith(".tmp")]
            for name in stale:
                Path(name).unlink(missing_ok=True)
        except OSError:
            return  # nothing is there, or it is not ours to remove


_OUTSIDE = Problem(Status.SKIPPED, "Symlink", "a symbolic link that leads out of the source; it is not followed")


_LINK = Problem(Status.SKIPPED, "Symlink", "a symbolic link to another file, which is labelled where it is")


def _entry(entry: os.DirEntry[str], path: str, inside: str, links: bool) -> Item:
    try:
        if entry.is_symlink() and (problem := _link(entry.path, inside) or (None if links else _LINK)):
            return Item(path, problem=problem)
        return _item(path, entry.stat())
    except OSError as error:
        return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", f"cannot be read ({error.strerror})"))


def _link(path: str, inside: str) -> Problem | None:
    real = os.path.realpath(path)
    if not os.path.exists(real):  # noqa: PTH110 - also false for a link that leads to itself
        return Problem(Status.SKIPPED, "Symlink", "a symbolic link that leads nowhere")
    if os.path.commonpath([inside, real]) != inside:
        return _OUTSIDE
    if os.path.isdir(real):  # noqa: PTH112
        return Problem(Status.SKIPPED, "Symlink", "a symbolic link to a folder; its files are listed where they are")
    return None


def _item(path: str, status: os.stat_result) -> Item:
    if stat.S_ISDIR(status.st_mode):
        return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", "is a folder; name the files in it"))
    if not stat.S_ISREG(status.st_mode):
        return Item(path, problem=Problem(Status.SKIPPED, "NotAFile", "a pipe, socket or device"))
    return Item(path, status.st_size, str(status.st_mtime_ns))
