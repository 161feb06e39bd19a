"""Packets of the form that new ones have are read without Expat, and to the same: byte for byte, or not at all."""

from __future__ import annotations

import random

import pytest

import labeling
from labeling.marks import aigc, iptc, xmp, xmp_edit
from labeling.marks.xmp import Name, Packet, XmpError

_LABEL = labeling.Label(producer="001191000000MA00DEM00P10001", content_id="0198a3c5-7b1e-7d2a-9c44-1f0e5a6b7c8d")
_IPTC = {Name(iptc.NAMESPACE, "DigitalSourceType", "Iptc4xmpExt"): iptc.VOCABULARY + iptc.TRAINED}
_OWN = xmp_edit.update(None, {aigc.XMP_NAME: aigc.encode(_LABEL), **_IPTC})


@pytest.fixture
def read_by_expat(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What Expat has read since."""
    read: list[bytes] = []
    run = xmp._Reader.run

    def counting(reader: xmp._Reader) -> Packet:
        read.append(reader.data)
        return run(reader)

    monkeypatch.setattr(xmp._Reader, "run", counting)
    return read


def _read(data: bytes) -> Packet | str:
    try:
        return xmp.parse(data)
    except XmpError as error:
        return str(error)


def _both(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Packet | str, Packet | str]:
    first = _read(data)
    with monkeypatch.context() as only:
        only.setattr(xmp, "_as_we_write", lambda _: None)
        return first, _read(data)


def test_our_own_packet_is_read_without_expat(read_by_expat: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _both(_OWN, monkeypatch)
    assert len(read_by_expat) == 1
    assert first == second
    assert isinstance(first, Packet)
    assert first.get(aigc.XMP_NAME) == aigc.encode(_LABEL)
    assert xmp_edit.update(_OWN, {aigc.XMP_NAME: "another"}) == _OWN.replace(aigc.encode(_LABEL).encode(), b"another")


_SPACES = ("http://www.tc260.org.cn/ns/AIGC/1.0/", "http://ns.example/a/", xmp.RDF, xmp.META, xmp.XML, "urn:b", "a b")
_PREFIXES = ("TC260", "a", "rdf", "x", "xml", "XMLa", "b1", "dc-x", "é")
_LOCALS = ("AIGC", "li", "value", "Description", "about", "x-y", "é")
_TEXTS = ("", "{}", '{"Label":"1"}', "a & b", "<", ">", "]]>", "é", "a\tb", "a\nb", " ", "'\"", "&#x41;", "{" * 200)


def test_whatever_is_in_such_a_packet_both_read_the_same(
    read_by_expat: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(5)
    for _ in range(400):
        names = [
            Name(choose.choice(_SPACES), choose.choice(_LOCALS), choose.choice(_PREFIXES))
            for _ in range(choose.randint(1, 4))
        ]
        lines = "".join(f'\n    xmlns:{name.prefix}="{name.namespace}"' for name in names)
        texts = [choose.choice(_TEXTS) for _ in names]
        if choose.random() < 0.7:
            texts = [text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for text in texts]
        body = "".join(
            f"   <{name.prefix}:{name.local}>{text}</{name.prefix}:{name.local}>\n"
            for name, text in zip(names, texts, strict=True)
        )
        start, stop = _OWN.partition(b" <rdf:Description")[0], _OWN.partition(b"</rdf:Description>\n ")[2]
        middle = f' <rdf:Description rdf:about=""{lines}>\n{body}  </rdf:Description>\n '
        first, second = _both(start + middle.encode() + stop, monkeypatch)
        assert first == second, middle
    assert 400 < len(read_by_expat) < 800  # some, but not all, were ours


def test_a_byte_that_differs_is_never_overlooked(read_by_expat: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    choose = random.Random(6)
    for _ in range(1500):
        at = choose.randrange(len(_OWN))
        byte = bytes((choose.choice((0, 9, 10, 13, 32, 34, 38, 39, 47, 58, 60, 61, 62, 65, 97, 127, 128, 195, 255)),))
        changed = choose.choice(
            (_OWN[:at] + byte + _OWN[at + 1 :], _OWN[:at] + byte + _OWN[at:], _OWN[:at] + _OWN[at + 1 :])
        )
        first, second = _both(changed, monkeypatch)
        assert first == second, changed
    assert len(read_by_expat) > 1500
