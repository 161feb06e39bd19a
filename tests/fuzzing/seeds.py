"""The files that mutation starts from: small, of every format, with a label in every carrier."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, PngImagePlugin

from labeling import Labeler, LabelingError, Signer
from labeling.marks.credentials import make_test_chain

from ..containers import battery
from .media_seeds import gather_media

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("AIGC_CASES", ROOT.parent / "shared" / "cases"))
MAX_CASE = 400 << 10
"""Real files of more bytes are left out: mutation would mostly hit their pixels."""

PRODUCER = "001191110102MACQD9K64010000"
VALUES = {
    "Label": "1",
    "ContentProducer": PRODUCER,
    "ProduceID": "a-1",
    "ReservedCode1": "",
    "ContentPropagator": PRODUCER,
    "PropagateID": "a-1",
    "ReservedCode2": "",
}
FIELD = json.dumps(VALUES, separators=(",", ":"))
WRAPPED = json.dumps({"AIGC": VALUES})


def exif(text: str = WRAPPED) -> bytes:
    """A TIFF structure with the label as UserComment and ImageDescription, and an orientation."""
    comment = b"ASCII\0\0\0" + text.encode()
    description = text.encode() + b"\0"
    comment_at = 8 + 2 + 3 * 12 + 4 + 2 + 12 + 4
    description_at = comment_at + len(comment)
    return (
        struct.pack("<2sHIH", b"II", 42, 8, 3)
        + struct.pack("<HHII", 0x010E, 2, len(description), description_at)
        + struct.pack("<HHII", 0x0112, 3, 1, 6)
        + struct.pack("<HHII", 0x8769, 4, 1, 50)
        + struct.pack("<IH", 0, 1)
        + struct.pack("<HHII", 0x9286, 7, len(comment), comment_at)
        + struct.pack("<I", 0)
        + comment
        + description
    )


def segment(marker: int, payload: bytes) -> bytes:
    """A JPEG marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A PNG chunk with its CRC."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def _jpeg_carriers() -> bytes:
    plain = battery.jpeg_full()
    parts = [
        segment(0xE1, b"Exif\0\0" + exif()),
        segment(0xE9, b"AIGC" + FIELD.encode()),
        segment(0xFE, b"AIGC=" + FIELD.encode()),
    ]
    return plain[:2] + b"".join(parts) + plain[2:]


def _png_carriers() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("AIGC", FIELD)
    info.add_text("AIGC", WRAPPED, zip=True)
    info.add_itxt("AIGC", FIELD, zip=True)
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    info.add_text("prompt", '{"3": {"class_type": "KSampler", "inputs": {}}}')
    plain = battery.encoded(battery.noise(), "PNG", pnginfo=info)
    late = plain.rindex(b"IEND") - 4
    return plain[:late] + chunk(b"eXIf", exif()) + chunk(b"tEXt", b"AIGC\0" + FIELD.encode()) + plain[late:]


def _gif_comment() -> bytes:
    return battery.encoded(battery.noise().quantize(8), "GIF", comment=FIELD.encode())


def _texts() -> Iterator[tuple[str, bytes]]:
    front = "---\ntitle: x\nAIGC:\n" + "".join(f"  {key}: '{value}'\n" for key, value in VALUES.items()) + "---\ntext\n"
    yield "front-matter.md", front.encode()
    packet = battery.PACKET.decode().replace("\ufeff", "")
    yield (
        "metadata.svg",
        (
            '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><metadata>' + packet + "</metadata></svg>"
        ).encode(),
    )
    parts = ["%PDF-1.4\n", "1 0 obj\n<</Type/Catalog>>\nendobj\n", f"2 0 obj\n<</AIGC({FIELD})>>\nendobj\n"]
    first, second, end = (len("".join(parts[:number])) for number in (1, 2, 3))
    table = f"xref\n0 3\n0000000000 65535 f \n{first:010} 00000 n \n{second:010} 00000 n \n"
    yield (
        "info.pdf",
        f"{''.join(parts)}{table}trailer\n<</Size 3/Root 1 0 R/Info 2 0 R>>\nstartxref\n{end}\n%%EOF\n".encode(),
    )


def _labelled(seeds: list[tuple[str, bytes]], signer: Signer) -> Iterator[tuple[str, bytes]]:
    """Our own labels, and signed ones, on one small picture of each format."""
    plain, signing = (Labeler(producer=PRODUCER, visible=False, exif=True, signer=each) for each in (None, signer))
    for name, data in seeds:
        for what, labeler in (("labelled", plain), ("signed", signing)):
            try:
                yield f"{name}-{what}", labeler.label_image(data).data
            except LabelingError:
                continue  # a format without EXIF, or BMP and the like: they are seeds as they are


def _painted(signer: Signer) -> Iterator[tuple[str, bytes]]:
    """Pictures with the label to be seen, large enough for it to be read."""
    plain, signing = Labeler(producer=PRODUCER), Labeler(producer=PRODUCER, signer=signer)
    picture = battery.noise(200, 150)
    for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"):
        options = {"speed": 10} if format == "AVIF" else {}
        data = battery.encoded(picture, format, **options)
        labeler = signing if format in ("JPEG", "PNG", "AVIF") else plain
        yield f"painted.{format.lower()}", labeler.label_image(data).data


def _further() -> Iterator[tuple[str, bytes]]:
    """Pictures that can be converted only."""
    for format in ("BMP", "TGA", "PPM", "JPEG2000", "ICO", "DDS", "SGI", "ICNS", "QOI"):
        yield f"plain.{format.lower()}", battery.encoded(Image.new("RGB", (16, 16), "red"), format)


def gather(*, cases: bool = True) -> list[tuple[str, bytes]]:
    """All seeds as (name, content), in a stable order; the third-party cases only where they are there."""
    seeds = [(sample.name, sample.make()) for sample in battery.SAMPLES]
    seeds += [
        ("carriers.jpg", _jpeg_carriers()),
        ("carriers.png", _png_carriers()),
        ("comment.gif", _gif_comment()),
        ("exif.webp", battery.encoded(battery.noise(), "WEBP", exif=b"Exif\0\0" + exif())),
        ("exif.tif", exif()),
    ]
    made = make_test_chain("es256")
    signer = Signer.from_pem(made.cert_pem, made.key_pem)
    seeds += [*_further(), *_texts()]
    seeds += list(_labelled([each for each in seeds if each[0].endswith(("-full", "gif", "animated"))], signer))
    seeds += [*_painted(signer), *gather_media(PRODUCER, signer)]
    if cases and CASES.is_dir():
        files = sorted(path for path in CASES.rglob("*") if path.is_file() and path.name != "MANIFEST.json")
        seeds += [(path.name, path.read_bytes()) for path in files if path.stat().st_size <= MAX_CASE]
    return seeds
