"""Kinds of video and audio files, and archives, that are recognised and not labelled: rows of ``UNREAD``.

To say what a file is, and what to do with it, helps more than to call it unknown.
"""

from __future__ import annotations

from labeling.containers.base import Buffer
from labeling.containers.format_row import Signature, Unread
from labeling.filebytes import FileBytes

_REMUX = "re-mux it to MP4 or Matroska first: `ffmpeg -i FILE -c copy OUT.mp4` (or `OUT.mkv`)"
_REENCODE = "re-encode it to MP4 first: `ffmpeg -i FILE OUT.mp4`"
_REMUX_AUDIO = (
    "re-mux it to MP4 audio first: `ffmpeg -i FILE -c copy OUT.m4a`, or convert it: `ffmpeg -i FILE OUT.flac`"
)
_LOSSLESS = "convert it to FLAC or WAV first: `ffmpeg -i FILE OUT.flac`"
_RENDER = "it holds notes and no sound: play it into an audio file and label that"
_OPEN = "label the pictures, video and audio in it one by one"

_SYNC = 0x47
_PACKETS = ((0, 188), (4, 192), (0, 204))  # (offset, length): plain, with time stamps (M2TS), with Reed-Solomon codes


def _starts(*heads: bytes, at: int = 0) -> tuple[Signature, ...]:
    return tuple(((at, head),) for head in heads)


def _riff(form: bytes) -> tuple[Signature, ...]:
    return (((0, b"RIFF"), (8, form)),)


def looks_like_transport_stream(data: Buffer | FileBytes) -> bool:
    """Say whether packets with their sync byte follow each other (ISO/IEC 13818-1, 2.4.3.2)."""
    head = bytes(data[:1024])
    return any(len(head) > at + 3 * size and all(byte == _SYNC for byte in head[at::size]) for at, size in _PACKETS)


def looks_like_ac3(data: Buffer | FileBytes) -> bool:
    """Say whether a sync frame of AC-3 or E-AC-3 begins the file (ETSI TS 102 366, 4.4.1 and E.1.2)."""
    head = bytes(data[:6])
    if len(head) < 6 or head[:2] != b"\x0b\x77":
        return False
    version = head[5] >> 3
    return 11 <= version <= 16 or (version <= 10 and head[4] >> 6 < 3 and head[4] & 0x3F < 38)


_PAT, _SDT = b"G@\0\x10", b"G@\x11\x10"  # packets that most streams begin with: PID 0 and 0x11, a section begins
_ZIP = (0, b"PK\3\4")

MEDIA: tuple[Unread, ...] = (
    Unread("an MPEG transport stream", "video/mp2t", (".ts", ".m2ts", ".mts", ".m2t"),
           (*_starts(_PAT, _SDT), *_starts(_PAT, _SDT, at=4)), looks_like=looks_like_transport_stream, advice=_REMUX),
    Unread("an MPEG program stream", "video/mpeg", (".mpg", ".mpeg", ".vob", ".m2p"), _starts(b"\0\0\1\xba"),
           advice=_REMUX),
    Unread("raw MPEG video", "video/mpeg", (".m1v", ".m2v", ".mpv"), _starts(b"\0\0\1\xb3"), advice=_REMUX),
    Unread("raw H.264 video", "video/h264", (".h264", ".264", ".avc"),
           _starts(b"\0\0\0\1\x67", b"\0\0\0\1\x27", b"\0\0\0\1\x09", b"\0\0\1\x67", b"\0\0\1\x09"),
           advice=_REMUX),
    Unread("raw HEVC video", "video/h265", (".h265", ".265", ".hevc"),
           _starts(b"\0\0\0\1\x40\1", b"\0\0\0\1\x42\1", b"\0\0\0\1\x46\1", b"\0\0\1\x40\1"), advice=_REMUX),
    Unread("raw VP8, VP9 or AV1 video (IVF)", "video/x-ivf", (".ivf",), _starts(b"DKIF"), advice=_REMUX),
    Unread("uncompressed video (YUV4MPEG2)", "video/x-yuv4mpeg", (".y4m",), _starts(b"YUV4MPEG2"), advice=_REENCODE),
    Unread("Windows Media (ASF, WMV, WMA)", "video/x-ms-asf", (".asf", ".wmv", ".wma"),
           _starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
           advice="convert it first: video with `ffmpeg -i FILE OUT.mp4`, audio with `ffmpeg -i FILE OUT.flac`"),
    Unread("RealMedia", "application/vnd.rn-realmedia", (".rm", ".rmvb"), _starts(b".RMF"), advice=_REENCODE),
    Unread("RealAudio", "audio/x-realaudio", (".ra",), _starts(b".ra\xfd"), advice=_LOSSLESS),
    Unread("an MXF file", "application/mxf", (".mxf",),
           _starts(b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02"), advice=_REMUX),
    Unread("DV video", "video/dv", (".dv", ".dif"), _starts(b"\x1f\7\0"), advice=_REENCODE),
    Unread("a NUT file", "video/x-nut", (".nut",), _starts(b"nut/multimedia container\0"), advice=_REMUX),
    Unread("a Flash movie (SWF)", "application/vnd.adobe.flash.movie", (".swf",), _starts(b"FWS", b"CWS", b"ZWS"),
           advice="record what it shows as a video, and label that"),
    Unread("Motion JPEG 2000 video", "video/mj2", (".mj2", ".mjp2"),
           (((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (20, b"mjp2")),), advice=_REENCODE),
    Unread("a Canon camera raw file (CR3)", "image/x-canon-cr3", (".cr3",), (((4, b"ftyp"), (8, b"crx ")),)),
    Unread("Apple Core Audio (CAF)", "audio/x-caf", (".caf",), _starts(b"caff"), advice=_REMUX_AUDIO),
    Unread("AMR audio", "audio/amr", (".amr", ".awb"), _starts(b"#!AMR"), advice=_LOSSLESS),
    Unread("AC-3 audio", "audio/ac3", (".ac3", ".eac3", ".ec3"), (), looks_like=looks_like_ac3, advice=_REMUX_AUDIO),
    Unread("DTS audio", "audio/vnd.dts", (".dts",), _starts(b"\x7f\xfe\x80\1", b"DTSHDHDR"), advice=_LOSSLESS),
    Unread("DSD audio (DSF)", "audio/x-dsf", (".dsf",), _starts(b"DSD \x1c\0\0\0"), advice=_LOSSLESS),
    Unread("DSD audio (DSDIFF)", "audio/x-dff", (".dff",), _starts(b"FRM8"), advice=_LOSSLESS),
    Unread("Monkey's Audio (APE)", "audio/x-ape", (".ape",), _starts(b"MAC "), advice=_LOSSLESS),
    Unread("WavPack audio", "audio/x-wavpack", (".wv",), _starts(b"wvpk"), advice=_LOSSLESS),
    Unread("True Audio (TTA)", "audio/x-tta", (".tta",), _starts(b"TTA1", b"TTA2"), advice=_LOSSLESS),
    Unread("TAK audio", "audio/x-tak", (".tak",), _starts(b"tBaK"), advice=_LOSSLESS),
    Unread("Musepack audio", "audio/x-musepack", (".mpc",), _starts(b"MPCK", b"MP+"), advice=_LOSSLESS),
    Unread("Sun audio (AU)", "audio/basic", (".au", ".snd"), _starts(b".snd"), advice=_LOSSLESS),
    Unread("Creative Voice (VOC)", "audio/x-voc", (".voc",), _starts(b"Creative Voice File"), advice=_LOSSLESS),
    Unread("Wave64 audio (W64)", "audio/x-w64", (".w64",), _starts(b"riff\x2e\x91\xcf\x11"),
           advice="convert it to WAV first, which can be as large: `ffmpeg -i FILE -c copy -rf64 auto OUT.wav`"),
    Unread("a MIDI file", "audio/midi", (".mid", ".midi", ".kar", ".rmi"), (*_starts(b"MThd\0\0\0"), *_riff(b"RMID")),
           advice=_RENDER),
    Unread("a tracker module", "audio/x-mod", (".xm", ".it", ".s3m", ".mod"),
           (*_starts(b"Extended Module:", b"IMPM"), *_starts(b"SCRM", at=44)), advice=_RENDER),
    Unread("an EPUB book", "application/epub+zip", (".epub",), ((_ZIP, (30, b"mimetypeapplication/epub+zip")),),
           advice=_OPEN),
    Unread("an OpenDocument file", "application/vnd.oasis.opendocument", (".odt", ".ods", ".odp", ".odg"),
           ((_ZIP, (30, b"mimetypeapplication/vnd.oasis")),), advice=_OPEN),
    Unread("an Office document (DOCX, PPTX, XLSX)", "application/vnd.openxmlformats-officedocument",
           (".docx", ".pptx", ".xlsx", ".docm", ".pptm", ".xlsm"),
           tuple((_ZIP, (30, name)) for name in (b"[Content_Types].xml", b"_rels/.rels", b"docProps/", b"word/",
                                                b"ppt/", b"xl/")), advice=_OPEN),
    Unread("a ZIP archive", "application/zip", (".zip",), _starts(b"PK\3\4", b"PK\5\6"), advice=_OPEN),
    Unread("an old Office document (DOC, PPT, XLS)", "application/x-ole-storage", (".doc", ".ppt", ".xls"),
           _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), advice=_OPEN),
)  # fmt: skip
