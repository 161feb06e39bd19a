"""A batch run as one page: what became of the files, what to do about the rest, and how long it took.

Like the page of :mod:`labeling.reports.html`, it loads nothing and has no script, and everything that comes from files
is escaped. Its plots are SVG in the page, each with its numbers as a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from labeling._version import __version__
from labeling.reports import _batch_plots as plots
from labeling.reports import quantities
from labeling.reports._card import chip
from labeling.reports._markup import Html, asset, el, joined, policy
from labeling.reports.batch_words import (
    GOOD,
    earlier_options,
    good_statuses,
    lead,
    limited,
    own_key,
    remarks,
    remedy,
    word,
)
from labeling.reports.messages import TAGS, profile_title
from labeling.rule_catalogue import RULES

_TONES = {"failed": "noncompliant", "poison": "noncompliant", "refused": "inconclusive", "unsupported": "inconclusive"}
"""Statuses, with the verdict whose colour and sign they share on a chip."""


def to_html(summary: Mapping[str, Any], *, language: Literal["en", "zh"] = "en") -> str:
    """Return a run's summary as one HTML page.

    Args:
        summary: What :meth:`labeling.batch.summary.Summary.to_dict` documents.
        language: The page's language.
    """
    style = Html("".join(asset(name) for name in ("page.css", "batch.css")))
    title = word(f"title:{summary['mode']}", language)
    head = joined(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy(style)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", style),
    )
    footer = el("footer", el("p", word("footer", language)), el("p", word("disclaimer", language)))
    body = el("body", _header(summary, title, language), el("main", *_sections(summary, language)), footer)
    return f"<!doctype html>\n{el('html', el('head', head), body, lang=TAGS[language])}\n"


def attention(summary: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many files went well, and how many need attention.

    In a verification, files that do not comply need attention as well.
    """
    statuses = summary["statuses"]
    bad = sum(number for name, number in statuses.items() if name not in GOOD)
    if summary["mode"] == "verify":
        worst = summary["worst"]
        return worst["compliant"], bad + worst["noncompliant"] + worst["inconclusive"]
    return sum(statuses.get(name, 0) for name in good_statuses(summary["mode"])), bad


def rule_sentence(rule: str, *, warning: bool, language: str) -> str:
    """Return the catalogue's sentence for a rule; ``""`` for an id that it does not have, as of another version."""
    return RULES[rule].sentence(language, warning=warning) if rule in RULES else ""


def _remark(said: str, names: Sequence[str]) -> Html:
    shown = [part for name in names for part in (el("bdi", name), ", ")][:-1]
    return el("p", _with_code(said), *([" ", *shown] if shown else []), class_="aside")


def _header(summary: Mapping[str, Any], title: str, language: str) -> Html:
    good, bad = attention(summary)
    number = summary["workers"]
    workers = word("engine:workers:1" if number == 1 else "engine:workers", language, engine="{engine}", n=number)
    rules = el("ul", *(el("li", el("code", n), " ", profile_title(n, language)) for n in summary["profiles"]))
    rows: list[tuple[str, object]] = [
        ("date", _moment(summary["started"])),
        ("source", el("bdi", summary["source"])),
        ("target", el("bdi", summary["target"]) if summary["target"] else None),
        ("shard", summary.get("shard")),
        ("merged", word("merged:runs", language, n=len(runs)) if (runs := summary.get("merged")) else None),
        ("profiles", rules if summary["profiles"] else None),
        ("engine", workers.replace("{engine}", str(summary["engine"]))),
        ("tool", f"aigc-label {__version__}"),
        ("results", el("bdi", results) if (results := summary.get("files", {}).get("results")) else None),
    ]
    facts = [joined(el("dt", word(key, language)), el("dd", value)) for key, value in rows if value is not None]
    resumed = word("resumed", language, n=quantities.count(summary["resumed"]))
    return el(
        "header",
        el("h1", title),
        el("p", lead(summary["total"], good, bad, summary["mode"], language), class_="lead"),
        el("p", word("interrupted", language), class_="notice") if summary["interrupted"] else None,
        el("p", _with_code(older), class_="notice") if (older := earlier_options(summary, language)) else None,
        el("p", said, class_="aside") if (said := limited(summary, language)) else None,
        el("p", resumed, class_="aside") if summary["resumed"] else None,
        *(_remark(said, names) for said, names in remarks(summary, language)),
        el("dl", *facts, class_="facts"),
        class_="page",
    )


def _moment(text: str) -> Html:
    return el("time", f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC", datetime=text)


def _sections(summary: Mapping[str, Any], language: str) -> list[Html]:
    sections = [_numbers(summary, language)]
    if warnings := summary.get("warnings"):
        sections.append(_panel("merged:warnings", language, _warnings(warnings, language)))
    if not summary["total"]:
        return sections
    sections.append(_panel("outcome", language, plots.statuses(summary, language)))
    judged = [
        _panel("verdicts", language, *plots.verdicts(summary, language)) if any(_judged(summary)) else None,
        _panel("origins", language, plots.origins(summary, language)) if any(summary["origins"].values()) else None,
    ]
    sections.append(_pair(*judged))
    sections.append(_panel("causes", language, *_causes(summary, language), kind="long"))
    for group, name in (("failed", "rules"), ("warnings", "warnings")):
        if rows := summary["rules"][group]:
            sections.append(_panel(name, language, _rules(rows, language, warning=group == "warnings"), kind="long"))
    if summary["lost"]["files"]:
        name = own_key("lost", summary["mode"])
        sections.append(_panel(name, language, *_lost(summary["lost"], language), kind="long"))
    sections.append(
        _pair(
            _panel("sizes", language, plots.spread("sizes", summary["sizes"], language)),
            _panel("seconds", language, plots.spread("seconds", summary["seconds"], language)),
        )
    )
    if len(summary["timeline"]["files"]) > 2:
        sections.append(_panel("timeline", language, plots.timeline(summary, language)))
    if summary["slowest"]:
        sections.append(_panel("slowest", language, _slowest(summary["slowest"], language)))
    types = [(row["media_type"], row["count"]) for row in summary["media_types"]]
    ways = [(row["how"], row["count"]) for row in summary["how"]]
    sections.append(
        _pair(
            _counted("media types", "format", types, language),
            _counted(own_key("how", summary["mode"]), "way", ways, language),
        )
    )
    return sections


def _warnings(rows: Sequence[Mapping[str, Any]], language: str) -> Html:
    items = [
        el(
            "li",
            el("bdi", word(f"merged:{row['kind']}", language, **row["values"])),
            *(el("span", el("bdi", each), class_="remedy") for each in row["examples"]),
        )
        for row in rows
    ]
    return el("ul", *items)


def _judged(summary: Mapping[str, Any]) -> list[int]:
    return [number for verdicts in summary["verdicts"].values() for number in verdicts.values()]


def _panel(name: str, language: str, *children: object, kind: str = "") -> Html:
    return el("section", el("h2", word(name, language)), *children, class_=f"panel {kind}".strip())


def _pair(*panels: Html | None) -> Html:
    return el("div", *panels, class_="pair")


def _numbers(summary: Mapping[str, Any], language: str) -> Html:
    """Return the headline numbers, without those that are zero because nothing was written or tried again."""
    throughput = summary["throughput"]
    rows: list[tuple[str, str]] = [
        ("files", quantities.count(summary["total"])),
        ("wall", quantities.duration(summary["wall"])),
    ]
    if throughput["files"]:  # none if an earlier run had done all files
        rows.append(("files per second", quantities.rate(throughput["files_per_second"])))
        rows.append(("megabytes per second", quantities.rate(throughput["megabytes_per_second"])))
    rows.append(("bytes in", quantities.size(summary["bytes"]["in"])))
    if summary["bytes"]["out"]:
        rows.append(("bytes out", quantities.size(summary["bytes"]["out"])))
    if summary["retried"]:
        rows.append(("retried", quantities.count(summary["retried"])))
    tiles = [el("div", el("dt", word(key, language)), el("dd", value)) for key, value in rows]
    return el("section", el("dl", *tiles, class_="numbers"), aria_label=word("numbers", language))


def _causes(summary: Mapping[str, Any], language: str) -> list[Html]:
    rows = [_cause(row, language, summary["mode"]) for row in summary["causes"]]
    if not rows:
        return [el("p", word("nothing", language))]
    columns = (("number", True), ("result", False), ("cause", False), ("examples", False))
    parts = [_table(columns, rows, language, "causes")]
    if others := summary["other_causes"]:
        parts.append(el("p", word("other causes", language, n=quantities.count(others)), class_="aside"))
    return parts


def _cause(row: Mapping[str, Any], language: str, mode: str) -> Html:
    # A message says what happened and, after a semicolon, what to do.
    happened, _, hint = str(row["message"]).partition("; ")
    general = remedy(row["status"], row["kind"], language, mode)
    advice = [hint or general] if language != "zh" else [hint, general]
    status = row["status"]
    return el(
        "tr",
        el("td", quantities.count(row["count"]), class_="number"),
        el("td", chip(_TONES.get(status, status), word(status, language))),
        el(
            "td",
            el("span", _with_code(happened) if happened else word("no cause", language)),
            *(el("span", _with_code(text), class_="remedy") for text in advice if text),
        ),
        el("td", _examples(row, language)),
    )


_PARAMETER = re.compile(r"`([a-z][a-z0-9_]*(?:=[^`]*)?)`")


def _with_code(text: str) -> Html:
    """Return a text with the library's parameters, which stand in backticks, as code."""
    parts = _PARAMETER.split(text)
    return el("bdi", *(el("code", part) if index % 2 else part for index, part in enumerate(parts)))


def _rules(rows: Sequence[Mapping[str, Any]], language: str, *, warning: bool) -> Html:
    cells = [
        el(
            "tr",
            el("td", quantities.count(row["count"]), class_="number"),
            el(
                "td",
                rule_sentence(row["rule"], warning=warning, language=language) or None,
                el("span", el("code", row["rule"]), class_="remedy"),
            ),
            el("td", ", ".join(row["profiles"])),
            el("td", _examples(row, language)),
        )
        for row in rows
    ]
    columns = (("number", True), ("rule", False), ("profile", False), ("examples", False))
    return _table(columns, cells, language, "rules")


def _lost(lost: Mapping[str, Any], language: str) -> list[Html]:
    key = "lost:files:1" if lost["files"] == 1 else "lost:files"
    rows = [
        el(
            "tr",
            el("td", quantities.count(row["count"]), class_="number"),
            el("td", el("bdi", row["what"])),
            el("td", _with_code(row["why"])),
            el("td", _examples(row, language)),
        )
        for row in lost["things"]
    ]
    columns = (("number", True), ("thing", False), ("reason", False), ("examples", False))
    sentence = el("p", _with_code(word(key, language, n=quantities.count(lost["files"]))))
    return [sentence, _table(columns, rows, language, "causes")]


def _examples(row: Mapping[str, Any], language: str) -> Html:
    shown = [el("li", el("bdi", path)) for path in row["examples"]]
    if (rest := row["count"] - len(shown)) > 0 and shown:
        shown.append(el("li", word("and more", language, n=quantities.count(rest)), class_="rest"))
    return el("ul", *shown, class_="paths")


def _slowest(rows: Sequence[Mapping[str, Any]], language: str) -> Html:
    cells = [
        el(
            "tr",
            el("th", el("bdi", row["path"]), scope="row"),
            el("td", quantities.duration(row["seconds"]), class_="number"),
            el("td", quantities.size(row["size"]), class_="number"),
            el("td", el("bdi", row["media_type"])),
            el("td", word(row["status"], language)),
        )
        for row in rows
    ]
    columns = (("file", False), ("time", True), ("size", True), ("format", False), ("result", False))
    return _table(columns, cells, language, "slow")


def _counted(title: str, column: str, rows: Sequence[tuple[str, int]], language: str) -> Html | None:
    if not rows:
        return None
    whole = sum(number for _, number in rows)
    cells = [
        el(
            "tr",
            el("th", el("bdi", name), scope="row"),
            el("td", quantities.count(number), class_="number"),
            el("td", quantities.share(number, whole), class_="number"),
        )
        for name, number in rows
    ]
    return _panel(
        title, language, _table(((column, False), ("number", True), ("share", True)), cells, language, "counted")
    )


def _table(columns: Sequence[tuple[str, bool]], rows: Sequence[Html], language: str, kind: str) -> Html:
    """Return a table.

    Args:
        columns: For each column, the key of its heading, and whether it has numbers.
        rows: The rows.
        language: The page's language.
        kind: The class of the table in the style sheet.
    """
    head = [el("th", word(name, language), scope="col", class_="number" if right else None) for name, right in columns]
    table = el("table", el("thead", el("tr", *head)), el("tbody", *rows), class_=kind)
    return el("div", table, class_="scroll")
