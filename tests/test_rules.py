"""Verdicts as a pure function over findings; custom profiles; the notices of platforms."""

from __future__ import annotations

from pathlib import Path

import pytest

import labeling
from labeling import LabelingError
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.rules import PROFILES, Evidence, Outcome, evaluate, profile
from labeling.verification.conclusion import origin_of

AIGC = Finding("aigc", Status.PRESENT, "x", {"Label": "1", "ContentProducer": "p", "ProduceID": "1"})
VISIBLE = Finding("visible", Status.PRESENT, "bottom-right", {})


def outcome(*findings: Finding, name: str = "cn", readable: bool = True, skipped: tuple[str, ...] = ()) -> Outcome:
    return evaluate(Evidence(findings, readable, frozenset(skipped)), PROFILES[name]).outcome


def test_both_labels_are_asked_for() -> None:
    assert outcome(AIGC, VISIBLE) == "compliant"
    assert outcome(AIGC, Finding("visible", Status.ABSENT)) == "noncompliant"
    assert outcome(Finding("aigc", Status.ABSENT), VISIBLE) == "noncompliant"
    assert outcome(AIGC, skipped=("visible",)) == "compliant"


@pytest.mark.parametrize("broken", ["aigc", "visible"])
def test_what_could_not_be_read_is_inconclusive_never_missing(broken: str) -> None:
    why = Defect("XMP-BROKEN", "x", "y")
    findings = [
        Finding(m.kind, Status.UNREADABLE, "", {}, Signature.NONE, (why,)) if m.kind == broken else m
        for m in (AIGC, VISIBLE)
    ]
    assert outcome(*findings) == "inconclusive"
    assert outcome(AIGC, VISIBLE, readable=False) == "inconclusive"


def test_a_warning_of_a_mark_is_no_failure_and_a_defect_of_a_foreign_mark_neither() -> None:
    odd = Defect("CN-IMPLICIT-ORDER", "x", "y", Severity.WARNING)
    wrong = Defect("IPTC-DST-URI", "x", "y")
    warned = Finding("aigc", Status.PRESENT, "", AIGC.value, Signature.NONE, (odd,))
    foreign = Finding("iptc", Status.DEFECTIVE, "", {}, Signature.NONE, (wrong,))
    verdict = evaluate(Evidence((warned, VISIBLE, foreign)), PROFILES["cn"])
    assert verdict.outcome == "compliant"
    assert {d.rule for d in verdict.warnings} == {"CN-IMPLICIT-ORDER", "IPTC-DST-URI"}


@pytest.mark.parametrize(
    ("findings", "declared", "origin"),
    [
        ([AIGC], False, "confirmed"),
        ([Finding("aigc", Status.PRESENT, "", {"Label": "2"})], False, "possible"),
        ([Finding("aigc", Status.PRESENT, "", {"Label": "3"})], False, "suspected"),
        ([Finding("aigc", Status.CONFLICT, "", {"Label": "2"}), AIGC], False, "confirmed"),
        ([], True, "possible"),
        ([Finding("c2pa", Status.PRESENT, "", {"ai": True})], False, "suspected"),
        ([Finding("c2pa", Status.PRESENT, "", {"ai": False})], False, "none"),
        ([Finding("iptc", Status.DEFECTIVE, "", {"ai": True})], False, "suspected"),
        ([VISIBLE], False, "suspected"),
        ([Finding("visible", Status.ABSENT), Finding("aigc", Status.UNREADABLE)], False, "none"),
    ],
)
def test_origin(findings: list[Finding], declared: bool, origin: str) -> None:
    assert origin_of(Evidence(tuple(findings)), declared_ai=declared) == origin


def test_a_custom_profile(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(
        'extends="cn"\nrequire=["c2pa"]\ntrusted=true\nignore=["CN-VISIBLE-MISSING"]\nerrors=["CN-IMPLICIT-ORDER"]'
    )
    desk = profile(str(path))
    assert desk.name == "desk"
    signed = Finding("c2pa", Status.PRESENT, "", {}, Signature.TRUSTED)
    assert evaluate(Evidence((AIGC, signed)), desk).outcome == "compliant"
    unknown = Finding("c2pa", Status.PRESENT, "", {}, Signature.VALID)
    assert [d.rule for d in evaluate(Evidence((AIGC, unknown)), desk).failed] == ["CUSTOM-TRUSTED"]
    assert "CUSTOM-REQUIRED-C2PA" in [d.rule for d in evaluate(Evidence((AIGC,)), desk).failed]
    odd = Defect("CN-IMPLICIT-ORDER", "x", "y", Severity.WARNING)
    shuffled = Finding("aigc", Status.PRESENT, "", AIGC.value, Signature.NONE, (odd,))
    assert [d.rule for d in evaluate(Evidence((shuffled, signed)), desk).failed] == ["CN-IMPLICIT-ORDER"]


@pytest.mark.parametrize("text", ["extends='mars'", "require=['x']", "require='c2pa'", "colour=1", "x=", "trusted=1"])
def test_a_wrong_profile_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(LabelingError, match=r"bad\.toml"):
        profile(str(path))
    with pytest.raises(LabelingError, match="mars"):
        profile("mars")


def test_platforms_get_the_notice_for_each_class(cases: Path) -> None:
    real = cases / "1_aigc_cn" / "baidu_jpeg_exif_usercomment_white.jpeg"
    notice = labeling.verify(real, "platform", visible=False).to_dict()["notice"]
    assert notice == {"zh": "本内容为人工智能生成合成内容", "en": "This content was generated or synthesised by AI.",
                      "clause": "Labelling Measures Art. 6(1)"}  # fmt: skip
    plain = cases / "5_ordinary" / "pillow_flower.jpg"
    assert "notice" not in labeling.verify(plain, "platform", visible=False).to_dict()
    declared = labeling.verify(plain, "platform", visible=False, declared_ai=True).to_dict()
    assert (declared["origin"], declared["notice"]["zh"]) == ("possible", "本内容可能为人工智能生成合成内容")
    midjourney = cases / "3_iptc_dst" / "midjourney_xmp_dst_only.png"
    assert "疑似" in labeling.verify(midjourney, "platform", visible=False).to_dict()["notice"]["zh"]


@pytest.mark.parametrize(("medium", "section"), [("image", "5.2"), ("video", "5.4"), ("audio", "5.3"), ("text", "5.1")])
def test_a_missing_explicit_label_cites_what_the_medium_asks(medium: str, section: str) -> None:
    evidence = Evidence((AIGC, Finding("visible", Status.ABSENT)), medium=medium)
    (missing,) = evaluate(evidence, PROFILES["cn"]).failed
    assert missing.clause == f"Labelling Measures Art. 4; GB 45438-2025 {section}"


def test_what_could_not_be_decoded_cites_what_the_medium_asks() -> None:
    for data, section in ((b"ID3\4\0\0\0\0\0\0" + b"\xff\xfb\x90\0" * 8, "5.3"), (b"# Title\n\nText\n", "5.1")):
        finding = labeling.verify(data).find("visible")
        assert finding is not None
        assert [(why.rule, why.clause) for why in finding.defects] == [("FILE-PIXELS", f"GB 45438-2025 {section}")]


def test_reserved_keys_that_are_missing_are_worth_a_warning() -> None:
    from labeling.marks import aigc

    full = dict.fromkeys(aigc.KEYS, "x") | {"Label": "1"}
    for left_out, status in (("ReservedCode1", "present"), ("ReservedCode2", "present"), ("PropagateID", "defective")):
        finding = aigc.read(aigc.dump({k: v for k, v in full.items() if k != left_out}), "x", named=True)
        assert finding is not None
        assert finding.status == status
        assert "CN-IMPLICIT-KEYS" in [each.rule for each in finding.defects]
