"""A labelled picture in memory, and the report on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from labeling import containers
from labeling.containers import Buffer, Contents, Kind
from labeling.filebytes import Pieces
from labeling.findings import Finding
from labeling.label import Label
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.preservation import Loss
from labeling.rules import Profile
from labeling.verification import metadata
from labeling.verification.conclusion import conclude
from labeling.verification.manifest import credentials_of
from labeling.verification.report import Report


class LabeledImage:
    """A labelled picture in memory, as :meth:`labeling.Labeler.label_image` returns it.

    Attributes:
        data: The finished file, to store or send. ``bytes(image)`` returns it too.
        label: The :class:`~labeling.Label` that was written.
        how: What was done, in sentences.
        lost: What the source holds and ``data`` does not: a :class:`~labeling.Loss` for each thing.
        media_type: The media type of ``data``, such as ``image/png``.
        report: The verifier's :class:`~labeling.Report` on ``data``, made when it is first asked for.

    Example:
        >>> import labeling
        >>> from PIL import Image
        >>> made = labeling.Labeler("my-service").label_image(Image.new("RGB", (640, 480)), "webp")
        >>> made.media_type, made.report.compliant
        ('image/webp', True)
    """

    def __init__(
        self,
        file: bytes | Pieces,
        label: Label,
        options: LabelingOptions,
        contents: Contents | None = None,
        found: metadata.Found | None = None,
        *,
        media_type: str,
        name: str,
        visible: Finding | None,
        how: Sequence[str],
        lost: Sequence[Loss] = (),
    ) -> None:
        self._file = file
        self.label = label
        self.how = tuple(how)
        self.lost = tuple(lost)
        self._media_type = media_type
        self._options = options
        self._read = contents
        self._scanned = found
        self.name = name
        self._visible = visible

    @cached_property
    def data(self) -> bytes:
        """The finished file, to store or send."""
        return bytes(self._file)

    @property
    def size(self) -> int:
        """The bytes of ``data``."""
        return len(self._file)

    def pieces(self) -> list[Buffer]:
        """Return ``data`` in pieces: of a large TIFF file, most of them are views of the source.

        Returns:
            The pieces, in order; together they are ``data``.
        """
        return [*self._file.views(0, self.size)] if isinstance(self._file, Pieces) else [self._file]

    def __bytes__(self) -> bytes:
        return self.data

    def __repr__(self) -> str:
        return f"<LabeledImage {self.media_type}, {self.size} bytes, {self.label.content_id}>"

    @property
    def media_type(self) -> str:
        """The media type of ``data``."""
        return self._media_type

    @cached_property
    def _contents(self) -> Contents:
        """What is in ``data``: read when the report is asked for, if that has not been necessary before."""
        return self._read or containers.read(self.data)

    @cached_property
    def report(self) -> Report:
        """The verifier's report on ``data``; the visible mark in it is as measured when it was drawn."""
        return self._reported(self.data if self._holds_manifest else b"")()

    def later_report(self) -> Callable[[], Report] | None:
        """Return what makes the report when it is asked for; ``None`` if it would hold on to much until then.

        It keeps what was read back of the metadata, and not the picture.
        """
        if self._holds_manifest or sum(len(block.data) for block in self._contents.blocks) > _KEPT_FOR_REPORT:
            return None
        return self._reported(b"")

    @property
    def _holds_manifest(self) -> bool:
        return any(block.kind is Kind.C2PA for block in self._contents.blocks)

    def _reported(self, data: bytes) -> Callable[[], Report]:
        return partial(_report, self.name, data, self._contents, self._scanned, self._visible, self._options.profile)


_KEPT_FOR_REPORT = 64 << 10
"""Bytes of metadata that a labelled file may hold on to until its report is asked for."""


def _report(
    name: str,
    data: bytes,
    contents: Contents,
    found: metadata.Found | None,
    visible: Finding | None,
    profile: Profile,
) -> Report:
    found = found or metadata.scan(contents)
    findings = [*metadata.findings(contents, found), credentials_of(data, contents, found, None)]
    if visible is not None:
        findings.append(visible)
    return conclude(name, contents, findings, [profile], visible=visible is not None)
