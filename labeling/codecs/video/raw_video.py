"""Uncompressed video, whose rows may be padded and stored from the bottom up, as AVI does with RGB.

No description of a file says so reliably. So the layout is found by trial: the one is taken whose bytes FFmpeg's
decoder turns into the same picture again.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from labeling.codecs.video.base import Encoding, Packet, Stream
from labeling.codecs.video.decoders import first_picture
from labeling.codecs.video.open_codecs import Intra
from labeling.errors import LabelingError
from labeling.limits import MAX_PIXELS_LABELLED

if TYPE_CHECKING:
    import av

MAX_PACKET = 8 * MAX_PIXELS_LABELLED
"""Limit on the bytes of a picture: the largest that is labelled, with 16 bits in four channels."""


class Layout(NamedTuple):
    """How the rows of a picture with one plane are stored.

    Attributes:
        padded: To a multiple of four bytes.
        upwards: The lowest one first.
    """

    padded: bool = False
    upwards: bool = False

    def applied(self, data: bytes, rows: int) -> bytes:
        """Return a picture whose rows are stored one behind the other, in this layout."""
        if self == Layout() or len(data) % rows:
            return data
        step = len(data) // rows
        order = range(rows - 1, -1, -1) if self.upwards else range(rows)
        fill = bytes(-step % 4) if self.padded else b""
        return b"".join(part for row in order for part in (data[row * step : (row + 1) * step], fill))


class Raw(Intra):
    """See :class:`labeling.codecs.video.base.Codec`."""

    lenient = False

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._layout: Layout | None = None

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        if first and layout_of(self.stream, len(first)) is None:
            return "raw video of this kind cannot be encoded here"
        return ""

    def carried(self, data: bytes) -> Any:
        """See :class:`Codec`."""
        self._layout = layout_of(self.stream, len(data))
        return ()

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        return {}

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """See :class:`Codec`."""
        if self._layout is None:
            raise LabelingError("raw video of this kind cannot be encoded here")
        return self._layout.applied(data, self.stream.height)


@lru_cache(maxsize=16)
def layout_of(stream: Stream, size: int) -> Layout | None:
    """Return the layout of packets of ``size`` bytes; ``None`` if it is not known."""
    if not 0 < size <= MAX_PACKET:
        return None

    def picture(data: bytes) -> av.VideoFrame | None:
        try:
            return first_picture(stream, [Packet(0, 0, True, data)])
        except LabelingError:
            return None

    noise = picture(np.random.default_rng(0).bytes(size))
    if noise is None:
        return None
    plain = _stored(noise)
    for layout in (Layout(), Layout(True), Layout(False, True), Layout(True, True)):
        data = layout.applied(plain, stream.height)
        if len(data) == size and (back := picture(data)) is not None and _stored(back) == plain:
            return layout
    return None


def _stored(frame: av.VideoFrame) -> bytes:
    import av

    encoder: av.VideoCodecContext = av.CodecContext.create("rawvideo", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base = Fraction(1, 25)
    return b"".join(map(bytes, encoder.encode(frame)))
