"""The AIGC field: what we write, and every form of it that real products write."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import Label, Origin
from labeling.findings import Finding, Severity, Status
from labeling.marks import aigc

CODE = "001191110102MACQD9K64010000"
FULL = {
    "Label": "1", "ContentProducer": CODE, "ProduceID": "id-1", "ReservedCode1": "",
    "ContentPropagator": CODE, "PropagateID": "id-1", "ReservedCode2": "",
}  # fmt: skip

values = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=60
)
names = values.filter(str.strip)


def read(content: str | bytes, *, named: bool = True) -> Finding | None:
    return aigc.read(content, "here", named=named)


def rules(finding: Finding | None, severity: Severity = Severity.ERROR) -> set[str]:
    assert finding is not None
    return {d.rule for d in finding.defects if d.severity is severity}


@given(names, names, st.sampled_from(list(Origin)), values)
def test_what_is_encoded_is_the_seven_keys_in_order_and_reads_back(
    producer: str, content_id: str, origin: Origin, security: str
) -> None:
    label = Label(producer=producer, content_id=content_id, origin=origin, security=security)
    text = aigc.encode(label)
    parsed = json.loads(text)
    assert tuple(parsed) == aigc.KEYS
    assert all(isinstance(value, str) for value in parsed.values())
    assert (parsed["ContentPropagator"], parsed["PropagateID"]) == (producer, content_id)
    finding = read(text)
    assert finding is not None
    assert finding.status is Status.PRESENT
    again = aigc.label_of(finding)
    assert again is not None
    assert aigc.encode(again) == text


def test_a_proper_label_has_no_defects_and_no_warnings() -> None:
    finding = read(json.dumps(FULL))
    assert finding is not None
    assert (finding.status, finding.defects, finding.value) == (Status.PRESENT, (), FULL)


@pytest.mark.parametrize("content", [
    json.dumps({"AIGC": FULL}), json.dumps({"aigc": FULL}), json.dumps(FULL, indent=1),
    "AIGC" + json.dumps(FULL), "AIGC=" + json.dumps({"AIGC": FULL}), "\ufeff" + json.dumps(FULL) + "\0\0",
])  # fmt: skip
def test_wrapped_bare_and_prefixed_forms_are_all_read(content: str) -> None:
    for named in (True, False):
        for form in (content, content.encode()):
            finding = read(form, named=named)
            assert finding is not None
            assert (finding.status, finding.value) == (Status.PRESENT, FULL)


DRAFT = {"ContentPropagator": "Propagator", "PropagateID": "PropatorID", "ReservedCode1": "ReserveCode1"}

DEFECTIVE: dict[str, tuple[str | bytes, str]] = {
    "encoded twice": (json.dumps(json.dumps(FULL)), "CN-IMPLICIT-TWICE"),
    "wrapped and encoded twice": (json.dumps({"AIGC": json.dumps(FULL)}), "CN-IMPLICIT-TWICE"),
    "python repr": (repr(FULL), "CN-IMPLICIT-JSON"),
    "not json": ("hello", "CN-IMPLICIT-JSON"),
    "a list": ("[1]", "CN-IMPLICIT-JSON"),
    "empty": ("", "CN-IMPLICIT-JSON"),
    "raw newline in a string": (json.dumps(FULL).replace("id-1", "id\n1"), "CN-IMPLICIT-JSON"),
    "a key twice": (json.dumps(FULL)[:-1] + ',"Label":"2"}', "CN-IMPLICIT-JSON"),
    "NaN": (json.dumps(FULL | {"ReservedCode1": float("nan")}), "CN-IMPLICIT-JSON"),
    "deep": ("[" * 5000 + "]" * 5000, "CN-IMPLICIT-JSON"),
    "deep object": ('{"Label":' * 3000 + "1" + "}" * 3000, "CN-IMPLICIT-JSON"),
    "huge": ('{"Label":"' + "1" * 400_000 + '"}', "CN-IMPLICIT-JSON"),
    "label AIGC": (json.dumps(FULL | {"Label": "AIGC"}), "CN-IMPLICIT-LABEL"),
    "label number": (json.dumps(FULL | {"Label": 1}), "CN-IMPLICIT-LABEL"),
    "label 4": (json.dumps(FULL | {"Label": "4"}), "CN-IMPLICIT-LABEL"),
    "null values": (json.dumps(FULL | {"ReservedCode1": None}), "CN-IMPLICIT-STRINGS"),
    "four keys": (json.dumps({k: FULL[k] for k in list(FULL)[:4]}), "CN-IMPLICIT-KEYS"),
    "extra key": (json.dumps(FULL | {"Time": "now"}), "CN-IMPLICIT-EXTRA-KEYS"),
    "empty producer": (json.dumps(FULL | {"ContentProducer": ""}), "CN-IMPLICIT-REQUIRED"),
    "camel case": (json.dumps({k[0].lower() + k[1:]: v for k, v in FULL.items()}), "CN-IMPLICIT-KEY-NAME"),
    "draft names": (json.dumps({DRAFT.get(k, k): v for k, v in FULL.items()}), "CN-IMPLICIT-KEY-NAME"),
    "lone surrogate": (json.dumps(FULL).replace("id-1", "id\\udc00"), "CN-IMPLICIT-JSON"),
    "lone surrogate in a key": ('{"Label":"1","\\ud800":"x"}', "CN-IMPLICIT-JSON"),
    "UTF-16": (json.dumps(FULL).encode("utf-16"), "CN-IMPLICIT-ENCODING"),
    "UTF-16 without a mark": (json.dumps(FULL).encode("utf-16-be"), "CN-IMPLICIT-ENCODING"),
    "GB 18030": (json.dumps(FULL | {"ContentProducer": "某公司"}, ensure_ascii=False).encode("gb18030"),
                 "CN-IMPLICIT-ENCODING"),
    "bytes of no encoding": (json.dumps(FULL).encode() + b"\xff", "CN-IMPLICIT-ENCODING"),
    "base64": (base64.b64encode(b"AIGC=" + json.dumps(FULL).encode()), "CN-IMPLICIT-BASE64"),
    "base64 of an object": (base64.b64encode(json.dumps(FULL).encode()), "CN-IMPLICIT-BASE64"),
    "Infinity": (json.dumps(FULL | {"ReservedCode1": float("inf")}), "CN-IMPLICIT-JSON"),
    "a huge number": (json.dumps(FULL)[:-1] + ',"n":' + "9" * 5000 + "}", "CN-IMPLICIT-JSON"),
    "a comma too many": (json.dumps(FULL)[:-1] + ",}", "CN-IMPLICIT-JSON"),
    "cut off": (json.dumps(FULL)[:-20], "CN-IMPLICIT-JSON"),
    "2023": (json.dumps({"AIGC": {"ServiceProvider": "x", "Time": "t", "ContentID": "1"}}), "CN-IMPLICIT-LEGACY"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTIVE)
def test_what_real_products_get_wrong_is_defective_never_absent(name: str) -> None:
    content, rule = DEFECTIVE[name]
    began = time.process_time()
    finding = read(content)
    assert time.process_time() - began < 1
    assert finding is not None
    assert finding.status is Status.DEFECTIVE
    assert rule in rules(finding)
    json.dumps(finding.value, ensure_ascii=False).encode()  # a report can be written with it
    assert all(d.clause and d.message for d in finding.defects)


def test_shuffled_keys_and_a_bare_name_are_only_warned_of() -> None:
    shuffled = dict(reversed(FULL.items())) | {"ContentProducer": "doubao"}
    finding = read(json.dumps(shuffled))
    assert finding is not None
    assert finding.status is Status.PRESENT
    assert {"CN-IMPLICIT-ORDER", "CN-PROVIDER-CODE"} <= rules(finding, Severity.WARNING)


@pytest.mark.parametrize("content", [
    '{"aigc_info":{"aigc_label_type":0,"source_info":"dreamina"}}', "a photo of AIGC", "{}", "", "AIGC", '{"Time": 1}',
    '{"label": "cat"} AIGC', "Skylark Agent 2.0 task_id=1 | AIGC GB/T 45438-2025 | mastered {x}",
])  # fmt: skip
def test_look_alikes_in_places_that_are_not_called_aigc_are_no_label(content: str) -> None:
    assert read(content, named=False) is None


@pytest.mark.parametrize("wrong", ["id\\ud800", "\\ud83d\\ude00"])
def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_is_a_character(wrong: str) -> None:
    finding = read(json.dumps(FULL).replace("id-1", wrong))
    assert finding is not None
    assert finding.value["ProduceID"] == ("id\ufffd" if wrong.startswith("id") else "\U0001f600")
    assert (finding.status is Status.DEFECTIVE) == wrong.startswith("id")


@pytest.mark.parametrize("values", [
    {"Label": "Red", "CreateDate": "x"}, {"Label": "1"}, {"ContentProducer": "x"}, {"Label": "1", "Title": "x"},
])  # fmt: skip
def test_a_colour_label_is_no_label(values: dict[str, str]) -> None:
    assert aigc.read_split(values, "here", "urn:x") is None


def test_a_namespace_of_the_tools_own_counts_only_with_a_key_of_the_seven() -> None:
    finding = aigc.read(json.dumps(FULL), "here", named=False, foreign_namespace="urn:own")
    assert rules(finding) == {"CN-IMPLICIT-NAMESPACE"}
    assert aigc.read('{"a":1}', "here", named=False, foreign_namespace="urn:own") is None


def test_exactly_one_label() -> None:
    one, other = read(json.dumps(FULL)), read(json.dumps(FULL | {"ProduceID": "id-2"}))
    assert one is not None
    assert other is not None
    assert [m.status for m in aigc.only_one([])] == [Status.ABSENT]
    assert aigc.only_one([one]) == [one]
    assert {m.status for m in aigc.only_one([one, one])} == {Status.DUPLICATE}
    assert {m.status for m in aigc.only_one([one, other])} == {Status.CONFLICT}
    assert all("CN-IMPLICIT-ONE" in rules(m) for m in aigc.only_one([one, other]))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)), st.booleans())
def test_no_content_raises(content: bytes | str, named: bool) -> None:
    finding = aigc.read(content, "here", named=named)
    assert finding is None or finding.status in (Status.PRESENT, Status.DEFECTIVE)
