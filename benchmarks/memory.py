"""Pictures in memory: labelled and coded, against coded only by Pillow with the same settings."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import PRODUCER, _pictures
from benchmarks._measure import Row, Settings, race

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from labeling import Signer

QUALITY = 92


def pem_signer() -> Signer:
    """ES256 with a key of the process, from a test chain."""
    from labeling.marks.credentials import Signer, make_test_chain

    chain = make_test_chain("es256")
    return Signer.from_pem(chain.cert_pem, chain.key_pem)


def callback_signer() -> Signer:
    """ES256 through a callback: what a KMS does, without its way through the network."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from labeling.marks.credentials import Signer, make_test_chain

    chain = make_test_chain("es256")
    key = serialization.load_pem_private_key(chain.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Signer.from_callback(lambda message: key.sign(message, ec.ECDSA(hashes.SHA256())), chain.cert_pem)


def _pillow(image: Image.Image, kind: str, **options: Any) -> int:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return len(out.getvalue())


def _opencv(pixels: NDArray[np.uint8]) -> int:
    """The coder alone, from samples in the order in which it takes them: (H, W, 3) uint8 BGR."""
    import cv2

    return len(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _ours(labeler: Any, image: Image.Image, kind: str) -> int:
    return len(labeler.label_image(image, kind).data)


def _labeler(**more: Any) -> Any:
    import labeling

    return labeling.Labeler(producer=PRODUCER, generator="benchmark", generator_version="1", quality=QUALITY, **more)


def jpeg(settings: Settings) -> Iterator[Row]:
    """PIL image → labelled JPEG bytes: visible, AIGC and IPTC."""
    from PIL import Image

    labeler, image = _labeler(), _pictures.photo()
    painted = np.asarray(Image.open(io.BytesIO(labeler.label_image(image, "png").data)).convert("RGB"))
    yield race(
        "1024² picture → labelled JPEG q92", "Pillow save, unlabelled",
        partial(_ours, labeler, image, "jpeg"), partial(_pillow, image, "JPEG", quality=QUALITY),
        settings.repetitions(101), 1.22, "≤ 1.22×",
        bare=partial(_opencv, np.ascontiguousarray(painted[..., ::-1])), bare_of="OpenCV codes the painted samples",
    )  # fmt: skip


def jpeg_signed(settings: Settings) -> Iterator[Row]:
    """The same and a C2PA manifest."""
    image = _pictures.photo()
    for words, signer in (("", pem_signer()), (", key behind a callback", callback_signer())):
        yield race(
            f"the same, C2PA-signed{words}", "Pillow save, unlabelled",
            partial(_ours, _labeler(signer=signer), image, "jpeg"), partial(_pillow, image, "JPEG", quality=QUALITY),
            settings.repetitions(51), 1.5, "≤ 1.5×",
        )  # fmt: skip


PNG_TARGETS = {"photo": (0.18, 0.96, 0.06), "drawing": (0.33, 1.07, 0.16), "render": (0.16, 1.08, 0.06)}
"""Of Pillow's time and of its size; of its time where the compression is fast."""


def png(settings: Settings) -> Iterator[Row]:
    """PIL image → labelled PNG bytes, and how large they are, for three kinds of picture and both compressions."""
    for kind, make in _pictures.KINDS.items():
        most, largest, most_fast = PNG_TARGETS[kind]
        image = make()
        for compression, words, limit in (("normal", "", most), ("fast", ", fast", most_fast)):
            labeler = _labeler(compression=compression)
            rows = _filtered_rows(labeler.label_image(image, "png").data)
            yield race(
                f"1024² {kind} → labelled PNG{words}", "Pillow save, unlabelled",
                partial(_ours, labeler, image, "png"), partial(_pillow, image, "PNG"),
                settings.repetitions(7), limit, f"≤ {limit:.2f}×",
                bare=partial(_deflated, rows, fast=compression == "fast"),
                bare_of="ISA-L deflates the filtered rows" if words else "zlib-ng's level 1 deflates the filtered rows",
            )  # fmt: skip
            ours, other = _ours(labeler, image, "png"), _pillow(image, "PNG")
            goal = None if words else largest
            yield Row(
                f"  its size, {kind}{words}", "Pillow's", ours / 1024, other / 1024, "KiB", ours / other, goal,
                f"≤ {goal:.2f}×" if goal else "",
            )  # fmt: skip


def _filtered_rows(file: bytes) -> bytes:
    """What is compressed in a PNG file."""
    from labeling.containers.png_chunks import walk

    return zlib.decompress(b"".join(file[at + 8 : end - 4] for kind, at, end in walk(file) if kind == b"IDAT"))


def _deflated(rows: bytes, *, fast: bool) -> int:
    """The coder alone."""
    from labeling import deflate

    stream = deflate.fast_compressor() if fast else deflate.compressor(1)
    return len(stream.compress(rows)) + len(stream.flush())
