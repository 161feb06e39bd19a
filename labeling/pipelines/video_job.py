"""A video or audio file on its way to a labelled copy: metadata, signature, reading back, and the file's name.

The file is never held in memory: what stays is copied from file to file.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labeling import atomic_writes, containers, files
from labeling.containers import Block, Changes, Contents, Kind, Media
from labeling.errors import LabelingError, SigningError, WriteError
from labeling.filebytes import FileBytes
from labeling.findings import Finding
from labeling.label import Label
from labeling.marks import aigc, iptc, xmp, xmp_edit
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile, said_of_link
from labeling.pipelines.read_back import check_label, check_media_untouched
from labeling.pipelines.source import said_of_parent
from labeling.preservation import Loss, State, find_losses, refuse
from labeling.verification import metadata
from labeling.verification.conclusion import conclude
from labeling.verification.manifest import credentials_of, sidecar_of
from labeling.verification.report import Report

if TYPE_CHECKING:
    from labeling.codecs.cue import Placed
    from labeling.containers.mp4.movie_box import Mp4Edits
    from labeling.marks.credentials import Claim, Signer
    from labeling.marks.visible import LabelPainter
    from labeling.verification.spoken_label import Known


class VideoJob:
    """One file being labelled: what it holds now, and what has been done to it.

    Args:
        data: The source, open; the caller closes it.
        contents: What :func:`labeling.containers.read` found in it.
        found: What :func:`labeling.verification.metadata.scan` found in ``contents``.
        beside: The C2PA manifest store in a file beside the source, if there is one.

    Attributes:
        source: The file as it came.
        before: The source's state.
        data: The file to copy from: the source, or a temporary copy that has the label on it already.
        edits: Changes of the video that are made in the same copy as those of metadata (MP4).
        visible: The finding on the visible or audible label.
        painter: What has drawn a visible label on pictures of the video.
        resumes: When the first copied picture behind re-encoded ones is shown, in seconds from the first one.
        how: What was done, in sentences.
        reasons: Why things of the source are not in the copy, as the codec says (:class:`labeling.codecs.Painted`).
        lost: Losses that the codec names itself.
        meant: Keys of entries of the inventory that change as they have to.
        placed: The audible label that was put into audio.
        recordings: Spoken labels that are known beside ours.
        parent: The file and media type that the manifest names as the parent ingredient, if it is not the source.
    """

    def __init__(self, data: Media, contents: Contents, found: metadata.Found, beside: bytes | None = None) -> None:
        self.source, self.data, self.contents, self.found = data, data, contents, found
        self.edits: Mp4Edits | None = None
        self.visible: Finding | None = None
        self.painter: LabelPainter | None = None
        self.resumes: float | None = None
        self.how: list[str] = []
        self.reasons: Mapping[str, str] = {}
        self.lost: tuple[Loss, ...] = ()
        self.meant: frozenset[str] = frozenset()
        self.placed: Placed | None = None
        self.recordings: tuple[Known, ...] = ()
        self.parent: tuple[Media, str] | None = None
        self.before = State(data, contents, found, beside)

    @property
    def painted(self) -> bool:
        """Whether anything but metadata changes."""
        return self.edits is not None or self.data is not self.source

    def losses(self, after: State) -> tuple[Loss, ...]:
        """Find what the source holds and the labelled copy does not."""
        changed = "re-muxed" if self.data is not self.source else "re-encoded" if self.painted else "rewritten"
        why = f"the {changed} file does not hold it"
        found = find_losses(self.before, after, why=why, reasons=self.reasons, meant=self.meant)
        return found + self.lost

    def replace_data(self, path: Path, stack: contextlib.ExitStack) -> None:
        """Go on from a temporary copy, which ``stack`` closes."""
        self.data = stack.enter_context(FileBytes(path.open("rb"), str(path)))
        self.contents = containers.read(self.data)
        self.found = metadata.scan(self.contents)


def write(
    job: VideoJob,
    name: str,
    target: Path,
    label: Label,
    options: LabelingOptions,
    *,
    values: dict[xmp.Name, str | None] | None = None,
    dry_run: bool = False,
) -> LabeledFile:
    """Write the label's metadata into a copy, sign it, read it back, and rename it to ``target``.

    Args:
        job: The file, with its visible label drawn if it is to have one.
        name: The source's path.
        target: The output's path; the source's own path changes it in place where there is room.
        label: What to write.
        options: How to write it.
        values: The XMP properties (default: IPTC's, where the format has a place for a packet).
        dry_run: Do everything, and leave nothing behind.

    Raises:
        WriteError: The copy could not be written, or did not read back as it should.
        SigningError: The signature could not be made.
    """
    changes = _changes(job, label, options, values)
    signer, manifest = _signer(job, options), None
    if not (dry_run or job.painted or options.signer) and files.same_file(Path(name), target):
        done = _patched(job, name, target, changes, label, options)
        if done is not None:
            return done
    pieces = containers.rewrite(job.data, job.contents, changes, job.edits)
    job.how += job.contents.mended
    job.how[:0] = said_of_link(name, target)
    place = (
        atomic_writes.temp_beside(target)
        if dry_run
        else atomic_writes.staged(target, like=Path(name), times=options.times)
    )
    with contextlib.ExitStack() as held, place as temporary:
        atomic_writes.write_pieces(temporary, pieces)
        if signer is not None:
            _sign(temporary, job, _claim(job, label, options), signer, held, parent=bool(options.change))
        with FileBytes(temporary.open("rb"), str(target)) as result:
            beside = options.signer is not None and signer is None and not job.contents.unsigned
            if beside and options.signer is not None and (options.sidecar or job.before.manifest is not None):
                claim = _claim(job, label, options)
                manifest = _sign_beside(result, target, job, claim, options.signer, parent=bool(options.change))
            report, lost = _read_back(result, job, label, options, manifest, unsigned=signer is None)
        size = temporary.stat().st_size
    if manifest is not None and not dry_run:
        atomic_writes.write_atomically(sidecar_of(target), [manifest], like=Path(name), times=options.times)
    return LabeledFile(Path(name), target, label, tuple(job.how), report, size, dry_run, lost)


def _patched(
    job: VideoJob, name: str, target: Path, changes: Changes, label: Label, options: LabelingOptions
) -> LabeledFile | None:
    """Change an MP4 file in place if it has room for that, no matter how large it is."""
    data = job.data
    if containers.format_named(job.contents.format).edit != "in place" or not isinstance(data, FileBytes):
        return None
    from labeling.containers.mp4 import in_place

    change = in_place.patch(data, changes)
    if change is None:
        return None
    with (
        atomic_writes.explained(target),
        in_place.applied(data, change),
        FileBytes(target.open("rb"), str(target)) as result,
    ):
        report, lost = _read_back(result, job, label, options, None, unsigned=True)
    if options.times is not None:
        with atomic_writes.explained(target):
            os.utime(target, ns=options.times)
    job.how[:0] = said_of_link(name, target)
    job.how.append("changed in place, in the free space behind the movie box")
    return LabeledFile(Path(name), target, label, tuple(job.how), report, len(data), lost=lost)


def _changes(
    job: VideoJob, label: Label, options: LabelingOptions, values: dict[xmp.Name, str | None] | None
) -> Changes:
    """One AIGC carrier, in the format's home (6.1 c); IPTC's properties in an XMP packet, where there is a place."""
    row = containers.format_named(job.contents.format)
    found = job.found
    if values is None:
        values, stays = metadata.said_by_label(label, "" if options.change else options.source_type, found)
        job.how += stays
    drop: list[Block] = []
    kept = False
    for block in found.carriers:
        if block.kind is Kind.XMP:
            if block is not found.packet:
                message = f"a second XMP packet ({block.where}) carries a label"
                raise LabelingError(message, hint="re-save the file with one packet")
            values = values | {aigc.XMP_NAME: None}
        elif not kept and block.keyword == aigc.FIELD and block.where.startswith(row.home_prefix):
            kept = True  # the new value takes its place
        elif block not in drop:
            drop.append(block)
    packet = found.packet.data if found.packet else None
    has_xmp = row.has_xmp and job.contents.has_xmp
    new = xmp_edit.update(packet, values) if values and has_xmp else None
    if values and not has_xmp and any(values.values()):
        which = row.title if not row.has_xmp else f"this {row.title} file"
        job.how.append(f"{which} has no place for IPTC properties: the source type is in the label alone")
    return Changes(new, None, (*drop, *found.c2pa), (aigc.FIELD, aigc.encode(label)))


def _signer(job: VideoJob, options: LabelingOptions) -> Signer | None:
    """Return who signs; a format that cannot be signed gets its other labels, and ``how`` says why."""
    row = containers.format_named(job.contents.format)
    if options.signer is not None and job.contents.unsigned:
        if job.before.found.c2pa:
            raise SigningError(f"its C2PA content credentials cannot be kept: {job.contents.unsigned}")
        job.how.append(f"not signed: {job.contents.unsigned}")
        return None
    if options.signer is not None and row.manifest == "beside":
        if not options.sidecar and job.before.manifest is None:
            way_out = "" if options.change else "; `sidecar=True` puts one beside the file"
            job.how.append(f"not signed: {row.title} has no place for a C2PA manifest{way_out}")
        return None
    return options.signer


def _claim(job: VideoJob, label: Label, options: LabelingOptions) -> Claim:
    from labeling.marks import credentials

    said = {"change": options.change} if options.change else {}
    return credentials.Claim.of(label, iptc.VOCABULARY + options.source_type, pixels_changed=job.painted, **said)


def _sign(
    target: Path, job: VideoJob, claim: Claim, signer: Signer, held: contextlib.ExitStack, *, parent: bool
) -> None:
    """Sign the copy; a manifest that the source had stays as the parent ingredient.

    ``held`` keeps the lock of the signed copy, which takes the place of ``target``, until that has its name. ``parent``
    says that the source is the parent ingredient even if it has no manifest.
    """
    from labeling.marks import credentials

    if containers.format_named(job.contents.format).edit == "in place":
        _cut_tail(target, job)
    had = job.before.found  # a copy that was re-muxed for the visible label has no manifest any more
    opened = job.source if parent or had.c2pa or had.referenced else None
    media_type = job.contents.media_type
    if job.parent is not None:
        opened, media_type = job.parent
    job.how += said_of_parent(had)
    signed = held.enter_context(atomic_writes.temp_beside(target))
    with contextlib.ExitStack() as stack:
        streams: list[BinaryIO] = [stack.enter_context(target.open("rb")), stack.enter_context(signed.open("w+b"))]
        before = stack.enter_context(_stream(opened)) if opened is not None else None
        credentials.sign_stream(
            streams[0], streams[1], job.contents.media_type, signer, claim, parent=before, parent_media_type=media_type
        )
    signed.replace(target)


def _cut_tail(target: Path, job: VideoJob) -> None:
    """Remove what follows the last box of an MP4 file: the C2PA library reads files that consist of boxes only."""
    from labeling.containers.mp4.layout import lay_out

    with FileBytes(target.open("rb"), str(target)) as data:
        layout, size = lay_out(data), len(data)
    if not layout.problem and layout.end < size:
        with target.open("r+b") as file:
            file.truncate(layout.end)
        why = "a C2PA signature can only be made of a file that consists of boxes, and these bytes are in none"
        job.reasons = {**job.reasons, "trailer": why}


def _sign_beside(
    result: FileBytes, target: Path, job: VideoJob, claim: Claim, signer: Signer, *, parent: bool
) -> bytes:
    """Return a manifest store for a file of its own beside the video (C2PA 2.2, 11.4: external manifests)."""
    from labeling.marks import credentials

    job.how.append(f"C2PA manifest beside the file: {sidecar_of(target).name}")
    store = job.before.manifest
    with contextlib.ExitStack() as stack:
        before = (stack.enter_context(_stream(job.source)), store) if parent or store is not None else None
        content = stack.enter_context(result.stream())
        return credentials.sign_beside(content, job.contents.media_type, signer, claim, parent=before)


def _stream(data: Media) -> BinaryIO:
    return data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)


def _read_back(
    result: FileBytes,
    job: VideoJob,
    label: Label,
    options: LabelingOptions,
    manifest: bytes | None,
    *,
    unsigned: bool,
) -> tuple[Report, tuple[Loss, ...]]:
    after = containers.read(result)
    seen = metadata.scan(after)
    if after.problems:
        raise WriteError(f"the new file does not read back ({after.problems[0]})", hint="please report this file")
    source_type = containers.format_named(after.format).has_xmp and not job.found.iptc and not options.change
    check_label(seen, label, source_type=source_type and seen.packet is not None)
    if job.painter is not None:
        from labeling.pipelines.visible_check import check_on_video

        languages = options.profile.languages
        check_on_video(result, job.source, after.format, job.painter, resumes=job.resumes, languages=languages)
    if job.placed is not None:
        from labeling.pipelines.cue_check import check_cue

        job.visible = check_cue(job.source, result, after.format, job.placed, options.profile.languages, job.recordings)
    if not job.painted and unsigned:
        check_media_untouched(job.source, job.contents, result, after)
    findings = [*metadata.findings(after, seen), credentials_of(result, after, seen, None, manifest)]
    if job.visible is not None:
        findings.append(job.visible)
    report = conclude(result.name, after, findings, [options.profile], visible=job.visible is not None)
    lost = job.losses(State(result, after, seen, manifest))
    if options.strict:
        refuse(lost)
    return report, lost
