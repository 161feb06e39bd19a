"""Packets for FFmpeg's decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def packet_of(data: bytes, *, key: bool = True) -> av.Packet[Any]:
    """Return a packet that a decoder may be given.

    ``av.Packet(data)`` refers to the bytes themselves. FFmpeg's decoders read beyond the end of a packet, and demand
    that zeros are there (AV_INPUT_BUFFER_PADDING_SIZE): what happens to be in memory would become part of the picture.

    Nor may a decoder borrow memory of Python: it is given back under the GIL. dav1d gives it back in its own threads,
    and PyAV closes a decoder with the GIL held, so that each would wait for the other for ever.

    Args:
        data: The coded picture.
        key: Whether it is a key frame.
    """
    import av

    packet: av.Packet[Any] = av.Packet(len(data))
    packet.update(data)
    packet.is_keyframe = key  # a PNG that is none adds to the picture before it
    return packet
