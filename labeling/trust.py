"""Trust lists for C2PA: PEM bundles that the user chose to trust, kept with their date in the user's config folder.

Nobody is trusted out of the box, and nothing is fetched unless a URL is given to :func:`add`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labeling.errors import LabelingError
from labeling.files import read_file, write_atomically

if TYPE_CHECKING:
    from labeling.marks.credentials import Trust

KINDS = ("anchors", "allowed", "tsa")
"""Roots that signers chain to, single certificates that are allowed as they are, roots of time-stamp authorities."""

MAX_BUNDLE = 16 << 20
TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """One stored list: its name, what it is for, where it came from, when it was added, and what is in it."""

    name: str
    kind: str
    source: str
    added: str
    sha256: str
    certificates: int


def folder() -> Path:
    """The folder of stored lists: below ``AIGC_LABEL_HOME``, else the platform's place for settings."""
    if home := os.environ.get("AIGC_LABEL_HOME"):
        return Path(home) / "trust"
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "aigc-labeling" / "trust"


def add(source: str, *, kind: str = "anchors", name: str = "") -> Bundle:
    """Store a PEM bundle from a file or an https URL, in place of one of the same name.

    Raises :class:`LabelingError` if it cannot be read or holds no certificates.
    """
    if kind not in KINDS:
        raise LabelingError(f"there is no kind {kind!r} of trust list; use one of {', '.join(KINDS)}")
    data = _fetched(source) if "://" in source else _read(Path(source))
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.rpartition("/")[2]).stem).strip(".-") or "bundle"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name):
        raise LabelingError(f"{name!r} cannot name a trust list; use letters, digits, dots and dashes")
    bundle = Bundle(
        name,
        kind,
        source if "://" in source else str(Path(source).resolve()),
        datetime.now(UTC).isoformat(timespec="seconds"),
        hashlib.sha256(data).hexdigest(),
        _count(data, source),
    )
    folder().mkdir(parents=True, exist_ok=True)
    write_atomically(folder() / f"{name}.pem", [data])
    write_atomically(folder() / f"{name}.json", [json.dumps(asdict(bundle), indent=1).encode()])
    return bundle


def stored() -> list[Bundle]:
    """All stored lists by name. Raises :class:`LabelingError` on one that was altered since it was added."""
    bundles = []
    for path in sorted(folder().glob("*.json")):
        try:
            bundle = Bundle(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise LabelingError(f"{path}: the trust list cannot be read; remove it and add it again") from error
        data = _read(path.with_suffix(".pem"))
        if hashlib.sha256(data).hexdigest() != bundle.sha256:
            raise LabelingError(f"{path.with_suffix('.pem')}: was altered since it was added; add it again")
        bundles.append(bundle)
    return bundles


def remove(name: str) -> None:
    """Forget a stored list. Raises :class:`LabelingError` if there is none of that name."""
    if name not in {bundle.name for bundle in stored()}:
        raise LabelingError(f"there is no trust list {name!r}; aigc-label trust list shows those there are")
    for suffix in (".json", ".pem"):
        (folder() / f"{name}{suffix}").unlink(missing_ok=True)


def load(extra: tuple[Path, ...] = (), *, use_stored: bool = True) -> Trust | None:
    """The trust of all stored lists and of ``extra`` files of anchors; ``None`` if nobody is trusted."""
    parts: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for bundle in stored() if use_stored else ():
        parts[bundle.kind].append(_read(folder() / f"{bundle.name}.pem"))
    for path in extra:
        data = _read(path)
        _count(data, str(path))
        parts["anchors"].append(data)
    if not any(parts.values()):
        return None
    from labeling.marks.credentials import Trust

    anchors, allowed, tsa = (b"\n".join(parts[kind]) for kind in KINDS)
    return Trust(anchors, allowed, tsa)


def _read(path: Path) -> bytes:
    return read_file(path, "the trust list", MAX_BUNDLE)


def _fetched(url: str) -> bytes:
    if not url.startswith("https://"):
        raise LabelingError(f"{url}: trust lists are fetched over https only")
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - the scheme was checked above
            data: bytes = answer.read(MAX_BUNDLE + 1)
    except (URLError, OSError, ValueError) as error:
        raise LabelingError(f"{url}: cannot be fetched ({getattr(error, 'reason', error)})") from error
    if len(data) > MAX_BUNDLE:
        raise LabelingError(f"{url}: larger than {MAX_BUNDLE >> 20} MiB, too large for a trust list")
    return data


def _count(data: bytes, source: str) -> int:
    from cryptography import x509

    try:
        return len(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        raise LabelingError(f"{source}: holds no PEM certificates that can be read") from error
