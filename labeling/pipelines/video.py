"""The pipeline of video and audio: a file in, a labelled file out, of any size.

The order is that of pictures (spec 5): visible mark, then metadata, then the C2PA signature. Nothing is reported that
was not read back from the new file.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labeling import atomic_writes, containers
from labeling.codecs import pyav
from labeling.containers import Media
from labeling.filebytes import FileBytes
from labeling.findings import Finding, Status
from labeling.options import VideoOptions
from labeling.options.video import AUTO
from labeling.pipelines.audible import NOT_PUT, is_audio, put_cue
from labeling.pipelines.cue_check import BrokenCue
from labeling.pipelines.join_check import BrokenJoin
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile
from labeling.pipelines.source import LabelFor, agreed_label, check_signable, read_contents, require_signer
from labeling.pipelines.video_job import VideoJob, write
from labeling.verification.manifest import store_beside

if TYPE_CHECKING:
    from labeling.codecs.video.base import Settings
    from labeling.codecs.video.mp4 import Opened


def label_video(
    data: Media,
    name: str,
    target: Path,
    label_for: LabelFor,
    options: LabelingOptions,
    video: VideoOptions,
    *,
    dry_run: bool = False,
) -> LabeledFile:
    """Label a video or audio file: its streams stay as they are, but for the pictures under a visible label.

    Args:
        data: The file, open; the caller closes it.
        name: Its path.
        target: The output's path.
        label_for: Makes the label to write; gets our own label that the file carries already, or ``None``.
        options: How to write it.
        video: When the visible label is there, and how pictures are re-encoded.
        dry_run: Do everything, and leave nothing behind.

    Raises:
        LabelConflict: The file carries another provider's label.
        SigningError: It carries a C2PA manifest, and there is no signer.
        LabelingError: It cannot be labelled as asked.
    """
    arguments = data, name, target, label_for, options
    try:
        return _labelled(*arguments, video, dry_run=dry_run)
    except BrokenCue as error:
        if video.audio_cue != AUTO:
            raise
        done = _labelled(*arguments, replace(video, audio_cue="none"), dry_run=dry_run)
        said = f"{NOT_PUT}: {error.message} when that was tried"
        return replace(done, how=(said, *(words for words in done.how if not words.startswith(NOT_PUT))))
    except BrokenJoin:
        if video.reencode != "auto":
            raise
    done = _labelled(*arguments, replace(video, reencode="always"), dry_run=dry_run)
    from labeling.codecs.video.base import AS_ASKED

    why = "since FFmpeg does not play copied pictures right behind new ones"
    return replace(done, how=tuple(words.replace(AS_ASKED, why) for words in done.how))


def _labelled(
    data: Media,
    name: str,
    target: Path,
    label_for: LabelFor,
    options: LabelingOptions,
    video: VideoOptions,
    *,
    dry_run: bool,
) -> LabeledFile:
    contents, found = read_contents(data)
    beside = store_beside(name, contents)
    label = agreed_label(found, label_for)
    require_signer(found, options.signer, beside=beside)
    check_signable(data, contents, options.signer)
    with contextlib.ExitStack() as stack:
        job = VideoJob(data, contents, found, beside)
        if is_audio(job):
            put_cue(job, target, options, video, stack)
        elif options.painter is not None:
            _draw(job, target, options, video, stack)
        return write(job, name, target, label, options, dry_run=dry_run)


def _draw(
    job: VideoJob, target: Path, options: LabelingOptions, video: VideoOptions, stack: contextlib.ExitStack
) -> None:
    """Draw the visible label: in place where the format's editing can do it, else in a re-muxed copy."""
    pyav.require("drawing on video", instead=pyav.WITHOUT)
    if job.found.aigc and (finding := _already_visible(job, options)) is not None:
        job.visible = finding
        job.how.append("the visible label is there already")
        return
    from labeling.codecs.video.base import Settings

    settings = Settings(video.preset, video.crf)
    temporary = stack.enter_context(atomic_writes.temp_beside(target))
    if containers.format_named(job.contents.format).edit == "in place":
        from labeling.codecs.video import mp4

        opened = mp4.opened(job.data)
        if not isinstance(opened, str):
            _paint_in_place(job, opened, temporary, options, video, settings, stack)
            return
    _remux(job, temporary, options, video, settings, stack)


def _paint_in_place(
    job: VideoJob,
    opened: Opened,
    temporary: Path,
    options: LabelingOptions,
    video: VideoOptions,
    settings: Settings,
    stack: contextlib.ExitStack,
) -> None:
    """Paint on an MP4 file's samples; :func:`write` puts the new ones into the copy that it makes."""
    from labeling.codecs.video import mp4
    from labeling.codecs.video.base import bare

    assert options.painter is not None
    painted = mp4.paint(
        job.data, opened, options.painter, video.spans(opened.seconds), temporary,
        reencode=video.reencode, settings=settings, progress=video.progress,
    )  # fmt: skip
    stack.callback(painted.close)
    job.edits = painted.edits
    job.reasons, job.lost = painted.reasons, painted.lost
    job.painter = options.painter
    job.resumes = painted.resumes
    job.visible = options.painter.finding(painted.box, *painted.displayed)
    job.how += [painted.how, *bare(opened.others)]


def _remux(
    job: VideoJob,
    temporary: Path,
    options: LabelingOptions,
    video: VideoOptions,
    settings: Settings,
    stack: contextlib.ExitStack,
) -> None:
    """Re-mux other containers and fragments with FFmpeg; packets are copied but for those under the label."""
    from labeling.codecs.video import remux

    assert options.painter is not None and isinstance(job.data, FileBytes)
    painted = remux.paint(
        Path(job.data.name), temporary, job.contents.format, options.painter, video.spans(job.contents.seconds),
        reencode=video.reencode, settings=settings, progress=video.progress, data=job.data,
    )  # fmt: skip
    job.painter, job.resumes = options.painter, painted.resumes
    job.visible = options.painter.finding(painted.box, *painted.displayed)
    job.how += painted.how
    job.reasons, job.lost = painted.reasons, painted.lost
    job.replace_data(temporary, stack)


def _already_visible(job: VideoJob, options: LabelingOptions) -> Finding | None:
    from labeling.verification import visible_video

    finding = visible_video.find_explicit_label(
        job.data, job.contents.format, languages=options.profile.languages, max_pixels=options.max_pixels
    )
    return finding if finding.status is Status.PRESENT else None
