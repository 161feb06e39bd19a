"""Every way in which real products write the label: each row is read from a file of that form and judged rightly.

The ids are rows of the field notes: A and B with a number and the vendor, or the carrier that TC260-PG-20259A names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

import labeling
from labeling.findings import Severity, Status

from . import wild
from .wild import USER_COMMENT, ascii_comment, attribute, commented, compact, element, exif, jpeg, png, text, xmp_chunk

DOUBAO = "001191110102MACQD9K64010000"
ALIBABA = "001191330106MA2CFLDG4R10001"


def fields(producer: str = DOUBAO, **changes: Any) -> dict[str, Any]:
    """The seven keys as a proper label has them, with changes."""
    return {
        "Label": "1", "ContentProducer": producer, "ProduceID": "id-1", "ReservedCode1": "",
        "ContentPropagator": producer, "PropagateID": "id-1", "ReservedCode2": "",
    } | changes  # fmt: skip


FULL = fields()
DOUBAO_FIRST = fields(ContentPropagator="", PropagateID="")
NULLS = fields("001191110108335469089C10100", ReservedCode1=None, ReservedCode2=None)
VIDU_ORDER = (
    "Label",
    "ContentProducer",
    "ContentPropagator",
    "ProduceID",
    "ReservedCode1",
    "PropagateID",
    "ReservedCode2",
)
VIDU = {key: fields("001191110108MACC4D63XF10306")[key] for key in VIDU_ORDER}
QWEN = dict(reversed(fields("001191440101MA9Y9T4H7A00000").items()))
WAN = fields(ALIBABA, ReservedCode1="A" * 300)
LINES = json.dumps(WAN, separators=(",\n", ":"))
SECURITY = compact({"SecurityData": {"Type": " TC260PG", "Version": 1, "PubSD": [{"Type": "DS", "Signature": "3045"}]}})
YUANBAO = fields("001191440300708461136T1WFUO", ReservedCode1=SECURITY, ReservedCode2=SECURITY)
BAIDU = fields("001191110000802100433B10005")
LIBLIB = fields("91110105MACJ6K1C8ABJJDXY")
OLD = {"ContentID": "c-1", "Time": "2025-04-01", "ServiceProvider": "liblibai.com"}
TENCENT = {"ServiceProvider": "腾讯云", "Time": "2025-01-01", "ContentID": "c-2"}
RENAMED = {"ContentPropagator": "Propagator", "PropagateID": "PropatorID", "ReservedCode1": "ReserveCode1"}
DRAFT = {RENAMED.get(k, k): v for k, v in FULL.items()}
NOTHING: dict[str, Any] = {}
DREAMINA = '{"aigc_info":{"aigc_label_type":0,"source_info":"dreamina"},"data":{}}'

PRESENT, DEFECTIVE, DUPLICATE, CONFLICT, ABSENT, UNREADABLE = (
    Status.PRESENT, Status.DEFECTIVE, Status.DUPLICATE, Status.CONFLICT, Status.ABSENT, Status.UNREADABLE,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A file, and what is to be said of it: ``rules`` are the defects, ``warned`` warnings that must be among them."""

    data: bytes
    value: dict[str, Any]
    status: Status = PRESENT
    rules: frozenset[str] | set[str] = field(default_factory=frozenset)
    warned: frozenset[str] | set[str] = field(default_factory=frozenset)
    origin: str = "confirmed"
    where: str = ""


def defective(data: bytes, value: dict[str, Any], *rules: str, origin: str = "confirmed", where: str = "") -> Row:
    return Row(data, value, DEFECTIVE, set(rules), origin=origin, where=where)


def nothing(data: bytes, origin: str = "none") -> Row:
    return Row(data, NOTHING, ABSENT, origin=origin)


ROWS: dict[str, Row] = {
    # A: seen in bytes
    "A1 Doubao": Row(png(xmp_chunk(wild.bytedance(compact(DOUBAO_FIRST)))), DOUBAO_FIRST,
                     warned={"CN-IMPLICIT-PROPAGATOR"}, where="PNG iTXt XML:com.adobe.xmp, element TC260:AIGC"),
    "A1 Doubao, bare name": Row(png(xmp_chunk(element(compact(fields("doubao"))))), fields("doubao"),
                                warned={"CN-PROVIDER-CODE"}),
    "A2 Doubao tEXt": Row(png(text("AIGC", compact(fields("doubao")))), fields("doubao"), where="PNG tEXt AIGC"),
    "A4 Jimeng": Row(png(xmp_chunk(wild.bytedance(compact(fields("00119144030008867405X210001"))))),
                     fields("00119144030008867405X210001")),
    "A5 Jimeng, two eXIf": Row(
        png(text("AIGC", compact(FULL)), wild.chunk(b"eXIf", commented(ascii_comment(DREAMINA))),
            late=(wild.chunk(b"eXIf", commented(ascii_comment(DREAMINA))),)), FULL),
    "A6 Jimeng, Photoshop": Row(png(xmp_chunk(attribute(compact(FULL)))), FULL,
                                where="PNG iTXt XML:com.adobe.xmp, attribute TC260:AIGC"),
    "A7 Kling": defective(png(text("AIGC", compact(NULLS))), NULLS, "CN-IMPLICIT-STRINGS"),
    "A9 Vidu": Row(png(text("AIGC", json.dumps(VIDU))), VIDU, warned={"CN-IMPLICIT-ORDER"}),
    "A11 Wan": Row(png(text("AIGC", LINES)), WAN),
    "A12 Alibaba": Row(png(xmp_chunk(attribute(LINES))), WAN),
    "A13 Alibaba, JSON string": defective(png(xmp_chunk(attribute(compact(compact(FULL))))), FULL, "CN-IMPLICIT-TWICE"),
    "A14 Alibaba, tEXt": defective(png(text("AIGC", json.dumps(LINES))), WAN, "CN-IMPLICIT-TWICE"),
    "A15 Qwen": Row(png(text("AIGC", compact(QWEN))), QWEN, warned={"CN-IMPLICIT-ORDER"}),
    "A16 Yuanbao": Row(
        png(wild.chunk(b"eXIf", commented(ascii_comment(compact({"AIGC": YUANBAO}))))), YUANBAO,
        where="PNG eXIf UserComment"),
    "A17 Yuanbao, macOS": Row(jpeg(wild.app1_exif(commented(ascii_comment(compact({"AIGC": YUANBAO}))))), YUANBAO),
    "A18 Baidu": Row(
        jpeg(wild.app1_exif(commented(ascii_comment(json.dumps({"AIGC": BAIDU})), order="<"))), BAIDU,
        where="JPEG APP1 Exif UserComment"),
    "A19 Zhipu": Row(
        jpeg(wild.app1_exif(commented(ascii_comment(json.dumps({"AIGC": BAIDU})), next_pointer=False))), BAIDU),
    "A20 Liblib": defective(
        png(wild.itxt("parameters", "a cat"), text("AIGC", repr(LIBLIB)), text("ContentInfo", "{}")), LIBLIB,
        "CN-IMPLICIT-JSON"),
    "A21 Liblib, 2023 schema": defective(png(text("AIGC", compact(OLD))), OLD, "CN-IMPLICIT-LEGACY"),
    "A22 no JFIF": Row(jpeg(wild.app1_xmp(wild.bytedance(compact(FULL))), jfif=False), FULL,
                       where="JPEG APP1 XMP, element TC260:AIGC"),
    "A eXIf alone": nothing(png(wild.chunk(b"eXIf", commented(ascii_comment(DREAMINA)))), "suspected"),
    "A names the standard": nothing(jpeg(wild.segment(0xFE, b"AIGC GB/T 45438-2025 | mastered")), "suspected"),
    "A a user's name": nothing(jpeg(wild.app1_exif(commented(ascii_comment("AI实验 {AIGC}"))))),
    # B: reported by others
    "B APP by JFIF": Row(jpeg(wild.segment(0xE9, b"AIGC" + compact(FULL).encode())), FULL, where="JPEG APP9 AIGC"),
    "B APP11": Row(jpeg(wild.segment(0xEB, b"AIGC\0" + compact(FULL).encode())), FULL),
    "B APP, wrapped": Row(jpeg(wild.segment(0xE4, compact({"AIGC": FULL}).encode())), FULL),
    "B COM": Row(jpeg(wild.segment(0xFE, b"AIGC" + compact(FULL).encode())), FULL, where="JPEG COM"),
    "B ImageDescription": defective(
        jpeg(wild.app1_exif(exif({wild.DESCRIPTION: compact({"AIGC": TENCENT}).encode() + b"\0"}))), TENCENT,
        "CN-IMPLICIT-LEGACY", where="JPEG APP1 Exif ImageDescription"),
    "B ImageDescription, bare": defective(
        jpeg(wild.app1_exif(exif({wild.DESCRIPTION: compact(TENCENT).encode() + b"\0"}))), TENCENT,
        "CN-IMPLICIT-LEGACY"),
    "B PicWish": Row(jpeg(wild.app1_xmp(attribute(compact(FULL)))), FULL),
    "B lower-case name": Row(png(text("aigc", compact({"aigc": fields("HUABABSpeech7E01")}))),
                             fields("HUABABSpeech7E01")),
    "B lowerCamelCase keys": defective(
        png(text("AIGC", compact({k[0].lower() + k[1:]: v for k, v in FULL.items()}))),
        {k[0].lower() + k[1:]: v for k, v in FULL.items()}, "CN-IMPLICIT-KEY-NAME"),
    "B draft names": defective(
        png(text("AIGC", compact(DRAFT))), DRAFT, "CN-IMPLICIT-KEY-NAME"),
    "B three keys": defective(
        png(text("AIGC", compact({k: FULL[k] for k in list(FULL)[:3]}))), {k: FULL[k] for k in list(FULL)[:3]},
        "CN-IMPLICIT-KEYS"),
    "B Kling, older": Row(png(text("AIGC", compact(fields("kling")))), fields("kling"), warned={"CN-PROVIDER-CODE"}),
    "B Aliyun XmpKvBase64": defective(jpeg(wild.app1_xmp(wild.kv_base64(compact(FULL)))), FULL, "CN-IMPLICIT-BASE64"),
    "B XmpKvBase64, a namespace of its own": defective(
        jpeg(wild.app1_xmp(wild.kv_base64(compact(FULL)).replace(wild.TC260.encode(), b"urn:x"))), FULL,
        "CN-IMPLICIT-BASE64", "CN-IMPLICIT-NAMESPACE"),
    # Places that spec and guides name
    "EXIF IFD0 UserComment": Row(
        jpeg(wild.app1_exif(exif({USER_COMMENT: ascii_comment(compact({"AIGC": FULL}))}))), FULL),
    "EXIF UNICODE UserComment": Row(
        jpeg(wild.app1_exif(commented(b"UNICODE\0" + compact({"AIGC": FULL}).encode("utf-16-be")))), FULL),
    "EXIF UNICODE UserComment, other byte order": Row(
        jpeg(wild.app1_exif(commented(b"UNICODE\0" + compact({"AIGC": FULL}).encode("utf-16-le")))), FULL),
    "EXIF UserComment without a code": Row(
        jpeg(wild.app1_exif(commented(compact({"AIGC": FULL}).encode()))), FULL),
    "EXIF UserComment, bare": Row(jpeg(wild.app1_exif(commented(ascii_comment(compact(FULL))))), FULL),
    "Extended XMP": Row(jpeg(*wild.extended(element(compact(FULL)))), FULL, where="JPEG APP1 Extended XMP"),
    "XMP rdf:value": Row(png(xmp_chunk(wild.rdf_value(compact(FULL)))), FULL),
    "XMP wrapped": Row(png(xmp_chunk(element(compact({"AIGC": FULL})))), FULL),
    "XMP other prefix": Row(png(xmp_chunk(element(compact(FULL), prefix="ns7"))), FULL),
    "XMP own namespace": defective(png(xmp_chunk(element(compact(FULL), namespace="urn:tool:ns/"))), FULL,
                                   "CN-IMPLICIT-NAMESPACE"),
    "XMP UTF-16": Row(jpeg(wild.app1_xmp(element(compact(FULL)).decode().encode("utf-16"))), FULL),
    "PNG zTXt": Row(png(wild.ztxt("AIGC", compact(FULL))), FULL, where="PNG zTXt AIGC"),
    "PNG iTXt": Row(png(wild.itxt("AIGC", compact({"AIGC": FULL}))), FULL),
    "PNG iTXt, compressed": Row(png(wild.itxt("AIGC", compact(FULL), packed=True)), FULL),
    "PNG tEXt, lower case": Row(png(text("aigc", compact(FULL))), FULL),
    "PNG late tEXt": Row(png(late=(text("AIGC", compact(FULL)),)), FULL),
    "PNG late XMP": Row(png(late=(xmp_chunk(element(compact(FULL))),)), FULL),
    "PNG late eXIf": Row(png(late=(wild.chunk(b"eXIf", commented(ascii_comment(compact({"AIGC": FULL})))),)), FULL),
    "PNG byte-order mark": Row(png(text("AIGC", b"\xef\xbb\xbf" + compact(FULL).encode())), FULL),
    "PNG UTF-16": defective(png(wild.itxt("AIGC", compact(FULL).encode("utf-16"))), FULL, "CN-IMPLICIT-ENCODING"),
    "PNG GB 18030": defective(png(text("AIGC", compact(fields("某某公司")).encode("gb18030"))), fields("某某公司"),
                              "CN-IMPLICIT-ENCODING"),
    "PNG lone surrogate": defective(
        png(text("AIGC", compact(FULL).replace("id-1", "id\\ud800"))), fields(ProduceID="id�", PropagateID="id�"),
        "CN-IMPLICIT-JSON"),
    "PNG compressed to nothing": Row(png(wild.chunk(b"zTXt", b"AIGC\0\0damaged")), {}, UNREADABLE, {"FILE-UNREAD"},
                                     origin="none"),
    "PNG twice": Row(png(text("AIGC", compact(FULL)), late=(text("AIGC", compact(FULL)),)), FULL, DUPLICATE,
                     {"CN-IMPLICIT-ONE"}),
    "PNG, two that differ": Row(
        png(text("AIGC", compact(FULL)), xmp_chunk(element(compact(fields("kling"))))), FULL, CONFLICT,
        {"CN-IMPLICIT-ONE"}),
    "WebP XMP": Row(wild.webp((b"XMP ", element(compact(FULL)))), FULL, where="WebP XMP chunk"),
    "WebP EXIF UserComment": Row(wild.webp((b"EXIF", commented(ascii_comment(compact({"AIGC": FULL}))))), FULL),
    "WebP EXIF with prefix": Row(
        wild.webp((b"EXIF", b"Exif\0\0" + commented(ascii_comment(compact({"AIGC": FULL}))))), FULL),
    "GIF XMP": Row(wild.gif(element(compact(FULL))), FULL, where="GIF"),
    "TIFF XMP, type 7": Row(wild.tiff(wild.XMP_TAG, 7, element(compact(FULL))), FULL, where="TIFF"),
    "TIFF XMP, type 1": Row(wild.tiff(wild.XMP_TAG, 1, element(compact(FULL))), FULL),
    "TIFF UserComment": Row(
        wild.tiff(USER_COMMENT, 7, ascii_comment(compact({"AIGC": FULL}))), FULL, where="TIFF"),
    "AVIF XMP item": Row(wild.avif(packet=element(compact(FULL))), FULL, where="AVIF item mime"),
    "AVIF Exif item": Row(wild.avif(tiff=commented(ascii_comment(compact({"AIGC": FULL})))), FULL),
    "AVIF uuid XMP": Row(wild.avif(wild.uuid_xmp(element(compact(FULL)))), FULL, where="AVIF uuid XMP box"),
    # Other carriers; tests/containers/test_documents.py has every form of these
    "B SVG dc:Label": defective(wild.svg_dc("001191330110MACRLGPT8B00000"),
                                {"Label": "1", "ContentProducer": "001191330110MACRLGPT8B00000"},
                                "CN-IMPLICIT-SPLIT", "CN-IMPLICIT-KEYS", where="SVG metadata RDF"),
    "B PDF Info": Row(wild.pdf_info(compact(FULL)), FULL, where="PDF Info AIGC"),
    "Text, front matter": Row(wild.markdown(FULL, '"', "    "), FULL, where="Markdown front matter AIGC"),
    "Text, Zhipu": Row(b"---\nAIGC: " + json.dumps(FULL).encode() + b"\n---\n\ntext\n", FULL),
    "Text, Tencent": Row(b"# Title\n\ntext\n\n" + wild.markdown(FULL, "'", "  ")[4:-5], FULL,
                         where="Markdown block at the end AIGC"),
    "Text, MiniMax": defective(wild.markdown(fields(Label="AIGC", ProduceID="0" * 32), "", "  "),
                               fields(Label="AIGC", ProduceID="0" * 32), "CN-IMPLICIT-LABEL"),
    "Text, Coze": Row(wild.markdown(FULL, "", "  ") + "text\n\n本内容由 Coze AI 生成\n".encode(), FULL),
    "Text that quotes": nothing(b"# Title\n\n```yaml\n" + wild.markdown(FULL, "", "  ") + b"```\n"),
    "JPEG XL": Row(wild.jxl(wild.box(b"xml ", element(compact(FULL)))), FULL, where="JPEG XL xml box"),
    # Values
    "Label is possible": Row(png(text("AIGC", compact(fields(Label="2")))), fields(Label="2"), origin="possible"),
    "Label is suspected": Row(png(text("AIGC", compact(fields(Label="3")))), fields(Label="3"), origin="suspected"),
    "Label is AIGC": defective(
        png(text("AIGC", compact(fields(Label="AIGC")))), fields(Label="AIGC"), "CN-IMPLICIT-LABEL"),
    "Label is a number": defective(
        png(text("AIGC", compact(fields(Label=1)))), fields(Label=1), "CN-IMPLICIT-LABEL", "CN-IMPLICIT-STRINGS"),
    "not JSON": defective(png(text("AIGC", "yes")), {"raw": "yes"}, "CN-IMPLICIT-JSON"),
    "a name that contains AIGC": Row(png(text("AigcInfo", compact(FULL))), FULL),
    "a keyword that merely begins so": nothing(png(text("AIGCTool", "a cat"))),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_every_variant_is_found_and_judged(name: str) -> None:
    row = ROWS[name]
    report = labeling.verify(row.data, visible=False)
    assert report.readable, report.problems
    findings = [finding for finding in report.findings if finding.kind == "aigc"]
    found = {d.rule for finding in findings for d in finding.defects if d.severity is Severity.ERROR}
    warned = {d.rule for finding in findings for d in finding.defects if d.severity is Severity.WARNING}
    assert (findings[0].status, findings[0].value, found) == (row.status, row.value, set(row.rules))
    assert list(findings[0].value) == list(row.value)
    assert warned >= set(row.warned)
    assert findings[0].where.startswith(row.where)
    assert report.origin == row.origin
    assert len(findings) == (2 if row.status in (DUPLICATE, CONFLICT) else 1)
