"""TIFF files through the whole pipeline: what other readers of TIFF find in a labelled file. libtiff is the witness."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import labeling
from labeling import Labeler
from labeling.marks.credentials import Signer, sign

from . import programs
from .marks.signing import CLAIM, chain, codes, key_service, signer, witness

PRODUCER = "a-service"


def picture(seed: int = 1, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """A colourful picture without noise, so that it compresses."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(x / (9 + seed + n) + y / (13 * (n + 1))) for n in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def tiff(pages: int = 1, **options: Any) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("byteorder", "<")) as to:
        for number in range(pages):
            to.write(picture(number), photometric="rgb", metadata=None, **options)
    return out.getvalue()


def tiffinfo(data: bytes, folder: Path) -> tuple[int, str]:
    """Return how many directories libtiff reads, and what it complains of."""
    path = folder / "witness.tif"
    path.write_bytes(data)
    done = subprocess.run([programs.require("tiffinfo"), path], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "Unknown field with tag" not in line]
    return done.stdout.count("=== TIFF directory"), "\n".join(complaints)


def pages_of(data: bytes) -> list[NDArray[Any]]:
    """Return what Pillow decodes, page by page; it fails on a directory without a picture."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(np.array(image))
        return found


# --- signed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"tile": (64, 64)}], ids=str)
@pytest.mark.parametrize("pages", [1, 2, 5])
def test_a_signed_file_keeps_its_pages_and_its_manifest_validates(
    pages: int, options: dict[str, Any], visible: bool, tmp_path: Path
) -> None:
    source = tiff(pages, **options)
    made = Labeler(PRODUCER, visible=visible, signer=signer()).label_image(source)
    assert tiffinfo(made.data, tmp_path) == (pages, "")
    after, before = pages_of(made.data), pages_of(source)
    assert [np.array_equal(a, b) for a, b in zip(after, before, strict=True)] == [not visible] * pages
    store = witness(made.data, "image/tiff")
    assert (store["validation_state"], codes(store)) == ("Valid", {"signingCredential.untrusted"})
    with tifffile.TiffFile(io.BytesIO(made.data)) as file:
        assert len(file.pages) == pages
        assert [0xCD41 in page.aspage().tags for page in file.pages] == [True] + [False] * (pages - 1)


@pytest.mark.parametrize("alg", ["es256", "ps256", "ed25519"])
def test_a_callback_signs_several_pages(alg: str, tmp_path: Path) -> None:
    who = Signer.from_callback(key_service(alg), chain(alg).cert_pem, alg)
    for _ in range(2):
        made = Labeler(PRODUCER, visible=False, signer=who).label_image(tiff(3))
        assert tiffinfo(made.data, tmp_path) == (3, "")
        assert codes(witness(made.data, "image/tiff")) == {"signingCredential.untrusted"}


def test_a_manifest_that_breaks_the_chain_of_pages_is_named_and_moved(tmp_path: Path) -> None:
    labelled = Labeler(PRODUCER, visible=False).label_image(tiff(2)).data
    broken = sign(labelled, "image/tiff", signer(), CLAIM)  # as c2pa lays it out
    pages, complaints = tiffinfo(broken, tmp_path)
    assert "ImageLength" in complaints, pages
    report = labeling.verify(broken, visible=False)
    (warning,) = [each for each in report.verdicts["cn"].warnings if each.rule == "FILE-STRUCTURE"]
    assert "IFD2" in warning.message
    assert "C2PA" in warning.message
    mended = Labeler(PRODUCER, visible=False, signer=signer(), strict=True).label_image(broken)
    assert tiffinfo(mended.data, tmp_path) == (2, "")
    assert not [each for each in mended.report.verdicts["cn"].warnings if each.rule == "FILE-STRUCTURE"]
    store = witness(mended.data, "image/tiff")
    assert store["validation_state"] == "Valid"
    (parent,) = store["manifests"][store["active_manifest"]]["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert parent["active_manifest"] in store["manifests"]


# --- what is not drawn on ---------------------------------------------------------------------------------------------


def raw_file(folder: Path) -> Path:
    """A DNG as cameras write them: a small preview in IFD0, and sensor data in a SubIFD."""
    path = folder / "photo.dng"
    with tifffile.TiffWriter(path) as to:
        dng = [(50706, 1, 4, bytes([1, 4, 0, 0]), True)]
        to.write(picture(1, 320, 240), photometric="rgb", subifds=1, subfiletype=1, extratags=dng, metadata=None)
        sensor = picture(2, 640, 480)[..., 1].astype(np.uint16) * 16
        pattern = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)]
        to.write(sensor, photometric="cfa", extratags=pattern, metadata=None)
    return path


def test_camera_raw_gets_metadata_alone(tmp_path: Path) -> None:
    source = raw_file(tmp_path)
    with pytest.raises(labeling.UnsupportedFormat, match=r"camera raw file \(DNG\).*visible=False"):
        Labeler(PRODUCER).label_file(source, tmp_path / "out.dng")
    assert not (tmp_path / "out.dng").exists()
    made = Labeler(PRODUCER, visible=False, signer=signer()).label_file(source, tmp_path / "out.dng")
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(made.path) as after:
        for one, other in zip(before.pages[0].aspage().pages or (), after.pages[0].aspage().pages or (), strict=True):
            assert np.array_equal(one.asarray(), other.asarray())
    assert witness(made.path.read_bytes(), "image/tiff")["validation_state"] == "Valid"
    report = labeling.verify(made.path)
    visible = report.find("visible")
    assert visible is not None
    assert visible.status is labeling.Status.UNREADABLE
    assert "camera raw" in visible.defects[0].message
    assert report.verdicts["cn"].outcome is not labeling.Outcome.COMPLIANT
