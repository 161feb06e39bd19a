"""Keys and certificates: whatever is wrong with them is said in one line, before anything is signed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from labeling.errors import SigningError
from labeling.marks.credentials import Signer, TestChain, make_test_chain

from .signing import ALGORITHMS, CLAIM, certificate, chain, picture, private_key


def complaint(made: TestChain) -> str:
    with pytest.raises(SigningError) as caught:
        Signer.from_pem(made.cert_pem, made.key_pem)
    message = str(caught.value)
    assert "\n" not in message
    assert "PRIVATE KEY" not in message
    return message


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (certificate(days=(-10, -1)), "expired on"),
        (certificate(days=(2, 10)), "not valid before"),
        (certificate(usage=False), "digitalSignature"),
        (certificate(purposes=None), "extended key usage"),
        (certificate(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "extended key usage"),
        (certificate(purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), "extended key usage"),
        (certificate(authority=True), "CA"),
        (certificate(self_signed=True), "self-signed"),
        (certificate(identified=False), "authority key identifier"),
        (certificate(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits"),
        (certificate(ec.generate_private_key(ec.SECP256K1())), "P-256, P-384, P-521, RSA or Ed25519"),
        (certificate(ec.generate_private_key(ec.SECP224R1())), "P-256, P-384, P-521, RSA or Ed25519"),
    ],
    ids=lambda value: value.replace(" ", "-")[:20] if isinstance(value, str) else "",
)
def test_certificates_that_c2pa_forbids(made: TestChain, says: str) -> None:
    assert says in complaint(made)


def test_a_good_certificate_of_the_same_making_is_accepted() -> None:
    made = certificate()
    assert Signer.from_pem(made.cert_pem, made.key_pem).alg == "es256"


def test_a_key_of_another_certificate() -> None:
    one, other = chain("es256"), make_test_chain()
    assert "does not belong to" in complaint(TestChain(one.cert_pem, other.key_pem, b""))
    assert "does not belong to" in complaint(TestChain(one.cert_pem, chain("ed25519").key_pem, b""))


def test_a_chain_in_any_order_is_put_in_order() -> None:
    made = chain()
    from_pem = Signer.from_pem(made.root_pem + made.cert_pem, made.key_pem)
    from_callback = Signer.from_callback(lambda message: message, made.root_pem + made.cert_pem)
    for who in (from_pem, from_callback):
        assert [c.issuer == c.subject for c in who.chain] == [False, True]
        assert who.chain_pem == made.cert_pem  # the root is for who trusts it, not for the manifest


def test_a_broken_chain() -> None:
    one, other = certificate(), certificate()  # the same names, other keys
    assert "the chain is broken" in complaint(TestChain(one.cert_pem + other.root_pem, one.key_pem, b""))


def test_an_encrypted_key_needs_its_password() -> None:
    made = chain()
    encrypted = private_key(made).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    assert "encrypted" in complaint(TestChain(made.cert_pem, encrypted, b""))
    with pytest.raises(SigningError, match="password"):
        Signer.from_pem(made.cert_pem, encrypted, password=b"wrong")
    assert Signer.from_pem(made.cert_pem, encrypted, password=b"open sesame").alg == "es256"
    assert Signer.from_pem(made.cert_pem, made.key_pem, password=b"needless").alg == "es256"


def test_other_forms_of_the_key_are_taken() -> None:
    made = chain()
    older = private_key(made).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert b"BEGIN EC PRIVATE KEY" in older
    assert Signer.from_pem(made.cert_pem, older).alg == "es256"


@pytest.mark.parametrize("rubbish", [b"", b"no PEM", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_rubbish_for_a_key_or_certificate(rubbish: bytes) -> None:
    made = chain()
    assert "PEM" in complaint(TestChain(made.cert_pem, rubbish, b""))
    assert "PEM" in complaint(TestChain(rubbish, made.key_pem, b""))
    assert "PEM" in complaint(TestChain(made.key_pem, made.cert_pem, b""))


def test_a_key_of_an_unknown_kind() -> None:
    pem = ed448.Ed448PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert "kind that C2PA does not sign with" in complaint(TestChain(chain().cert_pem, pem, b""))


def test_a_trust_list_is_no_chain() -> None:
    assert "trust list" in complaint(TestChain(chain().cert_pem * 17, chain().key_pem, b""))
    assert "larger than" in complaint(TestChain(chain().cert_pem + b"\n" * (1 << 20), chain().key_pem, b""))


def test_an_algorithm_that_the_key_does_not_have() -> None:
    with pytest.raises(SigningError, match="signs with es256"):
        Signer.from_callback(lambda message: message, chain().cert_pem, "ed25519")
    assert Signer.from_callback(lambda message: message, chain("ps256").cert_pem, "PS512").alg == "ps512"


@pytest.mark.parametrize("url", ["", "ftp://example.org", "example.org"])
def test_a_time_stamp_url_must_be_one(url: str) -> None:
    with pytest.raises(SigningError, match="http"):
        Signer.from_pem(chain().cert_pem, chain().key_pem, tsa_url=url)


def test_the_key_shows_nowhere() -> None:
    made = chain()
    who = Signer.from_pem(made.cert_pem, made.key_pem)
    body = made.key_pem.splitlines()[1].decode()
    for shown in (repr(who), str(who), repr(made)):
        assert body not in shown
        assert "PRIVATE" not in shown
    assert "aigc-labeling test signer" in repr(who)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(who)


# --- the test chain ---


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_test_chain_says_what_it_is(alg: str) -> None:
    made = make_test_chain(alg, "somebody")
    leaf, root = (x509.load_pem_x509_certificate(pem) for pem in (made.cert_pem, made.root_pem))
    assert "TEST ONLY - NOT TRUSTED" in leaf.subject.rfc4514_string()
    assert "somebody" in leaf.subject.rfc4514_string()
    leaf.verify_directly_issued_by(root)
    now = datetime.now(UTC)
    assert leaf.not_valid_before_utc < now < leaf.not_valid_after_utc < now + timedelta(days=366)
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).critical


def test_openssl_verifies_the_test_chain(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    made = chain()
    (folder / "leaf.pem").write_bytes(made.cert_pem)
    (folder / "root.pem").write_bytes(made.root_pem)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", "root.pem", "leaf.pem"]
    check = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize(("alg", "name"), [("rs256", "x"), ("", "x"), ("es256", ""), ("es256", "x" * 65)])
def test_a_test_chain_that_cannot_be(alg: str, name: str) -> None:
    with pytest.raises(SigningError):
        make_test_chain(alg, name)


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    script = (
        "import sys, labeling.marks.credentials\n"
        "sys.exit(any(m in sys.modules for m in ('c2pa', 'cryptography', 'numpy', 'PIL')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_pieces_are_what_sign_takes() -> None:
    from labeling.marks.credentials import sign

    assert sign(memoryview(picture()), "image/jpeg", Signer.from_pem(chain().cert_pem, chain().key_pem), CLAIM)
