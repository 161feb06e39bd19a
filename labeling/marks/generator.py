"""Traces that generators leave in a file. They are evidence for "suspected", never a label, and never written.

Each trace has a confidence: "high" where nothing but a generator writes it, "low" where other software may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labeling.findings import Mark, Signature, Status


@dataclass(frozen=True, slots=True)
class Trace:
    """One row: which generator, in which field (by key), what the text looks like, and how sure that is."""

    generator: str
    keys: tuple[str, ...]
    looks: Callable[[str], object]
    confidence: str = "high"


def _search(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.IGNORECASE).search


TRACES: tuple[Trace, ...] = (
    Trace(
        "Stable Diffusion web UI", ("parameters", "usercomment"), lambda text: "Steps: " in text and "Sampler: " in text
    ),
    Trace("ComfyUI", ("prompt", "workflow"), _search(r'"(class_type|last_node_id|nodes)"\s*:')),
    Trace("InvokeAI", ("invokeai_metadata", "sd-metadata", "dream"), _search(r"\S")),
    Trace("NovelAI", ("software", "source", "description", "title"), _search(r"\bNovelAI\b")),
    Trace("Midjourney", ("description", "author", "software"), _search(r"\bJob ID: [0-9a-f-]{36}|\bMidjourney\b")),
    Trace("Dreamina/Jimeng", ("usercomment", "comment"), _search(r'"aigc_info"\s*:|"source_info"\s*:\s*"dreamina"')),
    Trace("LiblibAI", ("contentinfo",), _search(r"liblib|\"?ContentId\"?")),
    Trace("Adobe Firefly", ("software", "creatortool"), _search(r"\bFirefly\b")),
    Trace("DALL-E", ("software", "description"), _search(r"\bDALL.?E\b")),
    Trace("Draw Things", ("creatortool", "software"), _search(r"\bDraw Things\b")),
    Trace("Google AI", ("credit", "software"), _search(r"\b(Made|Edited) with Google AI\b")),
    Trace("Samsung Galaxy AI", ("photoeditor_re_edit_data",), _search(r"\S"), "low"),
)


def read(key: str, text: str, where: str) -> Mark | None:
    """Match one named text (PNG keyword, EXIF tag or XMP property, by its local name) against the table."""
    key = key.lower()
    for trace in TRACES:
        if key in trace.keys and trace.looks(text[:65536]):
            value = {"generator": trace.generator, "confidence": trace.confidence, "text": text[:160]}
            return Mark("generator", Status.PRESENT, where, value, Signature.NONE)
    return None
