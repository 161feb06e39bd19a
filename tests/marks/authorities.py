"""Certificates of any age and purpose, time stamps of any moment, and files signed with them: what c2pa would not sign.

c2pa signs with certificates that are good now, and nothing else. So it is given a stand-in of the same length, and the
certificate takes the stand-in's place afterwards; the signature, made by our key, is over the claim with the
certificate, so that everything else fits.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID, ObjectIdentifier

from .signing import TRAINED, picture

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

EMAIL = "1.3.6.1.5.5.7.3.4"
DOCUMENTS = "1.3.6.1.5.5.7.3.36"
CLAIMS = "1.3.6.1.4.1.62558.2.1"
STAMPING = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
SERVERS = "1.3.6.1.5.5.7.3.1"

VALID = (NOW - 100 * DAY, NOW + 100 * DAY)
EXPIRED = (NOW - 300 * DAY, NOW - 30 * DAY)
FUTURE = (NOW + 30 * DAY, NOW + 300 * DAY)


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _name(common_name: str, organisation: str) -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        return pem_of(self.certificate)


def _usage(**yes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


def root(common_name: str = "Root of the test", organisation: str = "Test roots") -> Holder:
    """A root that has been valid for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, organisation)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - 3650 * DAY)
        .not_valid_after(NOW + 3650 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Holder(builder.sign(key, hashes.SHA256()), key)


def issued(
    by: Holder,
    purposes: tuple[str, ...] = (EMAIL,),
    span: tuple[datetime, datetime] = VALID,
    *,
    common_name: str = "Media service",
    organisation: str = "Makers of pictures and videos Ltd",
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Holder:
    """A certificate for ``purposes``, valid from and to ``span``."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder(by.certificate.subject, _name(common_name, organisation), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    if purposes:
        kinds = x509.ExtendedKeyUsage([ObjectIdentifier(each) for each in purposes])
        builder = builder.add_extension(kinds, critical=STAMPING in purposes)
    return Holder(builder.sign(by.key, hashes.SHA256()), key)


# --- time stamps (RFC 3161) ---


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes(-(-len(body).bit_length() // 8), "big")
    return bytes((tag, 0x80 | len(size))) + size + body


def _number(value: int) -> bytes:
    return _der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    out = bytearray((40 * first + second,))
    for arc in rest:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        out += bytes(reversed(septets))
    return _der(6, bytes(out))


_SHA256 = _der(0x30, _oid("2.16.840.1.101.3.4.2.1"), b"\x05\0")
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"


@dataclass(frozen=True)
class Stamp:
    """What an authority answers: its certificate and its root's, and the moment that it certifies."""

    authority: Holder
    root: Holder
    time: datetime

    def token(self, digest: bytes, nonce: bytes = b"") -> bytes:
        """A time-stamp token over a SHA-256 digest (RFC 3161, 2.4.2; RFC 5652, 5)."""
        certificate = self.authority.certificate
        imprint = _der(0x30, _SHA256, _der(4, digest))
        moment = _der(0x18, self.time.strftime("%Y%m%d%H%M%SZ").encode())
        info = _der(0x30, _number(1), _oid("1.2.3.4"), imprint, _number(7), moment, nonce)
        ess = _der(0x30, _der(0x30, _der(0x30, _der(4, hashlib.sha256(der_of(certificate)).digest()))))
        attributes = sorted((
            _der(0x30, _oid("1.2.840.113549.1.9.3"), _der(0x31, _oid(_TST_INFO))),
            _der(0x30, _oid("1.2.840.113549.1.9.4"), _der(0x31, _der(4, hashlib.sha256(info).digest()))),
            _der(0x30, _oid("1.2.840.113549.1.9.16.2.47"), _der(0x31, ess)),
        ))  # fmt: skip
        signature = self.authority.key.sign(_der(0x31, *attributes), ec.ECDSA(hashes.SHA256()))
        issuer = _der(0x30, certificate.issuer.public_bytes(), _number(certificate.serial_number))
        by = _der(
            0x30, _number(1), issuer, _SHA256, _der(0xA0, *attributes),
            _der(0x30, _oid("1.2.840.10045.4.3.2")), _der(4, signature),
        )  # fmt: skip
        chain = _der(0xA0, der_of(certificate), der_of(self.root.certificate))
        content = _der(0x30, _oid(_TST_INFO), _der(0xA0, _der(4, info)))
        data = _der(0x30, _number(3), _der(0x31, _SHA256), content, chain, _der(0x31, by))
        return _der(0x30, _oid(_SIGNED_DATA), _der(0xA0, data))


def authority(span: tuple[datetime, datetime] | None = None) -> tuple[Holder, Holder]:
    """A time-stamp authority and its root."""
    top = root("Root of time stamps")
    span = span or (NOW - 3000 * DAY, NOW + 3000 * DAY)
    return issued(top, (STAMPING,), span, common_name="Clock of the test", organisation="Clocks Ltd"), top


@contextmanager
def _serving(stamp: Stamp, given: list[bytes]) -> Iterator[str]:
    """The authority as a service; ``given`` takes the token that it gave, and the nonce that it was asked with."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            after = query.index(b"\x04\x20", query.index(_SHA256[2:-2])) + 2
            digest, rest = query[after : after + 32], query[after + 32 :]
            nonce = rest[: 2 + rest[1]] if rest[:1] == b"\x02" else b""
            given[:] = [stamp.token(digest, nonce), nonce]
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(_der(0x30, _der(0x30, _number(0)), given[0]))

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- files ---

CREATED = {
    "action": "c2pa.created",
    "digitalSourceType": TRAINED,
    "softwareAgent": {"name": "Painter", "version": "2.1"},
}


def signed(
    by: Holder,
    issuer: Holder,
    *,
    stamp: Stamp | None = None,
    stamp_fits: bool = True,
    actions: tuple[dict[str, Any], ...] = (CREATED,),
    assertions: tuple[dict[str, Any], ...] = (),
    parents: tuple[bytes, ...] = (),
    format: str = "jpeg",
    claim_version: int = 2,
    content: tuple[bytes, str] | None = None,
) -> bytes:
    """A picture with a manifest by ``by``, whose certificate ``issuer`` issued; whatever the certificate is.

    ``content`` is another file, and its media type.
    """
    source, media_type = content or (picture(format), f"image/{format}")
    stand_in = _stand_in(by, issuer)
    mine, theirs = der_of(by.certificate), der_of(stand_in)
    messages: list[bytes] = []
    signatures: list[bytes] = []

    def sign(message: bytes) -> bytes:
        assert theirs in message
        messages.append(message.replace(theirs, mine))
        first, second = decode_dss_signature(by.key.sign(messages[-1], ec.ECDSA(hashes.SHA256())))
        signatures.append(first.to_bytes(32, "big") + second.to_bytes(32, "big"))
        return signatures[-1]

    definition = {
        "claim_generator_info": [{"name": "Painter", "version": "2.1"}],
        "claim_version": claim_version,
        "assertions": [
            {"label": "c2pa.actions.v2" if claim_version == 2 else "c2pa.actions", "data": {"actions": list(actions)}},
            *assertions,
        ],
    }
    settings = {
        "version": 1,
        "verify": {"verify_after_sign": False},
        "builder": {
            "thumbnail": {"enabled": False},
            "actions": {f"auto_{kind}_action": {"enabled": False} for kind in ("created", "opened", "placed")},
        },
    }
    given: list[bytes] = []
    with _serving(stamp, given) if stamp else nullcontext() as url:
        chain = (pem_of(stand_in) + issuer.pem).decode()
        signer = c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, chain, url)
        builder = c2pa.Builder(definition, context=c2pa.Context.from_dict(settings))
        for number, parent in enumerate(parents):
            relation = {"title": f"parent {number}", "relationship": "parentOf" if number == 0 else "componentOf"}
            builder.add_ingredient(relation, f"image/{format}", io.BytesIO(parent))
        target = io.BytesIO()
        builder.sign(signer, media_type, io.BytesIO(source), target)
    made = target.getvalue()
    assert made.count(theirs) == 1
    made = made.replace(theirs, mine)
    if stamp:
        old, nonce = given
        assert made.count(old) == 1
        what = _countersigned(messages[-1], signatures[-1], claim_version) if stamp_fits else b"something else"
        made = made.replace(old, _token(stamp, hashlib.sha256(what).digest(), nonce, len(old)))
    return made


def _countersigned(message: bytes, signature: bytes, claim_version: int) -> bytes:
    """What a time stamp is over: claims of version 2 have the signature stamped, older ones the claim (10.3.2.5)."""
    head, name = b"\x84\x6aSignature1", b"\x84\x70CounterSignature"
    assert message.startswith(head)
    start = len(head)
    assert message[start] == 0x59  # the protected header, a byte string with a length of 2 bytes
    end = start + 3 + int.from_bytes(message[start + 1 : start + 3], "big")
    if claim_version == 1:
        return name + message[start:]
    payload = b"\x58\x40" + signature
    return name + message[start:end] + b"\x40" + b"\x58" + bytes((len(payload),)) + payload


def _token(stamp: Stamp, digest: bytes, nonce: bytes, size: int) -> bytes:
    """A token of that length: signatures by elliptic curves vary by a byte or two."""
    for _ in range(200):
        found = stamp.token(digest, nonce)
        if len(found) == size:
            return found
    raise AssertionError(f"no token of {size} bytes")


def _stand_in(by: Holder, issuer: Holder) -> x509.Certificate:
    """A certificate that c2pa signs with, of the same length and key."""
    wanted = len(der_of(by.certificate))
    for size in (*range(1, 64), *range(1, 64), *range(1, 64)):
        organisation = "x" * size
        for purposes in ((EMAIL,), (EMAIL, SERVERS), (EMAIL, SERVERS, DOCUMENTS)):
            found = issued(issuer, purposes, VALID, organisation=organisation, key=by.key).certificate
            if len(der_of(found)) == wanted:
                return found
    raise AssertionError(f"no stand-in of {wanted} bytes")


def revoked(by: Holder, issuer: Holder, file: bytes) -> bytes:
    """The same file with an OCSP answer in its signature, which says that the certificate was revoked (C2PA 15.9)."""
    responder = issued(issuer, (OCSP_SIGNING,), common_name="Responder")
    ended = NOW - 50 * DAY
    builder = ocsp.OCSPResponseBuilder().add_response(
        by.certificate,
        issuer.certificate,
        hashes.SHA256(),
        ocsp.OCSPCertStatus.REVOKED,
        NOW - DAY,
        NOW + 30 * DAY,
        ended,
        x509.ReasonFlags.key_compromise,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    answer = builder.sign(responder.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return _stapled(file, answer)


def _stapled(file: bytes, answer: bytes) -> bytes:
    """Put an OCSP answer where the padding of the COSE header is: the manifest's length stays (C2PA 2.2, 13.2)."""
    pad = b"\x63pad\x59"
    at = file.rindex(pad)
    start = at + len(pad) + 2
    end = start + int.from_bytes(file[start - 2 : start], "big")
    entry = b"\x65rVals\xa1\x68ocspVals\x81\x59" + len(answer).to_bytes(2, "big") + answer
    left = end - start - len(entry)
    assert left > 255
    stamp = file.rfind(b"\x67sigTst2", 0, at)
    head = (stamp if stamp > 0 else at) - 1  # of the map that holds the padding
    assert file[head] in (0xA1, 0xA2)
    padding = pad + left.to_bytes(2, "big") + bytes(left)
    return file[:head] + bytes((file[head] + 1,)) + file[head + 1 : at] + entry + padding + file[end:]
