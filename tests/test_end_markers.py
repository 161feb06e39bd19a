"""Pictures of which only the end marker is missing are mended, and more than that is never called mended."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image, ImageSequence

from labeling import Labeler, propagate, transplant, verify
from labeling.errors import UnreadableFile

from .marks import signing
from .pictures import rgb
from .test_parents import upstream_signed

PRODUCER = "001191110102MACQD9K64010000"


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _moving(format: str) -> bytes:
    return _saved(rgb(), format, save_all=True, append_images=[rgb(seed=2), rgb(seed=3)], duration=90)


WHOLE: dict[str, tuple[Callable[[], bytes], bytes]] = {
    "jpeg": (lambda: _saved(rgb(), "JPEG"), b"\xff\xd9"),
    "jpeg, gray": (lambda: _saved(rgb().convert("L"), "JPEG", optimize=True), b"\xff\xd9"),
    "jpeg, CMYK": (lambda: _saved(rgb().convert("CMYK"), "JPEG"), b"\xff\xd9"),
    "jpeg, progressive": (lambda: _saved(rgb(), "JPEG", progressive=True), b"\xff\xd9"),
    "jpeg, restart intervals": (lambda: _saved(rgb(), "JPEG", restart_marker_rows=1), b"\xff\xd9"),
    "png": (lambda: _saved(rgb(), "PNG"), b"\0\0\0\0IEND\xae\x42\x60\x82"),
    "apng": (lambda: _moving("PNG"), b"\0\0\0\0IEND\xae\x42\x60\x82"),
    "gif": (lambda: _saved(rgb().quantize(64), "GIF"), b";"),
    "gif, animated": (lambda: _moving("GIF"), b";"),
}


def _frames(data: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("kind", list(WHOLE))
def test_a_missing_end_is_added_and_said(kind: str, visible: bool, sign: bool, tmp_path: Path) -> None:
    make, end = WHOLE[kind]
    whole = make()
    assert whole.endswith(end)
    for missing in {len(end), 1}:
        source = whole[:-missing]
        report = verify(source, visible=False)
        assert report.readable
        assert "is missing; everything else is there" in str(report.verdicts["cn"].warnings)
        labeler = Labeler(PRODUCER, visible=visible, signer=signing.signer() if sign else None)
        (tmp_path / "in").write_bytes(source)
        done = labeler.label_file(tmp_path / "in", tmp_path / "out")
        data = (tmp_path / "out").read_bytes()
        assert data.endswith(end)
        assert "was missing and was added" in done.how[0]
        assert not done.lost
        frames = list(zip(_frames(whole), _frames(data), strict=True))
        assert all((one == other) != visible for one, other in frames)
        assert "is missing" not in str(verify(data, visible=False).verdicts["cn"].warnings)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg, gray", "jpeg, progressive", "jpeg, restart intervals", "png", "gif"])
def test_what_lacks_more_is_refused(kind: str) -> None:
    make, end = WHOLE[kind]
    whole = make()
    rng = np.random.default_rng(7)
    cuts = [*range(len(end) + 8, 64), *map(int, rng.integers(64, len(whole) - 700, 40))]
    if kind == "jpeg, restart intervals":
        at = whole.rindex(b"\xff\xd2", 0, len(whole))
        cuts += [len(whole) - at, len(whole) - at - 2]  # just ahead of a restart marker, and behind it
    if kind == "jpeg, progressive":
        scans = [at for at in range(len(whole)) if whole.startswith(b"\xff\xda", at)]
        tables = [whole.rindex(b"\xff\xc4", 0, at) for at in scans[1:]]
        cuts += [len(whole) - at for at in tables]  # whole scans are missing
    for cut in cuts:
        with pytest.raises(UnreadableFile, match="cannot be read in full"):
            Labeler(PRODUCER, visible=False).label_image(whole[:-cut])
        assert not verify(whole[:-cut], visible=False).readable


def test_a_missing_frame_is_more_than_an_end() -> None:
    whole = _moving("PNG")
    cut = whole[: whole.rindex(b"fcTL") - 4]
    with pytest.raises(UnreadableFile, match="cannot be read in full"):
        Labeler(PRODUCER, visible=False).label_image(cut)


def test_the_signature_is_judged_by_the_file_as_it_is() -> None:
    signed = Labeler(PRODUCER, visible=False, signer=signing.signer()).label_image(_saved(rgb(), "JPEG"))
    (finding,) = [each for each in verify(signed.data[:-2]).findings if each.kind == "c2pa"]
    assert str(finding.signature) == "failed"


@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("lost", ["after signing", "before signing"])
@pytest.mark.parametrize("kind", ["jpeg", "png", "gif"])
def test_the_parent_is_the_file_that_was_signed(kind: str, lost: str, visible: bool) -> None:
    make, end = WHOLE[kind]
    whole, media_type = make(), f"image/{kind}"
    if lost == "after signing":
        source = upstream_signed(whole, media_type)[0][: -len(end)]
    elif kind == "png":
        with pytest.raises(c2pa.C2paError):  # c2pa signs no PNG without IEND
            upstream_signed(whole[: -len(end)], media_type)
        return
    else:
        source = upstream_signed(whole[: -len(end)], media_type)[0]
        assert not source.endswith(end)
    made = Labeler(PRODUCER, visible=visible, signer=signing.signer()).label_image(source)
    told = signing.witness(made.data, media_type)
    assert told["validation_state"] == "Valid"
    (parent,) = told["manifests"][told["active_manifest"]]["ingredients"]
    failures = {each["code"] for each in parent["validation_results"]["activeManifest"]["failure"]}
    assert failures == {"signingCredential.untrusted"}


@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("kind", ["jpeg", "jpeg, progressive", "png", "apng", "gif", "gif, animated"])
def test_a_platform_mends_the_end_too(kind: str, sign: bool, tmp_path: Path) -> None:
    make, end = WHOLE[kind]
    signer = signing.signer() if sign else None
    labelled = Labeler(PRODUCER, visible=False, signer=signer).label_image(make()).data
    source = tmp_path / "in"
    source.write_bytes(labelled[: -len(end)])
    done = propagate(source, tmp_path / "out", propagator="platform", propagate_id="7", signer=signer)
    data = (tmp_path / "out").read_bytes()
    assert data.endswith(end)
    assert "was missing and was added" in done.how[0]
    assert done.label.propagator == "platform"
    assert _frames(data) == _frames(labelled)
    carried = transplant(source, source, tmp_path / "copy", signer=signer)
    assert "was missing and was added" in carried.how[0]
    assert (tmp_path / "copy").read_bytes().endswith(end)


def test_a_platform_mends_nothing_more(tmp_path: Path) -> None:
    labelled = Labeler(PRODUCER, visible=False).label_image(WHOLE["jpeg"][0]()).data
    (tmp_path / "in").write_bytes(labelled[:-700])
    with pytest.raises(UnreadableFile, match="cannot be read in full"):
        propagate(tmp_path / "in", tmp_path / "out", propagator="platform", propagate_id="7")
    assert not (tmp_path / "out").exists()
