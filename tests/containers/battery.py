"""The samples that every container format puts through the same tests (test_battery.py).

A new format is one row or more in :data:`SAMPLES`: a name, the format's name in the table of formats, and a maker of
a small file. Makers use an encoder that is not ours, so that what is read is what others write.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

from labeling.containers import Block, Contents, Kind

SOURCE = "标识 <&> battery"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>标识 &lt;&amp;&gt; battery</dc:source>'
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
OLD_PACKET = PACKET.replace("标识".encode(), "old 旧".encode())


@dataclass(frozen=True)
class Sample:
    """One row; ``exif`` says whether the format has a place for EXIF."""

    name: str
    format: str
    make: Callable[[], bytes]
    media_type: str
    exif: bool = True


def noise(width: int = 48, height: int = 40, seed: int = 1) -> Image.Image:
    """A picture with gradients and noise, so that the coded data contain many byte values."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width)[None, :, None] * np.ones((height, 1, 3))
    return Image.fromarray((ramp + rng.integers(0, 55, (height, width, 3))).astype(np.uint8))


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    """Return ``picture`` as Pillow's encoder writes it."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def exif(text: str = "a camera") -> bytes:
    """Return a TIFF structure as Pillow writes it, with its ``Exif\\0\\0``."""
    tags = Image.Exif()
    tags[0x010F] = text
    return tags.tobytes()


def icc() -> bytes:
    """An sRGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _png_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "plain")
    info.add_text("Squeezed", "again and again " * 40, zip=True)
    info.add_itxt("Title", "标题", lang="zh", tkey="题", zip=True)
    info.add_itxt("XML:com.adobe.xmp", OLD_PACKET.decode())
    return info


def _frames(count: int = 3) -> list[Image.Image]:
    return [noise(seed=seed) for seed in range(count)]


def jpeg_full() -> bytes:
    """EXIF, ICC, XMP and a comment in one JPEG."""
    return encoded(noise(), "JPEG", exif=exif(), icc_profile=icc(), xmp=OLD_PACKET, comment=b"a comment")


def png_full() -> bytes:
    """EXIF, ICC, XMP and every kind of text chunk in one PNG."""
    return encoded(noise(), "PNG", exif=exif()[6:], icc_profile=icc(), pnginfo=_png_text())


def png_animated() -> bytes:
    first, *others = _frames()
    return encoded(first, "PNG", save_all=True, append_images=others, duration=50)


def gif_animated() -> bytes:
    first, *others = [frame.quantize(32) for frame in _frames()]
    return encoded(first, "GIF", save_all=True, append_images=others, duration=50, loop=0, comment=b"a comment")


def _png_16_bit() -> bytes:
    return encoded(Image.fromarray(np.arange(48 * 40, dtype=np.uint16).reshape(40, 48) * 31), "PNG")


def webp_full() -> bytes:
    """EXIF, ICC and XMP in one WebP."""
    return encoded(noise(), "WEBP", exif=exif(), icc_profile=icc(), xmp=OLD_PACKET)


def webp_animated() -> bytes:
    first, *others = _frames()
    return encoded(first, "WEBP", save_all=True, append_images=others, duration=50)


def _rgba() -> Image.Image:
    picture = noise().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def tiff(pages: int = 1, **options: Any) -> bytes:
    """A TIFF as tifffile writes it: either byte order, BigTIFF, several pages."""
    import tifffile

    out = io.BytesIO()
    samples = np.stack([np.asarray(frame) for frame in _frames(pages)])
    tifffile.imwrite(out, samples, photometric="rgb", metadata=None, software="software", **options)
    return out.getvalue()


def tiff_full() -> bytes:
    """Descriptive tags, an Exif directory, ICC and XMP in one TIFF."""
    tags = Image.Exif()
    tags[0x010F], tags[0x02BC] = "a camera", OLD_PACKET
    tags.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    stored = Image.Exif()
    stored.load(tags.tobytes())  # Pillow writes an Exif directory only if it has read one
    return encoded(noise(), "TIFF", exif=stored, icc_profile=icc())


def heic(**options: Any) -> bytes:
    """A HEIC as libheif writes it."""
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.from_pillow(noise()).save(out, quality=60, **options)
    return out.getvalue()


def avif_full() -> bytes:
    """EXIF, ICC and XMP in one AVIF, as libavif writes it."""
    return encoded(noise(), "AVIF", exif=exif(), icc_profile=icc(), xmp=OLD_PACKET)


def avif_animated(**options: Any) -> bytes:
    """A file with a movie: its chunk offsets, and the items that its tracks repeat, must follow when boxes move."""
    first, *others = _frames()
    return encoded(first, "AVIF", save_all=True, append_images=others, duration=50, speed=10, **options)


SAMPLES = [
    Sample("jpeg", "jpeg", lambda: encoded(noise(), "JPEG"), "image/jpeg"),
    Sample("jpeg-full", "jpeg", jpeg_full, "image/jpeg"),
    Sample("jpeg-progressive", "jpeg", lambda: encoded(noise(), "JPEG", progressive=True), "image/jpeg"),
    Sample("jpeg-restarts", "jpeg", lambda: encoded(noise(), "JPEG", restart_marker_blocks=1), "image/jpeg"),
    Sample("jpeg-cmyk", "jpeg", lambda: encoded(noise().convert("CMYK"), "JPEG"), "image/jpeg"),
    Sample("png", "png", lambda: encoded(noise(), "PNG"), "image/png"),
    Sample("png-full", "png", png_full, "image/png"),
    Sample("png-palette", "png", lambda: encoded(noise().quantize(16), "PNG", transparency=3), "image/png"),
    Sample("png-16-bit", "png", _png_16_bit, "image/png"),
    Sample("png-animated", "png", png_animated, "image/apng"),
    Sample("gif", "gif", lambda: encoded(noise().quantize(32), "GIF"), "image/gif", exif=False),
    Sample("gif-animated", "gif", gif_animated, "image/gif", exif=False),
    Sample("webp", "webp", lambda: encoded(noise(), "WEBP"), "image/webp"),
    Sample("webp-lossless-alpha", "webp", lambda: encoded(_rgba(), "WEBP", lossless=True), "image/webp"),
    Sample("webp-lossy-alpha", "webp", lambda: encoded(_rgba(), "WEBP"), "image/webp"),
    Sample("webp-full", "webp", webp_full, "image/webp"),
    Sample("webp-animated", "webp", webp_animated, "image/webp"),
    Sample("tiff", "tiff", tiff, "image/tiff"),
    Sample("tiff-big-endian-pages", "tiff", lambda: tiff(3, byteorder=">"), "image/tiff"),
    Sample("tiff-tiles", "tiff", lambda: tiff(tile=(16, 16)), "image/tiff"),
    Sample("tiff-big", "tiff", lambda: tiff(2, bigtiff=True), "image/tiff"),
    Sample("tiff-lzw", "tiff", lambda: encoded(noise(), "TIFF", compression="tiff_lzw"), "image/tiff"),
    Sample("tiff-full", "tiff", tiff_full, "image/tiff"),
    Sample("heic", "heif", heic, "image/heic"),
    Sample("heic-full", "heif", lambda: heic(exif=exif(), xmp=OLD_PACKET), "image/heic"),
    Sample("avif", "heif", lambda: encoded(noise(), "AVIF", speed=10), "image/avif"),
    Sample("avif-full", "heif", avif_full, "image/avif"),
    Sample("avif-animated", "heif", avif_animated, "image/avif"),
    Sample("avif-animated-full", "heif", lambda: avif_animated(exif=exif(), xmp=OLD_PACKET), "image/avif"),
]


# Independent readers


def pixels(data: bytes) -> list[tuple[str, tuple[int, int], bytes]]:
    """Return the mode, size and samples of every frame, as Pillow decodes them."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    with Image.open(io.BytesIO(data)) as picture:
        return [(frame.mode, frame.size, frame.tobytes()) for frame in ImageSequence.Iterator(picture)]


def exiftool(*paths: Path) -> list[dict[str, Any]]:
    """Return what exiftool reads in each file; keys have their group."""
    run = subprocess.run(["exiftool", "-j", "-a", "-G1", "-struct", *map(str, paths)], capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def foreign(tags: dict[str, Any]) -> dict[str, Any]:
    """Return the tags that a new XMP packet does not change. Offsets are not among them, because they may change."""
    ours = ("XMP", "System:", "File:", "ExifTool:", "Composite:", "SourceFile", "GIF:GIFVersion", "RIFF:WebP_Flags")
    moved = ("Offset", "Offsets", "Start", "MediaDataSize", "ApplicationNotes", "AvgBitrate")
    return {key: value for key, value in tags.items() if not key.startswith(ours) and not key.endswith(moved)}


# What Contents report


def coded(data: bytes, contents: Contents) -> bytes:
    """Return the coded picture."""
    return b"".join(data[at : at + length] for at, length in contents.coded)


def held(blocks: tuple[Block, ...], but: Kind | None = None) -> list[tuple[str, str, bytes]]:
    """Return what blocks hold, without their places in the file."""
    return sorted((block.where, block.keyword, block.data) for block in blocks if block.kind is not but)
