"""The label: provider codes, content ids, and what a label may hold."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import Label, LabelingError, Origin, ProviderCode, new_content_id
from labeling.label import uscc_check_digit, uscc_is_valid

# Codes as they stand in real files of nine services.
REAL = [
    "001191110102MACQD9K64010000",
    "00119144030008867405X210001",
    "001191110108335469089C10100",
    "001191110108MACC4D63XF10306",
    "001191330106MA2CFLDG4R10001",
    "001191440101MA9Y9T4H7A00000",
    "001191110000802100433B10005",
    "001191110108MA01KP2T5U00000",
    "001191110108MADEFUHC3C10000",
]
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", REAL)
def test_the_check_digit_holds_for_codes_of_real_services(code: str) -> None:
    parsed = ProviderCode.parse(code)
    assert parsed is not None
    assert str(parsed) == code
    assert parsed.problems() == ()
    assert str(ProviderCode.build(parsed.uscc, service=parsed.service, model=parsed.model)) == code


@given(st.text(ALPHABET, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_found(first: str, at: int, other: str) -> None:
    uscc = first + uscc_check_digit(first)
    assert uscc_is_valid(uscc)
    if uscc[at] != other:
        assert not uscc_is_valid(uscc[:at] + other + uscc[at + 1 :])


@pytest.mark.parametrize("name", ["doubao", "0011DEMOAI00000", "91110105MACJ6K1C8ABJJDXY", "00" + "é" * 25, ""])
def test_names_and_drafts_are_no_codes(name: str) -> None:
    assert ProviderCode.parse(name) is None


@pytest.mark.parametrize(
    ("uscc", "service", "model"),
    [("91110102MACQD9K641", "1", "0000"), ("9111", "1", "0000"), ("91110102MACQD9K640", "7", "0000"),
     ("91110102MACQD9K640", "1", "abcd"), ("91110102MACQD9K640", "1", "00000"), ("I1110102MACQD9K640", "1", "0000")],
)  # fmt: skip
def test_codes_are_not_built_from_wrong_parts(uscc: str, service: str, model: str) -> None:
    with pytest.raises(LabelingError):
        ProviderCode.build(uscc, service=service, model=model)


def test_content_ids_are_version_7_uuids_that_sort_and_never_repeat() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def work(mine: list[str]) -> None:
        mine.extend(new_content_id() for _ in range(2000))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [one for mine in made for one in mine]
    assert len(set(everything)) == len(everything)
    assert all(mine == sorted(mine) for mine in made)
    parsed = uuid.UUID(everything[0])
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize(
    "wrong", [{"producer": ""}, {"content_id": "  "}, {"producer": "a\nb"}, {"content_id": "\ud800"},
              {"generator": "x" * 5000}, {"security": "\x00"}],
)  # fmt: skip
def test_a_label_refuses_what_cannot_be_written(wrong: dict[str, str]) -> None:
    fields: dict[str, Any] = {"producer": "p", "content_id": "c"} | wrong
    with pytest.raises(LabelingError) as caught:
        Label(**fields)
    assert "\n" not in str(caught.value)


def test_unusual_but_allowed_values_are_warned_of() -> None:
    label = Label(producer="某某公司", content_id='a"b', origin=Origin.POSSIBLE)
    text = " ".join(label.warnings())
    assert "某" in text
    assert "27-character" in text
    assert not Label(producer=REAL[0], content_id="id-1").warnings()
