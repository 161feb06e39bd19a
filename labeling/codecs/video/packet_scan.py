"""Scan the packets of a video once, to find the groups of pictures that an overlay touches. Nothing is decoded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from labeling.codecs.video.base import Codec, Join, Packet, Reordering, Spans

HEAD = 24
"""Packets kept from the beginning: enough to decode a picture from, whatever the order of decoding."""


SETS = 2048
"""Bytes at the beginning of a packet in which parameter sets are looked for."""


class RawPacket(NamedTuple):
    """A packet as a demuxer returns it; a duration of 0 is unknown."""

    pts: int | None
    dts: int | None
    duration: int
    data: bytes


@dataclass(slots=True)
class Scan:
    """The result of a scan.

    Attributes:
        plan: When the overlay is to be shown.
        tick: Length of a tick in seconds.
        step: Ticks of one picture at the nominal rate.
        runs: The packets to re-encode, as ranges of packet numbers, end exclusive; an end of ``None`` is that of the
            video.
        ranges: The same in ticks: pts of the first picture of the run, and pts of the first one behind it.
        head: The first packets.
        first: pts of the picture that is shown first.
        last: pts at which the video ends, as far as it was scanned.
        timed: Whether every packet has a pts.
        intra: Whether every packet is a clean join.
        clean: Whether the first packet is a clean join.
        opened: Whether there are joins behind the overlay that cannot be used, as pictures after them refer back.
        depth: How many pictures may be decoded ahead of their display; see :class:`Reordering`.
        lead: Number of packets before the first one with a dts, and that dts.
        seen: For each span of the plan that has pictures: pts of the first one, pts of the end of the last one, and
            pts of the first one behind it.
        sets: Parameter sets in packets that the stream's configuration does not have, as in clips that were joined.
    """

    plan: Spans
    tick: Fraction
    step: int
    runs: list[tuple[int, int | None]] = field(default_factory=list)
    ranges: list[tuple[int, int | None]] = field(default_factory=list)
    head: list[Packet] = field(default_factory=list)
    first: int = 0
    last: int = 0
    timed: bool = True
    intra: bool = True
    clean: bool = True
    opened: bool = False
    depth: int = 0
    lead: tuple[int, int] = (0, 0)
    seen: list[tuple[int, int, int | None]] = field(default_factory=list)
    sets: dict[bytes, None] = field(default_factory=dict)

    def wanted(self, pts: int) -> bool:
        """Return whether the picture at a pts gets the overlay."""
        return any(low <= pts and (high is None or pts < high) for low, high in self.limits)

    @property
    def limits(self) -> list[tuple[int, int | None]]:
        """The plan in ticks: (first pts, pts behind the end or ``None``) of each span."""
        return [(self._at(start), None if end is None else self._at(end)) for start, end in self.plan]

    def _at(self, seconds: float) -> int:
        return self.first + math.ceil(Fraction(seconds).limit_denominator(1_000_000) / self.tick)

    def seconds(self, pts: int) -> float:
        """Convert a pts to seconds from the first shown picture."""
        return float((pts - self.first) * self.tick)

    def dts(self, number: int, dts: int | None, before: int | None) -> int:
        """Return the dts of a packet, or a fitting one if it has none, as the first ones of Matroska.

        Args:
            number: The number of the packet.
            dts: What the demuxer says.
            before: The dts of the packet before it.
        """
        if dts is not None:
            return dts
        if before is not None and number >= self.lead[0]:
            return before
        return self.lead[1] - (self.lead[0] - number)

    def spans(self) -> tuple[tuple[float, float], ...]:
        """Return (start, end) in seconds of each time at which the overlay is shown."""
        return tuple(
            (self.seconds(low), self.seconds(high if behind is None else behind)) for low, high, behind in self.seen
        )


def scan_packets(raws: Iterable[RawPacket], codec: Codec, scan: Scan, *, partial: bool) -> Scan:
    """Scan packets in the order of decoding, up to a clean join behind the plan, or to the end.

    Args:
        raws: The packets of the video.
        codec: What finds the joins.
        scan: Receives the result.
        partial: Look for joins. Otherwise one run covers the whole video.
    """
    pieces = _Pieces(scan, codec, partial)
    known = set(codec.configured)
    for raw in raws:
        if known:  # otherwise all are in band
            scan.sets |= dict.fromkeys(each for each in codec.sets_in(raw.data[:SETS]) if each not in known)
        if codec.hidden(raw.data):
            pieces.number += 1
        elif pieces.add(*raw):
            return pieces.closed(whole=False)
    return pieces.closed(whole=True)


class _Pieces:
    """Divides the packets at clean joins into pieces, and keeps those that the plan touches."""

    def __init__(self, scan: Scan, codec: Codec, partial: bool) -> None:
        self.scan, self.codec, self.partial = scan, codec, partial
        self.order = Reordering()
        self.limits: list[tuple[int, int | None]] = []
        self.early: list[tuple[int, int]] = []  # pts and end of pictures, until it is known which is shown first
        self.start, self.begin, self.touched = 0, 0, False  # of the current piece
        self.seen: dict[int, tuple[int, int, int | None]] = {}
        self.known: int | None = None
        self.late: list[int] = []  # pts of packets before the first dts
        self.number = -1

    def add(self, pts: int | None, dts: int | None, duration: int, data: bytes) -> bool:
        """Add one packet, and return whether the scan may stop."""
        scan = self.scan
        self.number += 1
        if pts is None:
            scan.timed = False
            pts = dts if dts is not None else 0
        self._reorder(pts, dts)
        joint = self.codec.join(data) if self.partial else Join.NONE
        scan.intra &= joint is Join.CLEAN
        if self.number == 0:
            scan.clean = joint is Join.CLEAN
        if len(scan.head) < HEAD:
            scan.head.append(Packet(pts, dts if dts is not None else pts, joint is not Join.NONE, data))
        if joint is Join.CLEAN and self.number > 0:
            self._close(pts)
            if scan.clean and self._behind(pts):
                self._place(pts, pts)
                return True
        elif joint is Join.OPEN and self.touched and self._behind(pts):
            scan.opened = True
        self._place(pts, pts + (duration or scan.step))
        return False

    def _reorder(self, pts: int, dts: int | None) -> None:
        if self.known is None and dts is None:
            self.late.append(pts)
            return
        if self.known is None and dts is not None:
            self.scan.lead = (self.number, dts)
            for index, other in enumerate(self.late):
                self.order.add(other, dts - len(self.late) + index)
        self.known = self.known if dts is None else dts
        self.order.add(pts, self.known or 0)

    def _place(self, pts: int, end: int) -> None:
        """Find the spans of a picture. Which one is shown first is known once enough came for any reordering."""
        self.scan.last = max(self.scan.last, end) if self.number else end
        if not self.limits:
            self.early.append((pts, end))
            if len(self.early) >= HEAD:
                self._settle()
            return
        for index, (low, high) in enumerate(self.limits):
            if pts < low:
                continue
            inside = high is None or pts < high
            first, last, behind = self.seen.get(index, (pts, pts, None))
            if inside:
                self.seen[index] = (min(first, pts), max(last, end), behind)
                self.touched = True
            elif index in self.seen:
                self.seen[index] = (first, last, pts if behind is None else min(behind, pts))

    def _settle(self) -> None:
        self.scan.first = self.begin = min((pts for pts, _ in self.early), default=0)
        self.limits = self.scan.limits
        early, self.early = sorted(self.early), []
        last = self.scan.last
        for pts, end in early:
            self._place(pts, end)
        self.scan.last = max(self.scan.last, last)

    def _close(self, pts: int) -> None:
        """End the current piece before the join at ``pts``."""
        if not self.limits:
            self._settle()
        if self.touched:
            runs, ranges = self.scan.runs, self.scan.ranges
            if runs and runs[-1][1] == self.start:
                runs[-1], ranges[-1] = (runs[-1][0], self.number), (ranges[-1][0], pts)
            else:
                runs.append((self.start, self.number))
                ranges.append((self.begin, pts))
        self.start, self.begin, self.touched = self.number, pts, False

    def _behind(self, pts: int) -> bool:
        return all(high is not None and pts >= high for _, high in self.limits)

    def closed(self, *, whole: bool) -> Scan:
        """End the last piece, which reaches to the end of the video if ``whole``, and return the result."""
        if not self.limits:
            self._settle()
        if whole and (self.touched or not self.partial):
            self.touched = True
            self.number += 1
            self._close(self.scan.last)
            self.scan.runs[-1] = (self.scan.runs[-1][0], None)
            self.scan.ranges[-1] = (self.scan.ranges[-1][0], None)
        self.scan.depth = self.order.depth()
        self.scan.seen = [self.seen[index] for index in sorted(self.seen)]
        return self.scan
