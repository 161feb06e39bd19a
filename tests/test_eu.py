"""The European profiles: two techniques of the Code of Practice, and the AI Act alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import labeling
from labeling.findings import Finding, Signature, Status
from labeling.rules import PROFILES, Evidence, Verdict, evaluate
from labeling.rules.custom import build

IPTC = Finding("iptc", Status.PRESENT, "", {"ai": True})
WATERMARK = Finding("watermark", Status.PRESENT, "pixels", {"ai": True})
NO_WATERMARK = Finding("watermark", Status.ABSENT)


def aigc(label: str) -> Finding:
    return Finding("aigc", Status.PRESENT, "", {"Label": label, "ContentProducer": "p", "ProduceID": "1"})


def manifest(stamp: str = "valid", signature: Signature = Signature.TRUSTED, **value: object) -> Finding:
    said = {"ai": True, "time_stamp": {"state": stamp, "trusted": stamp == "valid"}} | value
    return Finding("c2pa", Status.PRESENT, "", said, signature)


def words(text: str, *languages: str, **value: object) -> Finding:
    return Finding("visible", Status.PRESENT, "", {"text": text, "languages": list(languages)} | value)


def judged(*findings: Finding, name: str = "eu", skipped: tuple[str, ...] = ("watermark",)) -> Verdict:
    return evaluate(Evidence(findings, True, frozenset(skipped)), PROFILES[name])


def rules(verdict: Verdict) -> tuple[set[str], set[str]]:
    return {each.rule for each in verdict.failed}, {each.rule for each in verdict.warnings}


SIGNED, STAMPED, MARKED, DRAWN = "EU-SIGNED", "EU-TIME-STAMP", "EU-MARKED", "EU-WATERMARK"


@pytest.mark.parametrize(
    ("findings", "outcome", "failed", "missing"),
    [
        ([manifest(), WATERMARK], "compliant", set(), set()),
        ([manifest(signature=Signature.VALID), WATERMARK], "compliant", set(), set()),
        ([manifest()], "inconclusive", set(), {DRAWN}),
        ([manifest(), NO_WATERMARK], "inconclusive", set(), {DRAWN}),
        ([WATERMARK], "inconclusive", set(), {SIGNED}),
        ([manifest("none"), WATERMARK], "inconclusive", set(), {STAMPED}),
        ([manifest("none")], "noncompliant", {STAMPED, DRAWN}, set()),
        ([manifest("invalid")], "noncompliant", {STAMPED, DRAWN}, set()),
        ([manifest(signature=Signature.EXPIRED)], "noncompliant", {STAMPED, DRAWN}, set()),
        ([manifest(signature=Signature.FAILED)], "noncompliant", {MARKED, SIGNED, DRAWN}, set()),
        ([manifest(ai=False), IPTC], "noncompliant", {SIGNED, DRAWN}, set()),
        ([IPTC], "noncompliant", {SIGNED, DRAWN}, set()),
        ([aigc("1")], "noncompliant", {SIGNED, DRAWN}, set()),
        ([aigc("2")], "noncompliant", {MARKED, SIGNED, DRAWN}, set()),
        ([aigc("3"), manifest(ai=False)], "noncompliant", {MARKED, SIGNED, DRAWN}, set()),
        ([], "noncompliant", {MARKED, SIGNED, DRAWN}, set()),
        ([Finding("c2pa", Status.UNREADABLE)], "inconclusive", set(), {DRAWN}),
        ([manifest(), Finding("watermark", Status.UNREADABLE)], "inconclusive", set(), set()),
        ([manifest(), Finding("watermark", Status.PRESENT, "", {"ai": False})], "inconclusive", set(), {DRAWN}),
    ],
)  # fmt: skip
def test_the_code_asks_for_two_techniques(
    findings: list[Finding], outcome: str, failed: set[str], missing: set[str]
) -> None:
    verdict = judged(*findings, words("AI GENERATED", "en"))
    assert (str(verdict.outcome), rules(verdict)[0]) == (outcome, failed)
    assert rules(verdict)[1] & {MARKED, SIGNED, STAMPED, DRAWN} == missing


def test_a_verdict_says_whether_a_technique_is_missing_or_was_not_looked_for() -> None:
    def said(*findings: Finding) -> str:
        return next(each.message for each in judged(*findings).warnings if each.rule == DRAWN)

    assert said(manifest()) == "no imperceptible watermark was looked for"
    assert said(manifest(), NO_WATERMARK).startswith("no imperceptible watermark was looked for")
    unskipped = judged(manifest(), NO_WATERMARK, skipped=()).warnings
    assert "no imperceptible watermark was found" in {each.message for each in unskipped}
    assert said(manifest(watermarks=[{"by": "c2pa.watermarked"}])).endswith("its signer's word")


@pytest.mark.parametrize(
    ("findings", "outcome", "failed"),
    [
        ([manifest("none", Signature.VALID)], "compliant", set()),
        ([IPTC], "compliant", set()),
        ([aigc("1")], "compliant", set()),
        ([WATERMARK], "compliant", set()),
        *(([aigc(label)], "compliant", set()) for label in ("AIGC", "AI_GENERATED", "true", " 1", "AI生成")),
        *(([aigc(label)], "noncompliant", {MARKED}) for label in ("0", "", "4", "human", "NOT_AI_GENERATED")),
        ([Finding("aigc", Status.DEFECTIVE, "", {"raw": "hello"})], "noncompliant", {MARKED}),
        ([Finding("aigc", Status.DEFECTIVE, "", {"ContentProducer": "Example"})], "noncompliant", {MARKED}),
        ([Finding("aigc", Status.DEFECTIVE, "", {"ServiceProvider": "Example"})], "compliant", set()),
        ([Finding("aigc", Status.CONFLICT, "", {"Label": "1"})], "noncompliant", {MARKED}),
        ([Finding("iptc", Status.CONFLICT, "", {"ai": True})], "noncompliant", {MARKED}),
        ([manifest(signature=Signature.UNSUPPORTED)], "inconclusive", set()),
        ([aigc("2")], "noncompliant", {MARKED}),
        ([aigc("3"), words("AI GENERATED", "en")], "noncompliant", {MARKED}),
        ([manifest(signature=Signature.FAILED)], "noncompliant", {MARKED}),
        ([], "noncompliant", {MARKED}),
        ([Finding("aigc", Status.UNREADABLE)], "inconclusive", set()),
        ([Finding("c2pa", Status.UNREADABLE), IPTC], "compliant", set()),
    ],
)
def test_the_act_alone_asks_for_a_machine_readable_mark(
    findings: list[Finding], outcome: str, failed: set[str]
) -> None:
    verdict = judged(*findings, name="eu-art50")
    assert (str(verdict.outcome), rules(verdict)[0]) == (outcome, failed)
    assert ("EU-ROBUST" in rules(verdict)[1]) == (outcome == "compliant" and WATERMARK not in findings)


@pytest.mark.parametrize("name", ["eu", "eu-art50"])
def test_a_tone_or_metadata_alone_are_no_disclosure(name: str) -> None:
    rhythm = Finding("visible", Status.PRESENT, "start", {"kind": "rhythm"})
    for findings, part in (
        ((rhythm,), "in words"),
        ((Finding("visible", Status.ABSENT), aigc("1"), manifest()), "metadata alone do not"),
        ((words("即梦AI"),), "does not say"),
    ):
        [message] = [each.message for each in judged(*findings, name=name).warnings if each.rule == "EU-VISIBLE"]
        assert part in message
    unseen = judged(manifest(), name=name, skipped=("visible", "watermark"))
    assert "was looked for" in next(each.message for each in unseen.warnings if each.rule == "EU-VISIBLE")
    for spoken in ({"recording": "own.wav"}, {"text": "本音频由人工智能生成", "languages": ["zh"]}):
        heard = Finding("visible", Status.PRESENT, "start", {"kind": "spoken"} | spoken)
        assert not {"EU-VISIBLE", "EU-ELEMENT"} & rules(judged(heard, name=name))[1]
    for text, language in (("AI GENERATED", "en"), ("AI生成", "zh"), ("KI-generiert", "de")):
        assert "EU-VISIBLE" not in rules(judged(words(text, language), name=name))[1]


def test_the_code_s_main_element_is_in_capitals() -> None:
    def short(text: str, language: str, name: str = "eu") -> bool:
        return "EU-ELEMENT" in rules(judged(words(text, language), name=name))[1]

    assert short("KI-generiert", "de")
    assert short("Made with ai", "en")
    assert not short("AI GENERIERT", "de")
    assert not short("AI生成", "zh")
    assert not short("KI-generiert", "de", "eu-art50")


def test_a_custom_profile_may_leave_out_a_technique() -> None:
    desk = build({"extends": "eu", "ignore": [DRAWN]}, "desk", PROFILES)
    assert str(evaluate(Evidence((manifest(),)), desk).outcome) == "compliant"
    assert str(evaluate(Evidence((IPTC,)), desk).outcome) == "noncompliant"
    strict = build({"extends": "eu", "errors": [DRAWN]}, "desk", PROFILES)
    assert str(evaluate(Evidence((manifest(),)), strict).outcome) == "noncompliant"


def test_a_real_file_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (240, 200), "gray").save(path)
    report = labeling.verify(path, ["eu", "eu-art50"], visible=False)
    assert rules(report.verdicts["eu"])[0] == {MARKED, SIGNED, DRAWN}
    assert rules(report.verdicts["eu-art50"])[0] == {MARKED}
    labelled = labeling.Labeler("my-service", "eu-art50", visible=False).label_file(path)
    assert str(labelled.report.verdicts["eu-art50"].outcome) == "compliant"
    again = labeling.verify(labelled.path, ["eu", "eu-art50"], visible=False).verdicts
    assert [str(each.outcome) for each in again.values()] == ["noncompliant", "compliant"]
