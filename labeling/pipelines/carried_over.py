"""What a converted picture takes over from its source: the label, the XMP packet, and the manifest as the parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.containers.format_row import PictureEncoding, resolve
from labeling.errors import LabelConflict, WriteError
from labeling.label import Origin
from labeling.marks import aigc, iim, iptc, xmp, xmp_edit
from labeling.pipelines.converted_name import still_type
from labeling.pipelines.read_back import REPORT
from labeling.preservation import State
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.codecs.converted import Converted
    from labeling.marks.credentials import Claim, Signer

_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_ORIENTATION = xmp.Name(_TIFF, "Orientation", "tiff")
_WIDTHS = (xmp.Name(_TIFF, "ImageWidth", "tiff"), xmp.Name(_EXIF, "PixelXDimension", "exif"))
_HEIGHTS = (xmp.Name(_TIFF, "ImageLength", "tiff"), xmp.Name(_EXIF, "PixelYDimension", "exif"))
_HAS_EXTENDED = xmp.Name("http://ns.adobe.com/xmp/note/", "HasExtendedXMP", "xmpNote")


def carried_label(found: metadata.Found) -> str:
    """Return the label that has to be put into the new file's packet; "" if there is none, or it is in the packet.

    Raises:
        LabelConflict: It cannot be carried over as it is.
    """
    if not found.aigc or any(block is found.packet for block in found.carriers):
        if any(block is not found.packet for block in found.carriers):
            _one(found)
        return ""
    return _one(found)


def _one(found: metadata.Found) -> str:
    texts = {aigc.dump(finding.value) for finding in found.aigc}
    if len(texts) > 1:
        raise LabelConflict("carries several labels that differ", hint="which one holds must be settled first")
    (text,) = texts
    if not found.aigc[0].value:
        raise LabelConflict(f"carries a label that cannot be read, at {found.aigc[0].where}")
    return text


def with_packet(data: bytes, found: metadata.Found, picture: Converted, label: str) -> bytes:
    """Put the source's XMP packet into the new file, with the label in it and the picture's new size."""
    source = found.packet.data if found.packet is not None else None
    values: dict[xmp.Name, str | None] = {aigc.XMP_NAME: label} if label else {}
    if source is not None:
        packet = xmp.parse(source)
        fitting = {_ORIENTATION: "1", _HAS_EXTENDED: None}
        fitting |= dict.fromkeys(_WIDTHS, str(picture.width)) | dict.fromkeys(_HEIGHTS, str(picture.height))
        values |= {name: value for name, value in fitting.items() if packet.find(name)}
    new = xmp_edit.update(source, values) if source is not None or values else None
    if new is None and picture.exif is None:
        return data
    return b"".join(containers.rewrite(data, containers.read(data), Changes(new, picture.exif)))


def with_blocks(data: bytes, state: State, encoding: PictureEncoding) -> bytes:
    """Put into the new file what no encoder writes: IPTC-IIM, and text chunks of a source of the same format.

    What the format has no place for is named among the losses, as is text of a source of another format.
    """
    assert isinstance(state.data, bytes)
    contents = state.contents
    datasets = next(
        filter(None, (iim.records(block.data) for block in contents.blocks if block.kind is Kind.IPTC)), b""
    )
    if datasets and encoding.iim_by:
        data = resolve(encoding.iim_by, "labeling.containers")(data, datasets)
    row = containers.formats.find(contents.format) if contents.format else None
    texts = [
        block for block in contents.blocks
        if block.kind is Kind.TEXT and block not in state.found.carriers and not block.problem
    ]  # fmt: skip
    if texts and encoding.text_by and row is not None and encoding in row.encodings:
        data = resolve(encoding.text_by, "labeling.containers")(data, state.data, texts)
    return data


def check_labels(before: metadata.Found, after: metadata.Found) -> None:
    """Check that the new file says of AI what the source said, once."""
    labels = {aigc.dump(finding.value) for finding in before.aigc}
    if {aigc.dump(finding.value) for finding in after.aigc} != labels:
        raise WriteError("the labels did not read back as they were", hint=REPORT)
    if [finding.value for finding in before.iptc] != [finding.value for finding in after.iptc]:
        raise WriteError("the IPTC source type did not read back", hint=REPORT)


def signed(result: bytes, state: State, after: State, picture: Converted, signer: Signer) -> bytes:
    """Sign the new file, with the source as the parent ingredient and what was done as actions (C2PA 2.2, 18.14.4)."""
    from labeling.marks import credentials

    assert isinstance(state.data, bytes)
    before, now = still_type(state.contents.media_type), still_type(after.contents.media_type)
    changes: list[tuple[str, str]] = []
    if (picture.width, picture.height) != picture.before:
        size = "{}×{} to {}×{}".format(*picture.before, picture.width, picture.height)
        changes.append(("c2pa.resized", f"{size} pixels"))
    if before != now or not changes:
        changes.append(("c2pa.transcoded", f"{before} to {now}"))
    claim: Claim = credentials.Claim(digital_source_type=_source_type(state.found), changes=tuple(changes))
    return credentials.sign(
        result, after.contents.media_type, signer, claim, parent=state.data,
        parent_media_type=state.contents.media_type, room=containers.room_for(result),
    )  # fmt: skip


def _source_type(found: metadata.Found) -> str:
    """Return the source type that the file's labels give; "" where they say nothing: it is not ours to guess."""
    for finding in found.iptc:
        term = iptc.term_of(str(finding.value.get("DigitalSourceType", "")))
        if term in iptc.TERMS:
            return iptc.VOCABULARY + term
    sure = any(str(finding.value.get("Label")) == Origin.GENERATED for finding in found.aigc)
    return iptc.VOCABULARY + iptc.TRAINED if sure else ""
