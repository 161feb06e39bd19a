"""What a conversion makes, and what it calls it: the format and the name of the output."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from labeling import containers
from labeling.containers.format_row import PictureEncoding
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.preservation import State


def encoding_for(
    format: str | None, source: str | os.PathLike[str], target: str | os.PathLike[str] | None, state: State, *,
    in_place: bool,
) -> PictureEncoding:  # fmt: skip
    """Decide what to encode: what ``format`` or the output's name says, else the source's own.

    Raises:
        UnsupportedFormat: Nothing says it, or it is none that can be encoded.
        LabelingError: ``format`` and the name contradict each other, or a file in place would change its format.
    """
    own = next(
        (
            each for row in containers.formats.FORMATS for each in row.encodings
            if row.name == state.contents.format and each.media_type == still_type(state.contents.media_type)
        ),
        None,
    )  # fmt: skip
    named = encoding_by_extension(PurePath(target).suffix) if target is not None and not in_place else None
    if format is not None:
        chosen = containers.formats.encoding_named(format)
        if named is not None and named is not chosen:
            message = f"the output's name says {named.name}, and `format` {chosen.name}"
            raise LabelingError(message, hint="give one of them, or both the same")
    elif named is not None:
        chosen = named
    elif own is not None and (target is None or in_place or PurePath(target).suffix in ("", PurePath(source).suffix)):
        chosen = own
    else:
        hint = "give `format`, or a name that ends with .png, .jpg, .webp, .avif, .heic, .tif or .gif"
        raise UnsupportedFormat("nothing says which format the output is to have", hint=hint)
    if in_place and chosen is not own:
        raise LabelingError("`in_place=True` keeps the format", path=source, hint="name another output to change it")
    return chosen


def still_type(media_type: str) -> str:
    """Return the media type of a still picture in the same format: several encodings share a row of the table."""
    return {"image/apng": "image/png", "image/heif": "image/heic"}.get(media_type, media_type).removesuffix("-sequence")


def encoding_by_extension(extension: str) -> PictureEncoding | None:
    """Return what a name that ends with ``extension``, with its dot, is encoded as; ``None`` if that says nothing."""
    if not extension:
        return None
    try:
        return containers.formats.encoding_named(extension.lstrip("."))
    except UnsupportedFormat:
        row = containers.formats.find(extension)
        return row.encodings[0] if row is not None and len(row.encodings) == 1 else None


def beside(path: Path, encoding: PictureEncoding) -> Path:
    """Return the output's path where none was given: ``photo.converted.webp`` beside ``photo.png``."""
    return path.with_name(f"{path.stem}.converted.{encoding.extension}")


def name_in(format: str | None, path: str) -> str:
    """Return what a picture's path becomes in another format: ``a/b.webp`` for ``a/b.png``.

    A name that fits already stays as it is (``photo.JPEG``). An extension that names no picture belongs to the name:
    ``photo.v2`` becomes ``photo.v2.webp``, lest ``photo.v1`` and ``photo.v2`` have one output.

    Args:
        format: A name of an encoding; ``None`` keeps the path.
        path: The path, with ``/``.

    Raises:
        UnsupportedFormat: No picture is encoded as that.
    """
    if format is None:
        return path
    encoding = containers.formats.encoding_named(format)
    folder, slash, name = path.rpartition("/")
    extension = PurePath(name).suffix
    if encoding_by_extension(extension) is encoding:
        return path
    stem = name.removesuffix(extension) if _names_picture(extension) else name
    return f"{folder}{slash}{stem}.{encoding.extension}"


def _names_picture(extension: str) -> bool:
    row = containers.formats.find(extension) if extension else None
    if row is not None:
        return bool(row.encodings or row.plugin or row.opener)
    return any(extension.lower() in kind.extensions and kind.plugin for kind in containers.formats.UNREAD)
