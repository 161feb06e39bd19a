"""What one row of the table of formats holds (the table itself is in :mod:`labeling.containers.formats`).

A row names modules and functions as strings, so that the table loads none of them: ``.png`` is relative to the package
in question (:mod:`labeling.containers` or :mod:`labeling.codecs`), ``my_package.png`` is absolute, and ``module:name``
is something in a module. :func:`resolve` imports them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

Signature = tuple[tuple[int, bytes], ...]
"""(offset, bytes) pairs that must all match the first bytes of a file."""


@cache
def resolve(reference: str, package: str | None = None) -> Any:
    """Import what a row names: a module, or ``module:name`` in it; a leading dot is relative to ``package``."""
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module, package)
    return getattr(found, name) if name else found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PictureEncoding:
    """A kind of picture file that pixels in memory can be encoded to. HEIF is one format and has two: HEIC and AVIF."""

    name: str
    """What callers write: ``format="avif"``."""

    aliases: tuple[str, ...] = ()
    """Other names for it."""

    media_type: str

    encoder: str
    """Function in :mod:`labeling.codecs`: (image, quality, lossless) → (bytes, whether samples are kept, words)."""

    modes: tuple[str, ...]
    """Pillow modes that the format holds as they are; pictures of other modes are converted to one of these. RGB is
    among them, so that every picture has a mode to be converted to."""

    keeps_xmp: bool = False
    """The encoder writes an XMP packet exactly where the container would: the file need not be rewritten for it."""

    proof: str = ""
    """Function in :mod:`labeling.containers` that says, with less work than the container's ``read``, whether what the
    encoder has just returned holds a packet and no other place for a label: (file, packet, the file before it was
    signed or ``None``) → bool."""

    title: str = ""
    """For people; by default the name in capitals."""

    extension: str = ""
    """What the name of a new file ends with, without the dot; by default the encoding's name."""

    lossy: bool = False
    """It is encoded at a quality."""

    chooses_lossless: bool = False
    """It has a lossless coding too: what was lossless stays so if no quality is asked for."""

    by_rows: bool = False
    """Its encoder takes a :class:`~labeling.codecs.canvas.Canvas` as well, and need not have the picture whole."""

    chooses_fast: bool = False
    """Its encoder, and the painter of its files, can be ``fast``: in less time, to more bytes."""

    exif_by: Literal["encoder", "container", ""] = "encoder"
    """What writes EXIF: the encoder, or the container's ``rewrite`` (TIFF: the file's own tags); empty for no place."""

    holds_icc: bool = True
    """The format has a place for an ICC profile; without one colours are converted to sRGB."""

    holds_comment: bool = False
    """The encoder writes the comment of a picture."""

    holds_resolution: bool = False
    """The encoder writes the resolution of a picture."""

    colours: int = 0
    """Size of the palette of a frame, of which one colour may be clear; 0 for formats that hold all colours."""

    iim_by: str = ""
    """Function in :mod:`labeling.containers` that puts IPTC-IIM into a new file: (file, datasets) → file."""

    text_by: str = ""
    """Function in :mod:`labeling.containers` that takes over text from a file of the same format: (file, source, its
    blocks) → file."""

    deep_encoder: str = ""
    """Function in :mod:`labeling.codecs` for 16 bits in colour: ((H, W, 3 or 4) uint16, image with what is written
    beside the samples) → bytes."""

    animation: str = ""
    """Function in :mod:`labeling.codecs` that gives Pillow's arguments for an animation: (plays, quality, lossless) →
    arguments; empty where none can be encoded."""

    whole_centiseconds: bool = False
    """Durations of frames are counted in hundredths of a second."""

    holds_loops: bool = True
    """How often an animation is played can be written."""

    @property
    def keeps_orientation(self) -> bool:
        """The format has a place for the EXIF orientation; without one the picture is turned before it is encoded."""
        return bool(self.exif_by)

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name.upper())
        object.__setattr__(self, "extension", self.extension or self.name)
        if "RGB" not in self.modes:
            raise ValueError(f"encoding {self.name!r}: modes need RGB")


class Muxer(NamedTuple):
    """One of FFmpeg's containers that videos are written to. MP4 and MOV are one format and two muxers."""

    name: str
    """libavformat's name."""

    extensions: tuple[str, ...]
    """Extensions that ask for it when a video is written from frames."""

    video_codecs: tuple[str, ...]
    """Codecs that players expect in it."""

    audio_codecs: tuple[str, ...]
    """Audio codecs whose packets it takes and players play; other audio is re-encoded."""

    marker: bytes = b""
    """Bytes at the start of a file that tell it from files of the format's other muxers; one of these has none."""

    audio_encoder: str = "aac"
    """FFmpeg's encoder for audio that has to be re-encoded."""

    stereo: bool = False
    """It takes no more than two channels of what ``audio_encoder`` gives; more are mixed down."""

    fallback_codecs: tuple[str, ...] = ("h264", "hevc")
    """What a whole video is encoded with if its own codec cannot be."""

    has_ffv1: bool = False
    """What is lossless and cannot be encoded in its own codec becomes FFV1."""

    hevc_tag: str = ""
    """The codec tag that players ask for on HEVC."""

    one_time: bool = False
    """A packet has one time, not two (for decoding and for showing): pictures have to be stored in order."""

    keeps_tags: bool = False
    """The codec tag of a copied track is written as it was."""

    has_display_size: bool = False
    """The size of display is stored in pixels, in an element that FFmpeg's muxer does not write (RFC 9559, 11)."""

    has_attachments: bool = False
    """Covers are attachments, which FFmpeg reads as tracks."""

    write_options: tuple[tuple[str, str], ...] = ()
    """Options of the muxer when a video is written from frames."""

    remux_options: tuple[tuple[str, str], ...] = ()
    """Options of the muxer when a file is re-muxed."""

    mend: str = ""
    """Function of :mod:`labeling.containers` for what FFmpeg's muxer does not write as it should when the video gets
    another codec: (source, copy) → edits of the copy."""


class Cost(NamedTuple):
    """Something that a labelled copy of a file of this format cannot hold.

    Args:
        key: The key of an :class:`~labeling.containers.base.Entry`, or how such keys begin, up to a colon; ``*`` in
            it stands for anything.
        what: The thing in words, for the README.
        why: Why it cannot be held: the reason of a :class:`~labeling.losses.Loss`.
    """

    key: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Format:
    """All that is known of one file format. Callers ask its row and never compare its name.

    A row that contradicts itself raises :class:`ValueError` when it is made.
    """

    # --- What it is ---
    name: str
    title: str
    """For people: ``PNG, APNG``."""

    media_types: tuple[str, ...]
    """The first one is the format's own."""

    extensions: tuple[str, ...]
    """In lower case, with the dot."""

    signatures: tuple[Signature, ...] = ()
    """The file is of this format if any one of these matches its first bytes."""

    sniffed: bool = False
    """The format has no signature, or not always: ``looks_like(data)`` of its module decides, after all signatures."""

    # --- Its metadata ---
    module: str
    """Module of :mod:`labeling.containers` with ``read`` and ``rewrite``."""

    inventory: str = ""
    """Function of :mod:`labeling.containers` that lists what a file holds besides the blocks that ``read`` finds:
    (data, contents) → entries."""

    kept: str = ""
    """For the README: what ``inventory`` lists, in words."""

    costs: tuple[Cost, ...] = ()
    """What a labelled copy of a file may lose, and why; also for the README."""

    media: bool = False
    """Video or audio: read in parts, never whole, since such a file may be of any size."""

    carrier: str = ""
    """Where a label is written, for people; empty where the format is only read."""

    no_carrier: str = ""
    """What the README says instead of ``carrier``."""

    label_home: Literal["xmp", "text"] = "xmp"
    """Where a label is stored: a property of the XMP packet (pictures), or a named text (video and audio)."""

    home_prefix: str = ""
    """How ``Block.where`` begins for a text in that home, up to the text's name."""

    has_xmp: bool = True
    """The format has a place for an XMP packet."""

    manifest: Literal["embedded", "beside", "unchecked"] = "embedded"
    """A C2PA manifest is in the file; or beside it, since the format has no place for one (C2PA 2.2, A); or in the file
    and c2pa's reader does not find it."""

    in_pieces: bool = False
    """Its module reads files in pieces (:class:`~labeling.filebytes.Pieces`), so that a copy of a large one
    is not made in memory."""
    makes_room: bool = False
    """Its module has ``make_room(data, length)``, which returns a copy with room for a manifest."""

    # --- Its pictures, decoded and drawn on ---
    plugin: str = ""
    """Pillow's plugin that decodes it: ``PngImagePlugin:PngImageFile``."""

    opener: str = ""
    """Function of :mod:`labeling.codecs` that opens a file, where no one plugin can: (data, max_pixels) → image."""

    coded_check: str = ""
    """Function of :mod:`labeling.codecs` that refuses a file whose data is too short for the size in its header, before
    it is decoded: (data, width, height)."""

    conversion_opener: str = ""
    """Function of :mod:`labeling.codecs` that opens a file to be converted, where the plugin alone does not do:
    (data, orientation, max_pixels) → (image, orientation that is left)."""

    decoder: str = ""
    """Function of :mod:`labeling.codecs` that decodes the first picture as displayed, where Pillow cannot always:
    (data, orientation, max_pixels) → (H, W, 3) RGB, or (H, W, 4) RGBA where something is transparent."""

    banded: str = ""
    """Function of :mod:`labeling.codecs` that decodes that picture in bands of rows, for formats whose decoder would
    need several times its size: (data, orientation, max_pixels) → :class:`labeling.codecs.grounds.Banded`, or ``None``
    where the decoder of the row does."""

    player: str = ""
    """The same for the frames of an animation: (data, orientation, max_pixels) → their number, an iterator, and whether
    the first is a static image apart from the animation."""

    further: str = ""
    """The same for pictures behind the first that are no animation, such as pages: (data, orientation, max_pixels) →
    what one is called, their number with the first, and an iterator over those behind it."""

    ending: str = ""
    """Function of :mod:`labeling.codecs` that adds the marker at the end of a file if nothing else is missing:
    (data, contents, max_pixels) → the whole file, or ``None``."""

    end_marker: str = ""
    """What that marker is called."""

    turns_itself: bool = False
    """Its decoder turns pictures by properties of the format; EXIF's orientation only repeats them."""

    by_libtiff: bool = False
    """Its picture data may be decoded by libtiff, which complains on standard error unless somebody listens."""

    scales_itself: bool = False
    """Its decoder can give a smaller picture at a fraction of the cost (Pillow's ``draft``)."""

    animated: bool = False
    """A picture file that may hold an animation."""

    painter: str = ""
    """Module of :mod:`labeling.codecs` whose ``paint`` draws on a picture file."""

    on_file: str = ""
    """For the README: what becomes of the rest of the picture when a label is drawn on a file (tests/codecs)."""

    encodings: tuple[PictureEncoding, ...] = ()
    """The kinds of file that pixels in memory can be encoded to."""

    # --- Its video and audio ---
    demuxer: str = ""
    """FFmpeg's demuxer: a file is opened with this one and no other, so that no playlist or path is followed."""

    edit: Literal["", "remux", "in place"] = ""
    """How a label is drawn on a video: packets are copied into a new file (remux), or new samples take the places of
    old ones by :mod:`labeling.codecs.video.mp4` (in place; re-muxed where that cannot be done)."""

    muxers: tuple[Muxer, ...] = ()
    """What videos of this format are written with."""

    replacer: str = ""
    """What gives the edits that put new frames of the video into the places of old ones: ``module:name``, relative to
    :mod:`labeling.containers`. It takes the file, its :class:`~labeling.containers.base.OldFrame` in order, the
    :class:`~labeling.containers.base.NewFrame` by number and a decoder configuration or ``None``, and raises
    :class:`~labeling.containers.base.Unfit` for files that have to be re-muxed instead."""

    crop: str = ""
    """What says how many pixels of the coded picture players cut off (:data:`labeling.containers.base.Crop`), likewise;
    empty where the format cannot say that."""

    cue: str = ""
    """Module of :mod:`labeling.codecs` whose ``put`` puts a cue in front of the sound of an audio file."""

    def muxer_of(self, head: bytes) -> Muxer:
        """Choose the muxer for a copy of a file by its first bytes: FFmpeg's demuxer is the same for all of them."""
        plain = next(muxer for muxer in self.muxers if not muxer.marker)
        return next((muxer for muxer in self.muxers if muxer.marker and muxer.marker in head), plain)

    @property
    def drawable(self) -> bool:
        """What the format shows or plays can be decoded here, so that a visible or audible label can be looked for."""
        return bool(self.plugin or self.opener or self.demuxer)

    def __post_init__(self) -> None:
        broken = [message for message, holds in self._contradictions() if holds]
        if broken:
            raise ValueError(f"format {self.name!r}: {'; '.join(broken)}")

    def _contradictions(self) -> tuple[tuple[str, bool], ...]:
        text = self.label_home == "text"
        return (
            ("it needs a media type and an extension", not (self.media_types and self.extensions)),
            ("extensions are lower case with a dot", any(e != e.lower() or e[:1] != "." for e in self.extensions)),
            ("it is recognised by signatures, or sniffed", not (self.signatures or self.sniffed)),
            ("give one of carrier and no_carrier", bool(self.carrier) == bool(self.no_carrier)),
            ("label_home='text' and home_prefix go together", text != bool(self.home_prefix)),
            ("label_home='text' is for video and audio, 'xmp' for pictures", bool(self.carrier) and text != self.media),
            ("label_home='xmp' needs has_xmp", bool(self.carrier) and not text and not self.has_xmp),
            ("plugin and opener exclude each other", bool(self.plugin and self.opener)),
            ("media and demuxer go together", self.media != bool(self.demuxer)),
            ("video and audio have no painter, opener or encodings", self.media and self._has_stills()),
            ("decoder, painter and animated need a plugin or an opener", self._has_stills() and not self.drawable),
            ("ending and end_marker go together", bool(self.ending) != bool(self.end_marker)),
            ("muxers and edit go together", bool(self.muxers) != bool(self.edit)),
            ("muxers are for video and audio", bool(self.muxers) and not self.media),
            ("one muxer has no marker", bool(self.muxers) and [m.marker for m in self.muxers].count(b"") != 1),
            ("inventory and kept go together", bool(self.inventory) != bool(self.kept)),
            ("on_file goes with painter or edit", bool(self.on_file) != bool(self.painter or self.edit)),
        )

    def _has_stills(self) -> bool:
        return bool(
            self.plugin or self.opener or self.decoder or self.player or self.painter or self.encodings or self.animated
        )


class Unread(NamedTuple):
    """A kind of file that is recognised but not read yet: saying so is better than calling its labels absent.

    Attributes:
        title: For people, with an article if it is one thing.
        media_type: Its media type.
        extensions: In lower case, with the dot.
        signatures: The file is of this kind if any one of these matches its first bytes.
        plugin: Pillow's plugin that decodes it, so that it can be converted.
        note: What to know before it is converted.
        looks_like: Tells by the whole file, where there is no signature.
        advice: What to do with it, where that is not to convert a picture.
    """

    title: str
    media_type: str
    extensions: tuple[str, ...]
    signatures: tuple[Signature, ...]
    plugin: str = ""
    note: str = ""
    looks_like: Callable[[Any], bool] | None = None
    advice: str = ""

    @property
    def name(self) -> str:
        """The title without its article."""
        return self.title.removeprefix("an ").removeprefix("a ")

    @property
    def way_out(self) -> str:
        """What to do with such a file; empty if nothing can be advised."""
        if self.advice:
            return self.advice
        if not self.media_type.startswith("image/"):
            return ""
        converted = "convert it to PNG or JPEG first"
        if self.plugin:
            converted += ": aigc-label convert FILE FILE.png"
        return f"{converted}; {self.note}" if self.note else converted
