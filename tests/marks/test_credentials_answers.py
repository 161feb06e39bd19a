"""Integrity, signer, trust and time stamp are four answers: each is c2pa's, and none spoils another."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

import labeling
from labeling.findings import Finding, Signature, Status
from labeling.marks.credentials import Trust, TrustList, read, shipped, sign
from labeling.marks.credentials.trusted import PURPOSES, is_old
from labeling.reports.credentials import answers, history, watermarks
from labeling.rules import Evidence, evaluate, profile

from .authorities import (
    CLAIMS,
    CREATED,
    DAY,
    DOCUMENTS,
    EMAIL,
    EXPIRED,
    FUTURE,
    NOW,
    SERVERS,
    VALID,
    Holder,
    Stamp,
    authority,
    issued,
    revoked,
    root,
    signed,
)
from .signing import CLAIM, picture, witness

Span = tuple[datetime, datetime]


@cache
def _top(name: str = "Root of the test") -> Holder:
    return root(name)


@cache
def _clock() -> tuple[Holder, Holder]:
    return authority()


def _signer(purposes: tuple[str, ...] = (CLAIMS,), span: Span = VALID) -> Holder:
    return _issued(purposes, span)


@cache
def _issued(purposes: tuple[str, ...], span: Span) -> Holder:
    return issued(_top(), purposes, span)


@cache
def _file(
    purposes: tuple[str, ...] = (CLAIMS,), span: Span = VALID, stamped: datetime | None = None, fits: bool = True
) -> bytes:
    stamp = Stamp(*_clock(), stamped) if stamped else None
    return signed(_signer(purposes, span), _top(), stamp=stamp, stamp_fits=fits)


def _state(finding: Finding, answer: str) -> Any:
    return finding.value[answer]["certificate" if answer == "signer" else "state"]


def _told(data: bytes, anchors: dict[str, bytes] | None = None) -> dict[str, list[str]]:
    """c2pa's own codes: with the purposes that the specification allows, and these roots."""
    entries = [{"trust_anchors": pem.decode(), "trust_kind": kind} for kind, pem in (anchors or {}).items()]
    trust = {"trust_config": "\n".join(PURPOSES) + "\n", **({"anchors": entries} if entries else {})}
    store = witness(data, settings={"trust": trust, "verify": {"ocsp_fetch": False, "remote_manifest_fetch": False}})
    own = store["validation_results"]["activeManifest"]
    return {kind: [each["code"] for each in own[kind]] for kind in ("success", "informational", "failure")}


def _rules(finding: Finding, name: str) -> set[str]:
    verdict = evaluate(Evidence((finding,)), profile(name))
    return {each.rule for each in (*verdict.failed, *verdict.warnings)}


# --- what a certificate may be for ---


@pytest.mark.parametrize("purposes", [(EMAIL,), (DOCUMENTS,), (CLAIMS,), (CLAIMS, DOCUMENTS), (SERVERS, CLAIMS)])
def test_every_purpose_of_the_specification_may_sign(purposes: tuple[str, ...]) -> None:
    data = _file(purposes)
    assert _told(data)["failure"] == ["signingCredential.untrusted"]
    for trust, word in (
        (None, Signature.VALID),
        (Trust(_top().pem), Signature.TRUSTED),
        (Trust(_top("other").pem), Signature.VALID),
    ):
        finding = read(data, "image/jpeg", trust=trust)
        assert (finding.status, finding.signature, finding.defects) == (Status.PRESENT, word, ())
        assert _state(finding, "signer") == "valid"


@pytest.mark.parametrize("purposes", [(EMAIL,), (DOCUMENTS,), (CLAIMS,)])
@pytest.mark.parametrize("format", ["jpeg", "png", "gif"])
def test_we_sign_with_every_purpose_too(purposes: tuple[str, ...], format: str) -> None:
    holder = issued(_top(), purposes)
    secret = holder.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    who = labeling.Signer.from_pem(holder.pem + _top().pem, secret)
    once = sign(picture(format), f"image/{format}", who, CLAIM)
    twice = sign(once, f"image/{format}", who, CLAIM, parent=once)
    for data in (once, twice):
        finding = read(data, f"image/{format}", trust=Trust(_top().pem))
        assert (finding.status, finding.signature) == (Status.PRESENT, Signature.TRUSTED)
        assert "ingredient_validation_codes" not in finding.value


@pytest.mark.parametrize("purposes", [(), (SERVERS,)])
def test_a_certificate_for_none_of_them_is_unfit_and_breaks_nothing(purposes: tuple[str, ...]) -> None:
    data = _file(purposes)
    assert "signingCredential.invalid" in _told(data)["failure"]
    for trust in (None, Trust(_top().pem)):
        finding = read(data, "image/jpeg", trust=trust)
        assert (finding.status, finding.signature) == (Status.DEFECTIVE, Signature.FAILED)
        assert [each.rule for each in finding.defects] == ["C2PA-CREDENTIAL"]
        assert (_state(finding, "integrity"), _state(finding, "signer")) == ("intact", "unfit")
        assert "C2PA-BROKEN" not in _rules(finding, "cn")
        [why] = [
            each.message for each in evaluate(Evidence((finding,)), profile("eu")).failed if each.rule == "EU-SIGNED"
        ]
        assert why == "the metadata are digitally signed, but the signer's certificate is not one that may sign claims"


# --- expired is not broken ---


@pytest.mark.parametrize("trust", [None, Trust(_top().pem), Trust(_top("other").pem), "shipped"])
def test_an_expired_certificate_without_a_stamp(trust: Any) -> None:
    data, day = _file(span=EXPIRED), EXPIRED[1].date().isoformat()
    codes = _told(data)
    assert "signingCredential.expired" in codes["failure"]
    assert "claimSignature.validated" in codes["success"]
    assert "assertion.dataHash.match" in codes["success"]
    finding = read(data, "image/jpeg", trust=trust)
    assert finding.signature is Signature.EXPIRED
    assert finding.value["integrity"] == {"state": "intact", "hash": "fits", "signature": "fits", "assertions": "fit"}
    assert (_state(finding, "signer"), finding.value["signer"]["not_after"][:10]) == ("expired", day)
    assert finding.value["time_stamp"] == {"state": "none"}
    [defect] = finding.defects
    assert defect.rule == "C2PA-EXPIRED"
    assert f"expired on {day}" in defect.message
    assert "C2PA-BROKEN" not in _rules(finding, "cn") | _rules(finding, "platform")
    assert "EU-SIGNED" not in _rules(finding, "eu")
    assert {"EU-TRUSTED", "EU-TIME-STAMP", "C2PA-EXPIRED"} <= _rules(finding, "eu")
    said = dict(answers(finding))
    assert said["integrity"] == "hash, signature and assertions fit"
    assert f"expired on {day}" in said["signer"]
    assert said["time stamp"] == "none"


LISTS: dict[str, tuple[Any, Signature, bool]] = {
    # Lists, the word, and whether the stamp's authority is trusted. Lists about others change nothing.
    "none": (None, Signature.VALID, False),
    "others": (("other", None), Signature.VALID, False),
    "others and others' stamps": (("other", "other"), Signature.VALID, False),
    "the stamp's alone": (("other", "clock"), Signature.VALID, True),
    "the signer's alone": (("own", None), Signature.VALID, False),
    "the signer's and others' stamps": (("own", "other"), Signature.VALID, False),
    "both": (("own", "clock"), Signature.TRUSTED, True),
}


def _lists(names: tuple[str, str | None] | None) -> tuple[Trust | None, dict[str, bytes]]:
    if names is None:
        return None, {}
    pems = {"own": _top().pem, "other": _top("other").pem, "clock": _clock()[1].pem}
    stamps = pems[names[1]] if names[1] else b""
    anchors = {"manifest": pems[names[0]], **({"tsa": stamps} if stamps else {})}
    return Trust(pems[names[0]], tsa_pem=stamps), anchors


@pytest.mark.parametrize("lists", LISTS)
def test_a_stamp_from_inside_its_validity_keeps_an_expired_certificate_good(lists: str) -> None:
    names, word, stamp_trusted = LISTS[lists]
    trust, anchors = _lists(names)
    data = _file(span=EXPIRED, stamped=NOW - 100 * DAY)
    codes = _told(data, anchors)
    finding = read(data, "image/jpeg", trust=trust)
    assert (finding.status, finding.signature, finding.defects) == (Status.PRESENT, word, ())
    assert (_state(finding, "integrity"), _state(finding, "signer")) == ("intact", "expired")
    stamp = finding.value["time_stamp"]
    assert (stamp["state"], stamp["authority"], stamp["trusted"]) == ("valid", "Clock of the test", stamp_trusted)
    assert stamp["time"] == (NOW - 100 * DAY).isoformat()
    assert "timeStamp.validated" in codes["success"]
    assert ("timeStamp.trusted" in codes["success"]) == stamp_trusted
    assert ("timeStamp.untrusted" in codes["informational"]) == (not stamp_trusted)
    listed = names is not None and names[0] == "own"
    assert _state(finding, "trust") == ("unasked" if names is None else "listed" if listed else "unlisted")
    if stamp_trusted:
        assert ("signingCredential.trusted" in codes["success"]) == listed
    assert _rules(finding, "cn").isdisjoint({"C2PA-BROKEN", "C2PA-EXPIRED"})
    assert _rules(finding, "eu").isdisjoint({"EU-SIGNED", "EU-TIME-STAMP", "C2PA-EXPIRED"})
    assert ("EU-STAMP-AUTHORITY" in _rules(finding, "eu")) is not stamp_trusted
    assert evaluate(Evidence((finding,)), profile("eu")).outcome == "inconclusive", "no watermark"
    assert ("EU-TRUSTED" in _rules(finding, "eu")) == (word is not Signature.TRUSTED)
    said = dict(answers(finding))
    assert said["signer"].endswith("the time stamp says that it signed before")
    assert ("its root is on the list given" in said["time stamp"]) == stamp_trusted


def test_an_older_claim_s_stamp_counts_and_no_list_is_asked() -> None:
    data = signed(_signer(span=EXPIRED), _top(), stamp=Stamp(*_clock(), NOW - 100 * DAY), claim_version=1)
    assert "timeStamp.trusted" in _told(data)["success"]
    finding = read(data, "image/jpeg", trust=Trust(_top().pem))
    assert finding.signature is Signature.TRUSTED
    stamp = finding.value["time_stamp"]
    assert (stamp["trusted"], stamp["legacy"], "list" in stamp) == (True, True, False)
    assert dict(answers(finding))["time stamp"].endswith("no list of authorities is asked for manifests of that age")


@pytest.mark.parametrize("trusting", [False, True])
def test_a_stamp_from_after_the_end_shows_that_it_was_late(trusting: bool) -> None:
    data = _file(span=EXPIRED, stamped=NOW - 2 * DAY)
    trust = Trust(_top().pem, tsa_pem=_clock()[1].pem) if trusting else None
    finding = read(data, "image/jpeg", trust=trust)
    assert (finding.signature, _state(finding, "integrity")) == (Signature.EXPIRED, "intact")
    [defect] = finding.defects
    assert defect.message.startswith(
        f"the signer's certificate expired on {EXPIRED[1].date()}, and the time stamp says {(NOW - 2 * DAY).date()}"
    )


def test_a_stamp_that_does_not_fit_counts_for_nothing() -> None:
    for span, word in ((EXPIRED, Signature.EXPIRED), (VALID, Signature.VALID)):
        data = _file(span=span, stamped=NOW - 60 * DAY, fits=False)
        assert "timeStamp.mismatch" in _told(data)["informational"]
        finding = read(data, "image/jpeg", trust=Trust(_top("other").pem, tsa_pem=_clock()[1].pem))
        assert (finding.signature, _state(finding, "integrity")) == (word, "intact")
        assert (_state(finding, "time_stamp"), finding.value["time_stamp"]["trusted"]) == ("invalid", False)
        assert "C2PA-TIME-STAMP" in {each.rule for each in finding.defects}
        assert dict(answers(finding))["time stamp"] == "not valid (Clock of the test, Clocks Ltd)"


def test_a_certificate_that_is_not_valid_yet() -> None:
    data = _file(span=FUTURE)
    assert "signingCredential.expired" in _told(data)["failure"]  # c2pa has one code for both
    finding = read(data, "image/jpeg")
    assert (finding.signature, _state(finding, "signer")) == (Signature.FAILED, "not yet valid")
    [defect] = finding.defects
    assert defect.message.startswith(f"the signer's certificate is not valid before {FUTURE[0].date()}")
    assert "C2PA-BROKEN" not in _rules(finding, "cn")
    assert f"valid only from {FUTURE[0].date()} on" in dict(answers(finding))["signer"]


def test_a_revoked_certificate() -> None:
    data = revoked(_signer(), _top(), _file(stamped=NOW - 10 * DAY))
    assert "signingCredential.ocsp.revoked" in _told(data, {"manifest": _top().pem})["failure"]
    finding = read(data, "image/jpeg", trust=Trust(_top().pem))
    assert (finding.signature, _state(finding, "signer")) == (Signature.FAILED, "revoked")
    assert (_state(finding, "integrity"), _state(finding, "trust")) == ("intact", "listed")
    assert [each.rule for each in finding.defects] == ["C2PA-REVOKED"]
    assert "C2PA-BROKEN" not in _rules(finding, "cn")
    assert "certificate revoked" in dict(answers(finding))["signer"]
    # Without its root c2pa does not look at the answer: nobody says that it was checked.
    unknown = read(data, "image/jpeg")
    assert unknown.value["signer"]["revocation"] == "not checked"
    assert "revoked" not in dict(answers(unknown))["signer"]


# --- broken is broken, whoever signed and when ---


@pytest.mark.parametrize("span", [VALID, EXPIRED])
@pytest.mark.parametrize("part", ["hash", "signature", "assertions"])
def test_what_does_not_fit_is_broken_and_named(part: str, span: Span) -> None:
    whole = _file(span=span, stamped=NOW - 60 * DAY)
    broken = bytearray(whole)
    if part == "hash":
        broken[-20] ^= 1
    elif part == "assertions":
        broken[whole.index(b"trainedAlgorithmicMedia")] ^= 1
    else:
        broken[whole.index(b"xmp.iid:") + 10] ^= 1
    data = bytes(broken)
    beginning = {"hash": "assertion.dataHash", "signature": "claimSignature", "assertions": "assertion.hashedURI"}[part]
    trust = Trust(_top().pem, tsa_pem=_clock()[1].pem)
    told = _told(data, {"manifest": _top().pem, "tsa": _clock()[1].pem})
    assert any(code.startswith(beginning) for code in told["failure"])
    finding = read(data, "image/jpeg", trust=trust)
    assert (finding.signature, _state(finding, "integrity")) == (Signature.FAILED, "broken")
    assert finding.value["integrity"][part] == "broken"
    assert "C2PA-BROKEN" in _rules(finding, "cn")
    words = {"hash": "the content is not", "signature": "the signature does not", "assertions": "an assertion does not"}
    assert words[part] in dict(answers(finding))["integrity"]
    if part == "signature":
        assert "not proven by the signature" in dict(answers(finding))["signer"]


# --- what the manifests say ---


def test_watermarks_are_quoted_and_the_history_is_told() -> None:
    by = _signer()
    applied = {"action": "c2pa.edited", "description": "Applied imperceptible SynthID watermark."}
    first = signed(by, _top(), actions=(CREATED, applied))
    edits = (
        {"action": "c2pa.edited", "description": "Added visible watermark"},
        {"action": "c2pa.edited", "description": "No watermark was added"},
        {"action": "c2pa.edited", "description": "Removed a watermark that was added before"},
        {"action": "c2pa.watermarked.unbound"},
        {"action": "c2pa.edited", "description": "\x1b[31m<b>bold</b>\u202e"},
    )
    binding = {"label": "c2pa.soft-binding", "data": {"alg": "com.example.mark.1", "blocks": []}}
    data = signed(by, _top(), actions=({"action": "c2pa.opened"}, *edits), assertions=(binding,), parents=(first,))
    finding = read(data, "image/jpeg")
    assert [(each["by"], each.get("says", "")) for each in finding.value["watermarks"]] == [
        ("c2pa.watermarked.unbound", ""),
        ("c2pa.soft-binding", "com.example.mark.1"),
        ("c2pa.edited", "Applied imperceptible SynthID watermark."),
    ]
    assert (
        watermarks(finding.value)[0] == "c2pa.watermarked.unbound; the manifest says one was added; not looked for here"
    )
    assert all(each.endswith("not looked for here") for each in watermarks(finding.value))
    steps = finding.value["history"]
    assert [[each["action"] for each in step["actions"]] for step in steps] == [
        ["c2pa.created", "c2pa.edited"],
        ["c2pa.opened", *(each["action"] for each in edits)],
    ]
    assert steps[0]["actions"][0] == {
        "action": "c2pa.created", "agent": "Painter 2.1", "source_type": CREATED["digitalSourceType"],
    }  # fmt: skip
    assert steps[1]["ingredients"][0]["manifest"] == steps[0]["manifest"]
    assert history(finding.value)[0].startswith("Painter 2.1: created (trainedAlgorithmicMedia) [Painter 2.1]; edited")


def test_a_history_is_bounded() -> None:
    actions = tuple({"action": "c2pa.edited", "description": "x" * 2000} for _ in range(100))
    finding = read(signed(_signer(), _top(), actions=({"action": "c2pa.opened"}, *actions)), "image/jpeg")
    [step] = finding.value["history"]
    assert len(step["actions"]) == 32
    assert len(step["actions"][1]["description"]) == 500
    steps = [{"generator": str(n), "actions": []} for n in range(30)]
    assert history({"history": steps})[0] == "22 earlier steps are not shown"


# --- lists ---


def test_the_shipped_lists_are_the_default_and_none_turns_them_off(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(_file())
    trust = labeling.verify(path, visible=False).find("c2pa").value["trust"]  # type: ignore[union-attr]
    assert trust == {"state": "unlisted", "asked": [{"name": "C2PA trust list", "date": "2026-10-01"}]} | (
        {"note": trust["note"]} if "note" in trust else {}
    )
    for nobody in (None, "none"):
        finding = labeling.verify(path, visible=False, trust=nobody).find("c2pa")
        assert finding is not None
        assert finding.value["trust"] == {"state": "unasked"}
        assert finding.signature is Signature.VALID
    mine = Trust(lists=(TrustList("our own", "anchors", _top().pem, "2026-11-01"),))
    finding = labeling.verify(path, visible=False, trust=mine).find("c2pa")
    assert finding is not None
    assert (finding.signature, finding.value["trust"]["list"]) == (Signature.TRUSTED, "our own")
    assert dict(answers(finding))["trust"] == "on the list our own of 2026-11-01"
    with pytest.raises(labeling.LabelingError, match="`trust` must be"):
        labeling.verify(path, visible=False, trust="everybody")  # type: ignore[arg-type]


def test_isolated_processes_get_the_same_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(_file())
    mine = Trust(lists=(TrustList("our own", "anchors", _top().pem, "2026-11-01"),))
    for trust in ("shipped", None, mine):
        near = labeling.verify(path, visible=False, trust=trust)
        far = labeling.verify(path, visible=False, trust=trust, isolate=True)
        assert far.findings == near.findings


def test_a_list_of_stamps_vouches_for_no_signer() -> None:
    data = _file()
    for trust in (Trust(_top("other").pem, tsa_pem=_top().pem), Trust(lists=(TrustList("t", "tsa", _top().pem),))):
        finding = read(data, "image/jpeg", trust=trust)
        assert (finding.signature, _state(finding, "trust")) == (Signature.VALID, "unlisted")
        assert finding.value["validation_state"] == "Valid"
    both = Trust(_top().pem, tsa_pem=_top().pem)
    assert read(data, "image/jpeg", trust=both).signature is Signature.TRUSTED


def test_an_old_list_says_so_and_changes_nothing_else() -> None:
    pem = _top().pem
    for days, old in ((180, False), (181, True)):
        held = TrustList("C2PA trust list", "anchors", pem, (NOW - days * DAY).date().isoformat(), ages=True)
        assert is_old(held, NOW.date()) == old
        finding = read(_file(), "image/jpeg", trust=Trust(lists=(held,)))
        assert (finding.signature, finding.defects) == (Signature.TRUSTED, ())
        assert ("aigc-label trust update" in finding.value["trust"].get("note", "")) == old
        assert ("more than 180 days old" in dict(answers(finding))["trust"]) == old
    own = TrustList("ours", "anchors", pem, "2001-01-01")
    assert not is_old(own)


# --- real files ---


def _real(cases: Path) -> list[tuple[Path, str]]:
    manifest = json.loads((cases / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]
    files = [(cases / each["file"], each["media_type"]) for each in manifest if each.get("c2pa")]
    kinds = {".png": "image/png", ".mp4": "video/mp4", ".jpg": "image/jpeg", ".m4a": "audio/mp4"}
    others = cases.parent / "strangers"
    if others.is_dir():
        named = [*others.glob("hum_*.*"), *others.glob("truepic_*.*")]
        files += [(path, kinds[path.suffix]) for path in sorted(named)]
    assert len(files) >= 20
    return files


def test_real_files_get_c2pa_s_own_answers(cases: Path) -> None:
    """Under the shipped lists: c2pa is given the same, and each answer is one of its codes."""
    pems = {each.kind: b"" for each in shipped().lists}
    for each in shipped().lists:
        pems[each.kind] += each.pem
    entries = [
        {"trust_anchors": pems["tsa"].decode(), "trust_kind": "tsa"},
        {"trust_anchors": pems["anchors"].decode(), "trust_kind": "manifest"},
    ]
    settings = {"trust": {"trust_config": "\n".join(PURPOSES) + "\n", "anchors": entries}}
    for path, media_type in _real(cases):
        data = path.read_bytes()
        finding = read(data, media_type, trust="shipped")
        store = witness(data, media_type, {**settings, "verify": {"ocsp_fetch": False, "remote_manifest_fetch": False}})
        own = store["validation_results"]["activeManifest"]
        failures = {each["code"] for each in own["failure"]}
        codes = failures | {each["code"] for kind in ("success", "informational") for each in own[kind]}
        fault = {code for code in failures if not code.startswith(("signingCredential", "timeStamp"))}
        integrity = {"intact": not fault, "broken": bool(fault), "unchecked": "algorithm.unsupported" in fault}
        assert integrity[_state(finding, "integrity")], path.name
        stamp = finding.value["time_stamp"]
        assert (stamp["state"] == "valid") == ("timeStamp.validated" in codes), path.name
        assert stamp.get("trusted", False) == ("timeStamp.trusted" in codes), path.name
        assert (_state(finding, "trust") == "listed") == ("signingCredential.trusted" in codes), path.name
        expired = "signingCredential.expired" in codes and "timeStamp.untrusted" not in codes
        assert (finding.signature is Signature.EXPIRED) == (expired and not fault), path.name
        assert _state(finding, "signer") != "unfit", path.name
        if _state(finding, "integrity") == "intact":
            assert "C2PA-BROKEN" not in _rules(finding, "cn"), path.name
        for language in ("en", "zh"):
            assert len(answers(finding, language)) == 4


STRANGERS: dict[str, tuple[Signature, str, str, str, str]] = {
    # The word, integrity, certificate, trust, and the authority's list ("-" for an older claim: none is asked).
    "hum_lady.png": (Signature.TRUSTED, "intact", "expired", "listed", "C2PA time-stamp list"),
    "hum_test2.png": (Signature.TRUSTED, "intact", "expired", "listed", "C2PA time-stamp list"),
    "hum_videotest.mp4": (Signature.TRUSTED, "intact", "expired", "listed", "C2PA time-stamp list"),
    "hum_videotest2.mp4": (Signature.VALID, "intact", "expired", "unlisted", "DigiCert Trusted Root G4"),
    "truepic_t4.jpg": (Signature.FAILED, "broken", "expired", "unlisted", "-"),
    "truepic_t6.m4a": (Signature.VALID, "intact", "expired", "unlisted", "-"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_files_are_judged_as_they_are(name: str, cases: Path) -> None:
    path = cases.parent / "strangers" / name
    if not path.is_file():
        pytest.skip("the strangers' files are not here")
    finding = labeling.verify(path, ["cn", "eu"], visible=False).find("c2pa")
    assert finding is not None
    word, integrity, certificate, trust, stamps = STRANGERS[name]
    assert (finding.signature, _state(finding, "integrity")) == (word, integrity)
    assert (_state(finding, "signer"), _state(finding, "trust")) == (certificate, trust)
    stamp = finding.value["time_stamp"]
    assert (stamp["state"], stamp.get("legacy", False)) == ("valid", stamps == "-")
    assert stamps == "-" or stamps in stamp["list"]
    broken = integrity == "broken"
    assert ("C2PA-BROKEN" in _rules(finding, "cn")) == broken
    assert ("EU-SIGNED" in _rules(finding, "eu")) == (broken or not finding.value["ai"])


def test_what_cannot_be_checked_is_not_called_wrong(cases: Path) -> None:
    finding = read((cases / "2_c2pa/c2papy_badsig.jpg").read_bytes(), "image/jpeg")
    assert (finding.signature, _state(finding, "integrity")) == (Signature.UNSUPPORTED, "unchecked")
    assert [each.rule for each in finding.defects] == ["C2PA-ALGORITHM"]
    assert "C2PA-BROKEN" not in _rules(finding, "cn")


def test_no_list_about_others_changes_a_real_file_s_verdict(cases: Path) -> None:
    bundles = cases.parent / "trust"
    own, stamps, interim = (
        (bundles / name).read_bytes() for name in ("c2pa_trust.pem", "c2pa_tsa.pem", "itl_anchors.pem")
    )
    other = _clock()[1].pem
    files = [(path, kind) for path, kind in _real(cases) if "gemini" in path.name or "lady" in path.name]
    assert files
    knowing = (Trust(own), Trust(own, tsa_pem=other), Trust(own, tsa_pem=stamps), Trust(own + interim))
    for path, kind in files:
        data = path.read_bytes()
        assert {read(data, kind, trust=trust).signature for trust in (*knowing, shipped())} == {Signature.TRUSTED}
        others = (None, Trust(other), Trust(interim), Trust(interim, tsa_pem=stamps))
        assert {read(data, kind, trust=trust).signature for trust in others} == {Signature.VALID}


def test_the_interim_list_makes_nobody_trusted(cases: Path) -> None:
    bundles = cases.parent / "trust"
    anchors, allowed = ((bundles / f"itl_{name}.pem").read_bytes() for name in ("anchors", "allowed"))
    data = (cases / "2_c2pa/openai_chatgpt_webp_dalle.webp").read_bytes()
    for trust in (Trust(anchors), Trust(anchors, allowed), Trust(anchors + _top().pem, allowed)):
        finding = read(data, "image/webp", trust=trust)
        assert (finding.signature, finding.value["validation_state"]) == (Signature.VALID, "Valid")
        assert finding.value["trust"]["state"] == "interim"
        assert finding.value["trust"]["date"] == "2026-01-01"
        assert "which makes nobody trusted" in dict(answers(finding))["trust"]
        assert "EU-TRUSTED" in _rules(finding, "eu")
