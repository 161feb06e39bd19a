"""The files that tests/rule_matrix.py names: each is made for a medium, from one small picture, video or sound."""

from __future__ import annotations

import base64
import io
import json
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labeling import Sm2Key, containers
from labeling.containers import Changes
from labeling.marks import audible, security
from labeling.marks.visible import font

from . import wild
from .marks.authorities import (
    CLAIMS,
    CREATED,
    DAY,
    EXPIRED,
    SERVERS,
    VALID,
    Holder,
    Stamp,
    authority,
    issued,
    root,
)
from .marks.authorities import NOW as CLOCK
from .marks.authorities import revoked as with_answer
from .marks.authorities import signed as signed_by
from .rule_files import CODE, FIELDS, LABEL, TERMS, packet
from .test_audio import audio, quiet_music
from .video_files import make_video

SIZE = (288, 216)
GROUND = (70, 96, 120)
TYPES = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mp4"}
GOOD = LABEL | {"ContentProducer": CODE, "ContentPropagator": CODE}

# --- the three media --------------------------------------------------------------------------------------------------


def painted(text: str = "", height: int = 20, at: tuple[int, int] | None = None, ink: Any = "white") -> Image.Image:
    """A picture with a text on it: at the bottom, unless a place is given."""
    image = Image.new("RGB", SIZE, GROUND)
    if text:
        face = font.face(None, height)
        ImageDraw.Draw(image).text(at or (12, SIZE[1] - 2 * height), text, fill=ink, font=face)
    return image


def media(medium: str, image: Image.Image | None = None, seconds: float = 3.0, heard: bool = False) -> bytes:
    """A JPEG picture, an MP4 video that shows it for some of three seconds, or an M4A sound with or without rhythm."""
    if medium == "image":
        out = io.BytesIO()
        (image or painted()).save(out, "JPEG", quality=92)
        return out.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mp4" if medium == "video" else "a.m4a")
        if medium == "video":
            plain, labelled = (np.asarray(each) for each in (painted(), image or painted()))
            frames = ((at / 4, labelled if at / 4 < seconds else plain) for at in range(12))
            return make_video(path, frames, options={"crf": "20"}).read_bytes()
        samples = quiet_music(16000, 3)
        if heard:
            samples = np.concatenate([audible.cue(16000, 1)[:, 0], samples])
        return audio(path, samples.astype(np.float32), "aac", 16000).read_bytes()


@cache
def base(medium: str) -> bytes:
    return media(medium)


def put(medium: str, xmp: bytes, into: bytes | None = None) -> bytes:
    """The file with an XMP packet."""
    data = into if into is not None else base(medium)
    if medium == "image":
        return b"".join(containers.rewrite(data, containers.read(data), Changes(xmp)))
    return data + wild.uuid_xmp(xmp)


def said(value: str) -> Callable[[str], bytes]:
    """Files whose AIGC field holds this."""
    return lambda medium: put(medium, wild.packed(wild.element(value).decode()))


def labelled(**values: Any) -> Callable[[str], bytes]:
    return lambda medium: put(medium, packet(GOOD | values, FIELDS))


def with_fields(**values: str) -> Callable[[str], bytes]:
    fields = {name: value for name, value in (FIELDS | values).items() if value}
    return lambda medium: put(medium, packet(GOOD, fields))


def drawn_with(image: Image.Image, seconds: float = 3.0) -> Callable[[str], bytes]:
    return lambda medium: put(medium, packet(GOOD, FIELDS), media(medium, image, seconds))


def inside(xmp: str) -> Callable[[str], bytes]:
    return lambda medium: put(medium, wild.packed(xmp))


EXTENSION = 'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
TRAINED = f"{TERMS}trainedAlgorithmicMedia"


def _type(*values: str, space: str = EXTENSION) -> str:
    return "".join(
        f"<rdf:Description rdf:about='' {space}><e:DigitalSourceType>{each}</e:DigitalSourceType></rdf:Description>"
        for each in values
    )


def _utf16(medium: str) -> bytes:
    value = json.dumps(GOOD).encode("utf-16")
    if medium == "image":
        return wild.png(wild.text("AIGC", value))
    if medium == "audio":
        samples = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 44 + len(value) + 8, b"WAVE", b"fmt ", 16, 1, 1, 8000,
                              16000, 2, 16, b"data", 8) + bytes(8)  # fmt: skip
        return samples + b"AIGC" + struct.pack("<I", len(value)) + value
    info = b"INFO" + b"AIGC" + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)
    with tempfile.TemporaryDirectory() as folder:
        frames = ((at / 4, np.asarray(painted())) for at in range(2))
        avi = make_video(Path(folder, "a.avi"), frames, "mpeg4").read_bytes()
    body = avi[8:] + b"LIST" + struct.pack("<I", len(info)) + info
    return b"RIFF" + struct.pack("<I", len(body)) + body


# --- content credentials ----------------------------------------------------------------------------------------------


@cache
def top() -> Holder:
    return root()


@cache
def clock() -> tuple[Holder, Holder]:
    return authority()


@cache
def holder(purposes: tuple[str, ...] = (CLAIMS,), expired: bool = False) -> Holder:
    return issued(top(), purposes, EXPIRED if expired else VALID)


@cache
def credentials(
    medium: str, purposes: tuple[str, ...] = (CLAIMS,), expired: bool = False, stamped: str = "", action: str = ""
) -> bytes:
    """The good file with a manifest."""
    actions: tuple[dict[str, Any], ...] = (json.loads(action),) if action else (CREATED,)
    return signed_by(
        holder(purposes, expired),
        top(),
        content=(good(medium), TYPES[medium]),
        actions=actions,
        stamp=Stamp(*clock(), CLOCK - 10 * DAY) if stamped else None,
        stamp_fits=stamped != "other",
    )


def _flipped(medium: str, data: bytes) -> bytes:
    at = len(data) - 40 if medium == "image" else data.index(b"mdat") + 40
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _replaced(old: bytes, new: bytes) -> Callable[[str], bytes]:
    def make(medium: str) -> bytes:
        data = credentials(medium)
        assert old in data
        return data.replace(old, new)

    return make


def _revoked(medium: str) -> bytes:
    return with_answer(holder((CLAIMS,), False), top(), credentials(medium, stamped="yes"))  # the same cached one


# --- by name ----------------------------------------------------------------------------------------------------------

good = labelled()
bare = base
code = labelled()
named = labelled(ContentProducer="Example AI Ltd.", ContentPropagator="Example AI Ltd.")
chinese_name = labelled(ContentProducer="示例公司")
extra_key = said(wild.compact(GOOD | {"Time": "now"}))
base64_ = said(base64.b64encode(wild.compact(GOOD).encode()).decode())
no_json = said(wild.compact(GOOD)[:-1])
camel_case = said(wild.compact({key[0].lower() + key[1:]: value for key, value in GOOD.items()}))
no_reserved = said(wild.compact({key: value for key, value in GOOD.items() if key != "ReservedCode2"}))
label_4 = labelled(Label="4")
legacy = said(wild.compact({"AIGC": {"ServiceProvider": "P", "ServiceUser": "", "Time": "2024", "ContentId": "1"}}))
order = said(wild.compact({"ProduceID": GOOD["ProduceID"], **{k: v for k, v in GOOD.items() if k != "ProduceID"}}))
no_propagator = labelled(ContentPropagator="")
no_id = labelled(ProduceID="", PropagateID="")
null = said(wild.compact(GOOD | {"ReservedCode1": None}))
encoded_twice = said(json.dumps(wild.compact(GOOD)))
propagated = labelled(ContentPropagator="Platform Ltd.", PropagateID="up-1")
utf16 = _utf16
label_3 = labelled(Label="3")


def namespace(medium: str) -> bytes:
    return put(medium, wild.packed(wild.element(wild.compact(GOOD), namespace="http://example.org/AIGC/").decode()))


only_foreign = namespace


def twice_there(medium: str) -> bytes:
    other = wild.element(wild.compact(GOOD), namespace="http://example.org/AIGC/", prefix="o").decode()
    return put(medium, wild.packed(wild.element(wild.compact(GOOD)).decode() + other))


def split(medium: str) -> bytes:
    inner = "".join(f"<t:{key}>{value}</t:{key}>" for key, value in GOOD.items())
    return put(medium, wild.packed(f"<rdf:Description rdf:about='' xmlns:t='{wild.TC260}'>{inner}</rdf:Description>"))


@cache
def _key() -> Sm2Key:
    return Sm2Key.generate()


def security_(medium: str) -> bytes:
    return labelled(ReservedCode1=security.sign(GOOD, _key()))(medium)


def wrong_security(medium: str) -> bytes:
    return labelled(ReservedCode1=security.sign(GOOD | {"ProduceID": "another"}, _key()))(medium)


drawn = drawn_with(painted("AI生成"))
english = drawn_with(painted("AI GENERATED"))
german = drawn_with(painted("KI-generiert"))
denied = drawn_with(painted("Not AI generated"))
small = drawn_with(painted("AI生成", 9))
inside_ = drawn_with(painted("AI生成", 14, (120, 100)))
faint = drawn_with(painted("AI生成", 20, ink=(112, 138, 160)))
one_second = drawn_with(painted("AI生成"), 1.0)


def _frames(format: str) -> bytes:
    out = io.BytesIO()
    painted("AI生成").save(out, format, save_all=True, append_images=[painted()])
    return out.getvalue()


def second_frame(_: str) -> bytes:
    return _frames("GIF")


def second_page(_: str) -> bytes:
    return _frames("TIFF")


def rhythm(medium: str) -> bytes:
    return put(medium, packet(GOOD, FIELDS), media(medium, heard=True))


our_tool = with_fields(AISystemUsed="aigc-labeling 0.2.0")
no_version = with_fields(AISystemVersionUsed="")
a_year = with_fields(CreateDate="2026")
camera = with_fields(DigitalSourceType=f"{TERMS}digitalCapture")
two_types = inside(_type(TRAINED, f"{TERMS}digitalCapture"))
type_elsewhere = inside(_type(TRAINED, space='xmlns:e="http://example.org/other/"'))
odd_term = inside(_type(f"{TERMS}madeByRobots"))
bare_term = inside(_type("trainedAlgorithmicMedia"))
trace = inside(
    "<rdf:Description rdf:about='' xmlns:p='http://ns.adobe.com/photoshop/1.0/'>"
    "<p:Credit>Made with Google AI</p:Credit></rdf:Description>"
)


def name_alone(medium: str) -> bytes:
    return put(medium, packet(LABEL))


def broken_xmp(medium: str) -> bytes:
    return good(medium).replace(b"</rdf:RDF>", b"</rdf:RDX>")


signed_good = credentials


def stamped(medium: str) -> bytes:
    return credentials(medium, stamped="yes")


def stamp_of_other(medium: str) -> bytes:
    return credentials(medium, stamped="other")


def changed(medium: str) -> bytes:
    return _flipped(medium, credentials(medium))


def no_source_type(medium: str) -> bytes:
    return credentials(medium, action='{"action": "c2pa.created"}')


def no_ingredient(medium: str) -> bytes:
    return credentials(medium, action='{"action": "c2pa.opened"}')


def for_servers(medium: str) -> bytes:
    return credentials(medium, purposes=(SERVERS,))


def expired(medium: str) -> bytes:
    return credentials(medium, expired=True)


revoked = _revoked
other_claim = _replaced(b"Painter", b"Paintex")
other_assertion = _replaced(b"c2pa.created", b"c2pa.createx")
no_manifest = _replaced(b"jumdc2ma", b"jumdc2mb")


def jpeg_xl(_: str) -> bytes:
    return wild.jxl(wild.box(b"c2pa", bytes(24)))


def stray_extension(_: str) -> bytes:
    main, *parts = wild.extended(wild.packed(wild.element(wild.compact(GOOD)).decode()))
    return wild.jpeg(main.replace(b"0123456789ABCDEF0123456789ABCDEF", b"F" * 32), *parts)


def cut(medium: str) -> bytes:
    data = good(medium)
    return data[: len(data) // 3 if medium == "image" else data.index(b"mdat") + 60]


def zeros(medium: str) -> bytes:
    data = good(medium)
    contents = containers.read(data)
    for start, length in contents.coded:
        data = data[:start] + bytes(length) + data[start + length :]
    return data


def no_end(medium: str) -> bytes:
    return good(medium)[:-2]


def packed(_: str) -> bytes:
    return wild.png(wild.chunk(b"zTXt", b"AIGC\0\0" + b"not deflated"))


def random(_: str) -> bytes:
    return bytes(range(7, 200))


NAMES = {"base64": base64_, "inside": inside_, "security": security_}
"""Makers whose names are those of something else here."""


def made(name: str, medium: str) -> bytes:
    """The file of that name for a medium."""
    maker = NAMES.get(name) or globals()[name]
    result: bytes = maker(medium)
    return result
