"""Further manifests of a kind that c2pa has made before: the same bytes, with what differs put in their places.

Of two pictures that one signer labels in one way, the manifests differ in a few places of the same length: identifiers,
salts, the time and the content id, the binding to the file, hashes and the signature. c2pa takes a millisecond to make
one, mostly by turning it over between formats; the places themselves take a tenth of that.

A template is made of a store that c2pa has made in this process. It is taken apart to the last byte
(:mod:`labeling.marks.credentials._items`) and compared with the manifest definition that it was made from. If c2pa has
put anything into it that is not known here, or in another form, there is no template, and c2pa makes every manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from labeling.marks.credentials import _certificates as certificates
from labeling.marks.credentials import library
from labeling.marks.credentials._items import SALT_LENGTH, Box, Item, item, superboxes
from labeling.marks.credentials._jumbf import head
from labeling.marks.credentials.claim import Claim, definition

if TYPE_CHECKING:
    from labeling.marks.credentials.signer import Signer

MAX_STORE = 60_000
"""Largest store in bytes that becomes a template; with a long certificate chain it has some ten thousand."""

MAX_KEPT = 16
"""Templates of one signer. The least used one goes first."""

_BINDING = "c2pa.hash.data"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_LABEL, _INSTANCE = re.compile(rf"urn:c2pa:{_UUID}"), re.compile(rf"xmp\.iid:{_UUID}")
_UUID_LENGTH, _HASH_LENGTH = 36, 32
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LIBRARY = "org.contentauth.c2pa_rs"
"""c2pa's addition to the information on the claim's generator: its own version."""

_TIME, _ID = "\0time", "\0id"
"""Stand for the two texts of a claim that change from file to file."""

_ALG, _CHAIN = 1, 33
"""Parameters of COSE headers: algorithm, certificates (RFC 9052, 3.1; RFC 9360, 2)."""

_NUMBERS = {"es256": -7, "es384": -35, "es512": -36, "ps256": -37, "ps384": -38, "ps512": -39, "ed25519": -8}
"""The algorithms in COSE (RFC 9053, 2; RFC 8230, 2)."""

_MAX_PLACE = (1 << 32) - 1
"""Last byte of a file that a binding made here reaches to."""

_SIGN1 = b"\xd2"
"""The CBOR tag of a COSE_Sign1 (RFC 9052, 4.2)."""

Span = tuple[int, int]
"""Where something begins and ends in the store."""


class Template:
    """A manifest store, and where in it is what differs from file to file.

    Attributes:
        length: Bytes of the store.
        proved: Whether c2pa's reader has found a file valid whose manifest was made of this template.
    """

    def __init__(self, store: bytes, claim: Claim, signer: Signer) -> None:
        """Take a store apart that c2pa has made for ``claim`` and ``signer``.

        Raises:
            ValueError: Something in it is not known here.
        """
        self.length, self.proved = len(store), False
        self._store = store
        self._identifiers: list[list[int]] = [[], []]
        self._texts: list[tuple[str, Span]] = []
        said = json.loads(definition(_marked(claim), edit=False))
        manifest, parts = _parts(store)
        self._identifiers[0].append(manifest.label_at + len(manifest.label) - _UUID_LENGTH)
        assertions = _by_label(superboxes(store, *_content(parts["c2pa.assertions"], b"c2as")))
        self._binding = _Binding(store, _cbor(assertions[_BINDING], b"cbor"))
        self._said(said.pop("assertions"), assertions, claim)
        self._claim = _cbor(parts["c2pa.claim.v2"], b"c2cl")
        self._hashed = self._claimed(item(store, *self._claim), said, manifest.label, assertions)
        self._before, self._signature = self._sealed(_cbor(parts["c2pa.signature"], b"c2cs"), signer)

    def filled(self, claim: Claim, gap: Span, digest: bytes, sign: Callable[[bytes], bytes]) -> bytes | None:
        """Return a new store of the same length.

        Args:
            claim: What it says; it differs from that of the template in time and content id at most.
            gap: Where the store will be in the file, wrapping included: start and length.
            digest: The SHA-256 of the file without that.
            sign: Signs a message. It is called once, unless ``None`` is returned.

        Returns:
            The store; ``None`` if the place takes more digits than there is room for.
        """
        store = bytearray(self._store)
        if not self._binding.put(store, gap, digest):
            return None
        random = os.urandom(16 * len(self._identifiers) + SALT_LENGTH * len(self._hashed))  # one call of the system
        for number, places in enumerate(self._identifiers):
            new = str(uuid.UUID(bytes=random[16 * number : 16 * number + 16], version=4)).encode()
            for at in places:
                store[at : at + _UUID_LENGTH] = new
        for name, (start, end) in self._texts:
            store[start:end] = _text(claim, name).encode()
        for number, (start, end, salt_at, hash_at) in enumerate(self._hashed):
            if salt_at is not None:
                salt = random[16 * len(self._identifiers) + SALT_LENGTH * number :]
                store[salt_at : salt_at + SALT_LENGTH] = salt[:SALT_LENGTH]
            store[hash_at : hash_at + _HASH_LENGTH] = hashlib.sha256(store[start:end]).digest()
        store[slice(*self._signature)] = sign(self._before + store[slice(*self._claim)])
        return bytes(store)

    def _said(self, said: list[dict[str, Any]], assertions: dict[str, Box], claim: Claim) -> None:
        """Compare the assertions with those of the definition, and note where the texts are that change."""
        if {_BINDING, *(each["label"] for each in said)} != assertions.keys():
            raise ValueError("the manifest has other assertions than those asked for")
        for each in said:
            self._compare(item(self._store, *_cbor(assertions[each["label"]], b"cbor")), each["data"], claim)

    def _compare(self, found: Item, asked: Any, claim: Claim) -> None:
        if asked in (_TIME, _ID):
            self._texts.append((asked, (found.start, found.end)))
            asked = _text(claim, asked)
        elif isinstance(asked, str) and (_TIME in asked or _ID in asked):
            raise ValueError("a text that changes is part of another one")
        if isinstance(asked, dict) and found.major == 5 and asked.keys() == found.value.keys():
            for key, value in asked.items():
                self._compare(found.value[key], value, claim)
        elif isinstance(asked, list) and found.major == 4 and len(asked) == len(found.value):
            for one, other in zip(found.value, asked, strict=True):
                self._compare(one, other, claim)
        elif not isinstance(asked, str) or found.value != asked:
            raise ValueError("the manifest says something else than what was asked for")

    def _claimed(
        self, claim: Item, said: dict[str, Any], label: str, assertions: dict[str, Box]
    ) -> list[tuple[int, int, int | None, int]]:
        """Compare the claim with the definition. Return payload, salt and place in the claim of each hash."""
        value = claim.plain()
        instance, signature = claim.value["instanceID"], claim.value["signature"]
        generator = dict(value["claim_generator_info"])
        generator.pop(_LIBRARY, None)
        asked = {
            "instanceID": value["instanceID"],
            "claim_generator_info": value["claim_generator_info"],
            "signature": f"self#jumbf=/c2pa/{label}/c2pa.signature",
            "created_assertions": value["created_assertions"],
            "alg": "sha256",
            **({"dc:title": said.pop("title")} if "title" in said else {}),
        }
        if value != asked or said != {"claim_generator_info": [generator]}:
            raise ValueError("the claim says something that is not known")
        if not _INSTANCE.fullmatch(value["instanceID"]):
            raise ValueError("the identifier of the instance has another form")
        self._identifiers[0].append(signature.start + signature.value.index(label) + len(label) - _UUID_LENGTH)
        self._identifiers[1].append(instance.end - _UUID_LENGTH)
        hashed, named = [], set()
        for reference in claim.value["created_assertions"].value:
            name = reference.value["url"].value.removeprefix("self#jumbf=c2pa.assertions/")
            box, place = assertions[name], reference.value["hash"]
            actual = hashlib.sha256(self._store[box.start : box.end]).digest()
            if reference.value.keys() != {"url", "hash"} or place.value != actual:
                raise ValueError("the claim names an assertion in another way")
            named.add(name)
            hashed.append((box.start, box.end, box.salt_at, place.start))
        if named != assertions.keys() or len(hashed) != len(named):
            raise ValueError("the claim names other assertions than there are")
        return hashed

    def _sealed(self, span: Span, signer: Signer) -> tuple[bytes, Span]:
        """Return what comes before the claim in what is signed (RFC 9052, 4.4), and where the signature is."""
        start, end = span
        if self._store[start : start + 1] != _SIGN1:
            raise ValueError("the signature is not a COSE_Sign1")
        protected, unprotected, payload, signature = item(self._store, start + 1, end).value
        headers = item(protected.value, 0, len(protected.value)).plain()
        chain = headers[_CHAIN] if isinstance(headers[_CHAIN], list) else [headers[_CHAIN]]
        if (
            headers.keys() != {_ALG, _CHAIN}
            or headers[_ALG] != _NUMBERS[signer.alg]
            or chain != certificates.to_der(signer.chain)
            or payload.value is not None
        ):
            raise ValueError("the signature's protected headers are others")
        if unprotected.value.keys() - {"pad"} or any(any(each.value) for each in unprotected.value.values()):
            raise ValueError("the signature has headers that are not known")
        if len(signature.value) != signer.signature_size:
            raise ValueError("the signature is of another length")
        length = self._claim[1] - self._claim[0]
        before = b"\x84\x6aSignature1" + head(2, len(protected.value)) + protected.value + b"\x40" + head(2, length)
        return before, (signature.start, signature.end)


class _Binding:
    """The assertion that binds a manifest to the bytes of a file (C2PA 2.2, 18.6)."""

    def __init__(self, store: bytes, span: Span) -> None:
        found = item(store, *span)
        (gap,) = found.value["exclusions"].value
        places = [gap.value["start"], gap.value["length"], found.value["hash"], found.value["pad"]]
        fields = {"exclusions", "name", "alg", "hash", "pad"}
        if found.value.keys() != fields or gap.value.keys() != {"start", "length"}:
            raise ValueError("the binding has fields that are not known")
        if [place.major for place in places] != [0, 0, 2, 2] or any(places[3].value):
            raise ValueError("the binding has fields of other types")
        if found.value["alg"].value != "sha256" or len(places[2].value) != _HASH_LENGTH:
            raise ValueError("the binding is by another hash")
        if sorted(places, key=lambda place: place.at) != places or places[3].end != span[1]:
            raise ValueError("the binding has its fields in another order")
        start, length, hashed, pad = places
        self._span = start.at, span[1]
        self._between = store[start.end : length.at], store[length.end : hashed.start], store[hashed.end : pad.at]

    def put(self, store: bytearray, gap: Span, digest: bytes) -> bool:
        """Write place and hash, and as many zeros that it stays as long as it was. Return whether there is room."""
        if sum(gap) > _MAX_PLACE:
            return False
        start, length = (head(0, number) for number in gap)
        one, two, three = self._between
        written = b"".join((start, one, length, two, digest, three))
        left = self._span[1] - self._span[0] - len(written)
        padding = next((n for n in range(left - 1, left - 4, -1) if n >= 0 and len(head(2, n)) + n == left), None)
        if padding is None:
            return False
        store[slice(*self._span)] = written + head(2, padding) + bytes(padding)
        return True


def _parts(store: bytes) -> tuple[Box, dict[str, Box]]:
    """Return the only manifest of a store, and its parts by their labels."""
    (root,) = superboxes(store, 0, len(store))
    (manifest,) = superboxes(store, *_content(root, b"c2pa"))
    if root.label != "c2pa" or not _LABEL.fullmatch(manifest.label):
        raise ValueError("the manifest's label has another form")
    parts = _by_label(superboxes(store, *_content(manifest, b"c2ma")))
    if parts.keys() != {"c2pa.assertions", "c2pa.claim.v2", "c2pa.signature"}:
        raise ValueError("the manifest has other parts than those that are known")
    return manifest, parts


def _by_label(boxes: list[Box]) -> dict[str, Box]:
    found = {box.label: box for box in boxes}
    if len(found) != len(boxes):
        raise ValueError("two JUMBF superboxes have the same label")
    return found


def _content(box: Box, kind: bytes) -> Span:
    """Return the space of a superbox behind its description. It holds superboxes and is of the kind given."""
    if box.kind != kind or not box.boxes or box.salt_at is not None:
        raise ValueError("a JUMBF superbox is of another kind")
    return box.boxes[0][1] - 8, box.end


def _cbor(box: Box, kind: bytes) -> Span:
    """Return where the CBOR is that a superbox of the kind given consists of."""
    ((name, start, end),) = box.boxes
    if box.kind != kind or name != b"cbor":
        raise ValueError("a JUMBF superbox is of another kind")
    return start, end


def _marked(claim: Claim) -> Claim:
    """Return the claim with marks in place of the texts that change from file to file."""
    return replace(claim, when=claim.when and _TIME, content_id=claim.content_id and _ID)


def _text(claim: Claim, name: str) -> str:
    return claim.when if name == _TIME else claim.content_id


# The templates of each signer


_templates: WeakKeyDictionary[Signer, OrderedDict[Hashable, tuple[bytes, Claim] | Template | None]] = (
    WeakKeyDictionary()
)
_lock = threading.Lock()


def key_of(media_type: str, claim: Claim) -> Hashable | None:
    """Return what two files share whose manifests differ only in what is put in.

    Returns:
        The key; ``None`` if the texts that change are of a form that is left to c2pa.
    """
    if (claim.when and not _WHEN.fullmatch(claim.when)) or not claim.content_id.isprintable():
        return None
    length = len(claim.content_id.encode())
    return media_type, replace(claim, when=claim.when and _TIME, content_id=""), length, _version(library.load())


@cache
def _version(c2pa: Any) -> tuple[Any, str]:
    return c2pa, str(c2pa.sdk_version())


def find(signer: Signer, key: Hashable) -> Template | None:
    """Return the template of a signer for such files, if there is one."""
    with _lock:
        kept = _templates.get(signer, OrderedDict()).get(key)
        if isinstance(kept, tuple):
            try:
                kept = Template(*kept, signer)
            except (ValueError, LookupError, TypeError, AttributeError):  # of another form: c2pa makes them all
                kept = None
            _templates[signer][key] = kept
        if kept is not None:
            _templates[signer].move_to_end(key)
        return kept


def keep(signer: Signer, key: Hashable, store: bytes, claim: Claim) -> None:
    """Keep a store that c2pa has made, and that was read back: the next file of the kind makes it a template."""
    with _lock:
        kept = _templates.setdefault(signer, OrderedDict())
        if key not in kept:
            kept[key] = (store, claim) if len(store) <= MAX_STORE else None
            while len(kept) > MAX_KEPT:
                kept.popitem(last=False)


def refuse(signer: Signer, key: Hashable) -> None:
    """Leave all further files of a kind to c2pa: what was made of its template did not validate."""
    with _lock:
        _templates.setdefault(signer, OrderedDict())[key] = None
