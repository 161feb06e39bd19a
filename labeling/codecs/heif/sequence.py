"""Paint on image sequences in AVIF and HEIC files (ISO/IEC 23008-12, 7; AVIF, 3).

Every picture of the track is re-encoded, and takes the place of the old one, so that times, loops and all other tracks
stay. Of an alpha track the samples change only if something under the label is transparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.heif import planes, sequence_coding, shown
from labeling.codecs.heif.items import ALPHA_TOO, GRAIN, MATRIX, Items, Written, colr_of
from labeling.codecs.heif.planes import Planes
from labeling.codecs.heif.sequence_coding import Made, Source
from labeling.codecs.pixels import check_size, make_plan
from labeling.containers.heif.layout import File
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.sequence import INSTEAD, Sequence, SequenceEditor
from labeling.containers.mp4.samples import VideoTrack
from labeling.containers.syntax.aperture import clean_aperture
from labeling.errors import LabelingError
from labeling.losses import Loss

_CODED = (b"av01", b"hvc1", b"hev1")
_GRAINED = "pictures that refer to each other are re-encoded with their grain in the samples"
_ROTATIONS = {(0, False): 1, (90, False): 6, (180, False): 3, (270, False): 8}


@dataclass(slots=True)
class _Track:
    """A track of pictures, and its samples."""

    track: VideoTrack
    source: Source


def paint_sequence(file: File, painter: Painter, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every picture of an image sequence.

    Raises:
        LabelingError: It is made in a way that cannot be labelled.
    """
    if file.meta is None:
        raise LabelingError("a label cannot be drawn on an image sequence without a meta box", hint=INSTEAD)
    pictures = Pictures(file, file.meta)
    sequence = Sequence(pictures)
    main, alpha = _tracks(sequence)
    width, height = main.track.entries[0].width, main.track.entries[0].height
    count = len(main.source.samples)
    check_size(width, height, count, max_pixels=max_pixels)
    job = _Job(sequence, main, alpha, max_pixels)
    rect, orientation = _shown(sequence, main.track)
    editor = SequenceEditor(pictures, sequence)
    tracks = [each for each in (main, alpha) if each is not None]
    items = Items(pictures, quality, max_pixels)
    shared = _label_items(items, editor, tracks, (rect, orientation), painter)
    plan = make_plan(painter, rect[2] - rect[0], rect[3] - rect[1], orientation)
    left, top, _, _ = rect
    stored = plan.stored
    job.box = (stored[0] + left, stored[1] + top, stored[2] + left, stored[3] + top)
    job.overlay = plan.overlay(painter, job.backdrops())
    found = [(main, sequence_coding.encoded(main.source, job.painted, job.first, quality))]
    if alpha is not None and job.clear:
        found.append((alpha, sequence_coding.encoded(alpha.source, job.painted_alpha, job.first_alpha, quality)))
    title = "AVIF" if main.source.kind == b"av01" else "HEIC"
    ratio = sum(sum(map(len, made.samples)) for _, made in found) / sum(each.source.size for each, _ in found)
    how = f"{title} sequence of {count} pictures re-encoded ({found[0][1].words}, {ratio:.2f} times the bytes)"
    how += f"; {ALPHA_TOO}" if len(found) > 1 else ""
    written = items.write(editor) if items.changed else Written("", True, {})
    for each, made in found:
        _replace(editor, each, made, [(item, at) for item, (track, at) in shared.items() if track is each], written)
    result = b"".join(editor.pieces())
    exact = written.lossless and all(made.lossless for _, made in found)
    how += f"; {written.how}" if written.how else ""
    lost = [*written.lost]
    lost += [Loss(GRAIN, f"{title} track {each.track.number}", _GRAINED) for each, made in found if made.grained]
    return Painted(result, plan.box, plan.width, plan.height, count, exact, how, written.reasons, tuple(lost))


def _label_items(
    items: Items, editor: SequenceEditor, tracks: list[_Track], as_shown: tuple[Box, int], painter: Painter
) -> dict[int, tuple[_Track, int]]:
    """Label the pictures that are stored beside the tracks.

    Returns:
        The items that share their data with a sample, and so get that of the new one: the track and the sample.
    """
    pictures = items.pictures
    shared: dict[int, tuple[_Track, int]] = {}
    for number in pictures.meta.items:
        for track in tracks:
            if (at := editor.shared(track.track, number)) is not None:
                shared[number] = (track, at)
    done = set()
    for number in pictures.masters():
        picture = shown.read(pictures, number, items.max_pixels)
        if picture.item in done:
            continue
        done.add(picture.item)
        if picture.item in shared and (picture.rect, picture.orientation) != as_shown:
            raise LabelingError(
                "the image sequence is cut or turned in another way than its primary picture", hint=INSTEAD
            )
        items.label(picture, painter)
    for number in shared:
        items.changed.pop(number, None)
    return shared


def _replace(editor: SequenceEditor, each: _Track, made: Made, shared: list[tuple[int, int]], written: Written) -> None:
    """Put new samples in the place of the old ones, and describe them."""
    source = each.source
    new = {(b"av1C" if source.kind == b"av01" else b"hvcC"): made.configuration}
    if made.colour is not None and source.nclx is not None:
        new[b"colr"] = colr_of(source.nclx, made.colour)
        written.reasons["track:picture:1:colr"] = written.reasons["colour:nclx"] = MATRIX
    order = sorted(each.track.pts)  # new samples are stored in the order of display
    if any(at not in made.syncs or each.track.pts[at] != order[at] for _, at in shared):
        raise LabelingError("an item of the image sequence shares the data of a later picture", hint=INSTEAD)
    editor.replace_samples(each.track, made.samples, made.syncs, new)
    for kind, body in new.items():
        editor.set_property([item for item, _ in shared], kind, body, like=b"nclx" if kind == b"colr" else b"")


def _tracks(sequence: Sequence) -> tuple[_Track, _Track | None]:
    """Return the track that is shown, and its alpha track."""
    shown_tracks = [track for kind, track in sequence.tracks if kind == b"pict"]
    if len(shown_tracks) != 1:
        raise LabelingError(
            f"a label cannot be drawn on an image sequence with {len(shown_tracks)} tracks of pictures", hint=INSTEAD
        )
    main = shown_tracks[0]
    alphas = [
        track for kind, track in sequence.tracks
        if kind == b"auxv" and main.number in sequence.references(track, b"auxl")
        and any(shown.is_alpha_urn(body[4:]) for body in sequence.property(track, b"auxi"))
    ]  # fmt: skip
    if len(alphas) > 1 or (
        alphas and (len(alphas[0].sizes), sorted(alphas[0].pts)) != (len(main.sizes), sorted(main.pts))
    ):
        raise LabelingError("the alpha track of the image sequence has times of its own", hint=INSTEAD)
    return _Track(main, _source(sequence, main)), _Track(alphas[0], _source(sequence, alphas[0])) if alphas else None


def _source(sequence: Sequence, track: VideoTrack) -> Source:
    entry = track.entries[0]
    if entry.tag not in _CODED or not entry.config_data:
        name = entry.tag.decode("latin-1").encode("unicode_escape").decode()
        raise LabelingError(f"a label cannot be drawn on an image sequence coded as {name}", hint=INSTEAD)
    samples = [bytes(sequence.file.view[at : at + size]) for at, size in zip(track.offsets, track.sizes, strict=True)]
    if not samples:
        raise LabelingError("the image sequence has no pictures", hint=INSTEAD)
    nclx = None
    for body in sequence.property(track, b"colr"):
        if body[:4] == b"nclx" and len(body) >= 11:
            codes = [int.from_bytes(body[at : at + 2], "big") for at in (4, 6, 8)]
            nclx = codes[0], codes[1], codes[2], bool(body[10] & 0x80)
    return Source(entry.tag, samples, entry.config_data, nclx, _gap(sequence, track))


def _gap(sequence: Sequence, track: VideoTrack) -> int:
    """Return how far apart key frames may be: as near as those of the source, and 1 if there are no others."""
    count = len(track.sizes)
    for body in sequence.property(track, b"ccst"):  # ISO/IEC 23008-12, 7.2.3
        if len(body) >= 5 and (body[4] & 0x80 or not body[4] >> 2 & 15):  # only intra pictures are referred to
            return 1
    if track.sync is None or len(track.sync) >= count:
        return 1
    keys = sorted(track.sync)
    return max(1, min((later - key for key, later in pairwise(keys)), default=count))


def _shown(sequence: Sequence, track: VideoTrack) -> tuple[Box, int]:
    """Return the part of the pictures that is shown, and the orientation that readers give it."""
    entry = track.entries[0]
    rect: Box = (0, 0, entry.width, entry.height)
    turned: list[tuple[str, int]] = []
    for each in entry.inside:
        body = bytes(sequence.view[each.body : each.end])
        if each.type == b"clap" and not turned:
            rect = clean_aperture(body, entry.width, entry.height)
        elif each.type in (b"irot", b"imir") and body:
            turned.append((each.type.decode(), body[0] & (3 if each.type == b"irot" else 1)))
    orientation = shown.orientation(turned)
    matrix = _ROTATIONS.get((track.rotation, track.mirrored), 0)
    if matrix != 1 and (not matrix or orientation not in (1, matrix)):
        raise LabelingError("the track of the image sequence is turned in a way that readers differ in", hint=INSTEAD)
    return rect, max(orientation, matrix)


class _Job:
    """The pictures of a sequence, decoded again for each step so that few of them are in memory."""

    def __init__(self, sequence: Sequence, main: _Track, alpha: _Track | None, max_pixels: int) -> None:
        self._main, self._alpha, self._max_pixels = main, alpha, max_pixels
        self._multiplied = bool(sequence.references(main.track, b"prem"))
        self.box: Box = (0, 0, 0, 0)
        self.overlay: Pixels = np.zeros((0, 0, 4), np.uint8)
        self.clear = False
        self.first: Planes
        self.first_alpha: Planes

    def _decoded(self, track: _Track) -> Iterator[Planes]:
        entry = track.track.entries[0]
        for each in sequence_coding.decoded(track.source, self._max_pixels):
            if each.width < entry.width or each.height < entry.height:
                raise LabelingError("the pictures of the image sequence are smaller than its track says", hint=INSTEAD)
            yield each

    def _opacities(self) -> Iterator[Planes | None]:
        if self._alpha is not None:
            yield from self._decoded(self._alpha)
        else:
            while True:
                yield None

    def backdrops(self) -> list[Pixels]:
        """Return what is under the label in each picture: over white and over black, where it is transparent."""
        found: list[Pixels] = []
        for number, (each, above) in enumerate(zip(self._decoded(self._main), self._opacities(), strict=False)):
            rgb = planes.to_rgb(each, self.box)
            grounds: tuple[float, ...] = (1.0,)
            alpha = np.ones((*rgb.shape[:2], 1))
            if above is not None:
                alpha = planes.alpha_of(above, self.box)[..., None]
                if alpha.min() < 1:
                    self.clear, grounds = True, (1.0, 0.0)
            light = rgb if self._multiplied else rgb * alpha
            found += [np.rint(np.clip(light + (1 - alpha) * g, 0, 1) * 255).astype(np.uint8) for g in grounds]
            if not number:
                self.first = each
                if above is not None:
                    self.first_alpha = above
        return found

    def painted(self) -> Iterator[Planes]:
        """Yield the pictures with the label."""
        for each, above in zip(self._decoded(self._main), self._opacities(), strict=False):
            below = None
            if above is not None and not self._multiplied:
                opacity = planes.alpha_of(above, self.box)
                below = opacity if opacity.min() < 1 else None
            planes.paint(each, self.box, self.overlay, below)
            yield each

    def painted_alpha(self) -> Iterator[Planes]:
        """Yield the alpha channel, opaque under the label."""
        for each in self._opacities():
            assert each is not None
            planes.paint_alpha(each, self.box, self.overlay)
            yield each
