"""SM2 signatures with SM3 over public data: what verifying security data needs, without a dependency.

The curve and the scheme are those of GB/T 32918.2-2016 and GB/T 32918.5-2017, the hash that of GB/T 32905-2016. Only
public values pass through here (a key, a message, a signature from a file), so nothing has to run in constant
time; signing is another matter and never happens in this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

# GB/T 32918.5-2017: the recommended curve over a prime field of 256 bits, y² = x³ + ax + b.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

USER_ID = b"1234567812345678"
"""The default distinguishing identifier (GM/T 0009-2012, 10), which TC260-PG-202511A keeps."""

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve other than infinity; ``PublicKey.of`` is the way to one that has been checked."""

    x: int
    y: int

    @classmethod
    def of(cls, x: int, y: int) -> PublicKey | None:
        """The key with these coordinates; ``None`` if they are not a point of the curve (its cofactor is 1)."""
        if not (0 <= x < P and 0 <= y < P) or (y * y - (x * x * x + A * x + B)) % P:
            return None
        return cls(x, y)

    @classmethod
    def with_x(cls, x: int) -> tuple[PublicKey, ...]:
        """The two keys that share an x coordinate, the one with even y first; empty if none does."""
        if not 0 <= x < P:
            return ()
        square = (x * x * x + A * x + B) % P
        y = pow(square, (P + 1) // 4, P)  # P ≡ 3 (mod 4)
        if y * y % P != square:
            return ()
        even, odd = (y, P - y) if y % 2 == 0 else (P - y, y)
        return (cls(x, even), cls(x, odd))

    def __bytes__(self) -> bytes:
        """The 65 bytes ``04 ‖ X ‖ Y``."""
        return b"\x04" + self.x.to_bytes(32, "big") + self.y.to_bytes(32, "big")


def sm3(data: bytes) -> bytes:
    """The SM3 digest of ``data``, 32 bytes: OpenSSL's where Python is linked with one that has it."""
    try:
        return hashlib.new("sm3", data).digest()
    except ValueError:
        return sm3_portable(data)


def sm3_portable(data: bytes) -> bytes:
    """SM3 in Python itself, for systems whose OpenSSL leaves it out (GB/T 32905-2016, 5)."""
    state = [
        0x7380166F,
        0x4914B2B9,
        0x172442D7,
        0xDA8A0600,
        0xA96F30BC,
        0x163138AA,
        0xE38DEE4D,
        0xB0FB0E4E,
    ]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        mixed = _compress(state, padded[start : start + 64])
        state = [old ^ new for old, new in zip(state, mixed, strict=True)]
    return b"".join(word.to_bytes(4, "big") for word in state)


def _rotate(word: int, by: int) -> int:
    by %= 32
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF


def _compress(state: list[int], block: bytes) -> tuple[int, ...]:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
        w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(constant, j)) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & g)
        tt1 = (ff + d + (ss1 ^ _rotate(a, 12)) + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
        tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = (tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17)), e, _rotate(f, 19), g
    return a, b, c, d, e, f, g, h


def identity_digest(key: PublicKey, user_id: bytes = USER_ID) -> bytes:
    """Z_A of GB/T 32918.2-2016, 5.5: what binds the signer's identifier and key into the message."""
    curve = b"".join(value.to_bytes(32, "big") for value in (A, B, *G, key.x, key.y))
    return sm3((8 * len(user_id)).to_bytes(2, "big") + user_id + curve)


def verify(key: PublicKey, message: bytes, signature: tuple[int, int], user_id: bytes = USER_ID) -> bool:
    """Say whether ``signature`` = (r, s) is one of ``key`` over ``message`` (GB/T 32918.2-2016, 7.1)."""
    return verify_any(key, [message], signature, user_id)


def verify_any(key: PublicKey, messages: Iterable[bytes], signature: tuple[int, int], user_id: bytes = USER_ID) -> bool:
    """Say whether ``signature`` is one over any of ``messages``: the costly point is the same for all of them."""
    r, s = signature
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    point = _affine(_sum_of_multiples(s, t, (key.x, key.y)))
    if point is None:
        return False
    signed = (r - point[0]) % N
    identity = identity_digest(key, user_id)
    return any(int.from_bytes(sm3(identity + message), "big") % N == signed for message in messages)


def _sum_of_multiples(s: int, t: int, point: Point) -> _Jacobian:
    """s·G + t·point, both scalars walked through together, bit by bit (Shamir's trick)."""
    base = (*G, 1)
    other = (*point, 1)
    table = (_INFINITY, base, other, _add(base, other))
    result = _INFINITY
    for bit in range(255, -1, -1):
        result = _double(result)
        if choice := (s >> bit & 1) | (t >> bit & 1) << 1:
            result = _add(result, table[choice])
    return result


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not (y and z):
        return _INFINITY
    square = y * y % P
    s = 4 * x * square % P
    zz = z * z % P
    m = 3 * (x - zz) * (x + zz) % P  # a = -3
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * square * square) % P, 2 * y * z % P


def _add(one: _Jacobian, two: _Jacobian) -> _Jacobian:
    if not one[2]:
        return two
    if not two[2]:
        return one
    (x1, y1, z1), (x2, y2, z2) = one, two
    z1z1, z2z2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2z2 % P, x2 * z1z1 % P
    s1, s2 = y1 * z2 * z2z2 % P, y2 * z1 * z1z1 % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if not h:
        return _double(one) if not r else _INFINITY
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, z1 * z2 * h % P


def _affine(point: _Jacobian) -> Point | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * inverse * inverse * inverse % P
