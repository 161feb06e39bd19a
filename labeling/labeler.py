"""The labeler: one configured object that labels pictures in a pipeline or files in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import config as configuration
from labeling import containers, files
from labeling.codecs import MAX_PIXELS
from labeling.errors import LabelingError, SigningError, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.label import Label, Origin, new_content_id
from labeling.pipelines import image
from labeling.pipelines.image import LabeledImage
from labeling.pipelines.output import LabeledFile, settle, store
from labeling.rules import profile as profile_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from labeling._types import Picture
    from labeling.marks.credentials import Signer
    from labeling.marks.security import SecurityKey
    from labeling.marks.visible import Style
    from labeling.pipelines.video import Progress, VideoOptions
    from labeling.pipelines.video_writer import LabeledVideoWriter


@dataclass(frozen=True)
class Labeler:
    """Puts labels on pictures, films and sounds. Immutable, safe to share between threads, cheap to keep.

    ``profile``: cn, eu or us-ca; sets the default wording. ``producer``: provider code (27 characters) or name.
    ``signer``: a :class:`~labeling.marks.credentials.Signer` for C2PA. ``style``: how the visible mark looks;
    ``visible=False`` leaves it out. ``generator``/``generator_version``: the system that made the content.
    ``source_type``: an AI term of the IPTC vocabulary. ``exif``/``description``: write Software, DateTime and
    ImageDescription too. ``quality``: for lossy encodes. ``video``: when and how long the visible label is in a video
    (:class:`~labeling.pipelines.video.VideoOptions`). ``sidecar``: a video whose format has no place for a C2PA
    manifest gets one beside it, ``NAME.c2pa``. ``security_key``: an SM2 key
    (:class:`~labeling.marks.security.Sm2Key`, or what signs like one) for security data in ReservedCode1.
    """

    producer: str
    profile: str = "cn"
    signer: Signer | None = None
    style: Style | None = None
    visible: bool = True
    generator: str = ""
    generator_version: str = ""
    provider_name: str = ""
    origin: Origin = Origin.GENERATED
    source_type: str = "trainedAlgorithmicMedia"
    exif: bool = False
    description: str = ""
    quality: int | None = None
    max_pixels: int = MAX_PIXELS
    video: VideoOptions | None = None
    sidecar: bool = False
    security_key: SecurityKey | None = field(default=None, repr=False)
    _options: image.Options = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        profile = profile_named(self.profile)
        self._label("check")
        _check_source_type(self.source_type)
        painter = None
        if self.visible:
            from labeling.marks.visible import LabelPainter, Style

            style = self.style or Style(text=profile.text)
            painter = LabelPainter(style, languages=profile.languages)
        options = image.Options(
            profile=profile,
            painter=painter,
            signer=self.signer,
            source_type=self.source_type,
            exif=self.exif,
            description=self.description,
            quality=self.quality,
            max_pixels=self.max_pixels,
            sidecar=self.sidecar,
        )
        object.__setattr__(self, "_options", options)

    def __reduce__(self) -> Any:
        """Another process makes its own; one with a signer is not pickled, since keys stay where they are."""
        return _made_again, (
            type(self),
            {each.name: getattr(self, each.name) for each in fields(self) if each.init},
        )

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] = "aigc-label.toml", **overrides: Any) -> Labeler:
        """Make a labeler as ``aigc-label.toml`` says; keyword arguments outrank the file.

        Raises :class:`LabelingError` that names the file and the key that is wrong.
        """
        arguments = configuration.load(Path(path)).labeler_arguments() | overrides
        if isinstance(arguments.get("video"), dict):
            from labeling.pipelines.video import VideoOptions

            arguments["video"] = VideoOptions(**arguments["video"])
        return cls(**arguments)

    def _label(self, content_id: str, created: datetime | None = None) -> Label:
        return Label(
            producer=self.producer,
            content_id=content_id,
            origin=self.origin,
            provider_name=self.provider_name,
            generator=self.generator,
            generator_version=self.generator_version,
            created=created,
        )

    def label_image(
        self,
        picture: Picture,
        format: str | None = None,
        *,
        content_id: str | None = None,
        quality: int | None = None,
        lossless: bool = False,
    ) -> LabeledImage:
        """Label a picture in memory.

        ``picture``: a PIL image, an ndarray (H, W, 3) RGB or (H, W, 4) RGBA of uint8, or a picture file's bytes.
        ``format``: png (default), jpeg, webp, tiff, gif, avif, heic; a file's bytes keep their own format.
        Raises :class:`LabelingError`; the caller's object is never modified.
        """
        options = replace(self._options, quality=quality or self.quality, lossless=lossless)
        if isinstance(picture, bytes | bytearray | memoryview):
            name, data = files.load(picture)
            if containers.is_media(data):
                raise UnsupportedFormat("the bytes are a film or sound; write them to a file and use label_file")
            made = image.label_bytes(data, name, self._maker(content_id), options)
            if format is not None and made.media_type not in containers.format_named(format).media_types:
                raise UnsupportedFormat(
                    f"the bytes are {made.media_type}, not {format}; decode them to change the format"
                )
            return made
        label = self._secured(self._label(content_id or new_content_id(), datetime.now(UTC)))
        return image.label_pixels(picture, format or "png", label, options)

    def open_video(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        fps: float | Fraction,
        *,
        content_id: str | None = None,
        codec: str = "h264",
        seconds: float | None = None,
        **coding: Any,
    ) -> LabeledVideoWriter:
        """Open a film to write frames into, straight from a generator: ``with labeler.open_video(…) as film``.

        ``path`` decides the container (.mp4, .mov, .mkv, .webm, .avi, .flv); ``size`` is (width, height) in pixels;
        ``codec`` is h264, hevc, vp9 or av1. The label is on every frame, or ``seconds`` long (at least 2).
        ``coding``: quality, preset, pix_fmt, audio, audio_rate, as
        :class:`~labeling.codecs.video.writer.VideoWriter` has them. Raises :class:`LabelingError`.
        """
        from labeling.pipelines.video import VideoOptions
        from labeling.pipelines.video_writer import LabeledVideoWriter

        label = self._secured(self._label(content_id or new_content_id(), datetime.now(UTC)))
        film = self.video or VideoOptions()
        coding = {"quality": film.crf, "preset": film.preset, "codec": codec} | coding
        return LabeledVideoWriter(path, label, self._options, size, fps, seconds=seconds, coding=coding)

    def label_frames(self, frames: Iterable[Any]) -> Iterator[Any]:
        """Give copies of frames (ndarrays or PIL images of one size) with the visible label, for other encoders.

        The metadata is for whoever writes the file: :meth:`label_file` with ``visible=False`` afterwards.
        Raises :class:`LabelingError`.
        """
        from labeling.codecs.video.frames import label_frames

        if self._options.painter is None:
            raise LabelingError("this labeler draws no visible label; make one with visible=True")
        return label_frames(frames, self._options.painter)

    def _maker(self, content_id: str | None) -> Any:
        def make(own: Label | None) -> Label:
            """A second labelling keeps the content id and the time of the first unless told otherwise."""
            if own is None or own.producer != self.producer or content_id not in (None, own.content_id):
                return self._secured(self._label(content_id or new_content_id(), datetime.now(UTC)))
            label = replace(
                self._label(own.content_id),
                propagator=own.propagator,
                propagate_id=own.propagate_id,
                security=own.security,
                propagator_security=own.propagator_security,
            )
            return self._secured(label)

        return make

    def _secured(self, label: Label) -> Label:
        """The label with security data by our key, unless it carries a signature that holds already.

        Raises :class:`SigningError` where a signature would be left behind that the new label does not fit.
        """
        if self.security_key is None and not label.security:
            return label
        from labeling.findings import Signature
        from labeling.marks import security

        fields = {"Label": str(label.origin), "ContentProducer": label.producer, "ProduceID": label.content_id}
        judged = security.check(label.security, fields).signature
        if self.security_key is not None and judged is not Signature.VALID:
            return replace(label, security=security.sign(fields, self.security_key))
        if judged is Signature.FAILED:
            raise SigningError(
                "the label's security data does not fit it (any more); give the SM2 key to sign it again"
            )
        return label

    def label_file(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str] | None = None,
        *,
        content_id: str | None = None,
        in_place: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> LabeledFile:
        """Label a file: a picture, film or sound, by its content.

        The output goes to ``target``, or beside the source as ``NAME.labeled.EXT``. The source is never touched unless
        ``in_place``. The output appears whole or not at all. ``progress`` is told of a film how many seconds of how
        many have been coded anew.
        Raises :class:`LabelingError`.
        """
        name, data, goal = settle(source, target, in_place=in_place)
        if isinstance(data, FileBytes):
            from labeling.pipelines import video

            film = replace(self.video or video.VideoOptions(), progress=progress)
            with data:
                maker = self._maker(content_id)
                return video.label_film(data, name, goal, maker, self._options, film, dry_run=dry_run)
        made = image.label_bytes(data, name, self._maker(content_id), self._options)
        return store(made, source, goal, dry_run=dry_run)


def _made_again(kind: type[Labeler], arguments: dict[str, Any]) -> Labeler:
    return kind(**arguments)


def _check_source_type(term: str) -> None:
    from labeling.marks.iptc import AI_TERMS

    if term not in AI_TERMS:
        raise LabelingError(f"{term!r} is no source type for AI content; use one of {', '.join(AI_TERMS)}")
