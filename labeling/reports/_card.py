"""One file of the HTML page: its picture with the label's box, its marks, and its findings with their clauses."""

from __future__ import annotations

import base64
import json

from labeling.findings import LEDGER, Defect, Finding, Signature, Status, Technique, technique_of
from labeling.reports import credentials
from labeling.reports._markup import Html, el, joined
from labeling.reports.file_evidence import FileEvidence
from labeling.reports.messages import clause, sentence, word
from labeling.rules import Outcome
from labeling.verification.report import Report, technique_of_defect

MAX_FIELDS = 64
"""Raw fields of a mark that are shown."""

GLYPHS = {
    "compliant": "✓", "noncompliant": "✗", "inconclusive": "?",
    "present": "✓", "absent": "–", "defective": "✗", "duplicate": "✗", "conflict": "✗", "unreadable": "?",
    "unchecked": "·",
}  # fmt: skip
"""A shape beside each colour, for readers who cannot see colours and for printing without them."""

_TONES = {
    "compliant": "good", "present": "good", "trusted": "good", "valid": "good",
    "noncompliant": "bad", "defective": "bad", "duplicate": "bad", "conflict": "bad", "failed": "bad", "error": "bad",
    "inconclusive": "open", "unreadable": "open", "unsupported": "open", "expired": "open", "warning": "open",
}  # fmt: skip


def chip(name: str, text: str) -> Html:
    """Return a status as a coloured chip with a shape."""
    glyph = el("span", GLYPHS[name], aria_hidden="true") if name in GLYPHS else None
    return el("span", glyph, text, class_=f"chip {_TONES.get(name, 'quiet')}")


def worst(report: Report) -> str:
    """Return the verdict that a file is sorted and filtered by: the worst of its profiles."""
    outcomes = {verdict.outcome for verdict in report.verdicts.values()}
    order = (Outcome.NONCOMPLIANT, Outcome.INCONCLUSIVE, Outcome.COMPLIANT)
    return str(next((outcome for outcome in order if outcome in outcomes), Outcome.INCONCLUSIVE))


def card(number: int, report: Report, shown: FileEvidence | None, language: str) -> Html:
    """Return an ``article`` with everything that the report says about one file."""
    verdicts = [
        el("li", el("span", name, class_="profile"), chip(str(verdict.outcome), word(str(verdict.outcome), language)))
        for name, verdict in report.verdicts.items()
    ]
    head = el(
        "header",
        el("h3", el("span", f"{number}. ", class_="number"), el("bdi", report.path)),
        el("ul", *verdicts, class_="verdicts"),
    )
    body = joined(
        _notice(report, language),
        _facts(report, shown, language),
        el("h4", word("findings", language)),
        _findings(report, language),
        el("h4", word("marks", language)),
        _marks(report, language),
        _raw(report, language),
    )
    return el(
        "article", head, el("div", _figure(report, shown, language), el("div", body, class_="said"), class_="columns"),
        id=f"f{number}", data_row=number, data_verdict=worst(report), data_origin=report.origin,
    )  # fmt: skip


def _figure(report: Report, shown: FileEvidence | None, language: str) -> Html:
    if shown is None or not shown.thumbnail:
        return el("figure", el("div", word("no picture", language), class_="placeholder"))
    uri = "data:image/jpeg;base64," + base64.b64encode(shown.thumbnail).decode("ascii")
    picture = el("img", src=uri, alt=word("thumbnail", language))
    boxes = [_rectangle(finding) for finding in report.findings if finding.kind == "visible"]
    boxes = [box for box in boxes if box is not None]
    if not boxes:
        return el("figure", el("div", picture, class_="picture"))
    overlay = el("svg", *boxes, viewBox=f"0 0 {shown.width} {shown.height}", preserveAspectRatio="none",
                 aria_hidden="true")  # fmt: skip
    caption = el("figcaption", el("span", class_="swatch"), word("box", language))
    return el("figure", el("div", picture, overlay, class_="picture"), caption)


def _rectangle(finding: Finding) -> Html | None:
    """Return the box of a visible label, drawn twice: a dark line on a light one is visible on every picture."""
    box = finding.value.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(isinstance(v, int | float) for v in box):
        return None
    left, top, right, bottom = box
    at = {"x": left, "y": top, "width": max(0, right - left), "height": max(0, bottom - top)}
    return joined(el("rect", class_="halo", **at), el("rect", class_="line", **at))


def _notice(report: Report, language: str) -> Html | None:
    notice = report.to_dict().get("notice")
    if not isinstance(notice, dict):
        return None
    own, other = ("zh", "en") if language == "zh" else ("en", "zh")
    return el(
        "p",
        el("strong", word("notice", language)), " ", el("q", notice.get(own, "")), " ",
        el("q", notice.get(other, ""), lang="zh-CN" if other == "zh" else "en", class_="aside"), " ",
        el("span", clause(str(notice.get("clause", "")), language), class_="clause"),
        class_="notice",
    )  # fmt: skip


def _facts(report: Report, shown: FileEvidence | None, language: str) -> Html:
    unknown = report.origin == "none" and not report.readable
    why = word("why:unreadable" if unknown else f"why:{report.origin}", language)
    rows: list[tuple[str, object]] = [
        ("origin", joined(el("strong", word(report.origin, language)), " — ", why)),
        ("type", report.media_type),
    ]
    if shown is not None:
        pixels = f"{shown.width} × {shown.height}, " if shown.width else ""
        rows.append(("size", f"{pixels}{shown.size:,} {word('bytes', language)}"))
        rows.append(("sha256", el("code", shown.sha256)))
    rows += [("problem", el("bdi", problem)) for problem in report.problems]
    pairs = (joined(el("dt", word(key, language)), el("dd", value)) for key, value in rows)
    return el("dl", *pairs, class_="facts")


def _findings(report: Report, language: str) -> Html:
    """Return a row for each defect, with the severity of its strictest profile and the others beside it."""
    held: dict[Defect, dict[str, str]] = {}
    for name, verdict in report.verdicts.items():
        for severity, defects in (("error", verdict.failed), ("warning", verdict.warnings)):
            for defect in defects:
                held.setdefault(defect, {}).setdefault(name, severity)
    if not held:
        return el("p", word("no findings", language), class_="aside")
    rows = []
    for defect, profiles in sorted(held.items(), key=lambda item: min(item[1].values())):  # errors first
        severity = min(profiles.values())
        text, detail = sentence(defect, language)
        lighter = [
            el("small", f"{name}: {word(other, language)}") for name, other in profiles.items() if other != severity
        ]
        rows.append(el(
            "tr",
            el("td", chip(severity, word(severity, language))),
            el("td", el("span", text, class_="sentence"),
               el("small", el("bdi", detail), lang="en") if detail else None),
            el("td", el("code", defect.rule), el("small", clause(defect.clause, language)),
               _rests_on(technique_of_defect(defect, report), language)),
            el("td", ", ".join(name for name, other in profiles.items() if other == severity),
               *lighter),
        ))  # fmt: skip
    return _table(("severity", "finding", "rule", "profile"), rows, language, "findings")


def _marks(report: Report, language: str) -> Html:
    """Return a row for each mark that was found, and one line for those that were not."""
    rows = []
    missing = [word(f"long:{finding.kind}", language) for finding in report.findings if finding.status is Status.ABSENT]
    for finding in report.findings:
        if finding.status is Status.ABSENT:
            continue
        signature = str(finding.signature or Signature.NONE)
        signed = None
        if finding.kind in ("aigc", "c2pa") and finding.status is not Status.UNREADABLE:
            signed = joined(
                chip(signature, word(f"signature:{signature}", language)),
                el("small", word(f"{finding.kind}:{signature}", language)),
            )
        where = el("small", el("bdi", finding.where)) if finding.where and finding.kind != "visible" else None
        rows.append(el(
            "tr",
            el("th", word(f"long:{finding.kind}", language), scope="row"),
            el("td", chip(str(finding.status), word(str(finding.status), language))),
            el("td", _says(finding, language), where, _rests_on(technique_of(finding, report.media_type), language)),
            el("td", signed or el("span", "–", class_="aside")),
        ))  # fmt: skip
    absent = word("comma", language).join(missing)
    return joined(
        _table(("mark", "status", "says", "signature"), rows, language, "marks") if rows else None,
        el("p", el("span", word("absent:", language), class_="key"), " ", absent, class_="missing")
        if missing
        else None,
    )


def _rests_on(technique: Technique | None, language: str) -> Html | None:
    """Say which technique a finding rests on (Code of Practice 2.1.2)."""
    if technique is None:
        return None
    return el(
        "small", el("span", word("technique", language), class_="key"), " ", word(f"technique:{technique}", language)
    )


def _says(finding: Finding, language: str) -> Html | None:
    """Return the few values of a mark that readers look for first."""
    value = finding.value
    facts: list[tuple[str, object]] = []
    if finding.kind == "aigc":
        label = value.get("Label")
        meaning = word(f"Label:{label}", language) if label in ("1", "2", "3") else ""
        facts = [("label", f"{label} {meaning}" if label is not None else None)]
        facts += [("producer", value.get("ContentProducer")), ("content id", value.get("ProduceID"))]
        if value.get("ContentPropagator") not in (None, "", value.get("ContentProducer")):
            facts.append(("propagator", value["ContentPropagator"]))
    elif finding.kind == "visible":
        height, contrast = value.get("height_ratio"), value.get("contrast")
        place = word(f"at:{finding.where}", language).removeprefix("at:") if finding.where else None
        facts = [("text", value.get("text")), ("position", place)]
        facts.append(("height", f"{height:.1%}" if isinstance(height, float) else None))
        facts.append(("contrast", f"{contrast:.1f} : 1" if isinstance(contrast, int | float) else None))
        facts.append(("seconds", _span(value.get("seconds"))))
    elif finding.kind == "c2pa":
        facts = [*credentials.answers(finding, language), ("source type", _term(value.get("digital_source_type")))]
        facts += [("made with", value.get("software_agent") or value.get("claim_generator"))]
        facts += [("watermark said", said) for said in credentials.watermarks(value, language)]
        facts += [("history", step) for step in credentials.history(value, language)]
    elif finding.kind == "iptc":
        facts = [("source type", _term(value.get("DigitalSourceType"))), ("made with", value.get("AISystemUsed"))]
    elif finding.kind == LEDGER:
        by, bits = value.get("by"), value.get("distance")
        facts = [("ledger record", f"{value.get('date')}, {by}" + (f" ({bits}/256)" if bits is not None else ""))]
        facts += [("copy", "✓" if value.get("copy") else None), ("agreement", value.get("agreement"))]
        facts.append(("kept until", value.get("kept_until")))
    elif finding.kind == "generator":
        facts = [("made with", value.get("generator")), ("confidence", value.get("confidence"))]
    known = [(key, fact) for key, fact in facts if fact not in (None, "")]
    if not known:
        return None
    items = (
        el("li", el("span", word(key, language), class_="key"), " ", el("bdi", _plain(fact))) for key, fact in known
    )
    return el("ul", *items, class_="says")


def _span(seconds: object) -> str | None:
    """Return from when to when the label of video or audio is there."""
    return "–".join(f"{second:.2f}" for second in seconds) + " s" if isinstance(seconds, list) else None


def _term(value: object) -> str | None:
    return (str(value).rpartition("/")[2] or str(value)) if value else None


def _raw(report: Report, language: str) -> Html | None:
    """Return every field as it is in the file."""
    parts = []
    for finding in report.findings:
        fields = [
            (key, value) for key, value in finding.value.items() if value not in (None, "", [], {}) or key in _ALWAYS
        ]
        if fields:
            parts.append(el("h5", word(f"long:{finding.kind}", language)))
            rows = [joined(el("dt", key), el("dd", el("bdi", _plain(value)))) for key, value in fields[:MAX_FIELDS]]
            parts.append(el("dl", *rows, class_="raw"))
    return el("details", el("summary", word("raw", language)), *parts) if parts else None


_ALWAYS = frozenset({
    "Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2",
})  # fmt: skip


def _table(columns: tuple[str, ...], rows: list[Html], language: str, kind: str) -> Html:
    header = el("tr", *(el("th", word(f"column:{name}", language), scope="col") for name in columns))
    return el("div", el("table", el("thead", header), el("tbody", *rows), class_=kind), class_="scroll")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
