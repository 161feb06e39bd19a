"""Washington, India and Korea; from when on each profile's law applies, and profiles that share a name."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

import labeling
from labeling import Labeler, LabelingError, containers
from labeling.cli import group
from labeling.containers import Changes
from labeling.findings import Finding, Signature, Status
from labeling.marks.visible import font
from labeling.reports.html import to_html
from labeling.rule_catalogue import defect
from labeling.rules import PROFILES, Evidence, custom, evaluate, profiles

from .marks.signing import chain, picture
from .pictures import rgb
from .programs import require
from .rule_files import CODE, FIELDS, LABEL, TERMS, changed, jpeg, packet, signed


def told_by(*arguments: str | Path, code: int | None = None) -> str:
    """What the command says, on one line."""
    result = CliRunner().invoke(group, [str(each) for each in arguments])
    assert code is None or result.exit_code == code, result.output
    return " ".join(result.output.split())


BARE = Finding("visible", Status.ABSENT)
NONE = [Finding("aigc", Status.ABSENT), Finding("iptc", Status.ABSENT), Finding("c2pa", Status.ABSENT)]


def shown(*languages: str, **value: Any) -> Finding:
    said = {"languages": list(languages)} if languages else {}
    return Finding("visible", Status.PRESENT, "bottom", said | value, Signature.NONE)


def judged(name: str, *findings: Finding, **more: Any) -> tuple[str, set[str]]:
    verdict = evaluate(Evidence(findings, **more), PROFILES[name])
    return str(verdict.outcome), {each.rule for each in (*verdict.failed, *verdict.warnings)}


WATERMARK = Finding("watermark", Status.PRESENT, "picture", {"ai": True}, Signature.NONE)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (signed(picture()), "compliant"),
        (changed(signed(picture())), "noncompliant"),
        (signed(picture(), digital_source_type=TERMS + "digitalCapture"), "noncompliant"),
        (jpeg(LABEL, FIELDS), "noncompliant"),
        (picture(), "noncompliant"),
    ],
    ids=["C2PA", "broken", "camera", "other metadata", "nothing"],
)
def test_washington_takes_c2pa_or_a_watermark(data: bytes, outcome: str) -> None:
    verdict = labeling.verify(data, "us-wa", visible=False, as_of=date(2027, 2, 1)).verdicts["us-wa"]
    assert str(verdict.outcome) == outcome
    assert outcome == "compliant" or "US-WA-PROVENANCE" in [each.rule for each in verdict.failed]


def test_washington_takes_a_watermark_and_does_not_call_missing_what_was_not_read() -> None:
    assert judged("us-wa", *NONE, WATERMARK) == ("compliant", set())
    unread = Finding("c2pa", Status.UNREADABLE, "", {}, Signature.NONE)
    assert judged("us-wa", *NONE[:2], unread) == ("inconclusive", {"US-WA-PROVENANCE"})
    other = Finding("watermark", Status.PRESENT, "", {"ai": False})
    assert judged("us-wa", *NONE, other)[0] == "noncompliant"


def _from(relationship: str, created: str) -> bytes:
    """A picture whose manifest names one that AI made among those that it was made from."""
    made = chain()
    actions = [{"action": "c2pa.created", "digitalSourceType": TERMS + created}]
    named = {"title": "part", "relationship": relationship}
    if relationship == "parentOf":
        named["instance_id"] = "part"
        actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["part"]}}]  # type: ignore[dict-item]
    definition = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]}
    info, out = c2pa.C2paSignerInfo(b"es256", made.cert_pem, made.key_pem, None), io.BytesIO()
    with c2pa.Builder.from_json(json.dumps(definition)) as builder:
        builder.add_ingredient(json.dumps(named), "image/jpeg", io.BytesIO(signed(picture())))
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(picture()), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("relationship", "created", "said"),
    [("parentOf", "", True), ("componentOf", "digitalCapture", False), ("inputTo", "composite", False)],
)
def test_a_manifest_speaks_of_its_content_and_of_the_parent_but_not_of_other_ingredients(
    relationship: str, created: str, said: bool
) -> None:
    verdicts = labeling.verify(_from(relationship, created), ["us-wa", "eu-art50", "eu"], visible=False).verdicts
    assert ("US-WA-PROVENANCE" not in [each.rule for each in verdicts["us-wa"].failed]) is said
    assert (str(verdicts["eu-art50"].outcome) == "compliant") is said
    assert ("EU-SIGNED" not in [each.rule for each in verdicts["eu"].failed]) is said


IDENTIFIED = Finding("aigc", Status.PRESENT, "", LABEL | {"ContentProducer": CODE}, Signature.NONE)
SMALL = replace(shown("en"), status=Status.DEFECTIVE, defects=(defect("CN-VISIBLE-SIZE", "too small"),))
NAMED = Finding("iptc", Status.ABSENT, "", {"AISystemUsed": "Painter"})


@pytest.mark.parametrize(
    ("findings", "medium", "outcome", "rules"),
    [
        ([shown("en"), IDENTIFIED], "image", "compliant", {"IN-PERMANENT"}),
        ([shown("en"), NAMED], "video", "compliant", {"IN-PERMANENT"}),
        ([shown("en"), NAMED, WATERMARK], "video", "compliant", set()),
        ([SMALL, IDENTIFIED], "image", "inconclusive", {"CN-VISIBLE-SIZE", "IN-VISIBLE", "IN-PERMANENT"}),
        ([shown("zh"), IDENTIFIED], "image", "noncompliant", {"IN-VISIBLE", "IN-PERMANENT"}),
        ([BARE, IDENTIFIED], "image", "noncompliant", {"IN-VISIBLE", "IN-PERMANENT"}),
        ([shown("en"), *NONE], "image", "noncompliant", {"IN-IDENTIFIER", "IN-PERMANENT"}),
        ([shown("en"), Finding("aigc", Status.PRESENT, "", LABEL)], "image", "noncompliant",
         {"IN-IDENTIFIER", "IN-PERMANENT"}),
        ([IDENTIFIED, shown(kind="spoken", seconds=[0.0, 2.0])], "audio", "compliant", {"IN-PERMANENT"}),
        ([IDENTIFIED, shown("en", kind="spoken", seconds=[0.0, 2.0])], "audio", "compliant", {"IN-PERMANENT"}),
        ([IDENTIFIED, replace(BARE, status=Status.PRESENT, value={"kind": "rhythm", "seconds": [9.0, 10.3], "beside": [
            {"kind": "spoken", "languages": ["en"], "seconds": [0.0, 2.0]}]})], "audio", "compliant", {"IN-PERMANENT"}),
        ([IDENTIFIED, shown("zh", kind="spoken", seconds=[0.0, 2.0])], "audio", "noncompliant",
         {"IN-AUDIBLE", "IN-PERMANENT"}),
        ([IDENTIFIED, shown(kind="spoken", seconds=[9.0, 11.0])], "audio", "noncompliant",
         {"IN-AUDIBLE", "IN-PERMANENT"}),
        ([IDENTIFIED, shown(kind="rhythm", seconds=[0.0, 2.0])], "audio", "noncompliant",
         {"IN-AUDIBLE", "IN-PERMANENT"}),
        ([IDENTIFIED, BARE], "audio", "noncompliant", {"IN-AUDIBLE", "IN-PERMANENT"}),
        ([IDENTIFIED, Finding("visible", Status.UNREADABLE)], "audio", "inconclusive",
         {"IN-AUDIBLE", "IN-PERMANENT"}),
    ],
)  # fmt: skip
def test_india(findings: list[Finding], medium: str, outcome: str, rules: set[str]) -> None:
    assert judged("in", *findings, medium=medium) == (outcome, rules)


def test_the_languages_of_a_custom_profile_are_those_of_its_label() -> None:
    german = custom.build({"extends": "in", "languages": ["de"]}, "german", PROFILES)
    for language, outcome in (("de", "compliant"), ("en", "noncompliant")):
        assert str(evaluate(Evidence((shown(language), IDENTIFIED)), german).outcome) == outcome


def test_india_leaves_open_what_was_not_looked_for() -> None:
    skipped = frozenset({"visible"})
    assert judged("in", IDENTIFIED, skipped=skipped) == ("inconclusive", {"IN-VISIBLE", "IN-PERMANENT"})
    assert judged("in", IDENTIFIED, skipped=skipped, medium="audio")[1] == {"IN-AUDIBLE", "IN-PERMANENT"}


@pytest.mark.parametrize(
    ("findings", "outcome", "rules"),
    [
        ([shown("ko")], "compliant", set()),
        ([shown("en")], "compliant", {"KR-WORDING"}),
        ([shown(kind="rhythm")], "compliant", set()),
        ([BARE, IDENTIFIED], "inconclusive", {"KR-NOTICE"}),
        ([BARE, WATERMARK, *NONE], "inconclusive", {"KR-NOTICE"}),
        ([shown("zh"), IDENTIFIED], "inconclusive", {"KR-NOTICE", "KR-WORDING"}),
        ([shown("zh"), *NONE], "noncompliant", {"KR-MARKED", "KR-WORDING"}),
        ([BARE, *NONE], "noncompliant", {"KR-MARKED"}),
        ([Finding("visible", Status.UNREADABLE), *NONE], "inconclusive", {"KR-MARKED"}),
    ],
)
def test_korea(findings: list[Finding], outcome: str, rules: set[str]) -> None:
    assert judged("kr", *findings) == (outcome, rules)


@pytest.mark.parametrize("profile", ["in", "eu", "us-ca", "cn"])
def test_what_add_says_of_the_label_that_it_drew_is_what_verify_reads(profile: str) -> None:
    made = Labeler(CODE, profile, generator="Painter").label_image(rgb(300, 220), "png")
    drawn, seen = made.report.find("visible"), labeling.verify(made.data, profile).find("visible")
    assert drawn is not None and seen is not None
    assert drawn.value["languages"] == seen.value["languages"] != []
    rules = {each.rule for each in (*made.report.verdicts[profile].failed, *made.report.verdicts[profile].warnings)}
    assert rules.isdisjoint({"IN-VISIBLE", "EU-VISIBLE", "CN-VISIBLE-WORDING"})


def test_a_chinese_label_where_english_is_asked_for_is_not_said_to_lack_the_words_of_the_standard() -> None:
    made = Labeler(CODE, "cn").label_image(rgb(300, 220), "png")
    label = labeling.verify(made.data, "in").find("visible")
    assert label is not None
    [wording] = [each.message for each in label.defects if each.rule == "CN-VISIBLE-WORDING"]
    assert "AI生成" in wording and "asked for (en)" in wording and "standard" not in wording


def test_the_korean_wording_is_found_where_its_next_letter_reads_as_nothing() -> None:
    y, x = np.mgrid[:420, :640]
    shades = Image.fromarray(np.stack([40 + y // 3, 90 + x // 8, 160 - y // 5], axis=2).astype(np.uint8))
    draw = ImageDraw.Draw(shades)
    draw.ellipse((80, 60, 300, 280), fill=(240, 180, 90))
    draw.rectangle((0, 330, 640, 420), fill=(50, 70, 40))
    label = labeling.verify(Labeler(CODE, "kr").label_image(shades, "png").data, "kr").find("visible")
    assert label is not None and (label.status, label.value.get("text")) == (Status.PRESENT, "AI 생성")


@pytest.mark.parametrize("size", [(300, 220), (220, 300)])
def test_the_korean_wording_is_drawn_and_read_back(size: tuple[int, int]) -> None:
    made = Labeler(CODE, "kr", generator="Painter").label_image(rgb(*size), "jpeg")
    report = labeling.verify(made.data, ["kr", "in", "cn"])
    label = report.find("visible")
    assert label is not None
    assert (label.value["text"], label.value["languages"]) == ("AI 생성", ["ko"])
    assert label.value["height_ratio"] >= 0.05
    assert str(report.verdicts["kr"].outcome) == "compliant"
    assert not report.verdicts["kr"].warnings
    assert "IN-VISIBLE" in [each.rule for each in report.verdicts["in"].failed]
    assert "CN-VISIBLE-WORDING" in [each.rule for each in report.verdicts["cn"].failed]


@pytest.mark.parametrize("text", ["AI 영상", "AI 음성", "AI 인공지능", "AI"])
def test_another_korean_word_beside_ai_is_no_label(text: str) -> None:
    picture = Image.new("RGB", (300, 220), (70, 96, 120))
    ImageDraw.Draw(picture).text((12, 180), text, fill="white", font=font.face(None, 20))
    finding = labeling.verify(picture, "kr").find("visible")
    assert finding is not None
    assert finding.status in (Status.ABSENT, Status.UNREADABLE)


def test_every_profile_says_from_when_on_it_applies_and_what_it_rests_on() -> None:
    days = {name: profile.since for name, profile in PROFILES.items()}
    assert days == {
        "cn": "2025-09-01", "eu": "2026-08-02", "eu-art50": "2026-08-02", "us-ca": "2026-09-30",
        "us-wa": "2027-02-01", "in": "2026-02-20", "kr": "2026-01-22", "platform": "2025-09-01",
    }  # fmt: skip
    assert all(profile.sources for profile in PROFILES.values())
    told = told_by("verify", "--help")
    assert all(day in told for day in days.values())


@pytest.mark.parametrize(("day", "in_force"), [(date(2027, 1, 31), False), (date(2027, 2, 1), True)])
def test_a_law_that_is_not_in_force_yet_is_said_to_be_so(day: date, in_force: bool) -> None:
    report = labeling.verify(signed(picture()), ["us-wa", "cn"], visible=False, as_of=day)
    told = report.to_dict()["verdicts"]["us-wa"]
    assert (told["since"], told["in_force"]) == ("2027-02-01", in_force)
    assert told["sources"] == ["Washington HB 1170 (2026)"]
    said = [each.message for each in report.verdicts["us-wa"].warnings if each.rule == "PROFILE-NOT-IN-FORCE"]
    assert bool(said) is not in_force
    assert all("2027-02-01" in each and "2027-01-31" in each for each in said)
    assert "PROFILE-NOT-IN-FORCE" not in json.dumps(report.to_dict()["verdicts"]["cn"])
    for language, words in (("en", "only from 2027-02-01 on"), ("zh", "2027-02-01 起方施行")):
        assert (words in to_html([report], language=language)) is not in_force


def test_the_day_reaches_a_process_of_its_own_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(signed(picture()))
    report = labeling.verify(path, "us-wa", visible=False, as_of=date(2026, 1, 1), isolate=True)
    assert report.verdicts["us-wa"].in_force is False
    assert report.verdicts["us-wa"].sources == PROFILES["us-wa"].sources
    told = told_by("verify", path, "--profile", "us-wa", "--no-visible", "--as-of", "2026-01-01")
    assert "PROFILE-NOT-IN-FORCE" in told


def test_two_profiles_of_one_name_are_refused_and_one_profile_twice_is_one(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "desk.toml").write_text('extends = "cn"')
    ours, theirs = (str(tmp_path / folder / "desk.toml") for folder in ("one", "two"))
    assert [each.name for each in profiles(["cn", ours, "cn", ours])] == ["cn", "desk"]
    with pytest.raises(LabelingError, match="two profiles are called 'desk'"):
        labeling.verify(picture(), [ours, theirs], visible=False)
    (tmp_path / "cn.toml").write_text('extends = "us-ca"')
    with pytest.raises(LabelingError, match="two profiles are called 'cn'"):
        profiles(["cn", str(tmp_path / "cn.toml")])


def test_a_file_is_labelled_by_one_profile(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture())
    told = told_by("add", path, "--producer", "P Ltd.", "--profile", "cn", "--profile", "eu", code=2)
    assert "a file is labelled by one profile" in told
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("height", [22, 9])
def test_two_labels_are_judged_as_each_profile_alone_judges_them(height: int) -> None:
    image = Image.new("RGB", (300, 220), (70, 96, 120))
    draw = ImageDraw.Draw(image)
    draw.text((12, 12), "AI GENERATED", fill="white", font=font.face(None, 22))
    draw.text((200, 190), "AI生成", fill="white", font=font.face(None, height))
    alone = {name: labeling.verify(image, name).verdicts[name] for name in ("cn", "in")}
    assert "IN-VISIBLE" not in [each.rule for each in alone["in"].failed]
    assert any(each.rule.startswith("CN-VISIBLE") for each in alone["cn"].failed) is (height == 9)
    together = labeling.verify(image, ("in", "cn")).verdicts
    assert "IN-VISIBLE" not in [each.rule for each in together["in"].failed]
    assert any(each.rule.startswith("CN-VISIBLE") for each in together["cn"].failed) is (height == 9)


def _jpeg_of(image: Image.Image) -> bytes:
    """The picture as a JPEG file with data that meet India's rules but for the label."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    source = out.getvalue()
    return b"".join(containers.rewrite(source, containers.read(source), Changes(packet(LABEL, FIELDS))))


@pytest.mark.parametrize(("english", "chinese"), [(9, 26), (26, 9)])
def test_a_label_that_is_too_small_alone_is_so_beside_another(english: int, chinese: int) -> None:
    image = Image.new("RGB", (300, 220), (40, 56, 70))
    draw = ImageDraw.Draw(image)
    draw.text((12, 12), "AI GENERATED", fill="white", font=font.face(None, english))
    draw.text((190, 185), "AI生成", fill="white", font=font.face(None, chinese))
    source = _jpeg_of(image)
    alone = {name: labeling.verify(source, name).verdicts[name] for name in ("cn", "in", "kr")}
    together = labeling.verify(source, ("cn", "kr", "in")).verdicts
    for name, verdict in alone.items():
        assert str(together[name].outcome) == str(verdict.outcome)
        assert {each.rule for each in together[name].failed} == {each.rule for each in verdict.failed}
    assert ("CN-VISIBLE-SIZE" in {each.rule for each in together["cn"].failed}) is (chinese == 9)
    assert ("IN-VISIBLE" in {each.rule for each in together["in"].warnings}) is (english == 9)


@pytest.mark.parametrize("kind", ["video", "animation"])
def test_labels_in_two_languages_in_what_moves(kind: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (300, 220), (40, 56, 70))
    bare = image.copy()
    draw = ImageDraw.Draw(image)
    draw.text((110, 180), "AI GENERATED", fill="white", font=font.face(None, 22))
    path = tmp_path / "a.gif"
    if kind == "video":
        draw.text((12, 12), "AI生成", fill="white", font=font.face(None, 26))
        image.save(tmp_path / "a.png")
        require("ffmpeg")
        path = tmp_path / "a.mp4"
        still = ["-loop", "1", "-i", str(tmp_path / "a.png"), "-t", "2.5", "-r", "5", "-pix_fmt", "yuv420p"]
        subprocess.run(["ffmpeg", "-v", "error", *still, str(path)], check=True)
    else:
        bare.save(path, save_all=True, append_images=[image], duration=500)
    together = labeling.verify(path, ("cn", "kr", "in")).verdicts
    for name, verdict in together.items():
        alone = labeling.verify(path, name).verdicts[name]
        assert str(alone.outcome) == str(verdict.outcome)
        rules = [{each.rule for each in one.failed if not each.rule.startswith("CN-")} for one in (alone, verdict)]
        assert rules[0] == rules[1]
    assert "KR-MARKED" not in {each.rule for each in together["kr"].failed}
    assert ("CN-VISIBLE-WORDING" in {each.rule for each in together["cn"].failed}) is (kind == "animation")
    assert ("IN-VISIBLE" in {each.rule for each in together["in"].warnings}) is (kind == "animation")


def test_no_verdict_depends_on_the_order_of_profiles() -> None:
    files = [picture(), jpeg(LABEL, FIELDS), signed(jpeg(LABEL, FIELDS)), changed(signed(picture())),
             jpeg(LABEL | {"Label": "3"}, FIELDS)]  # fmt: skip
    names = list(PROFILES)
    for data in files:
        alone = {name: labeling.verify(data, name, visible=False).verdicts[name] for name in names}
        for order in (names, names[::-1], names[3:] + names[:3]):
            assert labeling.verify(data, order, visible=False).verdicts == alone
