"""Verdicts as a pure function over findings; profiles of one's own; the notices of platforms."""

from __future__ import annotations

from pathlib import Path

import pytest

import labeling
from labeling import LabelingError
from labeling.findings import Defect, Mark, Severity, Signature, Status
from labeling.rules import PROFILES, Evidence, Outcome, evaluate, profile
from labeling.verification.verifier import origin_of

AIGC = Mark("aigc", Status.PRESENT, "x", {"Label": "1", "ContentProducer": "p", "ProduceID": "1"})
VISIBLE = Mark("visible", Status.PRESENT, "bottom-right", {})


def outcome(*marks: Mark, name: str = "cn", readable: bool = True, skipped: tuple[str, ...] = ()) -> Outcome:
    return evaluate(Evidence(marks, readable, frozenset(skipped)), PROFILES[name]).verdict


def test_both_labels_are_asked_for() -> None:
    assert outcome(AIGC, VISIBLE) == "compliant"
    assert outcome(AIGC, Mark("visible", Status.ABSENT)) == "noncompliant"
    assert outcome(Mark("aigc", Status.ABSENT), VISIBLE) == "noncompliant"
    assert outcome(AIGC, skipped=("visible",)) == "compliant"


@pytest.mark.parametrize("broken", ["aigc", "visible"])
def test_what_could_not_be_read_is_inconclusive_never_missing(broken: str) -> None:
    why = Defect("XMP-BROKEN", "x", "y")
    marks = [
        Mark(m.mark, Status.UNREADABLE, "", {}, Signature.NONE, (why,)) if m.mark == broken else m
        for m in (AIGC, VISIBLE)
    ]
    assert outcome(*marks) == "inconclusive"
    assert outcome(AIGC, VISIBLE, readable=False) == "inconclusive"


def test_a_warning_of_a_mark_is_no_failure_and_a_defect_of_a_foreign_mark_neither() -> None:
    odd = Defect("CN-IMPLICIT-ORDER", "x", "y", Severity.WARNING)
    wrong = Defect("IPTC-DST-URI", "x", "y")
    warned = Mark("aigc", Status.PRESENT, "", AIGC.value, Signature.NONE, (odd,))
    foreign = Mark("iptc", Status.DEFECTIVE, "", {}, Signature.NONE, (wrong,))
    verdict = evaluate(Evidence((warned, VISIBLE, foreign)), PROFILES["cn"])
    assert verdict.verdict == "compliant"
    assert {d.rule for d in verdict.warnings} == {"CN-IMPLICIT-ORDER", "IPTC-DST-URI"}


@pytest.mark.parametrize(
    ("marks", "declared", "origin"),
    [
        ([AIGC], False, "confirmed"),
        ([Mark("aigc", Status.PRESENT, "", {"Label": "2"})], False, "possible"),
        ([Mark("aigc", Status.PRESENT, "", {"Label": "3"})], False, "suspected"),
        ([Mark("aigc", Status.CONFLICT, "", {"Label": "2"}), AIGC], False, "confirmed"),
        ([], True, "possible"),
        ([Mark("c2pa", Status.PRESENT, "", {"ai": True})], False, "suspected"),
        ([Mark("c2pa", Status.PRESENT, "", {"ai": False})], False, "none"),
        ([Mark("iptc", Status.DEFECTIVE, "", {"ai": True})], False, "suspected"),
        ([VISIBLE], False, "suspected"),
        ([Mark("visible", Status.ABSENT), Mark("aigc", Status.UNREADABLE)], False, "none"),
    ],
)
def test_origin(marks: list[Mark], declared: bool, origin: str) -> None:
    assert origin_of(Evidence(tuple(marks)), declared_ai=declared) == origin


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(
        'extends="cn"\nrequire=["c2pa"]\ntrusted=true\nignore=["CN-VISIBLE-MISSING"]\nerrors=["CN-IMPLICIT-ORDER"]'
    )
    desk = profile(str(path))
    assert desk.name == "desk"
    signed = Mark("c2pa", Status.PRESENT, "", {}, Signature.TRUSTED)
    assert evaluate(Evidence((AIGC, signed)), desk).verdict == "compliant"
    unknown = Mark("c2pa", Status.PRESENT, "", {}, Signature.VALID)
    assert [d.rule for d in evaluate(Evidence((AIGC, unknown)), desk).failed] == ["CUSTOM-TRUSTED"]
    assert "CUSTOM-REQUIRED-C2PA" in [d.rule for d in evaluate(Evidence((AIGC,)), desk).failed]
    odd = Defect("CN-IMPLICIT-ORDER", "x", "y", Severity.WARNING)
    shuffled = Mark("aigc", Status.PRESENT, "", AIGC.value, Signature.NONE, (odd,))
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
