"""How a pipeline labels: the labeler's parameters, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeling.limits import MAX_PIXELS_LABELLED
from labeling.marks import iptc
from labeling.rules import Profile

if TYPE_CHECKING:
    from labeling.marks.credentials import Signer
    from labeling.marks.visible import LabelPainter


@dataclass(frozen=True, slots=True)
class LabelingOptions:
    """How a pipeline labels, apart from what the label says: the labeler's parameters, resolved.

    Args:
        profile: The regime that the report judges by.
        painter: Draws the visible mark; ``None`` draws none.
        signer: Signs with C2PA; ``None`` leaves the file unsigned.
        source_type: Term of the IPTC Digital Source Type vocabulary.
        exif: Whether to write EXIF Software, DateTime and ImageDescription as well.
        description: The ImageDescription.
        quality: For lossy encodes, 1 to 100; ``None`` is the codec's stated default.
        lossless: Whether WebP, AVIF and HEIC are encoded without loss.
        fast: Whether PNG is compressed in less time, to more bytes.
        max_pixels: Larger pictures are refused before they are decoded.
        sidecar: Whether a video that has no place for a manifest gets one in a file beside it.
        strict: Whether a file is refused whose labelled copy would lose anything.
        times: Times of access and of change, in nanoseconds, that the output gets; ``None`` leaves them to the system.
        change: What a platform does to content that others made, in words. The manifest then says that, and that the
            file was opened, with the source as the parent ingredient: it does not say that we created the content.
    """

    profile: Profile
    painter: LabelPainter | None = None
    signer: Signer | None = None
    source_type: str = iptc.TRAINED
    exif: bool = False
    description: str = ""
    quality: int | None = None
    lossless: bool = False
    fast: bool = False
    max_pixels: int = MAX_PIXELS_LABELLED
    sidecar: bool = False
    strict: bool = False
    times: tuple[int, int] | None = None
    change: str = ""
