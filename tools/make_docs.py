"""Writes the generated documents: parts of those that people write (FILLED), the pages of docs/ named in PAGES, and
docs/report.schema.json.

Run it after a change of formats, rules, commands or public docstrings (tests/test_docs.py fails until then):  make docs
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labeling.rule_catalogue import Rule

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benchmarks" / "figures.json"
NOTICE = "<!-- Written by tools/make_docs.py from the code; change that, then run make docs. -->\n"


def _our_modules() -> None:
    """Let what is not in the package be imported where this file is run as a script."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))


# --- tables -----------------------------------------------------------------------------------------------------------


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def formats_table() -> str:
    """Formats × marks, from :data:`labeling.containers.formats.FORMATS`."""
    from labeling.containers.formats import FORMATS
    from labeling.marks.credentials import library

    signable = set(library.load().Builder.get_supported_mime_types())
    rows = []
    for row in FORMATS:
        from_memory = "yes" if row.encodings or row.muxers else "–"
        signed = "yes" if row.carrier and row.media_types[0] in signable else "–"
        rows.append((row.title, row.carrier or row.no_carrier, row.on_file or "–", from_memory, signed))
    return table(("Format", "AIGC field and IPTC go to", "Visible label on a file", "From memory", "C2PA"), rows)


def kept_table() -> str:
    """What is compared on every write, and what labelled copies are known to lose, from the same table."""
    from labeling.containers.formats import FORMATS

    rows = []
    for row in FORMATS:
        if row.carrier:
            reasons: dict[str, list[str]] = {}
            for cost in row.costs:
                reasons.setdefault(cost.why, []).append(cost.what)
            costs = "; ".join(f"{', '.join(things)} ({why})" for why, things in reasons.items())
            rows.append((row.title, f"all metadata; {row.kept}", costs or "nothing known"))
    return table(("Format", "Compared on every write", "What may be lost, and why"), rows)


def profiles_table() -> str:
    """One row per regime, from :data:`labeling.rules.PROFILES`."""
    from labeling.findings import Severity
    from labeling.rules import PROFILES

    rows = []
    for profile in PROFILES.values():
        failing = [check.rule for check in profile.checks if check.row.severity is Severity.ERROR]
        warning = [check.rule for check in profile.checks if check.row.severity is Severity.WARNING]
        judged = f"every defect of {' and '.join(sorted(profile.judged))}" if profile.judged else ""
        layers = [" with ".join(f"`{check.rule}`" for check in layer.checks) for layer in profile.layers]
        if len(layers) > 1:
            layers = [f"all of these techniques lack ({'; '.join(layers)}); with some of them it is inconclusive"]
        fails = ", ".join([*(f"`{rule}`" for rule in failing), *filter(None, (judged, *layers))])
        words = f"{profile.text} ({', '.join(profile.languages)})"
        rows.append((f"`{profile.name}`", profile.title, words, fails, ", ".join(f"`{rule}`" for rule in warning)))
    return table(("Profile", "Regime", "Visible text", "Non-compliant if", "Warns of"), rows)


def fuzzing_table() -> str:
    """One row per recorded run of the fuzzer, and their sum, from tests/fuzzing/runs.jsonl."""
    record = ROOT / "tests" / "fuzzing" / "runs.jsonl"
    runs = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    counted = ("files", "pixels", "media", "written", "painted")

    def row(name: str, *words: str, of: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        sums = (f"{sum(run[each] for run in of):,}".replace(",", "\u00a0") for each in counted)
        most = f"{max((run['peak'] for run in of), default=0)} MB"
        return (
            name,
            *words,
            *sums,
            f"{sum(run['hours'] for run in of):.2f}",
            most,
            str(sum(run["kinds"] for run in of)),
        )

    rows = [row(run["date"], run["version"], f"`{run['commit']}`", str(run["seed"]), of=[run]) for run in runs]
    header = ("Date", "Version", "Commit", "Seed", "Files", "With pixels", "Video, audio", "Outputs", "Painted",
              "CPU hours", "Peak", "Findings")  # fmt: skip
    return table(header, [*rows, row("all", "", "", "", of=runs)])


def figures_table() -> str:
    """One row per figure that has a target, from the recorded runs in benchmarks/figures.json."""
    _our_modules()
    from benchmarks import history
    from benchmarks._table import amount

    figures = history.load(FIGURES)
    rows = []
    for row in figures["rows"]:
        if row["limit"] is None:
            continue
        other = amount(row["other"], row["unit"]) if row["other"] is not None else ""
        against = ", ".join(part for part in (other, row["versus"].strip("—")) if part) or "–"
        bare = f"{amount(row['bare'], row['unit'])}, {row['bare_of']}" if row["bare"] is not None else "–"
        value = "∞" if math.isinf(row["value"]) else row["form"].format(row["value"])
        wanted = row["target"] if row["reached"] else f"{row['target']}: missed"
        rows.append((row["work"], amount(row["ours"], row["unit"]), against, bare, value, wanted))
    about, days = figures["machine"], sorted({row["date"][:10] for row in figures["rows"]})
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Medians of `make bench` and `make bench-full`, {when}; {about['cpus']} processors,\n"
        f"Python {about['python']}, {versions}.\n\n"
        + table(("Work", "Ours", "The alternative", "The limit: bare work", "Figure", "Wanted"), rows)
    )


# --- docs/rules.md ----------------------------------------------------------------------------------------------------


def rule_row(rule: Rule) -> tuple[str, ...]:
    """One row of a table of rules, from the catalogue."""
    severity = " or ".join(str(each) for each in rule.severities)
    return (f"`{rule.id}`", severity, " or ".join(rule.clauses), rule.english, rule.chinese)


def clauses_table(table: Callable[..., str]) -> list[str]:
    """Clause → rule → example, from the catalogue and tests/rule_matrix.py."""
    from labeling.rule_catalogue import RETIRED, RULES

    _our_modules()
    from tests.rule_matrix import CASES, MEDIA, figures, why_not

    rows = []
    for case in sorted(CASES, key=lambda case: (RULES[case.rule].clause, case.rule)):
        reasons = {medium: why_not(case, medium, "fail") for medium in MEDIA}
        there = [medium for medium in MEDIA if not reasons[medium]]
        why = "; ".join(dict.fromkeys(reason for reason in reasons.values() if reason))
        rows.append((RULES[case.rule].clause, f"`{case.rule}`", case.example or "–", ", ".join(there) or "–", why))
    cells, made, impossible = figures()
    retired = "; ".join(f"`{name}` ({why})" for name, why in RETIRED.items())
    return [
        "\n## Clauses, rules and examples\n\n",
        f"{len(CASES)} rules, three media, and a file that breaks it or keeps it: {cells} cells. For {made}\n",
        f"`tests/test_rule_matrix.py` makes a file and judges it by all profiles. For {impossible} it has none:\n",
        "the last column says why, or `tests/rule_matrix.py`.\n\n",
        table(("Clause", "Rule", "A file that breaks it", "Made as", "Why not as the others"), rows),
        f"\nRules that were removed, whose ids are not used again: {retired}.\n",
    ]


def rules_page() -> str:
    """docs/rules.md, from :data:`labeling.rule_catalogue.RULES` and :data:`labeling.rules.PROFILES`."""
    from labeling.rule_catalogue import RULES
    from labeling.rules import PROFILES
    from labeling.rules import custom as custom_profiles

    example = (custom_profiles.__doc__ or "").partition("::\n\n")[2]
    header = ("Rule", "Severity", "Clause", "Says", "中文")
    parts = [
        "# Rules\n\n",
        NOTICE,
        "\nEvery defect names a stable rule id and the clause behind it. Ids are never reused for something else.\n"
        "An *error* makes a file non-compliant under each profile that judges the mark; a *warning* only informs.\n"
        "The sentences are those of the catalogue; in a report, the message of a defect also says what was found in\n"
        "the file.\n",
    ]
    checked = set()
    for profile in PROFILES.values():
        judged = ", ".join(f"`{kind}`" for kind in sorted(profile.judged)) or "none"
        parts.append(f"\n## Profile `{profile.name}`: {profile.title}\n\n")
        parts.append(f"Marks whose defects count as errors here: {judged}.\n\n")
        if profile.since:
            parts.append(f"Applies from {profile.since}. Sources: {'; '.join(profile.sources)}.\n\n")
        if len(profile.layers) > 1:
            layers = (" with ".join(f"`{check.rule}`" for check in layer.checks) for layer in profile.layers)
            parts.append(
                f"It asks for several techniques together: {'; '.join(layers)}. With all of them a file may be\n"
                "compliant; with some it is inconclusive, and warnings say which are missing or were not looked for;\n"
                "with none it is non-compliant.\n\n"
            )
        parts.append(table(header, [rule_row(check.row) for check in profile.every_check]))
        checked |= {check.rule for check in profile.every_check}
    parts.append(depicted())
    parts += clauses_table(table)
    custom = [rule for rule in RULES.values() if rule.id.startswith("CUSTOM-")]
    others = [rule for rule in RULES.values() if rule.id not in checked and rule not in custom]
    parts.append("\n## Defects of marks and files\n\n")
    parts.append(table(header, [rule_row(rule) for rule in others]))
    parts.append(
        "\n## Custom profiles\n\n`--profile NAME.toml` judges by a file of your own, which makes a known profile\n"
    )
    parts.append(
        f"stricter or milder. Every key may be left out:\n\n```toml\n{example}```\n\nRules that it may add:\n\n"
    )
    parts.append(table(header, [rule_row(rule) for rule in custom]))
    return "".join(parts)


def depicted() -> str:
    """The section of docs/rules.md on what is a label and what belongs to the picture, with the limits of the code."""
    from labeling.marks.visible import lines, page, read

    return (
        "\n## Which text is a visible label\n\n"
        "A text counts if it says that AI made the content: no denial, question, button or headline.\n"
        "What else is asked of it depends on where it is:\n\n"
        f"- **At an edge or corner** (up to {lines.NEAR:.0%} of the shortest side from the upper or lower border,\n"
        f"  or up to {lines.NEAR_SIDE:.0%}, with room for a logo, from a side that it is clearly nearer to): it is\n"
        "  a label, unless its line goes on with words that make it something else. At a side it must not\n"
        "  be one line of several either.\n"
        "- **Inside the picture**: it may belong to what is depicted, such as a poster, a document or the\n"
        "  screenshot of an app. It is a label only if it is a statement (a brand mark is none there), runs\n"
        f"  horizontally, is no higher than {read.LARGEST:.0%} of the shortest side, does not go on at either end\n"
        "  of its line, and has no other text within one and a half of its height above or below, that is,\n"
        f"  none that OCR reads with a confidence of {page.CLEAR:.0%} or more. Text of a page around a picture, as\n"
        "  in a screenshot, does not count: it stands on a plain ground, and the line on another. Then a picture\n"
        "  is *defective* by `CN-VISIBLE-POSITION`, and *suspected*. In a video the label is *present*, since\n"
        "  GB 45438-2025 5.4 asks for no edge.\n\n"
        "So a poster with nothing on it but these words is taken for a label, and a label among other text\n"
        "is missed. `python -m benchmarks.realistic` measures both sides: `--inside` how many labels inside\n"
        "photographs are found, and how many lines of notices are taken for labels; `--ordinary` counts\n"
        "false labels in folders of screenshots, documents and photographs.\n"
    )


# --- docs/traces.md ---------------------------------------------------------------------------------------------------


def traces_page() -> str:
    """docs/traces.md, from :data:`labeling.marks.generator.TRACES`."""
    from labeling.marks import generator

    def fields(keys: tuple[str, ...]) -> str:
        groups = {"software": generator.SOFTWARE, "maker": generator.CREDIT, "prose": generator.PROSE}
        names = []
        for title, group in groups.items():
            if set(group) <= set(keys):
                names.append(title)
                keys = tuple(key for key in keys if key not in group)
        return ", ".join([*names, *(f"`{key}`" for key in keys)])

    def row(trace: generator.Trace) -> tuple[str, ...]:
        patterns = " and ".join(f"`{pattern}`" for pattern in (trace.pattern, trace.also) if pattern)
        longest = f"at most {trace.longest} characters" if trace.longest else ""
        note = "; ".join(part for part in (trace.note, longest) if part)
        return (trace.generator, fields(trace.keys), patterns, trace.confidence, note, trace.source or "files")

    parts = [
        "# Traces of generators\n\n",
        NOTICE,
        "\nWhat generators leave in a file, and what it is taken for. Traces are evidence for *suspected* (Labelling\n"
        "Measures Art. 6), never a label, and nothing complies because of them. A *high* or *medium* trace makes a\n"
        "file suspected; a *low* one, a mention, is reported and changes nothing: a caption may speak of a generator.\n"
        "Absence proves nothing: most ways of publishing a picture strip its metadata.\n"
        "\nFields are PNG keywords, EXIF tags, XMP properties and IPTC-IIM datasets by their local names, and JPEG\n"
        "and GIF comments as `comment`, in any case. Groups of fields:\n\n",
        f"- *software*: {', '.join(f'`{key}`' for key in generator.SOFTWARE)}\n",
        f"- *maker*: {', '.join(f'`{key}`' for key in generator.CREDIT)}\n",
        f"- *prose*: {', '.join(f'`{key}`' for key in generator.PROSE)}\n",
        "\nTexts of RIFF and frames of ID3v2 count under the names of other formats: `ICMT`, `COMM` as `comment`.\n"
        f"`{generator.LAST_LINE}` is the last line of a Markdown document, `{generator.ALPHA}` what is hidden there.\n"
        "\n## What they say\n\n"
        "A text that says that AI made the content, and nothing else, is *medium* in each of these fields and in\n"
        "the last line of Markdown (GB 45438-2025 5.1), in any of more than twenty languages: “AI生成”,\n"
        "“Generated by AI”, “Mit KI erstellt”. What denies it (“非AI生成”), asks, commands, or speaks of it in a\n"
        "headline is nothing. A grammar decides; its table of sentences is `tests/data/sentences.tsv`.\n"
        "\n## What they write\n\nPatterns are regular expressions, searched in any case.\n\n",
    ]
    header = ("Generator", "Fields", "Pattern", "Confidence", "Note", "Known from")
    parts.append(table(header, [row(trace) for trace in (*generator.STRUCTURES, *generator.GENERAL)]))
    parts.append(
        "\n## Names\n\nA name is *high* in a software field of at most 200 characters, *medium* alone in a maker\n"
        "field, with a version at most, or in a text that says “image generated by” it (created, made … with,\n"
        "using …) and nothing else, and *low* anywhere else: “OpenAI/Handout via Reuters” and “a protest against\n"
        "pictures made with Midjourney” make nothing suspected. The name of a company alone, OpenAI, is no maker.\n\n"
    )
    parts.append(table(("Generator", "Pattern"), [(name, f"`{pattern}`") for name, _, pattern in generator.NAMES]))
    return "".join(parts)


# --- docs/cli.md ------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """docs/cli.md: the help of every command, word for word."""
    import click

    from labeling.cli import group

    parts = ["# Command line\n\n", NOTICE, "\nThe words of commands and options are a contract: scripts use them.\n"]
    width: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100}
    context = click.Context(group, info_name="aigc-label", **width, **group.context_settings)
    parts.append(f"\n## aigc-label\n\n```text\n{group.get_help(context)}\n```\n")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context, **width)
        parts.append(f"\n## aigc-label {name}\n\n```text\n{command.get_help(own)}\n```\n")
        for verb, inner in sorted(getattr(command, "commands", {}).items()):
            below = click.Context(inner, info_name=f"{name} {verb}", parent=context, **width)
            parts.append(f"\n### aigc-label {name} {verb}\n\n```text\n{inner.get_help(below)}\n```\n")
    return "".join(parts)


# --- docs/report.schema.json ------------------------------------------------------------------------------------------


def report_schema() -> str:
    """docs/report.schema.json, from :mod:`labeling.reports.schema`."""
    from labeling.reports import schema

    return json.dumps(schema.report_schema(), ensure_ascii=False, indent=2) + "\n"


# --- docs/api.md ------------------------------------------------------------------------------------------------------


def api_page() -> str:
    """docs/api.md, from the signatures and docstrings of the public API."""
    _our_modules()
    from tools.api_page import page

    return page(NOTICE)


# --- putting it in place ----------------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[], str]] = {
    "docs/api.md": api_page,
    "docs/cli.md": cli_page,
    "docs/rules.md": rules_page,
    "docs/traces.md": traces_page,
    "docs/report.schema.json": report_schema,
}
TABLES: dict[str, Callable[[], str]] = {
    "formats": formats_table,
    "kept": kept_table,
    "profiles": profiles_table,
    "fuzzing": fuzzing_table,
}
if FIGURES.exists():  # until the first recorded run the figures of the README are as people wrote them down
    TABLES["figures"] = figures_table


FILLED = ("README.md", "docs/security.md", "docs/schedulers.md")
"""Documents that people write, with generated parts."""


def _between(content: str, found: re.Match[str]) -> str:
    return f"{found[1]}\n{content}\n{found[2]}"


def sample(name: str) -> str:
    """Return a file of samples/ as a block of code."""
    language = {".py": "python", ".sh": "sh", ".yaml": "yaml"}.get(Path(name).suffix, "text")
    return f"```{language}\n{(ROOT / name).read_text(encoding='utf-8')}```"


def filled(text: str) -> str:
    """Return a document with its tables replaced: the text between the comments ``generated: NAME`` and ``end``.

    A name that begins with ``samples/`` is that of a file, which is shown.
    """
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(partial(_between, make()), text)
    files = re.compile(r"(<!-- generated: (samples/\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return files.sub(lambda found: f"{found[1]}\n{sample(found[2])}\n\n{found[3]}", text)


def documents() -> dict[str, str]:
    """What each generated document should hold, by its path."""
    tables = {name: filled((ROOT / name).read_text(encoding="utf-8")) for name in FILLED}
    return tables | {name: make() for name, make in PAGES.items()}


def main() -> None:
    for name, content in documents().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
