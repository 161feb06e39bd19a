"""Signing: c2pa's own reader and Pillow are the witnesses of what was written."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Literal

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from labeling.errors import LabelingError, SigningError, UnreadableFile, UnsupportedFormat, WriteError
from labeling.findings import Signature, Status
from labeling.label import Label
from labeling.marks.credentials import Claim, Signer, Trust, make_test_chain, read, sign
from labeling.marks.credentials import _readback as readback

from .. import programs
from .signing import ALGORITHMS, CLAIM, TRAINED, certificate, chain, codes, key_service, picture, signer, witness

FORMATS = ("jpeg", "png", "webp", "gif", "tiff", "heic", "avif")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_validates_with_a_callback(alg: str) -> None:
    by_callback = Signer.from_callback(key_service(alg), chain(alg).cert_pem, alg)
    signed = sign(picture(), "image/jpeg", by_callback, CLAIM)
    root = chain(alg).root_pem.decode()
    store = witness(signed, settings={"trust": {"trust_anchors": root}})
    assert (store["validation_state"], codes(store)) == ("Trusted", set())
    active = store["manifests"][store["active_manifest"]]
    assert active["signature_info"]["alg"].lower() == alg
    assert len(signed) - len(picture()) < 4500


@pytest.mark.parametrize("alg", [a for a in ALGORITHMS if a not in {"ps384", "ps512"}])  # an RSA key alone means PS256
def test_every_key_validates_from_pem(alg: str) -> None:
    signed = sign(picture(), "image/jpeg", signer(alg), CLAIM)
    store = witness(signed, settings={"trust": {"trust_anchors": chain(alg).root_pem.decode()}})
    assert (store["validation_state"], codes(store)) == ("Trusted", set())


@pytest.mark.parametrize("check", ["quick", "full"])
@pytest.mark.parametrize("by", ["pem", "callback"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_validates_and_opens(format: str, by: str, check: Literal["quick", "full"]) -> None:
    media_type, data = f"image/{format}", picture(format)
    who = signer() if by == "pem" else Signer.from_callback(key_service(), chain().cert_pem)
    for _ in range(2):  # the second file of a kind is the one that is checked the quick way
        signed = sign(data, media_type, who, CLAIM, check=check)
        store = witness(signed, media_type)
        assert store["validation_state"] == "Valid"
        assert codes(store) == {"signingCredential.untrusted"}
    if format == "heic":
        import pillow_heif

        before, after = (pillow_heif.open_heif(io.BytesIO(d)).to_pillow() for d in (data, signed))
    else:
        before, after = (Image.open(io.BytesIO(d)) for d in (data, signed))
    assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()


def test_a_long_manifest_is_signed_by_callback_although_it_is_in_several_segments() -> None:
    claim = replace(CLAIM, title="x" * 100_000)
    signed = sign(picture(), "image/jpeg", Signer.from_callback(key_service(), chain().cert_pem), claim)
    assert witness(signed)["validation_state"] == "Valid"


def test_a_png_keeps_its_checksums() -> None:
    signed = sign(picture("png"), "image/png", Signer.from_callback(key_service(), chain().cert_pem), CLAIM)
    check = subprocess.run(["identify", "-regard-warnings", "png:-"], input=signed, capture_output=True, check=False)
    assert check.returncode == 0, check.stderr
    Image.open(io.BytesIO(signed)).verify()  # Pillow verifies the CRC of every chunk


def test_the_manifest_says_what_the_claim_says() -> None:
    store = witness(sign(picture(), "image/jpeg", signer(), CLAIM))
    active = store["manifests"][store["active_manifest"]]
    assertions = {item["label"]: item for item in active["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["data"]["actions"]
    assert action == {
        "action": "c2pa.created",
        "when": "2026-03-04T05:06:07Z",
        "softwareAgent": {"name": "Painter", "version": "2.1"},
        "digitalSourceType": TRAINED,
    }
    disclosure = assertions["c2pa.ai-disclosure"]["data"]
    assert disclosure["modelType"] == "c2pa.types.model"
    assert disclosure["modelName"] == "Painter"
    assert set(disclosure["metadata"].values()) >= {"Example Ltd", "0198-abc", "2.1", "2026-03-04T05:06:07Z"}
    assert all(item["created"] for item in active["assertions"])  # the signer vouches for them
    assert active["title"] == "一张图"
    assert active["claim_generator_info"][0]["name"] == "aigc-labeling"
    assert "thumbnail" not in active


def test_the_claim_of_a_label() -> None:
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    label = Label(producer="P", content_id="c", generator="G", generator_version="1", created=created)
    claim = Claim.of(label, TRAINED, title="t")
    assert (claim.provider, claim.content_id, claim.when, claim.title) == ("P", "c", "2026-01-02T03:04:05Z", "t")


def test_content_that_is_not_ai_makes_no_ai_disclosure() -> None:
    claim = replace(CLAIM, digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture")
    store = witness(sign(picture(), "image/jpeg", signer(), claim))
    assert [item["label"] for item in store["manifests"][store["active_manifest"]]["assertions"]] == ["c2pa.actions.v2"]


@pytest.mark.parametrize("pixels_changed", [True, False])
def test_a_parent_with_a_manifest_stays_as_ingredient(pixels_changed: bool) -> None:
    first = sign(picture(), "image/jpeg", signer(), CLAIM)
    claim = replace(CLAIM, change="visible label added", pixels_changed=pixels_changed)
    second = sign(picture("jpeg", 72), "image/jpeg", signer("ed25519"), claim, parent=first)
    third = sign(second, "image/jpeg", signer(), claim, parent=second)
    store = witness(third)
    assert (store["validation_state"], len(store["manifests"])) == ("Valid", 3)
    active = store["manifests"][store["active_manifest"]]
    (ingredient,) = active["ingredients"]
    assert ingredient["relationship"] == "parentOf"
    actions = active["assertions"][0]["data"]["actions"]
    name = "c2pa.edited" if pixels_changed else "c2pa.edited.metadata"
    assert [action["action"] for action in actions] == ["c2pa.opened", name]
    assert actions[0]["parameters"]["ingredients"]
    assert actions[1]["description"] == "visible label added"
    finding = read(third, "image/jpeg")
    assert (finding.signature, finding.value["manifests"], finding.value["ai"]) == (Signature.VALID, 3, True)


def test_a_parent_of_another_format() -> None:
    first = sign(picture("png"), "image/png", signer(), CLAIM)
    second = sign(picture(), "image/jpeg", signer(), CLAIM, parent=first, parent_media_type="image/png")
    store = witness(second)
    assert (store["validation_state"], len(store["manifests"])) == ("Valid", 2)


def test_a_tampered_parent_is_kept_and_its_state_recorded() -> None:
    first = bytearray(sign(picture(), "image/jpeg", signer(), CLAIM))
    first[-40] ^= 1
    store = witness(sign(picture(), "image/jpeg", signer(), CLAIM, parent=bytes(first)))
    (ingredient,) = store["manifests"][store["active_manifest"]]["ingredients"]
    assert "assertion.dataHash.mismatch" in codes(ingredient)


def test_metadata_only_signing_adds_little() -> None:
    for who in (signer(), Signer.from_callback(key_service(), chain().cert_pem)):
        assert len(sign(picture(), "image/jpeg", who, CLAIM)) - len(picture()) < 3500


def test_threads_share_a_signer() -> None:
    service = Signer.from_callback(key_service(), chain().cert_pem)

    def one(number: int) -> str:
        who = service if number % 2 else signer()
        signed = sign(picture(), "image/jpeg", who, replace(CLAIM, title=str(number)))
        store = witness(signed)
        assert store["manifests"][store["active_manifest"]]["title"] == str(number)
        return str(store["validation_state"])

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(one, range(24))) == {"Valid"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_signs_with_the_same_signer() -> None:
    script = (
        "import os, sys\n"
        "from tests.marks.signing import *\n"
        "from labeling.marks.credentials import read, sign\n"
        "sign(picture(), 'image/jpeg', signer(), CLAIM)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    mark = read(sign(picture(), 'image/jpeg', signer(), CLAIM), 'image/jpeg')\n"
        "    os._exit(0 if mark.signature == 'valid' else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=root, check=True, timeout=60)


# --- what is written is read back ---


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_the_quick_check_lets_no_changed_byte_pass(format: str) -> None:
    data, media_type = picture(format, 32), f"image/{format}"
    result, store = _written(data, media_type)
    readback._quick(result, store, signer())
    at = result.index(store)
    for position in range(len(result)):
        broken = bytearray(result)
        broken[position] ^= 0x55
        try:
            readback._quick(bytes(broken), store, signer())
        except (ValueError, readback._UndecidedError):
            continue
        # What no content hash covers: the wrapping of the manifest store in the format's own terms.
        assert at - 24 <= position < at or at + len(store) <= position < at + len(store) + 4 or format == "tiff"


def test_the_quick_check_finds_a_changed_manifest_that_is_in_the_file() -> None:
    result, store = _written(picture(), "image/jpeg")
    claim_start = store.index(b"created_assertions")
    for position in (claim_start + 60, store.index(b"Painter"), len(store) - 3):
        changed = bytearray(store)
        changed[position] ^= 1
        with pytest.raises(ValueError, match="not"):
            readback._quick(result.replace(store, bytes(changed)), bytes(changed), signer())


def _written(data: bytes, media_type: str) -> tuple[bytes, bytes]:
    from labeling.marks.credentials.sign import _Job

    return _Job(data, media_type, signer(), CLAIM).run()


def test_a_result_that_does_not_validate_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.marks.credentials.sign import _Job

    honest = _Job.run

    def damaged(job: _Job) -> tuple[bytes, bytes]:
        result, store = honest(job)
        broken = bytearray(result)
        broken[-30] ^= 1
        return bytes(broken), store

    monkeypatch.setattr(_Job, "run", damaged)
    for check in ("quick", "full"):
        with pytest.raises(WriteError, match="does not validate"):
            sign(picture(), "image/jpeg", signer(), CLAIM, check=check)


# --- callbacks ---


@pytest.mark.parametrize("alg", ["es256", "es384", "es512"])
@pytest.mark.parametrize("raw", [True, False])
def test_ecdsa_from_a_key_service_may_be_raw_or_der(alg: str, raw: bool) -> None:
    who = Signer.from_callback(key_service(alg, raw=raw), chain(alg).cert_pem)
    store = witness(sign(picture(), "image/jpeg", who, CLAIM))
    assert codes(store) == {"signingCredential.untrusted"}


@pytest.mark.parametrize("format", ["jpeg", "gif"])  # the stand-in's way and c2pa's own
@pytest.mark.parametrize(
    "given", [b"", b"\x01" * 64, b"\x30\x06\x02\x01\x01\x02\x01\x01", b"x" * 5000, "text", None, 7, bytes(64)]
)
def test_rubbish_from_a_callback_makes_no_output(given: object, format: str) -> None:
    who = Signer.from_callback(lambda _: given, chain().cert_pem)  # type: ignore[arg-type, return-value]
    with pytest.raises(SigningError, match="callback returned") as caught:
        sign(picture(format), f"image/{format}", who, CLAIM)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["jpeg", "gif"])
def test_an_error_of_the_callback_surfaces(format: str) -> None:
    def sign_remotely(_: bytes) -> bytes:
        raise ConnectionError("the HSM is\nnot there")

    who = Signer.from_callback(sign_remotely, chain().cert_pem)
    with pytest.raises(SigningError, match="ConnectionError: the HSM is not there") as caught:
        sign(picture(format), f"image/{format}", who, CLAIM)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_the_error_for_a_callback_with_the_wrong_padding_says_what_is_expected() -> None:
    key = signer("ps256")
    who = Signer.from_callback(key_service("ps384"), chain("ps256").cert_pem)
    assert key.signature_size == 256
    with pytest.raises(SigningError, match="RSASSA-PSS with SHA-256, MGF1 and a salt of 32 bytes"):
        sign(picture(), "image/jpeg", who, CLAIM)


# --- time stamps ---


@pytest.fixture
def authority(tmp_path: Path) -> object:
    """A time-stamp authority on this machine: OpenSSL answers, we carry the bytes."""
    programs.require("openssl")
    made = certificate(purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), names=("stamp", "stamp root"))
    for name, pem in (("key", made.key_pem), ("cert", made.cert_pem), ("root", made.root_pem)):
        (tmp_path / f"{name}.pem").write_bytes(pem)
    (tmp_path / "serial").write_text("01")
    (tmp_path / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = it\n[it]\nserial = serial\nsigner_cert = cert.pem\nsigner_key = key.pem\n"
        "certs = root.pem\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256, sha384, sha512\n"
        "ess_cert_id_alg = sha256\n"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (tmp_path / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "answer"]
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write((tmp_path / "answer").read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", made.root_pem
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("by", ["pem", "callback"])
def test_a_time_stamp_is_asked_for_and_read(authority: tuple[str, bytes], by: str) -> None:
    url, root = authority
    made = chain()
    if by == "pem":
        who = Signer.from_pem(made.cert_pem, made.key_pem, tsa_url=url)
    else:
        who = Signer.from_callback(key_service(), made.cert_pem, tsa_url=url)
    signed = sign(picture(), "image/jpeg", who, CLAIM)
    finding = read(signed, "image/jpeg", trust=Trust(made.root_pem, tsa_pem=root))
    assert (finding.signature, finding.value["time_stamped"]) == (Signature.TRUSTED, True)
    assert finding.value["time"].startswith(datetime.now(UTC).strftime("%Y-"))


def test_a_time_stamp_service_that_is_not_there() -> None:
    made = chain()
    who = Signer.from_pem(made.cert_pem, made.key_pem, tsa_url="http://127.0.0.1:9/")
    with pytest.raises(SigningError, match=r"time-stamp service http://127.0.0.1:9/ did not give a time stamp"):
        sign(picture(), "image/jpeg", who, CLAIM)


# --- bad requests ---


@pytest.mark.parametrize(
    ("data", "media_type", "error"),
    [
        (b"", "image/jpeg", UnreadableFile),
        (b"\xff\xd8garbage", "image/jpeg", UnreadableFile),
        (picture()[:200], "image/png", LabelingError),
        (picture("png")[:50], "image/png", LabelingError),
        (b"BM" + bytes(100), "image/bmp", UnsupportedFormat),
        (picture(), "", UnsupportedFormat),
        (picture(), "no/such", UnsupportedFormat),
    ],
)
def test_what_cannot_be_signed_is_said_in_one_line(data: bytes, media_type: str, error: type[LabelingError]) -> None:
    with pytest.raises(error) as caught:
        sign(data, media_type, signer(), CLAIM)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_type_must_be_a_full_uri() -> None:
    with pytest.raises(SigningError, match="full URI"):
        sign(picture(), "image/jpeg", signer(), replace(CLAIM, digital_source_type="trainedAlgorithmicMedia"))


def test_claims_with_odd_text_sign_or_say_why() -> None:
    for title in ("\0", "\ud800", '"}', "x" * 300_000, "\u202e"):
        try:
            signed = sign(picture(), "image/jpeg", signer(), replace(CLAIM, title=title))
        except LabelingError as error:
            assert "\n" not in str(error)
        else:
            assert read(signed, "image/jpeg").status is Status.PRESENT


def test_an_expired_certificate_does_not_sign_even_if_it_was_valid_before() -> None:
    made = make_test_chain(days=1)
    who = Signer.from_pem(made.cert_pem, made.key_pem)
    with pytest.raises(SigningError, match=r"expired on .*; renew it"):
        who.check_dates(datetime(2100, 1, 1, tzinfo=UTC))
