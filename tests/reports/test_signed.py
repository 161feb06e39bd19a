"""Signed reports: another library verifies the JWS, and whatever is changed afterwards is named."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws as joserfc
from joserfc.jwk import import_key
from PIL import Image

import labeling
from labeling.cli import group
from labeling.errors import LabelingError
from labeling.marks.credentials import TestChain, Trust, make_test_chain
from labeling.reports import signed

REPORT = '[{"path": "图.png", "verdicts": {}}]\n'.encode()
EXAMINED = [signed.Examined("图.png", "a" * 64, 7), signed.Examined("gone.png", "")]
KEYS: dict[str, Any] = {"es256": "EC", "es384": "EC", "ps256": "RSA", "ed25519": "OKP"}


def signer_of(chain: TestChain) -> labeling.Signer:
    return labeling.Signer.from_pem(chain.cert_pem, chain.key_pem)


def failed(check: signed.Check) -> list[str]:
    return [answer.about for answer in check.answers if answer.holds is False]


@pytest.fixture(scope="module")
def chain() -> TestChain:
    return make_test_chain()


@pytest.fixture(scope="module")
def jws(chain: TestChain) -> bytes:
    return signed.sign(REPORT, EXAMINED, signer_of(chain))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("alg", KEYS)
def test_another_library_verifies_it_and_finds_the_certificate(alg: str) -> None:
    chain = make_test_chain(alg)
    text = signed.sign(REPORT, EXAMINED, signer_of(chain)).decode().strip()
    certificate = x509.load_pem_x509_certificates(chain.cert_pem)[0]
    key = import_key(_public(certificate), KEYS[alg])
    registry = joserfc.JWSRegistry(algorithms=["ES256", "ES384", "PS256", "EdDSA"], strict_check_header=False)
    registry.max_header_length = 1 << 20  # certificates are longer than its default
    found = joserfc.deserialize_compact(text, key, registry=registry, payload=REPORT)
    assert found.payload == REPORT
    header = found.headers()
    assert base64.b64decode(header["x5c"][0]) == certificate.public_bytes(Encoding.DER)
    claim = header["aigc_report"]
    assert claim["detector"] == {"id": "aigc-label", "version": labeling.__version__}
    assert claim["files"][0] == {"path": "图.png", "sha256": "a" * 64, "size": 7}
    assert claim["report_sha256"] == hashlib.sha256(REPORT).hexdigest()
    stated = datetime.strptime(claim["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - stated) < timedelta(minutes=5)
    roots = Trust(anchors_pem=chain.root_pem)
    assert signed.check(REPORT, text.encode(), [("x.png", "a" * 64)], trust=roots).holds


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_does_not_hold_is_named(chain: TestChain, jws: bytes) -> None:
    own = Trust(anchors_pem=chain.root_pem)
    assert failed(signed.check(REPORT + b" ", jws, trust=own)) == ["signature", "report"]
    assert failed(signed.check(REPORT, jws, [("y.png", "b" * 64)], trust=own)) == ["file"]
    assert failed(signed.check(REPORT, jws, [("gone.png", "")], trust=own)) == ["file"]
    assert failed(signed.check(REPORT, jws, trust="shipped")) == ["trust"]
    assert failed(signed.check(REPORT, jws, trust=Trust(anchors_pem=make_test_chain().root_pem))) == ["trust"]
    assert failed(signed.check(REPORT, jws, trust=None)) == []
    later = datetime.now(UTC) + timedelta(days=800)
    assert "certificate" in failed(signed.check(REPORT, jws, trust=own, now=later))
    assert failed(signed.check(REPORT, jws, trust=Trust(allowed_pem=chain.cert_pem))) == []


def _changed(jws: bytes, **new: object) -> bytes:
    head, _, tail = jws.decode().partition(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) | new
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=") + f".{tail}".encode()


def test_a_changed_header_is_no_proof(chain: TestChain, jws: bytes) -> None:
    own = Trust(anchors_pem=chain.root_pem)
    other = base64.b64encode(
        x509.load_pem_x509_certificates(make_test_chain().cert_pem)[0].public_bytes(Encoding.DER)
    ).decode()
    assert "signature" in failed(signed.check(REPORT, _changed(jws, x5c=[other]), trust=own))
    assert "signature" in failed(signed.check(REPORT, _changed(jws, extra=1), trust=own))
    wrongs: list[dict[str, Any]] = [{"alg": "none"}, {"alg": "HS256"}, {"crit": ["b64"], "b64": False}, {"typ": "JWT"}]
    wrongs += [{"x5c": []}, {"x5c": ["AAAA"]}, {"aigc_report": {}}, {"x5c": None, "jwk": {}}]
    for wrong in wrongs:
        with pytest.raises(LabelingError, match="JWS"):
            signed.check(REPORT, _changed(jws, **wrong), trust=own)
    for damaged in (b"", b"eyJ..", b"eyJhIjoxfQ..AA", jws.replace(b"..", b".e30."), b"\xff" + jws, b"[]"):
        with pytest.raises(LabelingError, match="JWS"):
            signed.check(REPORT, damaged, trust=own)


def test_a_certificate_is_not_trusted_because_it_names_a_trusted_issuer(jws: bytes, chain: TestChain) -> None:
    """The root of another chain has the same name, and did not sign this certificate; a leaf is no authority."""
    impostor = make_test_chain()
    assert "trust" in failed(signed.check(REPORT, jws, trust=Trust(anchors_pem=impostor.root_pem)))
    assert "trust" in failed(signed.check(REPORT, jws, trust=Trust(anchors_pem=chain.cert_pem)))
    long_ago = make_test_chain(days=1, now=datetime.now(UTC) - timedelta(days=9))
    with pytest.raises(LabelingError, match="expired"):
        signer_of(long_ago)


# --- on the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, chain: TestChain, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIGC_LABEL_HOME", str(tmp_path / "home"))
    Image.new("RGB", (64, 48), "teal").save("photo.png")
    for name, data in (("c.pem", chain.cert_pem), ("k.pem", chain.key_pem), ("root.pem", chain.root_pem)):
        Path(name).write_bytes(data)
    return tmp_path


def do(*arguments: str) -> Result:
    return CliRunner().invoke(group, list(arguments))


def test_a_report_is_signed_handed_over_and_checked(desk: Path) -> None:
    sign = ("--no-visible", "--sign", "c.pem", "k.pem")
    assert do("verify", "photo.png", "missing.png", "--format", "json", "-o", "r.json", *sign).exit_code == 1
    plain = do("verify", "photo.png", "missing.png", "--format", "json", "--no-visible").output
    assert json.loads(Path("r.json").read_bytes()) == json.loads(plain)  # the report stays as it is
    good = do("report", "verify", "r.json", "photo.png", "--trust", "root.pem")
    assert good.exit_code == 0, good.output
    assert good.output.startswith("holds: signed by aigc-labeling test signer")
    assert hashlib.sha256(Path("photo.png").read_bytes()).hexdigest() in good.output
    assert "missing.png  could not be read" in good.output
    Path("photo.png").write_bytes(Path("photo.png").read_bytes() + b" ")
    bad = do("report", "verify", "r.json", "r.json.jws", "photo.png", "--trust", "root.pem", "--format", "json")
    assert bad.exit_code == 1
    answers = json.loads(bad.output)["answers"]
    assert [each["about"] for each in answers if not each["holds"]] == ["file"]
    assert do("report", "verify", "photo.png", "r.json.jws").exit_code == 1
    for wrong in (("r.json", "nowhere.png"), ("nowhere.json",), ("k.pem",)):
        assert do("report", "verify", *wrong).exit_code == 3


def test_signing_is_refused_before_any_work(desk: Path) -> None:
    assert "-o" in do("verify", "photo.png", "--sign", "c.pem", "k.pem").output
    mixed = do("verify", "photo.png", "-o", "r.txt", "--sign", "root.pem", "k.pem")
    assert mixed.exit_code == 2
    assert "PRIVATE" not in mixed.output
    Path("r.txt.jws").write_text("my notes")
    assert "something else" in do("verify", "photo.png", "-o", "r.txt", "--sign", "c.pem", "k.pem").output
    assert not Path("r.txt").exists()


def test_a_file_that_changes_meanwhile_is_not_signed_for(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.verification import verifier

    real = verifier.verify

    def verify(path: Path, *rest: object, **more: object) -> labeling.Report:
        found = real(path, *rest, **more)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes() + b"\0")
        return found

    monkeypatch.setattr(verifier, "verify", verify)
    done = do("verify", "photo.png", "--no-visible", "-o", "r.json", "--format", "json", "--sign", "c.pem", "k.pem")
    assert done.exit_code == 3
    assert "was changed while it was examined" in done.output
    assert not Path("r.json").exists()


def test_every_mark_says_which_technique_it_rests_on(desk: Path) -> None:
    labeler = labeling.Labeler(producer="001191000000MA00DEM00P10001", signer=signer_of(make_test_chain()))
    Image.effect_noise((320, 300), 40).convert("RGB").save("p.png")
    labeler.label_file("p.png", "out.png")
    report = labeling.verify("out.png")
    said = {mark["mark"]: mark["technique"] for mark in report.to_dict()["marks"]}
    assert said == {
        "aigc": "metadata", "visible": "visible mark", "c2pa": "signed metadata", "iptc": "metadata",
    }  # fmt: skip
    bare = labeling.verify("photo.png", ["cn", "eu"], visible=True).to_dict()
    rests = {each["rule"]: each.get("technique") for v in bare["verdicts"].values() for each in v["failed"]}
    assert rests["CN-IMPLICIT-MISSING"] == rests["EU-MARKED"] == "metadata"
    assert rests["CN-VISIBLE-MISSING"] == "visible mark"
    assert rests["EU-SIGNED"] == "signed metadata"
    assert rests["EU-WATERMARK"] == "watermark"
    from labeling.reports import render

    page = render("html", [report], language="zh")
    assert "依据技术" in page
    assert "带签名的元数据" in page
    table = do("verify", "out.png").output
    assert "visible: visible mark, read by OCR" in " ".join(table.split())
