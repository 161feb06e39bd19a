"""Kinds of picture files that are recognised and not labelled: rows of ``UNREAD`` in the table of formats.

To say what a file is, and what to do with it, helps more than to call it unknown, or damaged.
"""

from __future__ import annotations

import re
from itertools import product

from labeling.containers.base import Buffer
from labeling.containers.format_row import Signature, Unread
from labeling.filebytes import FileBytes


def _starts(*heads: bytes, at: int = 0) -> tuple[Signature, ...]:
    return tuple(((at, head),) for head in heads)


_TARGA = (
    *(
        ((1, b"\0" + bytes((kind,)) + bytes(5)), (16, bytes((depth,))))
        for kind, depth in product((2, 3, 10, 11), (8, 15, 16, 24, 32))
    ),
    *(((1, b"\1" + bytes((kind,)) + b"\0\0"), (7, bytes((depth,)))) for kind, depth in product((1, 9), (24, 32))),
)
_PCX = tuple(
    ((0, b"\x0a" + bytes((version,)) + b"\1" + bytes((bits,))),)
    for version, bits in product((0, 2, 3, 4, 5), (1, 2, 4, 8))
)
_NETPBM = re.compile(rb"P(?:[1-6](?:\s|#[^\n]*\n)+\d+\s+\d+|[fF]\s+\d+\s+\d+|7\s+(?:#[^\n]*\n|\w+ \w+\n){0,8}ENDHDR)")


def looks_like_netpbm(data: Buffer | FileBytes) -> bool:
    """Say whether a file has the header of a Netpbm picture: its signature alone may begin any text."""
    return _NETPBM.match(bytes(data[:512])) is not None


def looks_like_wbmp(data: Buffer | FileBytes) -> bool:
    """Say whether a whole file is a WBMP picture of type 0: it has no signature, but its size gives its length."""
    head = bytes(data[:12])
    if head[:2] != b"\0\0":
        return False
    at, sides = 2, []
    for _ in range(2):
        value = 0
        while at < len(head):
            value = value << 7 | head[at] & 0x7F
            at += 1
            if not head[at - 1] & 0x80:
                break
        sides.append(value)
    width, height = sides
    return width > 0 and height > 0 and len(data) == at + (width + 7) // 8 * height


PICTURES: tuple[Unread, ...] = (
    Unread("HEIF with a minimized header (mini box)", "image/heif", (".hmg",), (((4, b"ftyp"), (8, b"mif3")),)),
    Unread("Olympus camera raw (ORF)", "image/x-olympus-orf", (".orf",), _starts(b"IIRO", b"IIRS", b"MMOR")),
    Unread("Panasonic camera raw (RW2)", "image/x-panasonic-rw2", (".rw2", ".rwl"), _starts(b"IIU\0")),
    Unread("Fujifilm camera raw (RAF)", "image/x-fuji-raf", (".raf",), _starts(b"FUJIFILMCCD-RAW")),
    Unread("Canon camera raw (CRW)", "image/x-canon-crw", (".crw",), _starts(b"HEAPCCDR", at=6)),
    Unread("Sigma camera raw (X3F)", "image/x-sigma-x3f", (".x3f",), _starts(b"FOVb")),
    Unread("Minolta camera raw (MRW)", "image/x-minolta-mrw", (".mrw",), _starts(b"\0MRM")),
    Unread("a Photoshop document (PSD)", "image/vnd.adobe.photoshop", (".psd",), _starts(b"8BPS\0\1"),
           plugin="PsdImagePlugin:PsdImageFile", note="its layers are not kept then"),
    Unread("a large Photoshop document (PSB)", "image/vnd.adobe.photoshop", (".psb",), _starts(b"8BPS\0\2")),
    Unread("an OpenEXR picture", "image/x-exr", (".exr",), _starts(b"\x76\x2f\x31\1"),
           note="its range of brightness has to be mapped to that of a screen"),
    Unread("a Radiance HDR picture", "image/vnd.radiance", (".hdr", ".rgbe"), _starts(b"#?RADIANCE", b"#?RGBE"),
           note="its range of brightness has to be mapped to that of a screen"),
    Unread("a JPEG 2000 picture", "image/jp2", (".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
           _starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), plugin="Jpeg2KImagePlugin:Jpeg2KImageFile"),
    Unread("an icon (ICO)", "image/vnd.microsoft.icon", (".ico",), _starts(b"\0\0\1\0"),
           plugin="IcoImagePlugin:IcoImageFile", note="only one of its sizes is kept then"),
    Unread("an Apple icon (ICNS)", "image/x-icns", (".icns",), _starts(b"icns\0"),
           plugin="IcnsImagePlugin:IcnsImageFile", note="only one of its sizes is kept then"),
    Unread("a QOI picture", "image/qoi", (".qoi",), _starts(b"qoif\0"), plugin="QoiImagePlugin:QoiImageFile"),
    Unread("a Netpbm picture (PBM, PGM, PPM, PAM, PFM)", "image/x-portable-anymap",
           (".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"), (), looks_like=looks_like_netpbm,
           plugin="PpmImagePlugin:PpmImageFile"),
    Unread("a DirectDraw surface (DDS)", "image/vnd.ms-dds", (".dds",), _starts(b"DDS |\0\0\0"),
           plugin="DdsImagePlugin:DdsImageFile"),
    Unread("a Targa picture (TGA)", "image/x-tga", (".tga", ".vda", ".icb", ".vst"), _TARGA,
           plugin="TgaImagePlugin:TgaImageFile"),
    Unread("a mouse pointer (CUR)", "image/x-icon", (".cur",), _starts(b"\0\0\2\0"),
           plugin="CurImagePlugin:CurImageFile"),
    Unread("a PCX picture", "image/vnd.zbrush.pcx", (".pcx",), _PCX, plugin="PcxImagePlugin:PcxImageFile"),
    Unread("a WBMP picture", "image/vnd.wap.wbmp", (".wbmp",), (), looks_like=looks_like_wbmp),
    Unread("a Sun raster picture", "image/x-sun-raster", (".ras", ".sun"), _starts(b"\x59\xa6\x6a\x95"),
           plugin="SunImagePlugin:SunImageFile"),
    Unread("an SGI picture", "image/x-sgi", (".sgi", ".rgb", ".rgba", ".bw"), _starts(b"\1\xda\0\1", b"\1\xda\1\1"),
           plugin="SgiImagePlugin:SgiImageFile"),
    Unread("a FITS picture", "image/fits", (".fits", ".fit", ".fts"), _starts(b"SIMPLE  ="),
           plugin="FitsImagePlugin:FitsImageFile"),
    Unread("a GIMP picture (XCF)", "image/x-xcf", (".xcf",), _starts(b"gimp xcf ")),
    Unread("a DjVu document", "image/vnd.djvu", (".djvu", ".djv"), _starts(b"AT&TFORM")),
    Unread("a JPEG XR picture", "image/jxr", (".jxr", ".wdp", ".hdp"), _starts(b"II\xbc\1")),
    Unread("a JPEG-LS picture", "image/jls", (".jls",), _starts(b"\xff\xd8\xff\xf7")),
    Unread("a BPG picture", "image/bpg", (".bpg",), _starts(b"BPG\xfb")),
    Unread("a DPX picture", "image/x-dpx", (".dpx",), _starts(b"SDPX\0\0", b"XPDS")),
    Unread("a Cineon picture", "image/x-cineon", (".cin",), _starts(b"\x80\x2a\x5f\xd7")),
    Unread("a MNG animation", "video/x-mng", (".mng",), _starts(b"\x8aMNG\r\n\x1a\n")),
    Unread("a JNG picture", "image/x-jng", (".jng",), _starts(b"\x8bJNG\r\n\x1a\n")),
    Unread("a KTX texture", "image/ktx", (".ktx", ".ktx2"), _starts(b"\xabKTX ")),
    Unread("a PostScript file", "application/postscript", (".ps", ".eps"), _starts(b"%!PS", b"\xc5\xd0\xd3\xc6")),
    Unread("a Windows metafile", "image/wmf", (".wmf", ".emf"),
           (*_starts(b"\xd7\xcd\xc6\x9a"), ((0, b"\1\0\0\0"), (40, b" EMF")))),
    Unread("an XPM picture", "image/x-xpixmap", (".xpm",), _starts(b"/* XPM */"),
           plugin="XpmImagePlugin:XpmImageFile"),
)  # fmt: skip
