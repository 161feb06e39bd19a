"""A certificate chain for trying things out; its name says that it must not be trusted.

It satisfies the certificate profile of C2PA 2.2, 14.5.1, so that a manifest signed with it is well-formed in every
respect but trust.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from labeling.errors import SigningError

if TYPE_CHECKING:
    from cryptography import x509

ORGANISATION = "TEST ONLY - NOT TRUSTED"
ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")

CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"  # c2pa-kp-claimSigning, C2PA 2.2 14.5.1
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"  # what validators older than 2.2 look for
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"

_RSA_BITS = 2048
_CLOCK_SKEW = timedelta(hours=1)  # a machine whose clock lags must not find the chain "not yet valid"


@dataclass(frozen=True, slots=True)
class TestChain:
    """A signer's chain (leaf first), its key and its root, each as PEM."""

    __test__ = False  # pytest: not a class of tests

    cert_pem: bytes
    key_pem: bytes = field(repr=False)
    root_pem: bytes


def make_test_chain(
    alg: str = "es256",
    common_name: str = "aigc-labeling test signer",
    *,
    days: int = 365,
    now: datetime | None = None,
) -> TestChain:
    """Make a root and a signer's certificate that are valid for ``days`` from ``now`` (default: the present).

    ``alg`` is one of es256, es384, es512, ps256, ps384, ps512, ed25519. The private key is PKCS #8, not encrypted: the
    caller stores it so that only its owner can read it. Raises :class:`SigningError` for another algorithm or an
    unusable name.
    """
    from cryptography.hazmat.primitives import serialization

    if alg not in ALGORITHMS:
        raise SigningError(f"`alg` is {alg!r}, which is not known", hint=f"use one of {', '.join(ALGORITHMS)}")
    if not 1 <= len(common_name) <= 64:  # RFC 5280, ub-common-name
        raise SigningError("`common_name` of a test certificate must have 1 to 64 characters")
    start = (now or datetime.now(UTC)) - _CLOCK_SKEW
    span = (start, start + timedelta(days=days))
    root_key, leaf_key = new_key(alg), new_key(alg)
    root_name, leaf_name = _name("aigc-labeling test root"), _name(common_name)
    root = _certificate(root_name, root_name, root_key.public_key(), root_key, span, authority=True)
    leaf = _certificate(leaf_name, root_name, leaf_key.public_key(), root_key, span, authority=False)
    pem = serialization.Encoding.PEM
    key_pem = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return TestChain(leaf.public_bytes(pem), key_pem, root.public_bytes(pem))


def new_key(alg: str, bits: int = _RSA_BITS) -> Any:
    """A new private key for a C2PA algorithm; ``bits`` is the modulus of an RSA key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if alg == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if alg.startswith("ps"):
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    curves: dict[str, ec.EllipticCurve] = {
        "es256": ec.SECP256R1(),
        "es384": ec.SECP384R1(),
        "es512": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[alg])


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = [(NameOID.ORGANIZATION_NAME, ORGANISATION), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: Any,
    issuer_key: Any,
    span: tuple[datetime, datetime],
    *,
    authority: bool,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519

    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        # Only the signer's certificate names purposes; a CA that did would restrict all below it.
        purposes = [x509.ObjectIdentifier(EMAIL_PROTECTION), x509.ObjectIdentifier(CLAIM_SIGNING)]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if isinstance(issuer_key, ed25519.Ed25519PrivateKey):
        return builder.sign(issuer_key, None)
    # Validators want the digest that goes with the curve: c2pa-rs does not follow P-521 with SHA-256 to its root.
    digests: dict[int, Any] = {384: hashes.SHA384(), 521: hashes.SHA512()}
    digest = digests.get(issuer_key.key_size, hashes.SHA256())
    return builder.sign(issuer_key, digest)
