"""Give the tracks of an image sequence new samples, each in the place of the old one.

Times, edit lists, track headers, handlers and references stay as they are, byte for byte. Items that share the data of
a sample, as the primary one usually does, share it afterwards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from itertools import pairwise

from labeling.containers.edits import Edit
from labeling.containers.heif.meta_box import Location
from labeling.containers.heif.pictures import Pictures
from labeling.containers.heif.repaint import PictureEditor
from labeling.containers.mp4 import samples
from labeling.containers.mp4.movie_box import MoovEdit, grown
from labeling.containers.mp4.offsets import with_offsets
from labeling.containers.mp4.samples import VideoTrack
from labeling.containers.syntax.isobmff import Box, box, children
from labeling.errors import LabelingError

_DEPENDENCIES = (b"sdtp", b"sbgp", b"sgpd", b"csgp", b"subs", b"stsh", b"padb", b"stdp")
"""Tables of how samples depend on each other and what is in them, which is another with new samples."""

INSTEAD = "convert it to MP4, or label it without the visible text (`visible=False`)"


class Sequence:
    """The movie of an image sequence.

    Attributes:
        file: The file.
        moov: The movie box in the file.
        view: Its bytes; offsets in the tracks count from their start.
        tracks: The tracks of pictures, each with its handler type.

    Raises:
        LabelingError: Its tracks cannot be edited.
    """

    def __init__(self, pictures: Pictures) -> None:
        file = pictures.file
        self.file = file
        self.moov = next(each for each in file.boxes if each.type == b"moov")
        self.view = file.view[self.moov.start : self.moov.end]
        inner = Box(b"moov", 0, self.moov.body - self.moov.start, len(self.view))
        tracks = samples.picture_tracks(self.view, inner)
        if isinstance(tracks, str):
            raise LabelingError(f"a label cannot be drawn on the image sequence: {tracks}", hint=INSTEAD)
        for _, track in tracks:
            if len(track.entries) != 1 or b"saiz" in track.tables:
                what = "several sample descriptions" if len(track.entries) > 1 else "encrypted samples"
                raise LabelingError(f"a label cannot be drawn on an image sequence with {what}", hint=INSTEAD)
        self.tracks = tracks

    def property(self, track: VideoTrack, kind: bytes) -> list[bytes]:
        """Return the contents of the boxes of a type in the sample description of a track."""
        return [bytes(self.view[each.body : each.end]) for each in track.entries[0].inside if each.type == kind]

    def references(self, track: VideoTrack, kind: bytes) -> tuple[int, ...]:
        """Return the ids of the tracks that a track refers to (ISO/IEC 14496-12, 8.3.3)."""
        for tref in children(self.view, track.parents[1], b"tref"):
            for each in children(self.view, tref, kind):
                raw = bytes(self.view[each.body : each.end])
                return tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw) - 3, 4))
        return ()


class SequenceEditor(PictureEditor):
    """As :class:`PictureEditor`, with new samples for tracks as well.

    Args:
        pictures: The file.
        sequence: Its movie.
    """

    def __init__(self, pictures: Pictures, sequence: Sequence) -> None:
        super().__init__(pictures)
        self._sequence = sequence
        self._movie: list[MoovEdit] = []
        self._others = list(self._file.tracks)

    def replace_samples(
        self, track: VideoTrack, new: list[bytes], syncs: Collection[int], properties: Mapping[bytes, bytes]
    ) -> None:
        """Replace all samples of a track.

        Args:
            track: The track.
            new: The samples, as many as there were, in the order of display, which is that of decoding as well.
            syncs: At which of them decoding may start.
            properties: Boxes of the sample description to replace, by type, with their new contents. A ``colr`` box
                replaces one of the same colour type only.

        Raises:
            LabelingError: Samples overlap with each other, or with something else.
        """
        table = track.tables.get(b"stco") or track.tables[b"co64"]
        self._others = [each for each in self._others if each.table.start != table.start + self._sequence.moov.start]
        spans = list(zip(track.offsets, track.sizes, strict=True))
        if any(sum(one) > two[0] for one, two in pairwise(sorted(spans))):
            raise LabelingError("the samples of the image sequence overlap", hint=INSTEAD)
        mdats = [each for each in self._file.boxes if each.type == b"mdat"]
        bodies = [each.body for each in mdats]
        for (at, size), data in zip(spans, new, strict=True):
            index = bisect_right(bodies, at) - 1
            home = mdats[index] if index >= 0 and at + size <= mdats[index].end else None
            if home is None or not size:
                raise LabelingError("samples of the image sequence are outside its mdat boxes", hint=INSTEAD)
            self._resizes.append((at, at + size, data))
            self._growth[home.start] = self._growth.get(home.start, 0) + len(data) - size
        self._follow(dict(zip(spans, new, strict=True)))
        self._tables(track, new, syncs)
        around = (*track.parents, track.tables[b"stsd"], track.entries[0].box)
        for each in track.entries[0].inside:
            body = properties.get(each.type)
            if body is not None and (
                each.type != b"colr" or self._sequence.view[each.body : each.body + 4] == body[:4]
            ):
                self._movie.append(MoovEdit(each.start, each.end, box(each.type, body), around))

    def shared(self, track: VideoTrack, number: int) -> int | None:
        """Return which sample of a track an item shares the data of, if it does."""
        spans = self._spans(number)
        found = zip(track.offsets, track.sizes, strict=True)
        return next((index for index, span in enumerate(found) if [span] == spans), None)

    def _follow(self, replaced: dict[tuple[int, int], bytes]) -> None:
        """Give items that share a sample its new length; their offset follows by itself.

        Nothing else may use these bytes.
        """
        size = len(self._view)
        ordered = sorted(replaced)
        starts = [at for at, _ in ordered]

        def is_cut(at: int, length: int) -> bool:
            index = bisect_right(starts, at)
            return (index > 0 and sum(ordered[index - 1]) > at) or (index < len(starts) and starts[index] < at + length)

        for meta in (self._meta, *self._file.inner):
            for number, location in list(meta.locations.items()):
                spans = meta.spans(location, size)
                if len(spans) == 1 and spans[0] in replaced:
                    at, data = spans[0][0], replaced[spans[0]]
                    meta.locations[number] = Location(number, 0, 0, 0, [(0, at, len(data))])
                elif location.method == 0 and any(is_cut(at, length) for at, length in spans if length):
                    raise LabelingError("an item of the image sequence shares a part of a sample's data", hint=INSTEAD)
        for track in self._others:
            if any(is_cut(at, length) for at, length in track.spans() if length):
                raise LabelingError("tracks of the image sequence share their data", hint=INSTEAD)

    def _tables(self, track: VideoTrack, new: list[bytes], syncs: Collection[int]) -> None:
        stbl = track.parents[-1]

        def put(kind: bytes, table: bytes) -> None:
            old = track.tables.get(kind)
            start, end = (old.start, old.end) if old is not None else (stbl.end, stbl.end)
            if old is not None or table:
                self._movie.append(MoovEdit(start, end, table, track.parents))

        put(b"stsz", samples.size_table(map(len, new)))
        put(b"ctts", samples.shift_table(p - d for p, d in zip(sorted(track.pts), track.dts, strict=True)))
        put(b"stss", b"" if len(syncs) == len(new) else samples.sync_table(sorted(syncs)))
        for kind in _DEPENDENCIES:
            for each in children(self._sequence.view, stbl, kind):
                self._movie.append(MoovEdit(each.start, each.end, b"", track.parents))

    def _meta_edit(self) -> Edit:
        moov = self._sequence.moov
        movie = grown(bytes(self._sequence.view), self._movie)
        if not self._movie:
            return super()._meta_edit()
        self._resizes.append((moov.start, moov.end, movie))  # of the right size; its offsets follow
        made = super()._meta_edit()
        inner = [
            MoovEdit(start - moov.start, end - moov.start, data, ()) for start, end, data in super()._inner_edits()
        ]
        try:
            moved = with_offsets(grown(bytes(self._sequence.view), [*self._movie, *inner]), self._moved)
        except OverflowError:
            raise LabelingError("a chunk offset no longer fits its 32 bits", hint="re-save the file") from None
        self._resizes[-1] = (moov.start, moov.end, moved)
        return made

    def _inner_edits(self) -> list[Edit]:
        return [] if self._movie else super()._inner_edits()

    def _track_edits(self) -> list[Edit]:
        return [] if self._movie else super()._track_edits()
