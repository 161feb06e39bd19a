"""The parts of JUMBF (ISO 19566-5), CBOR (RFC 8949) and COSE (RFC 9052) that it takes to check a manifest of ours.

It only reads manifest stores that this process wrote a moment ago; c2pa reads all other files. Even so it raises
nothing but ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 16
_SUPERBOX = b"jumb"
_DESCRIPTION_LABEL = 8 + 16 + 1  # of a jumd box: header, type UUID, toggles; then the label


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where things are in the active manifest of a manifest store (offsets into the store's bytes)."""

    store: bytes
    label: str
    claim: tuple[int, int]
    cose: tuple[int, int]
    assertions: dict[str, tuple[int, int]]
    """By label: the payload of the assertion's superbox, which is what a hashed URI covers (C2PA 2.2, 8.4.2.3)."""

    def to_be_signed(self) -> bytes:
        """The ``Sig_structure`` of RFC 9052, 4.4: what the claim signature signs."""
        _, protected = _tagged_array_start(self.store, *self.cose)
        claim = self.store[slice(*self.claim)]
        return b"\x84\x6aSignature1" + _byte_string(protected) + b"\x40" + _byte_string(claim)

    def signature(self, size: int) -> tuple[int, int]:
        """The span of the claim signature, ``size`` bytes long: the last item of the COSE_Sign1 array."""
        _, end = self.cose
        before = b"\xf6" + head(2, size)  # a detached payload is nil, and right before the signature
        if self.store[end - size - len(before) : end - size] != before:
            raise ValueError("the claim signature is not where COSE puts it")
        return end - size, end

    def content(self, label: str) -> Any:
        """The decoded CBOR of one assertion."""
        start, end = next(
            (span[1:] for span in _boxes(self.store, *self.assertions[label]) if span[0] == b"cbor"), (0, 0)
        )
        return decode(self.store[start:end])


def parse(store: bytes) -> Manifest:
    """Find claim, signature and assertions of the active manifest: the last one of the store (C2PA 2.2, 11.1.4.2)."""
    manifests = [(label, span) for label, span in _children(store, *_payload(store)) if label]
    if not manifests:
        raise ValueError("the store holds no manifest")
    name, span = manifests[-1]
    parts = dict(_children(store, *span))
    claim = parts.get("c2pa.claim.v2") or parts.get("c2pa.claim")
    if claim is None or "c2pa.signature" not in parts or "c2pa.assertions" not in parts:
        raise ValueError("the manifest lacks a claim, a signature or assertions")
    assertions = dict(_children(store, *parts["c2pa.assertions"]))
    return Manifest(store, name, _cbor(store, claim), _cbor(store, parts["c2pa.signature"]), assertions)


def _payload(store: bytes) -> tuple[int, int]:
    for kind, start, end in _boxes(store, 0, len(store)):
        if kind == _SUPERBOX:
            return start, end
    raise ValueError("it has no JUMBF superbox")


def _cbor(store: bytes, span: tuple[int, int]) -> tuple[int, int]:
    for kind, start, end in _boxes(store, *span):
        if kind == b"cbor":
            return start, end
    raise ValueError("it has no CBOR content box")


def _boxes(store: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size, kind, head = int.from_bytes(store[at : at + 4], "big"), store[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(store[at + 8 : at + 16], "big"), 16
        if size < head or at + size > end:
            raise ValueError("a JUMBF box reaches beyond its parent")
        yield kind, at + head, at + size
        at += size


def _children(store: bytes, at: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Label and payload span of each superbox in a superbox's payload."""
    for kind, start, stop in _boxes(store, at, end):
        if kind != _SUPERBOX:
            continue
        label_at = start + _DESCRIPTION_LABEL
        zero = store.find(b"\0", label_at, stop)
        yield store[label_at : max(zero, label_at)].decode("utf-8", "replace"), (start, stop)


def head(major: int, value: int) -> bytes:
    """The beginning of a CBOR item of one major type: its value, or the length of what follows."""
    for limit, code, size in ((24, 0, 0), (1 << 8, 24, 1), (1 << 16, 25, 2), (1 << 32, 26, 4)):
        if value < limit:
            first = major << 5 | (code or value)
            return bytes((first,)) + (value.to_bytes(size, "big") if size else b"")
    raise ValueError("it is too long for a CBOR item")


def _byte_string(data: bytes) -> bytes:
    return head(2, len(data)) + data


def _tagged_array_start(store: bytes, at: int, end: int) -> tuple[int, bytes]:
    if store[at : at + 2] != b"\xd2\x84":  # tag 18 (COSE_Sign1), array of four
        raise ValueError("the signature is not a tagged COSE_Sign1")
    protected, after = _item(store[:end], at + 2, 0)
    if not isinstance(protected, bytes):
        raise ValueError("the protected header is not a byte string")
    return after, protected


def decode(data: bytes) -> Any:
    """Decode one CBOR item: integers, strings, arrays, maps, tags (dropped), booleans and null."""
    return _item(data, 0, 0)[0]


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > _MAX_DEPTH or at >= len(data):
        raise ValueError("CBOR is nested too deeply or cut off")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        value = info
    elif info <= 27:
        size = 1 << (info - 24)
        value, at = int.from_bytes(data[at : at + size], "big"), at + size
    else:
        raise ValueError("CBOR of indefinite length is not expected here")
    if major <= 1:
        return (value if major == 0 else -1 - value), at
    if major <= 3:
        if at + value > len(data):
            raise ValueError("a CBOR string is cut off")
        raw = data[at : at + value]
        return (raw if major == 2 else raw.decode("utf-8", "replace")), at + value
    return _composite(data, at, depth, major, value)


def _composite(data: bytes, at: int, depth: int, major: int, value: int) -> tuple[Any, int]:
    if major == 6:
        return _item(data, at, depth + 1)
    if major == 7:
        return {20: False, 21: True}.get(value), at
    if value > len(data) - at:  # every element takes a byte at least
        raise ValueError("a CBOR array or map is cut off")
    items = []
    for _ in range(value * (2 if major == 5 else 1)):
        element, at = _item(data, at, depth + 1)
        items.append(element)
    if major == 4:
        return items, at
    try:
        return dict(zip(items[::2], items[1::2], strict=True)), at
    except TypeError as error:
        raise ValueError("a CBOR map has a key that is not a plain value") from error
