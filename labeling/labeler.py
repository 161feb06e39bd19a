"""The labeler: one configured object that labels pictures in a pipeline or files in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import atomic_writes, config, containers, files
from labeling.errors import LabelingError, SigningError, UnsupportedFormat, error_context
from labeling.filebytes import FileBytes
from labeling.gates import foreign, guarded
from labeling.label import Label, new_content_id
from labeling.options import LabelerOptions, Style, VideoOptions, options_of
from labeling.pipelines import image
from labeling.pipelines.labeled_image import LabeledImage
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile, as_path, resolve_target, write_result
from labeling.pipelines.source import LabelFor, open_source
from labeling.rules import profile as profile_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from labeling._types import Audio, FrameT, Picture, VideoCoding
    from labeling.marks.credentials import Signer
    from labeling.marks.security import SecurityKey
    from labeling.options.video import Progress
    from labeling.pipelines.video_writer import LabeledVideoWriter
    from labeling.rules import Profile


@dataclass(frozen=True)
class Labeler(LabelerOptions):
    """Puts labels on pictures, video and audio.

    Make one and keep it: it is immutable, and threads may share it. A labeler with a ``signer`` cannot be pickled,
    since keys stay where they are.

    Args:
        producer: Who provides the service: a 27-character provider code (TC260-PG-20252A) or a name.
        profile: The regime: "cn" (GB 45438-2025), "eu" (AI Act Art. 50), "us-ca" (California), "us-wa" (Washington),
            "in" (India), "kr" (Korea), or the path of a profile in TOML. It sets the default wording, and the report
            judges by it.
        signer: A :class:`~labeling.Signer` for content credentials (C2PA).
        style: How the visible label looks; by default the profile's wording at the bottom right.
        visible: Whether to draw a visible label; ``False`` leaves the pixels as they are.
        generator: The system that made the content: IPTC AISystemUsed and C2PA softwareAgent.
        generator_version: Its version, which California asks for.
        provider_name: The provider's name in plain words, for regimes that ask for it.
        origin: How certain it is that the content is generated (Labelling Measures, Art. 6).
        source_type: Term of the IPTC Digital Source Type vocabulary that means AI: "trainedAlgorithmicMedia",
            "compositeWithTrainedAlgorithmicMedia" or "compositeSynthetic".
        exif: Whether to write EXIF Software, DateTime and ImageDescription as well.
        description: The ImageDescription.
        quality: For pictures that have to be encoded with loss, 1 to 100; ``None`` is that of the source for
            WebP, AVIF and HEIC files, else the format's stated default.
        max_pixels: Pictures with more pixels in a frame are refused before they are decoded. For one's own files it is
            twice what :func:`verify` decodes of anybody's.
        compression: How PNG is compressed: "normal", or "fast". Of pictures in memory, photographs then take
            about a third of the time, others half, and become about a tenth larger, smooth ones up to three
            times. Of PNG files only what lies under the label and below it is compressed again, so that little
            is saved.
        video: When and how long the visible label of a video is shown, and how its pictures are re-encoded.
        sidecar: Whether a video that has no place for a C2PA manifest gets one in a file beside it, ``NAME.c2pa``.
        strict: Whether a file is refused whose labelled copy would lose anything of it.
        keep_times: Whether a labelled file gets the source's times of last access and last change, as ``cp -p``
            keeps them.
        security_key: A :class:`~labeling.Sm2Key`, or an object that signs like one, for security data in ReservedCode1
            (TC260-PG-202511A).

    Raises:
        LabelingError: A value is of a wrong type or out of bounds; the message names the parameter and what is allowed.

    Example:
        >>> import labeling
        >>> labeler = labeling.Labeler("my-service", generator="my-model", generator_version="1.0")
        >>> labeling.Labeler("my-service", quality=500)
        Traceback (most recent call last):
        labeling.errors.LabelingError: `quality` must be a whole number from 1 to 100, not 500
    """

    signer: Signer | None = None
    security_key: SecurityKey | None = field(default=None, repr=False)
    _options: LabelingOptions = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_keys()
        profile = profile_named(self.profile)
        self._label("check")
        painter = None
        if self.visible:
            from labeling.marks.visible import LabelPainter

            painter = LabelPainter(self._style(profile), languages=profile.languages)
        options = LabelingOptions(
            profile=profile,
            painter=painter,
            signer=self.signer,
            source_type=self.source_type,
            exif=self.exif,
            description=self.description,
            quality=self.quality,
            fast=self.compression == "fast",
            max_pixels=self.max_pixels,
            sidecar=self.sidecar,
            strict=self.strict,
        )
        object.__setattr__(self, "_options", options)

    def _style(self, profile: Profile) -> Style:
        """Return the style with the text that is drawn."""
        style = self.style
        if style is not None and not style.language:
            return style
        if style is None:
            return Style(text=config.wording(self.profile, self.source_type))
        if style.language not in profile.languages:
            raise LabelingError(
                f"`language`: the wording in {style.language!r} is that of the EU's Code of Practice, and none that "
                f"the profile {profile.name} accepts",
                hint="choose `profile` eu, or give a `text`",
            )
        return replace(style, language="", text=config.wording(self.profile, self.source_type, style.language))

    def _check_keys(self) -> None:
        if self.signer is not None:
            from labeling.marks.credentials import Signer

            if not isinstance(self.signer, Signer):
                raise LabelingError(f"`signer` must be a Signer, not {type(self.signer).__name__}")
        if self.security_key is not None and not callable(getattr(self.security_key, "sign", None)):
            raise LabelingError(f"`security_key` must sign like an Sm2Key, not {type(self.security_key).__name__}")

    def __reduce__(self) -> tuple[Callable[..., Labeler], tuple[type[Labeler], dict[str, object]]]:
        """Pickle the parameters: another process makes its own labeler from them."""
        return _made_again, (
            type(self),
            {each.name: getattr(self, each.name) for each in fields(self) if each.init},
        )

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] = config.NAME, **overrides: Any) -> Labeler:
        """Make a labeler from a configuration file.

        Args:
            path: An ``aigc-label.toml``, as ``aigc-label init`` writes it. Paths in it are relative to its folder.
            overrides: Parameters of :class:`Labeler`, which outrank the file.

        Returns:
            The labeler.

        Raises:
            LabelingError: The file cannot be read, or a value is wrong; the message names the file and the key.

        Example:
            >>> import labeling, pathlib
            >>> text = 'producer = "my-service"\\n[limits]\\nquality = 90\\n'
            >>> count = pathlib.Path("aigc-label.toml").write_text(text)
            >>> labeling.Labeler.from_config("aigc-label.toml", profile="eu").quality
            90
        """
        return cls(**config.load(Path(path)).labeler_arguments() | overrides)

    def _label(self, content_id: str | None, created: datetime | None = None) -> Label:
        return Label(
            producer=self.producer,
            content_id=new_content_id() if content_id is None else content_id,
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
        compression: str | None = None,
    ) -> LabeledImage:
        """Label a picture in memory.

        Args:
            picture: A PIL image; an ndarray of uint8, (H, W, 3) RGB or (H, W, 4) RGBA; or the bytes of a picture file.
                It is never modified.
            format: png (default), jpeg, webp, tiff, gif, avif or heic. The bytes of a file keep their own format.
            content_id: Number of the content; by default a new unique one, or that of our label in the file.
            quality: For lossy encodes, 1 to 100; by default the labeler's.
            lossless: Whether WebP, AVIF and HEIC are encoded without loss.
            compression: How PNG is compressed, "normal" or "fast"; by default the labeler's.

        Returns:
            The labelled file as bytes, with the verifier's report on it.

        Raises:
            LabelConflict: The picture carries another provider's label.
            SigningError: It carries a C2PA manifest, and the labeler has no ``signer``.
            LabelingError: It cannot be labelled as asked.

        Example:
            >>> import labeling, numpy
            >>> pixels = numpy.full((480, 640, 3), 200, numpy.uint8)
            >>> made = labeling.Labeler("my-service").label_image(pixels, "jpeg", quality=90)
            >>> made.report.verdicts["cn"].outcome == "compliant"
            True
        """
        options = self._options
        if quality is not None or lossless:
            options_of(LabelerOptions)["quality"].check(quality)
            options = replace(options, quality=self.quality if quality is None else quality, lossless=lossless)
        if compression is not None:
            options_of(LabelerOptions)["compression"].check(compression)
            options = replace(options, fast=compression == "fast")
        with guarded("label the picture"):
            if isinstance(picture, bytes | bytearray | memoryview):
                name, data = files.load(picture)
                if containers.is_media(data):
                    raise UnsupportedFormat(
                        "the bytes are video or audio", hint="write them to a file and use label_file"
                    )
                with error_context(name):
                    made = image.label_bytes(data, name, self._label_for(content_id), options)
                if format is not None and made.media_type not in containers.format_named(format).media_types:
                    message = f"the bytes are {made.media_type}, not {format}"
                    raise UnsupportedFormat(message, hint="decode them to change the format")
                return made
            label = self._secured(self._label(content_id, datetime.now(UTC)))
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
        from labeling.pipelines.video_writer import LabeledVideoWriter

        label = self._secured(self._label(content_id, datetime.now(UTC)))
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
        """Draw the visible label on copies of frames, for an encoder of your own.

        The metadata is written into the finished file, with :meth:`label_file` of a labeler with ``visible=False``.

        Args:
            frames: PIL images, or ndarrays of uint8: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) gray. They are not
                modified.

        Yields:
            A labelled copy of each frame, of the same type and mode; palettes and bitmaps become RGB or RGBA.

        Raises:
            LabelingError: The labeler draws no visible label, or a frame is of another type or too small.

        Example:
            >>> import labeling, numpy
            >>> frames = (numpy.full((360, 640, 3), level, numpy.uint8) for level in range(24))
            >>> labelled = list(labeling.Labeler("my-service").label_frames(frames))
            >>> len(labelled), labelled[0].shape
            (24, (360, 640, 3))
        """
        from labeling.codecs.video.frames import label_frames

        if self._options.painter is None:
            raise LabelingError("this labeler draws no visible label", hint="make one with `visible=True`")
        return label_frames(frames, self._options.painter)

    def _label_for(self, content_id: str | None) -> LabelFor:
        def label_for(own: Label | None) -> Label:
            """A second labelling keeps the content id and the time of the first, unless another id is given."""
            if own is None or own.producer != self.producer or content_id not in (None, own.content_id):
                return self._secured(self._label(content_id, datetime.now(UTC)))
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
                "the label's security data does not fit it (any more)",
                hint="give the SM2 key (`security_key`) to sign it again",
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
        """Label a picture, video or audio file; its content decides which it is, not its extension.

        The output appears whole or not at all.

        Args:
            source: The file. It is never changed unless ``in_place`` is given.
            target: The output's path; by default ``NAME.labeled.EXT`` beside the source.
            content_id: Number of the content; by default a new unique one, or that of our label in the file.
            in_place: Replace the source itself.
            dry_run: Do everything but write.
            progress: Is called with the seconds done and the seconds in all while a video is re-encoded.

        Returns:
            The labelled file with the verifier's report on it.

        Raises:
            LabelConflict: The file carries another provider's label.
            SigningError: It carries a C2PA manifest, and the labeler has no ``signer``.
            UnsupportedFormat: It has no place for a label, or is of no known format.
            LabelingError: It cannot be read, labelled as asked, or written.

        Example:
            >>> import labeling
            >>> from PIL import Image
            >>> Image.new("RGB", (640, 480)).save("photo.png")
            >>> done = labeling.Labeler("my-service").label_file("photo.png")
            >>> done.path.name, done.report.compliant
            ('photo.labeled.png', True)
        """
        with guarded("label the file", source):
            times = atomic_writes.times_of(source, keep=self.keep_times)
            path = as_path(source)
            chosen = resolve_target(path, target, in_place=in_place)
            name, data = open_source(source)
            label_for = self._label_for(content_id)
            options = self._options if times is None else replace(self._options, times=times)
            if isinstance(data, FileBytes) or containers.is_media(data):
                from labeling.pipelines.video import label_video

                called = foreign(progress) if progress is not None else None
                video = replace(self.video or VideoOptions(), progress=called)
                with data if isinstance(data, FileBytes) else nullcontext():
                    return label_video(data, name, chosen, label_for, options, video, dry_run=dry_run)
            made = image.label_bytes(data, name, label_for, options)
            return write_result(made, path, chosen, dry_run=dry_run, times=times)


def _made_again(kind: type[Labeler], arguments: dict[str, Any]) -> Labeler:
    return kind(**arguments)
