"""Propagation: a platform adds its half to a label.

Labels of others are kept, never rewritten: Labelling Measures Art. 6 (platforms add the propagator's half) and Art. 10
(nobody removes, alters or forges).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from labeling import atomic_writes
from labeling.errors import LabelConflict, LabelingError
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.label import Label, Origin
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.pipelines import image
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile, resolve_target, write_result
from labeling.pipelines.source import (
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
    from labeling.marks.credentials import Signer

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
        times = atomic_writes.times_of(source, keep=keep_times)
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
        label = one_label(found)
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


def one_label(found: metadata.Found) -> Label:
    label = own_label(found)
    if label is None:
        raise LabelConflict(
            "carries no label, so there is no half to fill or to carry over",
            hint="classify says which label a platform writes (Labelling Measures Art. 6); add labels your own content",
        )
    if len({str(finding.value) for finding in found.aigc}) > 1:
        raise LabelConflict("carries several labels that differ", hint="which one holds must be settled first")
    if found.aigc[0].value.get("Label") not in set(Origin):
        raise LabelConflict(
            "carries a label without a valid Label value", hint="the producer's half is not ours to mend"
        )
    return label
