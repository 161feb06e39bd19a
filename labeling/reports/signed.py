"""Signed reports: a detached JWS beside a report, and the check of both (Code of Practice 2.1.2).

The report stays as it is. The signature is a JWS in compact form whose payload is the report's bytes and is left out
(RFC 7515, Appendix F). Its protected header names the certificates (``x5c``, ``x5t#S256``) and, under :data:`CLAIM`,
what was examined: SHA-256 of each file, the detector with its version, and the time (UTC) by the signer's own clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labeling._version import __version__
from labeling.errors import LabelingError, UnreadableFile

if TYPE_CHECKING:
    from cryptography import x509

    from labeling.marks.credentials import Signer, TrustChoice

TYPE = "aigc-report+jws"
CLAIM = "aigc_report"
DETECTOR = "aigc-label"
SUFFIX = ".jws"

MAX_JWS = 64 << 20
"""Bytes of a signature that are read: its header names every file of the report."""

_DATE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that a report is about: how the report calls it, and what identifies its content.

    ``sha256`` is empty if the file could not be read.
    """

    path: str
    sha256: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that was checked (``signature``, ``report``, ``file``, ``certificate``, ``trust``) and what came of it.

    ``holds`` is ``None`` if it was not asked.
    """

    about: str
    holds: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Check:
    """What the check of a signed report came to.

    Attributes:
        answers: What was checked, one by one.
        signer: Whom the certificate names.
        time: When the signer says that it was signed (ISO 8601, UTC).
        detector: Which program made the report, and its version.
        files: What the signature says was examined.
    """

    answers: tuple[Answer, ...]
    signer: str = ""
    time: str = ""
    detector: str = ""
    files: tuple[Examined, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds."""
        return all(answer.holds is not False for answer in self.answers)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "holds": self.holds,
            "signer": self.signer,
            "time": self.time,
            "detector": self.detector,
            "files": [{"path": each.path, "sha256": each.sha256, "size": each.size} for each in self.files],
            "answers": [{"about": each.about, "holds": each.holds, "words": each.words} for each in self.answers],
        }


def sign(report: bytes, examined: Iterable[Examined], signer: Signer, *, now: datetime | None = None) -> bytes:
    """Sign a report.

    Args:
        report: The report, as it is stored.
        examined: The files that it is about.
        signer: Who signs. ECDSA, RSA (PSS) and Ed25519 keys do, as for content credentials.
        now: The time to state (default: now).

    Returns:
        The detached JWS in compact form, in ASCII with a line break at its end.

    Raises:
        SigningError: The key cannot sign, or its certificate is not valid now.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    moment = now or datetime.now(UTC)
    signer.check_dates(moment)
    certificates = [each.public_bytes(Encoding.DER) for each in signer.chain]
    header = {
        "alg": _JOSE.get(signer.alg, signer.alg.upper()),
        "typ": TYPE,
        "x5t#S256": _encode(hashlib.sha256(certificates[0]).digest()),
        "x5c": [base64.b64encode(each).decode() for each in certificates],
        CLAIM: {
            "version": "1",
            "detector": {"id": DETECTOR, "version": __version__},
            "time": moment.astimezone(UTC).strftime(_DATE),
            "report_sha256": hashlib.sha256(report).hexdigest(),
            "files": [{"path": each.path, "sha256": each.sha256 or None, "size": each.size} for each in examined],
        },
    }
    protected = _encode(json.dumps(header, separators=(",", ":")).encode())
    signature = signer.sign(f"{protected}.{_encode(report)}".encode())
    return f"{protected}..{_encode(signature)}\n".encode()


def check(
    report: bytes,
    jws: bytes,
    hashes: Sequence[tuple[str, str]] = (),
    *,
    trust: TrustChoice = "shipped",
    now: datetime | None = None,
) -> Check:
    """Check a signed report: the signature, the files, the certificate, and whether its signer is trusted.

    Args:
        report: The report, as it is stored.
        jws: Its detached signature.
        hashes: Name and SHA-256 (hexadecimal) of files that it should be about.
        trust: Whose certificates count, as in :func:`labeling.verify`. With ``None`` or ``"none"`` nobody is asked.
        now: The time to judge the certificate at (default: now).

    Returns:
        What holds and what does not.

    Raises:
        UnreadableFile: ``jws`` is no detached JWS of this kind.
    """
    protected, header, signature = _taken_apart(jws)
    chain, alg = _chain(header)
    claim = header[CLAIM]
    answers = [_signature(chain[0], alg, f"{protected}.{_encode(report)}".encode(), signature)]
    whole = hashlib.sha256(report).hexdigest() == claim["report_sha256"]
    other = "is not the one that was signed: it was changed, or is another one"
    words = "is the one that was signed" if whole else other
    answers.append(Answer("report", whole, words))
    files = tuple(Examined(each["path"], each["sha256"] or "", each["size"]) for each in claim["files"])
    answers += [_file(name, digest, files) for name, digest in hashes]
    stated = datetime.strptime(claim["time"], _DATE).replace(tzinfo=UTC)
    answers.append(_validity(chain[0], stated, now or datetime.now(UTC)))
    answers.append(_trusted(chain, trust, now or datetime.now(UTC)))
    detector = f"{claim['detector']['id']} {claim['detector']['version']}"
    return Check(tuple(answers), _who(chain[0]), claim["time"], detector, files)


# --- taking it apart --------------------------------------------------------------------------------------------------

_JOSE = {"ed25519": "EdDSA"}
"""Names of RFC 8037 where they are not C2PA's in capitals (RFC 7518, 3.1)."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def is_signature(data: bytes) -> bool:
    """Return whether bytes look like a JWS whose payload is left out."""
    head = data[:MAX_JWS].strip().split(b".")
    return len(head) == 3 and not head[1] and head[0].startswith(b"eyJ")


def _taken_apart(jws: bytes) -> tuple[str, dict[str, Any], bytes]:
    """Return the protected header as it was signed and as it reads, and the signature."""
    if len(jws) > MAX_JWS or not is_signature(jws):
        raise UnreadableFile("is no detached JWS (RFC 7515, Appendix F)", hint="name what `verify` wrote as NAME.jws")
    try:
        protected, _, signature = jws.decode("ascii").strip().split(".")
        header = json.loads(_decode(protected))
        found = _decode(signature)
    except (ValueError, RecursionError, binascii.Error) as error:
        raise UnreadableFile("is a damaged JWS: its header cannot be read") from error
    if not isinstance(header, dict) or header.get("typ") != TYPE:
        raise UnreadableFile(f"is a JWS of another kind: its typ is not {TYPE}")
    if unknown := [name for name in ("crit", "b64") if name in header]:
        raise UnreadableFile(f"is a JWS with {unknown[0]}, which is not known here (RFC 7515, 4.1.11)")
    _check_claim(header.get(CLAIM))
    return protected, header, found


def _check_claim(claim: Any) -> None:
    """Raise :class:`UnreadableFile` unless the claim has the form that :func:`sign` gives it."""
    try:
        datetime.strptime(claim["time"], _DATE)
        fits = all(isinstance(claim["detector"][key], str) for key in ("id", "version"))
        fits = fits and isinstance(claim["report_sha256"], str) and isinstance(claim["files"], list)
        for each in claim["files"]:
            fits = fits and isinstance(each["path"], str) and isinstance(each["size"], int)
            fits = fits and isinstance(each["sha256"], str | None)
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise UnreadableFile(f"is a JWS whose {CLAIM} has not the form that is known here")


def _chain(header: dict[str, Any]) -> tuple[list[x509.Certificate], str]:
    """Return the certificates, leaf first, and the algorithm, which must be one of the leaf's key."""
    from cryptography import x509

    from labeling.marks.credentials import certificate_algorithms

    texts = header.get("x5c")
    try:
        if not isinstance(texts, list) or not 1 <= len(texts) <= 16:
            raise ValueError("x5c")
        chain = [x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in texts]
        allowed = certificate_algorithms(chain[0])
    except (ValueError, TypeError, LabelingError) as error:
        raise UnreadableFile("is a JWS without a certificate that can be read (x5c)") from error
    by_name = {_JOSE.get(each, each.upper()): each for each in allowed}
    if "EdDSA" in by_name:
        by_name["Ed25519"] = by_name["EdDSA"]  # as RFC 9864 calls it
    if header.get("alg") not in by_name:
        raise UnreadableFile("is a JWS whose alg is not one of its certificate's key")
    return chain, by_name[header["alg"]]


# --- the answers ------------------------------------------------------------------------------------------------------


def _who(certificate: x509.Certificate) -> str:
    from cryptography.x509.oid import NameOID

    names = []
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        names += [" ".join(str(each.value).split())[:80] for each in certificate.subject.get_attributes_for_oid(oid)]
    return ", ".join(dict.fromkeys(names)) or f"number {certificate.serial_number:x}"


def _signature(certificate: x509.Certificate, alg: str, message: bytes, signature: bytes) -> Answer:
    from labeling.marks.credentials import verify_signature

    if verify_signature(certificate.public_key(), alg, signature, message):
        return Answer("signature", True, f"fits the report and the certificate ({_JOSE.get(alg, alg.upper())})")
    return Answer("signature", False, "does not fit: the report, the header or the signature was changed")


def _file(name: str, digest: str, files: Sequence[Examined]) -> Answer:
    held = next((each for each in files if each.sha256 and each.sha256 == digest), None)
    if held is not None:
        return Answer("file", True, f"{name} is a file that was examined, as {held.path} (SHA-256 {digest})")
    named = f"; SHA-256 {files[0].sha256 or 'none'} was" if len(files) == 1 else f"; {len(files)} others were"
    return Answer("file", False, f"{name} (SHA-256 {digest}) was not examined{named}")


def _validity(certificate: x509.Certificate, stated: datetime, now: datetime) -> Answer:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    span = f"valid from {since:%Y-%m-%d} to {until:%Y-%m-%d}"
    if not since <= stated <= until:
        return Answer("certificate", False, f"{span}, but the signature says {stated:%Y-%m-%d}")
    if stated > now:
        return Answer(
            "certificate", False, f"{span}, but the signature says {stated.strftime(_DATE)}, which is to come"
        )
    if now > until:
        words = f"expired on {until:%Y-%m-%d}; that it signed before, on {stated:%Y-%m-%d}, is the signer's word alone"
        return Answer("certificate", False, words)
    return Answer("certificate", True, f"of {_who(certificate)}, issued by {_issuer(certificate)}, {span}")


def _issuer(certificate: x509.Certificate) -> str:
    from cryptography.x509.oid import NameOID

    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for each in certificate.issuer.get_attributes_for_oid(oid):
            return " ".join(str(each.value).split())[:80]
    return "unknown"


def _trusted(chain: Sequence[x509.Certificate], trust: TrustChoice, now: datetime) -> Answer:
    from labeling.marks.credentials import list_of_signer, resolved

    lists = resolved(trust)
    if lists is None:
        return Answer("trust", None, "no list was asked: anybody can make a certificate with any name")
    held = list_of_signer(chain, lists, now)
    if held is None:
        names = dict.fromkeys(_named(each.name, each.date) for each in lists.all_lists() if each.kind != "tsa")
        words = f"the signer is on no list that was asked ({', '.join(names)}): anybody can make such a certificate"
        return Answer("trust", False, words)
    return Answer("trust", True, f"the signer is on {_named(held.name, held.date)}")


def _named(name: str, date: str) -> str:
    return f"{name} of {date}" if date else name
