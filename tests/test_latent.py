"""California's latent disclosure, datum by datum (B&P Code 22757.3(a)), and marks that contradict each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PIL import Image

import labeling
from labeling import Labeler
from labeling.findings import Finding, Signature, Status
from labeling.rules import PROFILES, Evidence, evaluate
from labeling.rules.latent import is_moment, is_name, is_set, is_system, names_tool

from .marks.signing import picture, witness
from .rule_files import CODE, FIELDS, LABEL, TERMS, changed, jpeg, signed, signed_raw, signer_of_tests

NONE: dict[str, str] = {}


def failed(data: bytes, profile: str = "us-ca") -> set[str]:
    verdict = labeling.verify(data, profile, visible=False).verdicts[profile]
    rules = {each.rule for each in verdict.failed}
    assert (str(verdict.outcome) == "noncompliant") is bool(rules)
    return rules


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in FIELDS.items() if name not in names}


def test_the_disclosure_may_stand_in_metadata_or_in_a_manifest() -> None:
    for data in (jpeg(LABEL, FIELDS), signed(picture()), signed(jpeg(LABEL, FIELDS))):
        verdict = labeling.verify(data, "us-ca", visible=False).verdicts["us-ca"]
        assert str(verdict.outcome) == "compliant", verdict
        assert "US-CA-PERMANENT" in [each.rule for each in verdict.warnings]
        assert {each.clause for each in verdict.warnings if each.rule.startswith("US-CA")} == {
            "Cal. Bus. & Prof. Code 22757.3(a)(2)"
        }


@pytest.mark.parametrize(
    ("label", "fields", "rules"),
    [
        (LABEL | {"ContentProducer": CODE}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": CODE.lower()}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": CODE[:-2]}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": "0011DEMOAI00000"}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": " - "}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": "示例智能科技有限公司"}, FIELDS, set()),
        (LABEL | {"ContentProducer": "0011 9111 0102 MACQ D9K6 4010000"}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL | {"ContentProducer": "未知"}, FIELDS, {"US-CA-PROVIDER"}),
        (LABEL, FIELDS | {"CreateDate": "2999-01-01T00:00:00Z"}, {"US-CA-TIME"}),
        (LABEL | {"ProduceID": "00000000-0000-0000-0000-000000000000"}, FIELDS, {"US-CA-ID"}),
        ({key: value for key, value in LABEL.items() if key != "Label"}, without("DigitalSourceType"),
         {"US-CA-CREATED"}),
        (LABEL | {"label": "3"}, without("DigitalSourceType"), {"US-CA-CREATED"}),
        ({}, FIELDS, {"US-CA-PROVIDER", "US-CA-ID"}),
        (LABEL, without("AISystemUsed", "AISystemVersionUsed"), {"US-CA-SYSTEM", "US-CA-VERSION"}),
        (LABEL, without("AISystemVersionUsed"), {"US-CA-VERSION"}),
        (LABEL, FIELDS | {"AISystemUsed": "aigc-labeling 0.2.0"}, {"US-CA-SYSTEM", "US-CA-VERSION"}),
        (LABEL, FIELDS | {"AISystemUsed": "c2patool"}, {"US-CA-SYSTEM", "US-CA-VERSION"}),
        (LABEL, FIELDS | {"AISystemUsed": "  "}, {"US-CA-SYSTEM", "US-CA-VERSION"}),
        (LABEL, FIELDS | {"CreateDate": "2026"}, {"US-CA-TIME"}),
        (LABEL, FIELDS | {"CreateDate": "2026-11-30"}, {"US-CA-TIME"}),
        (LABEL, FIELDS | {"CreateDate": "0000-00-00T00:00:00"}, {"US-CA-TIME"}),
        (LABEL, FIELDS | {"CreateDate": "today at noon"}, {"US-CA-TIME"}),
        (LABEL | {"ProduceID": ""}, FIELDS, {"US-CA-ID"}),
        (LABEL | {"Label": "2"}, without("DigitalSourceType"), {"US-CA-CREATED"}),
        (LABEL | {"Label": "3"}, without("DigitalSourceType"), {"US-CA-CREATED"}),
        (LABEL | {"Label": "3"}, FIELDS, {"US-CA-CREATED", "MARKS-CONTRADICT"}),
        (LABEL | {"Label": "2"}, FIELDS, {"US-CA-CREATED", "MARKS-CONTRADICT"}),
        (LABEL, FIELDS | {"DigitalSourceType": TERMS + "digitalCapture"}, {"US-CA-CREATED", "MARKS-CONTRADICT"}),
        (LABEL, without("DigitalSourceType"), set()),  # Label 1 says it, and the fields beside it count
        (None, FIELDS, {"US-CA-PROVIDER", "US-CA-ID"}),
        (LABEL, NONE, {"US-CA-SYSTEM", "US-CA-VERSION", "US-CA-TIME"}),
        (None, NONE, {"US-CA-PROVIDER", "US-CA-SYSTEM", "US-CA-VERSION", "US-CA-TIME", "US-CA-ID", "US-CA-CREATED"}),
    ],
)  # fmt: skip
def test_every_datum_is_asked_for_and_judged(
    label: dict[str, Any] | None, fields: dict[str, str], rules: set[str]
) -> None:
    assert failed(jpeg(label, fields)) == rules


@pytest.mark.parametrize(
    ("claim", "rules"),
    [
        ({"provider": CODE}, {"US-CA-PROVIDER"}),
        ({"provider": ""}, {"US-CA-PROVIDER"}),  # the organisation of a test certificate is nobody's name
        ({"generator": "", "generator_version": ""}, {"US-CA-SYSTEM", "US-CA-VERSION"}),
        ({"generator_version": ""}, {"US-CA-VERSION"}),
        ({"generator": "aigc-labeling"}, {"US-CA-SYSTEM", "US-CA-VERSION"}),
        ({"when": ""}, {"US-CA-TIME"}),
        ({"content_id": ""}, set()),  # the manifest has an identifier of its own
        ({"digital_source_type": TERMS + "digitalCapture"}, None),
    ],
)
def test_every_datum_of_a_manifest(claim: dict[str, str], rules: set[str] | None) -> None:
    found = failed(signed(picture(), **claim))
    assert "US-CA-CREATED" in found if rules is None else found == rules


def test_a_broken_manifest_says_nothing_and_what_stands_beside_it_does() -> None:
    assert len(failed(changed(signed(picture())))) == 6
    assert failed(changed(signed(jpeg(LABEL, FIELDS)))) == set()
    assert failed(changed(signed(jpeg(LABEL, NONE)))) == {"US-CA-SYSTEM", "US-CA-VERSION", "US-CA-TIME"}


def test_a_malformed_manifest_carries_no_disclosure() -> None:
    malformed = signed(picture()).replace(b"jumdc2ma", b"jumdc2mb")
    assert len(failed(malformed)) == 6
    assert "US-WA-PROVENANCE" in failed(malformed, "us-wa")
    beside = signed(jpeg(LABEL, FIELDS)).replace(b"jumdc2ma", b"jumdc2mb")
    assert failed(beside) == set()


def test_the_manifest_that_we_write_never_names_this_tool_as_the_system() -> None:
    unnamed = Labeler(CODE, "us-ca", visible=False, signer=signer_of_tests(), provider_name="Example AI Ltd.")
    made = unnamed.label_image(picture())
    store = witness(made.data)
    assertions = store["manifests"][store["active_manifest"]]["assertions"]
    actions = next(each["data"]["actions"] for each in assertions if each["label"].startswith("c2pa.actions"))
    assert [(each["action"], each.get("softwareAgent")) for each in actions] == [("c2pa.created", None)]
    assert "aigc-labeling" not in json.dumps([each["data"].get("modelName", "") for each in assertions])
    assert failed(made.data) == {"US-CA-SYSTEM", "US-CA-VERSION"}
    named = Labeler(
        CODE, "us-ca", visible=False, signer=signer_of_tests(), provider_name="Example AI Ltd.", generator="Painter",
        generator_version="3.1",
    )  # fmt: skip
    assert failed(named.label_image(picture()).data) == set()
    older = [{"action": "c2pa.created", "digitalSourceType": TERMS + "trainedAlgorithmicMedia",
              "softwareAgent": {"name": "aigc-labeling", "version": "0.2.0"}}]  # fmt: skip
    assert {"US-CA-SYSTEM", "US-CA-VERSION"} <= failed(signed_raw(picture(), older))


def test_the_agent_of_what_ai_did_is_the_system_and_not_that_of_a_later_edit() -> None:
    edited = {"action": "c2pa.edited", "softwareAgent": {"name": "Darkroom", "version": "9"}}
    made = {"action": "c2pa.created", "digitalSourceType": TERMS + "trainedAlgorithmicMedia"}
    assert {"US-CA-SYSTEM", "US-CA-VERSION"} <= failed(signed_raw(picture(), [made, edited]))
    by = made | {"softwareAgent": {"name": "Painter", "version": "3"}}
    assert not {"US-CA-SYSTEM", "US-CA-VERSION"} & failed(signed_raw(picture(), [by, edited]))


def _evidence(**signer: Any) -> Evidence:
    trust = signer.pop("trust")
    value = {"signer": {"organisation": "Example AI Ltd."} | signer, "trust": {"state": trust}, "system": "Painter"}
    return Evidence((Finding("c2pa", Status.PRESENT, "", value, Signature.VALID),))


@pytest.mark.parametrize(
    ("signer", "named"),
    [
        ({"trust": "listed"}, True),
        ({"trust": "interim"}, True),
        ({"trust": "unlisted"}, False),  # whoever makes a certificate for himself writes into it what he likes
        ({"trust": "unasked"}, False),
        ({"trust": "listed", "issuer": "C2PA Test Root CA"}, False),
        ({"trust": "listed", "organisation": CODE}, False),
    ],
)
def test_the_organisation_of_a_certificate_is_a_name_if_somebody_vouches_for_it(
    signer: dict[str, str], named: bool
) -> None:
    rules = [each.rule for each in evaluate(_evidence(**signer), PROFILES["us-ca"]).failed]
    assert ("US-CA-PROVIDER" not in rules) is named


def test_what_could_not_be_read_is_not_called_missing() -> None:
    broken = jpeg(LABEL, NONE).replace(b"</rdf:RDF>", b"</rdf:RDX>")
    verdict = labeling.verify(broken, "us-ca", visible=False).verdicts["us-ca"]
    assert str(verdict.outcome) == "inconclusive"
    assert "US-CA-PROVIDER" in [each.rule for each in verdict.warnings]
    assert not verdict.failed


def test_a_disclosure_in_a_form_that_no_standard_has_is_not_interoperable() -> None:
    foreign = jpeg({}, NONE).replace(b"http://www.tc260.org.cn/ns/AIGC/1.0/", b"http://example.org/ns/own-AIGC/1.0/1")
    assert "US-CA-INTEROPERABLE" not in failed(foreign)
    own = jpeg(LABEL, NONE).replace(b"http://www.tc260.org.cn/ns/AIGC/1.0/", b"http://example.org/ns/own-AIGC/1.0/1")
    assert "US-CA-INTEROPERABLE" in failed(own)


# --- contradictions ---------------------------------------------------------------------------------------------------

CAMERA = {"DigitalSourceType": TERMS + "digitalCapture"}


def _by_camera(data: bytes) -> bytes:
    return signed(data, digital_source_type=TERMS + "digitalCapture", generator="")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (jpeg(LABEL, CAMERA), True),
        (_by_camera(jpeg(LABEL, NONE)), True),
        (_by_camera(jpeg(LABEL | {"Label": "3"}, NONE)), True),
        (signed(jpeg(LABEL | {"Label": "2"}, NONE)), True),
        (jpeg(LABEL | {"Label": "3"}, FIELDS), True),
        (signed(jpeg(None, CAMERA)), True),
        (jpeg(LABEL, FIELDS), False),
        (jpeg(LABEL | {"Label": "2"}, NONE), False),
        (_by_camera(jpeg(None, CAMERA)), False),
        (jpeg(LABEL, {"DigitalSourceType": TERMS + "algorithmicMedia"}), False),
    ],
    ids=["AIGC 1, IPTC camera", "AIGC 1, C2PA camera", "AIGC 3, C2PA camera", "AIGC 2, C2PA AI", "AIGC 3, IPTC AI",
         "C2PA AI, IPTC camera", "agree", "only AIGC 2", "only camera", "algorithm"],
)  # fmt: skip
def test_marks_that_contradict_each_other_fail_in_every_profile(profile: str, data: bytes, found: bool) -> None:
    verdict = labeling.verify(data, profile, visible=False).verdicts[profile]
    said = [each for each in verdict.failed if each.rule == "MARKS-CONTRADICT"]
    assert bool(said) is found
    assert not found or str(verdict.outcome) == "noncompliant"


def test_a_manifest_that_does_not_validate_contradicts_with_a_warning() -> None:
    verdict = labeling.verify(changed(_by_camera(jpeg(LABEL, NONE))), "cn", visible=False).verdicts["cn"]
    assert "MARKS-CONTRADICT" in [each.rule for each in verdict.warnings]
    assert not verdict.failed


def test_a_label_replaces_the_source_type_of_a_camera() -> None:
    made = Labeler("Example AI Ltd.", visible=False).label_image(jpeg(None, CAMERA))
    assert "MARKS-CONTRADICT" not in failed(made.data, "cn")


# --- what is a name, a system, a time ---------------------------------------------------------------------------------


def test_names_systems_and_times() -> None:
    assert all(map(is_name, ("OpenAI", "Example AI Ltd.", "豆包", "G42", "01.AI")))
    ids = (CODE, "001191110102MACQD9K640100001234", "91110102MACQD9K640", "0198c2f0-0000-7000-8000-000000000001")
    assert not any(map(is_name, (*ids, "", "7", "aigc-labeling", "TEST ONLY - NOT TRUSTED", "unknown")))
    assert all(map(names_tool, ("aigc-labeling", "aigc-labeling/0.2.0", "aigc_labeling 1.0", "c2patool 0.9", "c2pa-rs",
                                "ExifTool 12.76", "Lavf61.7.100", "Adobe XMP Core", "")))  # fmt: skip
    assert all(map(names_tool, ("AIGC Labeling Tool v1", "AI content labeler", "Watermarker 2", "XMP writer")))
    assert not any(map(is_name, ("anonymous", "Unknown provider", "your company name", "ｕｎｋｎｏｗｎ", "示例")))
    assert not any(map(is_set, ("", " - ", "N/A", "unknown", "null", "(none)", "0", "0.0", "00-00", "无", "xxx", "v")))
    assert not any(map(is_system, ("0", "AI model", "Generator", "未知")))
    assert all(map(is_system, ("Painter", "GPT-4o", "DALL·E 3", "Firefly", "aiMotion", "Pillow Talk Diffusion")))
    assert all(map(is_moment, ("2026-11-30T10:11", "2026-11-30T10:11:12.5Z", "2026:11:30 10:11:12+08:00")))
    unset = ("1970-01-01T00:00:00Z", "1904-01-01T00:00:00", "2026-11-30T10:11:99", "2026-11-30T10:11:12+99:99")
    assert not any(map(is_moment, unset))
    assert not any(map(is_moment, ("2026-11-30T", "2026-13-01T00:00Z", "2026-02-30T10:00:00Z", "T10:00", "20261130")))


def test_a_picture_in_memory_is_an_image() -> None:
    verdict = labeling.verify(Image.new("RGB", (64, 64)), "us-ca", visible=False).verdicts["us-ca"]
    assert len(verdict.failed) == 6


@pytest.mark.parametrize(("label", "origin"), [("1", "confirmed"), ("AIGC", "confirmed"), ("2", "possible"),
                                               ("0", "suspected"), ("human", "suspected")])  # fmt: skip
def test_a_label_that_says_something_else_confirms_nothing(label: str, origin: str) -> None:
    assert labeling.verify(jpeg(LABEL | {"Label": label}, NONE), visible=False).origin == origin
