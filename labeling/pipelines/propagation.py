"""Propagation: a platform adds its half to a label, and a re-encoded copy gets the labels of its original.

Labels of others are kept, never rewritten: Labelling Measures Art. 6 (platforms add the propagator's half) and Art. 10
(nobody removes, alters or forges); Deep Synthesis Provisions Art. 23 (restoring and enhancing count as processing, so
the labels have to come along).
"""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from labeling import containers, files
from labeling.errors import LabelConflict, LabelingError, UnsupportedFormat, error_context
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.inert import inert
from labeling.label import Label, Origin
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.losses import Loss
from labeling.marks import iptc, xmp
from labeling.pipelines import image
from labeling.pipelines.image import LabelingOptions
from labeling.pipelines.output import LabeledFile, resolve_target, write_result
from labeling.pipelines.source import (
    OTHERS_MUST_STAY,
    check_signable,
    open_source,
    own_label,
    parent_as_signed,
    read_contents,
    read_mended,
    require_signer,
)
from labeling.rules import profile as profile_named
from labeling.verification import metadata
from labeling.verification.verifier import store_beside

if TYPE_CHECKING:
    from labeling.containers import Contents
    from labeling.marks.credentials import Signer

ALIKE = 0.08
"""Largest mean difference, as a part of the full range, at which one picture counts as a copy of another.

Both are compared at 32×32 pixels in gray."""

FILLED = "the propagator's half of the label was filled"

PathLike = str | os.PathLike[str]


def propagate(
    source: PathLike,
    target: PathLike | None = None,
    *,
    propagator: str,
    propagate_id: str,
    security: str = "",
    signer: Signer | None = None,
    profile: str = "cn",
    in_place: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    keep_times: bool = False,
) -> LabeledFile:
    """Fill the propagator's half of the label that a file carries; the producer's half stays as it is.

    This is what Labelling Measures Art. 6 asks of a platform that publishes labelled content.

    Args:
        source: The labelled picture, video or audio file.
        target: The output's path; by default ``NAME.labeled.EXT`` beside the source.
        propagator: The platform's provider code (27 characters, service 2) or name.
        propagate_id: The platform's number for the content.
        security: Security data for the label's field ReservedCode2.
        signer: Signs with C2PA. A manifest that the file has becomes the parent ingredient of the new one.
        profile: The regime that the returned report judges by.
        in_place: Replace the source itself.
        dry_run: Do everything but write.
        strict: Refuse a file whose copy would lose anything.
        keep_times: Give the output the source's times of last access and last change.

    Returns:
        The labelled file with the verifier's report on it.

    Raises:
        LabelConflict: There is no label, or there are several that differ.
        SigningError: The file has a C2PA manifest, and there is no ``signer``.
        WouldLose: The copy would lose something, and ``strict`` forbids that.
        LabelingError: The file cannot be read or written, or a parameter has a wrong value.

    Example:
        >>> import labeling
        >>> from PIL import Image
        >>> Image.new("RGB", (640, 480)).save("picture.png")
        >>> labelled = labeling.Labeler("my-service").label_file("picture.png", "labelled.png")
        >>> done = labeling.propagate("labelled.png", "shared.png", propagator="my-platform", propagate_id="post-17")
        >>> done.label.producer, done.label.propagator
        ('my-service', 'my-platform')
    """
    with guarded("add to the label", source):
        times = files.times_of(source, keep=keep_times)
        chosen = resolve_target(source, target, in_place=in_place)
        for parameter, value in (("propagator", propagator), ("propagate_id", propagate_id)):
            if not value.strip():
                raise LabelingError(
                    "propagation needs both `propagator` and `propagate_id`", hint=f"`{parameter}` is empty"
                )
        name, data = open_source(source)
        came = data
        mended: tuple[str, ...] = ()
        if isinstance(data, FileBytes):
            contents, found = read_contents(data)
        else:
            data, contents, found, mended = read_mended(data, MAX_PIXELS_LABELLED)
        label = _one_label(found)
        beside = store_beside(source, contents)
        require_signer(found, signer, beside=beside)
        check_signable(data, contents, signer)
        label = replace(label, propagator=propagator, propagate_id=propagate_id, propagator_security=security)
        options = LabelingOptions(profile_named(profile), signer=signer, strict=strict, times=times, change=FILLED)
        how = [*mended, FILLED]
        if isinstance(data, FileBytes):
            from labeling.pipelines import video_job

            with data:
                job = video_job.VideoJob(data, contents, found, beside)
                job.how += how
                return video_job.write(job, name, chosen, label, options, values={}, dry_run=dry_run)
        parent = parent_as_signed(came, data, found, contents.media_type) if mended else None
        made = image.write(data, name, contents, found, label, options, values={}, how=how, parent=parent)
        return write_result(made, source, chosen, dry_run=dry_run, times=times)


def transplant(
    labelled: PathLike,
    copy: PathLike,
    target: PathLike | None = None,
    *,
    signer: Signer | None = None,
    profile: str = "cn",
    in_place: bool = False,
    dry_run: bool = False,
    strict: bool = False,
    keep_times: bool = False,
) -> LabeledFile:
    """Bring the labels in a picture's metadata over to its re-encoded copy: the AIGC field and IPTC's AI properties.

    Args:
        labelled: The picture that carries the labels.
        copy: A re-encoded or resized copy of the same picture, in any format that can be labelled.
        target: The output's path; by default ``NAME.labeled.EXT`` beside the copy.
        signer: Signs the output with C2PA, with the original as the parent ingredient. A manifest cannot be brought
            over as such: without a signer it stays behind, and ``lost`` says so.
        profile: The regime that the returned report judges by.
        in_place: Replace the copy itself.
        dry_run: Do everything but write.
        strict: Refuse if anything of the copy would be lost, or the C2PA manifest of the original.
        keep_times: Give the output the copy's times of last access and last change.

    Returns:
        The labelled copy with the verifier's report on it.

    Raises:
        LabelConflict: ``copy`` does not show the same picture (its label would be a forged one) or carries another
            producer's label; or ``labelled`` has no label, or several that differ.
        SigningError: The copy has a C2PA manifest, and there is no ``signer``.
        WouldLose: Something would be lost, and ``strict`` forbids that.
        LabelingError: A file cannot be read or written.

    Example:
        >>> import labeling
        >>> from PIL import Image
        >>> picture = Image.radial_gradient("L").convert("RGB").resize((640, 480))
        >>> picture.save("picture.png")
        >>> labelled = labeling.Labeler("my-service").label_file("picture.png", "labelled.png")
        >>> with Image.open("labelled.png") as image:
        ...     image.convert("RGB").resize((320, 240)).save("small.jpg")
        >>> done = labeling.transplant("labelled.png", "small.jpg", in_place=True)
        >>> done.label.content_id == labelled.label.content_id
        True
    """
    with guarded("carry the labels over"):
        times = files.times_of(copy, keep=keep_times)
        from_name, original = files.load(labelled)
        with error_context(copy):
            chosen = resolve_target(copy, target, in_place=in_place)
            name, data = open_source(copy)
        if isinstance(data, FileBytes) or containers.is_media(data):
            if isinstance(data, FileBytes):
                data.close()
            raise UnsupportedFormat(
                "only pictures can be transplanted to", path=name, hint="label a new video with add"
            )
        with error_context(from_name):
            whole, before, had, _ = read_mended(original, MAX_PIXELS_LABELLED)
            label = _one_label(had)
        with error_context(name):
            came = data
            data, contents, found, mended = read_mended(data, MAX_PIXELS_LABELLED)
            own = own_label(found)
            if own is not None and own.producer != label.producer:
                raise LabelConflict(f"carries a label of {inert(own.author)} already", hint=OTHERS_MUST_STAY)
            require_signer(found, signer)
            check_signable(original, before, signer)
            _require_alike((whole, before, had), (data, contents, found), from_name)
            how = [*mended, f"labels carried over from {from_name}"]
            left: tuple[Loss, ...] = ()
            if had.c2pa and signer is None:
                why = "a manifest only stays as the parent of a new one: give a signer (`signer`)"
                left = (Loss("C2PA manifest of the original", had.c2pa[0].where, why),)
            parent = parent_as_signed(came, data, found, contents.media_type) if mended else None
            if had.c2pa and not found.c2pa:
                parent = parent_as_signed(original, whole, had, before.media_type) or (original, before.media_type)
            made = image.write(
                data,
                name,
                contents,
                found,
                label,
                LabelingOptions(profile_named(profile), signer=signer, strict=strict, times=times),
                values=_iptc_values(had),
                how=how,
                lost=left,
                parent=parent,
            )
            return write_result(made, copy, chosen, dry_run=dry_run, times=times)


def _one_label(found: metadata.Found) -> Label:
    label = own_label(found)
    if label is None:
        raise LabelConflict(
            "carries no label, so that there is no half to fill or to carry over",
            hint="classify says which label a platform writes (Labelling Measures Art. 6); add labels your own content",
        )
    if len({str(finding.value) for finding in found.aigc}) > 1:
        raise LabelConflict("carries several labels that differ", hint="which one holds must be settled first")
    if found.aigc[0].value.get("Label") not in set(Origin):
        raise LabelConflict("its label has no valid Label value", hint="the producer's half is not ours to mend")
    return label


def _iptc_values(found: metadata.Found) -> dict[xmp.Name, str | None]:
    values: dict[xmp.Name, str | None] = {}
    for finding in found.iptc:
        for name in (iptc.DIGITAL_SOURCE_TYPE, iptc.AI_SYSTEM, iptc.AI_SYSTEM_VERSION):
            if isinstance(text := finding.value.get(name.local), str):
                values[name] = text
    return values


def _require_alike(
    original: tuple[bytes, Contents, metadata.Found], copy: tuple[bytes, Contents, metadata.Found], name: str
) -> None:
    """Raise :class:`LabelConflict` if ``copy`` does not show the picture of ``original``, which is called ``name``."""
    import numpy as np

    from labeling import codecs

    small, weights = [], np.array([0.299, 0.587, 0.114])
    for data, contents, found in (original, copy):
        shown = codecs.displayed_on_grounds(
            data, contents.format, orientation=found.orientation, max_pixels=MAX_PIXELS_LABELLED
        )
        pixels = shown.grounds[0]
        if min(pixels.shape[:2]) < 32:
            small.append(np.full((32, 32), (pixels @ weights).mean()))
            continue
        rows, columns = (np.linspace(0, n, 33).astype(int) for n in pixels.shape[:2])
        bands = [pixels[top:end].sum(axis=0) @ weights for top, end in itertools.pairwise(rows)]
        sums = np.add.reduceat(np.stack(bands), columns[:-1], axis=1)
        small.append(sums / np.outer(np.diff(rows), np.diff(columns)))
    difference = float(np.abs(small[0] - small[1]).mean()) / 255
    if difference > ALIKE:
        raise LabelConflict(
            f"does not show the same picture as {name} (difference {difference:.0%})",
            hint="labels are only carried over to a copy",
        )
