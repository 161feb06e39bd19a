"""Opening a file that is to be labelled: what it carries, and the cases in which it must be left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from labeling import containers, files
from labeling.containers import Contents, Media
from labeling.errors import LabelConflict, LabelingError, SigningError, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.inert import inert
from labeling.label import Label
from labeling.marks import aigc
from labeling.verification import metadata
from labeling.verification.manifest import many_boxes

if TYPE_CHECKING:
    from labeling.marks.credentials import Signer

LabelFor = Callable[[Label | None], Label]
"""Makes the label to write: it gets our own label that the file carries already, or ``None``."""

OTHERS_MUST_STAY = "labels of others must stay (Labelling Measures Art. 10)"


def open_source(path: str | os.PathLike[str]) -> tuple[str, Media]:
    """Open a file that is to be labelled.

    Returns:
        Its name to show, and its content. A video or audio file is opened and not read: the caller closes the
        :class:`~labeling.filebytes.FileBytes`.

    Raises:
        UnreadableFile: The file cannot be opened, or is empty.
        UnsupportedFormat: The content is of no known format.
    """
    name, data = files.open_source(path, containers.is_media)
    if containers.identify(data) is None:
        kind = containers.unread(data)
        if isinstance(data, FileBytes):
            data.close()
        if kind is not None:
            message = f"this is {kind.title}, which cannot be labelled"
            raise UnsupportedFormat(message, path=name, hint=kind.way_out or None)
        raise UnsupportedFormat("the content is of no format that this version can label", path=name)
    return name, data


def read_contents(data: Media) -> tuple[Contents, metadata.Found]:
    """Read the metadata of a file that is to be rewritten.

    Raises:
        LabelingError: The file cannot be read in full, or cannot be rewritten without loss.
    """
    return _checked(containers.read(data))


def read_mended(data: bytes, max_pixels: int) -> tuple[bytes, Contents, metadata.Found, tuple[str, ...]]:
    """Read the metadata of a picture that is to be rewritten, with the marker at its end if only that is missing.

    Returns:
        The file, what was read of it, and sentences on what was mended.

    Raises:
        LabelingError: As :func:`read_contents` does.
    """
    contents = containers.read(data)
    how: tuple[str, ...] = ()
    if contents.problems or contents.warnings:
        from labeling import codecs

        if (mended := codecs.mended(data, contents, max_pixels=max_pixels)) is not None:
            data, missing = mended
            contents = containers.read(data)
            how = (f"the {missing} at the end of the file was missing and was added",)
    return data, *_checked(contents), how


def parent_as_signed(came: Media, mended: Media, found: metadata.Found, media_type: str) -> tuple[bytes, str] | None:
    """Return which of a file as it came and with its mended end its manifest was made for, to be the parent ingredient.

    Nobody knows whether the end was lost before or after signing: c2pa's reader validates one of them or neither.

    Returns:
        The file and its media type; ``None`` if nothing was mended or there is no manifest.
    """
    if came is mended or not found.c2pa:
        return None
    from labeling.marks import credentials

    assert isinstance(came, bytes)
    assert isinstance(mended, bytes)
    intact = credentials.read(came, media_type).value.get("integrity", {}).get("state") == "intact"
    return came if intact else mended, media_type


def _checked(contents: Contents) -> tuple[Contents, metadata.Found]:
    containers.require_whole(contents)
    if contents.fixed:
        raise LabelingError(contents.fixed)
    found = metadata.scan(contents)
    if found.faults:
        raise found.faults[0]
    if found.broken:
        raise UnreadableFile(found.broken[0].defects[0].message, hint="nothing was written")
    return contents, found


def agreed_label(found: metadata.Found, label_for: LabelFor) -> Label:
    """Return the label to write, made from our own that is in the file, if any.

    Raises:
        LabelConflict: The file carries another producer's label.
    """
    own = own_label(found)
    label = label_for(own)
    if own is not None and own.producer != label.producer:
        hint = f"{OTHERS_MUST_STAY}: propagate adds your half instead"
        raise LabelConflict(f"already labelled by {inert(own.author)}", hint=hint)
    return label


def own_label(found: metadata.Found) -> Label | None:
    """Return the label that a file carries. Several labels of one producer are fine: they become one.

    Raises:
        LabelConflict: A label names no producer, or the labels are of several producers.
    """
    labels = [aigc.label_of(finding) for finding in found.aigc]
    if any(label is None for label in labels):
        where = found.aigc[labels.index(None)].where
        raise LabelConflict(f"carries an AIGC label that names no producer, at {where}", hint=OTHERS_MUST_STAY)
    producers = {label.producer for label in labels if label is not None}
    if len(producers) > 1:
        raise LabelConflict(f"carries labels of several producers ({', '.join(map(inert, sorted(producers)))})")
    return labels[0] if labels else None


def require_signer(found: metadata.Found, signer: Signer | None, *, beside: bytes | None = None) -> None:
    """Raise :class:`SigningError` if the file has a C2PA manifest that a change without a signer would break.

    ``beside`` is the manifest store from beside the file, if there is one.
    """
    if signer is not None:
        return
    has = (
        "carries C2PA content credentials" if found.c2pa
        else "has C2PA content credentials beside it" if beside is not None
        else f"refers to C2PA content credentials at {found.referenced[:200]}" if found.referenced
        else ""
    )  # fmt: skip
    if has:
        raise SigningError(
            f"{has}, which a change would break",
            hint="give a signer (`signer`) and they are kept as the parent ingredient",
        )


def check_signable(data: Media, contents: Contents, signer: Signer | None) -> None:
    """Raise :class:`SigningError` if a file that is to be signed has too many boxes for c2pa's library."""
    if signer is not None and (crowd := many_boxes(data, contents, spare=_ADDED)):
        raise SigningError(
            f"it cannot be signed: {crowd}",
            hint="a copy without fragments has fewer (`ffmpeg -i OLD -c copy NEW.mp4`), or do not sign it",
        )


_ADDED = 64
"""Boxes that a label and a manifest may add, at the most."""


def said_of_parent(found: metadata.Found) -> list[str]:
    """Return what is to be said of a parent ingredient whose manifest is only referred to; no reference is followed."""
    if found.c2pa or not found.referenced:
        return []
    return [f"the parent's C2PA manifest stays at {found.referenced[:200]}; it was not fetched"]
