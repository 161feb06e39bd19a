"""Certificates and signatures as C2PA wants them: the profile of C2PA 2.2, 14.5.1, and COSE's signature forms.

The rules are checked before anything is signed: c2pa reports a breach only afterwards, and in its own terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from labeling.errors import SigningError
from labeling.marks.credentials.testchain import CLAIM_SIGNING
from labeling.marks.credentials.trusted import PURPOSES

if TYPE_CHECKING:
    from cryptography import x509

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16384
MAX_CHAIN = 16

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_DIGESTS = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}


def load_chain(pem: bytes, public_key: Any = None) -> list[x509.Certificate]:
    """Return the certificates of a PEM bundle from the leaf upwards, whatever their order in the bundle.

    The leaf is the one with ``public_key`` or, without a key, the one that issued none of the others. Raises
    :class:`SigningError` if there is no certificate, or none with this key.
    """
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise SigningError(
            "the certificate chain holds no readable PEM certificate", hint="give it leaf first"
        ) from None
    if len(found) > MAX_CHAIN:
        raise SigningError(
            f"{len(found)} certificates are too many for a signer's chain (at most {MAX_CHAIN})",
            hint="give the signer's chain, not a trust list",
        )
    leaf = _leaf(found, public_key)
    chain = [leaf]
    while (issuer := _issuer_of(chain[-1], found)) is not None and issuer not in chain:
        chain.append(issuer)
    return chain


def _leaf(found: Sequence[x509.Certificate], public_key: Any) -> x509.Certificate:
    if public_key is not None:
        for certificate in found:
            if certificate.public_key() == public_key:
                return certificate
        raise SigningError(
            f"the private key does not belong to the certificate ({name_of(found[0])})",
            hint="give the pair that was issued together",
        )
    issuers = {c.issuer for c in found if c.issuer != c.subject}
    return next((c for c in found if c.subject not in issuers), found[0])


def _issuer_of(certificate: x509.Certificate, found: Iterable[x509.Certificate]) -> x509.Certificate | None:
    if certificate.issuer == certificate.subject:
        return None
    return next((c for c in found if c.subject == certificate.issuer), None)


def check(chain: Sequence[x509.Certificate]) -> None:
    """Raise :class:`SigningError` unless the leaf may sign claims now (C2PA 2.2, 14.5.1)."""
    from cryptography import x509

    leaf = chain[0]
    who = name_of(leaf)
    algorithm(leaf.public_key(), f"the key of {who}")
    if leaf.version is not x509.Version.v3:
        raise SigningError(f"the certificate {who} is not of version 3", hint="have a new one issued")
    if leaf.issuer == leaf.subject:
        raise SigningError(
            f"the certificate {who} is self-signed, which C2PA forbids",
            hint="have a CA issue one, or make a test chain",
        )
    digest = leaf.signature_hash_algorithm
    if digest is not None and digest.name not in {"sha256", "sha384", "sha512"}:
        raise SigningError(
            f"the certificate {who} is itself signed with {digest.name}", hint="have one issued with SHA-256"
        )
    for certificate, issuer in pairwise(chain):
        _check_issued(certificate, issuer)
    _check_extensions(leaf, who)
    check_dates(leaf, datetime.now(UTC))


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        raise SigningError(
            f"the chain is broken: {name_of(issuer)} did not issue {name_of(certificate)}",
            hint="give the chain of the CA",
        ) from None


def _check_extensions(leaf: x509.Certificate, who: str) -> None:
    from cryptography import x509

    def extension(kind: Any) -> Any:
        try:
            return leaf.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None
        except ValueError:
            raise SigningError(f"the certificate {who} has a damaged extension", hint="have a new one issued") from None

    constraints = extension(x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise SigningError(
            f"the certificate {who} is that of a CA, which must not sign claims", hint="give the signer's certificate"
        )
    usage = extension(x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise SigningError(
            f"the certificate {who} lacks the key usage digitalSignature", hint="have one issued with it"
        )
    purposes = extension(x509.ExtendedKeyUsage)
    if purposes is None or not {oid.dotted_string for oid in purposes} & set(PURPOSES):
        raise SigningError(
            f"the certificate {who} has no extended key usage for signing claims",
            hint=f"it needs c2pa-kp-claimSigning ({CLAIM_SIGNING}) or emailProtection",
        )
    if extension(x509.AuthorityKeyIdentifier) is None:
        raise SigningError(f"the certificate {who} lacks the authority key identifier", hint="have one issued with it")


def check_dates(leaf: x509.Certificate, now: datetime) -> None:
    """Raise :class:`SigningError` if the certificate is not valid at ``now``."""
    since, until = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now > until:
        raise SigningError(f"the certificate {name_of(leaf)} expired on {until:%Y-%m-%d}", hint="renew it")
    if now < since:
        raise SigningError(
            f"the certificate {name_of(leaf)} is not valid before {since:%Y-%m-%d %H:%M} UTC", hint="check the clock"
        )


def algorithm(public_key: Any, what: str) -> str:
    """Return the C2PA algorithm for a key (C2PA 2.2, 13.2). Raises :class:`SigningError` if C2PA has none for it."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(public_key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
            raise SigningError(f"{what} is RSA of {public_key.key_size} bits: C2PA asks for at least {MIN_RSA_BITS}")
        return "ps256"
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _CURVES:
        return _CURVES[public_key.curve.name]
    raise SigningError(
        f"{what} is of a kind that C2PA does not sign with", hint="use P-256, P-384, P-521, RSA or Ed25519"
    )


def choices(alg: str) -> tuple[str, ...]:
    """Return all algorithms that a key can be used with: RSA keys go with any digest."""
    return ("ps256", "ps384", "ps512") if alg == "ps256" else (alg,)


def algorithms(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the algorithms that a certificate's key signs with. Raises :class:`SigningError` if there is none."""
    return choices(algorithm(certificate.public_key(), f"the key of {name_of(certificate)}"))


def signature_size(public_key: Any) -> int:
    """Return the bytes of a signature in COSE's form: r‖s of fixed width, an RSA modulus, or Ed25519's 64."""
    from cryptography.hazmat.primitives.asymmetric import ec

    bits: int = getattr(public_key, "key_size", 256)
    width = -(-bits // 8)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return 2 * width
    return width if hasattr(public_key, "public_numbers") else 64


def candidates(public_key: Any, signature: bytes) -> Iterable[bytes]:
    """Yield what a callback's signature may be in COSE's form: itself or, for DER of ECDSA, r‖s (RFC 9053, 2.1)."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    size = signature_size(public_key)
    if len(signature) == size:
        yield signature
    if isinstance(public_key, ec.EllipticCurvePublicKey) and signature[:1] == b"\x30":
        try:
            r, s = decode_dss_signature(signature)
            yield r.to_bytes(size // 2, "big") + s.to_bytes(size // 2, "big")
        except (ValueError, OverflowError):
            return


def verify(public_key: Any, alg: str, signature: bytes, message: bytes) -> bool:
    """Return whether a signature in COSE's form is valid (RFC 9053, 2; for PSS RFC 8230, 2)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    try:
        if alg.startswith("es"):
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            signature = encode_dss_signature(r, s)
        public_key.verify(signature, message, *_scheme(alg))
    except (InvalidSignature, ValueError):
        return False
    return True


def signed(key: Any, alg: str, message: bytes) -> bytes:
    """Return a signature in COSE's form by a private key."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    made: bytes = key.sign(message, *_scheme(alg))
    if not alg.startswith("es"):
        return made
    half = -(-key.key_size // 8)
    r, s = decode_dss_signature(made)
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


@cache
def _scheme(alg: str) -> tuple[Any, ...]:
    """Return what ``cryptography`` has to be told of an algorithm beside the key."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    if alg == "ed25519":
        return ()
    digest = getattr(hashes, _DIGESTS[alg[2:]])()
    if alg.startswith("ps"):
        return padding.PSS(padding.MGF1(digest), digest.digest_size), digest
    return (ec.ECDSA(digest),)


def expected(alg: str) -> str:
    """Describe a signature by ``alg`` for people who configure a key service."""
    if alg == "ed25519":
        return "pure Ed25519"
    bits = alg[2:]
    if alg.startswith("ps"):
        return f"RSASSA-PSS with SHA-{bits}, MGF1 and a salt of {int(bits) // 8} bytes"
    return f"ECDSA with SHA-{bits}, as r‖s or DER"


def to_pem(chain: Sequence[x509.Certificate]) -> bytes:
    """Return the chain as PEM, leaf first, without the root: whoever trusts it has it (C2PA 2.2, 14.5)."""
    from cryptography.hazmat.primitives import serialization

    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in _without_root(chain))


def to_der(chain: Sequence[x509.Certificate]) -> list[bytes]:
    """Return the certificates that :func:`to_pem` returns, each as DER."""
    from cryptography.hazmat.primitives import serialization

    return [c.public_bytes(serialization.Encoding.DER) for c in _without_root(chain)]


def _without_root(chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    return [c for c in chain if c.issuer != c.subject] or list(chain)


def name_of(certificate: x509.Certificate) -> str:
    """Return the common name of a certificate, or another name of it, in one short line."""
    from cryptography.x509.oid import NameOID

    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            return " ".join(str(attribute.value).split())[:80]
    return f"number {certificate.serial_number:x}"
