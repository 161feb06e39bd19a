"""Objects that are stored compressed: their Content-Encoding says so (RFC 9110, 8.4), and clients get them expanded."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from labeling.containers import formats
from labeling.errors import TooLarge, UnreadableFile, UnsupportedFormat

MAX_EXPANDED = 2 << 30
"""Bytes that an object may expand to."""

_GZIP = frozenset({"gzip", "x-gzip"})
_CODINGS = _GZIP | {"br", "zstd", "deflate", "compress", "x-compress", "dcb", "dcz"}
_GZIP_MAGIC, _PIECE = b"\x1f\x8b", 1 << 20


def is_compression(encoding: str) -> bool:
    """Return whether a Content-Encoding says that an object is compressed; ``aws-chunked`` and ``utf-8`` do not."""
    return bool(_compressions(encoding))


def _compressions(encoding: str) -> list[str]:
    return [coding for each in encoding.split(",") if (coding := each.strip().lower()) in _CODINGS]


def expand(local: Path, encoding: str) -> None:
    """Expand the copy of an object that is stored compressed. What is not, whatever it says, stays as it is.

    Args:
        local: The copy.
        encoding: The object's Content-Encoding.

    Raises:
        UnsupportedFormat: It is compressed in a way that is not read.
        UnreadableFile: It cannot be expanded.
        TooLarge: It expands to too much.
    """
    codings = _compressions(encoding)
    if not codings:
        return
    with local.open("rb") as file:
        head = file.read(formats.HEAD)
    is_gzip = len(codings) == 1 and codings[0] in _GZIP
    if not head or formats.identify(head) is not None or (is_gzip and not head.startswith(_GZIP_MAGIC)):
        return
    if not is_gzip:
        raise UnsupportedFormat(
            f"is stored compressed (Content-Encoding {encoding}), which is not read",
            hint="store it as it is, or with gzip",
        )
    expanded = local.with_name(f"{local.name}.expanded")
    try:
        with gzip.open(local) as source, expanded.open("wb") as target:
            while piece := source.read(_PIECE):
                target.write(piece)
                if target.tell() > MAX_EXPANDED:
                    raise TooLarge(f"expands to more than {MAX_EXPANDED >> 30} GiB (Content-Encoding {encoding})")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(f"cannot be expanded (Content-Encoding {encoding}: {error})") from None
    expanded.replace(local)
