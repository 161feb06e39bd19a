"""Manifests made of a template: c2pa's own manifests and c2pa's reader are the witnesses."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import pytest
from PIL import Image

import labeling
from labeling import containers
from labeling.errors import SigningError, WriteError
from labeling.findings import Signature
from labeling.marks.credentials import Claim, Signer, make_test_chain, read, sign
from labeling.marks.credentials import _template as templates

from ..calls import counted
from .signing import ALGORITHMS, CLAIM, chain, codes, key_service, picture, signer, witness

FORMATS = ("jpeg", "png", "webp", "tiff")
OTHER = replace(CLAIM, when="2027-11-12T13:14:15Z", content_id="字\\😀")  # of as many bytes as CLAIM's
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """What templates have made, in order; none is left of other tests."""
    results: list[bytes | None] = []
    honest = templates.Template.filled

    def filled(template: templates.Template, *arguments: Any) -> bytes | None:
        results.append(honest(template, *arguments))
        return results[-1]

    templates._templates.clear()
    monkeypatch.setattr(templates.Template, "filled", filled)
    return results


def _signed(data: bytes, who: Signer, claim: Claim = CLAIM, **more: Any) -> bytes:
    return sign(
        data, Image.MIME[str(Image.open(io.BytesIO(data)).format)], who, claim, room=containers.room_for(data), **more
    )


def _who(by: str, alg: str = "es256") -> Signer:
    return signer(alg) if by == "key" else Signer.from_callback(key_service(alg), chain(alg).cert_pem, alg)


def _detailed(data: bytes, media_type: str) -> Any:
    """All that c2pa's reader finds in a manifest, without what is random or follows from it."""
    with c2pa.Reader(media_type, io.BytesIO(data)) as reader:
        found = json.loads(_UUID.sub("UUID", reader.detailed_json()))
    (manifest,) = found["manifests"].values()
    for reference in manifest["claim"]["created_assertions"]:
        assert len(reference.pop("hash")) in (32, 44)  # numbers, or base64
    return found


@pytest.mark.parametrize("by", ["key", "callback"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_template_makes_what_c2pa_makes(format: str, by: str, made: list[bytes | None]) -> None:
    media_type, data = f"image/{format}", picture(format, 80)
    by_c2pa = _signed(data, _who("callback" if by == "callback" else "key"), OTHER)
    templates._templates.clear()
    who = _who(by)
    assert read(_signed(picture(format), who), media_type).signature == Signature.VALID
    assert made == []  # c2pa makes the first one
    by_template = _signed(data, who, OTHER)
    assert len(made) == 1
    assert made[0] is not None
    assert made[0] in by_template
    assert _detailed(by_template, media_type) == _detailed(by_c2pa, media_type)
    # to the byte, everything else is the same: the room is at the same place and as long
    size = len(made[0])
    at = by_template.index(made[0])
    assert by_template[: at - 12] + by_template[at + size + 4 :] == by_c2pa[: at - 12] + by_c2pa[at + size + 4 :]
    store = witness(by_template, media_type)
    assert (store["validation_state"], codes(store)) == ("Valid", {"signingCredential.untrusted"})
    finding = read(by_template, media_type)
    assert (finding.signature, finding.value["content_id"]) == (Signature.VALID, OTHER.content_id)
    assert finding.value["created"] == OTHER.when
    assert Image.open(io.BytesIO(by_template)).tobytes() == Image.open(io.BytesIO(data)).tobytes()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_validates_and_the_callback_is_called_once(alg: str, made: list[bytes | None]) -> None:
    calls: list[bytes] = []
    service = key_service(alg)

    def counted(message: bytes) -> bytes:
        calls.append(message)
        return service(message)

    who = Signer.from_callback(counted, chain(alg).cert_pem, alg)
    for number in range(3):
        store = witness(_signed(picture(), who, replace(CLAIM, content_id=f"0198-ab{number}")))
        assert (store["validation_state"], codes(store)) == ("Valid", {"signingCredential.untrusted"})
        assert (len(calls), len(made)) == (number + 1, number)
    assert len(set(calls)) == 3


@pytest.mark.parametrize("alg", ["ps256", "ed25519"])
def test_a_key_of_each_kind_signs(alg: str, made: list[bytes | None]) -> None:
    for _ in range(2):
        assert codes(witness(_signed(picture(), signer(alg)))) == {"signingCredential.untrusted"}
    assert len(made) == 1


def test_identifiers_and_salts_are_new_in_every_file(made: list[bytes | None]) -> None:
    for _ in range(4):
        _signed(picture(), signer())
    first, *others = (set(_UUID.findall((store or b"").decode("latin-1"))) for store in made)
    assert all(len(names) == 2 and not names & first for names in others)
    salts = [re.findall(rb"c2sh(.{16})", store or b"", re.DOTALL) for store in made]
    assert len({salt for found in salts for salt in found}) == 9


def test_other_words_have_another_template(made: list[bytes | None]) -> None:
    claims = (
        CLAIM, replace(CLAIM, generator="Painter 2"), replace(CLAIM, content_id="0198-abcd"), replace(CLAIM, when=""),
        replace(CLAIM, title="字"), replace(CLAIM, content_id=""), replace(CLAIM, when="2026-03-04T05:06:07+00:00"),
        replace(CLAIM, digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"),
    )  # fmt: skip
    for claim in claims:
        _signed(picture(), signer(), claim)
    assert made == []
    for claim in claims:
        finding = read(_signed(picture(), signer(), claim), "image/jpeg")
        assert finding.signature == Signature.VALID
        assert finding.value.get("title", "") == claim.title
    assert len(made) == len(claims) - 1  # the time in another form is c2pa's to write


def test_what_is_also_said_elsewhere_stays_there(made: list[bytes | None]) -> None:
    claim = replace(CLAIM, generator="0198-abc", provider=CLAIM.when)
    for content_id in ("0198-abc", "1234-xyz"):
        data = _signed(picture(), signer(), replace(claim, content_id=content_id))
        value = read(data, "image/jpeg").value
        assert (value["system"], value["provider"], value["content_id"]) == ("0198-abc", CLAIM.when, content_id)
    assert len(made) == 1


def test_a_signer_never_uses_what_another_one_made(made: list[bytes | None]) -> None:
    people = {}
    for name in ("one signer", "two signer"):
        pair = make_test_chain(common_name=name)
        people[name] = Signer.from_pem(pair.cert_pem, pair.key_pem)
    for _ in range(3):
        for name, who in people.items():
            store = witness(_signed(picture(), who))
            assert codes(store) == {"signingCredential.untrusted"}
            assert store["manifests"][store["active_manifest"]]["signature_info"]["common_name"] == name
    assert len(made) == 4
    people.clear()
    del who
    assert len(templates._templates) == 0  # they go with their signer


def test_a_signer_keeps_a_bounded_number() -> None:
    store = b"x" * 100
    for number in range(100):
        templates.keep(signer(), number, store, CLAIM)
    assert list(templates._templates[signer()]) == list(range(100 - templates.MAX_KEPT, 100))
    templates.keep(signer(), "long", bytes(templates.MAX_STORE + 1), CLAIM)
    assert templates._templates[signer()]["long"] is None


def test_threads_share_a_template(made: list[bytes | None]) -> None:
    def one(number: int) -> str:
        return str(
            read(_signed(picture(), signer(), replace(CLAIM, content_id=f"0198-{number:03}")), "image/jpeg").value[
                "content_id"
            ]
        )

    one(0)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(16))) == [f"0198-{number:03}" for number in range(16)]
    assert len(made) == 16


# --- what goes c2pa's way ---


def test_parents_and_time_stamps_do(made: list[bytes | None]) -> None:
    parent = _signed(picture(), signer())
    for _ in range(2):
        child = _signed(picture(), signer(), parent=parent, parent_media_type="image/jpeg")
        assert len(witness(child)["manifests"]) == 2
    pair = chain()
    stamped = Signer.from_pem(pair.cert_pem, pair.key_pem, tsa_url="http://127.0.0.1:9/")
    with pytest.raises(SigningError, match="did not give a time stamp"):
        _signed(picture(), stamped)
    assert made == []


def _places_that_change(store: bytes) -> set[int]:
    """Of a template: what differs from file to file and is not covered by a hash that the template's maker checks."""
    names = {at for match in _UUID.finditer(store.decode("latin-1")) for at in range(*match.span())}
    version = store.index(b"0.", store.index(b"org.contentauth.c2pa_rs"))
    return names | set(range(version, version + 6)) | set(range(len(store) - 64, len(store)))


def test_whatever_is_changed_in_a_manifest_there_is_no_template_of_it() -> None:
    """What a later c2pa might write differently: any byte."""
    from labeling.marks.credentials.sign import _Job

    job = _Job(picture(), "image/jpeg", signer(), CLAIM)
    job.room = containers.room_for(picture())
    _, store = job.run()
    templates.Template(store, CLAIM, signer())
    free = _places_that_change(store)
    padding = range(store.rindex(b"cpad") + 60, len(store) - 120)  # a thousand zeros: a few of them are enough
    tried = [at for at in range(len(store)) if at not in free and (at not in padding or at % 50 == 0)]
    assert len(tried) > 1500
    for position in tried:
        changed = bytearray(store)
        changed[position] ^= 0x21
        with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
            templates.Template(bytes(changed), CLAIM, signer())


@pytest.mark.parametrize("claim", [OTHER, replace(CLAIM, title="an"), replace(CLAIM, provider="")])
def test_a_manifest_that_says_something_else_is_no_template(claim: Claim) -> None:
    _signed(picture(), signer())
    ((store, _),) = [kept for kept in templates._templates[signer()].values() if isinstance(kept, tuple)]
    with pytest.raises((ValueError, LookupError)):
        templates.Template(store, claim, signer())


def test_where_c2pa_writes_what_is_not_known_it_makes_every_manifest(
    made: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "_LIBRARY", "org.contentauth.c2pa_older")
    for _ in range(3):
        assert witness(_signed(picture(), signer()))["validation_state"] == "Valid"
    assert made == []
    assert list(templates._templates[signer()].values()) == [None]


def test_another_version_of_c2pa_makes_its_own(made: list[bytes | None], monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        _signed(picture(), signer())
    assert len(made) == 1
    monkeypatch.setattr(c2pa, "sdk_version", lambda: "0.92.0")
    templates._version.cache_clear()
    _signed(picture(), signer())
    assert len(made) == 1
    monkeypatch.undo()
    templates._version.cache_clear()


def test_a_result_that_does_not_validate_is_not_given_out_and_c2pa_makes_the_next(
    made: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _signed(picture(), signer())
    honest = templates.Template.filled

    def damaged(template: templates.Template, *arguments: Any) -> bytes | None:
        store = bytearray(honest(template, *arguments) or b"")
        store[store.index(b"Painter")] ^= 1
        return bytes(store)

    monkeypatch.setattr(templates.Template, "filled", damaged)
    with pytest.raises(WriteError, match="does not validate"):
        _signed(picture(), signer())
    for _ in range(2):
        assert witness(_signed(picture(), signer()))["validation_state"] == "Valid"
    assert len(made) == 1


# --- the binding ---


@pytest.mark.parametrize("before", [0, 23, 24, 255, 256, 65535, 65536])
def test_a_binding_of_any_place_is_as_c2pa_writes_it(before: int, made: list[bytes | None]) -> None:
    def room(start: int) -> Callable[[int], containers.Room]:
        return lambda length: containers.Room([bytes(start)], [b"tail"], length)

    def binding(start: int, who: Signer) -> bytes:
        from labeling.marks.credentials.sign import _Job

        job = _Job(b"", "image/jpeg", who, CLAIM)
        job.room = room(start)
        key = templates.key_of("image/jpeg", CLAIM)
        template = templates.find(who, key)
        result = job.run_with(template) if template is not None else job.run()
        assert result is not None
        templates.keep(who, key, result[1], CLAIM)
        at = result[1].index(b"jexclusions")
        return result[1][at : result[1].index(b"c2pa.claim.v2") - 32]

    by_c2pa = binding(before, signer())
    templates._templates.clear()
    binding(20, signer())
    assert binding(before, signer()) == by_c2pa
    assert len(made) == 1


def test_a_place_beyond_four_gigabytes_is_left_to_c2pa() -> None:
    _signed(picture(), signer())
    template = templates.find(signer(), templates.key_of("image/jpeg", CLAIM))
    assert template is not None
    assert template.filled(CLAIM, (1 << 32, 3000), bytes(32), signer().sign) is None


# --- callbacks ---


def test_an_error_of_the_callback_surfaces_and_the_next_file_is_signed(made: list[bytes | None]) -> None:
    answers: Iterator[Any] = iter([None, ConnectionError("the HSM is\nnot there"), b"x" * 64, None])
    service = key_service()

    def sometimes(message: bytes) -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return service(message) if answer is None else bytes(answer)

    who = Signer.from_callback(sometimes, chain().cert_pem)
    _signed(picture(), who)
    with pytest.raises(SigningError, match="ConnectionError: the HSM is not there") as caught:
        _signed(picture(), who)
    assert isinstance(caught.value.__cause__, ConnectionError)
    with pytest.raises(SigningError, match="callback returned 64 bytes that are not a signature"):
        _signed(picture(), who)
    assert witness(_signed(picture(), who))["validation_state"] == "Valid"
    assert len(made) == 1


# --- in the pipelines ---


@pytest.mark.parametrize("format", FORMATS[:3])
def test_pictures_and_files_gain_by_it(format: str, tmp_path: Path, made: list[bytes | None]) -> None:
    labeler = labeling.Labeler("example-service", signer=_who("callback"))
    image = Image.open(io.BytesIO(picture("png", 240))).convert("RGB")
    ids = set()
    for number in range(3):
        report = labeler.label_image(image, format).report
        assert [finding.signature for finding in report.findings if finding.kind == "c2pa"] == [Signature.VALID]
        source = tmp_path / f"{number}.{format}"
        image.save(source)
        report = labeling.verify(labeler.label_file(source, tmp_path / f"labelled-{number}.{format}").path)
        (found,) = [finding for finding in report.findings if finding.kind == "c2pa"]
        assert found.signature == Signature.VALID
        ids.add(found.value["content_id"])
    assert len(ids) == 3
    assert len(made) == 5


def test_the_short_look_at_a_new_jpeg_knows_a_manifest_and_the_picture() -> None:
    made, encoding = io.BytesIO(), containers.formats.encoding_named("jpeg")
    Image.open(io.BytesIO(picture("png", 80))).convert("RGB").save(made, "JPEG", xmp=b"<packet/>")
    encoded = made.getvalue()
    signed = _signed(encoded, signer())
    assert containers.holds_only(signed, b"<packet/>", encoding, encoded)
    assert not containers.holds_only(signed, b"<packet/>", encoding)  # nothing to compare the picture with
    assert not containers.holds_only(signed, b"<another/>", encoding, encoded)
    changed = bytearray(signed)
    changed[-20] ^= 1
    assert not containers.holds_only(bytes(changed), b"<packet/>", encoding, encoded)
    for old, new in ((b"jumb", b"jumc"), (b"jumdc2pa", b"jumdjson")):
        assert not containers.holds_only(signed.replace(old, new, 1), b"<packet/>", encoding, encoded)
    long = _signed(encoded, signer(), replace(CLAIM, title="x" * 100_000))
    assert not containers.holds_only(long, b"<packet/>", encoding, encoded)  # in two segments
    assert b"<packet/>" in [block.data for block in containers.read(long).blocks]


def test_a_signed_jpeg_from_memory_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = counted(monkeypatch, containers, "read")
    labeler = labeling.Labeler("example-service", signer=signer())
    made = labeler.label_image(Image.open(io.BytesIO(picture("png", 240))).convert("RGB"), "jpeg")
    assert reads == []
    assert [found.signature for found in made.report.findings if found.kind == "c2pa"] == [Signature.VALID]
    assert made.report.compliant
