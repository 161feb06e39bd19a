"""The pipeline of films and sounds: a file in, a labelled file out, of any size.

The order is that of pictures (spec 5): visible mark, then metadata, then the C2PA signature. The film is never held in
memory: what stays is copied from file to file. Nothing is reported that was not read back from the new file.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from labeling import containers, files
from labeling.containers import Block, Changes, Contents, Kind, Media
from labeling.errors import LabelingError, WriteError
from labeling.filebytes import FileBytes
from labeling.findings import Finding, Status
from labeling.label import Label
from labeling.marks import aigc, iptc, xmp
from labeling.pipelines import image
from labeling.pipelines.image import Options
from labeling.pipelines.output import LabeledFile
from labeling.verification import metadata
from labeling.verification.report import Report
from labeling.verification.verifier import conclude, credentials_of, sidecar_of
from labeling.verification.visible_video import LEAST

if TYPE_CHECKING:
    from labeling.codecs.video.base import Settings
    from labeling.codecs.video.mp4 import Opened
    from labeling.marks.credentials import Signer

WHEN = ("start", "start+end", "start+middle+end", "whole")
"""Where in a film the visible label may be; the start is what GB 45438-2025 5.4 asks for, the rest is allowed."""

Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a film gets its visible label.

    ``when`` is one of :data:`WHEN`; ``seconds`` is how long it stays each time. ``reencode``: auto (only the groups of
    pictures under the label where that can be proven right, else all), never (refuse rather than all), always.
    ``preset`` and ``crf`` are those of the film's encoder (default: the codec's stated ones, visually lossless).
    ``audio_cue``: mix the rhythm of GB 45438-2025 5.3 into the start of a sound; only PCM in WAV can be changed without
    coding it anew, other sounds are refused.
    ``progress`` is told seconds done and seconds in all.
    """

    when: str = "start"
    seconds: float = LEAST
    reencode: str = "auto"
    preset: str | None = None
    crf: int | None = None
    audio_cue: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.when not in WHEN:
            raise LabelingError(f"a label can be at {', '.join(WHEN)}, not {self.when!r}")
        if not self.seconds >= LEAST:
            raise LabelingError(f"the label must stay for at least 2 seconds (GB 45438-2025 5.4), not {self.seconds:g}")
        if self.reencode not in ("auto", "never", "always"):
            raise LabelingError(f"reencode is auto, never or always, not {self.reencode!r}")

    def spans(self, duration: float) -> tuple[tuple[float, float | None], ...]:
        """When the label is there, in seconds from the first picture shown; ``None`` is the end."""
        if self.when == "whole" or (duration and duration <= self.seconds):
            return ((0.0, None),)
        found: list[tuple[float, float | None]] = [(0.0, self.seconds)]
        if self.when == "start+middle+end" and duration > 3 * self.seconds:
            middle = (duration - self.seconds) / 2
            found.append((middle, middle + self.seconds))
        if self.when != "start" and duration > 2 * self.seconds:
            found.append((duration - self.seconds, None))
        return tuple(found)


def label_film(
    data: Media,
    name: str,
    goal: Path,
    make: Callable[[Label | None], Label],
    options: Options,
    film: VideoOptions,
    *,
    dry_run: bool = False,
) -> LabeledFile:
    """Label a film or sound: its streams stay as they are, but for the pictures under a visible label.

    ``make`` is as in :func:`labeling.pipelines.image.label_bytes`, and so are the errors; what belongs to others stays.
    """
    contents, found = image.open_file(data, name)
    label = image.agreed_label(found, make, name)
    image.require_signer(found, options.signer, name)
    with contextlib.ExitStack() as stack:
        draft = Draft(data, contents, found)
        if options.painter is not None:
            _draw(draft, name, goal, options, film, stack, ours=bool(found.aigc))
        return write(draft, name, goal, label, options, dry_run=dry_run)


class Draft:
    """A file on its way: what it holds now, and what has been done."""

    def __init__(self, data: Media, contents: Contents, found: metadata.Found) -> None:
        self.source, self.data, self.contents, self.found = data, data, contents, found
        self.film: Any = None  # changes of the film that are made in the same copy as those of metadata
        self.visible: Finding | None = None
        self.how: list[str] = []

    @property
    def painted(self) -> bool:
        return self.film is not None or self.data is not self.source


def _draw(
    draft: Draft,
    name: str,
    goal: Path,
    options: Options,
    film: VideoOptions,
    stack: contextlib.ExitStack,
    *,
    ours: bool,
) -> None:
    """The visible label: in place where the format's surgery can do it, else in a re-muxed copy."""
    if not draft.contents.width and film.audio_cue:
        _mix_cue(draft, name, goal, stack)
        return
    if not draft.contents.width:
        draft.how.append("a sound has no picture to draw on; an audible label (GB 45438-2025 5.3) was not added")
        return
    if ours and (finding := _already_visible(draft, options)) is not None:
        draft.visible = finding
        draft.how.append("the visible label is there already")
        return
    from labeling.codecs.video.base import Settings

    settings = Settings(film.preset, film.crf)
    scratch = stack.enter_context(files.scratch(goal))
    try:
        if containers.format_named(draft.contents.format).edit == "in place":
            from labeling.codecs.video import mp4

            opened = mp4.opened(draft.data)
            if not isinstance(opened, str):
                _cut(draft, opened, scratch, options, film, settings, stack)
                return
        _remux(draft, scratch, options, film, settings, stack)
    except LabelingError as error:
        raise type(error)(str(error) if name in str(error) else f"{name}: {error}") from error


def _mix_cue(draft: Draft, name: str, goal: Path, stack: contextlib.ExitStack) -> None:
    from labeling.codecs import wav_cue
    from labeling.marks import audible
    from labeling.verification import visible_video

    finding = visible_video.find_explicit_label(draft.data, draft.contents.format, languages=())
    if finding.status is Status.PRESENT:
        draft.visible = finding
        draft.how.append("the audible label is there already")
        return
    scratch = stack.enter_context(files.scratch(goal))
    try:
        files.write_pieces(scratch, wav_cue.mix_cue(draft.data, audible.cue))
    except LabelingError as error:
        raise type(error)(f"{name}: {error}") from error
    draft.data = stack.enter_context(FileBytes(scratch.open("rb"), str(scratch)))
    draft.contents = containers.read(draft.data)
    draft.found = metadata.scan(draft.contents)
    draft.visible = visible_video.find_explicit_label(draft.data, draft.contents.format, languages=())
    draft.how.append("the rhythm short-long-short-short was mixed into the start; all other samples are as before")


def _cut(
    draft: Draft,
    opened: Opened,
    scratch: Path,
    options: Options,
    film: VideoOptions,
    settings: Settings,
    stack: contextlib.ExitStack,
) -> None:
    from labeling.codecs.video import mp4

    assert options.painter is not None
    cut = mp4.paint(
        draft.data, opened, options.painter, film.spans(opened.seconds), scratch,
        reencode=film.reencode, settings=settings, progress=film.progress,
    )  # fmt: skip
    stack.callback(cut.close)
    draft.film = cut.edits
    draft.visible = options.painter.finding(cut.box, *cut.displayed)
    draft.how.append(cut.how)


def _remux(
    draft: Draft, scratch: Path, options: Options, film: VideoOptions, settings: Settings, stack: contextlib.ExitStack
) -> None:
    """Other containers, and fragments, are written anew by FFmpeg's muxers; packets are copied but for the label's."""
    from labeling.codecs.video import remux

    assert options.painter is not None and isinstance(draft.data, FileBytes)
    painted = remux.paint(
        Path(draft.data.name), scratch, draft.contents.format, options.painter, film.spans(draft.contents.seconds),
        reencode=film.reencode, settings=settings, progress=film.progress,
    )  # fmt: skip
    draft.visible = options.painter.finding(painted.box, *painted.displayed)
    draft.how += painted.how
    draft.data = stack.enter_context(FileBytes(scratch.open("rb"), str(scratch)))
    draft.contents = containers.read(draft.data)
    draft.found = metadata.scan(draft.contents)


def _already_visible(draft: Draft, options: Options) -> Finding | None:
    from labeling.verification import visible_video

    finding = visible_video.find_explicit_label(draft.data, draft.contents.format, languages=options.profile.languages)
    return finding if finding.status is Status.PRESENT else None


def write(
    draft: Draft,
    name: str,
    goal: Path,
    label: Label,
    options: Options,
    *,
    values: dict[xmp.Name, str | None] | None = None,
    dry_run: bool = False,
) -> LabeledFile:
    """Write the label's metadata into a copy, sign it, read it back, and give it its name.

    ``values`` are the XMP properties (default: IPTC's, where the format has a place for a packet).
    """
    changes = _changes(draft, label, options, values)
    signer, store = _signer(draft, options), None
    if not (dry_run or draft.painted or options.signer) and files.same_file(Path(name), goal):
        done = _patched(draft, name, goal, changes, label, options)
        if done is not None:
            return done
    pieces = containers.rewrite(draft.data, draft.contents, changes, draft.film)
    place = files.scratch if dry_run else files.staged
    with place(goal) as target:
        files.write_pieces(target, pieces)
        if signer is not None:
            _sign(target, draft, label, signer, options.source_type)
        with FileBytes(target.open("rb"), str(goal)) as result:
            if signer is None and options.signer is not None and options.sidecar:
                store = _sign_beside(result, goal, draft, label, options.signer, options.source_type)
            report_on = _read_back(result, draft, name, label, options, store, checked=signer is None)
        size = target.stat().st_size
    if store is not None and not dry_run:
        files.write_atomically(sidecar_of(goal), [store])
    return LabeledFile(Path(name), goal, label, tuple(draft.how), report_on, size, dry_run)


def _patched(
    draft: Draft, name: str, goal: Path, changes: Changes, label: Label, options: Options
) -> LabeledFile | None:
    """Change an MP4 file where it stands, if it has room for that: no matter how large it is."""
    data = draft.data
    if containers.format_named(draft.contents.format).edit != "in place" or not isinstance(data, FileBytes):
        return None
    from labeling.containers.mp4 import in_place

    change = in_place.patch(data, changes)
    if change is None:
        return None
    with files.explained(goal), in_place.applied(data, change), FileBytes(goal.open("rb"), str(goal)) as result:
        report = _read_back(result, draft, name, label, options, None, checked=True)
    draft.how.append("changed in place, in the free space behind the movie box")
    return LabeledFile(Path(name), goal, label, tuple(draft.how), report, len(data))


def _changes(draft: Draft, label: Label, options: Options, values: dict[xmp.Name, str | None] | None) -> Changes:
    """One AIGC carrier, in the format's home (6.1 c); IPTC's properties in an XMP packet, where there is a place."""
    row = containers.format_named(draft.contents.format)
    found = draft.found
    if values is None:
        is_said = any(finding.value.get("ai") for finding in found.iptc)
        values = {} if is_said else iptc.encode(label, options.source_type)
    drop: list[Block] = []
    kept = False
    for block in found.carriers:
        if block.kind is Kind.XMP:
            if block is not found.packet:
                raise LabelingError(f"a second XMP packet ({block.where}) carries a label; re-save with one packet")
            values = values | {aigc.XMP_NAME: None}
        elif not kept and block.keyword == aigc.FIELD and block.where.startswith(row.home_prefix):
            kept = True  # the new value takes its place
        elif block not in drop:
            drop.append(block)
    packet = found.packet.data if found.packet else None
    new = xmp.update(packet, values) if values and row.has_xmp else None
    if values and not row.has_xmp and any(values.values()):
        draft.how.append(f"{row.title} has no place for IPTC properties: the source type is in the label alone")
    return Changes(new, None, (*drop, *found.c2pa), (aigc.FIELD, aigc.encode(label)))


def _signer(draft: Draft, options: Options) -> Signer | None:
    """Who signs; where the format cannot be signed that is said, since its other labels can still be written."""
    row = containers.format_named(draft.contents.format)
    if options.signer is not None and row.manifest == "beside":
        if not options.sidecar:
            draft.how.append(
                f"not signed: {row.title} has no place for a C2PA manifest; --sidecar puts one beside the file"
            )
        return None
    return options.signer


def _sign(target: Path, draft: Draft, label: Label, signer: Signer, source_type: str) -> None:
    """Sign the copy; a manifest that the source had stays as the parent ingredient."""
    from labeling.marks import credentials

    claim = credentials.Claim.of(label, iptc.VOCABULARY + source_type, pixels_changed=draft.painted)
    parent = draft.source if draft.found.c2pa else None
    with files.scratch(target) as signed:
        with contextlib.ExitStack() as stack:
            streams: list[BinaryIO] = [stack.enter_context(target.open("rb")), stack.enter_context(signed.open("w+b"))]
            before = stack.enter_context(_stream(parent)) if parent is not None else None
            credentials.sign_stream(streams[0], streams[1], draft.contents.media_type, signer, claim, parent=before)
        signed.replace(target)


def _sign_beside(result: FileBytes, goal: Path, draft: Draft, label: Label, signer: Signer, source_type: str) -> bytes:
    """A manifest store for a file of its own beside the film (C2PA 2.2, 11.4: external manifests)."""
    from labeling.marks import credentials

    claim = credentials.Claim.of(label, iptc.VOCABULARY + source_type)
    draft.how.append(f"C2PA manifest beside the file: {sidecar_of(goal).name}")
    with result.stream() as content:
        return credentials.sign_beside(content, draft.contents.media_type, signer, claim)


def _stream(data: Media) -> BinaryIO:
    return data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)


def _read_back(
    result: FileBytes,
    draft: Draft,
    name: str,
    label: Label,
    options: Options,
    store: bytes | None,
    *,
    checked: bool,
) -> Report:
    after = containers.read(result)
    seen = metadata.scan(after)
    if after.problems:
        raise WriteError(f"{name}: the new file does not read back ({after.problems[0]}); please report this file")
    source_type = containers.format_named(after.format).has_xmp and not draft.found.iptc
    image.check_label(seen, label, source_type=source_type and seen.packet is not None)
    if not draft.painted and checked:
        _check_untouched(draft.source, draft.contents, result, after, name)
    findings = [*metadata.findings(after, seen), credentials_of(result, after, seen, None, store)]
    if draft.visible is not None:
        findings.append(draft.visible)
    return conclude(result.name, after, findings, [options.profile], visible=draft.visible is not None)


_SAMPLES, _STEP = 16, 16 << 10


def _check_untouched(source: Media, before: Contents, result: Media, after: Contents, name: str) -> None:
    """The coded media is where it is said to be, and the same at samples of it: the kernel copied it in one piece."""
    same = len(before.coded) == len(after.coded)
    for (a, length), (b, other) in zip(before.coded, after.coded, strict=False):
        same = same and length == other
        last = max(0, length - _STEP)
        for part in range(_SAMPLES if same else 0):
            at = last * part // (_SAMPLES - 1)
            size = min(_STEP, length - at)
            same = same and source[a + at : a + at + size] == result[b + at : b + at + size]
    if not same:
        raise WriteError(f"{name}: the coded media would have changed; nothing was stored, please report this file")
