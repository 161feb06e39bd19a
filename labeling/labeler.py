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
from labeling.errors import LabelingError, SigningError, UnsupportedFormat, error_context
from labeling.filebytes import FileBytes
from labeling.label import Label, Origin, new_content_id
from labeling.pipelines import image
from labeling.pipelines.image import LabeledImage, LabelingOptions
from labeling.pipelines.output import LabeledFile, resolve_target, write_result
from labeling.pipelines.source import LabelFor, open_source
from labeling.rules import profile as profile_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from labeling._types import Audio, FrameT, Picture, VideoCoding
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
    manifest gets one beside it, ``NAME.c2pa``.
    ``strict``: refuse a file whose labelled copy would lose anything. ``security_key``: an SM2 key
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
    strict: bool = False
    security_key: SecurityKey | None = field(default=None, repr=False)
    _options: LabelingOptions = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        profile = profile_named(self.profile)
        self._label("check")
        _check_source_type(self.source_type)
        painter = None
        if self.visible:
            from labeling.marks.visible import LabelPainter, Style

            style = self.style or Style(text=profile.text)
            painter = LabelPainter(style, languages=profile.languages)
        options = LabelingOptions(
            profile=profile,
            painter=painter,
            signer=self.signer,
            source_type=self.source_type,
            exif=self.exif,
            description=self.description,
            quality=self.quality,
            max_pixels=self.max_pixels,
            sidecar=self.sidecar,
            strict=self.strict,
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
                raise UnsupportedFormat("the bytes are video or audio", hint="write them to a file and use label_file")
            with error_context(name):
                made = image.label_bytes(data, name, self._label_for(content_id), options)
            if format is not None and made.media_type not in containers.format_named(format).media_types:
                message = f"the bytes are {made.media_type}, not {format}"
                raise UnsupportedFormat(message, hint="decode them to change the format")
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
        quality: int | None = None,
        preset: str | None = None,
        pix_fmt: str = "yuv420p",
        audio: Audio | None = None,
        audio_rate: int | None = None,
    ) -> LabeledVideoWriter:
        """Open a video to write frames into, straight from a generator.

        Args:
            path: The output; its extension decides the container (.mp4, .m4v, .mov, .mkv, .webm, .avi, .flv).
            size: (width, height) of every frame, in pixels.
            fps: Frames a second, 0.01 to 1000.
            content_id: Number of the content; by default a new unique one.
            codec: h264, hevc, vp9 or av1.
            seconds: How long the label stays from the start, at least 2 (GB 45438-2025 5.4); by default it is on
                every frame.
            quality: The encoder's CRF, 0 is best; by default ``video.crf``, else the codec's stated one.
            preset: The encoder's preset or speed; by default ``video.preset``, else the codec's stated one.
            pix_fmt: yuv420p, yuv422p or yuv444p, or one of these with 10 bits, such as yuv420p10le.
            audio: Path of a file with sound, or samples (samples, channels) of float32 or int16.
            audio_rate: Samples a second of an ``audio`` array.

        Returns:
            A context manager with ``write(frame)`` for each frame, and ``result`` after the block.

        Raises:
            LabelingError: The video cannot be made as asked, or a frame has another size.

        Example:
            >>> import labeling, numpy
            >>> labeler = labeling.Labeler("my-service")
            >>> with labeler.open_video("clip.mp4", size=(640, 360), fps=24) as video:
            ...     for level in range(48):
            ...         video.write(numpy.full((360, 640, 3), level, numpy.uint8))
            >>> video.result.report.compliant
            True
        """
        from labeling.pipelines.video import VideoOptions
        from labeling.pipelines.video_writer import LabeledVideoWriter

        label = self._secured(self._label(content_id or new_content_id(), datetime.now(UTC)))
        video = self.video or VideoOptions()
        coding: VideoCoding = {
            "codec": codec,
            "quality": video.crf if quality is None else quality,
            "preset": video.preset if preset is None else preset,
            "pix_fmt": pix_fmt,
            "audio": audio,
            "audio_rate": audio_rate,
        }
        return LabeledVideoWriter(path, label, self._options, size, fps, seconds=seconds, coding=coding)

    def label_frames(self, frames: Iterable[FrameT]) -> Iterator[FrameT]:
        """Give copies of frames (ndarrays or PIL images of one size) with the visible label, for other encoders.

        The metadata is for whoever writes the file: :meth:`label_file` with ``visible=False`` afterwards.
        Raises :class:`LabelingError`.
        """
        from labeling.codecs.video.frames import label_frames

        if self._options.painter is None:
            raise LabelingError("this labeler draws no visible label", hint="make one with `visible=True`")
        return label_frames(frames, self._options.painter)

    def _label_for(self, content_id: str | None) -> LabelFor:
        def label_for(own: Label | None) -> Label:
            """A second labelling keeps the content id and the time of the first, unless another id is given."""
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

        return label_for

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
                "the label's security data does not fit it (any more)", hint="give `security_key` to sign it again"
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
        with error_context(source):
            chosen = resolve_target(source, target, in_place=in_place)
            name, data = open_source(source)
            label_for = self._label_for(content_id)
            if isinstance(data, FileBytes):
                from labeling.pipelines.video import VideoOptions, label_video

                video = replace(self.video or VideoOptions(), progress=progress)
                with data:
                    return label_video(data, name, chosen, label_for, self._options, video, dry_run=dry_run)
            made = image.label_bytes(data, name, label_for, self._options)
            return write_result(made, source, chosen, dry_run=dry_run)


def _made_again(kind: type[Labeler], arguments: dict[str, Any]) -> Labeler:
    return kind(**arguments)


def _check_source_type(term: str) -> None:
    from labeling.marks.iptc import AI_TERMS

    if term not in AI_TERMS:
        raise LabelingError(f"{term!r} is not a source type for AI content", hint=f"use one of {', '.join(AI_TERMS)}")
