"""The table of formats: one row is all that a format needs, and every row holds what it says."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from labeling import inspect, verify
from labeling.cli import group
from labeling.containers import formats
from labeling.containers.format_row import Format, PictureEncoding, resolve
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat
from labeling.findings import Status
from labeling.fingerprint import distance, fingerprint
from labeling.labeler import Labeler
from labeling.reports import render
from labeling.reports.file_evidence import gather_evidence

from . import programs, toy_format
from .pictures import rgb
from .rule_files import signed
from .test_bad_input import PRODUCER

ROOT = Path(__file__).resolve().parent.parent
ROWS = [pytest.param(row, id=row.name) for row in formats.FORMATS]


# --- a made-up format, added by its row alone ---


@pytest.fixture
def toy() -> Iterator[Format]:
    row = toy_format.row()
    formats.register(row)
    yield row
    formats.unregister(row.name)


@pytest.fixture
def path(toy: Format, tmp_path: Path) -> Path:
    made = tmp_path / "picture.toy"
    made.write_bytes(toy_format.write(rgb(640, 480)))
    return made


def test_a_new_format_is_recognised_and_inspected(path: Path) -> None:
    shown = inspect(path)
    assert (shown["format"], shown["media_type"], shown["width"]) == ("toy", "image/x-toy", 640)
    assert formats.format_named("TOY") is formats.format_named(".toy") is formats.format_named("image/x-toy")
    assert formats.claimed_by("a.toy") == ("toy", "Toy picture")


def test_a_file_of_a_new_format_is_labelled_and_verified(path: Path) -> None:
    before = verify(path)
    assert {finding.kind: finding.status for finding in before.findings} == dict.fromkeys(
        ("aigc", "visible", "c2pa", "iptc"), Status.ABSENT
    )
    made = Labeler(producer=PRODUCER).label_file(path)
    assert made.path.name == "picture.labeled.toy"
    assert made.how == ("drawn on the toy",)
    after = verify(made.path)
    assert after.media_type == "image/x-toy"
    assert after.verdicts["cn"].outcome == "compliant"
    assert {finding.kind for finding in after.findings if finding.status is Status.PRESENT} == {
        "aigc", "visible", "iptc",
    }  # fmt: skip
    assert {finding.where for finding in after.findings if finding.kind == "aigc"} == {"Toy packet, element TC260:AIGC"}


def test_pixels_are_labelled_as_a_new_format(toy: Format) -> None:
    made = Labeler(producer=PRODUCER).label_image(rgb(640, 480), "toy")
    assert made.data.startswith(toy_format.MAGIC)
    assert made.how == ("encoded as a toy",)
    assert verify(made.data).verdicts["cn"].outcome == "compliant"


def test_a_damaged_file_of_a_new_format_is_unreadable_and_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    assert {finding.status for finding in verify(path, visible=False).findings} == {Status.UNREADABLE}
    with pytest.raises(UnreadableFile):
        Labeler(producer=PRODUCER).label_file(path)


def test_a_new_format_has_a_fingerprint_and_a_thumbnail(path: Path) -> None:
    wanted, found = fingerprint(rgb(640, 480)), fingerprint(path)
    assert wanted is not None
    assert found is not None
    assert distance(wanted, found) == 0
    evidence = gather_evidence(path)
    assert evidence is not None
    assert (evidence.width, evidence.height, evidence.thumbnail[:2]) == (640, 480, b"\xff\xd8")
    assert "image/x-toy" in render("html", [verify(path, visible=False)], evidence=[evidence])


def test_the_commands_take_a_new_format(path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(group, [*arguments, str(path)])
        return result.exit_code, result.stdout

    assert run("verify", "--no-visible", "--format", "json")[0] == 1
    assert run("add", "--producer", PRODUCER, "--in-place")[0] == 0
    code, text = run("verify", "--format", "json")
    assert code == 0
    assert json.loads(text)[0]["media_type"] == "image/x-toy"
    code, text = run("inspect")
    assert code == 0
    assert "Toy packet" in text


def test_the_readme_s_table_would_show_a_new_format(toy: Format, make_docs: ModuleType) -> None:
    line = "| Toy picture | the packet at the start | nothing: a toy has no compression | yes | – |"
    assert line in make_docs.formats_table().splitlines()


def test_a_format_that_was_taken_out_is_unknown(path: Path, toy: Format) -> None:
    formats.unregister(toy.name)
    with pytest.raises(UnsupportedFormat):
        inspect(path)
    with pytest.raises(UnsupportedFormat, match="choose one of jpeg, png, webp, gif, tiff, avif, heif"):
        Labeler(producer=PRODUCER).label_image(rgb(), "toy")


def test_a_format_without_a_codec_is_read_and_not_drawn_on(tmp_path: Path) -> None:
    row = toy_format.row(opener="", painter="", on_file="", encodings=())
    assert not row.drawable
    formats.register(row)
    try:
        data = toy_format.write(rgb(64, 64))
        [visible] = [finding for finding in verify(data).findings if finding.kind == "visible"]
        assert visible.status is Status.UNREADABLE
        assert fingerprint(data) is None
        with pytest.raises(LabelingError, match="cannot be painted on"):
            Labeler(producer=PRODUCER).label_image(data)
        assert Labeler(producer=PRODUCER, visible=False).label_image(data).media_type == "image/x-toy"
    finally:
        formats.unregister("toy")


# --- rows that contradict themselves, or each other ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"media_types": ()}, "needs a media type"),
        ({"extensions": (".TOY",)}, "lower case"),
        ({"extensions": ("toy",)}, "with a dot"),
        ({"signatures": ()}, "recognised by signatures"),
        ({"carrier": ""}, "one of carrier and no_carrier"),
        ({"no_carrier": "nowhere"}, "one of carrier and no_carrier"),
        ({"label_home": "text"}, "home_prefix"),
        ({"home_prefix": "Toy "}, "home_prefix"),
        ({"label_home": "text", "home_prefix": "Toy "}, "for video and audio"),
        ({"has_xmp": False}, "needs has_xmp"),
        ({"plugin": "PngImagePlugin:PngImageFile"}, "exclude each other"),
        ({"opener": ""}, "need a plugin or an opener"),
        ({"demuxer": "mov"}, "media and demuxer"),
        ({"media": True}, "media and demuxer"),
        ({"media": True, "demuxer": "mov"}, "have no painter"),
        ({"edit": "remux"}, "muxers and edit"),
        ({"on_file": ""}, "on_file goes with"),
        ({"painter": ""}, "on_file goes with"),
    ],
)
def test_a_row_that_contradicts_itself_cannot_be_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        toy_format.row(**changes)


def test_an_encoding_needs_a_mode_that_every_picture_can_have() -> None:
    with pytest.raises(ValueError, match="modes need RGB"):
        PictureEncoding(name="toy", media_type="image/x-toy", encoder="toy:encode", modes=("L",))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "png"},
        {"extensions": (".jpg",)},
        {"media_types": ("image/webp",)},
        {"encodings": (PictureEncoding(name="jpg", media_type="image/x-toy", encoder="a:b", modes=("RGB",)),)},
    ],
)
def test_no_two_rows_claim_the_same(changes: dict[str, Any]) -> None:
    before = formats.FORMATS
    with pytest.raises(ValueError, match="two entries of the table of formats claim"):
        formats.register(toy_format.row(**changes))
    assert formats.FORMATS is before


# --- every row holds what it says ---


@pytest.mark.parametrize("row", ROWS)
def test_the_container_module_is_there(row: Format) -> None:
    module = formats.container_module(row)
    assert callable(module.read)
    assert callable(module.rewrite)
    assert not row.sniffed or callable(module.looks_like)


@pytest.mark.parametrize("row", [row for row in formats.FORMATS if row.drawable], ids=lambda row: row.name)
def test_what_decodes_and_encodes_it_is_there(row: Format) -> None:
    for reference in (row.opener, row.decoder, *(encoding.encoder for encoding in row.encodings)):
        assert not reference or callable(resolve(reference, "labeling.codecs"))
    assert not row.painter or callable(resolve(row.painter, "labeling.codecs").paint)
    assert not row.plugin or issubclass(resolve(f"PIL.{row.plugin}"), Image.Image)
    assert not row.demuxer or av.ContainerFormat(row.demuxer).is_input


@pytest.mark.parametrize("row", ROWS)
def test_media_types_and_extensions_of_encodings_are_the_row_s(row: Format) -> None:
    assert {encoding.media_type for encoding in row.encodings} <= set(row.media_types)
    assert {extension for muxer in row.muxers for extension in muxer.extensions} <= set(row.extensions)


@pytest.mark.parametrize("encoding", [encoding for row in formats.FORMATS for encoding in row.encodings])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_every_encoding_gives_a_file_of_its_format(encoding: PictureEncoding, mode: str) -> None:
    from labeling import codecs, containers

    picture = Image.fromarray(np.asarray(rgb(64, 48))).convert(mode)
    for name in (encoding.name, *encoding.aliases):
        painted = codecs.encode(picture, name, None)
        assert containers.read(painted.data).media_type == encoding.media_type


@pytest.mark.parametrize("row", ROWS)
def test_the_readme_says_what_becomes_of_it(row: Format) -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    line, *rest = [line for line in lines if line.startswith(f"| {row.title} | ")]
    assert [row.kept in other for other in rest] == ([True] if row.carrier else [])  # what is compared on every write
    assert line.split(" | ")[1:3] == [row.carrier or row.no_carrier, row.on_file or "–"]


def test_kinds_that_are_not_read_claim_nothing_that_is() -> None:
    claimed = {extension for row in formats.FORMATS for extension in row.extensions}
    assert not claimed & {extension for kind in formats.UNREAD for extension in kind.extensions}


SAME_WORDS = {
    "labeling/codecs/video/base.py": "names of FFmpeg's codecs",
    "tools/native_licences.py": "names of native libraries",
    "tools/notice.py": "names of extras",
}


def test_nothing_outside_compares_the_name_of_a_format() -> None:
    """Facts about a format are in its row. A module of a format may know itself: those are below ``containers``."""
    names = {row.name for row in formats.FORMATS} | {muxer.name for row in formats.FORMATS for muxer in row.muxers}
    found = []
    for path in sorted(file for folder in ("labeling", "cli", "tools") for file in (ROOT / folder).rglob("*.py")):
        if "containers" in path.parts or str(path.relative_to(ROOT)) in SAME_WORDS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                constants = [each for side in (node.left, *node.comparators) for each in ast.walk(side)]
            elif isinstance(node, ast.Dict):
                constants = [key for key in node.keys if key is not None]
            else:
                continue
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno} {each.value}"
                for each in constants
                if isinstance(each, ast.Constant) and each.value in names
            ]
    assert found == []


@pytest.fixture
def make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_docs"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "media_type"), [("a.mp4", "video/mp4"), ("a.wav", "audio/wav")])
def test_a_signed_file_is_inspected_by_its_path_as_from_memory(tmp_path: Path, name: str, media_type: str) -> None:
    programs.require("ffmpeg")
    path = tmp_path / name
    source = "testsrc=s=64x48:r=5:d=1" if name == "a.mp4" else "sine=d=1:r=8000"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, str(path)], check=True)
    path.write_bytes(signed(path.read_bytes(), media_type))
    found = inspect(path)
    assert "created" in found["history"][0]["actions"][0]["action"]
    assert found | {"path": ""} == inspect(path.read_bytes()) | {"path": ""}
