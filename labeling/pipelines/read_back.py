"""Reading back what was made, before anything is stored or reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeling import containers
from labeling.containers import Contents, Kind, Media
from labeling.errors import WriteError
from labeling.filebytes import Pieces
from labeling.label import Label, Origin
from labeling.marks import aigc
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.containers.format_row import PictureEncoding

REPORT = "nothing was stored, please report this file"

_STEP = 64 << 10
_SAMPLES, _SAMPLE_STEP = 16, 16 << 10


_SAID_OF_LABELS = (Kind.XMP, Kind.C2PA)


def is_source_and(before: Contents, found: metadata.Found, after: Contents, packet: bytes) -> bool:
    """Return whether a new file's metadata are those of its source, which has no label, and one packet.

    Each block is compared, byte for byte. What was found in the source's then holds for the new file, and nothing is in
    it that might be a second label: it need not be searched again.

    Args:
        before: What the source holds.
        found: What :func:`labeling.verification.metadata.scan` found in it.
        after: What was read from the new file.
        packet: The XMP packet that was written to it, of which nothing but a label is a part.
    """
    if found.aigc or found.iptc or found.broken or found.faults or after.problems or after.unread:
        return False
    if any(block.kind in _SAID_OF_LABELS for block in before.blocks) or len(after.blocks) != len(before.blocks) + 1:
        return False
    packets = [block for block in after.blocks if block.kind is Kind.XMP]
    if len(packets) != 1 or packets[0].data != packet or metadata.is_extension(packets[0]) or packets[0].problem:
        return False
    rest = [block for block in after.blocks if block is not packets[0]]
    return all(
        (old.kind, old.where, old.keyword, old.problem) == (new.kind, new.where, new.keyword, new.problem)
        and old.data == new.data
        for old, new in zip(before.blocks, rest, strict=True)
    )


def check_label(found: metadata.Found, label: Label, *, source_type: bool = True) -> None:
    """Check that there is exactly one AIGC field, its keys in order, with the label's content.

    Args:
        found: What was read from the new file.
        label: What was written to it.
        source_type: Whether an IPTC source type that means AI has to be there as well, if the label is sure of it.

    Raises:
        WriteError: One of these does not hold.
    """
    fields = [finding.value for finding in found.aigc]
    if len(fields) != 1 or aigc.dump(fields[0]) != aigc.encode(label):
        raise WriteError("the label did not read back as it was written", hint=REPORT)
    sure = label.origin == Origin.GENERATED
    if source_type and sure and not any(finding.value.get("ai") for finding in found.iptc):
        raise WriteError("the IPTC source type did not read back", hint=REPORT)


def check_picture_untouched(source: bytes | Pieces, before: Contents, result: bytes | Pieces, after: Contents) -> None:
    """Check that a change of metadata left the coded picture byte-identical (design, invariant 2)."""
    same = len(before.coded) == len(after.coded) and all(
        n == m and _equal(source, a, result, b, n) for (a, n), (b, m) in zip(before.coded, after.coded, strict=True)
    )
    if not same:
        raise WriteError("the coded picture would have changed", hint=REPORT)


def check_media_untouched(source: Media, before: Contents, result: Media, after: Contents) -> None:
    """Check that the coded media is where the new file says, by samples: the kernel copied it in one piece."""
    same = len(before.coded) == len(after.coded)
    for (a, length), (b, other) in zip(before.coded, after.coded, strict=False):
        same = same and length == other
        last = max(0, length - _SAMPLE_STEP)
        for part in range(_SAMPLES if same else 0):
            at = last * part // (_SAMPLES - 1)
            size = min(_SAMPLE_STEP, length - at)
            same = same and source[a + at : a + at + size] == result[b + at : b + at + size]
    if not same:
        raise WriteError("the coded media would have changed", hint=REPORT)


def check_metadata_kept(before: Contents, after: Contents) -> None:
    """Check that signing, which inserts a box or segment, left everything that is found by its offset in place."""
    held, still = (
        [(b.kind, containers.without_offsets(b)) for b in c.blocks if b.kind is not Kind.C2PA] for c in (before, after)
    )
    broken = set(after.notes) - set(before.notes) or after.frames != before.frames
    if held != still or after.problems or broken:
        raise WriteError("signing would damage other metadata of this file", hint="label it without a signer")


def _equal(one: bytes | Pieces, at: int, other: bytes | Pieces, place: int, length: int) -> bool:
    """Compare two ranges without copies of them; in pieces, by small slices of bytes.

    Comparing memoryviews goes element by element, which is far slower.
    """
    if isinstance(one, bytes) and isinstance(other, bytes):
        return len(one) >= at + length and other.startswith(memoryview(one)[at : at + length], place)
    return all(
        one[at + done : at + min(done + _STEP, length)] == other[place + done : place + min(done + _STEP, length)]
        for done in range(0, length, _STEP)
    )


_WITHOUT_LABELS = (Kind.ICC, Kind.C2PA, Kind.IPTC)


def read_encoded(
    data: bytes, encoding: PictureEncoding, packet: bytes | None, label: Label, encoded: bytes | None
) -> tuple[Contents | None, metadata.Found | None]:
    """Read back a picture that was encoded a moment ago: where it holds our packet alone, the bytes are proof enough.

    Args:
        data: The file.
        encoding: What the table of formats says about encoding it.
        packet: The packet that the encoder wrote; ``None`` if none was given to it.
        label: What the file should say.
        encoded: What the encoder returned, if the file was signed since.

    Returns:
        What was read, as far as that was necessary.
    """
    if packet is not None and containers.holds_only(data, packet, encoding, encoded):
        return None, None
    contents = containers.read(data)
    rest = [b for b in contents.blocks if b.kind not in _WITHOUT_LABELS and b.keyword != "JFIF"]
    if packet is not None and len(rest) == 1 and rest[0].data == packet and not contents.problems:
        return contents, None
    found = metadata.scan(contents)
    check_label(found, label)
    return contents, found
