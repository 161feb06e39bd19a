"""The C2PA manifest of a file that is verified: in it or beside it, and whether it is given to the library at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import containers, files
from labeling.containers import Contents, Media
from labeling.containers.syntax.isobmff import MAX_BESIDE, MAX_IN_ALL, too_many_boxes
from labeling.findings import Finding, Signature, Status
from labeling.rule_catalogue import defect
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.marks.credentials import TrustChoice

_BOXED = ("mp4", "heif", "jxl")

MAX_STORE = 16 << 20


def many_boxes(data: Media, contents: Contents, *, spare: int = 0) -> str:
    """Say that a file has too many boxes for c2pa's library; empty if it has not.

    ``spare`` is how many more are to be added.
    """
    if contents.format not in _BOXED or not too_many_boxes(data, spare=spare):
        return ""
    most = f"about {MAX_BESIDE:,} beside each other, {MAX_IN_ALL:,} in all"
    return f"it has more boxes than the C2PA library is given ({most})"


def sidecar_of(path: str | os.PathLike[str]) -> Path:
    """Return the path of the manifest beside a file that cannot hold one: ``video.mkv.c2pa`` beside ``video.mkv``."""
    return Path(f"{os.fspath(path)}.c2pa")


def store_beside(source: Any, contents: Contents) -> bytes | None:
    """Return the manifest store from beside a file whose format has no place for one; ``None`` if there is none.

    ``source`` is its path; whatever is no path has nothing beside it.
    """
    if not isinstance(source, str | os.PathLike) or containers.format_named(contents.format).manifest != "beside":
        return None
    path = sidecar_of(source)
    return files.read_file(path, "the C2PA manifest beside the file", MAX_STORE) if path.is_file() else None


def credentials_of(
    data: Media, contents: Contents, found: metadata.Found, trust: TrustChoice, store: bytes | None = None
) -> Finding:
    """Return the finding on C2PA content credentials; c2pa's reader is only called if the container holds a manifest.

    ``store`` is a manifest store from beside the file.
    """
    if store is not None:
        from labeling.marks import credentials

        return credentials.read(data, contents.media_type, trust=trust, store=store)
    if not found.c2pa:
        if contents.problems:
            return Finding("c2pa", Status.UNREADABLE, "", {}, Signature.NONE)
        return Finding("c2pa", Status.ABSENT)
    if containers.format_named(contents.format).manifest == "unchecked":
        message = f"the file holds a manifest, but content credentials in {contents.media_type} cannot be checked yet"
        why = defect("C2PA-UNSUPPORTED", message)
        return Finding("c2pa", Status.PRESENT, found.c2pa[0].where, {}, Signature.UNSUPPORTED, (why,))
    if crowd := many_boxes(data, contents):
        why = defect("C2PA-MALFORMED", f"{crowd}, so its manifest was not read")
        return Finding("c2pa", Status.UNREADABLE, found.c2pa[0].where, {}, Signature.NONE, (why,))
    from labeling.marks import credentials

    finding = credentials.read(data, contents.media_type, trust=trust)
    if finding.status is Status.ABSENT:  # c2pa's own container parser failed, which it reports as an absence
        message = "the file holds a manifest that cannot be extracted: the file is damaged"
        why = defect("C2PA-MALFORMED", message)
        return Finding("c2pa", Status.UNREADABLE, found.c2pa[0].where, {}, Signature.NONE, (why,))
    return finding
