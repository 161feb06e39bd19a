"""SVG, PDF, Markdown and JPEG XL, which are only read: labels that others write are found, quoted ones are not."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import labeling
from labeling import containers
from labeling.containers import Changes, Kind
from labeling.errors import LabelingError
from labeling.findings import Severity, Signature, Status

from .. import wild

FULL = {
    "Label": "1", "ContentProducer": "001191110102MACQD9K64010000", "ProduceID": "编号 (1)", "ReservedCode1": "",
    "ContentPropagator": "001191110102MACQD9K64010000", "PropagateID": "编号 (1)", "ReservedCode2": "",
}  # fmt: skip
JSON = json.dumps(FULL, ensure_ascii=False)


def found(data: bytes) -> tuple[Status, dict[str, Any], set[str]]:
    """Return the status, fields and errors of the AIGC finding of a readable file."""
    report = labeling.verify(data, visible=False)
    assert report.readable, report.problems
    finding = report.findings[0]
    return finding.status, finding.value, {d.rule for d in finding.defects if d.severity is Severity.ERROR}


def unreadable(data: bytes) -> str:
    report = labeling.verify(data, visible=False)
    assert not report.readable
    assert all(finding.status is Status.UNREADABLE for finding in report.findings)
    assert report.exit_code == 3
    return report.problems[0]


# SVG


def svg(inner: str, *, root: str = "", head: str = "") -> bytes:
    return (
        f'{head}<svg xmlns="http://www.w3.org/2000/svg" width="40px" height="30" {root}>{inner}<path d="M0 0"/></svg>'
    ).encode()


RDF = wild.element(JSON).decode().partition("?>")[2].partition("<?xpacket")[0]
SPLIT = (
    '<metadata><rdf:RDF><rdf:Description rdf:about="" dc:Label="1" dc:ContentProducer="001191330110MACRLGPT8B00000"'
    ' dc:ProduceID="p-1"/></rdf:RDF></metadata>'
)
NAMES = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'
DOCTYPE = (
    '<?xml version="1.0"?>\n<!-- made -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://localhost:1/x.dtd">'
)


@pytest.mark.parametrize("data", [
    svg(f"<metadata>{RDF}</metadata>"), svg(f"<g><metadata>{RDF}</metadata></g>", head=DOCTYPE),
    b"\xef\xbb\xbf\n" + svg(f"<metadata>{RDF}</metadata>"),
    svg(f"<metadata>{RDF}</metadata>").decode().encode("utf-16"),
    svg(f"<metadata>{RDF}</metadata>", head='<?xml version="1.0" encoding="GB2312"?>').decode().encode("gb2312"),
    svg(f"<metadata><AIGC>{JSON.replace('&', '')}</AIGC></metadata>"), svg(RDF),
])  # fmt: skip
def test_svg_metadata_in_every_place_and_encoding(data: bytes) -> None:
    assert found(data) == (Status.PRESENT, FULL, set())
    contents = containers.read(data)
    assert (contents.media_type, contents.width, contents.height) == ("image/svg+xml", 40, 30)


def test_svg_keys_as_properties_are_defective_and_inherit_namespaces_from_the_root() -> None:
    status, value, rules = found(svg(SPLIT, root=NAMES))
    assert status is Status.DEFECTIVE
    assert value == {"Label": "1", "ContentProducer": "001191330110MACRLGPT8B00000", "ProduceID": "p-1"}
    assert rules == {"CN-IMPLICIT-SPLIT", "CN-IMPLICIT-KEYS"}


@pytest.mark.parametrize("inner", [
    f"<text>AIGC {JSON}</text>", "<metadata><title>AIGC</title></metadata>", f"<desc>{JSON}</desc>",
    SPLIT.replace("dc:ContentProducer", "dc:creator").replace("dc:ProduceID", "dc:title"),
])  # fmt: skip
def test_svg_text_and_colour_labels_are_no_label(inner: str) -> None:
    assert found(svg(inner, root=NAMES))[0] is Status.ABSENT


@pytest.mark.parametrize(("data", "problem"), [
    (svg("&a;", head='<!DOCTYPE svg [<!ENTITY a "AIGC">]>'), "entities"),
    (svg("<g>" * 600 + "</g>" * 600), "nested"), (svg("")[:-4], "well-formed"), (svg("<a></b>"), "well-formed"),
    (svg("", head='<?xml version="1.0" encoding="EBCDIC-CP-US"?>'), "encoding"), (svg("<a/>" * 1_000_001), "elements"),
    (svg("<a " + " ".join(f'a{n}="1"' for n in range(30_000)) + "/>"), "attributes"),
    (svg("<metadata>" + "<x>y</x>" * 5000 + "</metadata>"), "4096 metadata blocks"),
], ids=range(8))  # fmt: skip
def test_svg_that_is_not_sound_is_unreadable(data: bytes, problem: str) -> None:
    assert problem in unreadable(data)


def test_svg_manifest() -> None:
    held = "<metadata><c2pa:manifest xmlns:c2pa='http://c2pa.org/manifest'>{}</c2pa:manifest></metadata>"
    store = base64.b64encode(wild.box(b"jumb", wild.box(b"jumd", b"c2pa" + bytes(12)))).decode()
    kinds = [
        [block.kind for block in containers.read(svg(held.format(text))).blocks] for text in (store, "bm90aGluZw==")
    ]
    assert kinds == [[Kind.C2PA], []]


# Markdown


def front(block: str) -> str:
    return f"---\n{block}\n---\n# Text\n\nAIGC: {{}} is quoted.\n"


def lines(indent: str, quote: str, fields: dict[str, str] = FULL) -> str:
    return "\n".join(f"{indent}{key}: {quote}{value}{quote}" for key, value in fields.items())


SHUFFLED = dict(reversed(FULL.items()))


@pytest.mark.parametrize("text", [
    front("AIGC:\n" + lines("  ", "")), front("AIGC:\n" + lines("    ", "'")), front("AIGC:\n" + lines("\t", '"')),
    front("title: x\ndate: 2025-09-01 # day\ntags:\n  - a\nAIGC:\n" + lines("  ", '"') + "\nlast: y"),
    front(f"AIGC: {JSON}"), front(f"AIGC: '{JSON}'"), front("AIGC: |\n  " + JSON), front("'AIGC': >-\n  " + JSON),
    front("AIGC:\n  " + json.dumps(FULL, ensure_ascii=False, indent=2).replace("\n", "\n  ")),
    front("AIGC: {" + ", ".join(f"{k}: '{v}'" for k, v in FULL.items()) + "}"),
    front(f"AIGC: {json.dumps({'AIGC': FULL}, ensure_ascii=False)}"),
    "\ufeff\n" + front("AIGC:\n" + lines("  ", "")).replace("\n", "\r\n"),
    "# A text\n\nIts body.\n\nAIGC:\n" + lines("  ", "") + "\n\n", f"Only prose.\n\nAIGC: {JSON}",
    "Only prose.\n\n---\nAIGC:\n" + lines("    ", '"') + "\n---\n",
    "```\ncode\n```\n\nAIGC:\n" + lines("  ", "'"),
])  # fmt: skip
def test_markdown_front_matter_and_block_at_the_end(text: str) -> None:
    assert found(text.encode()) == (Status.PRESENT, FULL, set())


def test_markdown_as_products_write_it() -> None:
    minimax = FULL | {"Label": "AIGC", "ProduceID": "0" * 32}
    assert found(front("AIGC:\n" + lines("    ", '"', minimax)).encode()) == (
        Status.DEFECTIVE, minimax, {"CN-IMPLICIT-LABEL"},
    )  # fmt: skip
    twice = front("AIGC:\n" + lines("  ", "") + "\n  Label: 2").encode()
    assert found(twice)[2] == {"CN-IMPLICIT-JSON"}
    both = front("AIGC:\n" + lines("  ", "")) + "\nAIGC:\n" + lines("  ", "")
    assert found(both.encode())[0] is Status.DUPLICATE
    assert found(front("AIGC: yes").encode())[0] is Status.DEFECTIVE
    shuffled = found(front("AIGC:\n" + lines("  ", "", SHUFFLED)).encode())
    assert shuffled == (Status.PRESENT, SHUFFLED, set())


@pytest.mark.parametrize("text", [
    "# How to\n\n```yaml\nAIGC:\n" + lines("  ", "") + "\n```\n", "# How to\n\n~~~~\nAIGC:\n" + lines("  ", ""),
    "# How to\n\nAIGC:\n  - a list\n", "# How to\n\nAIGC: prose\n  that goes on",
    "# How to\n\nThe field\nAIGC:\n\nis text.", "# How to\n\nAIGC: see the standard", front("title: AIGC"),
    "# How to\n\n    AIGC:\n" + lines("      ", "") + "\n", f"# How to\n\n`AIGC: {JSON}`\n",
    "# T\n\nAIGC:\n" + lines("  ", "") + "\n\nand more text\n", front("title: NovelAI\nauthor: Midjourney"),
])  # fmt: skip
def test_markdown_that_quotes_a_label_is_not_labelled(text: str) -> None:
    assert found(text.encode()) == (Status.ABSENT, {}, set())
    assert labeling.verify(text.encode(), visible=False).origin == "none"


@pytest.mark.parametrize(
    "data", [b"just words", b"<html># a</html>", b"\x00# a", "# é".encode("latin-1"), b"a\n\n\xff"]
)
def test_what_is_no_markdown_is_not_claimed_to_be(data: bytes) -> None:
    assert containers.identify(data) is None


@pytest.mark.parametrize("data", [
    b"---\n" + b"a: {b: " * 40_000, b"# a\n\n" + b"x" + b" " * 300_000, b"---\nA" + b" " * 250_000 + b"x\n---\n",
    b"---\nAIGC: {" + b" " * 200_000 + b"\n---\n", b"# a\n" + b"```\n" * 500_000, b"# a\n" + b"\n" * 5_000_000,
    b'---\nAIGC: "' + b"\\" * 200_001 + b"\n---\n",
], ids=range(7))  # fmt: skip
def test_markdown_bombs_are_fast(data: bytes) -> None:
    began = time.process_time()
    labeling.verify(data, visible=False)
    assert time.process_time() - began < 2


# PDF


def pillow_pdf() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(out, "PDF", title="一")
    return out.getvalue()


def with_info(value: bytes, *, tail: bytes = b"") -> bytes:
    """Pillow's file, saved incrementally with another Info dictionary (ISO 32000-2, 7.5.6)."""
    plain = pillow_pdf()
    before = int(plain.rsplit(b"startxref", 1)[1].split()[0])
    root = plain.rsplit(b"/Root ", 1)[1].split(b"R", 1)[0] + b"R"
    at = len(plain)
    body = b"99 0 obj\n<< /AIGC " + value + b" /Title (a) >>\nendobj\n"
    table = b"xref\n99 1\n%010d 00000 n \n" % at
    trailer = b"trailer\n<< /Size 100 /Root %s /Info 99 0 R /Prev %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        root, before, tail, at + len(body),
    )  # fmt: skip
    return plain + body + table + trailer


def literal(text: bytes) -> bytes:
    return b"(" + text.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


MEMBERS = b"<< " + b" ".join(b"/%s %s" % (k.encode(), literal(v.encode("utf-16"))) for k, v in FULL.items()) + b" >>"


@pytest.mark.parametrize("value", [
    literal(JSON.encode()), b"(" + JSON.encode() + b")", b"<" + JSON.encode("utf-16").hex().encode() + b">",
    literal(b"\xfe\xff" + JSON.encode("utf-16-be")), literal(b"\xef\xbb\xbf" + JSON.encode()),
    b"(" + b"".join(b"\\%03o" % byte for byte in JSON.encode()) + b")", b"(AIGC\\\n" + JSON.encode() + b")", MEMBERS,
])  # fmt: skip
def test_pdf_info_in_every_form_of_string(value: bytes) -> None:
    assert found(with_info(value)) == (Status.PRESENT, FULL, set())
    report = labeling.verify(with_info(value), visible=False)
    assert (report.media_type, report.findings[0].where) == ("application/pdf", "PDF Info AIGC")


def test_pdf_as_pillow_and_ghostscript_write_it(tmp_path: Path) -> None:
    plain = pillow_pdf()
    assert found(plain)[0] is Status.ABSENT
    titles = {block.keyword: block.data.decode() for block in containers.read(plain).blocks}
    assert titles["Title"] == "一"
    findings = tmp_path / "marks.ps"
    findings.write_bytes(b"[ /AIGC " + literal(JSON.encode()) + b" /DOCINFO pdfmark showpage")
    made = tmp_path / "made.pdf"
    subprocess.run(
        ["gs", "-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfwrite", f"-sOutputFile={made}", str(findings)], check=True
    )
    assert found(made.read_bytes()) == (Status.PRESENT, FULL, set())


def test_pdf_packet_written_by_exiftool(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pillow_pdf())
    packet = tmp_path / "a.xmp"
    packet.write_bytes(wild.element(JSON))
    subprocess.run(["exiftool", "-q", "-tagsFromFile", str(packet), "-xmp:all>xmp:all", str(path)], check=True)
    subprocess.run(["exiftool", "-q", f"-xmp<={packet}", str(path)], check=True)
    report = labeling.verify(path, visible=False)
    assert report.findings[0].value == FULL
    assert report.findings[0].where.startswith("PDF catalog XMP")


def packed_pdf(predictor: int) -> bytes:
    """Make a PDF 1.5 file by hand: catalog, Info and packet in an object stream and a cross-reference stream."""
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}

    def stream(number: int, fields: bytes, raw: bytes) -> None:
        offsets[number] = len(out)
        packed = zlib.compress(raw)
        out.extend(b"%d 0 obj\n<< %s /Filter /FlateDecode /Length %d >>\nstream\n" % (number, fields, len(packed)))
        out.extend(packed + b"\nendstream\nendobj\n")

    objects = [b"<< /Type /Catalog /Metadata 3 0 R >>", b"<< /AIGC " + literal(JSON.encode()) + b" >>"]
    head = b"1 0 2 %d " % (len(objects[0]) + 1)
    stream(4, b"/Type /ObjStm /N 2 /First %d" % len(head), head + b" ".join(objects))
    stream(3, b"/Type /Metadata /Subtype /XML", wild.element("{}", namespace="urn:x", name="other"))
    at = len(out)
    rows = [b"\0\0\0\0\xff", b"\2\0\0\4\0", b"\2\0\0\4\1"]
    rows += [b"\1" + place.to_bytes(3, "big") + b"\0" for place in (offsets[3], offsets[4], at)]
    parameters = b""
    if predictor:
        parameters = b"/DecodeParms << /Predictor 12 /Columns 5 >>"
        before = [bytes(5), *rows]
        rows = [
            b"\2" + bytes((a - b) & 255 for a, b in zip(r, p, strict=True)) for r, p in zip(rows, before, strict=False)
        ]
    stream(5, b"/Type /XRef /Size 6 /W [1 3 1] /Root 1 0 R /Info 2 0 R " + parameters, b"".join(rows))
    return bytes(out) + b"startxref\n%d\n%%%%EOF" % at


@pytest.mark.parametrize("predictor", [0, 12])
def test_pdf_with_object_streams(predictor: int, tmp_path: Path) -> None:
    data = packed_pdf(predictor)
    (tmp_path / "a.pdf").write_bytes(data)
    seen = subprocess.run(
        ["exiftool", "-s3", "-AIGC", "-PDF:all", str(tmp_path / "a.pdf")], capture_output=True, check=True
    )
    assert b"ContentProducer" in seen.stdout
    assert found(data) == (Status.PRESENT, FULL, set())
    assert [block.kind for block in containers.read(data).blocks] == [Kind.PROPERTY, Kind.XMP]


def test_pdf_that_is_broken_or_encrypted() -> None:
    whole = with_info(literal(JSON.encode()))
    moved = whole.replace(b"startxref\n", b"startxref\n9")
    assert found(moved) == (Status.PRESENT, FULL, set())
    assert "searched" in containers.read(moved).warnings[0]
    assert found(b"junk\n" * 20 + whole)[1] == FULL
    assert "encrypted" in unreadable(with_info(b"(x)", tail=b"/Encrypt << /Filter /Standard >>"))
    assert "catalog" in unreadable(b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n")
    assert "Info" in unreadable(pillow_pdf().replace(b"/Info ", b"/Info 9"))


def test_pdf_cycles_and_bombs_end() -> None:
    cycle = (
        b"%PDF-1.7\n1 0 obj\n2 0 R\nendobj\n2 0 obj\n1 0 R\nendobj\ntrailer << /Root 1 0 R /Prev 0 >>\nstartxref\n0\n"
    )
    bombs = [
        cycle, b"%PDF-" + b"[" * 1_000_000, b"%PDF-1 trailer" + b"<</a" * 100_000, with_info(b"[" * 5000),
        b"%PDF-1.7\n" + b"1 0 obj\n" * 400_000, b"%PDF-" + b"trailer %\n" * 300_000, with_info(b"99 0 R"),
        with_info(b"<< /Label 99 0 R /A 99 0 R >>"), with_info(b"(" * 2_000_000),
        b"%PDF-1.7 trailer " + b"%\n" * 3_000_000, with_info(b"<" + b" " * 3_000_000),
    ]  # fmt: skip
    for bomb in bombs:
        began = time.process_time()
        labeling.verify(bomb, visible=False)
        assert time.process_time() - began < 2


# JPEG XL


def brob(kind: bytes, payload: bytes) -> bytes:
    return wild.box(b"brob", kind, brotli.compress(payload))


EXIF = b"\0\0\0\0" + wild.commented(wild.ascii_comment(json.dumps({"AIGC": FULL})))
PACKET = wild.element(JSON)


@pytest.mark.parametrize("part", [
    wild.box(b"xml ", PACKET), wild.box(b"Exif", EXIF), brob(b"xml ", PACKET), brob(b"Exif", EXIF),
])  # fmt: skip
def test_jpeg_xl_boxes(part: bytes) -> None:
    assert found(wild.jxl(part)) == (Status.PRESENT, FULL, set())
    assert containers.read(wild.jxl(part)).media_type == "image/jxl"


def test_jpeg_xl_size_and_bare_codestream(cases: Path) -> None:
    data = bytes.fromhex("ff0a" + "7f00000000000000")
    assert containers.read(data).width == containers.read(data).height == 256
    real = (cases / "2_c2pa" / "encypher_image_jxl_signed_test.jxl").read_bytes()
    finding = labeling.verify(real, visible=False).findings[1]
    assert (finding.kind, finding.status, finding.signature) == ("c2pa", Status.PRESENT, Signature.UNSUPPORTED)


def test_jpeg_xl_that_is_damaged_says_so() -> None:
    assert "codestream" in unreadable(wild.JXL)
    assert "bytes" in unreadable(wild.jxl()[:-9])
    cut = labeling.verify(wild.jxl(wild.box(b"brob", b"xml " + brotli.compress(PACKET)[:50])), visible=False)
    assert cut.findings[0].status is Status.UNREADABLE
    bomb = labeling.verify(wild.jxl(brob(b"xml ", bytes(40 << 20))), visible=False)
    assert bomb.findings[0].status is Status.UNREADABLE


# All formats

SAMPLES = {
    "svg": svg(f"<metadata>{RDF}</metadata>"), "markdown": front("AIGC:\n" + lines("  ", "")).encode(),
    "pdf": packed_pdf(12), "jxl": wild.jxl(brob(b"xml ", PACKET), wild.box(b"Exif", EXIF)),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_they_are_recognised_by_content_and_say_why_they_are_not_written(name: str, tmp_path: Path) -> None:
    contents = containers.read(SAMPLES[name])
    assert contents.format == name
    with pytest.raises(LabelingError, match="not yet written"):
        containers.rewrite(SAMPLES[name], contents, Changes(xmp=PACKET))
    source = tmp_path / f"a.{name}"
    source.write_bytes(SAMPLES[name])
    with pytest.raises(LabelingError):
        labeling.Labeler("somebody", visible=False).label_file(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=150, deadline=2000)
@given(data=st.data())
def test_mutations_raise_nothing_else(name: str, data: st.DataObject) -> None:
    mutated = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        report = labeling.verify(bytes(mutated[: data.draw(st.integers(1, len(mutated)))]), visible=False)
    except LabelingError:
        return
    assert report.readable or all(finding.status is not Status.ABSENT for finding in report.findings)
