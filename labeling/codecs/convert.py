"""Decode a picture, scale it, and encode it in another format: all frames, upright, with its colours as they are.

What the target cannot hold is named in :class:`Converted`, never dropped silently. Metadata is the caller's business,
but for the colour profile, the resolution and the EXIF structure, which the encoders write.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from labeling.codecs.animation import encode_animation
from labeling.codecs.converted import Converted, ExifFor, Turn, fitted, scaled
from labeling.codecs.libtiff import Faults, listening
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import check_size, decoding, on_white, open_with, upright
from labeling.containers import formats
from labeling.containers.base import Block, Buffer, Kind
from labeling.containers.format_row import PictureEncoding, resolve
from labeling.errors import UnsupportedFormat
from labeling.losses import Loss

_SPACES = {b"RGB ": ("RGB", "RGBA"), b"GRAY": ("L", "LA", "I;16"), b"CMYK": ("CMYK",), b"Lab ": ("LAB",)}
_PLAIN = ("RGB", "RGBA", "L", "LA", "I;16", "F", "CMYK", "LAB")


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
    row = formats.format_named(format) if format else None
    faults = Faults()
    title = row.title if row is not None else title_of_other(data)
    if row is not None and row.conversion_opener:
        with listening() as faults:
            image, orientation = resolve(row.conversion_opener, "labeling.codecs")(data, orientation, max_pixels)
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
    turn = Turn(image, format, orientation)
    if frames > 1:
        return encode_animation(image, frames, turn, target, box, quality, lossless, exif, max_pixels, title)
    made = Converted(b"", 0, 0, (0, 0))
    if faults.count:
        why = "the new file holds what libtiff could decode of it"
        made.lost.append(Loss(f"damaged picture data ({faults.count:,} faults)", title, why))
    deep = _deep(data, image, target, title)
    if deep is not None:
        return _convert_deep(deep, image, turn, box, exif, max_pixels, made, target)
    with decoding(title):
        image.load()
        still = turn.applied(image)
    made.before = still.size
    size = fitted(still.size, box, max_pixels)
    still = _in_mode(still, target, made, title)
    still = scaled(still, size)
    if still is image:
        still = still.copy()  # Pillow would copy tags of a TIFF file on its own, one of several values cut to its first
    made.width, made.height = still.size
    structure = exif(*still.size)
    made.exif = structure if target.exif_by == "container" else None
    still.info = _info(image, still, target, structure)
    encoder = resolve(target.encoder, "labeling.codecs")
    made.data, _, words = encoder(still, quality, lossless)
    if target.colours and f"reduced to {target.colours} colours" in words:
        made.lost.append(Loss("colours", "", f"{target.title} holds {target.colours} of them"))
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


def _other(data: Buffer) -> tuple[str, str] | None:
    row = formats.unread(data)
    return (row.plugin, row.name) if row is not None and row.plugin else None


def _space(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile") or b""
    return profile[16:20] if len(profile) >= 128 else b""


def _in_mode(image: Image.Image, target: PictureEncoding, made: Converted, title: str) -> Image.Image:
    """Convert to a mode that the target holds, and name what that loses."""
    info = image.info
    clear = image.has_transparency_data
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
            made.lost.append(Loss("transparency", title, f"{target.title} holds none: it was laid over white"))
            flat = Image.fromarray(on_white(np.asarray(image.convert("RGBA"))))
            image = flat.convert(image.mode.removesuffix("A"))
            image.info = info
        elif target.colours:
            made.meant.add("alpha")  # a colour of its palette is clear
            if len(alpha.getcolors(3) or ((), (), ())) > 2:
                made.lost.append(
                    Loss("partial transparency", title, f"{target.title} holds pixels that are clear or opaque")
                )
    if image.mode == "F" and "F" not in target.modes:
        hint = "convert to TIFF, or scale the values in an image editor first"
        raise UnsupportedFormat(f"{title} with floating-point samples, which {target.title} cannot hold", hint=hint)
    if image.mode == "I;16" and "I;16" not in target.modes:  # the inventories name the depth
        image = Image.fromarray(np.rint(np.asarray(image).astype(np.float64) / 257).astype(np.uint8))
        image.info = info
    space = _space(image)
    fits = image.mode in target.modes
    wanted = image.mode if fits else ("RGBA" if image.mode.endswith("A") and "RGBA" in target.modes else "RGB")
    if space and (wanted not in _SPACES.get(space, ()) or not target.holds_icc):
        image = _to_srgb(image, wanted, made)
    elif not fits:
        if image.mode in ("CMYK", "LAB"):
            made.lost.append(Loss(f"{image.mode} colours", title, f"{target.title} holds RGB: they were converted"))
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


def _info(image: Image.Image, still: Image.Image, target: PictureEncoding, exif: bytes | None) -> dict[Any, Any]:
    """Return what the encoders keep beside the pixels."""
    kept = {key: still.info[key] for key in ("icc_profile", "dpi", "gamma") if still.info.get(key)}
    if target.holds_comment and isinstance(image.info.get("comment"), bytes | str):
        kept["comment"] = image.info["comment"]
    if exif is not None and target.exif_by == "encoder":
        kept["exif"] = b"Exif\0\0" + exif
    return kept


# --- 16 bits in colour, which Pillow reduces to 8 ---------------------------------------------------------------------


def _deep(data: Buffer, image: Image.Image, target: PictureEncoding, title: str) -> np.ndarray[Any, Any] | None:
    """Return (H, W, 3 or 4) uint16 samples, where the source is PNG and the target holds them; else ``None``."""
    if not target.deep_encoder or image.format != "PNG" or image.mode not in ("RGB", "RGBA"):
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
    deep: np.ndarray[Any, Any], image: Image.Image, turn: Turn, box: tuple[int, int] | None, exif: ExifFor,
    max_pixels: int, made: Converted, target: PictureEncoding,
) -> Converted:  # fmt: skip
    import cv2

    deep = upright(deep, turn.value(image))
    made.before = deep.shape[1], deep.shape[0]
    size = fitted(made.before, box, max_pixels)
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
    made.data = resolve(target.deep_encoder, "labeling.codecs")(deep, shown)
    made.how.append(f"encoded as {target.title}, 16 bits")
    return made


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
