"""The table of file formats: every fact about a format is in its row here, and nowhere else.

:class:`~labeling.containers.format_row.Format` says what a row holds. To add a format, write its modules and one row;
``tests/test_formats.py`` adds one this way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from labeling.containers import costs
from labeling.containers.base import Buffer
from labeling.containers.format_row import Format, Muxer, PictureEncoding, Signature, Unread, resolve
from labeling.containers.unread_media import MEDIA
from labeling.containers.unread_pictures import PICTURES
from labeling.errors import UnsupportedFormat
from labeling.filebytes import FileBytes, Pieces

_T = TypeVar("_T")

HEAD = 64
"""Number of leading bytes that signatures are matched against."""


def _starts(*heads: bytes, at: int = 0) -> tuple[Signature, ...]:
    return tuple(((at, head),) for head in heads)


def _small(*boxes: bytes) -> tuple[Signature, ...]:
    """Boxes of less than 16 MiB, so that "The free …" in a text is none."""
    return tuple(((0, b"\0"), (4, box)) for box in boxes)


def _riff(*forms: bytes, chunk: bytes = b"RIFF") -> tuple[Signature, ...]:
    return tuple(((0, chunk), (8, form)) for form in forms)


def _brands(*brands: bytes) -> tuple[Signature, ...]:
    return tuple(((4, b"ftyp"), (8, brand)) for brand in brands)


_READ_ONLY = "read, not yet written"
_REPLACED = "the same; all other packets, headers and elements stay"

_PICTURES: tuple[Format, ...] = (
    Format(
        name="jpeg", title="JPEG",
        media_types=("image/jpeg",), extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
        signatures=_starts(b"\xff\xd8\xff"),
        kept="every segment, further pictures (gain maps, MPO) and their index, what follows the end",
        module=".jpeg.metadata", inventory=".inventories.jpeg:inventory", carrier="APP1 XMP segment",
        makes_room=True,
        plugin="JpegImagePlugin:JpegImageFile", coded_check=".coded_size:check_jpeg", scales_itself=True,
        further=".jpeg.further:views",
        ending=".ending:jpeg", end_marker="EOI marker",
        painter=".jpeg.paint", on_file="only the blocks under it change (DCT-level edit)",
        encodings=(
            PictureEncoding(name="jpeg", aliases=("jpg",), media_type="image/jpeg", encoder="._encoders:jpeg",
                     modes=("RGB", "L", "CMYK", "YCbCr"), keeps_xmp=True, proof=".jpeg.metadata:holds_only",
                     extension="jpg", lossy=True,
                     iim_by=".jpeg.iptc:with_iim",
                     holds_comment=True, holds_resolution=True),
        ),
    ),
    Format(
        name="png", title="PNG, APNG",
        media_types=("image/png", "image/apng"), extensions=(".png", ".apng"),
        signatures=_starts(b"\x89PNG\r\n\x1a\n"),
        kept="every chunk, bit depth, alpha, frames and their timing, what follows the end",
        module=".png", inventory=".inventories.png:inventory", carrier="iTXt XML:com.adobe.xmp chunk, before IDAT",
        makes_room=True,
        costs=costs.PNG,
        plugin="PngImagePlugin:PngImageFile", decoder=".png.decode:displayed",
        banded=".png.bands:banded", player=".png.decode:frames",
        ending=".ending:png", end_marker="IEND chunk",
        animated=True,
        in_pieces=True, painter=".png.paint", on_file="lossless: samples, palette, 16 bits and every frame are kept",
        encodings=(
            PictureEncoding(name="png", aliases=("apng",), media_type="image/png", encoder="._encoders:png_file",
                     modes=("RGB", "RGBA", "L", "LA", "I;16"), keeps_xmp=True, holds_resolution=True,
                     by_rows=True, chooses_fast=True, text_by=".png_text:with_text",
                     deep_encoder="._encoders:png_16_bits", animation=".animation:png_arguments"),
        ),
    ),
    Format(
        name="webp", title="WebP",
        media_types=("image/webp",), extensions=(".webp",),
        signatures=_riff(b"WEBP"),
        kept="every chunk, alpha, lossless coding, frames and their timing, what follows the end",
        module=".webp", inventory=".inventories.riff:webp", carrier="XMP chunk and the VP8X flag",
        makes_room=True,
        opener=".opening:open_webp", banded=".webp.displayed:banded", animated=True,
        painter=".webp.paint", on_file="lossless stays lossless; lossy is re-encoded at about the source's quality",
        encodings=(
            PictureEncoding(name="webp", media_type="image/webp", encoder="._encoders:webp", modes=("RGB", "RGBA"),
                     keeps_xmp=True, lossy=True, chooses_lossless=True, animation=".animation:webp_arguments"),
        ),
    ),
    Format(
        name="gif", title="GIF",
        media_types=("image/gif",), extensions=(".gif",),
        signatures=_starts(b"GIF87a", b"GIF89a"),
        kept="every extension, frames and their timing, what follows the end",
        module=".gif", inventory=".inventories.gif:inventory", carrier="application extension XMP DataXMP",
        plugin="GifImagePlugin:GifImageFile", player=".gif.play:frames", animated=True,
        ending=".ending:gif", end_marker="trailer",
        painter=".gif.paint", on_file="lossless outside the label, on every frame",
        encodings=(
            PictureEncoding(name="gif", media_type="image/gif", encoder="._encoders:gif", modes=("RGB", "RGBA"),
                     exif_by="", holds_icc=False, holds_comment=True, colours=256,
                     animation=".animation:gif_arguments", whole_centiseconds=True),
        ),
    ),
    Format(
        name="tiff", title="TIFF", by_libtiff=True,
        media_types=("image/tiff",), extensions=(".tif", ".tiff"),
        signatures=_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        kept="every tag of every directory, pages, thumbnails, colour model, bit depth, extra samples, lossless coding",
        costs=costs.TIFF,
        module=".tiff.metadata", inventory=".inventories.tiff:inventory",
        carrier="IFD0 tag 0x02BC, type 7", makes_room=True, in_pieces=True,
        plugin="TiffImagePlugin:TiffImageFile", decoder=".tiff.displayed:displayed",
        banded=".tiff.displayed:banded", further=".tiff.displayed:further",
        conversion_opener=".tiff.opening:open_for_conversion",
        painter=".tiff.paint", on_file="only the strips or tiles under it change, on every page",
        encodings=(
            PictureEncoding(name="tiff", aliases=("tif",), media_type="image/tiff", encoder="._encoders:tiff",
                     modes=("RGB", "RGBA", "L", "LA", "CMYK", "YCbCr", "LAB", "I;16", "F"), extension="tif",
                     exif_by="container", holds_resolution=True, iim_by=".tiff.metadata:with_iim"),
        ),
    ),
    Format(
        name="heif", title="HEIF, HEIC, AVIF",
        media_types=("image/heic", "image/heif", "image/avif", "image/heic-sequence", "image/heif-sequence"),
        extensions=(".heic", ".heif", ".hif", ".avif", ".avifs"),
        signatures=_brands(
            *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
            *(b"mif1", b"mif2", b"msf1", b"avif", b"avis", b"miaf", b"unif", b"tmap", b"geo1", b"1pic"),
            *(b"avci", b"avcs", b"vvic", b"vvis", b"jpeg", b"jpgs", b"j2ki", b"j2is"),
            *(b"MiHE", b"MiHB", b"MA1A", b"MA1B"),
        ),
        kept="items, properties and groups, colour (nclx, ICC), bit depth, chroma, gain maps, thumbnails, tracks",
        costs=costs.HEIF,
        module=".heif.metadata", inventory=".inventories.heif:inventory", carrier="meta item, mime application/rdf+xml",
        opener=".opening:open_heif", banded=".heif.displayed:banded", turns_itself=True, animated=True,
        painter=".heif.paint", on_file="the picture (of a grid the tiles under the label) re-encoded as the source",
        encodings=(
            PictureEncoding(name="avif", media_type="image/avif", encoder="._encoders:avif", modes=("RGB", "RGBA"),
                     lossy=True, animation=".animation:avif_arguments", holds_loops=False),
            PictureEncoding(name="heif", aliases=("heic",), media_type="image/heic", encoder="._encoders:heif",
                     modes=("RGB", "RGBA"), title="HEIC", extension="heic", lossy=True),
        ),
    ),
    Format(
        name="bmp", title="BMP",
        media_types=("image/bmp",), extensions=(".bmp", ".dib"),
        signatures=_starts(b"BM"),
        module=".bmp", no_carrier="no place exists: refused, PNG offered",
        plugin="BmpImagePlugin:BmpImageFile", coded_check=".coded_size:check_bmp",
    ),
    Format(
        name="jxl", title="JPEG XL",
        media_types=("image/jxl",), extensions=(".jxl",),
        signatures=_starts(b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"),
        module=".jxl", no_carrier=_READ_ONLY, manifest="unchecked",
    ),
)  # fmt: skip

_DOCUMENTS: tuple[Format, ...] = (
    Format(
        name="pdf", title="PDF",
        media_types=("application/pdf",), extensions=(".pdf",),
        signatures=_starts(b"%PDF-"), sniffed=True,
        module=".pdf.metadata", no_carrier=_READ_ONLY,
    ),
    Format(
        name="svg", title="SVG",
        media_types=("image/svg+xml",), extensions=(".svg",), sniffed=True,
        module=".svg", no_carrier=_READ_ONLY,
    ),
    Format(
        name="markdown", title="Markdown",
        media_types=("text/markdown",), extensions=(".md", ".markdown", ".mdx", ".txt"), sniffed=True,
        module=".markdown", no_carrier=_READ_ONLY,
    ),
)  # fmt: skip

_PASS = (("default_mode", "passthrough"), ("avoid_negative_ts", "disabled"), ("write_crc32", "0"))
_FRAGMENTS = (("movflags", "frag_keyframe+empty_moov+default_base_moof+use_metadata_tags"),)
_FASTSTART = (("movflags", "faststart"),)

_VIDEO: tuple[Format, ...] = (
    Format(
        name="mp4", title="MP4, MOV, M4V, M4A", media=True,
        media_types=("video/mp4", "video/quicktime", "audio/mp4", "video/x-m4v", "video/3gpp"),
        extensions=(".mp4", ".mov", ".m4v", ".m4a", ".m4b", ".qt", ".3gp", ".3g2"),
        signatures=_starts(b"ftyp", b"moov", b"mdat", b"pnot", b"styp", at=4) + _small(b"wide", b"free", b"skip"),
        kept="tracks with language, times and edit lists, chapters, covers, colour and HDR, all other boxes",
        costs=costs.MP4,
        module=".mp4.metadata", inventory=".inventories.isobmff:mp4", carrier="moov/udta/meta, keys entry AIGC",
        label_home="text", home_prefix="MP4 moov/udta/meta keys mdta:",
        demuxer="mov", edit="in place", crop=".mp4.samples:crop", cue=".cue.m4a",
        on_file="only the closed groups of pictures under it are re-encoded, in their codec; the rest is bit-exact",
        muxers=(
            Muxer(name="mp4", extensions=(".mp4", ".m4v"),
                  video_codecs=("h264", "hevc", "vp9", "av1"),
                  audio_codecs=("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"),
                  hevc_tag="hvc1", keeps_tags=True, write_options=_FASTSTART, remux_options=_FRAGMENTS),
            Muxer(name="mov", extensions=(".mov",), marker=b"ftypqt  ",
                  video_codecs=("h264", "hevc"),
                  audio_codecs=("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le"),
                  hevc_tag="hvc1", keeps_tags=True, write_options=_FASTSTART, remux_options=_FRAGMENTS),
        ),
    ),
    Format(
        name="matroska", title="Matroska, WebM", media=True,
        media_types=("video/x-matroska", "video/webm", "audio/x-matroska", "audio/webm"),
        extensions=(".mkv", ".webm", ".mka"),
        signatures=_starts(b"\x1aE\xdf\xa3"),
        kept="tracks with flags and languages, chapters, attachments, targets of tags, colour, crop, size of display",
        costs=costs.MATROSKA,
        module=".matroska.metadata", inventory=".inventories.matroska:inventory", carrier="Tags/Tag/SimpleTag AIGC",
        label_home="text", home_prefix="Matroska SimpleTag AIGC", has_xmp=False, manifest="beside",
        demuxer="matroska", edit="remux", on_file=_REPLACED,
        replacer=".matroska.replace:edits", crop=".matroska.tracks:crop",
        muxers=(
            Muxer(name="matroska", extensions=(".mkv",),
                  video_codecs=("h264", "hevc", "vp9", "av1"),
                  audio_codecs=("aac", "mp3", "ac3", "eac3", "opus", "vorbis", "flac", "alac", "pcm_s16le",
                                "pcm_s24le"),
                  audio_encoder="libopus", has_display_size=True, has_attachments=True, has_ffv1=True,
                  remux_options=_PASS, mend=".matroska.picture:edits"),
            Muxer(name="webm", extensions=(".webm",), marker=b"webm",
                  video_codecs=("vp9", "av1"), audio_codecs=("opus", "vorbis"), audio_encoder="libopus",
                  fallback_codecs=("vp9", "av1"), has_display_size=True, remux_options=_PASS,
                  mend=".matroska.picture:edits"),
        ),
    ),
    Format(
        name="avi", title="AVI", media=True,
        media_types=("video/x-msvideo",), extensions=(".avi",),
        signatures=_riff(b"AVI "),
        kept="streams, chunks, the shape of the picture, format of the audio",
        module=".avi", inventory=".inventories.riff:avi", carrier="LIST INFO, chunk AIGC",
        label_home="text", home_prefix="AVI LIST INFO ",
        demuxer="avi", edit="remux", on_file=_REPLACED, replacer=".avi_frames:edits",
        muxers=(
            Muxer(name="avi", extensions=(".avi",),
                  video_codecs=("h264",), audio_codecs=("mp3", "ac3", "pcm_s16le"), audio_encoder="libmp3lame",
                  stereo=True, one_time=True, keeps_tags=True, has_ffv1=True),
        ),
    ),
    Format(
        name="flv", title="FLV", media=True,
        media_types=("video/x-flv",), extensions=(".flv",),
        signatures=_starts(b"FLV\1"),
        kept="properties of onMetaData, script tags, streams",
        module=".flv.metadata", inventory=".inventories.flv:inventory", carrier="onMetaData, property AIGC",
        label_home="text", home_prefix="FLV onMetaData AIGC", has_xmp=False, manifest="beside",
        demuxer="flv", edit="remux", on_file=_REPLACED, replacer=".flv.replace:edits",
        muxers=(
            Muxer(name="flv", extensions=(".flv",),
                  video_codecs=("h264",), audio_codecs=("aac",), stereo=True,
                  remux_options=(("flvflags", "add_keyframe_index"),), mend=".flv.metadata:mended"),
        ),
    ),
)  # fmt: skip

_AUDIO: tuple[Format, ...] = (
    Format(
        name="wav", title="WAV", media=True,
        media_types=("audio/wav",), extensions=(".wav",),
        signatures=tuple(_riff(b"WAVE", chunk=chunk)[0] for chunk in (b"RIFF", b"RF64", b"BW64")),
        kept="the format and all samples, every chunk (bext, cue, iXML …), what follows the end",
        module=".wav", inventory=".inventories.riff:wav", carrier="RIFF chunk AIGC",
        label_home="text", home_prefix="WAV RIFF ",
        demuxer="wav", cue=".cue.pcm",
    ),
    Format(
        name="mp3", title="MP3", media=True,
        media_types=("audio/mpeg",), extensions=(".mp3",),
        signatures=_starts(b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xe3", b"\xff\xe2"),
        sniffed=True,
        kept="all audio, every ID3v2 frame (covers, chapters …), ID3v1, APEv2 and Lyrics3 tags",
        module=".mp3", inventory=".inventories.audio:mp3", carrier="ID3v2 TXXX frame AIGC",
        label_home="text", home_prefix="MP3 ID3v2 TXXX ",
        demuxer="mp3", cue=".cue.mp3",
    ),
    Format(
        name="flac", title="FLAC", media=True,
        media_types=("audio/flac",), extensions=(".flac",),
        signatures=_starts(b"fLaC"),
        kept="pictures, cue sheet, application data, stream information",
        module=".flac", inventory=".inventories.audio:flac", carrier="Vorbis comment AIGC=",
        label_home="text", home_prefix="FLAC Vorbis comment ", has_xmp=False,
        demuxer="flac", cue=".cue.flac",
    ),
    Format(
        name="adts", title="AAC (ADTS)", media=True,
        media_types=("audio/aac",), extensions=(".aac", ".adts"),
        signatures=_starts(b"\xff\xf1", b"\xff\xf9", b"\xff\xf0", b"\xff\xf8"), sniffed=True,
        module=".aac", inventory=".inventories.audio:aac", carrier="ID3v2 TXXX frame AIGC",
        kept="all audio, every ID3v2 frame, tags behind the audio",
        label_home="text", home_prefix="AAC ID3v2 TXXX ", manifest="beside",
        demuxer="aac", cue=".cue.adts",
    ),
    Format(
        name="aiff", title="AIFF, AIFF-C", media=True,
        media_types=("audio/aiff",), extensions=(".aif", ".aiff", ".aifc", ".afc"),
        signatures=_riff(b"AIFF", b"AIFC", chunk=b"FORM"),
        module=".aiff", inventory=".inventories.audio:aiff", carrier="ID3 chunk, TXXX frame AIGC",
        kept="the format and all samples, every chunk and ID3 frame, what follows the end",
        label_home="text", home_prefix="AIFF ID3 TXXX ", manifest="beside",
        demuxer="aiff", cue=".cue.pcm",
    ),
    Format(
        name="ogg", title="OGG, Opus", media=True,
        media_types=("audio/ogg", "video/ogg"), extensions=(".ogg", ".oga", ".ogv", ".opus"),
        signatures=_starts(b"OggS"), sniffed=True,
        kept="every stream and its duration, ID3 tags in front",
        module=".ogg.metadata", inventory=".inventories.audio:ogg", carrier="Vorbis comment AIGC=",
        label_home="text", home_prefix="OGG ", has_xmp=False, manifest="beside",
        demuxer="ogg", cue=".cue.ogg",
    ),
)  # fmt: skip

FORMATS: tuple[Format, ...] = ()
"""The table. Read it as ``formats.FORMATS``: :func:`register` adds to it."""


UNREAD: tuple[Unread, ...] = (
    *MEDIA,
    *PICTURES,
)  # fmt: skip

_signatures: tuple[tuple[Signature, Format], ...] = ()
_by_name: dict[str, Format] = {}  # names, extensions and media types
_encodings: dict[str, PictureEncoding] = {}  # names and aliases
_muxers: dict[str, Muxer] = {}  # names and extensions


def register(*rows: Format) -> None:
    """Add rows to the table: how formats of other packages, and of tests, become known.

    Raises:
        ValueError: The table has a format of that name, or another one claims the same extension, media type or
            encoding.
    """
    _set((*FORMATS, *rows))


def unregister(name: str) -> None:
    """Take the row of that name out of the table again."""
    _set(tuple(row for row in FORMATS if row.name != name))


def _set(rows: tuple[Format, ...]) -> None:
    global FORMATS, _signatures, _by_name, _encodings, _muxers
    by_name = _index(((row.name, *row.extensions, *row.media_types), row) for row in rows)
    encodings = _index(((each.name, *each.aliases), each) for row in rows for each in row.encodings)
    muxers = _index(((each.name, *each.extensions), each) for row in rows for each in row.muxers)
    FORMATS, _by_name, _encodings, _muxers = rows, by_name, encodings, muxers
    _signatures = tuple((signature, row) for row in rows for signature in row.signatures)


def _index(entries: Iterable[tuple[tuple[str, ...], _T]]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for keys, entry in entries:
        for key in keys:
            if found.setdefault(key, entry) is not entry:
                raise ValueError(f"two entries of the table of formats claim {key!r}")
    return found


_set((*_PICTURES, *_DOCUMENTS, *_VIDEO, *_AUDIO))


def container_module(row: Format) -> Any:
    """Import the module that reads and rewrites a format."""
    return resolve(row.module, __package__)


def _matches(signature: Signature, head: bytes) -> bool:
    for at, magic in signature:  # noqa: SIM110 - this runs for every file over many rows: a generator costs thrice
        if not head.startswith(magic, at):
            return False
    return True


def identify(head: Buffer | FileBytes | Pieces) -> Format | None:
    """Say which format a file has, by its content and never by its name.

    Args:
        head: The first :data:`HEAD` bytes of the file, or all of it: formats without a signature are recognised by
            their text, for which the whole file may be needed.
    """
    first = bytes(head[:HEAD])
    for signature, row in _signatures:
        if _matches(signature, first):
            # Of two that match, the longer one knows better: HEIF without a meta box begins like any ISO media file.
            longer = _longer(signature)
            return None if longer and any(_matches(each, first) for each in longer) else row
    if unread(head) is not None:
        return None
    return next((row for row in FORMATS if row.sniffed and container_module(row).looks_like(head)), None)


@cache
def _longer(than: Signature) -> tuple[Signature, ...]:
    """Return the signatures of files that are not read and begin as ``than`` asks for, and say more."""
    count = len(than) - 1
    last_at, last = than[-1]
    return tuple(
        signature
        for kind in UNREAD
        for signature in kind.signatures
        if len(signature) > count and signature[:count] == than[:count] and signature != than
        if signature[count][0] == last_at and signature[count][1].startswith(last)
    )


def unread(head: Buffer | FileBytes | Pieces) -> Unread | None:
    """Say which kind of file that is not read yet ``head`` belongs to, if any."""
    first = bytes(head[:HEAD])
    for row in UNREAD:
        if any(_matches(signature, first) for signature in row.signatures):
            return row
    return next((row for row in UNREAD if row.looks_like is not None and row.looks_like(head)), None)


def is_media(head: Buffer) -> bool:
    """Say whether a file that begins like this is video or audio, which is read in parts and never whole.

    Args:
        head: The first :data:`HEAD` bytes, or all of the file: an MP3 file that begins with bytes of another kind is
            only recognised by all of it.
    """
    row = identify(head)
    if row is not None:
        return row.media
    kind = unread(head)
    return kind is not None and kind.media_type.startswith(("video/", "audio/"))  # large: to be named, not read


def claimed_by(name: str) -> tuple[str, str] | None:
    """Say what a file's name claims by its extension: (format name, or "" for one that is not read; title)."""
    extension = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of every file that is verified
    if extension and (row := _by_name.get(extension)) is not None:
        return row.name, row.title
    return next((("", row.title) for row in UNREAD if extension in row.extensions), None)


def find(name: str) -> Format | None:
    """Look a format up by its name, an extension (with or without its dot) or a media type."""
    wanted = name.lower()
    return _by_name.get(wanted) or _by_name.get(f".{wanted.lstrip('.')}")


def format_named(name: str) -> Format:
    """Look a format up as :func:`find` does.

    Raises:
        UnsupportedFormat: There is none; the message lists those that are known.
    """
    row = find(name)
    if row is None:
        raise UnsupportedFormat(f"there is no format {name!r}; known are {', '.join(row.name for row in FORMATS)}")
    return row


def encoding_named(name: str) -> PictureEncoding:
    """Look up what pixels in memory can be encoded to, by a name of ``Format.encodings`` in any case.

    Raises:
        UnsupportedFormat: There is none; the message lists those that are known.
    """
    encoding = _encodings.get(name.lower())
    if encoding is None:
        known = ", ".join(each.name for row in FORMATS for each in row.encodings)
        raise UnsupportedFormat(f"pictures cannot be coded as {name}; choose one of {known}")
    return encoding


def muxer_named(name: str) -> Muxer:
    """Look up what a video can be written to, by libavformat's name or by an extension, with its dot and in lower case.

    Raises:
        UnsupportedFormat: There is none; the message lists the extensions of those that are known.
    """
    muxer = _muxers.get(name)
    if muxer is None:
        known = ", ".join(each for row in FORMATS for muxer in row.muxers for each in muxer.extensions)
        wanted = name or "a file without an extension"
        raise UnsupportedFormat(f"videos cannot be written as {wanted}", hint=f"choose one of {known}")
    return muxer
