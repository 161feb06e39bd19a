"""The picture pipeline: pixels or a file's bytes in, a labelled file's bytes out.

The order is fixed (spec 5): visible mark, then metadata, then the C2PA signature, last. Nothing is reported that was
not read back from the bytes that go out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labeling import containers
from labeling.codecs import MAX_PIXELS
from labeling.containers import Block, Buffer, Changes, Contents, Kind, Media
from labeling.errors import LabelConflict, LabelingError, SigningError, UnreadableFile, WriteError
from labeling.findings import Finding, Status
from labeling.label import Label
from labeling.marks import aigc, exif, iptc, xmp
from labeling.rules import Profile
from labeling.verification import metadata
from labeling.verification.report import Report
from labeling.verification.verifier import conclude, credentials_of

if TYPE_CHECKING:
    from labeling.codecs import Painted
    from labeling.marks.credentials import Signer
    from labeling.marks.visible import LabelPainter


@dataclass(frozen=True, slots=True)
class Options:
    """How to label, apart from what the label says.

    ``painter`` draws the visible mark (``None``: none is drawn). ``signer`` signs with C2PA. ``source_type`` is
    the term of the IPTC vocabulary. ``quality`` is for lossy encodes (``None``: the codec's stated default).
    ``sidecar``: where a film has no place for a manifest, it is written beside it.
    """

    profile: Profile
    painter: LabelPainter | None = None
    signer: Signer | None = None
    source_type: str = iptc.TRAINED
    exif: bool = False
    description: str = ""
    quality: int | None = None
    lossless: bool = False
    max_pixels: int = MAX_PIXELS
    sidecar: bool = False


class LabeledImage:
    """A labelled picture: its file as ``data``, its ``label``, ``how`` it was made in sentences, and the ``report``.

    ``data`` is what to store or send. ``bytes(image)`` gives it too.
    """

    def __init__(
        self,
        data: bytes,
        label: Label,
        options: Options,
        contents: Contents,
        found: metadata.Found | None = None,
        *,
        name: str,
        visible: Finding | None,
        how: Sequence[str],
    ) -> None:
        self.data = data
        self.label = label
        self.how = tuple(how)
        self._options = options
        self._contents = contents
        self._scanned = found
        self.name = name
        self._visible = visible

    def __bytes__(self) -> bytes:
        return self.data

    def __repr__(self) -> str:
        return f"<LabeledImage {self.media_type}, {len(self.data)} bytes, {self.label.content_id}>"

    @property
    def media_type(self) -> str:
        """The media type of ``data``, by its content."""
        return self._contents.media_type

    @cached_property
    def report(self) -> Report:
        """The verifier's report on ``data``; the visible mark in it is as measured when it was drawn."""
        found = self._scanned or metadata.scan(self._contents)
        findings = [*metadata.findings(self._contents, found), credentials_of(self.data, self._contents, found, None)]
        if self._visible is not None:
            findings.append(self._visible)
        return conclude(self.name, self._contents, findings, [self._options.profile], visible=self._visible is not None)


def label_pixels(image: Any, format: str, label: Label, options: Options, *, name: str = "<image>") -> LabeledImage:
    """Label pixels that were never a file: a PIL image, or an ndarray (H, W, 3) RGB or (H, W, 4) RGBA of uint8.

    One encode. Raises :class:`LabelConflict` if the PIL image came from a file with another provider's label.
    """
    from labeling import codecs

    packet = _packet_of_image(image, label.producer)
    # These coders put a packet where it belongs by themselves, which saves taking the file apart once more.
    carried = format.lower() in _CARRY_XMP and not options.exif
    values = {aigc.XMP_NAME: aigc.encode(label), **iptc.encode(label, options.source_type)}
    painted = codecs.encode(
        image,
        format,
        options.painter,
        quality=options.quality,
        lossless=options.lossless,
        max_pixels=options.max_pixels,
        xmp=(carried_packet := xmp.update(packet, values) if carried else None),
    )
    data = painted.data
    if not carried:
        data = b"".join(_with_metadata(data, containers.read(data), metadata.Found(), label, options, packet))
    media_type = containers.format_named(format).media_types[0]
    data = _signed(data, media_type, label, options)
    contents = containers.read(data)
    if not _holds_only(contents, carried_packet):
        check_label(metadata.scan(contents), label)
    how = [painted.how] if painted.how else []
    return LabeledImage(data, label, options, contents, name=name, visible=_visible_mark(painted, options), how=how)


_CARRY_XMP = ("jpeg", "jpg", "png", "webp")


def label_bytes(data: bytes, name: str, make: Callable[[Label | None], Label], options: Options) -> LabeledImage:
    """Label a picture file: its format stays, and so does everything in it that is not ours.

    ``make`` gets our own label that the file already carries, or ``None``, and gives the label to write. Raises
    :class:`LabelConflict` on another provider's label, :class:`SigningError` where a manifest would break.
    """
    contents, found = open_file(data, name)
    label = agreed_label(found, make, name)
    require_signer(found, options.signer, name)
    if options.painter is None:
        return write(data, name, contents, found, label, options)
    visible = _already_visible(data, contents, found, options) if found.aigc else None
    if visible is not None:
        how = ["the visible label is there already"]
        return write(data, name, contents, found, label, options, visible=visible, how=how)
    painted = _paint(data, name, contents, found, options)
    visible = _visible_mark(painted, options)
    repainted = containers.read(painted.data)
    found = metadata.scan(repainted)
    return write(painted.data, name, repainted, found, label, options, visible=visible, how=[painted.how], source=data)


def agreed_label(found: metadata.Found, make: Callable[[Label | None], Label], name: str) -> Label:
    """The label to write, made from our own that is there, if any. Raises :class:`LabelConflict` on another's."""
    own = own_label(found, name)
    label = make(own)
    if own is not None and own.producer != label.producer:
        raise LabelConflict(
            f"{name}: already labelled by {own.producer}; labels of others must stay (Labelling Measures Art. 10): "
            "propagate adds your half instead"
        )
    return label


def open_file(data: Media, name: str) -> tuple[Contents, metadata.Found]:
    """Read a file that is to be rewritten. Raises :class:`LabelingError` where that could not be done without loss."""
    contents = containers.read(data)
    if contents.problems:
        raise UnreadableFile(f"{name}: the file is damaged ({contents.problems[0]}); nothing was written")
    if contents.fixed:
        raise LabelingError(f"{name}: {contents.fixed}")
    found = metadata.scan(contents)
    if found.broken:
        raise UnreadableFile(f"{name}: {found.broken[0].defects[0].message}; nothing was written")
    return contents, found


def require_signer(found: metadata.Found, signer: Signer | None, name: str) -> None:
    """Raise :class:`SigningError` if the file carries a manifest that a change without a signer would break."""
    if found.c2pa and signer is None:
        raise SigningError(
            f"{name}: carries C2PA content credentials, which labelling would break; give a signer "
            "(--signer-cert, --signer-key) and they are kept as the parent ingredient"
        )


def write(
    data: bytes,
    name: str,
    contents: Contents,
    found: metadata.Found,
    label: Label,
    options: Options,
    *,
    values: dict[xmp.Name, str | None] | None = None,
    visible: Finding | None = None,
    how: Sequence[str] = (),
    source: bytes | None = None,
    parent: tuple[bytes, str] | None = None,
) -> LabeledImage:
    """Put the label's metadata into an opened file, sign it, and read it all back.

    ``values`` are the XMP properties beside the AIGC field (default: IPTC's). ``source`` is the file as it came, if its
    pixels were painted on since. ``parent`` is the file (and its media type) to name as the parent ingredient, if not
    the source itself.
    """
    packet = found.packet.data if found.packet else None
    result = b"".join(_with_metadata(data, contents, found, label, options, packet, values))
    after, seen = _read_back(result, label, source_type=values is None)
    if source is None:
        _check_untouched(data, contents, result, after, name)
    if options.signer is not None:
        if parent is None and found.c2pa:
            parent = source or data, contents.media_type
        painted = source is not None
        unsigned = after
        result = _signed(result, contents.media_type, label, options, parent=parent, painted=painted)
        after, seen = _read_back(result, label, source_type=values is None)
        _check_kept(unsigned, after, name)
    return LabeledImage(result, label, options, after, seen, name=name, visible=visible, how=how)


def own_label(found: metadata.Found, name: str) -> Label | None:
    """The label that the file carries; several are fine as long as they are of one producer: they become one."""
    labels = [aigc.label_of(finding) for finding in found.aigc]
    if any(label is None for label in labels):
        raise LabelConflict(
            f"{name}: carries an AIGC label that names no producer, at {found.aigc[labels.index(None)].where}; "
            "labels of others must stay (Labelling Measures Art. 10)"
        )
    producers = {label.producer for label in labels if label is not None}
    if len(producers) > 1:
        raise LabelConflict(f"{name}: carries labels of several producers ({', '.join(sorted(producers))})")
    return labels[0] if labels else None


def _paint(data: bytes, name: str, contents: Contents, found: metadata.Found, options: Options) -> Painted:
    from labeling import codecs

    assert options.painter is not None
    try:
        return codecs.paint_file(
            data,
            contents.format,
            options.painter,
            orientation=found.orientation,
            quality=options.quality,
            max_pixels=options.max_pixels,
        )
    except LabelingError as error:
        raise type(error)(f"{name}: {error}") from error


def _already_visible(data: bytes, contents: Contents, found: metadata.Found, options: Options) -> Finding | None:
    """A file that carries our metadata may have been drawn on already: a second label over the first helps nobody."""
    from labeling.verification.verifier import visible_of

    finding = visible_of(data, contents, found.orientation, [options.profile], options.max_pixels)
    return finding if finding.status is Status.PRESENT else None


def _visible_mark(painted: Painted, options: Options) -> Finding | None:
    if options.painter is None:
        return None
    return options.painter.finding(painted.box, painted.width, painted.height)


def _with_metadata(
    data: bytes,
    contents: Contents,
    found: metadata.Found,
    label: Label,
    options: Options,
    packet: bytes | None,
    values: dict[xmp.Name, str | None] | None = None,
) -> list[Buffer]:
    """One AIGC carrier, in the format's proper place; every other carrier of the same label goes (6.1 c)."""
    if values is None:  # a more precise AI term of the file's own stays
        is_said = any(finding.value.get("ai") for finding in found.iptc)
        values = {} if is_said else iptc.encode(label, options.source_type)
    values = {aigc.XMP_NAME: aigc.encode(label), **values}
    drop, new_exif = _stale_carriers(found)
    if options.exif:
        existing = next((block.data for block in contents.blocks if block.kind is Kind.EXIF), None)
        new_exif = exif.encode(new_exif or existing, label, description=options.description)
    drop += found.c2pa  # the new manifest holds the old one as its parent ingredient
    return containers.rewrite(data, contents, Changes(xmp.update(packet, values), new_exif, tuple(drop)))


def _stale_carriers(found: metadata.Found) -> tuple[list[Block], bytes | None]:
    drop: list[Block] = []
    new_exif = None
    for block in found.carriers:
        if block.kind is Kind.EXIF:
            new_exif = exif.blank_comment(block.data)
        elif block.kind is Kind.XMP and block is not found.packet:
            raise LabelConflict(
                f"a second XMP packet ({block.where}) carries a label; re-save the file with one packet"
            )
        elif block.kind is not Kind.XMP and block not in drop:
            drop.append(block)
    return drop, new_exif


def _signed(
    data: bytes,
    media_type: str,
    label: Label,
    options: Options,
    *,
    parent: tuple[bytes, str] | None = None,
    painted: bool = True,
) -> bytes:
    if options.signer is None:
        return data
    from labeling.marks import credentials

    claim = credentials.Claim.of(label, iptc.VOCABULARY + options.source_type, pixels_changed=painted)
    before, its_type = parent or (None, None)
    return credentials.sign(data, media_type, options.signer, claim, parent=before, parent_media_type=its_type)


def _packet_of_image(image: Any, producer: str) -> bytes | None:
    """The XMP packet that a PIL image brought along from its file, if it can be kept."""
    info = getattr(image, "info", None)
    if not info:
        return None
    from labeling.verification.verifier import contents_of_image

    found = metadata.scan(contents_of_image(image))
    own = own_label(found, "the image")
    if own is not None and own.producer != producer:
        raise LabelConflict(f"the image comes from a file labelled by {own.producer}; labels of others must stay")
    return found.packet.data if found.packet is not None and not found.broken else None


_WITHOUT_LABELS = (Kind.ICC, Kind.C2PA, Kind.IPTC)


def _holds_only(contents: Contents, packet: bytes | None) -> bool:
    """True if ``packet``, made a moment ago, is there to the byte and nothing else could hold a label."""
    rest = [b for b in contents.blocks if b.kind not in _WITHOUT_LABELS and b.keyword != "JFIF"]
    return packet is not None and len(rest) == 1 and rest[0].data == packet and not contents.problems


def _read_back(data: bytes, label: Label, *, source_type: bool = True) -> tuple[Contents, metadata.Found]:
    """Read what goes out, once for all who ask."""
    contents = containers.read(data)
    found = metadata.scan(contents)
    check_label(found, label, source_type=source_type)
    return contents, found


def check_label(found: metadata.Found, label: Label, *, source_type: bool = True) -> None:
    """Exactly one AIGC field, in order, and saying what it should."""
    fields = [finding.value for finding in found.aigc]
    wanted = aigc.encode(label)
    if len(fields) != 1 or aigc.dump(fields[0]) != wanted:
        raise WriteError("the label did not read back as it was written; nothing was stored, please report this file")
    if source_type and not any(finding.value.get("ai") for finding in found.iptc):
        raise WriteError("the IPTC source type did not read back; nothing was stored, please report this file")


def _check_untouched(source: bytes, before: Contents, result: bytes, after: Contents, name: str) -> None:
    """A change of metadata leaves the coded picture byte-identical (design, invariant 2)."""
    same = len(before.coded) == len(after.coded) and all(
        n == m and _equal(source, a, result, b, n) for (a, n), (b, m) in zip(before.coded, after.coded, strict=True)
    )
    if not same:
        raise WriteError(f"{name}: the coded picture would have changed; nothing was stored, please report this file")


def _check_kept(before: Contents, after: Contents, name: str) -> None:
    """Signing inserts a box or segment: everything that is found by its offset must still be found."""
    held, still = ([(b.kind, b.data) for b in c.blocks if b.kind is not Kind.C2PA] for c in (before, after))
    if held != still or after.problems:
        raise WriteError(f"{name}: signing would damage other metadata of this file; label it without a signer")


_STEP = 64 << 10


def _equal(one: bytes, at: int, other: bytes, place: int, length: int) -> bool:
    """Compare two spans. By small slices of bytes: comparing memoryviews goes element by element, far slower."""
    return all(
        one[at + done : at + min(done + _STEP, length)] == other[place + done : place + min(done + _STEP, length)]
        for done in range(0, length, _STEP)
    )
