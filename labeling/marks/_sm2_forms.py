"""The forms in which SM2 keys and signatures are written; reading is strict."""

from __future__ import annotations

import binascii
import re
from typing import Any

from labeling.errors import LabelingError
from labeling.marks._sm2 import PublicKey

SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""What precedes the 65 bytes of a key in a SubjectPublicKeyInfo: id-ecPublicKey, SM2's curve, a bit string."""

_SPKI_LENGTH = len(SPKI) + 65
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")

KEY_LENGTHS = frozenset({_SPKI_LENGTH, 65, 64, 33, 32})


def decode_key(raw: bytes) -> tuple[PublicKey, ...]:
    """Return the public keys that ``raw`` may mean; none if it is not a key.

    The length tells the form: SubjectPublicKeyInfo in DER (91 bytes), ``04 ‖ X ‖ Y`` (65), ``X ‖ Y`` (64),
    compressed (33), X alone (32, which means either of two keys).
    """
    if len(raw) == _SPKI_LENGTH and raw.startswith(SPKI):
        raw = raw[len(SPKI) :]
    if len(raw) == 65 and raw[0] == 4:
        raw = raw[1:]
    if len(raw) == 64:
        key = PublicKey.of(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        return (key,) if key is not None else ()
    if len(raw) == 33 and raw[0] in (2, 3):
        return PublicKey.with_x(int.from_bytes(raw[1:], "big"))[raw[0] - 2 : raw[0] - 1]
    if len(raw) == 32:
        return PublicKey.with_x(int.from_bytes(raw, "big"))
    return ()


def decode_signature(raw: bytes) -> tuple[int, int] | None:
    """Return (r, s) from strict DER or from 64 bytes ``r ‖ s``; ``None`` if it is neither."""
    numbers: list[int] = []
    if 8 <= len(raw) <= 72 and raw[0] == 0x30 and raw[1] == len(raw) - 2:
        at = 2
        while at + 2 < len(raw) and raw[at] == 2 and len(numbers) < 2:
            body = raw[at + 2 : at + 2 + raw[at + 1]]
            if len(body) != raw[at + 1] or body[:1] >= b"\x80" or (body[:1] == b"\0" and body[1:2] < b"\x80"):
                break  # truncated, negative, or longer than needed
            numbers.append(int.from_bytes(body, "big"))
            at += 2 + len(body)
        if len(numbers) == 2 and at == len(raw):
            return numbers[0], numbers[1]
    if len(raw) == 64:
        return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    return None


def unhex(value: Any) -> bytes | None:
    """Return the bytes that hexadecimal digits mean; ``None`` for anything else."""
    return bytes.fromhex(value) if isinstance(value, str) and len(value) <= 512 and _HEX.fullmatch(value) else None


def read_pinned(text: str) -> tuple[bytes, ...]:
    """Read public keys from a text: PEM blocks, or hexadecimal lines in any of the five forms (``#`` starts a comment).

    Returns:
        65 bytes for each key; a line with X alone gives two.

    Raises:
        LabelingError: The text holds no key, a private key, or a line that is not a key.
    """
    keys: list[PublicKey] = []

    def take(raw: bytes | None, shown: str) -> str:
        found = decode_key(raw) if raw is not None else ()
        if not found:
            raise LabelingError(
                f"{shown!r} is not an SM2 public key", hint="give hexadecimal digits or a PEM public key"
            )
        keys.extend(found)
        return ""

    if "PRIVATE KEY" in text:
        raise LabelingError("this is a private key", hint="pin the public one (openssl pkey -pubout makes it)")
    rest = re.sub(
        r"-----BEGIN PUBLIC KEY-----([^-]*)-----END PUBLIC KEY-----",
        lambda block: take(_unbase64(block[1]), "the PEM block"),
        text,
    )
    for line in rest.splitlines():
        if digits := line.partition("#")[0].strip():
            take(unhex(digits), digits[:40])
    if not keys:
        raise LabelingError("it holds no public key", hint="give hexadecimal digits or a PEM public key")
    return tuple(bytes(key) for key in keys)


def _unbase64(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return None
