"""How a visible label looks, as the user wishes it, within what the standard allows."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.errors import LabelingError
from labeling.limits import MIN_HEIGHT_RATIO
from labeling.options.declare import Option, check_options

POSITIONS = ("top-left", "top", "top-right", "right", "bottom-right", "bottom", "bottom-left", "left")
"""GB 45438-2025 5.2: at an edge or a corner of the picture."""

PLATES = ("auto", "on", "off")

ICONS = ("none", "basic", "generated", "modified")

PNG = b"\x89PNG\r\n\x1a\n"
"""What a PNG file begins with."""

MAX_ICON = 4 << 20
"""Bytes of an icon's file."""

LANGUAGES = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv", "mt", "nl", "pl",
    "pt", "ro", "sk", "sl", "sv",
)  # fmt: skip
"""The official languages of the European Union (ISO 639-1), in which its Code of Practice's wording is known."""

_WORDING = "AI生成"

_TABLE = "visible"


@dataclass(frozen=True, slots=True)
class Style:
    """The look of a visible label (GB 45438-2025 5.2).

    Args:
        text: Wording, one line of 1 to 200 characters. It needs an AI element and a generation element.
        language: One of :data:`LANGUAGES`: the wording of the EU's Code of Practice in that language instead of
            ``text``, such as "AI GENERIERT"; the word for MODIFIED where the source type is a composite.
        position: An edge or corner of the picture: one of :data:`POSITIONS`.
        height_ratio: Ink height of the smallest ideograph against the picture's shortest side, 0.05 to 0.5.
        margin_ratio: Distance from the edge against the shortest side, 0 to 0.3.
        opacity: Opacity of the text, 0.1 to 1; raised where the contrast would fall below 4.5 : 1.
        plate: A plate behind the text: "auto" (only where the picture needs one), "on", or "off" (an outline where the
            picture needs one).
        color: Colour of the text as "#rrggbb"; "" is white or black, as the picture needs.
        font: A font file's bytes; ``None`` is the font that comes with the package.
        logo: A picture file's bytes, set beside the text.
        icon: The capitals "AI" in a rounded frame beside the text, in its colour and opacity: one of :data:`ICONS`; or
            a PNG file's bytes, an icon of your own.

    Raises:
        LabelingError: A value is of a wrong type or out of bounds.

    Example:
        >>> import labeling
        >>> style = labeling.Style(text="示例AI生成", position="top-left", plate="on")
        >>> labeler = labeling.Labeler("my-service", style=style)
        >>> labeling.Style(height_ratio=0.01)
        Traceback (most recent call last):
        labeling.errors.LabelingError: `height_ratio` must be a number from 0.05 to 0.5, not 0.01 (GB 45438-2025 5.2 \
asks for at least 0.05)
    """

    text: str = field(
        default=_WORDING,
        metadata=Option(
            help="Wording of the visible label; it needs an AI element and a generation element",
            longest=200, table=_TABLE, metavar="T",
        ).metadata,
    )  # fmt: skip
    language: str = field(
        default="",
        metadata=Option(
            help="Language of the EU's wording on the visible label, such as de, instead of a text: AI with GENERATED "
            "or MODIFIED",
            unset="the profile's own text", pattern=f"({'|'.join(LANGUAGES)})?",
            wanted=f"one of {', '.join(LANGUAGES)}", table=_TABLE, flag="--lang", metavar="LANG",
        ).metadata,
    )  # fmt: skip
    position: str = field(
        default="bottom-right",
        metadata=Option(help="Where the visible label is", choices=POSITIONS, table=_TABLE).metadata,
    )
    height_ratio: float = field(
        default=0.056,
        metadata=Option(
            help="Text height, as a part of the shortest side", low=MIN_HEIGHT_RATIO, high=0.5,
            why="GB 45438-2025 5.2 asks for at least 0.05", table=_TABLE, key="height", flag="--height", metavar="R",
        ).metadata,
    )  # fmt: skip
    margin_ratio: float = field(
        default=0.025,
        metadata=Option(
            help="Distance from the edge, as a part of the shortest side", low=0.0, high=0.3,
            table=_TABLE, key="margin", flag="", set_by="[visible] margin in aigc-label.toml",
        ).metadata,
    )  # fmt: skip
    opacity: float = field(
        default=1.0,
        metadata=Option(
            help="Opacity of the text", low=0.1, high=1.0, why="less would not be legible", table=_TABLE, metavar="A"
        ).metadata,
    )
    plate: str = field(
        default="auto",
        metadata=Option(help="A plate behind the text (auto: where needed)", choices=PLATES, table=_TABLE).metadata,
    )
    color: str = field(
        default="",
        metadata=Option(
            help="Colour of the text", unset="white or black, as the picture needs",
            pattern="(#[0-9a-fA-F]{6})?", wanted="a colour written #rrggbb", table=_TABLE, example="#ffffff",
            metavar="#RRGGBB",
        ).metadata,
    )  # fmt: skip
    font: bytes | None = field(
        default=None,
        metadata=Option(
            help="Font file to draw the text with", is_file=True, table=_TABLE, example="fonts/Brand.otf",
            metavar="FILE",
        ).metadata,
    )  # fmt: skip
    logo: bytes | None = field(
        default=None,
        metadata=Option(
            help="Picture to set beside the text (PNG)", is_file=True, table=_TABLE, example="logo.png", metavar="FILE"
        ).metadata,
    )

    icon: str | bytes = field(
        default="none",
        metadata=Option(
            help='Icon beside the text, "AI" in a rounded frame: none, basic, generated or modified; or a PNG file',
            choices=ICONS, or_file=PNG, table=_TABLE, metavar="ICON",
        ).metadata,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        if isinstance(self.icon, bytes) and len(self.icon) > MAX_ICON:
            raise LabelingError("the file given as `icon` has more than 4 MiB", hint="give a smaller picture")
        if self.logo is not None and self.icon != "none":
            raise LabelingError("`logo` and `icon` exclude each other: there is one place beside the text")
        if self.language and self.text != _WORDING:
            raise LabelingError("`text` and `language` exclude each other: a language brings its own wording")

    @property
    def ink(self) -> tuple[int, int, int] | None:
        """``color`` as 8-bit sRGB; ``None`` if it is left to the picture."""
        if not self.color:
            return None
        value = int(self.color[1:], 16)
        return value >> 16, value >> 8 & 255, value & 255
