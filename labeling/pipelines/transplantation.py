"""Transplanting: a re-encoded copy gets the labels of its original, and nothing but a copy does.

Deep Synthesis Provisions Art. 23: restoring and enhancing count as processing, so the labels have to come along.
Labelling Measures Art. 10: nobody forges a label, which one on other content would be.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from labeling import atomic_writes, containers, files
from labeling.errors import LabelConflict, MissingDependency, error_context
from labeling.filebytes import FileBytes
from labeling.findings import Finding, Status
from labeling.gates import guarded
from labeling.inert import inert
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.losses import Loss
from labeling.marks import iptc, xmp
from labeling.pipelines import image
from labeling.pipelines.labeled_image import LabeledImage
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile, resolve_target, write_result
from labeling.pipelines.propagation import one_label
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
from labeling.verification.manifest import store_beside

if TYPE_CHECKING:
    from pathlib import Path

    from labeling.containers import Contents, Media
    from labeling.label import Label
    from labeling.marks.credentials import Signer

PathLike = str | os.PathLike[str]

_CARRIED = "the labels of the original were carried over to this copy"


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
    """Bring the labels in a file's metadata over to its re-encoded copy: the AIGC field and IPTC's AI properties.

    That the copy is one is checked: pictures by their pixels, videos by pictures at several times, duration and sound,
    audio by its spectrum over time. Packets of video and audio stay as they are. The visible label is part of the
    content: it is looked for on the copy, and ``lost`` names one that only the original shows.

    Args:
        labelled: The picture, video or audio file that carries the labels.
        copy: A re-encoded or resized copy of the same content, in any format that can be labelled.
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
        LabelConflict: ``copy`` is not the same content (its label would be a forged one) or carries another producer's
            label; or ``labelled`` has no label, or several that differ.
        MissingDependency: Video and audio are compared with PyAV, which is not installed.
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
    with guarded("carry the labels over"), ExitStack() as stack:
        times = atomic_writes.times_of(copy, keep=keep_times)
        from_name, original = files.open_source(labelled, containers.is_media)
        if isinstance(original, FileBytes):
            stack.enter_context(original)
        with error_context(copy):
            chosen = resolve_target(copy, target, in_place=in_place)
            name, data = open_source(copy)
        if isinstance(data, FileBytes):
            stack.enter_context(data)
        options = LabelingOptions(profile_named(profile), signer=signer, strict=strict, times=times, change=_CARRIED)
        moving = [isinstance(each, FileBytes) or containers.is_media(each) for each in (original, data)]
        if all(moving):
            return _to_media((from_name, original), (name, data), chosen, options, dry_run=dry_run)
        if any(moving):
            raise LabelConflict(
                f"is no copy of {from_name}: one of them is a picture, and the other video or audio", path=name,
                hint="labels are only carried over to a copy",
            )  # fmt: skip
        assert isinstance(original, bytes) and isinstance(data, bytes)
        made = _to_picture((from_name, original), (name, data), options)
        return write_result(made, copy, chosen, dry_run=dry_run, times=times)


def _to_picture(original: tuple[str, bytes], copy: tuple[str, bytes], options: LabelingOptions) -> LabeledImage:
    from labeling.pipelines.same_content import require_same_picture

    from_name, came_from = original
    with error_context(from_name):
        whole, before, had, _ = read_mended(came_from, MAX_PIXELS_LABELLED)
        label = one_label(had)
    name, came = copy
    with error_context(name):
        data, contents, found, mended = read_mended(came, MAX_PIXELS_LABELLED)
        _check_own(found, label)
        require_signer(found, options.signer)
        check_signable(came_from, before, options.signer)
        require_same_picture((whole, before, had.orientation), (data, contents, found.orientation), from_name)
        visible, said, lost = _visible((data, contents, found), (whole, before, had), options)
        parent = parent_as_signed(came, data, found, contents.media_type) if mended else None
        if had.c2pa and not found.c2pa:
            parent = parent_as_signed(came_from, whole, had, before.media_type) or (came_from, before.media_type)
        return image.write(
            data,
            name,
            contents,
            found,
            label,
            options,
            values=_iptc_values(had),
            visible=visible,
            how=[*mended, f"labels carried over from {from_name}", *said],
            lost=(*_left_behind(had, signed=options.signer is not None), *lost),
            parent=parent,
        )


def _to_media(
    original: tuple[str, Media], copy: tuple[str, Media], target: Path, options: LabelingOptions, *, dry_run: bool
) -> LabeledFile:
    """Write the labels into a copy of a video or audio file: its packets stay as they are."""
    from labeling.pipelines import video_job
    from labeling.pipelines.same_content import require_same_media

    from_name, came_from = original
    with error_context(from_name):
        before, had = read_contents(came_from)
        label = one_label(had)
        store = store_beside(from_name, before)
    name, data = copy
    with error_context(name):
        contents, found = read_contents(data)
        _check_own(found, label)
        beside = store_beside(name, contents)
        require_signer(found, options.signer, beside=beside)
        for each, its in ((data, contents), (came_from, before)):
            check_signable(each, its, options.signer)
        not_compared = require_same_media((came_from, before), (data, contents), from_name)
        job = video_job.VideoJob(data, contents, found, beside)
        job.visible, said, job.lost = _visible((data, contents, found), (came_from, before, had), options)
        job.how += [f"labels carried over from {from_name}", *not_compared, *said]
        place = containers.format_named(contents.format).manifest != "beside" or beside is not None
        signed = options.signer is not None and place and not contents.unsigned
        job.lost += _left_behind(had, signed=signed, beside=store is not None)
        if had.c2pa and not found.c2pa:
            job.parent = came_from, before.media_type
        return video_job.write(job, name, target, label, options, values=_iptc_values(had), dry_run=dry_run)


def _check_own(found: metadata.Found, label: Label) -> None:
    own = own_label(found)
    if own is not None and own.author != label.author:
        raise LabelConflict(f"carries a label of {inert(own.author)} already", hint=OTHERS_MUST_STAY)


def _left_behind(had: metadata.Found, *, signed: bool, beside: bool = False) -> tuple[Loss, ...]:
    """Return the original's manifest as a loss, unless it becomes the parent of the one that the copy gets."""
    if beside:
        return (Loss("C2PA manifest of the original", "beside the file", "it stays beside the original"),)
    if signed or not had.c2pa:
        return ()
    why = "a manifest only stays as the parent of a new one, and the copy gets none: give a signer (`signer`)"
    return (Loss("C2PA manifest of the original", had.c2pa[0].where, why),)


def _visible(
    copy: tuple[Media, Contents, metadata.Found],
    original: tuple[Media, Contents, metadata.Found],
    options: LabelingOptions,
) -> tuple[Finding | None, tuple[str, ...], tuple[Loss, ...]]:
    """Look for the visible label of the copy: it is part of the content, and nothing carries it over.

    Returns:
        The finding, ``None`` if it could not be looked for; what is to be said; and the label as a loss, if the
        original shows one and the copy does not.
    """
    try:
        found = _looked_for(copy, options)
        if found.status is not Status.ABSENT:
            return found, (), ()
        shown = _looked_for(original, options)
    except MissingDependency as error:
        return None, (f"the visible label was not looked for: {error.reason}",), ()
    if shown.status is Status.PRESENT:
        why = "the original shows it, and OCR did not find it on the copy: it cannot be carried over"
        return found, (), (Loss("visible label of the original", shown.where, why),)
    return found, ("no visible label was found, neither on the original nor on the copy",), ()


def _looked_for(file: tuple[Media, Contents, metadata.Found], options: LabelingOptions) -> Finding:
    from labeling.verification.visible import visible_of

    data, contents, found = file
    return visible_of(data, contents, found.orientation, [options.profile], MAX_PIXELS_LABELLED)


def _iptc_values(found: metadata.Found) -> dict[xmp.Name, str | None]:
    values: dict[xmp.Name, str | None] = {}
    for finding in found.iptc:
        for name in (iptc.DIGITAL_SOURCE_TYPE, iptc.AI_SYSTEM, iptc.AI_SYSTEM_VERSION):
            if isinstance(text := finding.value.get(name.local), str):
                values[name] = text
    return values
