"""New packets of AAC (ISO/IEC 14496-3) with the configuration of the file's own."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np

from labeling.codecs.cue.base import CannotPut, CueOf, with_pause
from labeling.codecs.cue.encoder import LAYOUTS, encoded
from labeling.containers import Media
from labeling.filebytes import FileBytes
from labeling.gates import gate

FRAME = 1024
"""Samples of a packet of AAC-LC."""

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)

_LC = 2
_SYNC_EXTENSION, _SBR = 0x2B7, 5
_SILENT = 2
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}
_LEAST, _MOST = 24_000, 160_000  # bits per second and channel


class Config(NamedTuple):
    """An AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2), as far as it is of interest here."""

    rate: int
    channels: int


def config_of(raw: bytes) -> Config:
    """Read an AudioSpecificConfig.

    Raises:
        CannotPut: It is not plain AAC-LC with frames of 1024 samples.
    """
    bits = f"{int.from_bytes(raw[:16], 'big'):0{8 * len(raw[:16])}b}"
    kind, at = int(bits[:5] or "0", 2), 5
    index, at = int(bits[at : at + 4] or "0", 2), at + 4
    if index == 15:
        rate, at = int(bits[at : at + 24] or "0", 2), at + 24
    else:
        rate = RATES[index] if index < len(RATES) else 0
    channels, at = int(bits[at : at + 4] or "0", 2), at + 4
    if kind != _LC:
        raise CannotPut(f"it is MPEG-4 audio of type {kind}, and only AAC-LC (2) can be encoded here")
    if bits[at : at + 3] != "000":
        raise CannotPut("its AAC frames are not of 1024 samples")
    at += 3
    if int(bits[at : at + 11] or "0", 2) == _SYNC_EXTENSION and bits[at + 16 : at + 17] == "1":
        raise CannotPut("it is HE-AAC, and only AAC-LC can be encoded here")
    return checked(rate, channels)


def checked(rate: int, channels: int) -> Config:
    """Return a configuration. Raises :class:`CannotPut` for channels that are not named by a number."""
    if rate not in RATES or channels not in _CHANNELS:
        raise CannotPut(f"AAC of {channels or 'other'} channels, {rate} samples per second, cannot be encoded here")
    return Config(rate, channels)


def refuse_spectral_band_replication(data: Media, demuxer: str, config: Config) -> None:
    """Raise :class:`CannotPut` if the sound is HE-AAC that does not say so before it is decoded (14496-3, 4.6.18)."""
    import av

    def broken(why: str) -> CannotPut:
        return CannotPut(f"its sound cannot be decoded ({why})")

    stream: Any = data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)
    with gate("decode the sound", broken), av.open(stream, format=demuxer) as container:
        track = container.streams.audio[0]
        for frame in container.decode(track):
            if frame.sample_rate != config.rate:
                raise CannotPut("it is HE-AAC, and only AAC-LC can be encoded here")
            return


def packets(cue_of: CueOf, config: Config, bit_rate: int, *, behind: bool) -> list[bytes]:
    """Encode a cue, with silence towards the content, so that nothing of it overlaps with that.

    Args:
        cue_of: Makes the cue.
        config: The configuration of the content.
        bit_rate: Bits per second of the content.
        behind: Whether the cue comes behind the content.
    """
    cue = with_pause(cue_of, config.rate, config.channels, behind=behind)
    wanted = -(-len(cue) // FRAME)
    silence = np.zeros((8 * FRAME, config.channels), np.float32)
    bit_rate = min(max(bit_rate, _LEAST * config.channels), _MOST * config.channels, 6 * config.rate * config.channels)
    # Noise substitution would move the decoder's random numbers, by which the content's own noise is made.
    made, own = encoded(
        "aac", np.concatenate([cue, silence]), config.rate, layout=LAYOUTS[config.channels], bit_rate=bit_rate,
        options={"aac_pns": "0"},
    )  # fmt: skip
    if own and config_of(own) != config:
        raise CannotPut("the encoder here does not give AAC like its own")
    if behind:
        return made[: wanted + 2]
    quiet = _silent(config.channels)
    return made[: wanted - _SILENT] + ([quiet] * _SILENT if quiet else made[wanted - _SILENT : wanted])


def _silent(channels: int) -> bytes:
    """Return a packet without any spectral line and with the sine window, as a decoder begins (14496-3, 4.4.2)."""
    window = "0" + "00" + "0" + "000000" + "0"  # reserved, only long blocks, sine, no bands, no prediction
    channel = "00000000" + "{}" + "000"  # gain; no pulses, no noise shaping, no gain control
    if channels == 1:
        bits = "000" + "0000" + channel.format(window)
    elif channels == 2:
        bits = "001" + "0000" + "1" + window + "00" + 2 * channel.format("")
    else:
        return b""
    bits += "111"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
