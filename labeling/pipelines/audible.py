"""The audible label of audio (GB 45438-2025 5.3): put in front of the sound, unless there is one.

Nobody is told that a file complies in which no such label is: without one, the report says what was looked for.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from labeling import atomic_writes
from labeling.codecs import pyav
from labeling.codecs.cue import CannotPut, Ends, put
from labeling.containers.edits import splice
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.findings import Finding, Status
from labeling.options import VideoOptions
from labeling.options.video import AUTO
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.video_job import VideoJob

if TYPE_CHECKING:
    from labeling.verification.spoken_label import Known

NONE = "none"
NOT_PUT = "no audible label (GB 45438-2025 5.3) was put into the sound"


def is_audio(job: VideoJob) -> bool:
    """Return whether a file has sound and no pictures to draw on."""
    return not job.contents.width


def put_cue(
    job: VideoJob, target: Path, options: LabelingOptions, video: VideoOptions, stack: contextlib.ExitStack
) -> None:
    """Put the audible label into a temporary copy, from which ``job`` goes on; or say why there is none.

    Raises:
        LabelingError: A label was asked for by name, and cannot be put into this file.
    """
    asked = video.audio_cue != AUTO
    cue = str(video.audio_cue) if asked else options.profile.cue
    if options.painter is None and not asked:
        cue = NONE
    if not pyav.installed():
        if asked and cue != NONE:
            pyav.require("an audible label", instead='give `audio_cue="none"`')
        job.visible = _found(job, options)
        job.how.append(f"{NOT_PUT}: that needs PyAV")
        return
    known = _recording(cue, options)
    job.recordings = (known,) if known is not None else ()
    job.visible = finding = _found(job, options)
    if finding.status is Status.PRESENT and (known is None or not _asks_for_words(finding, options)):
        job.how.append("the audible label is there already")
        return
    if cue == NONE:
        why = (
            ", as asked" if asked or options.painter is None else f": the profile {options.profile.name} asks for none"
        )
        job.how.append(f"{NOT_PUT}{why}")
        return
    try:
        _put(job, target, known, video.audio_cue_at, stack)
    except CannotPut as error:
        if asked:
            raise UnsupportedFormat(
                f"an audible label cannot be put into this file: {error.message}",
                hint='convert it to WAV or FLAC first, or give `audio_cue="none"`',
            ) from error
        job.how.append(f"{NOT_PUT}: {error.message}. Convert the file to WAV or FLAC first to get one")


def _put(job: VideoJob, target: Path, known: Known | None, at: str, stack: contextlib.ExitStack) -> None:
    from labeling.marks import audible

    cue_of = audible.cue if known is None else known.cue_of
    placed = put(job.data, job.contents.format, cue_of, Ends(at != "end", at != "start"))
    temporary = stack.enter_context(atomic_writes.temp_beside(target))
    atomic_writes.write_pieces(temporary, splice(job.data, placed.edits))
    mended = job.contents.mended
    job.replace_data(temporary, stack)
    job.how += [each for each in mended if each not in job.contents.mended]
    job.placed, job.meant, job.lost = placed, placed.meant, placed.lost
    places = [words for words, seconds in (("in front of", placed.front), ("behind", placed.behind)) if seconds]
    what = "the rhythm short-long-short-short" if known is None else known.words
    job.how.append(
        f"{what} was put {' and '.join(places)} the sound, which is "
        f"{placed.front + placed.behind:.2f} s longer; the content's own coded sound is as before"
    )


def _asks_for_words(finding: Finding, options: LabelingOptions) -> bool:
    """Return whether the profile asks for a spoken label, and the audible label that was found is a rhythm alone."""
    if options.profile.cue != "spoken":
        return False
    labels = (finding.value, *finding.value.get("beside", ()))
    wanted = set(options.profile.languages)
    said = [each.get("languages", wanted) for each in labels if each.get("kind") == "spoken"]
    return all(wanted.isdisjoint(each) for each in said)


def _recording(cue: str, options: LabelingOptions) -> Known | None:
    """Return the recording that is asked for; ``None`` for the rhythm, and for nothing."""
    if cue in (NONE, "rhythm"):
        return None
    from labeling.marks import spoken
    from labeling.verification import spoken_label

    if cue == "spoken":
        return spoken_label.ours(spoken.language_for(options.profile.languages))
    return spoken_label.from_file(cue)


def _found(job: VideoJob, options: LabelingOptions) -> Finding:
    from labeling.verification import visible_video

    try:
        return visible_video.find_explicit_label(
            job.data,
            job.contents.format,
            languages=options.profile.languages,
            contents=job.contents,
            recordings=job.recordings,
        )
    except LabelingError as error:
        from labeling.verification.unchecked import unchecked

        return unchecked(["visible"], error)[0]
