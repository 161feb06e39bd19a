"""Redaction: what exiftool, ffmpeg and c2pa write about a person in many places is in no report, in no form."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

import labeling
from labeling.cli import group
from labeling.findings import Finding, Status
from labeling.marks.credentials import library, make_test_chain
from labeling.reports import FORMATS, render
from labeling.verification.redaction import REST

from . import programs

PRODUCER = "001191000000MA00DEM00P10001"
ID = "0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d"
SYSTEM, VERSION = "example-diffusion", "3.1"
PERSONAL = ("Zoe", "Quux", "zoe.quux", "SN7712", "48.137", "11.575", "1234567", "/home/zq", "acct-zq", "陈小明")
"""What is planted; none of it may be anywhere."""

NAME = "Zoe Quux 陈小明"
EXIFTOOL = (
    f"-Artist={NAME}", f"-Copyright=(c) {NAME}", f"-OwnerName={NAME}", "-SerialNumber=SN7712",
    "-LensSerialNumber=SN7712", "-GPSLatitude=48.1372",
    "-GPSLatitudeRef=N", "-GPSLongitude=11.5755", "-GPSLongitudeRef=E",
    f"-XMP-dc:Creator={NAME}",
    f"-XMP-dc:Rights={NAME}", f"-IPTC:By-line={NAME}", "-IPTC:Contact=zoe.quux@example.org", f"-Comment=by {NAME}",
    "-XMP-iptcCore:CreatorWorkEmail=zoe.quux@example.org", "-UserComment=call +49 89 1234567",
    "-XMP-photoshop:Credit=Zoe",
    "-ImageDescription=zoe.quux@example.org made with Midjourney", "-XMP-xmpMM:DerivedFromFilePath=/home/zq/a.png",
    f"-XMP-iptcExt:PersonInImage={NAME}", "-XMP-xmp:CreatorTool=Tool of Zoe's, by Zoe Quux", "-XPAuthor=Zoe",
    "-XMP-xmp:Nickname=acct-zq", f"-XMP-xmpRights:Owner={NAME}", "-HostComputer=/home/zq",
)  # fmt: skip
PROMPT = f"AI generated portrait of {NAME}, acct-zq, /home/zq\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234567"


def _exiftool(path: Path) -> None:
    subprocess.run(["exiftool", "-q", "-m", "-overwrite_original", *EXIFTOOL, path], check=True, capture_output=True)


def _jpeg(folder: Path) -> Path:
    return _still(folder, "jpg")


def _still(folder: Path, suffix: str) -> Path:
    Image.effect_noise((300, 260), 60).convert("RGB").save(source := folder / f"plain.{suffix}")
    path = folder / f"Zoe Quux holiday.{suffix}"
    _labeler().label_file(source, path, content_id=ID)
    _exiftool(path)
    return path


def _png(folder: Path) -> Path:
    path = _still(folder, "png")
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    for key, value in (("parameters", PROMPT), ("Author", NAME), ("acct-zq", "x"), ("Description", PROMPT)):
        text.add_itxt(key, value)
    with Image.open(path) as image:
        text.add_itxt("XML:com.adobe.xmp", image.info["XML:com.adobe.xmp"])
        image.load()
        image.save(path, pnginfo=text)
    return path


def _media(folder: Path, suffix: str, *source: str) -> Path:
    plain, path = folder / f"plain.{suffix}", folder / f"Zoe Quux.{suffix}"
    tags = [
        f"{key}={value}" for key, value in (("artist", NAME), ("comment", PROMPT), ("author", NAME), ("title", "Zoe"))
    ]
    more = [part for tag in tags for part in ("-metadata", tag)]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", *source, *more, plain], check=True)
    _labeler().label_file(plain, path, content_id=ID)
    return path


def _signed(folder: Path) -> Path:
    """A JPEG whose manifest names persons: as author of a CreativeWork, in titles, descriptions and the agent."""
    c2pa = library.load()
    chain = make_test_chain()
    work = {"@context": "https://schema.org", "@type": "CreativeWork", "author": [{"@type": "Person", "name": NAME}]}
    trained = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    action = {
        "action": "c2pa.created", "digitalSourceType": trained, "softwareAgent": {"name": SYSTEM, "version": VERSION},
        "description": f"prompt of {NAME}", "when": "2026-11-30T12:00:00Z",
    }  # fmt: skip
    other = {"action": "com.zoe.quux", "parameters": {"description": "acct-zq"}}
    actions = {"actions": [action, other]}
    definition = {
        "claim_generator_info": [{"name": "example-tool", "version": "1.0"}], "title": f"{NAME}.jpg",
        "ingredients": [{"title": "/home/zq/face.jpg", "format": "image/jpeg", "relationship": "componentOf"}],
        "assertions": [
            {"label": "stds.schema-org.CreativeWork", "data": work}, {"label": "c2pa.actions", "data": actions},
        ],
    }  # fmt: skip
    source, path = folder / "s.jpg", folder / "signed Zoe.jpg"
    Image.effect_noise((300, 260), 60).convert("RGB").save(source)
    info = c2pa.C2paSignerInfo(b"es256", chain.cert_pem, chain.key_pem, None)
    with c2pa.Builder(json.dumps(definition)) as builder, source.open("rb") as inside, path.open("w+b") as out:
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", inside, out)
    return path


def _labeler() -> labeling.Labeler:
    return labeling.Labeler(producer=PRODUCER, generator=SYSTEM, generator_version=VERSION, visible=False)


KINDS: dict[str, Callable[[Path], Path]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": lambda folder: _still(folder, "webp"),
    "tiff": lambda folder: _still(folder, "tif"),
    "mp4": lambda folder: _media(folder, "mp4", "-i", "testsrc=s=160x120:d=1", "-pix_fmt", "yuv420p"),
    "mkv": lambda folder: _media(folder, "mkv", "-i", "testsrc=s=160x120:d=1", "-pix_fmt", "yuv420p"),
    "mp3": lambda folder: _media(folder, "mp3", "-i", "sine=d=1:r=16000"),
    "flac": lambda folder: _media(folder, "flac", "-i", "sine=d=1:r=16000"),
    "c2pa": _signed,
}


@pytest.fixture(scope="module", params=KINDS)
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    programs.require("exiftool", "ffmpeg")
    return request.param, KINDS[request.param](tmp_path_factory.mktemp("zq"))


def leaks(text: str) -> list[str]:
    plain = json.loads(text) if text.startswith(("[", "{")) else text
    both = text + (json.dumps(plain, ensure_ascii=False) if plain is not text else "")
    return [each for each in PERSONAL if each.lower() in both.lower()]


def test_no_planted_word_is_in_any_form(planted: tuple[str, Path]) -> None:
    kind, path = planted
    full = labeling.verify(path, ["cn", "eu", "us-ca", "platform"], visible=False)
    assert leaks(str(path))
    report = labeling.redact(full)
    for form in FORMATS:
        for language in ("en", "zh"):
            assert leaks(render(form, [report], language=language)) == [], (form, language)
    listing = labeling.inspect(path)
    assert leaks(json.dumps(listing, ensure_ascii=False)) != [], "nothing was planted"
    assert leaks(json.dumps(labeling.redact(listing), ensure_ascii=False)) == []
    for name, verdict in full.verdicts.items():
        assert report.verdicts[name].outcome is verdict.outcome
        assert {d.rule for d in report.verdicts[name].failed} == {d.rule for d in verdict.failed}
    if kind != "c2pa":
        field = report.find("aigc")
        assert field is not None
        assert (field.value["ContentProducer"], field.value["ProduceID"], field.value["Label"]) == (PRODUCER, ID, "1")
    if kind in ("jpeg", "png", "webp", "tiff"):
        said = report.find("iptc")
        assert said is not None
        assert (said.value["AISystemUsed"], said.value["AISystemVersionUsed"]) == (SYSTEM, VERSION)


def test_the_systems_in_a_manifest_stay(tmp_path: Path) -> None:
    report = labeling.redact(labeling.verify(_signed(tmp_path), visible=False))
    value = report.find("c2pa").value  # type: ignore[union-attr]
    assert value["software_agent"] == f"{SYSTEM} {VERSION}"
    assert value["created"] == "2026-11-30T12:00:00Z"
    assert value["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert value["title"] == "withheld"
    assert value["history"][-1]["actions"][0]["description"] == "withheld"
    assert value["integrity"]["state"] == "intact"


@pytest.mark.parametrize("planted", ["jpeg", "mp4", "c2pa"], indirect=True)
def test_the_commands_show_nothing_personal(planted: tuple[str, Path]) -> None:
    _, path = planted
    other = path.parent / f"again Zoe{path.suffix}"
    shutil.copyfile(path, other)
    for command in (["verify", "--no-visible"], ["verify", "--no-visible", "--format", "html"], ["inspect"],
                    ["inspect", "--format", "json"]):  # fmt: skip
        done = CliRunner().invoke(group, [*command, "--redact", str(path), str(other)])
        assert leaks(done.output) == [], command
        assert "file 2" in done.output


def test_values_that_may_name_somebody_are_withheld() -> None:
    fields: dict[str, Any] = {"ContentProducer": "Zoe Quux", "ProduceID": "zoe-quux-1", "Label": ["1"], "acct-zq": "1"}
    one = Finding("aigc", Status.PRESENT, "PNG tEXt acct-zq", fields)
    seen = Finding("visible", Status.PRESENT, "bottom", {"text": "Zoe AI生成", "box": [1, 2, 3, 4]})
    blank = labeling.verify(b"\x89PNG\r\n\x1a\n", visible=False)
    report = labeling.redact(replace(blank, findings=(one, seen)))
    assert report.findings[0].where == "PNG tEXt …"
    withheld = dict.fromkeys(("ContentProducer", "ProduceID", "Label"), "withheld")
    assert report.findings[0].value == {**withheld, REST: 1}
    assert report.findings[1].value == {"text": "AI … 生成", "box": [1, 2, 3, 4]}
    assert report.to_dict()["redacted"] is True


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (ID, True), ("job-42", True), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True), (f"urn:c2pa:{ID}", True),
        ("d41d8cd9", True),
        ("img_20260131_0001", True), ("zoe@quux.example", False), ("Zoe-1987", False), ("110101199003074514", False),
        ("13800138000", False), ("+498912345678", False), ("陈小明1", False), ("zoequux", False),
        ("7yXkQpR2mV9cT4bA", True),
        ("Smith-1234567890AbC", False),
        ("33aAROBAQOOK4K6FXe9TNg", True), ("R-WECeL3DtSUm1rAVB88_Yuw", True), ("SMITH-12345678901-aBc", False),
    ],
)  # fmt: skip
def test_numbers_of_content(text: str, stays: bool) -> None:
    from labeling.verification._harmless import number_of_content

    assert (number_of_content(text) == text) is stays


def test_the_code_of_a_person_is_withheld() -> None:
    from labeling.verification._harmless import code

    assert code(PRODUCER) == PRODUCER
    assert code("doubao") == "doubao"
    assert code("91110105MACJ6K1C8ABJJDXY") == "91110105MACJ6K1C8ABJJDXY"
    assert code("110101199003074514") == code("911101199003074514") == "withheld"
    assert code("002" + PRODUCER[3:]) == "withheld"  # a natural person's: TC260-PG-20252A
