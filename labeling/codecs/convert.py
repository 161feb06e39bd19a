"""Decode a picture, scale it, and encode it in another format: all frames, upright, with its colours as they are.

What the target cannot hold is named in :class:`Converted`, never dropped silently. Metadata is the caller's business,
but for the colour profile, the resolution and the EXIF structure, which the encoders write.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from labeling._tiff_ifd import read_tiff
from labeling.codecs.opening import CLEAN_APERTURE, open_picture
from labeling.codecs.pixels import ORIENTATION, check_size, decoding, on_white, open_with, upright
from labeling.codecs.png import samples as png_samples
from labeling.containers import formats, png
from labeling.containers.base import Block, Buffer, Kind
from labeling.containers.format_row import PictureEncoding, resolve
from labeling.containers.tiff.raw import camera_raw
from labeling.errors import LabelingError, TooLarge, UnreadableFile, UnsupportedFormat
from labeling.losses import Loss

_ANIMATED = frozenset({"png", "gif", "webp", "avif"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_SPACES = {b"RGB ": ("RGB", "RGBA"), b"GRAY": ("L", "LA", "I;16"), b"CMYK": ("CMYK",), b"Lab ": ("LAB",)}
_EXIF_ELSEWHERE = ("gif", "tiff")
"""GIF has no place for EXIF. In TIFF it is the file's own tags, which Pillow does not merge: the caller does."""

_PLAIN = ("RGB", "RGBA", "L", "LA", "I;16", "F", "CMYK", "LAB")
_SRGB = "sRGB"

ExifFor = Callable[[int, int], bytes | None]
"""Gives the EXIF structure for a picture of this width and height; ``None`` for none."""


@dataclass(slots=True)
class Converted:
    """A picture in its new format.

    Attributes:
        data: The new file.
        width: Its width in pixels.
        height: Its height in pixels.
        before: Width and height of the source as displayed.
        how: What was done, in sentences.
        lost: What the new format cannot hold of the picture itself.
        meant: Keys of inventory entries that changed on purpose, and that ``how`` or ``lost`` speaks of.
        exif: The EXIF structure that is still to be merged into ``data``: TIFF.
    """

    data: bytes
    width: int
    height: int
    before: tuple[int, int]
    how: list[str] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)
    exif: bytes | None = None


def title_of_other(data: Buffer) -> str:
    """Name the format of a file that is not read, and that Pillow decodes; "" if it is none of these."""
    plugin = _other(data)
    return plugin[1] if plugin is not None else ""


def convert(
    data: Buffer,
    format: str,
    target: PictureEncoding,
    *,
    box: tuple[int, int] | None,
    orientation: int,
    quality: int | None,
    lossless: bool,
    exif: ExifFor,
    max_pixels: int,
) -> Converted:
    """Convert a picture file.

    Args:
        data: The file.
        format: Its format in the table; "" for one that is not read (``Unread``).
        target: What to encode.
        box: Width and height that the picture, as displayed, is fitted into, with its proportions; ``None`` leaves its
            size.
        orientation: The file's EXIF orientation, 1 to 8; the new picture is upright.
        quality: 1 to 100 for lossy formats; ``None`` is the format's stated default.
        lossless: Encode WebP without loss.
        exif: Gives the EXIF structure for the new picture.
        max_pixels: Limit on the pixels of a frame, of the source and of the result.

    Raises:
        UnsupportedFormat: The file cannot be decoded here, or the target cannot hold it.
        UnreadableFile: It is damaged.
        TooLarge: It is beyond the limit.
        LabelingError: It cannot be encoded.
    """
    title = formats.format_named(format).title if format else title_of_other(data)
    if format == "tiff":
        image, orientation = _opened_tiff(data, orientation, max_pixels)
    else:
        image = _opened(data, format, max_pixels)
    with decoding(title):
        if not isinstance(image, Image.Image):  # pillow-heif's, which has turned the picture already
            image = image.to_pillow()
        frames = getattr(image, "n_frames", 1)
        if image.format in ("PSD", "ICO", "ICNS", "DDS", "GBR"):
            frames = 1  # layers and sizes are no frames: Pillow gives the composed, or the largest, picture
    if frames > 1 and image.format == "TIFF":
        hint = "split it into one file for each page first"
        raise UnsupportedFormat(f"the file has {frames} pages or smaller copies of its picture", hint=hint)
    if frames > 1 and image.format not in ("GIF", "WEBP", "PNG", "AVIF"):
        raise UnsupportedFormat(f"the file has {frames} pictures", hint="split it into one file for each first")
    turn = _Turn(image, format, orientation)
    if frames > 1:
        return _animation(image, frames, turn, target, box, quality, lossless, exif, max_pixels, title)
    made = Converted(b"", 0, 0, (0, 0))
    deep = _deep(data, image, target, title)
    if deep is not None:
        return _convert_deep(deep, image, turn, box, exif, max_pixels, made)
    with decoding(title):
        image.load()
        still = turn.applied(image)
    made.before = still.size
    size = _fitted(still.size, box, max_pixels)
    still = _in_mode(still, target, made, title)
    still = _scaled(still, size)
    made.width, made.height = still.size
    structure = exif(*still.size)
    made.exif = structure if target.name == "tiff" else None
    still.info = _info(image, still, target, structure)
    encoder = resolve(target.encoder, "labeling.codecs")
    made.data, _, words = encoder(still, quality, lossless)
    if "reduced to 256 colours" in words:
        made.lost.append(Loss("colours", "", "GIF holds 256 of them"))
    made.how.insert(0, words)
    return made


def _opened(data: Buffer, format: str, max_pixels: int) -> Any:
    if format:
        return open_picture(data, format, max_pixels)
    other = _other(data)
    if other is None:
        raise UnsupportedFormat("the content is of no format that can be converted")
    plugin, title = other
    with decoding(title):
        image = open_with(plugin, data)
        check_size(*image.size, max_pixels=max_pixels)
    return image


def _opened_tiff(data: Buffer, orientation: int, max_pixels: int) -> tuple[Any, int]:
    """Open a TIFF file, and return the orientation that is left.

    Pillow reads most of them; of others our own decoder gives the picture as displayed, with 8 bits.
    """
    if kind := camera_raw(read_tiff(bytes(data))):
        raise UnsupportedFormat(
            f"this is a camera raw file ({kind}): what it holds as a picture is a preview",
            hint="develop it first, and convert the picture",
        )
    try:
        image = _opened(data, "tiff", max_pixels)
        with decoding("TIFF"):
            image.load()
    except UnreadableFile:
        row = formats.format_named("tiff")
        pixels = resolve(row.decoder, "labeling.codecs")(data, orientation, max_pixels)
        return Image.fromarray(pixels), 1
    return image, orientation


def _other(data: Buffer) -> tuple[str, str] | None:
    row = formats.unread(data)
    return (row.plugin, row.name) if row is not None and row.plugin else None


class _Turn:
    """How decoded frames become the picture as displayed: the part that is shown, upright."""

    def __init__(self, image: Image.Image, format: str, orientation: int) -> None:
        row = formats.find(format) if format else None
        self.by_tag = row is not None and (row.turns_itself or image.format == "TIFF")  # Pillow turns TIFF on loading
        self.orientation = orientation

    def value(self, image: Image.Image) -> int:
        """Return the orientation that is left, once the frame is loaded."""
        return int(image.getexif().get(ORIENTATION, 1)) if self.by_tag else self.orientation

    def applied(self, image: Image.Image) -> Image.Image:
        part = image.info.get(CLEAN_APERTURE)
        if part is not None and part[2] <= image.width and part[3] <= image.height:
            image = image.crop(part)
        turn = _TURNS.get(self.value(image))
        return image.transpose(turn) if turn is not None else image


def _fitted(size: tuple[int, int], box: tuple[int, int] | None, max_pixels: int) -> tuple[int, int]:
    """Return the largest size of the same proportions that fits into ``box``."""
    if box is None:
        return size
    scale = min(box[0] / size[0], box[1] / size[1])
    new = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    if new[0] * new[1] > max_pixels:
        raise TooLarge(f"`resize` asks for {new[0]}×{new[1]} pixels and the limit is {max_pixels:,}")
    return new


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale with Lanczos; transparency is taken into account, so that hidden colours do not bleed."""
    if image.size == size:
        return image
    if image.mode == "I;16":
        import cv2

        area = cv2.INTER_AREA if size[0] < image.width else cv2.INTER_CUBIC
        deep = cv2.resize(np.asarray(image).astype(np.float32), size, interpolation=area)
        return Image.fromarray(np.clip(np.rint(deep), 0, 65535).astype(np.uint16))
    return image.resize(size, Image.Resampling.LANCZOS)


def _space(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile") or b""
    return profile[16:20] if len(profile) >= 128 else b""


def _in_mode(image: Image.Image, target: PictureEncoding, made: Converted, title: str) -> Image.Image:
    """Convert to a mode that the target holds, and name what that loses."""
    info = image.info
    clear = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in info
    if image.mode not in _PLAIN or "transparency" in info:
        image = _plain(image, clear=clear)
        image.info = info
    if clear:
        alpha = image.getchannel("A")
        used = alpha.getextrema()[0] < 255  # type: ignore[operator]
        if not used:
            made.meant.add("alpha")
            image = image.convert(image.mode.removesuffix("A"))
            image.info = info
        elif not any(mode.endswith("A") for mode in target.modes):
            made.meant.add("alpha")
            made.lost.append(Loss("transparency", title, f"{_name(target)} holds none: it was laid over white"))
            flat = Image.fromarray(on_white(np.asarray(image.convert("RGBA"))))
            image = flat.convert(image.mode.removesuffix("A"))
            image.info = info
        elif target.name == "gif":
            made.meant.add("alpha")  # a colour of its palette is clear
            if len(alpha.getcolors(3) or ((), (), ())) > 2:
                made.lost.append(Loss("partial transparency", title, "GIF holds pixels that are clear or opaque"))
    if image.mode == "F" and "F" not in target.modes:
        hint = "convert to TIFF, or scale the values in an image editor first"
        raise UnsupportedFormat(f"{title} with floating-point samples, which {_name(target)} cannot hold", hint=hint)
    if image.mode == "I;16" and "I;16" not in target.modes:  # the inventories name the depth
        image = Image.fromarray(np.rint(np.asarray(image).astype(np.float64) / 257).astype(np.uint8))
        image.info = info
    space = _space(image)
    fits = image.mode in target.modes
    wanted = image.mode if fits else ("RGBA" if image.mode.endswith("A") and "RGBA" in target.modes else "RGB")
    if space and (wanted not in _SPACES.get(space, ()) or target.name == "gif"):
        image = _to_srgb(image, wanted, made)
    elif not fits:
        if image.mode in ("CMYK", "LAB"):
            made.lost.append(Loss(f"{image.mode} colours", title, f"{_name(target)} holds RGB: they were converted"))
        image = image.convert(wanted) if image.mode != "LAB" else _from_lab(image)
        image.info = info
    return image


def _plain(image: Image.Image, *, clear: bool) -> Image.Image:
    if image.mode == "1":
        return image.convert("LA" if clear else "L")
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "L":
        return image.convert("LA")
    if image.mode == "I" or image.mode.startswith("I;16"):
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            hint = "scale the values to 16 bits in an image editor first"
            raise UnsupportedFormat("samples of 32 bits, which no format here holds", hint=hint)
        return Image.fromarray(np.clip(deep, 0, 65535).astype(np.uint16))
    return image.convert("RGBA" if clear else "RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    made = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB"))
    assert made is not None  # it is None only for in-place transforms
    return made


def _to_srgb(image: Image.Image, wanted: str, made: Converted) -> Image.Image:
    """Convert by the picture's own profile to sRGB, which needs none."""
    info = {key: value for key, value in image.info.items() if key != "icc_profile"}
    alpha = image.getchannel("A") if image.mode.endswith("A") else None
    flat = image.convert(image.mode.removesuffix("A")) if alpha is not None else image
    profile = image.info["icc_profile"]
    try:
        if image.mode.removesuffix("A") not in _SPACES.get(_space(image), ()):
            raise ImageCms.PyCMSError("it is for other samples")
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), flat.mode, "RGB")
        new = ImageCms.applyTransform(flat, transform)
        assert new is not None  # it is None only for in-place transforms
        made.how.append("colours were converted from their ICC profile to sRGB")
    except (ImageCms.PyCMSError, ValueError, OSError) as error:
        new = flat.convert("RGB")
        made.lost.append(Loss("ICC colour profile", "", f"it cannot be applied ({error})"))
    made.meant |= {"icc", "colour-model"}
    if alpha is not None:
        new.putalpha(alpha)
    new.info = info
    return new if new.mode == wanted or alpha is not None else new.convert(wanted)


def _name(target: PictureEncoding) -> str:
    return target.name.upper().replace("HEIF", "HEIC")


def _info(image: Image.Image, still: Image.Image, target: PictureEncoding, exif: bytes | None) -> dict[Any, Any]:
    """Return what the encoders keep beside the pixels."""
    kept = {key: still.info[key] for key in ("icc_profile", "dpi", "gamma") if still.info.get(key)}
    if target.name in ("jpeg", "gif") and isinstance(image.info.get("comment"), bytes | str):
        kept["comment"] = image.info["comment"]
    if exif is not None and target.name not in _EXIF_ELSEWHERE:
        kept["exif"] = b"Exif\0\0" + exif
    return kept


# --- 16 bits in colour, which Pillow reduces to 8 ---------------------------------------------------------------------


def _deep(data: Buffer, image: Image.Image, target: PictureEncoding, title: str) -> np.ndarray[Any, Any] | None:
    """Return (H, W, 3 or 4) uint16 samples, where source and target are PNG and hold them; else ``None``."""
    if target.name != "png" or image.format != "PNG" or image.mode not in ("RGB", "RGBA"):
        return None
    if bytes(data[24:25]) != b"\x10" or "transparency" in image.info:
        return None
    import cv2

    with decoding(title):
        found = cv2.imdecode(np.frombuffer(bytes(data), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.ndim != 3 or found.shape[2] != len(image.mode):
        return None
    order = cv2.COLOR_BGR2RGB if image.mode == "RGB" else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(found, order))


def _convert_deep(
    deep: np.ndarray[Any, Any], image: Image.Image, turn: _Turn, box: tuple[int, int] | None, exif: ExifFor,
    max_pixels: int, made: Converted,
) -> Converted:  # fmt: skip
    import cv2

    deep = upright(deep, turn.value(image))
    made.before = deep.shape[1], deep.shape[0]
    size = _fitted(made.before, box, max_pixels)
    if size != made.before:
        real = deep.astype(np.float32)
        if real.shape[2] == 4:  # premultiplied, so that hidden colours do not bleed
            real[..., :3] *= real[..., 3:] / 65535
        area = cv2.INTER_AREA if size[0] < made.before[0] else cv2.INTER_CUBIC
        real = np.asarray(cv2.resize(real, size, interpolation=area))
        if real.shape[2] == 4:
            real[..., :3] /= np.maximum(real[..., 3:] / 65535, 1e-6)
        deep = np.clip(np.rint(real), 0, 65535).astype(np.uint16)
    made.height, made.width = deep.shape[:2]
    shown = Image.new("RGB", (1, 1))
    shown.info = {key: image.info[key] for key in ("icc_profile", "dpi", "gamma") if image.info.get(key)}
    if (structure := exif(made.width, made.height)) is not None:
        shown.info["exif"] = structure
    colour = png_samples.RGB if deep.shape[2] == 3 else png_samples.RGBA
    header = png_samples.Header(made.width, made.height, 16, colour)
    stream = png_samples.encode(header, deep)
    from labeling.codecs._encoders import png_metadata

    parts = [png.SIGNATURE, png.chunk(b"IHDR", header.body()), *png_metadata(shown)]
    made.data = b"".join([*parts, png.chunk(b"IDAT", stream), png.chunk(b"IEND", b"")])
    made.how.append("encoded as PNG, 16 bits")
    return made


# --- Animations -------------------------------------------------------------------------------------------------------


def _animation(
    image: Image.Image, frames: int, turn: _Turn, target: PictureEncoding, box: tuple[int, int] | None,
    quality: int | None, lossless: bool, exif: ExifFor, max_pixels: int, title: str,
) -> Converted:  # fmt: skip
    if target.name not in _ANIMATED:
        hint = f"choose one of {', '.join(sorted(_ANIMATED))}"
        raise UnsupportedFormat(f"an animation of {frames} frames, which {_name(target)} cannot hold", hint=hint)
    if image.info.get("default_image") and image.format == "PNG":
        raise UnsupportedFormat(
            "an animated PNG with a picture that is not in the animation", hint="convert it by hand"
        )
    size = _fitted(image.size, box, max_pixels)
    if size[0] * size[1] * frames > max_pixels:
        raise TooLarge(
            f"{frames} frames of {size[0]}×{size[1]} pixels are more than the limit of {max_pixels:,} in all"
        )
    made = Converted(b"", 0, 0, (0, 0))
    profile = image.info.get("icc_profile")
    stills, durations = [], []
    for still, duration in _frames(image, frames, turn, title):
        made.before = still.size
        fitted = _fitted(still.size, box, max_pixels)
        stills.append(_scaled(still, fitted))
        durations.append(duration)
    made.width, made.height = stills[0].size
    plays = _plays(image)
    if target.name == "gif" and any(round(duration) % 10 for duration in durations):
        made.lost.append(Loss("exact duration of frames", title, "GIF counts hundredths of a second"))
    if target.name == "gif" and profile:
        made.lost.append(Loss("ICC colour profile", title, "GIF has no place for one"))
    if target.name == "gif" and any((still.convert("RGB").getcolors(255)) is None for still in stills):
        made.lost.append(Loss("colours", title, "GIF holds 256 of them in a frame"))
    if target.name == "avif" and plays:
        made.lost.append(Loss(f"number of loops ({plays})", title, "AVIF is written without one here"))
    made.meant |= (
        {"icc", "duration", "loop-count", "background"} if target.name == "gif" else {"duration", "loop-count"}
    )
    options: dict[str, Any] = {"save_all": True, "append_images": stills[1:], "duration": [round(d) for d in durations]}
    if target.name == "gif":
        options |= {"disposal": 2} | ({"loop": plays - 1 if plays else 0} if plays != 1 else {})
    elif target.name == "png":
        options |= {"loop": plays, "disposal": 0, "blend": 0}
    elif target.name == "webp":
        options |= {"loop": plays, "lossless": lossless} | ({} if lossless else {"quality": quality or 90})
    else:
        options |= {"quality": quality or 90}
    structure = exif(made.width, made.height)
    if structure is not None and target.name not in _EXIF_ELSEWHERE:
        options["exif"] = b"Exif\0\0" + structure
    if profile and target.name != "gif":
        options["icc_profile"] = profile
    out = io.BytesIO()
    try:
        stills[0].save(out, target.name.upper(), **options)
    except (OSError, ValueError, TypeError) as error:
        raise LabelingError(f"the animation cannot be encoded as {_name(target)}: {error}") from error
    made.data = out.getvalue()
    grade = "" if target.name in ("png", "gif") else ", lossless" if lossless else f", quality {quality or 90}"
    made.how.append(f"{frames} frames encoded as {_name(target)}{grade}")
    _check_animation(made, target, sum(durations), title)
    return made


def _frames(image: Image.Image, count: int, turn: _Turn, title: str) -> Iterator[tuple[Image.Image, float]]:
    for number in range(count):
        with decoding(title):
            image.seek(number)
            image.load()
            clear = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info or image.format == "GIF"
            frame = turn.applied(image).convert("RGBA" if clear else "RGB")
            duration = float(image.info.get("duration", 0))
        frame.info = {}
        yield frame, duration


def _plays(image: Image.Image) -> int:
    """Return how often an animation is played; 0 for without end. GIF counts repetitions, the others plays."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else 0 if loop == 0 else int(loop) + 1
    return int(loop or 0)


def _check_animation(made: Converted, target: PictureEncoding, total: float, title: str) -> None:
    """Compare the whole duration of what was written; equal frames in a row may have become one."""
    format = {"gif": "gif", "png": "png", "webp": "webp", "avif": "heif"}[target.name]
    image = open_picture(made.data, format, made.width * made.height * 2)
    seen = 0.0
    count = getattr(image, "n_frames", 1)
    for number in range(count):
        image.seek(number)
        image.load()
        seen += float(image.info.get("duration", 0))
    if abs(seen - total) > max(10.0 * count, total * 0.01):
        made.lost.append(Loss(f"duration: {total:.0f} → {seen:.0f} ms", title, f"{_name(target)} stores it otherwise"))
    made.meant.add("frames")


# --- Metadata of formats that have no row in the table ----------------------------------------------------------------

_PSD_XMP, _PSD_EXIF = 1060, 1058


def blocks_of_other(data: Buffer, max_pixels: int) -> tuple[Block, ...]:
    """Return the metadata that Pillow finds in a file that is not read (``Unread``)."""
    image = _opened(data, "", max_pixels)
    found: list[tuple[Kind, Any]] = [
        (Kind.XMP, image.info.get("xmp")), (Kind.EXIF, image.info.get("exif")),
        (Kind.ICC, image.info.get("icc_profile")),
    ]  # fmt: skip
    for code, _, payload in getattr(image, "resources", ()):
        found += [(kind, payload) for number, kind in ((_PSD_XMP, Kind.XMP), (_PSD_EXIF, Kind.EXIF)) if code == number]
    title = title_of_other(data)
    return tuple(
        Block(kind, f"{title} {kind}", 0, 0, bytes(raw).removeprefix(b"Exif\0\0"))
        for kind, raw in found
        if isinstance(raw, bytes | bytearray) and raw
    )
