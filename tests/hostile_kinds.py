"""More of the files of :mod:`tests.hostile_files`: sound ones, with as much of one thing as fits in.

A reader does not stop early at these: what there is so much of is where it belongs, in a file that is right otherwise.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from .hostile_files import box, chunk, filled, full_box, made, packet, picture, png_with, riff, syncsafe

TIFF_TAGS = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0),
             (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]  # fmt: skip


# --- JUMBF and CBOR (C2PA) --------------------------------------------------------------------------------------------


def _jumb(*parts: bytes, label: bytes = b"c2pa") -> bytes:
    described = box(b"jumd", b"c2pa" + bytes.fromhex("00110010800000aa00389b71"), b"\3", label + b"\0")
    return box(b"jumb", described, *parts)


@made
def jumbf_depth() -> bytes:
    inside = b""
    for _ in range(3000):
        inside = _jumb(inside)
    return png_with(b"caBX", inside)


@made
def jumbf_boxes() -> bytes:
    return png_with(b"caBX", _jumb(_jumb(label=b"a") * 100_000))


@made
def jumbf_empty_boxes() -> bytes:
    return png_with(b"caBX", _jumb(box(b"free") * 1_000_000))


def _claim(cbor: bytes) -> bytes:
    claim = _jumb(box(b"cbor", cbor), label=b"c2pa.claim")
    return png_with(b"caBX", _jumb(_jumb(claim, label=b"urn:c2pa:a")))


@made
def cbor_depth() -> bytes:
    return _claim(b"\x81" * 1_000_000 + b"\0")


@made
def cbor_maps() -> bytes:
    return _claim(b"\xba" + struct.pack(">I", 500_000) + b"".join(b"\x66%06d\0" % n for n in range(500_000)))


@made
def cbor_count_that_is_not_there() -> bytes:
    return _claim(b"\x9b" + b"\xff" * 8 + b"\0" * 1000)


# --- PNG, JPEG, TIFF, EXIF --------------------------------------------------------------------------------------------


@made
def apng_frames() -> bytes:
    plain = picture("PNG")
    parts = [plain[:33], chunk(b"acTL", struct.pack(">II", 60_000, 0))]
    pixel, number = zlib.compress(b"\0\x5a\x8c\x3c"), 0
    for frame in range(60_000):
        size = (64, 48) if not frame else (1, 1)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *size, 0, 0, 1, 10, 0, 0)))
        number += 1
        if not frame:
            parts.append(plain[33:-12])
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + pixel))
            number += 1
    return b"".join(parts) + plain[-12:]


@made
def jpeg_icc_parts() -> bytes:
    plain = picture("JPEG")
    body = b"ICC_PROFILE\0" + bytes((1, 255)) + bytes(600)
    return plain[:2] + (b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body) * 16_000 + plain[2:]


@made
def jpeg_views() -> bytes:
    plain, count = picture("JPEG"), 4000
    entries = b"".join(struct.pack("<IIIHH", 0, len(plain), 0, 0, 0) for _ in range(count))
    index = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0xB002, 7, len(entries), 26) + bytes(4)
    body = b"MPF\0" + index + entries
    return plain[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + plain[2:] + plain * 12_000


def _exif(tags: list[tuple[int, int, int, int]]) -> bytes:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)


@made
def exif_tags() -> bytes:
    return png_with(b"eXIf", _exif([(1000 + n, 3, 1, n) for n in range(60_000)]))


@made
def exif_tags_of_one_place() -> bytes:
    tags = [(1000 + n, 2, 400_000, 8) for n in range(30_000)]
    return png_with(b"eXIf", _exif(tags) + bytes(400_000))


@made
def exif_directories() -> bytes:
    count = 400_000
    head = struct.pack("<2sHI", b"II", 42, 8)
    one = 2 + 12 + 4
    chain = (struct.pack("<HHHIII", 1, 271, 2, 1, 0, 8 + (n + 1) * one) for n in range(count))
    return png_with(b"eXIf", head + b"".join(chain) + bytes(6))


def _pages(count: int) -> Iterator[bytes]:
    one = 2 + 12 * len(TIFF_TAGS) + 4 + 64
    for n in range(count):
        start = 8 + n * one
        tags = [(*each[:3], start + one - 64 if each[0] == 273 else each[3]) for each in TIFF_TAGS]
        fields = b"".join(struct.pack("<HHHH" if kind == 3 else "<HHI", tag, kind, *((1, 0) if kind == 3 else (1,)))
                          + struct.pack("<I", value) for tag, kind, _, value in tags)  # fmt: skip
        yield struct.pack("<H", len(tags)) + fields + struct.pack("<I", start + one if n + 1 < count else 0) + bytes(64)


@made
def tiff_sound_pages() -> bytes:
    return struct.pack("<2sHI", b"II", 42, 8) + b"".join(_pages(50_000))


@made
def tiff_sound_subdirectories() -> bytes:
    count = 300_000
    at = 8 + 2 + 12 * (len(TIFF_TAGS) + 1) + 4
    sub = at + 64
    tags = [*((*each[:3], at if each[0] == 273 else each[3]) for each in TIFF_TAGS), (330, 4, count, sub)]
    first = sub + 4 * count
    places = struct.pack(f"<{count}I", *range(first, first + 18 * count, 18))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return head + bytes(4) + bytes(64) + places + (struct.pack("<HHHII", 1, 256, 4, 1, 1) + bytes(4)) * count


@made
def tiff_iptc_datasets() -> bytes:
    sets = b"\x1c\x02\x19\0\1a" * 500_000
    at = 8 + 2 + 12 * (len(TIFF_TAGS) + 1) + 4
    tags = [*((*each[:3], at if each[0] == 273 else each[3]) for each in TIFF_TAGS), (33723, 7, len(sets), at + 64)]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return head + bytes(4) + bytes(64) + sets


@made
def bmp_run_lengths() -> bytes:
    # BITMAPINFOHEADER: RLE8, whose every second pair of bytes ends a row.
    head = struct.pack("<IiiHHIIIIII", 40, 4000, 4000, 1, 8, 1, 0, 0, 0, 256, 0)
    body = b"\0\0" * 4_000_000
    start = 14 + len(head) + 1024
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + bytes(1024) + body


@made
def netpbm_comments() -> bytes:
    return filled(b"P5\n", b"#\n", b"1 1\n255\n\0")


@made
def netpbm_blanks() -> bytes:
    return filled(b"P7\n", b"# a\n" * 8 + b"A B\n", b"ENDHDR\n")


# --- XMP, SVG, PDF, Markdown ------------------------------------------------------------------------------------------


@made
def xmp_namespaces() -> bytes:
    many = b"".join(b" xmlns:n%d='urn:%d' n%d:a='1'" % (n, n, n) for n in range(90_000))
    rdf = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    return packet(rdf + b"<rdf:Description" + many + b"/></rdf:RDF></x:xmpmeta>")


@made
def xmp_equal_signs() -> bytes:
    rdf = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    return packet(
        rdf + b"<rdf:Description xmlns:a='urn:a' a:b='" + b"c= &quot;" * 400_000 + b"'/></rdf:RDF></x:xmpmeta>"
    )


@made
def svg_depth() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 1_000_000 + b"</g>" * 1_000_000 + b"</svg>"


@made
def svg_attributes() -> bytes:
    many = b"".join(b' a%d=""' % n for n in range(500_000))
    return b'<svg xmlns="http://www.w3.org/2000/svg"' + many + b"/>"


@made
def svg_width_of_blanks() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg" width="1' + b" " * 5_000_000 + b'!"/>'


def _pdf(*more: bytes, streams: bool = False) -> bytes:
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
              b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>", *more]  # fmt: skip
    parts, places, at = [b"%PDF-1.7\n"], [], 9
    for number, body in enumerate(bodies, 1):
        places.append(at)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        at += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    return (
        b"".join(parts)
        + head
        + table
        + b"trailer <</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, at)
    )


@made
def pdf_sound_objects() -> bytes:
    return _pdf(*[b"<<>>"] * 200_000)


@made
def pdf_streams() -> bytes:
    return _pdf(*[b"<</Type/Metadata/Subtype/XML/Length 4>>stream\n<x/>\nendstream"] * 80_000)


@made
def pdf_bombs() -> bytes:
    packed = zlib.compress(bytes(100_000_000), 9)
    one = b"<</Type/Metadata/Subtype/XML/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed)
    plain = _pdf(*[one] * 90)
    return plain.replace(b"/Catalog/Pages", b"/Catalog/Metadata 4 0 R/Pages")


@made
def pdf_updates() -> bytes:
    data = _pdf()
    start = data.rindex(b"startxref\n")
    before, parts, at = int(data[start + 10 :].split()[0]), [data], len(data)
    while at < 9_900_000:
        section = b"xref\n0 0\ntrailer <</Size 4/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (before, at)
        parts.append(section)
        before, at = at, at + len(section)
    return b"".join(parts)


@made
def pdf_references() -> bytes:
    # Each object is only a reference to the next one.
    return _pdf(*(b"%d 0 R" % (n + 5) for n in range(150_000))).replace(
        b"/Catalog/Pages", b"/Catalog/Metadata 4 0 R/Pages"
    )


@made
def markdown_mapping() -> bytes:
    return b"---\nAIGC: {" + b"a: b, " * 40_000 + b"}\n---\n# a\n"


@made
def markdown_mapping_of_blanks() -> bytes:
    return b"---\nAIGC: {a:" + b" " * 250_000 + b'"}\n---\n# a\n'


@made
def markdown_blocks_at_the_end() -> bytes:
    return filled(b"# a\n", b"\n---\na: b\n", b"---\n")


# --- HEIF and JPEG XL -------------------------------------------------------------------------------------------------


def avif_of_items(count: int, *, references: int = 0, associations: int = 0) -> bytes:
    """Return an AVIF file of Pillow's with more items, all of them XMP packets of a byte."""
    plain = picture("AVIF")
    coded = plain[plain.index(b"mdat") + 4 :]
    infos = [full_box(b"infe", struct.pack(">HH", 1, 0), b"av01\0", version=2)]
    infos += [
        full_box(b"infe", struct.pack(">HH", n, 0), b"mime\0application/rdf+xml\0", version=2)
        for n in range(2, count + 2)
    ]
    iprp_at = plain.index(b"iprp") - 4
    ipco_at = plain.index(b"ipco") - 4
    ipco = plain[ipco_at : ipco_at + int.from_bytes(plain[ipco_at : ipco_at + 4], "big")]
    properties = ipco.count(b"ispe") and len(list(_kinds(ipco[8:])))
    links = bytes((properties, *(0x80 | n for n in range(1, properties + 1))))
    ipma = [full_box(b"ipma", struct.pack(">IH", 1, 1), links)]
    ipma += (
        [
            full_box(
                b"ipma",
                struct.pack(">I", associations),
                b"".join(struct.pack(">HBB", 1, 1, 1) for _ in range(associations)),
            )
        ]
        if associations
        else []
    )
    refs = [box(b"cdsc", struct.pack(">HHH", 2 + n % count, 1, 1)) for n in range(references)]
    assert iprp_at > 0

    def build(at: int) -> bytes:
        rows = [struct.pack(">HHHII", 1, 0, 1, at, len(coded))]
        rows += [struct.pack(">HHHII", n, 0, 1, at, 1) for n in range(2, count + 2)]
        iloc = full_box(b"iloc", b"\x44\0", struct.pack(">H", len(rows)), *rows)
        meta = full_box(
            b"meta", full_box(b"hdlr", bytes(4), b"pict", bytes(13)), full_box(b"pitm", struct.pack(">H", 1)), iloc,
            full_box(b"iinf", struct.pack(">H", len(infos)), *infos), full_box(b"iref", *refs),
            box(b"iprp", ipco, *ipma),
        )  # fmt: skip
        return box(b"ftyp", b"avif\0\0\0\0mif1avif") + meta + box(b"mdat", coded)

    return build(len(build(0)) - len(coded))


def _kinds(view: bytes) -> Iterator[bytes]:
    while len(view) >= 8:
        yield view[4:8]
        view = view[max(8, int.from_bytes(view[:4], "big")) :]


@made
def heif_sound_items() -> bytes:
    return avif_of_items(60_000)


@made
def heif_sound_references() -> bytes:
    return avif_of_items(5000, references=500_000)


@made
def heif_associations() -> bytes:
    return avif_of_items(1, associations=2_000_000)


@made
def jxl_boxes() -> bytes:
    head = bytes.fromhex("0000000c4a584c200d0a870a") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return filled(head + box(b"jxlc", bytes.fromhex("ff0a") + bytes(50)), box(b"free"))


@made
def jxl_packets() -> bytes:
    head = bytes.fromhex("0000000c4a584c200d0a870a") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return filled(head + box(b"jxlc", bytes.fromhex("ff0a") + bytes(50)), box(b"xml ", b"<x/>"))


# --- audio and video --------------------------------------------------------------------------------------------------

_FORMAT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)


@made
def wav_cues() -> bytes:
    count = 400_000
    cue = b"cue " + struct.pack("<II", 4 + 24 * count, count) + struct.pack("<IIIIII", 1, 0, 0, 0, 0, 0) * count
    return riff(b"WAVE", _FORMAT + b"data" + struct.pack("<I", 16000) + bytes(16000) + cue)


@made
def wav_frames_of_a_tag() -> bytes:
    frames = b"".join(b"TXXX" + syncsafe(11) + b"\0\0\0%07d\0bc" % n for n in range(4000))
    tag = b"ID3\4\0\0" + syncsafe(len(frames)) + frames
    chunks = b"id3 " + struct.pack("<I", len(tag)) + tag + bytes(len(tag) & 1)
    return riff(b"WAVE", _FORMAT + b"data" + struct.pack("<I", 16000) + bytes(16000) + chunks * 60)


@made
def avi_index() -> bytes:
    main = b"avih" + struct.pack("<I14I", 56, 40000, 0, 0, 16, 1, 0, 1, 0, 64, 48, 0, 0, 0, 0)
    head = b"strh" + struct.pack(
        "<I4s4sIHHIIIIIIIIHHHH", 56, b"vids", b"MJPG", 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 64, 48
    )
    form = b"strf" + struct.pack("<IIiiHH4sIiiII", 40, 40, 64, 48, 1, 24, b"MJPG", 9216, 0, 0, 0, 0)
    hdrl = b"hdrl" + main + _list(b"strl" + head + form)
    frame = picture("JPEG")
    movi = b"movi00dc" + struct.pack("<I", len(frame)) + frame + bytes(len(frame) & 1)
    index = struct.pack("<4sIII", b"00dc", 16, 4, len(frame)) * 500_000
    return riff(b"AVI ", _list(hdrl) + _list(movi) + b"idx1" + struct.pack("<I", len(index)) + index)


def _list(body: bytes) -> bytes:
    return b"LIST" + struct.pack("<I", len(body)) + body


@made
def flac_pictures() -> bytes:
    info = b"fLaC\0\0\0\x22" + struct.pack(">HH", 4096, 4096) + bytes(6) + b"\x0a\xc4\x42\xf0" + bytes(20)
    body = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, 1, 1, 24, 0, 0)
    return filled(info, b"\x06" + len(body).to_bytes(3, "big") + body)


@made
def mp3_old_tags() -> bytes:
    # APEv2: items of empty values, header and footer.
    items = b"".join(struct.pack("<II", 1, 0) + b"k%06d\0a" % n for n in range(400_000))
    edge = b"APETAGEX" + struct.pack("<II", 2000, len(items) + 32) + struct.pack("<I", 400_000)
    return (
        (b"\xff\xfb\x90\0" + bytes(413)) * 40
        + edge
        + b"\0\0\0\xa0"
        + bytes(8)
        + items
        + edge
        + b"\0\0\0\x80"
        + bytes(8)
    )


def _element(number: bytes, body: bytes) -> bytes:
    return number + (0x0100000000000000 | len(body)).to_bytes(8, "big") + body


def _matroska(body: bytes) -> bytes:
    track = _element(b"\xae", b"\xd7\x81\1\x83\x81\2\x86\x85A_PCM")
    cluster = _element(b"\x1f\x43\xb6\x75", b"\xe7\x81\0\xa3\x85\x81\0\0\x80a")
    head = _element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x88matroska")
    return head + _element(b"\x18\x53\x80\x67", _element(b"\x16\x54\xae\x6b", track) + body + cluster)


@made
def matroska_attachments() -> bytes:
    one = _element(b"\x61\xa7", b"\x46\x6e\x81a\x46\x60\x81b\x46\x5c\x81c\x46\xae\x81\1")
    return _matroska(_element(b"\x19\x41\xa4\x69", one * 300_000))


@made
def matroska_chapters() -> bytes:
    atom = _element(b"\xb6", b"\x73\xc4\x81\1\x91\x81\0" + _element(b"\x80", b"\x85\x81a"))
    return _matroska(_element(b"\x10\x43\xa7\x70", _element(b"\x45\xb9", atom * 250_000)))


@made
def gif_palettes() -> bytes:
    plain = picture("GIF")
    frame = b",\0\0\0\0\x01\0\x01\0\x87" + bytes(768) + b"\x02\x02L\x01\0"
    return filled(plain[:-1], frame, b";")


@made
def webp_sound_frames() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (n % 256, n // 256, 9)) for n in range(3000)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=20, lossless=True)
    return out.getvalue()
