"""The options of a conversion."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.errors import LabelingError
from labeling.options.declare import Option, check_options

MAX_SIDE = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """How :func:`labeling.convert` changes a picture.

    Raises:
        LabelingError: A value that an option cannot have. The message names the option.
    """

    format: str | None = field(
        default=None,
        metadata=Option(
            help="Format of the output: png, jpeg, webp, avif, heic, tiff or gif",
            unset="by the output's name, else that of the source", metavar="F",
        ).metadata,
    )  # fmt: skip
    resize: str | None = field(
        default=None,
        metadata=Option(
            help="Fit the picture into WIDTHxHEIGHT pixels, or its longer side into one number; proportions stay, and "
            "small pictures grow",
            pattern=r"\s*\d{1,5}\s*([xX×]\s*\d{1,5}\s*)?", wanted="WIDTHxHEIGHT, such as 1920x1080, or one number",
            metavar="WxH|LONGSIDE",
        ).metadata,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        self.box  # noqa: B018 - it checks the numbers

    @property
    def box(self) -> tuple[int, int] | None:
        """Width and height that the picture is fitted into; ``None`` leaves its size."""
        if self.resize is None:
            return None
        numbers = [int(each) for each in self.resize.lower().replace("×", "x").split("x")]
        if not all(0 < number <= MAX_SIDE for number in numbers):
            raise LabelingError(f"`resize` must be from 1 to {MAX_SIDE} pixels, not {self.resize!r}")
        return numbers[0], numbers[-1]
