"""Whose signatures and time stamps count: lists of certificates, each with its name and date.

c2pa-rs 0.91 keeps all roots in one pool, whatever they are for, and names the entry of its settings that a chain ended
in. So each entry holds roots that are on exactly the same lists: its name tells on which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from labeling.errors import LabelingError
from labeling.marks.credentials._interim import FROZEN, of_interim_list
from labeling.marks.credentials.testchain import CLAIM_SIGNING, DOCUMENT_SIGNING, EMAIL_PROTECTION

ANCHORS, ALLOWED, TSA = KINDS = ("anchors", "allowed", "tsa")
"""Roots that signers chain to, single certificates that are allowed as they are, roots of time-stamp authorities."""

PURPOSES = (CLAIM_SIGNING, EMAIL_PROTECTION, DOCUMENT_SIGNING)
"""What a certificate may be for that signs claims (C2PA 2.2, 14.5.1). c2pa-rs alone takes nothing but the first.

It accepts the purposes of time-stamp authorities and OCSP responders (1.3.6.1.5.5.7.3.8 and .9) in any case.
"""

OLD_AFTER = 180
"""Days after which a report says that a list which came with the package or renewed it is old."""

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TrustList:
    """One list of certificates.

    Args:
        name: What reports call it.
        kind: One of :data:`KINDS`.
        pem: The certificates, as a PEM bundle.
        date: The day as of which it is known (ISO 8601), or ``""``.
        ages: Whether a report says so when it is old.
    """

    name: str
    kind: str
    pem: bytes = field(repr=False)
    date: str = ""
    ages: bool = False

    def __post_init__(self) -> None:
        if b"-----BEGIN CERTIFICATE-----" not in self.pem:
            raise LabelingError(f"the trust list ({self.kind}) holds no PEM certificate", hint="give a PEM bundle")

    def bodies(self) -> list[str]:
        """Return the certificates as base64 without line breaks. Raises :class:`LabelingError`."""
        try:
            found = _CERTIFICATE.findall(self.pem.decode("utf-8"))
        except UnicodeDecodeError:
            raise LabelingError("the trust list is not PEM text", hint="convert it from DER") from None
        return ["".join(body.split()) for body in found]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose C2PA signatures count as trusted.

    Args:
        anchors_pem: Root certificates of signers, as a PEM bundle. Time stamps by authorities under them count as well.
        allowed_pem: Certificates of single signers that are trusted as well.
        tsa_pem: Root certificates of time-stamp authorities.
        lists: Further lists with names and dates, such as :func:`labeling.trust.load` finds.

    Raises:
        LabelingError: There is no list, or one of them holds no certificate.
    """

    anchors_pem: bytes = field(default=b"", repr=False)
    allowed_pem: bytes = field(default=b"", repr=False)
    tsa_pem: bytes = field(default=b"", repr=False)
    lists: tuple[TrustList, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not (self.anchors_pem or self.allowed_pem or self.lists):
            raise LabelingError("the trust list is empty", hint="give a PEM bundle of root certificates")
        self.all_lists()

    def all_lists(self) -> tuple[TrustList, ...]:
        """Return every list, those without a name first."""
        given = zip(KINDS, (self.anchors_pem, self.allowed_pem, self.tsa_pem), strict=True)
        return (*(TrustList("the list given", kind, pem) for kind, pem in given if pem), *self.lists)

    def settings(self) -> dict[str, Any]:
        """The ``trust`` table of c2pa's settings. Raises :class:`LabelingError` if the PEM is not text."""
        return asked(self).settings()


TrustChoice = Trust | Literal["shipped", "none"] | None
"""Lists of one's own, those that come with the package, or nobody."""


def resolved(choice: TrustChoice) -> Trust | None:
    """Return the lists that a choice means; ``None`` for nobody. Raises :class:`LabelingError` for any other value."""
    if choice is None or choice == "none":
        return None
    if choice == "shipped":
        return shipped()
    if not isinstance(choice, Trust):
        raise LabelingError(f'`trust` must be a Trust, "shipped", "none" or None, not {type(choice).__name__}')
    return choice


# --- the lists that come with the package ---

_FOLDER = Path(__file__).with_name("lists")

SHIPPED: tuple[tuple[str, str, str, str, bool], ...] = (
    # name, kind, file, date, whether it ages.
    # https://github.com/c2pa-org/conformance-public as of that day, its commit 3573be5; CC BY 4.0 (NOTICE).
    ("C2PA trust list", ANCHORS, "c2pa-trust-list.pem", "2026-10-01", True),
    ("C2PA time-stamp list", TSA, "c2pa-tsa-trust-list.pem", "2026-10-01", True),
    # Adobe, Microsoft, Amazon and others stamp under it; it is on no list of C2PA's. The day is that of the bundle of
    # root certificates in which browsers and systems have it.
    (
        "list of other time-stamp roots (DigiCert Trusted Root G4)",
        TSA,
        "digicert-trusted-root-g4.pem",
        "2026-10-19",
        False,
    ),
)
"""The lists of the package: each is read when the first manifest is judged."""


@cache
def shipped_lists() -> tuple[TrustList, ...]:
    """Return the lists that come with the package."""
    return tuple(
        TrustList(name, kind, (_FOLDER / file).read_bytes(), day, ages) for name, kind, file, day, ages in SHIPPED
    )


@cache
def shipped() -> Trust:
    """Return the lists that come with the package, as :func:`labeling.verify` takes them if it is given none."""
    return Trust(lists=shipped_lists())


def is_interim(held: TrustList) -> bool:
    """Return whether a list is the interim trust list, or holds a part of it."""
    return held.kind != TSA and bool(of_interim_list(held.bodies()))


def is_old(held: TrustList, today: date | None = None) -> bool:
    """Return whether a list that ages is more than :data:`OLD_AFTER` days old."""
    if not (held.ages and held.date):
        return False
    return ((today or datetime.now(UTC).date()) - date.fromisoformat(held.date[:10])).days > OLD_AFTER


# --- what c2pa is asked ---


@dataclass(frozen=True, slots=True)
class Group:
    """Roots that are on the same lists.

    Attributes:
        signers: The list that makes signers under them trusted, if any.
        stamps: The list that makes time stamps under them trusted, if any: of authorities, or else of signers.
        interim: The interim list, if they are on it.
    """

    signers: TrustList | None = None
    stamps: TrustList | None = None
    interim: TrustList | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The lists that a file is judged by, as entries of c2pa's settings.

    Attributes:
        lists: The lists.
        groups: What the name of an entry means; the name of single certificates that are allowed is ``""``.
        entries: The entries. c2pa asks the last first: those whose signers are trusted come last.
        allowed: The certificates that are allowed, and those that are on the interim list.
    """

    lists: tuple[TrustList, ...] = ()
    groups: dict[str, Group] = field(default_factory=dict)
    entries: tuple[dict[str, str], ...] = ()
    allowed: tuple[str, str] = ("", "")

    def settings(self, *, trusting_only: bool = False) -> dict[str, Any]:
        """Return the ``trust`` table of c2pa's settings.

        Args:
            trusting_only: Leave out what makes no signer trusted: roots of time stamps, and the interim list.
        """
        entries = [
            each for each in self.entries if not trusting_only or self.groups[each["trust_uri"]].signers is not None
        ]
        allowed = self.allowed[0] + ("" if trusting_only else self.allowed[1])
        if allowed:
            # The older keys (trust_anchors, allowed_list) are not used: c2pa-rs 0.91 ignores that allowed list.
            entries.append({"trust_anchors": "", "allowed_list": allowed, "trust_kind": "manifest"})
        table: dict[str, Any] = {"trust_config": "".join(f"{oid}\n" for oid in PURPOSES)}
        return {**table, "anchors": entries} if entries else table

    def signer(self, explanation: str) -> Group:
        """Return the group that c2pa's sentence on a trusted signer names."""
        named = re.search(r"found in \[(\w*)\] trust anchors$", explanation)
        return self.groups.get(named[1], Group()) if named else Group()

    def stamp(self, explanation: str) -> Group:
        """Return the group that c2pa's sentence on a trusted time stamp names; none for one of an older claim."""
        if explanation.startswith("legacy"):  # the rest is the authority's name, which may say anything
            return Group()
        return self.groups.get(explanation.rpartition(", trust list: ")[2], Group())


def asked(trust: Trust | None) -> Asked:
    """Return what c2pa is asked. Raises :class:`LabelingError` for an unusable list."""
    return _asked(trust.all_lists()) if trust else Asked()


@lru_cache(8)
def _asked(lists: tuple[TrustList, ...]) -> Asked:
    holders: dict[str, list[tuple[TrustList, bool]]] = {}
    allowed: tuple[list[str], list[str]] = ([], [])
    singles = Group()
    for each in lists:
        bodies = each.bodies()
        if not bodies:
            raise LabelingError(f"the trust list ({each.kind}) holds no PEM certificate", hint="give a PEM bundle")
        interim = of_interim_list(bodies) if is_interim(each) else frozenset()
        named = TrustList("interim trust list", each.kind, each.pem, FROZEN) if interim else each
        for body in bodies:
            known = body in interim
            if each.kind == ALLOWED:
                allowed[known].append(body)
                singles = Group(singles.signers or (None if known else each), None, named if known else singles.interim)
            else:
                holders.setdefault(body, []).append((named if known else each, known))
    gathered: dict[Group, list[str]] = {}
    for body, found in holders.items():
        gathered.setdefault(_group(found), []).append(body)
    ranked = sorted(gathered.items(), key=lambda item: (item[0].signers is not None, item[0].stamps is not None))
    names = {f"g{number}": item for number, item in enumerate(ranked)}
    entries = tuple(
        {
            "trust_anchors": _pem(bodies),
            "trust_kind": "manifest" if group.signers or group.interim else "tsa",
            "trust_uri": name,
        }
        for name, (group, bodies) in names.items()
    )
    groups = {name: group for name, (group, _) in names.items()} | {"": singles}
    return Asked(lists, groups, entries, (_pem(allowed[0]), _pem(allowed[1])))


def _group(found: list[tuple[TrustList, bool]]) -> Group:
    signers = next((each for each, interim in found if each.kind == ANCHORS and not interim), None)
    authorities = next((each for each, _ in found if each.kind == TSA), None)
    interim = next((each for each, known in found if known), None)
    return Group(signers, authorities or signers, interim)


def _pem(bodies: Iterable[str]) -> str:
    lines: list[str] = []
    for body in bodies:
        parts = (body[at : at + 64] for at in range(0, len(body), 64))
        lines += ["-----BEGIN CERTIFICATE-----", *parts, "-----END CERTIFICATE-----", ""]
    return "\n".join(lines)
