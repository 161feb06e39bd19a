"""Sign a file: a C2PA manifest that says what made the content, bound to its bytes.

Four things differ from calling c2pa directly:

* c2pa makes the first manifest of a kind; of pictures that follow, it is the template
  (:mod:`labeling.marks.credentials._template`), where a caller lays the file out. Parents, time stamps and formats
  without :class:`Room` are c2pa's in every case.

* c2pa-rs reserves 10 000 bytes and more for the signature of any callback, whatever its size. With a callback we first
  sign with a throw-away key of the same kind, then put the real signature in its place: it has the same length, and
  neither the claim nor the content hash covers it (C2PA 2.2, 13.2, 18.6). That saves 9 KB in every file.
* c2pa puts the manifest of a TIFF file of several pages into a directory without a picture, behind the last page, which
  libtiff takes for damage and Pillow for a page (C2PA 2.2, A.3 asks for it; c2pa reads it from the first directory as
  well). Nor does it correct the index of further pictures in a JPEG file, or put the manifest of an animated PNG behind
  the chunk that says it is one. So a caller can lay the file out (:class:`Room`), and c2pa makes the manifest for that
  place.
* c2pa's own check after signing costs as much as signing, and leaves the content hash out. What was written is read
  back here: signature, assertions and content by our own code, and by c2pa's reader for the first file of each kind and
  wherever ours cannot decide.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from labeling.errors import LabelingError, SigningError, UnreadableFile, UnsupportedFormat, WriteError
from labeling.gates import gate, shortage
from labeling.inert import without_secrets
from labeling.marks.credentials import _context, _embeddable, _readback, _template, library
from labeling.marks.credentials._undisturbed import Watched, undisturbed
from labeling.marks.credentials.claim import DEFAULT_SOURCE_TYPE, VOCABULARIES, Claim, definition

if TYPE_CHECKING:
    import mmap

    from labeling.marks.credentials.signer import Signer

    Buffer = bytes | bytearray | memoryview | mmap.mmap

_SAME_AS = {
    "image/apng": "image/png",
    "image/heic-sequence": "image/heic",
    "image/heif-sequence": "image/heif",
}
_PNG = b"\x89PNG\r\n\x1a\n"
_PARENT_STORE = "parent-manifest"
"""Name of the parent's manifest store among the resources of c2pa's builder."""

_NOTHING_KEPT = "nothing was kept, please report this"

Check = Literal["quick", "full"]


class Room(Protocol):
    """A copy of a file with room for a manifest store, such as :class:`labeling.containers.Room`."""

    @property
    def head(self) -> Sequence[Buffer]:
        """What comes before the room, in pieces."""
        ...

    @property
    def tail(self) -> Sequence[Buffer]:
        """What comes behind it."""
        ...

    @property
    def length(self) -> int:
        """Bytes of the room."""
        ...

    @property
    def wrap(self) -> Callable[[bytes], bytes]:
        """Wraps the store for the format; the result fills the room."""
        ...


def sign(
    data: Buffer,
    media_type: str,
    signer: Signer,
    claim: Claim,
    *,
    parent: bytes | None = None,
    parent_media_type: str | None = None,
    room: Callable[[int], Room] | None = None,
    check: Check = "quick",
) -> bytes:
    """Return a copy of a file with a manifest. Nothing may change in the file afterwards.

    No network connection is opened, except to the signer's time-stamp URL if it has one.

    Args:
        data: The file. A manifest in it is replaced.
        media_type: Its media type.
        signer: Who signs.
        claim: What the manifest says.
        parent: The whole file that ``data`` was made from, if that one carries a manifest: it becomes the parent
            ingredient, so that its history stays (C2PA 2.2, 18.15).
        parent_media_type: Its media type, if it differs.
        room: Lays ``data`` out for a store of so many bytes, in place of c2pa. Without it, or where c2pa has no call
            for that, c2pa decides.
        check: "full" has c2pa's reader validate every result, "quick" only the first of each kind (see the module).

    Raises:
        SigningError: The key, the callback or the time-stamp service failed.
        UnsupportedFormat: The format has no place for a manifest.
        UnreadableFile: The file cannot be parsed.
        WriteError: The result does not validate.
    """
    if claim.digital_source_type and not claim.digital_source_type.startswith(VOCABULARIES):
        raise SigningError(
            f"`digital_source_type` is {claim.digital_source_type[:80]!r}, not a full URI",
            hint=f"give one such as {DEFAULT_SOURCE_TYPE}",
        )
    signer.check_dates()
    job = _Job(bytes(data), _supported(media_type), signer, claim)
    if parent is not None:
        job.parent = (parent, _known(parent_media_type or media_type))
    job.room = room if _embeddable.available() else None
    key = None
    if job.room is not None and parent is None and signer.tsa_url is None:
        key = _template.key_of(job.media_type, claim)
    template = _template.find(signer, key) if key is not None else None
    made = job.run_with(template) if template is not None else None
    if made is None:
        made, template = job.run(), None
    result, store = made
    kind = (job.media_type, signer.alg, signer.remote, parent is not None, template is not None)
    full = check == "full" or (template is not None and not template.proved)
    try:
        _readback.check(result, store, signer, job.media_type, kind, full=full, outside=job.outside)
    except ValueError as error:
        if template is not None:
            _template.refuse(signer, key)
        raise WriteError(f"the signed file does not validate ({error})", hint=_NOTHING_KEPT) from None
    if template is not None:
        template.proved = True
    elif key is not None:
        _template.keep(signer, key, store, claim)
    return result


def sign_stream(
    content: BinaryIO,
    target: BinaryIO,
    media_type: str,
    signer: Signer,
    claim: Claim,
    *,
    parent: BinaryIO | None = None,
    parent_media_type: str | None = None,
) -> None:
    """Sign video or audio as :func:`sign` does, from stream to stream: nothing is held in memory.

    ``target`` can be written and read; c2pa's reader validates it at the end. ``parent`` is of the same media type
    unless another one is given. The errors are those of :func:`sign`.
    """
    signer.check_dates()
    job = _Job(b"", _supported(media_type), signer, claim)
    if parent is not None:
        job.parent = parent, _known(parent_media_type or media_type)
    store = job.build("callback" if signer.remote else "key", content, target)
    target.flush()
    target.seek(0)
    try:
        _readback.validate(target, job.media_type, store)
    except ValueError as error:
        raise WriteError(f"the signed file does not validate ({error})", hint=_NOTHING_KEPT) from None


def sign_beside(
    content: BinaryIO,
    media_type: str,
    signer: Signer,
    claim: Claim,
    *,
    parent: tuple[BinaryIO, bytes | None] | None = None,
    parent_media_type: str | None = None,
) -> bytes:
    """Sign a file whose format has no place for a manifest, and return the manifest store for a file beside it.

    ``parent`` is the file that ``content`` was made from, and the manifest store beside that one, if there is one. The
    errors are those of :func:`sign`; :class:`SigningError` as well if the parent's store cannot be read.
    """
    signer.check_dates()
    job = _Job(b"", media_type, signer, claim)
    if parent is not None:
        job.parent, job.parent_store = (parent[0], parent_media_type or media_type), parent[1]
    store = job.build("callback" if signer.remote else "key", content, io.BytesIO(), embed=False)
    content.seek(0)
    try:
        _readback.validate(content, media_type, store, beside=True)
    except ValueError as error:
        raise WriteError(f"the manifest does not validate ({error})", hint=_NOTHING_KEPT) from None
    return store


class _Job:
    """One file on its way through c2pa's builder."""

    def __init__(self, data: bytes, media_type: str, signer: Signer, claim: Claim) -> None:
        self.data = data
        self.media_type = media_type
        self.signer = signer
        self.claim = claim
        self.parent: tuple[Any, str] | None = None
        self.parent_store: bytes | None = None
        self.room: Callable[[int], Room] | None = None
        self.outside: _readback.Outside | None = None

    def run(self) -> tuple[bytes, bytes]:
        """Return the signed file and its manifest store."""
        if not self.signer.remote:
            return self._built("key")
        if self.signer.tsa_url is None:  # a time stamp is over the signature: it must be the real one from the start
            result, store = self._built("stand-in")
            sealed = self._seal(result, store)
            if sealed is not None:
                return sealed
        return self._built("callback")

    def _built(self, kind: str) -> tuple[bytes, bytes]:
        if self.room is not None:
            return self._built_in(self.room, kind)
        target = io.BytesIO()
        store = self.build(kind, io.BytesIO(self.data), target)
        return target.getvalue(), store

    def build(self, kind: str, content: Any, target: Any, *, embed: bool = True) -> bytes:
        """Sign a stream into another one and return the manifest store."""

        watched = Watched(target)

        def run(builder: Any, native: Any) -> bytes:
            if not embed:
                builder.set_no_embed()
            store: bytes = builder.sign(native, self.media_type, Watched(content), watched)
            return store

        try:
            return self._with_builder(kind, run)
        except LabelingError:
            if watched.error is not None:
                raise watched.error from None
            raise

    def _built_in(self, room: Callable[[int], Room], kind: str) -> tuple[bytes, bytes]:
        """Sign the file as ``room`` lays it out."""
        made = b""

        def run(builder: Any, native: Any) -> bytes:
            nonlocal made
            length = _embeddable.size(builder, native)
            laid_out = room(length)
            gap, digest = self._lay_out(laid_out)
            store = _embeddable.sign(builder, native, length, gap, digest)
            made = b"".join((*laid_out.head, laid_out.wrap(store), *laid_out.tail))
            return store

        store = self._with_builder(kind, run)
        return made, store

    def _lay_out(self, laid_out: Room) -> tuple[tuple[int, int], bytes]:
        """Return where the manifest will be, start and length, and the SHA-256 of the file without it."""
        digest = hashlib.sha256()
        for piece in (*laid_out.head, *laid_out.tail):
            digest.update(piece)
        self.outside = _readback.Outside(laid_out.head, laid_out.tail, digest.digest())
        return (sum(len(piece) for piece in laid_out.head), laid_out.length), self.outside.digest

    def run_with(self, template: _template.Template) -> tuple[bytes, bytes] | None:
        """Do as :meth:`run` does, without c2pa; ``None`` if the file has no room for what is in the template."""
        assert self.room is not None
        laid_out = self.room(template.length)
        with gate("sign the file", lambda why: SigningError(f"the file could not be signed: {why}")):
            store = template.filled(self.claim, *self._lay_out(laid_out), self.signer.sign)
        if store is None:
            return None
        return b"".join((*laid_out.head, laid_out.wrap(store), *laid_out.tail)), store

    def _with_builder(self, kind: str, run: Callable[[Any, Any], bytes]) -> bytes:
        """Call ``run`` with a builder that holds the definition and the parent, and with c2pa's signer."""
        return undisturbed(lambda: self._with_builder_here(kind, run))

    def _with_builder_here(self, kind: str, run: Callable[[Any, Any], bytes]) -> bytes:
        c2pa = library.load()

        native = self.signer.native(kind)
        self.signer.take_error()
        with gate("sign the file", lambda why: SigningError(f"c2pa could not sign: {why}")):
            try:
                said = definition(self.claim, edit=self.parent is not None)
                with c2pa.Builder.from_json(said, context=_context.for_signing()) as builder:
                    if self.parent is not None:
                        source, media_type = self.parent
                        ingredient = {"title": "parent", "relationship": "parentOf", "label": "parent"}
                        held = Watched(source if hasattr(source, "read") else io.BytesIO(source))
                        if self.parent_store is not None:
                            ingredient |= _judged_beside(held, media_type, self.parent_store)
                            builder.add_resource(_PARENT_STORE, io.BytesIO(self.parent_store))
                        builder.add_ingredient(json.dumps(ingredient), media_type, held)
                    return run(builder, native)
            except c2pa.C2paError as error:
                ours = self.signer.take_error()
                if ours is not None:
                    raise ours  # noqa: B904  # it has its own cause: what the callback raised
                raise self._explain(error) from None

    def _seal(self, result: bytes, store: bytes) -> tuple[bytes, bytes] | None:
        """Replace the stand-in's signature; ``None`` where the store is not in one piece (GIF, long JPEG)."""
        from labeling.marks.credentials import _jumbf

        try:
            manifest = _jumbf.parse(store)
            start, end = manifest.signature(self.signer.signature_size)
            message = manifest.to_be_signed()
        except ValueError:
            return None
        at = result.find(store)
        if at < 0:
            return None
        store = store[:start] + self.signer.call(message) + store[end:]
        tail = result[at + len(store) :]
        if result.startswith(_PNG):
            # The chunk's CRC follows its data, and covers its type too (PNG, third edition, 5.3; C2PA 2.2, A.3.2).
            tail = zlib.crc32(store, zlib.crc32(b"caBX")).to_bytes(4, "big") + tail[4:]
        return b"".join((result[:at], store, tail)), store

    def _explain(self, error: Exception) -> LabelingError:
        if (short := shortage(error, "sign the file")) is not None:
            return short
        text = without_secrets(" ".join(str(error).split()))[:200]
        lower = text.lower()
        if "could not be parsed" in lower or "invalidasset" in lower.replace(" ", ""):
            return UnreadableFile(
                f"the file cannot be signed because it cannot be parsed ({text})", hint="re-save it first"
            )
        if self.signer.tsa_url and any(word in lower for word in ("time", "tsa", "http", "network", "resolver")):
            return SigningError(
                f"the time-stamp service {without_secrets(self.signer.tsa_url)} did not give a time stamp ({text})",
                hint="try again, or sign without one",
            )
        return SigningError(f"c2pa could not sign: {text}")


def _judged_beside(source: Watched, media_type: str, store: bytes) -> dict[str, Any]:
    """Return what an ingredient says of its manifest if that is in a file beside it.

    c2pa judges by itself only what is in the file: its reader's results are handed on.
    """
    c2pa = library.load()

    try:
        with c2pa.Reader(media_type, source, store, context=_context.for_signing()) as reader:
            judged = json.loads(reader.json())
        active, results = judged["active_manifest"], judged["validation_results"]
    except (c2pa.C2paError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())[:200]
        raise SigningError(
            f"the C2PA manifest beside the file cannot be read ({why})",
            hint="move it away if it does not belong to this file",
        ) from None
    source.seek(0)
    data = {"format": "application/c2pa", "identifier": _PARENT_STORE}
    return {"manifest_data": data, "active_manifest": active, "validation_results": results}


def _known(media_type: str) -> str:
    """Return the media type of a parent as c2pa takes it: of a format that it cannot open, it only keeps a hash."""
    c2pa = library.load()

    media_type = _SAME_AS.get(media_type, media_type)
    return media_type if media_type in c2pa.Builder.get_supported_mime_types() else "application/octet-stream"


def _supported(media_type: str) -> str:
    c2pa = library.load()

    media_type = _SAME_AS.get(media_type, media_type)
    if media_type not in c2pa.Builder.get_supported_mime_types():
        raise UnsupportedFormat(
            f"{media_type} has no place for a C2PA manifest", hint="convert to PNG or JPEG, or do not sign"
        )
    return media_type
