"""C2PA content credentials: sign, read and judge, all offline and in memory.

Specification: C2PA Technical Specification 2.2; the AI disclosure assertion is that of 2.4, 18.28. The work of the
standard is done by c2pa-python, which is imported when first used. Nothing here opens a file.
"""

from __future__ import annotations

from labeling.marks.credentials._certificates import algorithms as certificate_algorithms
from labeling.marks.credentials._certificates import verify as verify_signature
from labeling.marks.credentials._paths import list_of_signer
from labeling.marks.credentials.claim import Claim
from labeling.marks.credentials.read import read
from labeling.marks.credentials.sign import sign, sign_beside, sign_stream
from labeling.marks.credentials.signer import Signer
from labeling.marks.credentials.testchain import TestChain, make_test_chain
from labeling.marks.credentials.trusted import (
    OLD_AFTER,
    Trust,
    TrustChoice,
    TrustList,
    is_interim,
    is_old,
    resolved,
    shipped,
    shipped_lists,
)

__all__ = [
    "OLD_AFTER",
    "Claim",
    "Signer",
    "TestChain",
    "Trust",
    "TrustChoice",
    "TrustList",
    "certificate_algorithms",
    "is_interim",
    "is_old",
    "list_of_signer",
    "make_test_chain",
    "read",
    "resolved",
    "shipped",
    "shipped_lists",
    "sign",
    "sign_beside",
    "sign_stream",
    "verify_signature",
]
