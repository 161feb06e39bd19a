"""The evidence file for a regulator as one page, which loads nothing and has no script.

Every sentence names the row that it rests on, or says that nothing was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labeling.reports._card import chip
from labeling.reports._markup import Html, asset, el, joined, policy
from labeling.reports.conformity_words import text
from labeling.reports.messages import TAGS, clause, placed, profile_title, word

_TONES = {"met": "compliant", "partly": "inconclusive", "gap": "noncompliant", "not measured": "unchecked"}
"""States of a measure, with the status whose colour and sign they share."""

_STATES = ("present", "defective", "absent", "unreadable", "unchecked")
_COUNTS = ("no_breach", "failed", "warned", "not_judged")


def to_html(found: Mapping[str, Any], *, language: str = "en") -> str:
    """Return the page.

    Args:
        found: What :func:`labeling.conformity` returned.
        language: en or zh.
    """
    style = Html("".join(asset(name) for name in ("page.css", "conformity.css")))
    title = text("title", language)
    head = joined(
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy(style)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", style),
    )
    sections = [_system, _marks, _clauses, _gaps, _watermark, _trust, _tests, _samples]
    main = el("main", *(section(found, language) for section in sections))
    footer = el("footer", el("p", text("footer", language)))
    page = el("html", el("head", head), el("body", _header(found, title, language), main, footer), lang=TAGS[language])
    return f"<!doctype html>\n{page}\n"


def _header(found: Mapping[str, Any], title: str, language: str) -> Html:
    counts, profile = found["counts"], found["profile"]
    outcomes = {key: counts[key] for key in ("compliant", "inconclusive", "noncompliant")}
    name = profile_title(profile["name"], language)
    rows: list[tuple[str, object]] = [
        ("profile", joined(el("code", profile["name"]), " ", profile["title"] if name == profile["name"] else name)),
        ("since", _since(profile, language)),
        ("sources", el("ul", *(el("li", source) for source in profile["sources"])) if profile["sources"] else None),
        ("date", el("time", found["created"].replace("T", " ").replace("Z", " UTC"), datetime=found["created"])),
        ("tool", f"{found['tool']['id']} {found['tool']['version']}"),
    ]
    facts = [joined(el("dt", text(key, language)), el("dd", value)) for key, value in rows if value is not None]
    return el(
        "header",
        el("h1", title),
        el("p", text("lead", language, n=counts["samples"], profile=profile["name"], **outcomes), class_="lead"),
        el("p", text("scope", language), class_="aside"),
        el("dl", *facts, class_="facts"),
        class_="page",
    )


def _since(profile: Mapping[str, Any], language: str) -> str:
    """Return from when the rules apply, and whether that day is to come."""
    if not profile["since"]:
        return text("not said", language)
    return str(profile["since"]) if profile["in_force"] else f"{profile['since']} ({text('not in force', language)})"


def _section(key: str, language: str, *content: object) -> Html:
    return el("section", el("h2", text(key, language)), el("div", *content, class_="sheet"), id=key)


def _table(
    kind: str, columns: Sequence[str], rows: Sequence[Html], language: str, about: str = "", numbers: Sequence[str] = ()
) -> Html:
    heads = [el("th", "#", scope="col"), *(el("th", text(name, language), scope="col") for name in columns)]
    heads += [el("th", text(name, language), scope="col", class_="count") for name in numbers]
    caption = el("caption", text(about, language)) if about else None
    table = el("table", caption, el("thead", el("tr", *heads)), el("tbody", *rows), class_=kind)
    return el("div", table, class_="scroll")


def _row(row: str, *cells: Html) -> Html:
    return el("tr", el("td", row, class_="number"), *cells, id=row)


def _numbers(row: Mapping[str, Any], names: Sequence[str], language: str) -> list[Html]:
    return [
        el("td", row[name], class_="count" if row[name] else "count zero", data_name=text(name, language))
        for name in names
    ]


def _system(found: Mapping[str, Any], language: str) -> Html:
    rows = []
    for row in found["system"]:
        stated = el("bdi", row["stated"]) if row["stated"] else el("span", text("not stated", language), class_="aside")
        if row["found"] is None:
            held: Html = el("span", text("not measured", language), class_="aside")
        elif not row["found"]:
            held = el("span", text("none found", language), class_="aside")
        else:
            items = (el("li", el("bdi", each["value"]), f" ({each['samples']})") for each in row["found"])
            held = el("ul", *items, class_="says")
        item = el("th", text(f"item:{row['item']}", language), scope="row")
        rows.append(
            _row(
                row["row"],
                item,
                el("td", stated, data_name=text("column:stated", language)),
                el("td", held, data_name=text("column:found", language)),
            )
        )
    columns = ("column:item", "column:stated", "column:found")
    return _section("system", language, _table("facts-table", columns, rows, language, "system:about"))


def _marks(found: Mapping[str, Any], language: str) -> Html:
    rows = []
    for row in found["marks"]:
        techniques = word("comma", language).join(word(f"technique:{each}", language) for each in row["techniques"])
        places = ", ".join(placed(each, language) for each in row["places"])
        where = joined(el("bdi", places), el("small", techniques) if techniques else None)
        mark = el("th", word(f"long:{row['mark']}", language), scope="row")
        rows.append(_row(row["row"], mark, el("td", where), *_numbers(row, _STATES, language)))
    columns = ("column:mark", "column:where")
    return _section("marks", language, _table("counts-table", columns, rows, language, "marks:about", _STATES))


def _clauses(found: Mapping[str, Any], language: str) -> Html:
    rows = []
    for row in found["clauses"]:
        rule = el("th", el("code", row["rule"]), el("small", clause(row["clause"], language)), scope="row")
        rows.append(_row(row["row"], rule, el("td", row["asks"][language]), *_numbers(row, _COUNTS, language)))
    columns = ("column:clause", "column:asks")
    return _section("clauses", language, _table("counts-table", columns, rows, language, "clauses:about", _COUNTS))


def _gaps(found: Mapping[str, Any], language: str) -> Html | None:
    if "gaps" not in found:
        return None
    rows = []
    for row in found["gaps"]:
        links = [el("a", each, href=f"#{each}") for each in row["rests_on"]]
        between = [joined(", ", link) if at else link for at, link in enumerate(links)]
        rests = el("small", text("rows", language), " ", *between) if links else None
        state = chip(_TONES[row["state"]], text(f"state:{row['state']}", language))
        measure = el("th", row["measure"], scope="row")
        answer = el("td", row["answer"][language], rests)
        rows.append(_row(row["row"], measure, el("td", row["asks"][language]), el("td", state), answer))
    columns = ("column:measure", "column:asks", "column:state", "column:answer")
    return _section("gaps", language, _table("gaps-table", columns, rows, language, "gaps:about"))


def _watermark(found: Mapping[str, Any], language: str) -> Html:
    row = next(each["row"] for each in found["marks"] if each["mark"] == "watermark")
    key = "watermark:some" if found["watermark"]["found"] else "watermark:none"
    says = text(
        key,
        language,
        n=found["counts"]["samples"],
        found=found["watermark"]["found"],
        named=found["watermark"]["named"],
        row=row,
    )
    return _section("watermark", language, el("p", says))


def _trust(found: Mapping[str, Any], language: str) -> Html:
    trust, total = found["trust"], found["counts"]["samples"]
    signatures = [f"{word(f'signature:{name}', language)} {n}" for name, n in trust["signatures"].items()]
    lists = [
        el("li", joined(each["name"], f" ({each['date']})" if each["date"] else "", ", "),
           text("certificate" if each["certificates"] == 1 else "certificates", language, n=each["certificates"]))
        for each in trust["lists"]
    ]  # fmt: skip
    said = word("comma", language).join(signatures) or text("trust:unsigned", language, n=total)
    rows: list[tuple[str, object]] = [
        ("trust:signatures", said),
        ("trust:stamped", f"{trust['time_stamped']} / {total}"),
        ("trust:lists", el("ul", *lists) if lists else text("trust:nobody", language)),
    ]
    facts = [joined(el("dt", text(key, language)), el("dd", value)) for key, value in rows]
    return _section("trust", language, el("dl", *facts, class_="facts"))


def _tests(found: Mapping[str, Any], language: str) -> Html:
    return _section("tests", language, el("p", text("tests:says", language, suite=found["tests"]["suite"])))


def _samples(found: Mapping[str, Any], language: str) -> Html:
    rows = []
    for number, each in enumerate(found["samples"], 1):
        digest = el("small", el("code", each["sha256"])) if each["sha256"] else None
        file = el("th", el("bdi", each["path"]), digest, scope="row")
        verdict = el("td", chip(each["verdict"], word(each["verdict"], language)))
        rules = " ".join(each["failed"]) + (f" ({' '.join(each['warnings'])})" if each["warnings"] else "")
        rows.append(
            _row(f"F{number}", file, el("td", each["media_type"]), verdict, el("td", el("code", rules.strip())))
        )
    columns = ("column:file", "column:type", "column:verdict", "column:rules")
    return _section("samples", language, _table("samples-table", columns, rows, language))
