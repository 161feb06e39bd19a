"""What a file has beside its content: permissions, owner, extended attributes and access lists.

A file that is written in another's place keeps them, as if it had been changed and not replaced.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

_ACL = "system.posix_acl_access"

_LEFT_OUT = ("security.capability", "security.ima", "security.evm")
"""Privileges of a program, and signatures of the old content."""

_MOST_EXTENDED = 1 << 20


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a file has beside its content.

    Args:
        mode: The nine permission bits.
        uid: The owner's number.
        gid: The group's number.
        extended: Names and values of the extended attributes. POSIX access lists are among them on Linux.
    """

    mode: int
    uid: int
    gid: int
    extended: dict[str, bytes]


def read(path: str | Path, *, follow: bool = False) -> Attributes | None:
    """Return a regular file's attributes; ``None`` if there is none.

    Args:
        path: The file.
        follow: Whether a symbolic link stands for the file that it leads to. It is no regular file otherwise.
    """
    try:
        status = os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - one call for both
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Attributes(status.st_mode & 0o777, status.st_uid, status.st_gid, _extended(path, follow=follow))


def _extended(path: str | Path, *, follow: bool = False) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    size = 0
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(path, follow_symlinks=follow):
                with contextlib.suppress(OSError):
                    if name not in _LEFT_OUT:
                        values[name] = os.getxattr(path, name, follow_symlinks=follow)
                        size += len(values[name])
                if size > _MOST_EXTENDED:
                    break
    return values


def give(path: str | Path, attributes: Attributes, *, mode: int, inherit: bool = False) -> None:
    """Give a new file the attributes of another, as far as this user may and the file system can.

    Nobody may do more with the file than the owner of the other one meant: if its group or access list cannot be kept,
    the group may do what everybody may.

    Args:
        path: The file.
        attributes: Those of the other one.
        mode: The permissions that it is to have.
        inherit: Whether an access list that the folder gives to new files stays, if the other file has none.
    """
    status = os.lstat(path)
    same_group = _give_owner(path, attributes, status)
    changed = (status.st_uid, status.st_gid) != (attributes.uid, attributes.gid)
    if hasattr(os, "setxattr"):
        held = _extended(path)
        if _ACL in held and _ACL not in attributes.extended and not inherit:
            changed = True
            with contextlib.suppress(OSError):
                os.removexattr(path, _ACL, follow_symlinks=False)
        for name, value in attributes.extended.items():
            if held.get(name) == value:
                continue
            changed = True
            try:
                os.setxattr(path, name, value, follow_symlinks=False)
            except OSError:
                same_group = same_group and name != _ACL
    if not same_group:
        mode = mode & ~0o070 | mode & (mode & 0o007) << 3
    if os.name != "nt" and (changed or status.st_mode & 0o7777 != mode):
        with contextlib.suppress(OSError):
            os.chmod(path, mode)  # noqa: PTH101 - for every file that is written


def _give_owner(path: str | Path, attributes: Attributes, status: os.stat_result) -> bool:
    """Give a file its owner and group; return whether it has the group."""
    if not hasattr(os, "chown"):
        return True
    if (status.st_uid, status.st_gid) == (attributes.uid, attributes.gid):
        return True
    for owner in (attributes.uid, -1):  # who may not give files away may still choose among the own groups
        with contextlib.suppress(OSError):
            os.chown(path, owner, attributes.gid, follow_symlinks=False)
            return True
    return status.st_gid == attributes.gid
