"""A file's own C2PA manifest stays as the parent ingredient: in every format, with and without a visible label.

The sources are signed by c2pa's builder, not by us, and c2pa's reader is the witness of what became of their manifests.
"""

from __future__ import annotations

import io
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import c2pa
import pytest

import labeling
from labeling import Labeler, LabelingError, SigningError
from labeling.findings import Signature

from .batching import batch, lines
from .conftest import CASES
from .marks.signing import TRAINED, chain, picture, signer
from .programs import require

PICTURES = ("jpeg", "png", "webp", "webp lossless", "gif", "tiff", "avif", "heic")
EMBEDDED = {"mp4": "video/mp4", "fragmented.mp4": "video/mp4", "mov": "video/quicktime", "avi": "video/avi"}
BESIDE = {"mkv": "video/x-matroska", "webm": "video/webm", "flv": "video/x-flv"}
AUDIO = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "m4a": "audio/mp4"}
UPSTREAM = {
    "claim_generator_info": [{"name": "upstream", "version": "1"}],
    "assertions": [
        {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": TRAINED}]}}
    ],
}
VISIBLE = pytest.mark.parametrize("visible", [True, False], ids=["visible", "metadata only"])


def upstream_signed(data: bytes, media_type: str, *, beside: bool = False, url: str = "") -> tuple[bytes, bytes]:
    """Sign as another provider does, with c2pa's builder alone. Returns the file and its manifest store."""
    made = chain("es256")
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, made.cert_pem, made.key_pem, None)
    out = io.BytesIO()
    with c2pa.Builder(json.dumps(UPSTREAM)) as builder:
        if beside or url:
            builder.set_no_embed()
        if url:
            builder.set_remote_url(url)
        store = builder.sign(c2pa.Signer.from_info(info), media_type, io.BytesIO(data), out)
    return data if beside else out.getvalue(), store


def signed_picture(kind: str) -> tuple[bytes, str]:
    format = kind.split()[0]
    data, media_type = picture(format, 320), f"image/{format}"
    if "lossless" in kind:
        from PIL import Image

        out = io.BytesIO()
        Image.open(io.BytesIO(data)).save(out, "WEBP", lossless=True)
        data = out.getvalue()
    return upstream_signed(data, media_type)[0], media_type


_CODERS = {
    "mp4": ["-c:v", "libx264"],
    "fragmented.mp4": ["-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov"],
    "mov": ["-c:v", "libx264"],
    "avi": ["-c:v", "libx264"],
    "mkv": ["-c:v", "libx264"],
    "webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime"],
    "flv": ["-c:v", "libx264"],
}


@cache
def media(kind: str) -> bytes:
    """A clip of three seconds, or a tone."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"clip.{kind}")
        source = (
            ["-i", "sine=duration=3"] if kind in AUDIO or kind == "ogg"
            else ["-i", "testsrc=size=320x180:rate=25:duration=3", "-g", "25", "-pix_fmt", "yuv420p", *_CODERS[kind]]
        )  # fmt: skip
        subprocess.run([require("ffmpeg"), "-v", "error", "-f", "lavfi", *source, path], check=True)
        return path.read_bytes()


def stores(path: Path, media_type: str, store: bytes | None = None) -> dict[str, Any]:
    """What c2pa's reader says."""
    with path.open("rb") as stream, c2pa.Reader(media_type, stream, store) as reader:
        found: dict[str, Any] = json.loads(reader.json())
    return found


def check_parent(found: dict[str, Any], *, change: str, parent: str = "") -> None:
    """Check that the manifest is valid, says what was done, and holds the parent with its own validation."""
    assert found["validation_state"] == "Valid"
    active = found["manifests"][found["active_manifest"]]
    actions = [a for each in active["assertions"] if "actions" in each["label"] for a in each["data"]["actions"]]
    assert [action["action"] for action in actions] == ["c2pa.opened", change]
    (ingredient,) = active["ingredients"]
    assert ingredient["relationship"] == "parentOf"
    assert actions[0]["parameters"]["ingredients"][0]["url"].endswith(ingredient["label"])
    assert ingredient["active_manifest"] in found["manifests"]
    kept = found["manifests"][ingredient["active_manifest"]]
    assert not parent or kept["label"] == parent
    codes = {each["code"] for each in ingredient["validation_results"]["activeManifest"]["success"]}
    assert "claimSignature.validated" in codes
    deltas = found["validation_results"].get("ingredientDeltas", ())
    assert not [failure for delta in deltas for failure in delta["validationDeltas"]["failure"]]


def label_of(path: Path, media_type: str, store: bytes | None = None) -> str:
    return str(stores(path, media_type, store)["active_manifest"])


def change_of(*, visible: bool) -> str:
    return "c2pa.edited" if visible else "c2pa.edited.metadata"


def labeler(*, visible: bool, signs: bool = True) -> Labeler:
    return Labeler("my-service", profile="eu", visible=visible, signer=signer() if signs else None)


@VISIBLE
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_keeps_its_manifest_as_the_parent(kind: str, visible: bool, tmp_path: Path) -> None:
    data, media_type = signed_picture(kind)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    parent = label_of(source, media_type)
    done = labeler(visible=visible).label_file(source, target)
    check_parent(stores(target, media_type), change=change_of(visible=visible), parent=parent)
    assert not [loss for loss in done.lost if "C2PA" in loss.what]
    target.write_bytes(bytes(labeler(visible=visible).label_image(data)))
    check_parent(stores(target, media_type), change=change_of(visible=visible), parent=parent)
    with pytest.raises(SigningError, match="C2PA"):
        labeler(visible=visible, signs=False).label_file(source, target)


@VISIBLE
@pytest.mark.parametrize("kind", EMBEDDED)
def test_a_video_keeps_its_manifest_as_the_parent(kind: str, visible: bool, tmp_path: Path) -> None:
    source, target = tmp_path / f"source.{kind}", tmp_path / f"target.{kind}"
    source.write_bytes(upstream_signed(media(kind), EMBEDDED[kind])[0])
    parent = label_of(source, EMBEDDED[kind])
    done = labeler(visible=visible).label_file(source, target)
    check_parent(stores(target, EMBEDDED[kind]), change=change_of(visible=visible), parent=parent)
    assert not [loss for loss in done.lost if "C2PA" in loss.what]
    labeler(visible=visible).label_file(source, in_place=True)
    check_parent(stores(source, EMBEDDED[kind]), change=change_of(visible=visible), parent=parent)
    with pytest.raises(SigningError, match="C2PA"):
        labeler(visible=visible, signs=False).label_file(source, target)


@pytest.mark.parametrize("kind", AUDIO)
def test_audio_keeps_its_manifest_as_the_parent(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / f"source.{kind}", tmp_path / f"target.{kind}"
    source.write_bytes(upstream_signed(media(kind), AUDIO[kind])[0])
    parent = label_of(source, AUDIO[kind])
    labeler(visible=False).label_file(source, target)
    check_parent(stores(target, AUDIO[kind]), change="c2pa.edited.metadata", parent=parent)


@VISIBLE
@pytest.mark.parametrize("kind", BESIDE)
def test_a_manifest_beside_a_video_stays_as_the_parent(kind: str, visible: bool, tmp_path: Path) -> None:
    source, target = tmp_path / f"source.{kind}", tmp_path / f"target.{kind}"
    data, store = upstream_signed(media(kind), BESIDE[kind], beside=True)
    source.write_bytes(data)
    beside, new = Path(f"{source}.c2pa"), Path(f"{target}.c2pa")
    beside.write_bytes(store)
    parent = label_of(source, BESIDE[kind], store)
    with pytest.raises(SigningError, match="beside it"):
        labeler(visible=visible, signs=False).label_file(source, target)
    done = labeler(visible=visible).label_file(source, target)
    check_parent(stores(target, BESIDE[kind], new.read_bytes()), change=change_of(visible=visible), parent=parent)
    assert not [loss for loss in done.lost if "C2PA" in loss.what]
    report = labeling.verify(target, "eu", visible=False)
    assert [each.signature for each in report.findings if each.kind == "c2pa"] == [Signature.VALID]
    assert beside.read_bytes() == store
    labeler(visible=visible).label_file(source, in_place=True)
    check_parent(stores(source, BESIDE[kind], beside.read_bytes()), change=change_of(visible=visible), parent=parent)


def test_a_manifest_beside_audio_stays_as_the_parent(tmp_path: Path) -> None:
    source, target = tmp_path / "source.ogg", tmp_path / "target.ogg"
    data, store = upstream_signed(media("ogg"), "audio/ogg", beside=True)
    source.write_bytes(data)
    Path(f"{source}.c2pa").write_bytes(store)
    labeler(visible=False).label_file(source, target)
    check_parent(stores(target, "audio/ogg", Path(f"{target}.c2pa").read_bytes()), change="c2pa.edited.metadata")


def test_what_is_beside_a_video_and_no_manifest_is_named(tmp_path: Path) -> None:
    source, target = tmp_path / "source.mkv", tmp_path / "target.mkv"
    source.write_bytes(media("mkv"))
    Path(f"{source}.c2pa").write_bytes(b"this is no manifest store")
    with pytest.raises(SigningError, match="beside the file cannot be read"):
        labeler(visible=False).label_file(source, target)
    assert not target.exists()


@VISIBLE
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "mp4"])
def test_a_manifest_that_is_only_referenced_is_named_by_the_parent(kind: str, visible: bool, tmp_path: Path) -> None:
    url = "https://example.invalid/manifest.c2pa"
    media_type = EMBEDDED.get(kind, f"image/{kind}")
    data = media(kind) if kind in EMBEDDED else picture(kind, 320)
    source, target = tmp_path / f"source.{kind}", tmp_path / f"target.{kind}"
    try:
        source.write_bytes(upstream_signed(data, media_type, url=url)[0])
    except c2pa.C2paError as error:
        pytest.skip(f"c2pa writes no reference into {media_type}: {error}")
    with pytest.raises(SigningError, match="refers to"):
        labeler(visible=visible, signs=False).label_file(source, target)
    done = labeler(visible=visible).label_file(source, target)
    assert any(url in sentence and "not fetched" in sentence for sentence in done.how)
    found = stores(target, media_type)
    active = found["manifests"][found["active_manifest"]]
    (ingredient,) = active["ingredients"]
    (failure,) = ingredient["validation_results"]["activeManifest"]["failure"]
    assert (ingredient["relationship"], failure["code"], failure["url"]) == ("parentOf", "manifest.inaccessible", url)
    assert found["validation_state"] == "Valid"


def test_a_batch_run_keeps_every_manifest(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    types: dict[str, str] = {}
    for kind in PICTURES:
        data, types[kind.replace(" ", "-")] = signed_picture(kind)
        (source / kind.replace(" ", "-")).write_bytes(data)
    for kind in ("mp4", "avi"):
        types[f"clip.{kind}"] = EMBEDDED[kind]
        (source / f"clip.{kind}").write_bytes(upstream_signed(media(kind), EMBEDDED[kind])[0])
    data, store = upstream_signed(media("mkv"), BESIDE["mkv"], beside=True)
    (source / "clip.mkv").write_bytes(data)
    (source / "clip.mkv.c2pa").write_bytes(store)
    made = chain()
    (tmp_path / "cert.pem").write_bytes(made.cert_pem)
    (tmp_path / "key.pem").write_bytes(made.key_pem)
    files = ("--signer-cert", tmp_path / "cert.pem", "--signer-key", tmp_path / "key.pem")
    ran = batch(source, target, "--workers", "1", "--exclude", "*.c2pa", *files)
    assert ran.returncode == 0, ran.stderr
    assert {line["status"] for line in lines(target)} == {"labelled"}
    for name, media_type in types.items():
        check_parent(stores(target / name, media_type), change="c2pa.edited")
    beside = (target / "clip.mkv.c2pa").read_bytes()
    check_parent(stores(target / "clip.mkv", BESIDE["mkv"], beside), change="c2pa.edited")


def test_a_batch_run_in_a_store_finds_and_stores_what_is_beside_a_video(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    import fsspec

    from labeling.batch.run import run

    data, store = upstream_signed(media("mkv"), BESIDE["mkv"], beside=True)
    memory = fsspec.filesystem("memory")
    memory.pipe({"/parents/in/clip.mkv": data, "/parents/in/clip.mkv.c2pa": store})
    try:
        run(
            "memory://parents/in", "memory://parents/out", labeler=lambda: labeler(visible=False), engine="inline",
            exclude=["*.c2pa"], state=tmp_path / "state",
        )  # fmt: skip
        for name in ("clip.mkv", "clip.mkv.c2pa"):
            memory.get_file(f"/parents/out/{name}", str(tmp_path / name))
    finally:
        memory.rm("/parents", recursive=True)
    beside = (tmp_path / "clip.mkv.c2pa").read_bytes()
    check_parent(stores(tmp_path / "clip.mkv", BESIDE["mkv"], beside), change="c2pa.edited.metadata")


REAL = sorted(path.name for path in (CASES / "2_c2pa").glob("*")) or ["no cases here"]
READ_ONLY = (".svg", ".jxl", "no_manifest.mp4", "prerelease.jpg")
TINY = {"encypher_video_avi_signed_test.avi"}
"""Pictures of 64 × 64 pixels, on which the wording of the profile eu has no room."""

CUT_OFF = ("c2papy_badsig.jpg",)
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".avi": "video/avi", ".mp4": "video/mp4"}


@VISIBLE
@pytest.mark.parametrize("name", [name for name in REAL if not name.endswith(READ_ONLY)])
def test_real_files_keep_their_manifests(name: str, visible: bool, cases: Path, tmp_path: Path) -> None:
    source = cases / "2_c2pa" / name
    media_type = TYPES.get(source.suffix, f"image/{source.suffix[1:]}")
    target = tmp_path / name
    try:
        before = stores(source, media_type)
    except c2pa.C2paError as error:  # there is no manifest to keep: only the one that labelling adds
        assert "ManifestNotFound" in str(error)
        labeler(visible=visible).label_file(source, target)
        assert len(stores(target, media_type)["manifests"]) == 1
        return
    if visible and name in TINY:
        with pytest.raises(LabelingError, match="64×64 has no room for a legible label"):
            labeler(visible=True).label_file(source, target)
        assert not target.exists()
        return
    if name in CUT_OFF:
        with pytest.raises(LabelingError, match="the end of this JPEG is lost"):
            labeler(visible=visible).label_file(source, target)
        assert not target.exists()
        return
    labeler(visible=visible).label_file(source, target)
    found = stores(target, media_type)
    active = found["manifests"][found["active_manifest"]]
    (ingredient,) = active["ingredients"]
    assert (ingredient["relationship"], ingredient["active_manifest"]) == ("parentOf", before["active_manifest"])
    assert set(before["manifests"]) < set(found["manifests"])
    # The reader here is asked without the purposes of certificates that the specification allows (C2PA 2.2, 14.5.1).
    about_trust = {"signingCredential.untrusted", "signingCredential.invalid"}
    codes = {code for code in _failures(before) if code not in about_trust}
    assert codes <= {each["code"] for each in ingredient["validation_results"]["activeManifest"]["failure"]}
    assert found["validation_results"]["activeManifest"]["failure"] == [] or {
        each["code"] for each in found["validation_results"]["activeManifest"]["failure"]
    } == {"signingCredential.untrusted"}


def _failures(found: dict[str, Any]) -> set[str]:
    return {each["code"] for each in found["validation_results"]["activeManifest"]["failure"]}
