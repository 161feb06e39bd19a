"""Bad input by hand: each file is an attack that has a name. Each has 2 s and 300 MB.

Nothing here may be called absent: what could not be read was not shown to be missing.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from . import programs
from .containers import battery
from .fuzzing.seeds import FIELD, PRODUCER, ROOT, chunk, exif, segment

MB = 1 << 20
XAP = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg(*segments: bytes) -> bytes:
    plain = battery.encoded(battery.noise(), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def png(*chunks: bytes) -> bytes:
    plain = battery.encoded(battery.noise(), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def webp(*chunks: bytes) -> bytes:
    plain = battery.webp_full()
    body = plain[12:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif(extensions: bytes) -> bytes:
    plain = battery.encoded(battery.noise().quantize(2), "GIF")
    return plain[:-1] + extensions + b";"


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def packet(inside: str, before: str = "") -> bytes:
    return (
        f"{before}<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        f"<rdf:Description rdf:about='' xmlns:T='http://www.tc260.org.cn/ns/AIGC/1.0/'>{inside}</rdf:Description>"
        "</rdf:RDF></x:xmpmeta>"
    ).encode("utf-8", "surrogatepass")


def in_png(xmp: bytes, *, packed: bool = False) -> bytes:
    body = zlib.compress(xmp, 1) if packed else xmp
    return png(chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes((packed, 0)) + b"\0\0" + body))


def field(json_text: str | bytes) -> bytes:
    text = json_text if isinstance(json_text, bytes) else json_text.encode("utf-8", "surrogatepass")
    return png(chunk(b"tEXt", b"AIGC\0" + text))


def label_attributes(count: int) -> bytes:
    many = " ".join(f"T:a{n}='1'" for n in range(count))
    return (
        packet("")
        .replace(b"rdf:about=''", b"rdf:about='' xmlns:T='urn:t' " + many.encode(), 1)
        .replace(b" xmlns:T='http://www.tc260.org.cn/ns/AIGC/1.0/'", b"", 1)
    )


def zlib_of_zeros(size: int) -> bytes:
    """A zlib stream that unpacks to ``size`` zero bytes: one flushed block of a megabyte, over and over."""
    stream = zlib.compressobj(9)
    first = stream.compress(bytes(MB)) + stream.flush(zlib.Z_FULL_FLUSH)
    again = stream.compress(bytes(MB)) + stream.flush(zlib.Z_FULL_FLUSH)
    return first + again * (size // MB - 1)


def entity_bomb() -> bytes:
    lines = ["<!ENTITY e0 'ha'>"] + [f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12)]
    return packet("<T:AIGC>&e11;</T:AIGC>", before=f"<!DOCTYPE x [{''.join(lines)}]>")


def tiff_with(entries: list[tuple[int, int, int, int]], next_ifd: int = 0, count: int | None = None) -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    count = len(entries) if count is None else count
    return struct.pack("<2sHIH", b"II", 42, 8, count) + table + struct.pack("<I", next_ifd)


def bigtiff_with_wrong_counts() -> bytes:
    entry = struct.pack("<HHQQ", 0x02BC, 7, 1 << 62, 16)
    return struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1) + entry + struct.pack("<Q", 0)


def heic_with(meta: bytes) -> bytes:
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4) + meta)


def iloc(entries: int, rows: bytes = b"", version: int = 1) -> bytes:
    return box(b"iloc", bytes((version, 0, 0, 0, 0x44, 0x40)) + struct.pack(">H", entries) + rows)


def iinf(count: int, *infes: bytes) -> bytes:
    return box(b"iinf", bytes((1, 0, 0, 0)) + struct.pack(">I", count) + b"".join(infes))


def infe(item: int, kind: bytes, more: bytes = b"\0") -> bytes:
    return box(b"infe", bytes((2, 0, 0, 0)) + struct.pack(">HH", item, 0) + kind + more)


XMP_ITEM = infe(1, b"mime", b"\0application/rdf+xml\0")
PITM = box(b"pitm", bytes(4) + struct.pack(">H", 2))


def heic_item_inside_itself() -> bytes:
    """iloc sends the reader for item 1 to item 1 (construction method 2), again and again."""
    row = struct.pack(">HHHI", 1, 2, 0, 0) + struct.pack(">H", 1) + struct.pack(">II", 0, 100)
    return heic_with(PITM + iinf(1, XMP_ITEM) + iloc(1, row) + box(b"iref", bytes(4)))


def heic_many_extents() -> bytes:
    """One item of 65 535 extents, each the whole file: 4 GB if they were joined blindly."""
    extents = struct.pack(">II", 0, 1 * MB) * 65535
    row = struct.pack(">HHHI", 1, 0, 0, 0) + struct.pack(">H", 65535) + extents
    return heic_with(PITM + iinf(1, XMP_ITEM) + iloc(1, row)) + box(b"mdat", bytes(2 * MB))


def nested_boxes(depth: int) -> bytes:
    return b"".join(struct.pack(">I4sI", 12 * (depth - level), b"meta", 0) for level in range(depth))


DAMAGED = "unreadable"
WRONG = "defective"
ANY = ""

ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    # lengths that lie, files that end
    "jpeg-segment-beyond-end": (lambda: b"\xff\xd8\xff\xe1\xff\xff" + XAP, DAMAGED),
    "jpeg-segment-length-0": (lambda: b"\xff\xd8\xff\xe1\0\0" + bytes(100), DAMAGED),
    "jpeg-only-magic": (lambda: b"\xff\xd8\xff", DAMAGED),
    "png-4-gb-chunk": (lambda: png(b"\xff\xff\xff\xffiTXtXML:com.adobe.xmp"), DAMAGED),
    "png-2-gb-chunk": (lambda: png(b"\x7f\xff\xff\xfftEXtAIGC\0"), DAMAGED),
    "png-only-magic": (lambda: b"\x89PNG\r\n\x1a\n", DAMAGED),
    "webp-4-gb-chunk": (lambda: webp(b"XMP \xff\xff\xff\xff"), DAMAGED),
    "webp-only-header": (lambda: b"RIFF\xff\xff\xff\xffWEBP", DAMAGED),
    "gif-only-header": (lambda: b"GIF89a", DAMAGED),
    "heic-box-of-2-to-the-63": (
        lambda: heic_with(b"")[:24] + struct.pack(">I4sQ", 1, b"meta", 1 << 63) + bytes(64),
        DAMAGED,
    ),
    "heic-iinf-counts-4-billion": (lambda: heic_with(PITM + iinf(0xFFFFFFFF) + iloc(0)), DAMAGED),
    "heic-iloc-counts-65535": (lambda: heic_with(PITM + iinf(0) + iloc(65535)), DAMAGED),
    "tiff-entry-count-65535": (lambda: tiff_with([(256, 3, 1, 8)], count=65535), DAMAGED),
    "tiff-xmp-of-4-gb": (lambda: tiff_with([(0x02BC, 7, 0xFFFFFFFF, 8)]), DAMAGED),
    "tiff-ifd-beyond-end": (lambda: struct.pack("<2sHI", b"II", 42, 0xFFFFFFF0), DAMAGED),
    "bigtiff-count-2-to-the-62": (bigtiff_with_wrong_counts, DAMAGED),
    # cycles and depth
    "tiff-ifd-is-its-own-next": (lambda: tiff_with([(256, 3, 1, 8)], next_ifd=8), DAMAGED),
    "tiff-exif-is-ifd0": (lambda: tiff_with([(0x8769, 4, 1, 8)]), DAMAGED),
    "exif-cycle-in-jpeg": (
        lambda: jpeg(segment(0xE1, b"Exif\0\0" + tiff_with([(0x8769, 4, 1, 8), (0x014A, 4, 1, 8)], 8))),
        ANY,
    ),
    "heic-item-inside-itself": (heic_item_inside_itself, DAMAGED),
    "heic-item-of-65535-extents": (heic_many_extents, DAMAGED),
    "heic-boxes-nested-100000-deep": (lambda: heic_with(nested_boxes(100_000)), DAMAGED),
    # a million of everything
    "jpeg-a-million-segments": (lambda: jpeg(segment(0xE9, b"") * 10**6), DAMAGED),
    "jpeg-a-million-comments": (lambda: jpeg(segment(0xFE, b"AIGC{") * 10**6), DAMAGED),
    "png-half-a-million-labels": (lambda: png(chunk(b"tEXt", b"AIGC\0{}") * 500_000), DAMAGED),
    "png-a-million-empty-chunks": (lambda: png(chunk(b"quuX", b"") * 10**6), ANY),
    "webp-a-million-chunks": (lambda: webp(b"XMP \0\0\0\0" * 10**6), DAMAGED),
    "gif-a-million-comments": (lambda: gif(b"!\xfe\x01{\0" * 10**6), DAMAGED),
    "gif-a-million-sub-blocks": (lambda: gif(b"!\xfe" + b"\x01A" * 10**6 + b"\0"), ANY),
    "heic-a-million-boxes": (lambda: heic_with(PITM + box(b"free") * 10**6), DAMAGED),
    "heic-a-million-top-boxes": (lambda: heic_with(PITM) + box(b"free") * 10**6, DAMAGED),
    "tiff-65535-entries": (lambda: tiff_with([(tag, 1, 1, 0) for tag in range(65535)]), DAMAGED),
    "tiff-a-long-chain": (
        lambda: (
            struct.pack("<2sHI", b"II", 42, 8)
            + b"".join(struct.pack("<HHHIII", 1, 256, 3, 1, 8, 8 + 18 * (n + 1)) for n in range(100_000))
        ),
        DAMAGED,
    ),
    # XMP and compressed bombs
    "xmp-entities": (lambda: in_png(entity_bomb()), DAMAGED),
    "xmp-external-entity": (
        lambda: in_png(packet("<T:AIGC>&x;</T:AIGC>", "<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>")),
        DAMAGED,
    ),
    "xmp-100000-deep": (lambda: in_png(packet("<T:a>" * 10**5 + "</T:a>" * 10**5)), DAMAGED),
    "xmp-unclosed-100000-deep": (lambda: in_png(packet("<T:a>" * 10**5)), DAMAGED),
    "xmp-700000-attributes": (lambda: in_png(label_attributes(700_000)), DAMAGED),
    "xmp-a-million-elements": (lambda: in_png(packet("<T:a/>" * 10**6)), DAMAGED),
    "xmp-a-million-namespaces": (
        lambda: in_png(packet("<T:a " + " ".join(f"xmlns:n{n}='u{n}'" for n in range(10**5)) + "/>")),
        ANY,
    ),
    "xmp-of-16-mb": (lambda: in_png(packet("<T:b>" + "x" * (16 * MB) + "</T:b>")), DAMAGED),
    "xmp-of-8-mb-of-entities": (lambda: in_png(packet("<T:b>" + "&#65;" * (8 * MB // 5) + "</T:b>")), ANY),
    "xmp-16-mb-unclosed-tag": (lambda: in_png(packet("<T:b c='" + "<" * (15 * MB))), DAMAGED),
    "xmp-15-mb-of-quotes": (lambda: in_png(b"<" + b"'\"" * (7 * MB)), DAMAGED),
    "itxt-bomb-of-1-gb": (
        lambda: png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib_of_zeros(1024 * MB))),
        DAMAGED,
    ),
    "ztxt-bomb-of-1-gb": (lambda: png(chunk(b"zTXt", b"AIGC\0\0" + zlib_of_zeros(1024 * MB))), ANY),
    "1000-ztxt-bombs": (lambda: png(chunk(b"zTXt", b"AIGC\0\0" + zlib_of_zeros(20 * MB)) * 200), ANY),
    "iccp-bomb": (lambda: png(chunk(b"iCCP", b"x\0\0" + zlib_of_zeros(200 * MB))), ANY),
    # the JSON inside
    "json-duplicate-keys": (lambda: field('{"Label":"1","Label":"2",' + FIELD[1:]), WRONG),
    "json-nan": (lambda: field(FIELD.replace('"1"', "NaN", 1)), WRONG),
    "json-1e999": (lambda: field(FIELD.replace('"1"', "1e999", 1)), WRONG),
    "json-long-number": (lambda: field(FIELD.replace('"1"', "9" * 100_000, 1)), WRONG),
    "json-100000-deep": (lambda: field('{"AIGC":' * 100_000), WRONG),
    "json-wide": (lambda: field('{"AIGC":[' + "[]," * 80_000 + "[]]}"), WRONG),
    "json-bom": (lambda: field("\ufeff" + FIELD), ANY),
    "json-lone-surrogate-escape": (lambda: field(FIELD.replace('"a-1"', '"\\ud800"')), WRONG),
    "json-lone-surrogate-bytes": (lambda: field(FIELD.replace("a-1", "\ud800")), WRONG),
    "json-utf-16": (lambda: field(FIELD.encode("utf-16")), WRONG),
    "json-nul": (lambda: field(FIELD.replace("a-1", "a\0b")), WRONG),
    "json-empty": (lambda: field(""), WRONG),
    "json-of-10-mb": (lambda: field('{"Label":"' + "1" * (10 * MB) + '"}'), WRONG),
    "literal-set": (lambda: field("{'Label':{1,2}}"), WRONG),
    "literal-hexadecimal": (lambda: field("{'Label':0x" + "F" * 200_000 + "}"), WRONG),
    "literal-bytes": (lambda: field("{'Label':b'1'}"), WRONG),
    "literal-tuple-key": (lambda: field("{'Label':{(1,2):3}}"), WRONG),
    "literal-complex": (lambda: field("{'Label':1+2j}"), WRONG),
    "literal-100000-signs": (lambda: field("{'Label':" + "-" * 100_000 + "1}"), WRONG),
    "literal-code": (lambda: field("{'Label':__import__('os').getpid()}"), WRONG),
    "base64-of-base64": (lambda: field("eyJ" * 60_000), WRONG),
    # EXIF
    "exif-huge-counts": (
        lambda: jpeg(segment(0xE1, b"Exif\0\0" + tiff_with([(0x9286, 7, 0xFFFFFFFF, 8), (0x010E, 2, 0xFFFFFFF0, 8)]))),
        ANY,
    ),
    "exif-in-a-million-segments": (lambda: jpeg(segment(0xE1, b"Exif\0\0" + exif("{}")) * 20_000), DAMAGED),
    # what is not a picture
    "one-byte": (lambda: b"\0", DAMAGED),
    "10-mb-of-zeros": (lambda: bytes(10 * MB), DAMAGED),
    "10-mb-of-ff": (lambda: b"\xff\xd8\xff" + b"\xff" * (10 * MB), DAMAGED),
    "10-mb-of-brackets": (lambda: b"---\nAIGC: " + b"[" * (10 * MB) + b"\n---\n", ANY),
    "10-mb-of-xml": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * (3 * MB), ANY),
    "10-mb-of-pdf": (lambda: b"%PDF-1.7\n" + b"1 0 obj<<" * MB, ANY),
}

# Runs beside the tests: reads paths, and answers each with one line of JSON.
_CHILD = """
import json, os, resource, sys, time
import labeling
from labeling import Labeler, LabelingError
from labeling.marks import credentials, visible
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
labeler = Labeler(producer=sys.argv[1], visible=False)
def reset():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))
for line in sys.stdin:
    if os.fork():  # a process of its own for each attack: memory that an earlier one left behind would count
        if os.wait()[1]:
            print(json.dumps({"escaped": ["the process died"]}), flush=True)
        continue
    with open(line.strip(), "rb") as file:
        data = file.read()
    answer = {"size": len(data), "seconds": {}, "escaped": []}
    reset()
    for name, call in (("verify", lambda: labeling.verify(data, visible=False).to_dict()),
                       ("inspect", lambda: labeling.inspect(data)), ("label", lambda: labeler.label_image(data).data)):
        start = time.process_time()
        try:
            result = call()
            if name != "label":
                json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
            if name == "verify":
                marks = [mark["status"] for mark in result["marks"] if mark["mark"] == "aigc"]
                answer["readable"], answer["statuses"] = result["readable"], sorted(set(marks))
        except LabelingError as error:
            answer.setdefault("errors", []).append(str(error))
        except BaseException as error:
            answer["escaped"].append(f"{name}: {type(error).__name__}: {error}"[:300])
        answer["seconds"][name] = time.process_time() - start
    answer["peak"] = peak()
    print(json.dumps(answer), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def child() -> object:
    env = {**programs.unmeasured(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CHILD, PRODUCER]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured through /proc")
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gives_a_report_or_one_line(name: str, child: subprocess.Popen[str], tmp_path: Path) -> None:
    make, status = ATTACKS[name]
    path = tmp_path / "attack"
    path.write_bytes(make())
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(f"{path}\n")
    child.stdin.flush()
    answer = json.loads(child.stdout.readline())
    assert not answer["escaped"]
    assert max(answer["seconds"].values()) < 2, answer["seconds"]
    assert answer["peak"] < 300 * MB, f"{answer['peak'] >> 20} MB for {answer['size']} bytes"
    assert all(len(message.splitlines()) == 1 for message in answer.get("errors", []))
    statuses = answer["statuses"]
    if status:
        assert status in statuses or (status == DAMAGED and not answer["readable"]), statuses
        assert "absent" not in statuses
