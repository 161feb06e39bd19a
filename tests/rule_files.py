"""Small files that say one thing or another of who made them, for tests of rules."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache
from typing import Any

from labeling import containers
from labeling.containers import Changes
from labeling.marks import xmp, xmp_edit
from labeling.marks.credentials import Claim, Signer, sign

from .marks.signing import chain, picture

TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CODE = "001191110102MACQD9K64010000"

LABEL = {
    "Label": "1", "ContentProducer": "Example AI Ltd.", "ProduceID": "job-1", "ReservedCode1": "",
    "ContentPropagator": "Example AI Ltd.", "PropagateID": "job-1", "ReservedCode2": "",
}  # fmt: skip
FIELDS = {
    "DigitalSourceType": TERMS + "trainedAlgorithmicMedia", "AISystemUsed": "Painter", "AISystemVersionUsed": "3.1",
    "CreateDate": "2026-11-30T10:11:12+08:00",
}  # fmt: skip
SPACES = {"CreateDate": (XMP, "xmp"), "MetadataDate": (XMP, "xmp"), "DateCreated": (PHOTOSHOP, "photoshop")}
CLAIM = Claim(
    generator="Painter", generator_version="3.1", when="2026-11-30T02:11:12Z", provider="Example AI Ltd.",
    content_id="job-1",
)  # fmt: skip


def packet(label: dict[str, Any] | None = None, fields: dict[str, str] | None = None) -> bytes:
    """An XMP packet with an AIGC field and IPTC properties."""
    values: dict[xmp.Name, str | None] = {}
    if label is not None:
        values[xmp.Name(TC260, "AIGC", "TC260")] = json.dumps(label, ensure_ascii=False)
    for name, value in (fields or {}).items():
        space, prefix = SPACES.get(name, (EXTENSION, "Iptc4xmpExt"))
        values[xmp.Name(space, name, prefix)] = value
    return xmp_edit.update(None, values)


def jpeg(label: dict[str, Any] | None = None, fields: dict[str, str] | None = None) -> bytes:
    """A small JPEG file with such a packet."""
    source = picture()
    if label is None and not fields:
        return source
    return b"".join(containers.rewrite(source, containers.read(source), Changes(packet(label, fields))))


@cache
def signer_of_tests() -> Signer:
    """The signer of a test chain."""
    made = chain()
    return Signer.from_pem(made.cert_pem, made.key_pem)


def signed(data: bytes, media_type: str = "image/jpeg", **claim: Any) -> bytes:
    """The file with a manifest; ``claim`` are fields of :data:`CLAIM` that differ."""
    return sign(data, media_type, signer_of_tests(), replace(CLAIM, **claim))


def signed_raw(data: bytes, actions: list[dict[str, Any]], *more: dict[str, Any]) -> bytes:
    """The JPEG file with a manifest of these actions, made by c2pa itself."""
    import c2pa

    definition = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}, *more]}
    out = io.BytesIO()
    made = chain()
    info = c2pa.C2paSignerInfo(b"es256", made.cert_pem, made.key_pem, None)
    with c2pa.Builder.from_json(json.dumps(definition)) as builder:
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(data), out)
    return out.getvalue()


def changed(data: bytes) -> bytes:
    """A signed JPEG file whose picture was changed afterwards: the hash does not fit any more."""
    at = len(data) - 40
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
