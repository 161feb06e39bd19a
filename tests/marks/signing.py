"""Keys, certificates and pictures for the tests of content credentials, made here and nowhere else."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import c2pa
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from labeling.marks.credentials import Claim, Signer, TestChain, make_test_chain

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CLAIM = Claim(
    title="一张图",
    generator="Painter",
    generator_version="2.1",
    when="2026-03-04T05:06:07Z",
    provider="Example Ltd",
    content_id="0198-abc",
)


_chain = cache(make_test_chain)


def chain(alg: str = "es256") -> TestChain:
    """One chain for each algorithm, the same for all tests."""
    return _chain(alg)


@cache
def _signer(alg: str) -> Signer:
    made = chain(alg)
    return Signer.from_pem(made.cert_pem, made.key_pem)


def signer(alg: str = "es256") -> Signer:
    return _signer(alg)


def private_key(made: TestChain) -> Any:
    return serialization.load_pem_private_key(made.key_pem, None)


def key_service(alg: str = "es256", *, raw: bool = False) -> Callable[[bytes], bytes]:
    """What a KMS does: sign a message with a key that stays there. ECDSA comes as DER unless ``raw``."""
    key = private_key(chain(alg))
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(alg[2:])

    def sign(message: bytes) -> bytes:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        assert digest is not None
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        der: bytes = key.sign(message, ec.ECDSA(digest))
        if not raw:
            return der
        width = -(-key.key_size // 8)
        return b"".join(number.to_bytes(width, "big") for number in decode_dss_signature(der))

    return sign


@cache
def picture(format: str = "jpeg", size: int = 64) -> bytes:
    shades = np.add.outer(np.arange(size), 2 * np.arange(size)).astype(np.uint8)
    image = Image.fromarray(np.dstack([shades, shades.T, 255 - shades]))
    target = io.BytesIO()
    if format == "heic":
        import pillow_heif

        pillow_heif.from_pillow(image).save(target)
        return target.getvalue()
    image.save(target, format.upper())
    return target.getvalue()


def witness(data: bytes, media_type: str = "image/jpeg", settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """What c2pa's own reader says, with its default settings but offline."""
    table = {"version": 1, "verify": {"remote_manifest_fetch": False}, **(settings or {})}
    with c2pa.Reader(media_type, io.BytesIO(data), context=c2pa.Context.from_dict(table)) as reader:
        found: dict[str, Any] = json.loads(reader.json())
    return found


def codes(store: dict[str, Any]) -> set[str]:
    return {failure["code"] for failure in store["validation_results"]["activeManifest"]["failure"]}


def certificate(
    key: Any = None,
    *,
    days: tuple[float, float] = (-1, 100),
    usage: bool = True,
    purposes: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    authority: bool = False,
    self_signed: bool = False,
    identified: bool = True,
    names: tuple[str, str] = ("odd signer", "odd root"),
    issuer_key: Any = None,
) -> TestChain:
    """A chain that breaks the rules one asks it to break."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer_key = key if self_signed else issuer_key or ec.generate_private_key(ec.SECP256R1())
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in names)
    now = datetime.now(UTC)
    start, end = (now + timedelta(days=day) for day in days)

    def build(whom: x509.Name, by: x509.Name, public: Any, ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder(by, whom, public, x509.random_serial_number(), start, end)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    leaf = build(subject, subject if self_signed else issuer, key.public_key(), authority)
    flags = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    key_usage = x509.KeyUsage(usage, encipher_only=False, decipher_only=False, **flags)
    leaf = leaf.add_extension(key_usage, critical=True)
    if purposes is not None:
        leaf = leaf.add_extension(
            x509.ExtendedKeyUsage(purposes), critical=ExtendedKeyUsageOID.TIME_STAMPING in purposes
        )
    if identified:
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        leaf = leaf.add_extension(authority_id, critical=False)
    root = build(issuer, issuer, issuer_key.public_key(), True).sign(issuer_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signed = leaf.sign(issuer_key, hashes.SHA256())
    return TestChain(signed.public_bytes(pem), secret, root.public_bytes(pem))
