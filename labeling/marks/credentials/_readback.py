"""Read back what was just signed: success is reported only for what the bytes hold.

The quick check verifies, in our own code, the claim signature, the hash of every assertion that the claim names, and
the hash of the file outside the manifest; where the bytes are at hand that were hashed, it compares the file with
these. It does not know BMFF hashes (HEIF, AVIF) or ingredients: these, and the first file of every kind, go through
c2pa's reader.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labeling.marks.credentials import _context, _jumbf, library
from labeling.marks.credentials._undisturbed import Watched, undisturbed

if TYPE_CHECKING:
    import mmap

    from labeling.marks.credentials.signer import Signer

    Buffer = bytes | bytearray | memoryview | mmap.mmap

_DATA_HASH = "c2pa.hash.data"
_INGREDIENT = "c2pa.ingredient"

_seen: set[tuple[int, Hashable]] = set()


class Outside(NamedTuple):
    """What is in a file outside the room for its manifest, in pieces, and the SHA-256 of it."""

    head: Sequence[Buffer]
    tail: Sequence[Buffer]
    digest: bytes


class _UndecidedError(Exception):
    """The quick check cannot decide."""


def check(
    result: bytes,
    store: bytes,
    signer: Signer,
    media_type: str,
    kind: Hashable,
    *,
    full: bool = False,
    outside: Outside | None = None,
) -> None:
    """Raise ``ValueError`` unless ``result`` carries ``store`` and validates.

    Args:
        result: The file.
        store: The manifest store.
        signer: Who signed it.
        media_type: The file's media type.
        kind: What makes files alike.
        full: Whether c2pa's reader has to validate it in any case.
        outside: What was hashed for the manifest, if it is at hand.
    """
    # In every new process c2pa's reader validates the first file of each kind.
    first = (os.getpid(), kind) not in _seen
    if not full and not first:
        try:
            _quick(result, store, signer, outside)
        except _UndecidedError:
            pass
        else:
            return
    validate(io.BytesIO(result), media_type, store)
    _seen.add((os.getpid(), kind))


def validate(result: Any, media_type: str, store: bytes, *, beside: bool = False) -> None:
    """Have c2pa's reader validate a stream with ``store`` in it, or ``beside`` it.

    Raises ``ValueError`` if it finds another manifest, or does not find it valid.
    """
    undisturbed(lambda: _validate(result, media_type, store, beside))


def _validate(result: Any, media_type: str, store: bytes, beside: bool) -> None:
    c2pa = library.load()

    label = _jumbf.parse(store).label
    try:
        with c2pa.Reader(
            media_type, Watched(result), store if beside else None, context=_context.for_reading_back()
        ) as reader:
            state = reader.get_validation_state()
            results = reader.get_validation_results() or {}
            active = (reader.get_active_manifest() or {}).get("label")
    except c2pa.C2paError as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    failures = [failure.get("code") for failure in results.get("activeManifest", {}).get("failure", ())]
    if state not in {"Valid", "Trusted"} or failures:
        raise ValueError(f"c2pa finds it {state}: {', '.join(map(str, failures)) or 'no reason given'}")
    if active != label:
        raise ValueError("the file carries another manifest than the one just written")


def _quick(result: bytes, store: bytes, signer: Signer, outside: Outside | None = None) -> None:
    try:
        manifest = _jumbf.parse(store)
        start, end = manifest.signature(signer.signature_size)
        claim = _jumbf.decode(store[slice(*manifest.claim)])
        message = manifest.to_be_signed()
        binding = manifest.content(_DATA_HASH) if _DATA_HASH in manifest.assertions else None
    except ValueError as error:
        raise _UndecidedError from error
    if not isinstance(claim, dict) or not isinstance(binding, dict):
        raise _UndecidedError
    if not signer.verify(message, store[start:end]):
        raise ValueError("the claim signature is not valid")
    _check_assertions(manifest, claim)
    _check_content(result, store, binding, outside)


def _check_assertions(manifest: _jumbf.Manifest, claim: dict[str, Any]) -> None:
    named = [*claim.get("created_assertions", ()), *claim.get("gathered_assertions", ())]
    labels = set()
    for reference in named:
        label = str(reference.get("url", "")).rpartition("/")[2]
        if label not in manifest.assertions or label.startswith(_INGREDIENT):
            raise _UndecidedError
        if reference.get("alg", claim.get("alg")) != "sha256":
            raise _UndecidedError
        digest = hashlib.sha256(manifest.store[slice(*manifest.assertions[label])]).digest()
        if not hmac.compare_digest(digest, reference.get("hash", b"")):
            raise ValueError(f"the assertion {label} is not the one that the claim names")
        labels.add(label)
    if labels != set(manifest.assertions):
        raise _UndecidedError


def _check_content(result: bytes, store: bytes, binding: dict[str, Any], outside: Outside | None) -> None:
    if binding.get("alg") != "sha256":
        raise _UndecidedError
    spans, at, embedded = [], 0, False
    for gap in binding.get("exclusions", ()):
        start, length = gap["start"], gap["length"]
        if start < at or start + length > len(result):
            raise ValueError("the content hash leaves out bytes beyond the end of the file")
        spans.append((at, start))
        at = start + length
        embedded = embedded or result.find(store, start, at) >= 0
    spans.append((at, len(result)))
    if not embedded:  # GIF splits it into sub-blocks, JPEG into segments
        raise _UndecidedError
    if _digest(result, spans, outside) != binding.get("hash"):
        raise ValueError("the content hash does not match the file")


def _digest(result: bytes, spans: list[tuple[int, int]], outside: Outside | None) -> bytes:
    """Return the SHA-256 of the spans: that of ``outside`` if they hold the same to the byte."""
    if outside is not None and len(spans) == 2:
        sides = zip(spans, (outside.head, outside.tail), strict=True)
        if all(_consists_of(result, span, pieces) for span, pieces in sides):
            return outside.digest
    digest = hashlib.sha256()
    with memoryview(result) as view:
        for start, end in spans:
            digest.update(view[start:end])
    return digest.digest()


def _consists_of(result: bytes, span: tuple[int, int], pieces: Sequence[Buffer]) -> bool:
    at, end = span
    for piece in pieces:
        if not result.startswith(piece, at):
            return False
        at += len(piece)
    return at == end
