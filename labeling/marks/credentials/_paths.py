"""Whether a chain of certificates leads to a list: for signatures that c2pa does not judge, such as those of reports.

A part of RFC 5280, 6.1, and where that part does not reach, the answer is no: names that a CA is confined to, and
critical extensions other than those that are checked here, make nobody trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from labeling.marks.credentials.trusted import ALLOWED, ANCHORS, Trust, TrustList, is_interim

if TYPE_CHECKING:
    from cryptography import x509

_CHECKED = ("2.5.29.15", "2.5.29.19", "2.5.29.37")
"""Key usage, basic constraints, extended key usage: what may be critical."""


def list_of_signer(chain: Sequence[x509.Certificate], trust: Trust, now: datetime) -> TrustList | None:
    """Return the list that makes a signer trusted, or ``None``.

    Args:
        chain: The certificates, leaf first, each issued by the next one.
        trust: The lists. Those of time-stamp authorities, and the interim list, make no signer trusted.
        now: When the certificates of authorities must be valid; the leaf's own validity is another question.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    for each in trust.all_lists():
        if each.kind not in (ANCHORS, ALLOWED) or is_interim(each):
            continue
        held = x509.load_pem_x509_certificates(each.pem)
        if each.kind == ALLOWED:
            known = {one.public_bytes(Encoding.DER) for one in held}
            if chain[0].public_bytes(Encoding.DER) in known and _sound(chain[0]):
                return each
        elif _leads_to(chain, held, now):
            return each
    return None


def _leads_to(chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime) -> bool:
    """Whether a certificate of the chain was issued by an anchor, and each below it by the next one."""
    if not _sound(chain[0]):
        return False
    for depth, certificate in enumerate(chain):
        if depth and not _may_issue(certificate, depth - 1, now):
            return False
        if any(_issued(certificate, anchor) and _may_issue(anchor, depth, now) for anchor in anchors):
            return True
        if depth + 1 < len(chain) and not _issued(certificate, chain[depth + 1]):
            return False
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _may_issue(authority: x509.Certificate, below: int, now: datetime) -> bool:
    """Whether a certificate is a CA's, valid now, and allows so many CAs below it."""
    from cryptography import x509

    if not (authority.not_valid_before_utc <= now <= authority.not_valid_after_utc and _sound(authority)):
        return False
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    if not constraints.ca or (constraints.path_length is not None and constraints.path_length < below):
        return False
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _sound(certificate: x509.Certificate) -> bool:
    """Whether its extensions can be read, and none is critical that is not checked here."""
    from cryptography import x509

    try:
        return all(
            not each.critical or each.oid.dotted_string in _CHECKED for each in certificate.extensions
        ) and not any(isinstance(each.value, x509.NameConstraints) for each in certificate.extensions)
    except (ValueError, x509.DuplicateExtension):
        return False
