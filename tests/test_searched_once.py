"""A file that gets its first label is searched once; what is written is compared with what is known already."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

import labeling
from labeling import LabeledFile, Labeler, WriteError, containers
from labeling.containers import Changes, Contents
from labeling.marks import aigc
from labeling.verification import metadata

from .calls import counted

PRODUCER = "001191000000MA00DEM00P10001"

_EXIF = Image.Exif()
_EXIF[0x010F], _EXIF[0x0112] = "a camera", 6

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/x"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def _picture(kind: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, kind, **options)
    return file.getvalue()


def _text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a generator")
    info.add_itxt("parameters", "a cat, Steps: 20, Sampler: Euler, CFG scale: 7", zip=True)
    return info


_PLAIN = {
    "jpeg": _picture("JPEG"),
    "jpeg with exif, icc and a comment": _picture("JPEG", exif=_EXIF, icc_profile=b"p" * 200, comment=b"a note"),
    "png": _picture("PNG"),
    "png with texts and exif": _picture("PNG", pnginfo=_text(), exif=_EXIF),
    "webp": _picture("WEBP"),
    "webp with exif": _picture("WEBP", exif=_EXIF),
    "gif": _picture("GIF"),
}


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was searched for marks since."""
    return counted(monkeypatch, metadata, "scan")


def _label(tmp_path: Path, data: bytes, **options: Any) -> LabeledFile:
    source = tmp_path / "source"
    source.write_bytes(data)
    return Labeler(PRODUCER, visible=False, **options).label_file(source, tmp_path / "labelled")


def _judged(report: labeling.Report) -> Any:
    """A report without the kinds that the labeler or the verifier here does not look for."""
    return report.media_type, report.origin, [each for each in report.findings if each.kind != "visible"]


@pytest.mark.parametrize("data", _PLAIN.values(), ids=_PLAIN)
def test_a_first_label_needs_one_search_and_the_report_is_the_verifier_s(
    tmp_path: Path, data: bytes, searched: list[tuple[Any, ...]]
) -> None:
    done = _label(tmp_path, data)
    assert len(searched) == 1
    assert done.report.compliant
    assert done.report is done.report
    assert len(searched) == 2
    assert _judged(done.report) == _judged(labeling.verify(done.path, visible=False))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_holds_a_packet_or_a_label_is_searched_again(
    tmp_path: Path, kind: str, searched: list[tuple[Any, ...]]
) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", _XMP.decode())
    packet = {"pnginfo": info} if kind == "PNG" else {"xmp": _XMP}
    first = _label(tmp_path, _picture(kind, **packet))
    assert len(searched) == 2
    del searched[:]
    second = _label(tmp_path, first.path.read_bytes())
    assert len(searched) == 2
    assert second.label.content_id == first.label.content_id
    assert _judged(second.report) == _judged(first.report)


def _other_id(data: bytes, packet: bytes) -> bytes:
    at = packet.index(b"ProduceID") + len(b'ProduceID":"')
    return data.replace(packet, packet[:at] + bytes((packet[at] ^ 1,)) + packet[at + 1 :])


def _comment(data: bytes, packet: bytes) -> bytes:
    del packet
    text = aigc.encode(labeling.Label(producer=PRODUCER, content_id="another")).encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def _none(data: bytes, packet: bytes) -> bytes:
    return data.replace(packet, b" " * len(packet))


@pytest.mark.parametrize("harm", [_other_id, _comment, _none])
def test_what_was_written_otherwise_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[bytes, bytes], bytes]
) -> None:
    rewrite = containers.rewrite

    def harmed(data: bytes, contents: Contents, changes: Changes) -> list[bytes]:
        assert changes.xmp is not None
        return [harm(b"".join(rewrite(data, contents, changes)), changes.xmp)]

    monkeypatch.setattr(containers, "rewrite", harmed)
    with pytest.raises(WriteError, match="did not read back"):
        _label(tmp_path, _PLAIN["jpeg"])
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_a_result_whose_report_nobody_asked_for_is_like_any_other(tmp_path: Path) -> None:
    done, again = (_label(tmp_path, _PLAIN["png"]) for _ in range(2))
    assert pickle.loads(pickle.dumps(done)).report == done.report
    assert copy.copy(again) == again
    assert done != again
    assert replace(again, size=1).report is again.report
    assert "origin='confirmed'" in repr(done)
    with pytest.raises(AttributeError, match="reports"):
        done.reports  # type: ignore[attr-defined]  # noqa: B018
