"""Trust lists for C2PA: those that come with the package, and those that the user keeps beside them.

The C2PA trust list and its list of time-stamp authorities come with the package, each with its date. What the user
adds is kept with its date in the user's settings folder; a newer state of a list that comes with the package takes its
place. Nothing is fetched unless a URL is given to :func:`add` or :func:`update`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labeling.atomic_writes import explained, write_atomically
from labeling.errors import LabelingError
from labeling.files import read_file
from labeling.inert import without_secrets

if TYPE_CHECKING:
    from labeling.marks.credentials import Trust, TrustChoice, TrustList

KINDS = ("anchors", "allowed", "tsa")
"""Roots that signers chain to, single certificates that are allowed as they are, roots of time-stamp authorities."""

NOBODY = "none"
"""In place of a file: no list counts but those that are named beside it."""

MAX_BUNDLE = 16 << 20
TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """One stored list: its name, what it is for, where it came from, when it was added, and what is in it.

    ``renews`` is the name of the list of the package whose place it takes, or empty, and ``as_of`` the day that such a
    list is of: that of the file, or of the answer.
    """

    name: str
    kind: str
    source: str
    added: str
    sha256: str
    certificates: int
    renews: str = ""
    as_of: str = ""


class Unavailable(LabelingError):
    """Whether there are stored lists cannot be known: their folder is somebody else's, as with ``sudo``."""


def _unavailable(error: Exception) -> Unavailable:
    reason = getattr(error, "strerror", None) or str(error)
    where = getattr(error, "filename", None)
    hint = "set AIGC_LABEL_HOME to a folder that you may read, or HOME to your own"
    return Unavailable(f"the stored trust lists cannot be read ({reason})", path=where, hint=hint)


def _entries() -> list[Path]:
    """Return the descriptions of all stored lists. Raises :class:`Unavailable`."""
    try:
        return sorted(path for path in folder().iterdir() if path.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no HOME, as in a container of an unknown user
        raise _unavailable(error) from error


def folder() -> Path:
    """Return the folder of stored lists: below ``AIGC_LABEL_HOME``, else in the platform's folder for settings."""
    if home := os.environ.get("AIGC_LABEL_HOME"):
        return Path(home) / "trust"
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        if not base.is_absolute():  # a relative one is invalid (XDG Base Directory Specification): it would be here
            base = Path.home() / ".config"
    return base / "aigc-labeling" / "trust"


def add(source: str, *, kind: str = "anchors", name: str = "") -> Bundle:
    """Store a PEM bundle, in place of one of the same name.

    Args:
        source: Path of a file, or an https URL to fetch.
        kind: One of :data:`KINDS`.
        name: What to call it (default: the name of the file).

    Returns:
        The stored list.

    Raises:
        LabelingError: It cannot be read, or holds no certificates.
    """
    _check_kind(kind)
    return _store(_obtained(source), source, kind, name)


def update(source: str, *, kind: str = "") -> Bundle:
    """Store a newer state of the C2PA trust list, or of its list of time-stamp authorities.

    It takes the place of the list that comes with the package, until it is removed.

    Args:
        source: Path of a file, or an https URL to fetch.
        kind: "anchors" for the trust list, "tsa" for time-stamp authorities; by default the one that it shares most
            certificates with.

    Returns:
        The stored list.

    Raises:
        LabelingError: It cannot be read, holds no certificates, or may be either list.
    """
    from labeling.marks.credentials import TrustList, shipped_lists

    data = _obtained(source)
    _count(data, _shown(source))
    ours = [each for each in shipped_lists() if each.ages]
    if kind:
        _check_kind(kind)
        chosen = next((each for each in ours if each.kind == kind), None)
        if chosen is None:
            raise LabelingError("only the trust list (anchors) and that of authorities (tsa) are renewed")
    else:
        new = set(TrustList("", "anchors", data).bodies())
        shared = sorted(((_likeness(new, set(each.bodies())), each.name) for each in ours), reverse=True)
        if shared[0][0] == 0 or shared[0][0] == shared[1][0]:
            raise LabelingError(
                "it cannot be told whether this is the C2PA trust list or that of time-stamp authorities",
                path=_shown(source), hint="give its `kind`: anchors or tsa",
            )  # fmt: skip
        chosen = next(each for each in ours if each.name == shared[0][1])
    return _store(data, source, chosen.kind, chosen.name.lower().replace(" ", "-"), renews=chosen.name)


def _likeness(some: set[str], others: set[str]) -> float:
    return len(some & others) / len(some | others)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise LabelingError(f"there is no kind {kind!r} of trust list", hint=f"use one of {', '.join(KINDS)}")


def _obtained(source: str) -> bytes:
    return _fetched(source) if "://" in source else _read(Path(source))


def _shown(source: str) -> str:
    return without_secrets(source) if "://" in source else source


def _store(data: bytes, source: str, kind: str, name: str, *, renews: str = "") -> Bundle:
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.rpartition("/")[2]).stem).strip(".-") or "bundle"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name):
        raise LabelingError(f"{name!r} cannot name a trust list", hint="use letters, digits, dots and dashes")
    bundle = Bundle(
        name,
        kind,
        without_secrets(source) if "://" in source else str(Path(source).resolve()),
        datetime.now(UTC).isoformat(timespec="seconds"),
        hashlib.sha256(data).hexdigest(),
        _count(data, _shown(source)),
        renews,
        _day_of(source) if renews else "",
    )
    with explained(folder()):
        folder().mkdir(parents=True, exist_ok=True)
    write_atomically(folder() / f"{name}.pem", [data])
    write_atomically(folder() / f"{name}.json", [json.dumps(asdict(bundle), indent=1).encode()])
    return bundle


def stored() -> list[Bundle]:
    """Return all stored lists, sorted by name.

    Raises:
        Unavailable: The folder, or a list in it, may not be read.
        LabelingError: A list was altered after it was added, or is damaged.
    """
    bundles = []
    for path in _entries():
        try:
            bundle = Bundle(**json.loads(path.read_text(encoding="utf-8")))
            if bundle.kind not in KINDS:
                raise ValueError(f"no kind of list: {bundle.kind!r}")
        except PermissionError as error:
            raise _unavailable(error) from error
        except (OSError, ValueError, TypeError) as error:
            raise LabelingError(
                "the trust list cannot be read", path=path, hint="remove it and add it again"
            ) from error
        pem = path.with_suffix(".pem")
        if hashlib.sha256(_read(pem)).hexdigest() != bundle.sha256:
            raise LabelingError("was altered since it was added", path=pem, hint="add it again")
        bundles.append(bundle)
    return bundles


def remove(name: str) -> None:
    """Delete a stored list. Raises :class:`LabelingError` if there is no list of that name."""
    if name not in {path.stem for path in _entries()}:  # also one that was altered or is damaged
        raise LabelingError(f"there is no trust list {name!r}", hint="aigc-label trust list shows those there are")
    for suffix in (".json", ".pem"):
        (folder() / f"{name}{suffix}").unlink(missing_ok=True)


def counting() -> list[tuple[TrustList, str]]:
    """Return the lists that count unless files are named, each with where it comes from.

    Raises:
        Unavailable: The stored lists may not be read.
        LabelingError: A list was altered after it was added, or is damaged.
    """
    from labeling.marks.credentials import shipped_lists

    bundles = stored()
    renewed = {bundle.renews for bundle in bundles}
    ours = [(each, "comes with the package") for each in shipped_lists() if each.name not in renewed]
    return [*ours, *((_as_list(bundle), _origin(bundle)) for bundle in bundles)]


def _origin(bundle: Bundle) -> str:
    return f"renewed from {bundle.source} (kept as {bundle.name})" if bundle.renews else bundle.source


def load(
    extra: tuple[Path | str, ...] = (), *, use_stored: bool = True, note: Callable[[str], None] | None = None
) -> Trust | None:
    """Combine the lists that come with the package, the stored ones, and more files.

    Args:
        extra: PEM files with trust anchors. With the word ``"none"`` among them, no other list counts.
        use_stored: Whether the stored lists count.
        note: Gets a sentence if the stored lists may not be read. Without them fewer signatures are trusted, and
            nothing else is reported otherwise.

    Returns:
        What :func:`labeling.verify` takes as ``trust``; ``None`` if nobody is trusted.

    Raises:
        Unavailable: The stored lists may not be read, and no ``note`` was given.
        LabelingError: A file cannot be read, or a stored list was altered.
    """
    from labeling.marks.credentials import Trust, TrustList, shipped, shipped_lists

    named: list[TrustList] = []
    for path in (Path(each) for each in extra if each != NOBODY):
        data = _read(path)
        _count(data, str(path))
        named.append(TrustList(path.name, "anchors", data))
    if NOBODY in extra:
        return Trust(lists=tuple(named)) if named else None
    kept = shipped_lists()
    try:
        if use_stored:
            kept = tuple(each for each, _ in counting())
    except Unavailable as error:
        if note is None:
            raise
        note(f"{error}; nobody on them is trusted now")
    return shipped() if not named and kept == shipped_lists() else Trust(lists=(*kept, *named))


def chosen(
    extra: tuple[Path | str, ...] = (), *, use_stored: bool = True, note: Callable[[str], None] | None = None
) -> TrustChoice:
    """Return the same for a command: ``"shipped"`` if these lists are all, which are loaded where a signature is."""
    try:
        if not extra and not (use_stored and _entries()):
            return "shipped"
    except Unavailable:
        pass  # the user is told
    return load(extra, use_stored=use_stored, note=note)


def _as_list(bundle: Bundle) -> TrustList:
    from labeling.marks.credentials import TrustList

    pem = _read(folder() / f"{bundle.name}.pem")
    day = bundle.as_of or bundle.added[:10]
    return TrustList(bundle.renews or bundle.name, bundle.kind, pem, day, bool(bundle.renews))


def _day_of(source: str) -> str:
    """Return the day that a list is of: an old file is not made new by being stored."""
    moment = datetime.now(UTC)
    if "://" not in source:
        moment = min(moment, datetime.fromtimestamp(Path(source).stat().st_mtime, UTC))
    return moment.date().isoformat()


def _read(path: Path) -> bytes:
    return read_file(path, "the trust list", MAX_BUNDLE)


def _fetched(url: str) -> bytes:
    if any(character.isspace() for character in url):  # not repeated: it may be in a password
        raise LabelingError("a URL has no spaces", hint="write %20 for each")
    shown = without_secrets(url)
    if not url.startswith("https://"):
        raise LabelingError("trust lists are fetched over https only", path=shown)
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - the scheme was checked above
            data: bytes = answer.read(MAX_BUNDLE + 1)
    except (URLError, OSError, ValueError) as error:
        raise LabelingError(
            without_secrets(f"cannot be fetched ({getattr(error, 'reason', error)})"), path=shown
        ) from None
    except HTTPException:  # its message may repeat a part of the URL
        raise LabelingError("cannot be fetched: the URL or the answer is not understood", path=shown) from None
    if len(data) > MAX_BUNDLE:
        raise LabelingError(f"larger than {MAX_BUNDLE >> 20} MiB, too large for a trust list", path=shown)
    return data


def _count(data: bytes, source: str) -> int:
    from cryptography import x509

    try:
        return len(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        raise LabelingError("holds no PEM certificates that can be read", path=source) from error
