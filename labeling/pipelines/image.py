"""The picture pipeline: pixels or a file's bytes in, a labelled file's bytes out.

The order is fixed (spec 5): visible mark, then metadata, then the C2PA signature, last. Nothing is reported that was
not read back from the bytes that go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from labeling import containers
from labeling.containers import Block, Buffer, Changes, Contents, Kind
from labeling.errors import LabelConflict, MissingDependency
from labeling.filebytes import SMALL, Pieces
from labeling.findings import Finding, Status
from labeling.inert import inert
from labeling.label import Label
from labeling.marks import aigc, exif, iptc, xmp, xmp_edit
from labeling.pipelines import thumbnails
from labeling.pipelines.labeled_image import LabeledImage
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.read_back import (
    check_label,
    check_metadata_kept,
    check_picture_untouched,
    is_source_and,
    read_encoded,
)
from labeling.pipelines.source import (
    OTHERS_MUST_STAY,
    LabelFor,
    agreed_label,
    check_signable,
    own_label,
    parent_as_signed,
    read_mended,
    require_signer,
    said_of_parent,
)
from labeling.preservation import ASKED, Loss, State, find_losses, refuse
from labeling.verification import metadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from labeling.codecs import Painted


def label_pixels(
    image: Image.Image | NDArray[np.uint8],
    format: str,
    label: Label,
    options: LabelingOptions,
    *,
    name: str = "<image>",
) -> LabeledImage:
    """Label pixels that were never a file, with one encode.

    Args:
        image: A PIL image, or an ndarray of uint8: (H, W, 3) RGB or (H, W, 4) RGBA.
        format: Name of the format to encode.
        label: What to write.
        options: How to write it.
        name: How the report names the picture.

    Raises:
        LabelConflict: The PIL image came from a file with another provider's label.
    """
    from labeling import codecs

    packet, said = _packet_of_image(image, label.producer)
    # These encoders put a packet where it belongs by themselves, which saves taking the file apart again.
    encoding = containers.formats.encoding_named(format)
    embedded = encoding.keeps_xmp and not options.exif
    properties = iptc.encode(label, options.source_type)
    stays: tuple[str, ...] = ()
    if not said.aigc:
        properties, stays = iptc.beside_others(properties, xmp.parse(packet) if packet else None, dated=said.dated)
    values = {aigc.XMP_NAME: aigc.encode(label), **properties}
    painted = codecs.encode(
        image,
        format,
        options.painter,
        quality=options.quality,
        lossless=options.lossless,
        fast=options.fast,
        max_pixels=options.max_pixels,
        xmp=(embedded_packet := xmp_edit.update(packet, values) if embedded else None),
    )
    data = painted.data
    if not embedded:
        blank = metadata.Found()
        data = b"".join(_with_metadata(data, containers.read(data), blank, label, options, packet, properties)[0])
    encoded = None if options.signer is None else data
    data = _signed(data, encoding.media_type, label, options)
    contents, found = read_encoded(data, encoding, embedded_packet, label, encoded)
    visible, said_of_dots = _visible_mark(painted, options, data, contents, found.orientation if found else 1)
    how = [*([painted.how] if painted.how else []), *said_of_dots, *stays]
    return LabeledImage(
        data, label, options, contents, found, media_type=encoding.media_type, name=name, visible=visible, how=how
    )


def label_bytes(data: bytes, name: str, label_for: LabelFor, options: LabelingOptions) -> LabeledImage:
    """Label a picture file: its format stays, and so does everything in it that is not ours.

    Args:
        data: The file's bytes.
        name: How the report names the picture.
        label_for: Makes the label to write; gets our own label that the file carries already, or ``None``.
        options: How to write it.

    Raises:
        LabelConflict: The file carries another provider's label.
        SigningError: It carries a C2PA manifest, and there is no signer.
    """
    came = data
    data, contents, found, mended = read_mended(data, options.max_pixels)
    label = agreed_label(found, label_for)
    require_signer(found, options.signer)
    check_signable(data, contents, options.signer)
    parent = parent_as_signed(came, data, found, contents.media_type) if mended else None
    if options.painter is None:
        return write(data, name, contents, found, label, options, how=mended, parent=parent)
    visible = _already_visible(data, contents, found, options) if found.aigc else None
    if visible is not None:
        how = [*mended, "the visible label is there already"]
        return write(data, name, contents, found, label, options, visible=visible, how=how, parent=parent)
    painted = _paint(data, contents, found, options)
    visible, said_of_dots = _visible_mark(painted, options, painted.file, contents, found.orientation)
    painted, repainted = thumbnails.with_photoshop(
        painted, containers.read(painted.file), found.orientation, options.max_pixels
    )
    source = State(data, contents, found)
    found = metadata.scan(repainted)
    return write(
        painted.file, name, repainted, found, label, options, visible=visible,
        how=[*mended, painted.how, *said_of_dots], source=source, painted=painted, parent=parent,
    )  # fmt: skip


def write(
    data: bytes | Pieces,
    name: str,
    contents: Contents,
    found: metadata.Found,
    label: Label,
    options: LabelingOptions,
    *,
    values: dict[xmp.Name, str | None] | None = None,
    visible: Finding | None = None,
    how: Sequence[str] = (),
    lost: tuple[Loss, ...] = (),
    source: State | None = None,
    painted: Painted | None = None,
    parent: tuple[bytes, str] | None = None,
) -> LabeledImage:
    """Put the label's metadata into an opened file, sign it, and read it all back.

    Args:
        data: The file, with the visible label on it if it is to have one.
        name: How the report names the picture.
        contents: What :func:`labeling.containers.read` found in ``data``.
        found: What :func:`labeling.verification.metadata.scan` found in ``contents``.
        label: What to write.
        options: How to write it.
        values: The XMP properties beside the AIGC field (default: IPTC's).
        visible: The finding on the visible label.
        how: Sentences on what was done so far.
        lost: What has been lost so far.
        source: The file as it came, if its pixels were painted on since.
        painted: What the codec then said.
        parent: The file and its media type to name as the parent ingredient, if it is not the source itself, which is
            it where it has a manifest.

    Raises:
        WriteError: The result did not read back as it should.
        SigningError: The signature could not be made.
        WouldLose: Something would be lost, and the options are strict.
    """
    before = source or State(data, contents, found)
    packet = found.packet.data if found.packet else None
    source_type = values is None and not options.change
    if values is None:
        values, stays = metadata.said_by_label(label, "" if options.change else options.source_type, found)
        how = [*how, *stays]
    pieces, written = _with_metadata(data, contents, found, label, options, packet, values, painted)
    in_pieces = containers.format_named(contents.format).in_pieces and sum(map(len, pieces)) > SMALL
    result = Pieces(pieces) if in_pieces else b"".join(pieces)
    after = containers.read(result)
    seen: metadata.Found | None = None
    if packet is not None or not is_source_and(contents, found, after, written):
        seen = metadata.scan(after)
        check_label(seen, label, source_type=source_type)
    if painted is not None:
        how = [*how, *thumbnails.words_on_exif(contents, after)]
    if source is None:
        check_picture_untouched(data, contents, result, after)
    if options.signer is not None:
        result = bytes(result)
        check_signable(result, after, options.signer)
        # Of the source: painting may have left a file without its manifest.
        if parent is None and (options.change or before.found.c2pa or before.found.referenced):
            assert isinstance(before.data, bytes)
            parent = before.data, before.contents.media_type
            how = [*how, *said_of_parent(before.found)]
        unsigned = after
        result = _signed(result, contents.media_type, label, options, parent=parent, painted=source is not None)
        after, seen = containers.read(result), None
        check_metadata_kept(unsigned, after)  # what was found in the unsigned copy holds for this one
    meant = (ASKED if options.exif else frozenset()) | (painted.meant if painted else frozenset())
    lost += find_losses(
        before, State(result, after, seen or metadata.Found()),  # of a copy, its blocks count
        why="the rewritten file does not hold it" if source is None else "the re-encoded file does not hold it",
        reasons=painted.reasons if painted else None, meant=meant,
    )  # fmt: skip
    lost += painted.lost if painted else ()
    if options.strict:
        refuse(lost)
    return LabeledImage(
        result, label, options, after, seen,
        media_type=after.media_type, name=name, visible=visible, how=how, lost=lost,
    )  # fmt: skip


def _paint(data: bytes, contents: Contents, found: metadata.Found, options: LabelingOptions) -> Painted:
    from labeling import codecs

    assert options.painter is not None
    return codecs.paint_file(
        data,
        contents.format,
        options.painter,
        orientation=found.orientation,
        quality=options.quality,
        fast=options.fast,
        max_pixels=options.max_pixels,
    )


def _already_visible(
    data: bytes, contents: Contents, found: metadata.Found, options: LabelingOptions
) -> Finding | None:
    """Find a visible label that is there: a file with our metadata may have been drawn on, and one label is enough."""
    from labeling.verification.visible import visible_of

    finding = visible_of(data, contents, found.orientation, [options.profile], options.max_pixels)
    return finding if finding.status is Status.PRESENT else None


_NOT_READ = (
    "on this dithered picture the label is drawn but not found by OCR: label the picture before it is reduced to dots, "
    "or give a larger `height_ratio`"
)


def _visible_mark(
    painted: Painted, options: LabelingOptions, data: bytes | Pieces, contents: Contents | None, orientation: int
) -> tuple[Finding | None, tuple[str, ...]]:
    """Return the finding on what was painted, and what is to be said of it.

    On dithered pictures, in which OCR may miss a label, it is as the verifier finds it.
    """
    if options.painter is None:
        return None, ()
    drawn = options.painter.finding(painted.box, painted.width, painted.height)
    on_dots = options.painter.was_on_dots()
    if not on_dots and not painted.dithered:
        return drawn, ()
    with suppress(MissingDependency):
        from labeling.verification.visible import visible_of

        contents = contents or containers.read(data)
        read = visible_of(bytes(data), contents, orientation, [options.profile], options.max_pixels)
        if read.status is not Status.PRESENT:
            return read, (_NOT_READ,) if read.status is Status.ABSENT else ()
    return drawn, ()


def _with_metadata(
    data: bytes | Pieces,
    contents: Contents,
    found: metadata.Found,
    label: Label,
    options: LabelingOptions,
    packet: bytes | None,
    values: dict[xmp.Name, str | None],
    painted: Painted | None = None,
) -> tuple[list[Buffer], bytes]:
    """Return a copy with one AIGC carrier, in the format's proper place, and its packet; other carriers go (6.1 c)."""
    values = {aigc.XMP_NAME: aigc.encode(label), **values}
    drop, new_exif = _stale_carriers(found)
    if options.exif:
        existing = next((block.data for block in contents.blocks if block.kind is Kind.EXIF), None)
        new_exif = exif.encode(new_exif or existing, label, description=options.description)
    if painted is not None:
        new_exif = thumbnails.with_exif(new_exif, painted, contents, found.orientation, options.max_pixels)
    drop += found.c2pa  # the new manifest holds the old one as its parent ingredient
    written = xmp_edit.update(packet, values)
    return containers.rewrite(data, contents, Changes(written, new_exif, tuple(drop))), written


def _stale_carriers(found: metadata.Found) -> tuple[list[Block], bytes | None]:
    drop: list[Block] = []
    new_exif = None
    for block in found.carriers:
        if block.kind is Kind.EXIF:
            new_exif = exif.without_label(block.data)
        elif block.kind is Kind.XMP and block is not found.packet:
            message = f"a second XMP packet ({block.where}) carries a label"
            raise LabelConflict(message, hint="re-save the file with one packet")
        elif block.kind is not Kind.XMP and block not in drop:
            drop.append(block)
    return drop, new_exif


def _signed(
    data: bytes,
    media_type: str,
    label: Label,
    options: LabelingOptions,
    *,
    parent: tuple[bytes, str] | None = None,
    painted: bool = True,
) -> bytes:
    if options.signer is None:
        return data
    from labeling.marks import credentials

    said = {"change": options.change} if options.change else {}
    claim = credentials.Claim.of(label, iptc.VOCABULARY + options.source_type, pixels_changed=painted, **said)
    before, its_type = parent or (None, None)
    return credentials.sign(
        data, media_type, options.signer, claim, parent=before, parent_media_type=its_type,
        room=containers.room_for(data),
    )  # fmt: skip


def _packet_of_image(image: Image.Image | NDArray[np.uint8], producer: str) -> tuple[bytes | None, metadata.Found]:
    """Return the XMP packet that a PIL image brought along from its file, if it can be kept, and what else it says."""
    info = getattr(image, "info", None)
    if not info:
        return None, metadata.Found()
    from labeling.verification.verifier import contents_of_image

    found = metadata.scan(contents_of_image(image))
    own = own_label(found)
    if own is not None and own.producer != producer:
        raise LabelConflict(f"the image comes from a file labelled by {inert(own.author)}", hint=OTHERS_MUST_STAY)
    return (found.packet.data if found.packet is not None and not found.broken else None), found
