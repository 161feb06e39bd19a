"""Where files are read from and written to: a local folder (here), or an object store and anything else fsspec opens.

A storage lists its files one at a time, however many there are. To process a file, it is made available as a local
file; to write one, a local file is stored.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from labeling import temporary
from labeling.atomic_writes import explained
from labeling.batch.task import STATE_FOLDER, Item, Problem, Seen, Status
from labeling.errors import LabelingError, UnreadableFile

if TYPE_CHECKING:
    from labeling.batch.object_properties import Carried, Properties


class ThroughLink(LabelingError):
    """The output would be written where a symbolic link in the target leads."""


class Storage(Protocol):
    """A folder or bucket. Every ``path`` is relative to it, with ``/``."""

    @property
    def name(self) -> str:
        """The path or URL as the user wrote it, without secrets."""
        ...

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        ...

    @property
    def place(self) -> tuple[str, str]:
        """What tells two storages apart: the system, and the path in it."""
        ...

    @property
    def only(self) -> str:
        """The path of the only file that is listed; empty for all."""
        ...

    @property
    def in_this_process(self) -> bool:
        """Whether only this process can see its content, because it is kept in memory."""
        ...

    def open(self) -> None:
        """Check that the storage can be used at all. Raises :class:`LabelingError`."""
        ...

    def single(self) -> Storage | None:
        """Return the storage of the one file that was named instead of a folder; ``None`` if none was."""
        ...

    def walk(self, excluded: tuple[Path, ...] = ()) -> Iterator[Item]:
        """Yield every entry in listing order; entries that cannot be processed carry a ``problem``.

        Args:
            excluded: Local folders that are left out.

        Raises:
            LabelingError: The storage cannot be listed at all.
        """
        ...

    def stat(self, paths: list[str]) -> list[Item]:
        """Return the items of these paths, with size and stamp, or with a ``problem``."""
        ...

    def exists(self, path: str) -> bool:
        """Return whether there is something at the path."""
        ...

    def fetch(self, path: str, details: Mapping[str, Any] | None = None) -> AbstractContextManager[Path]:
        """Make the file available on a local disk until the block ends. Raises :class:`LabelingError`.

        Args:
            path: The file.
            details: What :meth:`look` has told of it: an object that is stored compressed is expanded then.
        """
        ...

    def store(
        self, path: str, *, replaces_source: bool = False, carried: Carried | None = None
    ) -> AbstractContextManager[Path]:
        """Return a local path to write the file to. When the block ends without an error, the file is at ``path``.

        Args:
            path: Where the file is to be stored. It is read back.
            replaces_source: The source itself is there. It is never removed, whatever goes wrong.
            carried: The properties that an object is to have; what it does not get is added to ``carried.lost``.

        Raises:
            LabelingError: The file cannot be stored.
        """
        ...

    def version(self, path: str) -> tuple[int, str]:
        """Return the file's current size and stamp. Raises :class:`LabelingError`."""
        ...

    def size(self, path: str) -> int | None:
        """Return the size of the file at the path; ``None`` if none is there. Raises :class:`LabelingError`."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file that a run has written. Raises :class:`LabelingError`."""
        ...

    def look(self, path: str) -> Seen:
        """Return the file's current size and stamp, and what else comes with them. Raises :class:`LabelingError`."""
        ...

    @property
    def keeps_properties(self) -> bool:
        """Whether its files have properties beside their bytes, as objects have."""
        ...

    def properties(self, path: str, details: Mapping[str, Any]) -> Properties | None:
        """Return the properties of a file of which :meth:`look` has told details. Raises :class:`LabelingError`."""
        ...


_FOLDERS = ("file://", "local://")
"""What fsspec calls this machine's folders. They are opened without it."""


def open_storage(location: str | os.PathLike[str], options: dict[str, Any] | None = None) -> Storage:
    """Return the storage of a path or URL.

    Args:
        location: The path of a folder, or a URL that fsspec knows.
        options: Passed to fsspec.

    Raises:
        LabelingError: It is empty, as the unset variable of a script is: the working directory is ``.``.
    """
    text = os.fspath(location)
    scheme, separator, place = text.partition("://")
    if not text or (f"{scheme}://" in _FOLDERS and not place):
        raise LabelingError("the path of a folder is empty", hint="the working directory is called .")
    if not separator or text.startswith(_FOLDERS):
        return Folder(Path(place if separator else text))
    from labeling.batch.remote_storage import RemoteStorage

    return RemoteStorage(text, options or {})


def normalized_path(path: str) -> str:
    """Return a path of a file list in our form: without ``.`` and without doubled slashes.

    Raises:
        LabelingError: The path leads out of the source.
    """
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    parts = PurePosixPath(path).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        raise LabelingError("leads out of the source", path=path, hint="name files below it")
    return "/".join(parts)


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, or one that all machines mount at the same path.

    Args:
        root: The folder.
        follow_links: Whether links to files inside are followed. In place they are not: the link would be replaced.
        only: The name of the only file that is listed; empty for all.
    """

    root: Path
    follow_links: bool = True
    only: str = ""

    local = True
    in_this_process = False
    keeps_properties = False

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.root)

    @property
    def place(self) -> tuple[str, str]:
        """The folder's path, wherever links lead."""
        return "", os.path.realpath(self.root)

    def single(self) -> Folder | None:
        """Return the storage of the one file that the path names, or ``None`` if it names none."""
        return replace(self, root=self.root.parent, only=self.root.name) if self.root.is_file() else None

    def open(self) -> None:
        """Do nothing: a folder needs no connection."""

    def walk(self, excluded: tuple[Path, ...] = ()) -> Iterator[Item]:
        """Yield all files below, depth first, in the order of the file system.

        Links to files are followed if they stay inside. Links to folders never are: the files in such a folder are
        listed under their own names, or are outside.

        Args:
            excluded: Folders that are left out.
        """
        if self.only:
            yield self._stat(self.only)
            return
        real_root = os.path.realpath(self.root)
        left_out = {os.path.realpath(folder) for folder in excluded}
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        path = f"{folder}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            if entry.name != STATE_FOLDER and not (
                                left_out and os.path.realpath(entry.path) in left_out
                            ):
                                folders.append(f"{path}/")
                        elif not entry.name.startswith(temporary.PREFIX):
                            yield self._entry(entry, path, real_root)
            except OSError as error:
                problem = Problem(Status.FAILED, "UnreadableFile", f"the folder cannot be listed ({error.strerror})")
                yield Item(f"{folder}.", problem=problem)

    def _entry(self, entry: os.DirEntry[str], path: str, real_root: str) -> Item:
        try:
            if entry.is_symlink():
                problem = _link_problem(entry.path, real_root) or (None if self.follow_links else _LINK)
                if problem:
                    return Item(path, problem=problem)
            return _item(path, entry.stat())
        except OSError as error:
            return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", f"cannot be read ({error.strerror})"))

    def stat(self, paths: list[str]) -> list[Item]:
        """Return the items of these paths, with size and stamp, or with a ``problem``."""
        return [self._stat(path) for path in paths]

    def _stat(self, path: str) -> Item:
        real_root, full = os.path.realpath(self.root), self.root / path
        try:
            if path != self.only and os.path.commonpath([real_root, os.path.realpath(full)]) != real_root:
                return Item(path, problem=_OUTSIDE)
            if full.is_symlink() and not self.follow_links:
                return Item(path, problem=_LINK)
            status = full.stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"cannot be found ({reason}); check its name, and whether it was moved or removed"
            return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", message))
        return _item(path, status)

    def exists(self, path: str) -> bool:
        """Return whether there is something at the path, be it a link that leads nowhere."""
        return os.path.lexists(self.root / path)

    def fetch(self, path: str, details: Mapping[str, Any] | None = None) -> AbstractContextManager[Path]:
        """Return the file's own path."""
        return nullcontext(self.root / path)

    def store(
        self, path: str, *, replaces_source: bool = False, carried: Carried | None = None
    ) -> AbstractContextManager[Path]:
        """Return the file's own path: the pipelines write to a temporary file beside it and read that back.

        The root may be a symbolic link, which the user has named; no folder below it may. A link that has the file's
        own name is replaced, not followed.
        """
        target = self.root / path
        if link := self._link_above(path):
            raise ThroughLink(
                f"{link} is a symbolic link in the target; nothing is written where it leads", path=path,
                hint="put a folder in its place, or make the place that it leads to the target",
            )  # fmt: skip
        with explained(target):
            if not os.path.isdir(target.parent):  # noqa: PTH112 - asked of every file, and mostly there
                target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.islink(target):  # noqa: PTH114
                target.unlink()
        return nullcontext(target)

    def _link_above(self, path: str) -> str:
        """Return the first folder above ``path``, below the root, that is a symbolic link; empty if there is none."""
        folders = (str(folder) for folder in reversed(PurePosixPath(path).parents[:-1]))
        return next((folder for folder in folders if os.path.islink(self.root / folder)), "")  # noqa: PTH114

    def version(self, path: str) -> tuple[int, str]:
        """Return the file's current size and time of modification, in nanoseconds."""
        try:
            status = (self.root / path).stat()
        except OSError as error:
            raise UnreadableFile(f"vanished while it was processed ({error.strerror})", path=path) from None
        return status.st_size, str(status.st_mtime_ns)

    def size(self, path: str) -> int | None:
        """Return the size of the file at the path; ``None`` if there is none, or a link or folder in its place."""
        try:
            status = os.lstat(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreadableFile(f"cannot be looked at ({error.strerror})", path=path) from None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def look(self, path: str) -> Seen:
        """Return the file's current size and time of modification."""
        return Seen(*self.version(path), {})

    def properties(self, path: str, details: Mapping[str, Any]) -> Properties | None:
        """Return nothing: a file in a folder has no such properties."""
        return None

    def remove(self, path: str) -> None:
        """Remove a file that a run has written."""
        with explained(self.root / path):
            (self.root / path).unlink(missing_ok=True)

    def move(self, path: str, new: str) -> None:
        """Give a file that a run has written another name, and remove the folders that this leaves empty.

        Raises:
            LabelingError: It cannot be moved, or would be where a symbolic link in the target leads.
        """
        with self.store(new) as target, explained(target):
            (self.root / path).replace(target)
        self.remove_empty_folders(path)

    def remove_empty_folders(self, path: str) -> None:
        """Remove the folders above a file that was removed, as far as nothing is in them; never the root."""
        for folder in PurePosixPath(path).parents[:-1]:
            try:
                (self.root / folder).rmdir()
            except OSError:
                return

    def remove_leftovers(self, path: str, process: int | None = None) -> None:
        """Remove the temporary files that a killed process left beside ``path``.

        Args:
            path: The file that was being written.
            process: Id of the process; ``None`` for all that no living process holds.
        """
        if self._link_above(path):
            return  # nothing of ours was written there
        temporary.sweep((self.root / path).parent, process)


_OUTSIDE = Problem(Status.SKIPPED, "Symlink", "a symbolic link that leads out of the source; it is not followed")
_LINK = Problem(Status.SKIPPED, "Symlink", "a symbolic link to another file, which is labelled where it is")


def _link_problem(path: str, real_root: str) -> Problem | None:
    real = os.path.realpath(path)
    if not os.path.exists(real):  # noqa: PTH110 - also false for a link that leads to itself
        return Problem(Status.SKIPPED, "Symlink", "a symbolic link that leads nowhere")
    if os.path.commonpath([real_root, real]) != real_root:
        return _OUTSIDE
    if os.path.isdir(real):  # noqa: PTH112
        return Problem(Status.SKIPPED, "Symlink", "a symbolic link to a folder; its files are listed where they are")
    return None


def _item(path: str, status: os.stat_result) -> Item:
    if stat.S_ISDIR(status.st_mode):
        return Item(path, problem=Problem(Status.FAILED, "UnreadableFile", "is a folder; name the files in it"))
    if not stat.S_ISREG(status.st_mode):
        return Item(path, problem=Problem(Status.SKIPPED, "NotAFile", "a pipe, socket or device"))
    # Whoever copies or moves a file may keep the time of its content, but not that of its entry in the folder.
    changed = max(status.st_mtime, status.st_ctime)
    return Item(path, status.st_size, str(status.st_mtime_ns), changed=changed)
