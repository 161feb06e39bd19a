"""Have c2pa make a manifest for a file that we lay out ourselves: first its size, then the manifest over our own hash.

c2pa's library offers these two calls to programs in C; its Python package does not pass them on. They are called
through the library that the package has loaded. :func:`available` says whether this version of it has them.
"""

from __future__ import annotations

import ctypes
import json
from functools import cache
from typing import Any

from labeling.marks.credentials import library

_RAW = b"application/c2pa"
"""Asks for the manifest store as it is, not wrapped for a file format."""

_HASH_NAME = "jumbf manifest"

_Bytes = ctypes.POINTER(ctypes.c_ubyte)


@cache
def _library() -> tuple[Any, Any, Any] | None:
    """Return the module of the package, and the two calls; ``None`` where it has them not."""
    try:
        package = library.load().c2pa
        size_of = package._lib.c2pa_builder_data_hashed_placeholder
        sign = package._lib.c2pa_builder_sign_data_hashed_embeddable
        _ = package._lib.c2pa_free, package._read_native_error
    except AttributeError:
        return None
    size_of.restype = sign.restype = ctypes.c_int64
    size_of.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.POINTER(_Bytes)]
    sign.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(_Bytes)
    ]  # fmt: skip
    return package, size_of, sign


def available() -> bool:
    """Return whether the installed c2pa has the calls."""
    return _library() is not None


def size(builder: Any, signer: Any) -> int:
    """Return the length that the manifest store of a ``c2pa.Builder`` will have when a ``c2pa.Signer`` signs it.

    Raises:
        c2pa.C2paError: The manifest cannot be made.
    """
    made = _library()
    assert made is not None  # the caller asked available()
    _, call, _ = made
    out = _Bytes()
    return len(_taken(call(_pointer(builder), signer.reserve_size(), _RAW, ctypes.byref(out)), out))


def sign(builder: Any, signer: Any, length: int, gap: tuple[int, int], digest: bytes) -> bytes:
    """Sign, and return a manifest store of ``length`` bytes.

    Args:
        builder: A ``c2pa.Builder`` that :func:`size` was asked about.
        signer: A ``c2pa.Signer``.
        length: What :func:`size` returned.
        gap: Start and length of the bytes of the file that will hold the store, wrapping included.
        digest: The SHA-256 of the file without these bytes (C2PA 2.2, 18.6).

    Raises:
        c2pa.C2paError: The signature could not be made.
    """
    c2pa = library.load()

    made = _library()
    assert made is not None
    _, _, call = made
    start, space = gap
    excluded = [{"start": start, "length": space}]
    binding = {"exclusions": excluded, "name": _HASH_NAME, "alg": "sha256", "hash": list(digest), "pad": []}
    out = _Bytes()
    given = json.dumps(binding).encode()
    store = _taken(call(_pointer(builder), _pointer(signer), given, _RAW, None, ctypes.byref(out)), out)
    if len(store) != length:
        raise c2pa.C2paError(f"the manifest has {len(store)} bytes, not the {length} that were planned")
    return store


def _pointer(held: Any) -> ctypes.c_void_p:
    return ctypes.cast(held._handle, ctypes.c_void_p)


def _taken(result: int, out: Any) -> bytes:
    """Copy the bytes that a call has returned, and free them."""
    c2pa = library.load()

    made = _library()
    assert made is not None
    package = made[0]
    if result < 0 or not out:
        raise c2pa.C2paError(package._read_native_error() or "no reason given")
    try:
        return ctypes.string_at(out, result)
    finally:
        package._lib.c2pa_free(out)
