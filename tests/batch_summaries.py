"""Lines of results and their summaries, and what a browser and a terminal make of them."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from rich.console import Console

from labeling.batch.summary import Summary
from labeling.cli._batch_summary import print_summary
from labeling.reports.batch_words import good_statuses

START = datetime(2026, 11, 25, 14, 12, tzinfo=UTC)


HOSTILE = (
    "<script>document.title='owned'</script>.png",
    '"><img src=x onerror="document.title=\'owned\'">.png',
    "'onmouseover='document.title=1' x='.png",
    "</style></title><!--<svg/onload=document.title='owned'>.png",
    "]]></svg><b>.jpg",
    "invoice\u202egpj.exe",
    "bell\x07\x1b[31mred\x00.png",
    "&lt;b&gt; &amp;amp;.png",
    "lone\udcff\ud800.png",
    "{n} {0} %s",
    "夜景海报 终稿 😀.jpg",
)


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lines(number: int, mode: str = "label", seed: int = 7) -> Iterator[dict[str, Any]]:
    """Results as a run writes them, of files as folders have them."""
    chance, moment = random.Random(seed), 0.0
    for index in range(number):
        size, seconds = int(chance.lognormvariate(13, 1.6)), chance.lognormvariate(-3.5, 1)
        moment += seconds / 8
        path = f"2026/{index % 31:02d}/夜景 {index:06d}.jpg"
        line: dict[str, Any] = {"path": path, "attempts": 1, "seconds": seconds, "time": stamp(moment), "size": size}
        what = chance.random()
        if what < 0.05:
            message = f"/data/my pictures/{path}: ends after {size // 2} of {size} bytes; get a whole copy"
            line |= {"status": "failed", "error": {"kind": "UnreadableFile", "message": message}}
        elif what < 0.08:
            message = f"{path}: has the label of 00119111{index:019d}; use aigc-label propagate"
            line |= {"status": "refused", "error": {"kind": "LabelConflict", "message": message}}
        else:
            outcome = chance.choice(("compliant", "compliant", "noncompliant"))
            failed = [] if outcome == "compliant" else ["CN-VISIBLE-SIZE"]
            verdict = {"verdict": outcome, "failed": failed, "warnings": ["CN-PROVIDER-CODE"]}
            line |= {"status": good_statuses(mode)[0], "media_type": "image/jpeg"}
            line |= {
                "output_size": size + 900,
                "origin": chance.choice(("confirmed", "none")),
                "verdicts": {"cn": verdict},
            }
        yield line


def summed(found: Iterator[dict[str, Any]] | list[dict[str, Any]], mode: Any = "label", **given: Any) -> dict[str, Any]:
    sums = Summary(mode, ["cn"])
    for line in found:
        sums.add(line)
    facts = {"started": START, "wall": 60.0, "interrupted": False, "workers": 4, "engine": "pool"}
    return sums.to_dict(**{**facts, "source": "/data/in", "target": "/data/out", **given})


def failed(kind: str, status: str = "failed") -> dict[str, Any]:
    return {"path": "p", "status": status, "error": {"kind": kind, "message": "m"}}


CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "many": ("label", list(lines(3000))),
    "verified": ("verify", list(lines(3000, "verify"))),
    "converted": ("convert", list(lines(300, "convert"))),
    "none": ("label", []),
    "one": ("label", [next(line for line in lines(99) if line["status"] == "labelled")]),
    "all failed": ("label", [failed("UnreadableFile") | {"seconds": 0.01, "size": 0} for _ in range(20)]),
    "bare": ("verify", [{"path": "p", "status": "verified", "attempts": 1, "seconds": 0, "time": stamp(0)}] * 3),
}


def on_terminal(summary: Mapping[str, Any], width: int) -> str:
    out = io.StringIO()
    print_summary(
        summary, Console(file=out, width=width, force_terminal=True, highlight=False, color_system="standard")
    )
    return out.getvalue()


def in_pipe(summary: Mapping[str, Any]) -> str:
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=160, force_terminal=False, highlight=False))
    return out.getvalue()


class Page(HTMLParser):
    """What a browser makes of a page, and a check that every element is closed where it should be."""

    VOID = frozenset({"meta", "link", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("nothing writes comments")


def drawings(page: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def safe(text: str) -> Page:
    """Parse a page and check that it loads and runs nothing, and that its own policy lets its style sheet work."""
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "a",
        "form",
        "input",
        "foreignobject",
        "b64",
    }
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert "url(" not in page.style
    assert "@import" not in page.style
    (policy,) = (a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    for _, attributes in page.elements:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(identities)
    return page
