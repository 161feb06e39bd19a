"""Conversion: a picture in another size or format, with its labels, its metadata, and its manifest as the parent.

What carries AI labels is resized and recompressed on its way to readers, and there the labels get lost. Labels of
others are kept, never rewritten (Labelling Measures Art. 10; Deep Synthesis Provisions Art. 23).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeling import atomic_writes, containers, files
from labeling.containers import Contents, Kind
from labeling.containers.format_row import PictureEncoding
from labeling.errors import (
    MissingDependency,
    UnreadableFile,
    UnsupportedFormat,
    WriteError,
)
from labeling.filebytes import FileBytes
from labeling.findings import Finding, Status
from labeling.gates import guarded
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.losses import Loss
from labeling.marks import exif
from labeling.options import LabelerOptions, options_of
from labeling.options.conversion import ConversionOptions
from labeling.pipelines.carried_over import carried_label, check_labels, signed, with_blocks, with_packet
from labeling.pipelines.converted_name import beside, encoding_for
from labeling.pipelines.output import resolve_target, said_of_link
from labeling.pipelines.read_back import REPORT, check_metadata_kept
from labeling.pipelines.source import check_signable, require_signer, said_of_parent
from labeling.preservation import State, find_conversion_losses, refuse
from labeling.rules import Profile
from labeling.rules import profile as profile_named
from labeling.verification import metadata
from labeling.verification.conclusion import conclude
from labeling.verification.manifest import credentials_of
from labeling.verification.report import Report
from labeling.verification.visible import visible_of

if TYPE_CHECKING:
    from labeling.codecs.converted import Converted
    from labeling.marks.credentials import Signer

_SRGB_LIKE = ({1, 2}, {1, 2, 6, 13, 14})
"""Colour primaries and transfer characteristics (ITU-T H.273) that may be shown as sRGB."""


@dataclass(frozen=True, slots=True)
class ConvertedFile:
    """A converted picture, as :func:`labeling.convert` returns it.

    Args:
        source: The file that was converted.
        path: The output.
        width: Its width in pixels.
        height: Its height in pixels.
        how: What was done, in sentences.
        report: The verifier's :class:`~labeling.Report` on the output.
        size: Bytes of the output.
        dry_run: Whether nothing was written.
        lost: What the source holds and the output does not: a :class:`~labeling.Loss` for each thing.
    """

    source: Path
    path: Path
    width: int
    height: int
    how: tuple[str, ...]
    report: Report
    size: int
    dry_run: bool = False
    lost: tuple[Loss, ...] = ()


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,
    resize: str | None = None,
    quality: int | None = None,
    signer: Signer | None = None,
    profile: str = "cn",
    max_pixels: int = MAX_PIXELS_LABELLED,
    in_place: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    keep_times: bool = False,
) -> ConvertedFile:
    """Convert a picture to another format or size, and carry over its labels, metadata and content credentials.

    Labels stay as they are, whoever's they are; none is added. The colour profile, EXIF and XMP come along; the new
    picture is upright. A C2PA manifest becomes the parent ingredient of a new one, which says that the picture was
    resized or transcoded (C2PA 2.2, 18.14.4).

    Args:
        source: The picture, in a format that can be labelled, or BMP, PSD, TGA, PPM, JPEG 2000, ICO, DDS, QOI, ICNS or
            SGI.
        target: The output's path; by default ``NAME.converted.EXT`` beside the source.
        format: png, jpeg, webp, avif, heic, tiff or gif; by default what the output's name says, else the source's own.
        resize: ``"WIDTHxHEIGHT"``: the picture is fitted into this box; or one number for its longer side. Proportions
            stay.
        quality: For lossy formats, 1 to 100; by default the format's stated one.
        signer: Signs with C2PA, with the source as the parent ingredient.
        profile: The regime that the returned report judges by.
        max_pixels: Larger pictures are refused before they are decoded.
        in_place: Replace the source itself; the format stays.
        dry_run: Do everything but write.
        strict: Refuse if the output would lose anything of the source.
        keep_times: Give the output the source's times of last access and last change.

    Returns:
        The converted file with the verifier's report on it.

    Raises:
        SigningError: The source has a C2PA manifest, and there is no ``signer``.
        UnsupportedFormat: The source cannot be decoded here, or the format cannot hold it: an animation as JPEG.
        LabelConflict: It carries labels that cannot be carried over as they are.
        WouldLose: Something would be lost, and ``strict`` forbids that.
        LabelingError: The file cannot be read or written, or a parameter has a wrong value.

    Example:
        >>> import labeling
        >>> from PIL import Image
        >>> Image.new("RGB", (1600, 1200)).save("photo.png")
        >>> labelled = labeling.Labeler("my-service").label_file("photo.png", "labelled.png")
        >>> small = labeling.convert("labelled.png", "small.webp", resize="800", quality=80)
        >>> small.width, small.height, small.report.compliant
        (800, 600, True)
    """
    options = ConversionOptions(format=format, resize=resize)
    for name, value in (("quality", quality), ("max_pixels", max_pixels)):
        options_of(LabelerOptions)[name].check(value)
    rules = profile_named(profile)
    with guarded("convert the picture", source):
        times = atomic_writes.times_of(source, keep=keep_times)
        data = _loaded(source)
        state = _read(data, max_pixels)
        encoding = encoding_for(options.format, source, target, state, in_place=in_place)
        chosen = resolve_target(source, target or beside(Path(source), encoding), in_place=in_place)
        require_signer(state.found, signer)
        check_signable(data, state.contents, signer)
        made = _convert(state, encoding, options, quality, signer, max_pixels)
        visible = _visible(state, made, rules, max_pixels)
        if strict:
            refuse(made.lost)
        if not dry_run:
            atomic_writes.write_atomically(chosen, [made.data], like=Path(source), times=times)
        contents, found = made.after.contents, made.after.found
        findings = [*metadata.findings(contents, found), credentials_of(made.data, contents, found, None)]
        if visible is not None:
            findings.append(visible)
        report = conclude(str(chosen), contents, findings, [rules], visible=visible is not None)
        how = (*said_of_link(source, chosen), *made.how)
        return ConvertedFile(
            Path(source), chosen, made.width, made.height, how, report, len(made.data), dry_run, tuple(made.lost)
        )  # fmt: skip


class _Made:
    """The converted file on its way."""

    def __init__(self, picture: Converted, data: bytes, after: State) -> None:
        self.data, self.after = data, after
        self.width, self.height = picture.width, picture.height
        self.how, self.lost = list(picture.how), list(picture.lost)


def _loaded(source: str | os.PathLike[str]) -> bytes:
    name, data = files.open_source(source, containers.is_media)
    if isinstance(data, FileBytes):
        data.close()
        raise UnsupportedFormat("this is video or audio, and only pictures are converted", path=name)
    return data


def _read(data: bytes, max_pixels: int) -> State:
    """Read what the file holds. Raises :class:`LabelingError` if it cannot be read in full or decoded."""
    from labeling.codecs import convert as codec

    row = containers.identify(data)
    if row is None:
        kind = containers.unread(data)
        if kind is None or not kind.plugin:
            what = f"this is {kind.title}, which" if kind is not None else "the content is of no format that"
            raise UnsupportedFormat(f"{what} can{'not' if kind is not None else ''} be converted")
        contents = Contents("", kind.media_type, codec.blocks_of_other(data, max_pixels))
    else:
        contents = containers.read(data)
    containers.require_whole(contents)
    found = metadata.scan(contents)
    if found.faults:
        raise found.faults[0]
    if found.broken:
        raise UnreadableFile(found.broken[0].defects[0].message, hint="nothing was written")
    if row is not None and not (row.plugin or row.opener):
        raise UnsupportedFormat(f"{row.title} files are not decoded here", hint="export the picture as PNG first")
    state = State(data, contents, found)
    _check_colours(state)
    return state


def _check_colours(state: State) -> None:
    """Refuse colours by code points that no ICC profile says and that the decoders do not convert."""
    if not state.contents.format or any(block.kind is Kind.ICC for block in state.contents.blocks):
        return
    for entry in containers.inventory(state.data, state.contents):
        codes: list[int] = []
        if entry.key == "colour:nclx" and isinstance(entry.value, str):
            codes = [int(number) for number in entry.value.split(" ")[0].split("/")]
        elif entry.key == "chunk:cICP" and isinstance(entry.value, bytes):
            codes = list(entry.value)
        if len(codes) >= 2 and not (codes[0] in _SRGB_LIKE[0] and codes[1] in _SRGB_LIKE[1]):
            raise UnsupportedFormat(
                f"its colours are given by code points (primaries {codes[0]}, transfer {codes[1]}; ITU-T H.273), which "
                "are not converted here",
                hint="convert it to a picture with an ICC profile, or to sRGB, in an image editor first",
            )


def _convert(
    state: State, encoding: PictureEncoding, options: ConversionOptions, quality: int | None, signer: Signer | None,
    max_pixels: int,
) -> _Made:  # fmt: skip
    from labeling.codecs import convert as codec

    assert isinstance(state.data, bytes)
    contents, found = state.contents, state.found
    structure = next((block for block in contents.blocks if block.kind is Kind.EXIF), None)
    label = carried_label(found)

    def exif_for(width: int, height: int) -> bytes | None:
        if structure is None:
            return None
        data = exif.without_label(structure.data) if label and structure in found.carriers else structure.data
        return exif.fitted(data, width, height)

    lossless = encoding.chooses_lossless and quality is None and _is_lossless(state, encoding)
    picture = codec.convert(
        state.data, contents.format, encoding, box=options.box, orientation=found.orientation, quality=quality,
        lossless=lossless, exif=exif_for, max_pixels=max_pixels,
    )  # fmt: skip
    if (picture.width, picture.height) != picture.before:
        picture.how.insert(
            0, "resized from {}×{} to {}×{} pixels".format(*picture.before, picture.width, picture.height)
        )
    if structure is not None and encoding.exif_by and exif.thumbnail(structure.data):
        picture.how.append("the EXIF thumbnail, which shows the old picture, was left out")
        picture.meant.add("thumbnail:IFD1")
    result = with_blocks(with_packet(picture.data, found, picture, label), state, encoding)
    after = _state(result)
    unsigned = after.contents
    how = list(picture.how)
    if signer is not None:
        result = signed(result, state, after, picture, signer)
        after = _state(result)
        check_metadata_kept(unsigned, after.contents)
        how += said_of_parent(found)
    check_labels(found, after.found)
    picture.lost += find_conversion_losses(
        state, after, title=encoding.title, meant=picture.meant, keeps_resolution=encoding.holds_resolution
    )
    made = _Made(picture, result, after)
    made.how = how
    return made


def _state(data: bytes) -> State:
    contents = containers.read(data)
    if contents.problems:
        raise WriteError(f"the new file does not read back ({contents.problems[0]})", hint=REPORT)
    return State(data, contents, metadata.scan(contents))


def _is_lossless(state: State, encoding: PictureEncoding) -> bool:
    """Tell whether the source is a lossless file of the same encoding."""
    row = containers.formats.find(state.contents.format)
    if row is None or encoding not in row.encodings:
        return False
    return any(entry.key == "coding" for entry in containers.inventory(state.data, state.contents))


def _visible(state: State, made: _Made, profile: Profile, max_pixels: int) -> Finding | None:
    """Look for the visible label on the result; one that the source had and the result has not is a loss."""
    try:
        now = visible_of(made.data, made.after.contents, made.after.found.orientation, [profile], max_pixels)
        if now.status is Status.PRESENT:
            made.how.append("the visible label is on the result, and large enough")
            return now
        if not state.contents.format:
            return now
        before = visible_of(state.data, state.contents, state.found.orientation, [profile], max_pixels)
    except MissingDependency:
        return None
    if before.status in (Status.PRESENT, Status.DEFECTIVE) and now.status is Status.ABSENT:
        made.lost.append(Loss("visible label", before.where, f"it cannot be read at {made.width}×{made.height} pixels"))
    elif before.status is Status.PRESENT and now.defects:
        made.lost.append(Loss("visible label as the rules ask for it", before.where, now.defects[0].message))
    return now
