"""New sound, encoded like the file's own."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue.base import CannotPut
from labeling.gates import gate

LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def encoded(
    codec: str,
    samples: NDArray[np.float32],
    rate: int,
    *,
    layout: str = "",
    bit_rate: int = 0,
    options: Mapping[str, str] | None = None,
) -> tuple[list[bytes], bytes]:
    """Encode samples with one of FFmpeg's encoders.

    Args:
        codec: The encoder's name.
        samples: (n, channels) float32, -1 to 1.
        rate: Samples per second.
        layout: The channels; by default what is usual for their number.
        bit_rate: Bits per second; 0 is the encoder's own.
        options: The encoder's options.

    Returns:
        The packets, and the codec's configuration.

    Raises:
        CannotPut: The encoder is not there, or cannot encode at this rate and with so many channels.
    """
    import av

    def broken(why: str) -> CannotPut:
        return CannotPut(f"sound like this cannot be encoded here ({codec}: {why})")

    channels = samples.shape[1]
    with gate("encode the audible label", broken):
        context: Any = av.CodecContext.create(codec, "w")
        rates = context.codec.audio_rates
        if rates and rate not in rates:
            raise broken(f"{rate} samples per second are not among its rates")
        formats = [each.name for each in context.codec.audio_formats or ()]
        context.format = next((name for name in ("fltp", "flt", "s16") if name in formats), formats[0])
        context.sample_rate, context.layout = rate, layout or LAYOUTS.get(channels, "mono")
        context.time_base = Fraction(1, rate)
        if bit_rate:
            context.bit_rate = bit_rate
        context.options = dict(options or {})
        context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(context.format.name, context.layout.name, rate, context.frame_size or None)
        packets: list[bytes] = []
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            packets += [bytes(packet) for packet in context.encode(piece)]
        packets += [bytes(packet) for packet in context.encode(None)]
        return [packet for packet in packets if packet], bytes(context.extradata or b"")
