"""What was seen in the wild in November 2026, and look-alikes of labels: each row of the field notes, made here.

Rows of group C, and those of A, B and "seen, but not a label" that test_wild_variants.py, test_wild_video.py and
containers/test_documents.py do not have.
"""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

import labeling
from labeling.findings import Severity
from labeling.verification.report import Report

from . import wild
from .marks.authorities import issued, root, signed
from .test_wild_variants import FULL, fields
from .wild import ascii_comment, compact, exif, jpeg, png, text

DREAMINA = {
    "aigc_info": {"aigc_label_type": 0, "source_info": "dreamina"},
    "trace_info": {"originItemId": "7500000000000000001"},
}
JIMENG = fields("00119144030008867405X210001", ContentPropagator="", PropagateID="")
ENUM = {"Label": "AIGCLabelType.AI_GENERATED", "ContentProducer": FULL["ContentProducer"], "ProduceID": "id-1"}
IFLOW = {
    "Label": "1", "ContentProducer": "001191330101MA27WPYJ18xliu", "ProduceID": "p-1", "ReserveCode1": "iflow",
    "ContentPropagator": "001191330101MA27WPYJ18xliu", "PropagateID": "p-1", "ReserveCode2": "iflow",
}  # fmt: skip
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TRAE = dict(sorted(fields("001191110102MAD55U9H0F10002", ReservedCode1=UUID, ReservedCode2=UUID).items()))
TENCENT = fields("001191440300708461136T1XGW3", ReservedCode1="a" * 256)


def labels(report: Report) -> list[tuple[str, set[str]]]:
    """Each AIGC field: its status, and the rules that it breaks."""
    return [
        (str(m.status), {d.rule for d in m.defects if d.severity is Severity.ERROR})
        for m in report.findings
        if m.kind == "aigc"
    ]


def traces(report: Report) -> set[tuple[str, str]]:
    return {(m.value["generator"], m.value["confidence"]) for m in report.findings if m.kind == "generator"}


def dreamina_exif(artist: bytes = b"") -> bytes:
    """The eXIf chunk of Jimeng's web site, with the hash that it has in place of the artist since 2026."""
    main = {0x013B: artist + b"\0"} if artist else {}
    return wild.chunk(b"eXIf", exif(main, {wild.USER_COMMENT: ascii_comment(compact(DREAMINA))}))


def test_jimeng_s_web_site(tmp_path: Path) -> None:
    """C: a PNG named .jpg; the label without its propagator, and two eXIf chunks with a hash as the artist."""
    both = dreamina_exif(b"0123456789abcdef" * 4)
    path = tmp_path / "jimeng.jpg"
    path.write_bytes(png(text("AIGC", compact(JIMENG)), both, late=(both,)))
    report = labeling.verify(path, visible=False)
    assert report.media_type == "image/png"
    assert [status for status, _ in labels(report)] == ["present"]
    assert report.origin == "confirmed"
    assert ("Dreamina/Jimeng", "high") in traces(report)
    assert ("Dreamina/Jimeng", "low") in traces(report)
    assert "FILE-NAME" in {each.rule for each in report.verdicts["cn"].warnings}
    assert "CN-IMPLICIT-PROPAGATOR" in {each.rule for each in report.verdicts["cn"].warnings}


def test_a_tool_that_re_encoded_it_kept_only_the_comment() -> None:
    """C: that is a trace, and no label."""
    report = labeling.verify(
        jpeg(wild.app1_exif(exif({}, {wild.USER_COMMENT: ascii_comment(compact(DREAMINA))}))), visible=False
    )
    assert labels(report) == [("absent", set())]
    assert (traces(report), report.origin) == ({("Dreamina/Jimeng", "high")}, "suspected")


@pytest.mark.parametrize("prefix", ["TC260:AIGC=", "TC260:AIGC", "tc260:aigc = ", "AIGC="])
@pytest.mark.parametrize("place", ["APP9", "APP11", "COM", "PNG text", "EXIF"])
def test_a_value_that_begins_with_the_field_s_name(prefix: str, place: str) -> None:
    """C, ByteDance: text that begins ``TC260:AIGC={`` in a JPEG segment; the same in texts of other names."""
    value = prefix + compact(FULL)
    data = {
        "APP9": lambda: jpeg(wild.segment(0xE9, value.encode())),
        "APP11": lambda: jpeg(wild.segment(0xEB, value.encode())),
        "COM": lambda: jpeg(wild.segment(0xFE, value.encode())),
        "PNG text": lambda: png(text("Comment", value)),
        "EXIF": lambda: jpeg(wild.app1_exif(exif({wild.DESCRIPTION: value.encode() + b"\0"}))),
    }[place]()
    report = labeling.verify(data, visible=False)
    assert [status for status, _ in labels(report)] == ["present"], report.to_dict()
    assert report.origin == "confirmed"


@pytest.mark.parametrize("value", ["TC260:AIGC is explained here", "AIGC={", "TC260:AIGC=", "AIGC Tool 2"])
def test_what_only_begins_so_is_no_label(value: str) -> None:
    report = labeling.verify(png(text("Comment", value)), visible=False)
    assert (labels(report), report.origin) in (
        ([("absent", set())], "none"),
        ([("defective", {"CN-IMPLICIT-JSON"})], "confirmed"),  # a brace is open: a label cut off
    )
    assert "{" in value or labels(report)[0][0] == "absent"


@pytest.mark.parametrize(
    ("label", "origin"),
    [("AIGCLabelType.AI_GENERATED", "confirmed"), ("AIGCLabelType.AI_POSSIBLE", "possible"),
     ("AIGCLabelType.AI_SUSPECTED", "suspected")],
)  # fmt: skip
@pytest.mark.parametrize("place", ["PNG aigc", "UserComment"])
def test_names_of_an_enumeration_in_place_of_the_label(label: str, origin: str, place: str) -> None:
    """C: ``"aigc"`` in small letters, and the name of the value in its program instead of the value."""
    value = compact({"aigc": ENUM | {"Label": label}})
    data = (
        png(text("aigc", value)) if place == "PNG aigc" else jpeg(wild.app1_exif(wild.commented(ascii_comment(value))))
    )
    report = labeling.verify(data, visible=False)
    assert labels(report) == [("defective", {"CN-IMPLICIT-LABEL", "CN-IMPLICIT-KEYS"})]
    assert report.origin == origin


def test_documents_of_coding_tools_and_offices() -> None:
    """C: Trae's front matter in alphabetical order, iFlow's flow mapping, Tencent's block at the end."""
    trae = "---\nAIGC:\n" + "".join(f"  {key}: '{value}'\n" for key, value in TRAE.items()) + "---\n# Text\n"
    iflow = "---\nAIGC: {" + ", ".join(f"{key}: '{value}'" for key, value in IFLOW.items()) + "}\n---\n# Text\n"
    tencent = "# Text\n\nprose\n\nAIGC:\n" + "".join(f"  {key}: {value}\n" for key, value in TENCENT.items())
    expected: dict[str, tuple[str, set[str]]] = {
        trae: ("present", set()), iflow: ("defective", {"CN-IMPLICIT-KEY-NAME"}), tencent: ("present", set()),
    }  # fmt: skip
    for document, (status, rules) in expected.items():
        report = labeling.verify(document.encode(), visible=False)
        assert labels(report) == [(status, rules)], document
        assert report.origin == "confirmed"


def video(path: Path, *metadata: str, sound: bool = False) -> Report:
    """A video or audio file that FFmpeg wrote with this metadata, verified."""
    options = ["-movflags", "use_metadata_tags"] if path.suffix == ".mp4" and "=" in "".join(metadata) else []
    source = "sine=d=0.5:r=48000" if sound else "testsrc2=s=64x64:r=10:d=0.5"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source]
    for each in metadata:
        command += ["-metadata", each]
    subprocess.run([*command, *options, path], check=True)
    return labeling.verify(path, visible=False)


GRAPH = json.dumps({
    "prompt": json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}),
    "workflow": {"last_node_id": 9, "nodes": []},
})  # fmt: skip


@pytest.mark.parametrize("form", ["mp4", "mkv", "webm"])
def test_video_helper_suite(form: str, tmp_path: Path) -> None:
    """C: the node graph as the comment."""
    report = video(tmp_path / f"a.{form}", f"comment={GRAPH}")
    assert (traces(report), report.origin) == ({("ComfyUI", "high")}, "suspected")


@pytest.mark.parametrize("comment", [
    f"made with suno; created=2026-02-25T03:57:12Z; id={UUID}", "made with suno studio",
])  # fmt: skip
@pytest.mark.parametrize("form", ["mp3", "flac", "ogg", "opus", "wav", "m4a"])
def test_suno(form: str, comment: str, tmp_path: Path) -> None:
    """C: ID3 COMM, Vorbis comment, RIFF ICMT, ©cmt."""
    report = video(tmp_path / f"a.{form}", f"comment={comment}", sound=True)
    assert (traces(report), report.origin) == ({("Suno", "high")}, "suspected")


@pytest.mark.parametrize("frame_name", ["WOAS", "COMM"])
def test_suno_s_frames(frame_name: str, tmp_path: Path) -> None:
    """C: WOAS, the address of the source, and COMM without a description (ID3v2.3 4.3.1, 4.11)."""
    path = tmp_path / "a.mp3"
    video(path, sound=True)
    sound = path.read_bytes()
    if sound[:3] == b"ID3":
        size = sum((byte & 127) << shift for byte, shift in zip(sound[6:10], (21, 14, 7, 0), strict=True))
        sound = sound[10 + size :]
    content = f"https://suno.com/song/{UUID}".encode()
    if frame_name == "COMM":
        content = b"\0eng\0made with suno; created=2026-02-25T03:57:12Z"
    frame = frame_name.encode() + struct.pack(">I", len(content)) + b"\0\0" + content
    size = len(frame)
    head = b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    report = labeling.verify(head + frame + sound, visible=False)
    assert (traces(report), report.origin) == ({("Suno", "high")}, "suspected")


def test_what_google_writes_in_mp4_others_write_too(tmp_path: Path) -> None:
    """C: ©too = Google is Veo's, and YouTube's: it is reported, and makes nothing suspected."""
    path = tmp_path / "a.mp4"
    video(path)
    subprocess.run(["exiftool", "-overwrite_original", "-q", "-ItemList:Encoder=Google", path], check=True)
    report = labeling.verify(path, visible=False)
    assert (traces(report), report.origin) == ({("Google", "low")}, "none")


def test_jimeng_s_video_of_2025_is_a_trace(tmp_path: Path) -> None:
    """Seen, but not a label: keys LvMetaInfo, UserComment, Artwork and Comment, and no AIGC."""
    report = video(
        tmp_path / "a.mp4", "LvMetaInfo={}", f"UserComment={compact(DREAMINA)}", "Artwork=x", "Comment=vid:v0123",
    )  # fmt: skip
    assert labels(report) == [("absent", set())]
    assert (traces(report), report.origin) == ({("Dreamina/Jimeng", "high")}, "suspected")


def test_doubao_s_video_of_2025_says_nothing(tmp_path: Path) -> None:
    """Seen, but not a label: Comment = vid:…, of which nothing is known."""
    report = video(tmp_path / "a.mp4", "Comment=vid:v0123")
    assert (labels(report), traces(report), report.origin) == ([("absent", set())], set(), "none")


def chance() -> dict[str, bytes]:
    """Files whose bytes hold AIGC by chance or as text."""
    samples = b"AIGC{}" * 40
    sound = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000,
                                                                                      1, 8)  # fmt: skip
    return {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>AIGC {"Label":"1"}</text></svg>',
        "wav": sound + b"data" + struct.pack("<I", len(samples)) + samples,
    }


@pytest.mark.parametrize("form", ["svg", "wav"])
def test_aigc_by_chance_is_no_label(form: str) -> None:
    report = labeling.verify(chance()[form], visible=False)
    assert report.readable
    assert (labels(report), traces(report), report.origin) == ([("absent", set())], set(), "none")


@pytest.mark.parametrize("form", ["avi", "flv"])
def test_forms_of_the_guide_for_video(form: str, tmp_path: Path) -> None:
    """B: AVI LIST INFO and FLV onMetaData, which FFmpeg does not write under this name; :func:`labeling` does."""
    path = tmp_path / f"a.{form}"
    video(path)
    out = tmp_path / f"b.{form}"
    labeling.Labeler(FULL["ContentProducer"], visible=False).label_file(path, out)
    report = labeling.verify(out, visible=False)
    assert labels(report) == [("present", set())]
    found: dict[str, Any] = next(m.value for m in report.findings if m.kind == "aigc")
    assert found["ContentProducer"] == FULL["ContentProducer"]


def test_seedream_s_picture_has_a_manifest_and_no_label() -> None:
    """A23: APP11 of a JPEG, signed by Volcengine whose root is on neither list; no implicit label."""
    volcengine = "北京火山引擎科技有限公司"
    ca = root()
    data = signed(issued(ca, common_name=volcengine, organisation=volcengine), ca)
    assert data[:2] == b"\xff\xd8"
    assert b"\xff\xeb" in data[:64]
    report = labeling.verify(data, ["cn", "eu"], visible=False)
    assert (labels(report), report.origin) == ([("absent", set())], "suspected")
    manifest = report.find("c2pa")
    assert manifest is not None
    assert (manifest.signature, manifest.defects) == ("valid", ())
    assert manifest.value["issuer"] == volcengine
    assert manifest.value["trust"]["state"] == "unlisted"
    assert manifest.value["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert [each.rule for each in report.verdicts["cn"].failed] == ["CN-IMPLICIT-MISSING"]
    assert "EU-SIGNED" not in {each.rule for each in report.verdicts["eu"].failed}
