"""Fingerprints: the same picture again after what platforms do to it, and no other one."""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks import _pictures
from labeling.errors import LabelingError, TooLarge, UnreadableFile, UnsupportedFormat
from labeling.fingerprint import BITS, DETAIL, SIZE, SIZES, distance, fingerprint
from labeling.ledger._ledger import DEFAULT_DISTANCE

from .pictures import MAKERS, rgb


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def halved(image: Image.Image) -> bytes:
    """What a platform makes of it: half the size, JPEG of quality 50, no metadata."""
    small = image.convert("RGB").resize((image.width // 2, image.height // 2))
    return saved(Image.fromarray(np.asarray(small)), "JPEG", quality=50)


def far(one: Any, other: Any, *, detail: float = DETAIL / 2) -> int:
    found = fingerprint(one, detail=detail), fingerprint(other, detail=detail)
    assert found[0] is not None
    assert found[1] is not None
    return distance(found[0], found[1])


PICTURES = [
    *(make(640, 480, seed=seed) for make in _pictures.KINDS.values() for seed in range(4)),
    *(rgb(640, 480, seed=seed) for seed in range(2, 8)),
]


def test_copies_are_near_and_other_pictures_far() -> None:
    copies = [far(picture, halved(picture)) for picture in PICTURES]
    assert max(copies) <= DEFAULT_DISTANCE // 2
    others = [far(one, other) for one, other in itertools.combinations(PICTURES, 2)]
    assert min(others) > DEFAULT_DISTANCE + 10
    assert 100 < sum(others) / len(others) < 120


def shown(source: Path | io.BytesIO) -> Image.Image:
    """As a viewer shows it, by Pillow's own means."""
    with Image.open(source) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("RGB")


def test_real_pictures_are_known_again(cases: Path) -> None:
    found = []
    for path in sorted((cases / "2_c2pa").iterdir()):
        try:
            print_ = fingerprint(path)
            picture = shown(path)
        except (LabelingError, OSError):
            continue
        if print_ is not None:
            found.append(far(path, halved(picture)))
    assert len(found) > 10
    assert max(found) <= DEFAULT_DISTANCE


@pytest.mark.parametrize("change", ["brighter", "darker", "gray", "quarter", "wide", "webp", "grain", "label"])
def test_what_else_happens_to_pictures(change: str) -> None:
    import labeling

    picture = PICTURES[0]
    pixels = np.asarray(picture).astype(np.float32)
    changes: dict[str, Callable[[], Image.Image | bytes]] = {
        "brighter": lambda: Image.fromarray(np.clip(pixels * 1.1 + 10, 0, 255).astype(np.uint8)),
        "darker": lambda: Image.fromarray((pixels * 0.7).astype(np.uint8)),
        "gray": lambda: picture.convert("L"),
        "quarter": lambda: picture.resize((160, 120)),
        "wide": lambda: picture.resize((800, 480)),
        "webp": lambda: saved(picture, "WEBP", quality=30),
        "grain": lambda: Image.fromarray(
            np.clip(pixels + np.random.default_rng(1).normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
        ),
        "label": lambda: labeling.Labeler(producer="x").label_image(picture, "png").data,
    }
    assert far(picture, changes[change]()) <= DEFAULT_DISTANCE


def test_every_form_of_a_picture_has_the_same_fingerprint(tmp_path: Path) -> None:
    picture = rgb(640, 480, seed=3)
    data = saved(picture)
    (tmp_path / "a.png").write_bytes(data)
    wanted = fingerprint(picture)
    assert wanted is not None
    assert len(wanted) in SIZES
    for form in (np.asarray(picture), data, io.BytesIO(data), tmp_path / "a.png", str(tmp_path / "a.png")):
        assert fingerprint(form) == wanted
    lossy = fingerprint(saved(picture, "JPEG", quality=95))  # decoded at an eighth
    assert lossy is not None
    assert distance(wanted, lossy) <= 4


@pytest.mark.parametrize("name", [name for name in MAKERS if not name.startswith("gray16")])
def test_formats_and_orientations_are_seen_as_displayed(name: str) -> None:
    data = MAKERS[name]()
    if name.endswith(".heic"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    assert far(data, shown(io.BytesIO(data)), detail=2) <= 8


def test_a_film_is_known_by_a_picture_in_it(tmp_path: Path) -> None:
    import av

    film = tmp_path / "film.mp4"
    pictures = [rgb(320, 240, seed=seed) for seed in (2, 3)]
    with av.open(film, "w") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.asarray(pictures[number >= 10]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert far(pictures[1], film, detail=2) <= DEFAULT_DISTANCE < far(pictures[0], film, detail=2)


def test_sounds_documents_and_flat_pictures_have_none(tmp_path: Path) -> None:
    y, x = np.mgrid[0:400, 0:600]
    ramp = Image.fromarray((x // 3).astype(np.uint8))
    soft = Image.fromarray((128 + 6 * np.sin(x / 90) + 5 * np.sin(y / 70)).astype(np.uint8))
    corner = Image.new("L", (600, 400), 255)
    corner.paste(0, (560, 370, 600, 400))
    for flat in (corner, Image.new("RGB", (600, 400), "white"), ramp, soft, Image.new("RGB", (8, 8)), rgb(31, 200)):
        assert fingerprint(flat) is None
        assert fingerprint(saved(flat)) is None
        assert fingerprint(saved(flat, "JPEG")) is None
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.random.default_rng(1).integers(-9000, 9000, 8000, np.int16).tobytes())
    assert fingerprint(tmp_path / "a.wav") is None
    assert fingerprint(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>') is None


@pytest.mark.parametrize(
    ("source", "error"),
    [(b"", UnreadableFile), (b"nothing", UnsupportedFormat), ("none.png", UnreadableFile),
     (np.zeros((4, 4), np.uint8), LabelingError), (np.zeros((4, 4, 3)), LabelingError)],
)  # fmt: skip
def test_what_is_no_picture_is_refused(source: Any, error: type[LabelingError]) -> None:
    with pytest.raises(error):
        fingerprint(source)


def test_limits_hold(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    rgb(400, 300).save(path)
    with pytest.raises(TooLarge, match=r"large\.png.*120000|large\.png.*400×300"):
        fingerprint(path, max_pixels=100_000)
    for maker in ("baseline.jpg", "rgb.png", "lossy.webp"):
        data = MAKERS[maker]()
        with pytest.raises(LabelingError):
            fingerprint(data[: len(data) // 3])


def test_distance_counts_bits() -> None:
    one, other = bytes(SIZE), bytes([0b1011]) + bytes(SIZE - 2) + b"\x80"
    assert (distance(one, one), distance(one, other), distance(other, b"\xff" * SIZE)) == (0, 4, 252)
    with pytest.raises(LabelingError, match="32 bytes"):
        distance(one, b"")
    assert BITS == 256
