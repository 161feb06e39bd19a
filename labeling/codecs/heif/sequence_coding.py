"""Decode and encode the samples of a track of an image sequence: as its source was, and again one for each picture.

HEVC is encoded by x265 and AV1 of 4:2:0 by SVT-AV1, with prediction between pictures. Other AV1 of 8 bits goes through
Pillow, which has libaom do the same. Where that takes fewer bits or less chroma than the source has, and where a
sequence promises that pictures do not refer to each other, each picture is encoded on its own.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from labeling.codecs.heif import av1_headers as av1
from labeling.codecs.heif.av1_coding import (
    SPEED,
    encode_av1,
    fits_svt,
    goes_through_rgb,
    quantiser_of,
    rgb_of,
    sampling_name,
)
from labeling.codecs.heif.coding import bypasses, described_frame, hevc_configuration, open_encoder
from labeling.codecs.heif.planes import Colour, Planes, from_frame
from labeling.codecs.packets import packet_of
from labeling.codecs.pixels import decoding, encoding
from labeling.codecs.video import hevc
from labeling.codecs.video.bits import join_nals, split_start_codes
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.sequence import Sequence as Movie
from labeling.errors import LabelingError, UnreadableFile

_WITHOUT = "convert it to MP4, or label it without the visible text (`visible=False`)"
_CRF = 22.0
_COARSEST = 50
_LABEL = 2000
"""Bytes that a label may take."""

_SMALLEST = 64
"""Sides below which SVT-AV1 predicts nothing between pictures."""


class Source(NamedTuple):
    """The samples of a track.

    Attributes:
        kind: Type of the sample description: ``av01``, ``hvc1`` or ``hev1``.
        samples: The samples.
        configuration: The decoder's configuration.
        nclx: The colour that the sample description gives.
        gap: From one key frame to the next, in pictures; 1 if pictures must not refer to each other.
    """

    kind: bytes
    samples: list[bytes]
    configuration: bytes
    nclx: tuple[int, int, int, bool] | None
    gap: int

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return sum(map(len, self.samples))


class Made(NamedTuple):
    """New samples.

    Attributes:
        samples: As many as before.
        syncs: At which of them decoding may start.
        configuration: The new configuration.
        colour: What the pictures say of their colour, if that had to change.
        lossless: Whether they decode to exactly the samples that were given.
        words: How they were encoded.
        grained: Whether film grain that decoders added is in their samples now.
    """

    samples: list[bytes]
    syncs: set[int]
    configuration: bytes
    colour: Colour | None
    lossless: bool
    words: str
    grained: bool = False


Painted = Callable[[], Iterator[Planes]]
"""Decodes and paints all pictures, one after the other; each call begins anew."""


def decoded(source: Source, max_pixels: int) -> Iterator[Planes]:
    """Yield the picture of each sample.

    Raises:
        UnreadableFile: They cannot be decoded, or are not one for each sample.
    """
    import av

    is_av1 = source.kind == b"av01"
    what = "AV1" if is_av1 else "HEVC"
    count = 0
    with decoding(what):
        decoder: Any = av.CodecContext.create("libdav1d" if is_av1 else "hevc", "r")
        decoder.extradata = None if is_av1 else source.configuration
        decoder.options = {"max_pixels": str(max_pixels)}
        # Threads that log an error wait for Python's lock, which is held while a decoder that failed is closed.
        decoder.thread_count = 1
        for number, sample in enumerate([*source.samples, None]):
            if sample is not None and not number and is_av1:
                sample = source.configuration[4:] + sample
            for frame in decoder.decode(None if sample is None else packet_of(sample)):
                if frame.is_corrupt:
                    break
                count += 1
                if count <= len(source.samples):
                    yield from_frame(frame, source.nclx)
    if count != len(source.samples):
        raise UnreadableFile(
            f"{count} pictures of the {len(source.samples)} in the image sequence can be decoded; it is damaged"
        )


def encoded(source: Source, pictures: Painted, first: Planes, quality: int | None) -> Made:
    """Encode all pictures of a track.

    Args:
        source: The track.
        pictures: Its pictures.
        first: One of them.
        quality: 1 to 100; by default that of the source.
    """
    made = _av1(source, pictures, first, quality) if source.kind == b"av01" else _hevc(source, pictures, quality)
    if len(made.samples) != len(source.samples):
        raise LabelingError(
            f"the encoder returned {len(made.samples)} pictures for {len(source.samples)}", hint=_WITHOUT
        )
    return made


def _session(
    name: str, pictures: Iterator[Planes], options: dict[str, str], headers: bool, *, alone: bool = False
) -> tuple[Any, list[Any]]:
    """Encode pictures one after the other; return the encoder and its packets.

    ``alone`` makes each a key frame.
    """
    packets: list[Any] = []
    encoder: Any = None
    with encoding(f"HEIF by {name}", "the painted pictures", hint=_WITHOUT):
        for number, planes in enumerate(pictures):
            if encoder is None:
                encoder = open_encoder(name, planes, options, headers)
            if (planes.width, planes.height, planes.name) != (encoder.width, encoder.height, encoder.pix_fmt):
                raise LabelingError("the pictures of the image sequence differ in size or format", hint=_WITHOUT)
            frame = described_frame(planes)
            frame.pts = number
            if alone:
                frame.pict_type = 1
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
    if [packet.pts for packet in packets] != list(range(len(packets))):
        raise LabelingError(f"{name} changed the order of the pictures", hint="please report this")
    return encoder, packets


# HEVC


def _hevc(source: Source, pictures: Painted, quality: int | None) -> Made:
    _, sets = hevc.read_sets(source.configuration)
    if quality is None and any(bypasses(nal) for nal in sets.get(hevc.PPS, ())):
        return _x265(source, pictures(), None)
    if quality is not None:
        return _x265(source, pictures(), (100 - quality) / 2)._replace(words=f"quality {quality}")
    made = _x265(source, pictures(), _CRF)
    ratio = sum(map(len, made.samples)) / max(1, source.size)
    if 0.9 <= ratio <= 1.15:
        return made
    crf = min(40.0, max(4.0, round(2 * (_CRF + 6 * math.log2(ratio))) / 2))  # six steps halve the bytes
    return _x265(source, pictures(), crf)


def _x265(source: Source, pictures: Iterator[Planes], crf: float | None) -> Made:
    alone = source.gap == 1  # not said by keyint, which would make the profile Main Intra, of the range extensions
    gap = 250 if alone else source.gap
    params = [f"keyint={gap}", f"min-keyint={gap}", "bframes=0", "ref=1", "scenecut=0", "open-gop=0"]
    params += ["info=0", "repeat-headers=0", "log-level=none", "hrd=0"] + (["lossless=1"] if crf is None else [])
    options = {"preset": "fast", "x265-params": ":".join(params), "forced-idr": "1", "a53cc": "0", "udu_sei": "0"}
    if crf is not None:
        options["crf"] = f"{crf:g}"
    encoder, packets = _session("libx265", pictures, options, True, alone=alone)
    samples = [
        join_nals([nal for nal in split_start_codes(bytes(each)) if nal[0] >> 1 & 63 < 32], 4) for each in packets
    ]
    syncs = {number for number, each in enumerate(packets) if each.is_keyframe}
    words = "without loss" if crf is None else f"CRF {crf:g}"
    return Made(samples, syncs, hevc_configuration(encoder), None, crf is None, words)


# AV1


def _av1(source: Source, pictures: Painted, first: Planes, quality: int | None) -> Made:
    sequence, index = quantiser_of(source.configuration[4:] + source.samples[0])
    if quality is not None:
        step, words = round((100 - quality) * 63 / 100), f"quality {quality}"
    elif index is None:
        step, words = 12, "quality 80, since that of the source cannot be read"
    else:
        step, words = min(63, -(-index // 4)), f"quantiser {index} of 255 as in the source's first picture, or finer"
    exact = quality in (None, 100) and step == 0
    words = "without loss" if exact else words
    found = None
    if source.gap > 1 and not exact:
        small = min(first.width, first.height) < _SMALLEST
        if first.subsampling == (1, 1) and first.form.bits <= 10 and not small and fits_svt(first):
            found = _svt(source, pictures, max(1, step), follow=quality is None)
        elif first.form.bits == 8:
            found = _pillow(pictures, max(1, step), words)
    if found is None:
        found = _alone(pictures, step, exact=exact, words=words)
    coded = found.colour or first.coded
    codes = (coded.primaries, coded.transfer, coded.matrix, coded.full)
    samples, header = [], None
    for each in found.samples:
        data, own = _described(each, codes, sequence.position if sequence is not None else 0)
        samples.append(data)
        header = header or own
        if own is not None and header is not None and av1.configuration(own) != av1.configuration(header):
            raise LabelingError("the pictures of the image sequence were not encoded alike", hint=_WITHOUT)
    if header is None:
        raise LabelingError("the AV1 encoder returned no sequence header", hint="please report this")
    grained = sequence is not None and sequence.grain
    return found._replace(samples=samples, configuration=av1.configuration(header), grained=grained)


def _described(sample: bytes, codes: tuple[int, int, int, bool], position: int) -> tuple[bytes, av1.Sequence | None]:
    """Write the colour of the source into a sequence header, if the sample has one."""
    obus = [obu for obu in av1.split(sample) if obu.type not in (av1.TEMPORAL_DELIMITER, av1.PADDING)]
    header = None
    for at, obu in enumerate(obus):
        if obu.type == av1.SEQUENCE:
            body = av1.recoloured(av1.read_sequence(obu.body), codes, position)
            obus[at], header = obu._replace(body=body), av1.read_sequence(body)
    return av1.join(obus), header


def _svt(source: Source, pictures: Painted, step: int, *, follow: bool) -> Made | None:
    """Encode with SVT-AV1 in the order of display; ``None`` if it takes no such pictures.

    Args:
        source: The track.
        pictures: Its pictures.
        step: The quantiser, 0 to 63, of the source's first picture, which is the finest one as a rule.
        follow: Take coarser ones rather than many more bytes than the source has.
    """
    os.environ.setdefault("SVT_LOG", "1")  # errors only: otherwise it writes to standard error
    made = None
    for _ in range(3 if follow else 1):
        options = {
            "preset": str(SPEED), "crf": str(step), "g": str(source.gap), "svtav1-params": "pred-struct=1:scd=0",
        }  # fmt: skip
        try:
            _, packets = _session("libsvtav1", pictures(), options, False)
        except LabelingError:
            return made
        syncs = {number for number, each in enumerate(packets) if each.is_keyframe}
        words = f"quantiser {4 * step} of 255"
        made = Made([bytes(each) for each in packets], syncs, b"", None, False, words)
        ratio = (sum(map(len, made.samples)) - _LABEL) / max(1, source.size)
        if ratio <= 1.2 or step == _COARSEST:
            break
        step = min(_COARSEST, step + max(1, round(8 * math.log2(ratio / 1.1))))
    return made


def _alone(pictures: Painted, step: int, *, exact: bool, words: str) -> Made:
    """Encode each picture on its own."""
    samples: list[bytes] = []
    colour, lossless, said = None, True, words
    for planes in pictures():
        data, colour, own, said = encode_av1(planes, step, exact=exact, size=0, words=words)
        lossless = lossless and own
        samples.append(data)
    return Made(samples, set(range(len(samples))), b"", colour, lossless, f"{said}, each picture on its own")


def _pillow(pictures: Painted, step: int, words: str) -> Made | None:
    """Encode 8-bit pictures by way of RGB; see :func:`labeling.codecs.heif.coding.rgb_of`."""
    changed = any(not goes_through_rgb(planes) for planes in pictures())
    stills: list[Image.Image] = []
    colour, name = None, ""
    for planes in pictures():
        rgb, colour = rgb_of(planes, changed=changed)
        name = "4:0:0" if planes.gray else sampling_name(planes)
        stills.append(Image.fromarray(rgb.astype(np.uint8)))
    out = io.BytesIO()
    options: dict[str, Any] = {"quality": 100 - round(step * 100 / 63), "subsampling": name, "speed": SPEED}
    with encoding("AVIF", "the painted pictures", hint=_WITHOUT):
        stills[0].save(out, "AVIF", save_all=True, append_images=stills[1:], duration=40, range="full", **options)
    data = out.getvalue()
    file = parse(data)
    if file.meta is None or not file.tracks:
        return None
    track = Movie(Pictures(file, file.meta)).tracks[0][1]
    samples = [data[at : at + size] for at, size in zip(track.offsets, track.sizes, strict=True)]
    syncs = set(range(len(samples))) if track.sync is None else set(track.sync)
    return Made(samples, syncs, b"", colour, False, words)
