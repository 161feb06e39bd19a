"""The parameters of a labeler."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.label import AI_TERMS, Origin
from labeling.limits import MAX_PIXELS_LABELLED
from labeling.options.declare import Option, check_options
from labeling.options.style import Style
from labeling.options.video import VideoOptions


@dataclass(frozen=True)
class LabelerOptions:
    """The parameters of :class:`labeling.Labeler`, which describes them, and knows the types of its keys."""

    producer: str = field(
        metadata=Option(
            help="Who provides the service: a provider code (27 characters, TC260-PG-20252A) or a name",
            pattern=r"(?s).*\S.*", wanted="text that is not empty", table="", metavar="CODE",
        ).metadata
    )  # fmt: skip
    profile: str = field(
        default="cn",
        metadata=Option(
            help="Which rules apply: cn (GB 45438-2025), eu (AI Act Art. 50 and its Code of Practice), eu-art50 "
            "(the Act alone), us-ca (California), us-wa (Washington), in (India), kr (Korea), or a file of your own",
            table="", flag="--profile",
        ).metadata,
    )  # fmt: skip
    signer: object | None = field(
        default=None,
        metadata=Option(
            help="Signs content credentials (C2PA)", flag="", set_by="--signer-cert and --signer-key"
        ).metadata,
    )
    style: Style | None = field(
        default=None, metadata=Option(help="How the visible label looks", flag="", set_by="[visible]").metadata
    )
    visible: bool = field(
        default=True,
        metadata=Option(
            help="Metadata only: the pixels stay untouched",
            in_file="Whether there is a visible label",
            table="visible",
            key="enabled",
        ).metadata,
    )
    generator: str = field(
        default="",
        metadata=Option(
            help="System that makes the content: IPTC AISystemUsed, C2PA softwareAgent", table="generator", key="name",
            example="example-diffusion", metavar="NAME",
        ).metadata,
    )  # fmt: skip
    generator_version: str = field(
        default="",
        metadata=Option(
            help="Its version, which California asks for", table="generator", key="version", example="3.1",
            metavar="V",
        ).metadata,
    )  # fmt: skip
    provider_name: str = field(
        default="",
        metadata=Option(
            help="Provider's name in plain words, for regimes that ask for it (California)", table="",
            example="Example AI Ltd.", metavar="NAME",
        ).metadata,
    )  # fmt: skip
    origin: Origin = field(
        default=Origin.GENERATED,
        metadata=Option(
            help="How certain it is that the content is generated: 1 certain, 2 possible, 3 suspected",
            choices=tuple(str(origin) for origin in Origin), table="",
        ).metadata,
    )  # fmt: skip
    source_type: str = field(
        default=AI_TERMS[0],
        metadata=Option(help="IPTC digital source type", choices=AI_TERMS, table="generator").metadata,
    )
    exif: bool = field(
        default=False,
        metadata=Option(help="Write EXIF Software, DateTime and ImageDescription as well", table="embedded").metadata,
    )
    description: str = field(
        default="", metadata=Option(help="Text of EXIF ImageDescription", table="embedded", metavar="T").metadata
    )
    quality: int | None = field(
        default=None,
        metadata=Option(
            help="Quality of pictures that have to be encoded again with loss", unset="stated for each format",
            low=1, high=100, table="limits", example=92, metavar="N",
        ).metadata,
    )  # fmt: skip
    max_pixels: int = field(
        default=MAX_PIXELS_LABELLED,
        metadata=Option(
            help="Larger pictures are refused before they are decoded", low=1, table="limits", metavar="N"
        ).metadata,
    )
    compression: str = field(
        default="normal",
        metadata=Option(
            help="How what is encoded as PNG is compressed: fast saves time where more than a small part of a file "
            "is, and makes files larger, smooth pictures most",
            choices=("normal", "fast"), table="limits",
        ).metadata,
    )  # fmt: skip
    video: VideoOptions | None = field(
        default=None,
        metadata=Option(help="When the visible label of a video is there", flag="", set_by="[video]").metadata,
    )
    sidecar: bool = field(
        default=False,
        metadata=Option(
            help="Write the C2PA manifest of a video that cannot hold one beside it, as NAME.c2pa", table="c2pa"
        ).metadata,
    )
    strict: bool = field(
        default=False,
        metadata=Option(
            help="Refuse a file of which anything would be lost, and write nothing", table="limits"
        ).metadata,
    )
    keep_times: bool = field(
        default=False,
        metadata=Option(
            help="Give the output the times of the source: those of its last access and last change", table=""
        ).metadata,
    )
    security_key: object | None = field(
        default=None,
        repr=False,
        metadata=Option(
            help="Signs security data (TC260-PG-202511A)", flag="", set_by="[security] sm2_key in aigc-label.toml"
        ).metadata,
    )

    def __post_init__(self) -> None:
        check_options(self)
        for name, kind in (("style", Style), ("video", VideoOptions)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                Option(help="", name=name, types=(kind,), wanted=f"a {kind.__name__}").check(value)
        object.__setattr__(self, "origin", Origin(self.origin))
