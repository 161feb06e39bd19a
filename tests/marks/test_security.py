"""Security data in the reserved codes: against the standard's vectors, OpenSSL's command line and a real file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.errors import LabelingError, SigningError
from labeling.findings import Severity, Signature, Status
from labeling.marks import _sm2, security
from labeling.marks.security import Half, Sm2Key, check, sign

from .. import programs

FIELDS = {
    "Label": "1",
    "ContentProducer": "001191000000MA00DEM00P10001",
    "ProduceID": "job-42",
    "ContentPropagator": "001191000000MA00DEM00P20001",
    "PropagateID": "post-7",
}

# GB/T 32918.5-2017, A.2: the example of a digital signature on the recommended curve.
VECTOR_KEY = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
VECTOR_R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
VECTOR_S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA


def openssl(*arguments: object) -> bytes:
    program = programs.require("openssl")  # version 3
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True).stdout


SM2_OPTIONS = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")


@pytest.fixture(scope="module")
def key() -> Sm2Key:
    return Sm2Key.generate()


@pytest.fixture(scope="module")
def signed(key: Sm2Key) -> str:
    return sign(FIELDS, key)


@pytest.fixture(scope="module")
def openssl_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openssl") / "key.pem"
    openssl("genpkey", "-algorithm", "SM2", "-out", path)
    return path


def forms(point: bytes) -> dict[str, str]:
    """The five encodings of a 65-byte public key."""
    x, y = point[1:33], point[33:]
    return {
        "spki": ("3059301306072a8648ce3d020106082a811ccf5501822d034200" + point.hex()),
        "point": point.hex(),
        "bare": (x + y).hex().upper(),
        "compressed": (bytes([2 + y[-1] % 2]) + x).hex(),
        "x": x.hex(),
    }


def changed(code: str, **values: Any) -> str:
    """The same security data with other values in its two entries."""
    data = json.loads(code)
    for entry in data["SecurityData"]["PubSD"]:
        entry.update({name: value for name, value in values.items() if name in entry})
    return json.dumps(data)


def test_sm3_gives_the_digests_of_the_standard() -> None:
    """GB/T 32905-2016, A.1 and A.2."""
    vectors = {
        b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
        b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
    }
    for text, digest in vectors.items():
        assert _sm2.sm3_portable(text).hex() == _sm2.sm3(text).hex() == digest


@given(st.binary(max_size=300))
def test_sm3_without_openssl_equals_openssl(data: bytes) -> None:
    assert _sm2.sm3_portable(data) == hashlib.new("sm3", data).digest()


def test_the_example_of_the_standard_verifies() -> None:
    (key,) = security.decode_key(VECTOR_KEY)
    assert _sm2.identity_digest(key).hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
    assert _sm2.verify(key, b"message digest", (VECTOR_R, VECTOR_S))
    assert not _sm2.verify(key, b"message digest", (VECTOR_R ^ 1, VECTOR_S))
    assert not _sm2.verify(key, b"message digest.", (VECTOR_R, VECTOR_S))


@pytest.mark.parametrize("half", list(Half))
def test_openssl_verifies_what_we_sign(key: Sm2Key, tmp_path: Path, half: Half) -> None:
    data = json.loads(sign(FIELDS, key, half))["SecurityData"]
    text = (
        '"Label":"1","ContentProducer":"001191000000MA00DEM00P10001","ProduceID":"job-42"'
        if half is Half.PRODUCER
        else '"Label":"1","ContentPropagator":"001191000000MA00DEM00P20001","PropagateID":"post-7"'
    )
    (tmp_path / "message").write_text(text)
    (tmp_path / "signature").write_bytes(bytes.fromhex(data["PubSD"][0]["Signature"]))
    (tmp_path / "public.pem").write_bytes(key.public_pem())
    files = ("-in", tmp_path / "message", "-sigfile", tmp_path / "signature", "-inkey", tmp_path / "public.pem")
    assert b"Verified Successfully" in openssl("pkeyutl", "-verify", "-pubin", *files, *SM2_OPTIONS)
    assert (data["Type"], data["Version"], list(data)) == ("TC260PG", 1, ["Type", "Version", "PubSD"])
    assert data["PubSD"][0]["AlgID"] == "1.2.156.10197.1.501"
    assert data["PubSD"][0]["TBSData"] == {"Type": "LabelMataData"}


@pytest.mark.parametrize("digested", [False, True])
def test_we_verify_what_openssl_signs(openssl_key: Path, tmp_path: Path, digested: bool) -> None:
    """The text itself and its raw SM3 digest, with every encoding of the key and every spelling seen."""
    text = b'"Label":"1","ContentProducer":"001191000000MA00DEM00P10001","ProduceID":"job-42"'
    (tmp_path / "message").write_bytes(hashlib.new("sm3", text).digest() if digested else text)
    signature = openssl("pkeyutl", "-sign", "-in", tmp_path / "message", "-inkey", openssl_key, *SM2_OPTIONS)
    point = openssl("pkey", "-in", openssl_key, "-pubout", "-outform", "DER")[-65:]
    for form, value in forms(point).items():
        for list_name, kind, what in (("PubSD", "TC260PG", "LabelMataData"), ("PubSd", " TC260PG", "Md")):
            entries = [
                {"Type": "DS", "AlgID": "1.2.156.10197.1.501", "TBSData": {"Type": what}, "Signature": signature.hex()},
                {"Type": "PubKey", "AlgID": "1.2.156.10197.1.501", "KeyValue": value},
            ]
            code = json.dumps({"SecurityData": {"Type": kind, "Version": 1, list_name: entries}})
            result = check(code, FIELDS)
            assert (result.signature, result.defects) == (Signature.VALID, ()), form
            assert check(code, FIELDS, pinned=[bytes.fromhex(value)]).signature is Signature.TRUSTED, form


def test_a_key_of_openssl_signs_here(openssl_key: Path) -> None:
    key = Sm2Key.from_pem(openssl_key.read_bytes())
    assert key.public == openssl("pkey", "-in", openssl_key, "-pubout", "-outform", "DER")[-65:]
    assert check(sign(FIELDS, key), FIELDS).signature is Signature.VALID


def test_only_a_pinned_key_is_trusted(key: Sm2Key) -> None:
    code, stranger = sign(FIELDS, key), Sm2Key.generate()
    assert check(code, FIELDS, pinned=[stranger.public, b"no key"]).signature is Signature.VALID
    assert check(code, FIELDS, pinned=[stranger.public, key.public]).signature is Signature.TRUSTED
    pinned = security.read_pinned(f"# ours\n{key.public.hex()}  # 2026\n{stranger.public_pem().decode()}")
    assert set(pinned) == {key.public, stranger.public}
    for text in ("", "# nothing", "04" * 65, "zz", key.to_pem().decode(), "-----BEGIN PUBLIC KEY-----\nAA\n"):
        with pytest.raises(LabelingError) as error:
            security.read_pinned(text)
        assert "\n" not in str(error.value)


def test_a_file_without_a_key_needs_a_pinned_one(key: Sm2Key) -> None:
    data = json.loads(sign(FIELDS, key))
    del data["SecurityData"]["PubSD"][1]
    assert check(json.dumps(data), FIELDS).signature is Signature.UNSUPPORTED
    assert check(json.dumps(data), FIELDS, pinned=[key.public]).signature is Signature.TRUSTED
    assert check(json.dumps(data), FIELDS, pinned=[Sm2Key.generate().public]).signature is Signature.FAILED


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_bit_fails(key: Sm2Key, signed: str, data: st.DataObject) -> None:
    code, fields = signed, dict(FIELDS)
    part = data.draw(st.sampled_from(["Signature", "KeyValue", "Label", "ContentProducer", "ProduceID"]))
    if part in fields:
        raw = bytearray(fields[part].encode())
    else:
        entries = json.loads(code)["SecurityData"]["PubSD"]
        raw = bytearray.fromhex(next(entry[part] for entry in entries if part in entry))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    if part in fields:
        fields[part] = raw.decode("latin-1")
    else:
        code = changed(code, **{part: raw.hex()})
    result = check(code, fields, pinned=[key.public])
    assert result.signature is Signature.FAILED
    assert [(d.rule, d.severity) for d in result.defects] == [("CN-SECURITY-SIGNATURE", Severity.ERROR)]


@pytest.mark.parametrize(
    "code",
    [
        "b2ffa6fc2de55a5ce48f99187326a402",
        "0190f5a8-6b1e-7c3d-9a52-1f0e6b7c8d9e",
        "K-LBkc9peJ0GoxPECtYBct7vfZZgZvwy4FZrhe/DJovt3rGFEyBJ4z5WZYsl9yWM",
        '{"alg":"RSA","sign":"00"}',
        '{"Type":"TC260PG","Version":1,"PubSD":[{"Type":"DS","AlgID":"1.2.840.113549.1.1.11","TBSData":{"Type":"Md"}}]}',
        '{"Type":"TC260PG","Version":2,"PubSD":[]}',
        '{"Type":"TC260PG","Version":1,"Version":1,"PubSD":[]}',
        '{"Type":"TC260PG"',
        "[" * 5000 + "TC260PG",
    ],
)
def test_what_is_not_ours_to_judge_is_unsupported(code: str) -> None:
    result = check(code, FIELDS)
    assert result.signature is Signature.UNSUPPORTED
    assert all(defect.severity is Severity.WARNING for defect in result.defects)
    assert check("", FIELDS).signature is check(None, FIELDS).signature is Signature.NONE


def test_what_a_propagator_signs_is_never_called_broken(key: Sm2Key) -> None:
    own = sign(FIELDS, key, Half.PROPAGATOR)
    assert check(own, FIELDS, half=Half.PROPAGATOR).signature is Signature.VALID
    assert check(own, FIELDS).signature is Signature.FAILED  # it says nothing about the producer's half
    other = check(own, FIELDS | {"PropagateID": "post-8"}, half=Half.PROPAGATOR)
    assert other.signature is Signature.UNSUPPORTED
    assert other.defects[0].severity is Severity.WARNING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["DS", "04" * 32]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Type", "AlgID", "TBSData", "Signature", "KeyValue", "Value"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(JSON, JSON, st.binary(max_size=100))
def test_nothing_in_a_code_raises(one: Any, two: Any, raw: bytes) -> None:
    entry = {"Type": "DS", "AlgID": "sm2", "TBSData": {"Type": "Md"}, "Signature": raw.hex()}
    key = {"Type": "PubKey", "AlgID": "sm2", "KeyValue": raw.hex()}
    for entries in (one, [one, two], [entry, key], [entry | {"Signature": one}, key | {"KeyValue": two}]):
        value = {"Type": "TC260PG", "Version": 1, "Bindings": two, "PubSD": entries}
        for code in (json.dumps(value), json.dumps({"SecurityData": value}), value):
            assert check(code, FIELDS).signature not in (Signature.VALID, Signature.TRUSTED)
    security.decode_key(raw)
    security.decode_signature(raw)


def test_der_is_read_strictly() -> None:
    good = bytes.fromhex("3006020101020102")
    assert security.decode_signature(good) == (1, 2)
    for wrong in ("3006020101020182", "300702010102020002", "30060201010201", "300602010102010200", "3080020101020102"):
        assert security.decode_signature(bytes.fromhex(wrong)) is None


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_sm2_key_is_refused(pem: bytes, tmp_path: Path) -> None:
    with pytest.raises(SigningError):
        Sm2Key.from_pem(pem)
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tmp_path / "p256.pem")
    with pytest.raises(SigningError, match="SM2"):
        Sm2Key.from_pem((tmp_path / "p256.pem").read_bytes())


def test_a_custom_signer_is_checked_before_its_signature_is_written(key: Sm2Key) -> None:
    class Elsewhere:
        """As a hardware module would be wrapped: the signature comes from another key than it claims."""

        public = Sm2Key.generate().public

        def sign(self, message: bytes) -> bytes:
            return key.sign(message)

    with pytest.raises(SigningError, match="does not verify"):
        sign(FIELDS, Elsewhere())


def test_a_key_does_not_show_itself(key: Sm2Key) -> None:
    import pickle

    secret = key.to_pem().decode().split("\n")[1]
    assert secret not in repr(key)
    with pytest.raises(SigningError):
        pickle.dumps(key)


def test_a_real_signature_over_a_binding_holds_but_does_not_vouch_for_the_label(cases: Path) -> None:
    """Yuanbao signs the raw SM3 value beside the signature; the label could be exchanged and it would still hold."""
    import labeling

    report = labeling.verify(cases / "1_aigc_cn" / "yuanbao_png_eXIf_usercomment_sm2.png", visible=False)
    (finding,) = [finding for finding in report.findings if finding.kind == "aigc"]
    result = check(finding.value["ReservedCode1"], finding.value)
    assert result.signature is Signature.UNSUPPORTED
    assert "is valid for the hash beside it" in result.detail
    value = "adf5404cff75307641a030c3a67e272dca95116ed243aac93127cc66669e6d3d"
    forged = finding.value["ReservedCode1"].replace(value, "0" * 64)
    assert "something other than the label" in check(forged, finding.value).detail


def png() -> bytes:
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(made, "PNG")
    return made.getvalue()


def label_in(data: bytes, **options: Any) -> Any:
    import labeling

    (finding,) = [
        finding for finding in labeling.verify(data, visible=False, **options).findings if finding.kind == "aigc"
    ]
    return finding


def test_a_labeler_with_a_key_signs_its_labels(key: Sm2Key) -> None:
    import labeling

    labeler = labeling.Labeler(FIELDS["ContentProducer"], visible=False, security_key=key)
    made = labeler.label_image(png(), content_id="job-42").data
    assert label_in(made).signature is Signature.VALID
    assert label_in(made, pinned=[key.public]).signature is Signature.TRUSTED
    again = labeler.label_image(made).data
    assert label_in(again).value == label_in(made).value, "a signature that holds is kept"
    keyless = labeling.Labeler(FIELDS["ContentProducer"], visible=False)
    assert label_in(keyless.label_image(made).data).signature is Signature.VALID
    assert label_in(keyless.label_image(png()).data).signature is Signature.NONE
    other_origin = labeling.Labeler(FIELDS["ContentProducer"], visible=False, origin=labeling.Origin.POSSIBLE)
    with pytest.raises(SigningError, match="SM2 key"):
        other_origin.label_image(made)


def test_a_tampered_label_is_defective_and_says_why(key: Sm2Key) -> None:
    import zlib

    import labeling

    labeler = labeling.Labeler(FIELDS["ContentProducer"], visible=False, security_key=key)
    made = labeler.label_image(png(), content_id="job-42").data
    at = made.index(b"iTXt") - 4
    length = int.from_bytes(made[at : at + 4], "big")
    chunk = made[at + 4 : at + 8 + length]
    forged = chunk.replace(b"job-42", b"job-43")
    assert forged != chunk
    data = made[: at + 4] + forged + zlib.crc32(forged).to_bytes(4, "big") + made[at + 12 + length :]
    finding = label_in(data, pinned=[key.public])
    assert (finding.status, finding.signature) == (Status.DEFECTIVE, Signature.FAILED)
    assert [defect.rule for defect in finding.defects if defect.severity is Severity.ERROR] == ["CN-SECURITY-SIGNATURE"]
    assert finding.value["ProduceID"] == "job-43"


def test_the_command_line_makes_a_key_signs_and_pins(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from labeling.cli import group

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(group, [str(argument) for argument in arguments])

    assert run("init", tmp_path, "--producer", FIELDS["ContentProducer"], "--test-sm2-key").exit_code == 0
    secret = tmp_path / "test-sm2-key.pem"
    if os.name == "posix":
        assert secret.stat().st_mode & 0o777 == 0o600
    openssl("pkey", "-in", secret, "-noout")
    config, public = tmp_path / "aigc-label.toml", tmp_path / "test-sm2-public.pem"
    assert openssl("pkey", "-in", secret, "-pubout") == public.read_bytes()
    (tmp_path / "in.png").write_bytes(png())
    added = run("add", tmp_path / "in.png", "--no-visible", "--config", config, "-o", tmp_path / "out.png")
    assert added.exit_code == 0, added.output
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('# pinned = ["producer-sm2.pem"]', f'pinned = ["{public.name}"]'), encoding="utf-8")
    (tmp_path / "pinned.txt").write_text(f"# key\n{Sm2Key.generate().public.hex()}\n", encoding="utf-8")

    def signature(*pinned: Path) -> str:
        options = [argument for path in pinned for argument in ("--pinned", path)]
        report = json.loads(run("verify", tmp_path / "out.png", "--no-visible", "--format", "json", *options).stdout)
        return next(str(finding["signature"]) for finding in report[0]["marks"] if finding["mark"] == "aigc")

    assert signature() == signature(tmp_path / "pinned.txt") == "valid"
    assert signature(public) == signature(config) == signature(tmp_path / "pinned.txt", public) == "trusted"
    assert run("verify", tmp_path / "out.png", "--pinned", secret).exit_code == 2
    assert run("verify", tmp_path / "out.png", "--pinned", tmp_path / "missing.pem").exit_code == 2
