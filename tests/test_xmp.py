"""The XMP splicer against exiftool, and against its own promise that everything else stays."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.marks import aigc, iptc, xmp, xmp_edit
from labeling.marks.xmp import Name, XmpError

AIGC = aigc.XMP_NAME
DST = iptc.DIGITAL_SOURCE_TYPE
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<r:Description r:about="uuid:1" xmlns:t="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:d="urn:d"'
)
TAIL = "</r:Description></r:RDF></x:xmpmeta>"

xml_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


def wrapped(inside: str, attributes: str = "") -> bytes:
    return f"{HEAD}{attributes}>{inside}{TAIL}".encode()


@given(value=xml_text, other=xml_text)
def test_what_was_set_is_read_back_and_a_second_update_changes_nothing(value: str, other: str) -> None:
    packet = xmp_edit.update(None, {AIGC: value, DST: other})
    assert xmp.parse(packet).get(AIGC) == value
    assert xmp.parse(packet).get(DST) == other
    assert xmp_edit.update(packet, {AIGC: value, DST: other}) == packet


@given(value=xml_text.filter(str.strip))
def test_attribute_element_and_value_forms_are_replaced_in_place(value: str) -> None:
    for before in (
        wrapped("<d:x/>", ' t:AIGC="{&quot;a&#xA;"'),
        wrapped("<d:x/><t:AIGC>old</t:AIGC>"),
        wrapped("<t:AIGC r:parseType='Resource'><r:value>old</r:value></t:AIGC><d:x/>"),
        wrapped("<d:x/><t:AIGC/>"),
    ):
        after = xmp_edit.update(before, {AIGC: value})
        found = xmp.parse(after).find(AIGC)
        assert [p.text for p in found] == [value]
        assert b"<d:x/>" in after
        assert after.startswith(HEAD.encode())
        assert after.endswith(TAIL.encode())


def test_a_prefix_of_its_own_choice_counts_by_its_namespace() -> None:
    packet = xmp.parse(wrapped("<t:AIGC>one</t:AIGC>"))
    assert packet.get(AIGC) == "one"
    assert packet.find(AIGC)[0].qname == "t:AIGC"
    assert packet.get(Name("urn:other", "AIGC")) is None


def test_further_copies_go_and_a_removed_property_leaves_the_rest() -> None:
    before = wrapped("<t:AIGC>one</t:AIGC><d:x>kept</d:x><t:AIGC>two</t:AIGC>", ' t:AIGC="three"')
    after = xmp_edit.update(before, {AIGC: "new"})
    assert [p.text for p in xmp.parse(after).find(AIGC)] == ["new"]
    gone = xmp_edit.update(before, {AIGC: None})
    assert not xmp.parse(gone).find(AIGC)
    assert b"<d:x>kept</d:x>" in gone


def test_new_properties_take_the_resource_of_the_packet() -> None:
    after = xmp_edit.update(wrapped("<d:x/>"), {DST: "uri"})
    assert after.count(b'about="uuid:1"') == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_become_utf8(encoding: str) -> None:
    raw = wrapped("<t:AIGC>生成</t:AIGC>").decode().encode(encoding)
    assert xmp.parse(raw).get(AIGC) == "生成"


def test_the_header_with_an_xml_declaration_and_two_question_marks_is_read() -> None:
    quirk = b'<?xml version="1.0" encoding="UTF-8"?><?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"??>'
    raw = quirk + wrapped("<t:AIGC>x</t:AIGC>") + b'<?xpacket end="w"?>\0\0'
    assert xmp.parse(raw).get(AIGC) == "x"


def test_an_empty_wrapper_gets_a_fresh_packet() -> None:
    after = xmp_edit.update(b'<x:xmpmeta xmlns:x="adobe:ns:meta/" />', {AIGC: "v"})
    assert xmp.parse(after).get(AIGC) == "v"


BOMB = "<!DOCTYPE l [" + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12)) + "]>"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0",
        b"no xml at all",
        b"<a>",
        b"<a/>",
        wrapped("<d:x>")[:-20],
        (BOMB + wrapped("<t:AIGC>&e11;</t:AIGC>").decode()).encode(),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + wrapped(""),
        wrapped("<d:x>" * 100 + "</d:x>" * 100),
        wrapped("<d:x/>" * 60_000),
        b"\xff\xfe<\0a",
        wrapped("\x01"),
        wrapped("<t:AIGC>\ud800</t:AIGC>".encode("utf-8", "surrogatepass").decode("latin-1"))
        .decode()
        .encode("latin-1"),
    ],
    ids=range(13),
)
def test_broken_or_hostile_packets_are_refused_at_once(raw: bytes) -> None:
    began = time.process_time()
    with pytest.raises(XmpError):
        xmp.parse(raw)
    assert time.process_time() - began < 2


@given(st.binary(max_size=400), st.integers(0, 300))
def test_damage_raises_nothing_but_our_error(junk: bytes, at: int) -> None:
    good = wrapped("<t:AIGC>one</t:AIGC><d:x>y</d:x>", ' d:z="1"')
    raw = good[:at] + junk + good[at + len(junk) // 2 :]
    with contextlib.suppress(XmpError):
        xmp.parse(xmp_edit.update(raw, {AIGC: "v"}))


def test_exiftool_reads_what_we_splice_into_a_packet_that_exiftool_wrote(tmp_path: Path) -> None:
    file = tmp_path / "theirs.xmp"
    tags = ["-XMP-dc:Creator=Somebody", "-XMP-dc:Title=A & B", "-XMP-xmp:Rating=5", "-XMP-photoshop:City=北京"]
    subprocess.run(["exiftool", "-q", *tags, str(file)], check=True)
    before = _dump(file)
    file.write_bytes(
        xmp_edit.update(file.read_bytes(), {AIGC: '{"Label":"1","x":"<&>\'"}', DST: iptc.VOCABULARY + iptc.TRAINED})
    )
    after = _dump(file)
    assert after.pop("XMP-TC260:Aigc") == '{"Label":"1","x":"<&>\'"}'
    assert after.pop("XMP-iptcExt:DigitalSourceType") == iptc.VOCABULARY + iptc.TRAINED
    assert after == before


def _dump(file: Path) -> dict[str, str]:
    out = subprocess.run(["exiftool", "-s", "-G1", "-XMP:all", str(file)], check=True, capture_output=True, text=True)
    lines = [line.split(":", 1) for line in out.stdout.splitlines()]
    return {"{}:{}".format(*key.replace("[", "").split("]", 1)).replace(" ", ""): text.strip() for key, text in lines}
