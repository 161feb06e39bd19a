"""How a run converts pictures, and what its outputs are called: two sources may not have one output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeling.batch.storage import Storage
from labeling.batch.task import Problem, Status
from labeling.containers import formats
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.options import LabelerOptions, options_of
from labeling.options.conversion import ConversionOptions
from labeling.pipelines.converted_name import name_in
from labeling.rules import profile as profile_named

if TYPE_CHECKING:
    from labeling.marks.credentials import Signer

PARALLEL_LOOKUPS = 16
"""Outputs in an object store that are asked about at a time."""


def check_signer_maker(make_signer: object) -> None:
    """Raise :class:`LabelingError` if something else than a function is to make the signer: keys are never sent."""
    if make_signer is not None and not callable(make_signer):
        raise LabelingError(
            "a signer is not sent to other processes",
            hint="give `signer` a function that makes it, such as one that calls Signer.from_pem",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(ConversionOptions):
    """How a run converts pictures: the arguments of :func:`labeling.convert`, which documents them, for all files.

    Args:
        format: png, jpeg, webp, avif, heic, tiff or gif; by default pictures keep their names and formats.
        resize: ``"WIDTHxHEIGHT"`` or one number for the longer side.
        quality: For lossy formats, 1 to 100.
        signer: A function that makes the signer in each worker: keys are never sent to other processes.
        profile: The regime that the results are judged by.
        max_pixels: Larger pictures are refused before they are decoded.
        strict: Refuse what would lose anything.
        keep_times: Give each output its source's times of last access and last change.

    Raises:
        LabelingError: A value that an option cannot have, or there is nothing to do.
    """

    quality: int | None = None
    signer: Callable[[], Signer] | None = None
    profile: str = "cn"
    max_pixels: int = MAX_PIXELS_LABELLED
    strict: bool = False
    keep_times: bool = False

    def __post_init__(self) -> None:
        ConversionOptions.__post_init__(self)
        for name in ("quality", "max_pixels", "strict", "keep_times"):
            options_of(LabelerOptions)[name].check(getattr(self, name))
        if self.format is not None:
            try:
                formats.encoding_named(self.format)
            except UnsupportedFormat as error:
                raise LabelingError(error.message, hint=error.hint) from None
        profile_named(self.profile)
        check_signer_maker(self.signer)
        if self.format is None and self.resize is None and self.quality is None:
            raise LabelingError("nothing says what to convert to", hint="give `format`, `resize` or `quality`")

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for :func:`labeling.convert`, but for the signer."""
        names = ("format", "resize", "quality", "profile", "max_pixels", "strict", "keep_times")
        return {name: getattr(self, name) for name in names}


class OutputNames:
    """What the outputs of a run are called.

    Args:
        target: Where they go.
        format: The format that all get; ``None`` keeps their names.
        source: Where the sources are; ``None`` if none of them is ever gone.
    """

    def __init__(self, target: Storage, format: str | None, source: Storage | None = None) -> None:
        self._target, self._format, self._source = target, format, source

    def is_gone(self, path: str) -> bool:
        """Return whether a source is there no more; ``False`` if that cannot be told."""
        try:
            return self._source is not None and not self._source.exists(path)
        except LabelingError:
            return False

    def name_of(self, path: str) -> str:
        """Return the output's path for a source's path."""
        return name_in(self._format, path)

    def taken(self, names: Sequence[str]) -> set[str]:
        """Return which of these names the target has already; those that it cannot tell of count as taken."""
        if self._target.local or self._target.in_this_process or len(names) < 2:
            return {name for name in names if self._exists(name)}
        with ThreadPoolExecutor(min(PARALLEL_LOOKUPS, len(names))) as pool:
            return {name for name, there in zip(names, pool.map(self._exists, names), strict=True) if there}

    def _exists(self, name: str) -> bool:
        try:
            return self._target.exists(name)
        except LabelingError:
            return True


def same_output(name: str, owner: str) -> Problem:
    """Return why a file is refused whose output would be that of another one.

    Args:
        name: The output.
        owner: The source that was listed first.
    """
    message = (
        f"another file, which was listed first, has the same output ({owner} → {name}); rename one of them, or convert "
        "them into different targets"
    )
    return Problem(Status.REFUSED, "SameOutput", message, (owner, name))
