"""Carrying labels on: a platform adds its half, and a re-encoded copy gets the labels of its original.

Labels of others are kept, never rewritten: Labelling Measures Art. 6 (platforms add the propagator's half) and Art. 10
(nobody removes, alters or forges); Deep Synthesis Provisions Art. 23 (restoring and enhancing count as processing, so
the labels have to come along).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from labeling import files
from labeling.errors import LabelConflict, LabelingError, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.label import Label, Origin
from labeling.marks import iptc, xmp
from labeling.pipelines import image
from labeling.pipelines.image import Options
from labeling.pipelines.output import LabeledFile, settle, store
from labeling.rules import profile as profile_named
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.containers import Contents
    from labeling.marks.credentials import Signer

ALIKE = 0.08
"""Mean difference (of the full range) of two pictures at 32×32 gray up to which one passes for a copy of the other."""

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
) -> LabeledFile:
    """Fill the propagator's half of the label that a file carries; the producer's half stays as it is.

    ``propagator`` is the platform's code (service 2) or name, ``propagate_id`` its number for the content, ``security``
    goes to ReservedCode2. A C2PA manifest becomes the parent ingredient of a new one by ``signer``; without a signer
    such a file is refused. Raises :class:`LabelConflict` if there is no label, or several that differ.
    """
    name, data, goal = settle(source, target, in_place=in_place)
    if not propagator.strip() or not propagate_id.strip():
        raise LabelingError("propagation needs a propagator and its content number (--propagator, --propagate-id)")
    contents, found = image.open_file(data, name)
    label = _one_label(found, name)
    image.require_signer(found, signer, name)
    label = replace(label, propagator=propagator, propagate_id=propagate_id, propagator_security=security)
    options = Options(profile_named(profile), signer=signer)
    how = ["the propagator's half was filled"]
    if isinstance(data, FileBytes):
        from labeling.pipelines import video

        with data:
            draft = video.Draft(data, contents, found)
            draft.how += how
            return video.write(draft, name, goal, label, options, values={}, dry_run=dry_run)
    made = image.write(data, name, contents, found, label, options, values={}, how=how)
    return store(made, source, goal, dry_run=dry_run)


def transplant(
    labelled: PathLike,
    copy: PathLike,
    target: PathLike | None = None,
    *,
    signer: Signer | None = None,
    profile: str = "cn",
    in_place: bool = False,
    dry_run: bool = False,
) -> LabeledFile:
    """Carry the labels in one picture's metadata over to its re-encoded copy: the AIGC field and IPTC's AI properties.

    The copy must show the same picture: otherwise :class:`LabelConflict`, since a label on something else would be a
    forged one. A C2PA manifest cannot be carried over as such; a ``signer`` signs the copy with the original as its
    parent ingredient, and without one ``how`` says that the credentials stayed behind.
    """
    from_name, original = files.load(labelled)
    name, data, goal = settle(copy, target, in_place=in_place)
    if isinstance(data, FileBytes):
        data.close()
        raise UnsupportedFormat(f"{name}: labels are carried over between pictures; label a new film with add")
    before, had = image.open_file(original, from_name)
    label = _one_label(had, from_name)
    contents, found = image.open_file(data, name)
    own = image.own_label(found, name)
    if own is not None and own.producer != label.producer:
        raise LabelConflict(f"{name}: carries a label of {own.producer} already; labels of others must stay")
    image.require_signer(found, signer, name)
    _require_alike((original, before, had), (data, contents, found), from_name, name)
    how = [f"labels carried over from {from_name}"]
    if had.c2pa and signer is None:
        how.append("C2PA credentials of the original stay behind: give a signer to keep them as the parent")
    made = image.write(
        data,
        name,
        contents,
        found,
        label,
        Options(profile_named(profile), signer=signer),
        values=_iptc_values(had),
        how=how,
        parent=(original, before.media_type) if had.c2pa and not found.c2pa else None,
    )
    return store(made, copy, goal, dry_run=dry_run)


def _one_label(found: metadata.Found, name: str) -> Label:
    label = image.own_label(found, name)
    if label is None:
        raise LabelConflict(
            f"{name}: carries no label; a picture without one is classified first (Labelling Measures Art. 6): "
            "verify says what is known, add labels your own content"
        )
    if len({str(finding.value) for finding in found.aigc}) > 1:
        raise LabelConflict(f"{name}: carries several labels that differ; which one holds must be settled first")
    if found.aigc[0].value.get("Label") not in set(Origin):
        raise LabelConflict(f"{name}: its label has no valid Label value; the producer's half is not ours to mend")
    return label


def _iptc_values(found: metadata.Found) -> dict[xmp.Name, str | None]:
    values: dict[xmp.Name, str | None] = {}
    for finding in found.iptc:
        for name in (iptc.DIGITAL_SOURCE_TYPE, iptc.AI_SYSTEM, iptc.AI_SYSTEM_VERSION):
            if isinstance(text := finding.value.get(name.local), str):
                values[name] = text
    return values


def _require_alike(
    one: tuple[bytes, Contents, metadata.Found], other: tuple[bytes, Contents, metadata.Found], name: str, copy: str
) -> None:
    import numpy as np

    from labeling import codecs

    small = []
    for data, contents, found in (one, other):
        pixels = codecs.displayed(data, contents.format, orientation=found.orientation)
        rows, columns = (np.linspace(0, n, 33).astype(int) for n in pixels.shape[:2])
        gray = pixels @ np.array([0.299, 0.587, 0.114])
        if min(gray.shape) < 32:
            small.append(np.full((32, 32), gray.mean()))
            continue
        sums = np.add.reduceat(np.add.reduceat(gray, rows[:-1], axis=0), columns[:-1], axis=1)
        small.append(sums / np.outer(np.diff(rows), np.diff(columns)))
    difference = float(np.abs(small[0] - small[1]).mean()) / 255
    if difference > ALIKE:
        raise LabelConflict(
            f"{copy}: does not show the same picture as {name} (difference {difference:.0%}); "
            "labels are only carried over to a copy"
        )
