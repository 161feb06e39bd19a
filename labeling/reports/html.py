"""The report as one self-contained page, to be opened from a disk, printed and passed on.

The page loads nothing, and nothing in a file can become markup: its policy allows only its one style sheet and one
script, by their hashes, and pictures embedded in it. The script only sorts, so the page is readable without it. Filters
are pure style sheet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from labeling._version import __version__
from labeling.findings import REPORTED
from labeling.reports._card import GLYPHS, card, chip, worst
from labeling.reports._markup import Html, asset, el, joined, policy
from labeling.reports.file_evidence import FileEvidence
from labeling.reports.file_names import in_folder
from labeling.reports.messages import TAGS, profile_title, word
from labeling.verification.report import ORIGINS, Report, status_of

VERDICTS = ("noncompliant", "inconclusive", "compliant")
"""Outcomes in the order of the page: files that need attention come first."""


def to_html(
    reports: Iterable[Report],
    *,
    evidence: Sequence[FileEvidence | None] = (),
    language: str = "en",
    created: datetime | None = None,
) -> str:
    """Return one HTML page.

    Args:
        reports: The reports, one for each file.
        evidence: SHA-256 and thumbnail of each file, in the order of the reports; without it the page has no pictures.
        language: en or zh.
        created: The date on the page; by default now.
    """
    reports = list(reports)
    folder, names = in_folder([report.path for report in reports])
    reports = [replace(report, path=name) for report, name in zip(reports, names, strict=True)]
    shown = [*evidence, *[None] * (len(reports) - len(evidence))]
    order = sorted(range(len(reports)), key=lambda i: VERDICTS.index(worst(reports[i])))
    numbered = [(number, reports[i], shown[i]) for number, i in enumerate(order, 1)]
    profiles = list(dict.fromkeys(name for report in reports for name in report.verdicts))
    style, script = asset("page.css"), asset("page.js")
    main = el(
        "main",
        _filters(reports, language),
        el("section", el("h2", word("overview", language)), _overview(numbered, profiles, language)),
        el("section", el("h2", word("details", language)), *(card(*row, language) for row in numbered), class_="cards"),
    )
    body = joined(_header(reports, profiles, folder, created or datetime.now(UTC), language), main, _footer(language))
    head = joined(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", word("title", language)),
        el("style", style),
    )
    page = el("html", el("head", head), el("body", body, el("script", script)), lang=TAGS[language])
    return f"<!doctype html>\n{page}\n"


def _header(reports: list[Report], profiles: list[str], folder: str, created: datetime, language: str) -> Html:
    stamp = created.astimezone(UTC)
    looked = any(finding.kind == "visible" for report in reports for finding in report.findings)
    rules = el("ul", *(_rules(name, reports, language) for name in profiles))
    rows: list[tuple[str, object]] = [
        ("date", el("time", f"{stamp:%Y-%m-%d %H:%M} UTC", datetime=stamp.isoformat(timespec="seconds"))),
        ("tool", f"aigc-label {__version__}"),
        ("scope", word("scope:all" if looked else "scope:metadata", language)),
        ("profiles", rules),
    ]
    if any(report.redacted for report in reports):
        rows.append(("redacted", word("redacted:yes", language)))
    if folder:
        rows.append(("folder", el("bdi", folder)))
    facts = el("dl", *(joined(el("dt", word(key, language)), el("dd", value)) for key, value in rows), class_="facts")
    return el("header", el("h1", word("title", language)), facts, class_="page")


def _rules(name: str, reports: list[Report], language: str) -> Html:
    """Return a profile's title, from when on it applies, and what it rests on."""
    verdict = next(report.verdicts[name] for report in reports if name in report.verdicts)
    parts: list[object] = [el("code", name), " ", profile_title(name, language)]
    if verdict.since:
        key = "since" if verdict.in_force else "from"
        parts += [" ", el("small", word(key, language, day=verdict.since, sources="; ".join(verdict.sources)))]
    return el("li", *parts)


def _filters(reports: list[Report], language: str) -> Html:
    """Return the counts, which are filters as well: radio buttons, with style rules that hide what is not chosen."""
    groups = (
        ("verdict", "by verdict", VERDICTS, Counter(worst(report) for report in reports)),
        ("origin", "by origin", ORIGINS, Counter(report.origin for report in reports)),
    )
    parts = []
    for name, legend, values, counts in groups:
        choices = [_choice(name, "all", len(reports), word("all", language), checked=True)]
        choices += [_choice(name, value, counts[value], word(value, language)) for value in values]
        parts.append(el("fieldset", el("legend", word(legend, language)), el("div", *choices, class_="tiles")))
    return el("section", *parts, class_="filters", aria_label=word("summary", language))


def _choice(group: str, value: str, count: int, text: str, *, checked: bool = False) -> Html:
    identity = f"{group}-{value}"
    return joined(
        el("input", type="radio", name=group, id=identity, checked=checked, disabled=not count),
        el("label", el("b", count), el("span", text), for_=identity, class_=f"tile {value}"),
    )


def _overview(numbered: list[tuple[int, Report, FileEvidence | None]], profiles: list[str], language: str) -> Html:
    kinds = [kind for kind in REPORTED if kind != "visible" or any(status_of(r, kind) for _, r, _ in numbered)]
    columns = [
        "#",
        word("file", language),
        *profiles,
        word("origin", language),
        *(word(kind, language) for kind in kinds),
    ]
    head = el("tr", *(el("th", name, scope="col", aria_sort="ascending" if name == "#" else None) for name in columns))
    rows = el("tbody", *(_row(number, report, profiles, kinds, language) for number, report, _ in numbered))
    compact = len(profiles) > 2  # signs instead of words for the marks, as on paper
    legend = el("span", " ", word("legend", language), class_="legend")
    caption = el("caption", word("caption", language), legend)
    table = el("table", caption, el("thead", head), rows, class_="overview compact" if compact else "overview")
    return el("div", table, class_="scroll")


def _row(number: int, report: Report, profiles: list[str], kinds: list[str], language: str) -> Html:
    def cells() -> Iterator[Html]:
        yield el("td", number, class_="number")
        yield el("th", el("a", el("bdi", report.path), href=f"#f{number}"), scope="row")
        for name in profiles:
            verdict = str(report.verdicts[name].outcome) if name in report.verdicts else ""
            yield el("td", chip(verdict, word(verdict, language)) if verdict else None)
        yield el("td", word(report.origin, language))
        for kind in kinds:
            status = status_of(report, kind) or "unchecked"
            sign = el("span", GLYPHS[status], aria_hidden="true", class_="sign")
            name = el("span", word(status, language), class_="word")
            yield el("td", el("span", sign, name, class_=f"plain {status}", title=word(status, language)))

    return el("tr", *cells(), data_row=number, data_verdict=worst(report), data_origin=report.origin)


def _footer(language: str) -> Html:
    return el("footer", el("p", word("disclaimer", language)), el("p", word("how", language)))
