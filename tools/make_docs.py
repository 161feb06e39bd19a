"""Writes the generated parts of the documents: tables in README.md, docs/cli.md, docs/rules.md, docs/traces.md.

Run it after a change of formats, rules or commands:  make docs      (tests/test_docs.py fails until then)
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RULE_ID = re.compile(r"(?:CN|EU|US-CA|C2PA|IPTC|XMP|EXIF|FILE)(?:-[A-Z0-9]+)+\Z")
NOTICE = "<!-- Written by tools/make_docs.py from the code; change that, then run make docs. -->\n"

# What becomes of the rest of the picture when a label is drawn on a file: proven by tests/codecs.
ON_FILES = {
    "jpeg": "only the blocks under it change (DCT-level edit)",
    "png": "lossless: samples, palette, 16 bits and every frame are kept",
    "webp": "lossless stays lossless; lossy is coded again at a stated quality",
    "gif": "lossless outside the label, on every frame",
    "tiff": "only the strips or tiles under it change, on every page",
    "heif": "coded again at a stated quality",
    "bmp": "–",
    "jxl": "–",
    "pdf": "–",
    "svg": "–",
    "markdown": "–",
    "mp4": "only the groups of pictures under it are coded anew (H.264, HEVC, VP9, AV1); the rest is bit-exact",
    "matroska": "the same, in a re-muxed copy",
    "avi": "the same, in a re-muxed copy",
    "flv": "the same, in a re-muxed copy",
    "wav": "–",
    "mp3": "–",
    "flac": "–",
    "ogg": "–",
}
FILMS = ("mp4", "matroska", "avi", "flv")


# --- tables -----------------------------------------------------------------------------------------------------------


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def formats_table() -> str:
    """Formats × marks, from :data:`labeling.containers.FORMATS` and the codecs' own tables."""
    import c2pa

    from labeling.codecs import _PAINTERS
    from labeling.codecs._encoders import ENCODERS
    from labeling.containers import FORMATS

    signable = set(c2pa.Builder.get_supported_mime_types())
    rows = []
    for row in FORMATS:
        nowhere = "no place exists: refused, PNG offered" if row.name == "bmp" else "read, not yet written"
        carrier = row.carrier or nowhere
        drawn = ON_FILES[row.name] if row.name in _PAINTERS or row.name in FILMS else "–"
        from_memory = "yes" if row.name in ENCODERS or row.name in FILMS else "–"
        signed = "yes" if row.carrier and row.media_types[0] in signable else "–"
        rows.append((row.title, carrier, drawn, from_memory, signed))
    return table(("Format", "AIGC field and IPTC go to", "Visible label on a file", "From memory", "C2PA"), rows)


def profiles_table() -> str:
    """One row per regime, from :data:`labeling.rules.PROFILES`."""
    from labeling.findings import Severity
    from labeling.rules import PROFILES

    rows = []
    for profile in PROFILES.values():
        failing = [check.rule for check in profile.checks if check.severity is Severity.ERROR]
        warning = [check.rule for check in profile.checks if check.severity is Severity.WARNING]
        judged = f"every defect of {' and '.join(sorted(profile.judged))}" if profile.judged else ""
        fails = ", ".join([*(f"`{rule}`" for rule in failing), *([judged] if judged else [])])
        words = f"{profile.text} ({', '.join(profile.languages)})"
        rows.append((f"`{profile.name}`", profile.title, words, fails, ", ".join(f"`{rule}`" for rule in warning)))
    return table(("Profile", "Regime", "Visible text", "Non-compliant if", "Warns of"), rows)


# --- docs/rules.md ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule id as some place in the code uses it."""

    rule: str
    clause: str
    severity: str
    message: str
    module: str


def defect_rules() -> list[Rule]:
    """Every defect that the marks and the pipeline can report: found in the source, so that none is forgotten."""
    found: dict[str, Rule] = {}
    for path in sorted((ROOT / "labeling").rglob("*.py")):
        if "rules" not in path.parts:
            for rule in _rules_of(path):
                known = found.get(rule.rule)
                if known is None:
                    found[rule.rule] = rule
                elif known.severity != rule.severity:
                    found[rule.rule] = Rule(rule.rule, known.clause, "error or warning", known.message, known.module)
    return sorted(found.values(), key=lambda r: (r.module, r.rule))


def mentioned_ids() -> set[str]:
    """Every string in the library that looks like a rule id."""
    paths = (ROOT / "labeling").rglob("*.py")
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if RULE_ID.match(text)}


def _rules_of(path: Path) -> Iterator[Rule]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for node, function in _with_function(tree, None):
        items = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        for at, item in enumerate(items[:-2]):
            if isinstance(item, ast.Constant) and isinstance(item.value, str) and RULE_ID.match(item.value):
                clause = _text(items[at + 1], module, function, node)
                message = _text(items[at + 2], module, function, node)
                yield Rule(item.value, clause, _severity(node), message, module)


def _with_function(node: ast.AST, function: ast.AST | None) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    for child in ast.iter_child_nodes(node):
        yield child, function
        yield from _with_function(child, child if isinstance(child, ast.FunctionDef) else function)


def _severity(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return "error"
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    given = [*node.args[3:], *(k.value for k in node.keywords if k.arg == "severity")]
    if "warning" in name.lower() or any(ast.unparse(g) == "Severity.WARNING" for g in given):
        return "warning"
    return "error" if not given or ast.unparse(given[0]) == "Severity.ERROR" else "error or warning"


def _text(node: ast.expr, module: str, function: ast.AST | None, use: ast.AST) -> str:
    """The text of an expression as far as the source tells: what is only known at run time becomes an ellipsis."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (_text(value, module, function, use) for value in node.values)
        return re.sub(r"(?:'?…'?)+", "…", "".join(parts))
    if isinstance(node, ast.IfExp):
        return _text(node.body, module, function, use)
    if isinstance(node, ast.Name):
        value = _assigned(node.id, function, use)
        if value is not None:
            return _text(value, module, None, use)
        constant = getattr(importlib.import_module(module), node.id, None)
        return constant if isinstance(constant, str) else "…"
    return "…"


def _assigned(name: str, function: ast.AST | None, use: ast.AST) -> ast.expr | None:
    """What a local name was last set to, above its use."""
    best: ast.expr | None = None
    for node in ast.walk(function) if function is not None else ():
        if not isinstance(node, ast.Assign) or node.lineno > getattr(use, "lineno", 0):
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            best = node.value if best is None or node.lineno >= best.lineno else best
    return best


def rules_page() -> str:
    """docs/rules.md."""
    from labeling.rules import PROFILES

    parts = [
        "# Rules\n\n",
        NOTICE,
        "\nEvery finding names a stable rule id and the clause behind it. Ids are never reused for something else.\n"
        "An *error* makes a file non-compliant under each profile that judges the mark; a *warning* only informs.\n",
    ]
    for profile in PROFILES.values():
        judged = ", ".join(f"`{kind}`" for kind in sorted(profile.judged)) or "none"
        parts.append(f"\n## Profile `{profile.name}`: {profile.title}\n\n")
        parts.append(f"Marks whose defects count as errors here: {judged}.\n\n")
        rows = [(f"`{check.rule}`", str(check.severity), check.clause) for check in profile.checks]
        parts.append(table(("Rule", "Severity", "Clause"), rows))
    parts.append("\n## Defects of marks and files\n\n")
    parts.append("… stands for what the file says.\n\n")
    rows = [(f"`{r.rule}`", r.severity, r.clause, r.message) for r in defect_rules()]
    parts.append(table(("Rule", "Severity", "Clause", "Says"), rows))
    return "".join(parts)


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
        return (trace.generator, fields(trace.keys), patterns, trace.confidence, note)

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
        "\nPatterns are regular expressions, searched in any case.\n\n## What they write\n\n",
    ]
    header = ("Generator", "Fields", "Pattern", "Confidence", "Note")
    parts.append(table(header, [row(trace) for trace in (*generator.STRUCTURES, *generator.GENERAL)]))
    parts.append(
        "\n## Names\n\nA name is *high* in a software field of at most 200 characters, *medium* in a maker field\n"
        "of at most 60 or after “generated by” (created, made … with, using …) in prose of at most 80, and *low*\n"
        "anywhere else in prose.\n\n"
    )
    parts.append(table(("Generator", "Pattern"), [(name, f"`{pattern}`") for name, _, pattern in generator.NAMES]))
    return "".join(parts)


# --- docs/cli.md ------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """docs/cli.md: the help of every command, word for word."""
    import click

    from labeling.cli import group

    parts = ["# Command line\n\n", NOTICE, "\nThe words of commands and options are a contract: scripts use them.\n"]
    width = {"terminal_width": 100, "max_content_width": 100}
    context = click.Context(group, info_name="aigc-label", **width, **group.context_settings)
    parts.append(f"\n## aigc-label\n\n```text\n{group.get_help(context)}\n```\n")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context, **width)
        parts.append(f"\n## aigc-label {name}\n\n```text\n{command.get_help(own)}\n```\n")
        for verb, inner in sorted(getattr(command, "commands", {}).items()):
            below = click.Context(inner, info_name=verb, parent=own, **width)
            parts.append(f"\n### aigc-label {name} {verb}\n\n```text\n{inner.get_help(below)}\n```\n")
    return "".join(parts)


# --- putting it in place ----------------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": cli_page,
    "docs/rules.md": rules_page,
    "docs/traces.md": traces_page,
}
TABLES: dict[str, Callable[[], str]] = {"formats": formats_table, "profiles": profiles_table}


def filled(text: str) -> str:
    """A document with its tables written anew; they stand between the comments ``generated: NAME`` and ``end``."""
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        content = make()
        text = pattern.sub(lambda m, content=content: f"{m[1]}\n{content}\n{m[2]}", text)
    return text


def documents() -> dict[str, str]:
    """What each generated document should hold, by its path."""
    readme = ROOT / "README.md"
    return {"README.md": filled(readme.read_text(encoding="utf-8"))} | {name: make() for name, make in PAGES.items()}


def main() -> None:
    for name, content in documents().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
