"""Writes docs/api.md: every public name with its signature and docstring. Called by tools/make_docs.py."""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType, UnionType
from typing import Any, Literal, get_args, get_origin

import labeling

GROUPS: dict[str, tuple[str, ...]] = {
    "Labelling": (
        "Labeler", "LabeledImage", "LabeledFile", "LabeledVideoWriter", "Loss", "VideoOptions", "Style", "propagate",
        "transplant", "convert", "ConvertedFile",
    ),
    "Classifying uploads": ("classify", "Classification", "EvidenceItem", "Contradiction"),
    "What a label says": ("Label", "Origin", "ProviderCode", "new_content_id"),
    "Signing": ("Signer", "SecurityKey", "Sm2Key"),
    "Verifying": (
        "verify", "inspect", "redact", "Report", "Finding", "KINDS", "Status", "Signature", "Defect", "Severity",
        "Verdict", "conformity", "Outcome", "Profile", "PROFILES", "Trust", "Limits",
    ),
    "Many files": ("batch", "ledger", "fingerprint"),
    "Types for annotations": ("Picture", "Frame", "Audio", "Source"),
    "Errors": (
        "LabelingError", "UnreadableFile", "UnsupportedFormat", "TooLarge", "LabelConflict", "WouldLose",
        "SigningError", "WriteError", "MissingDependency", "InternalError",
    ),
}  # fmt: skip
"""The names of ``labeling.__all__`` by what they are for, in reading order."""

INTERNAL = {
    "LabeledImage": {"later_report"},
    "Signer": {"call", "check_dates", "native", "remote", "signature_size", "take_error", "verify"},
    "Style": {"ink"},
    "Trust": {"all_lists", "settings"},
    "VideoOptions": {"spans"},
    "Check": {"arguments", "within"},
    "Conversion": {"arguments", "box"},
}
"""Members that the rest of the package calls on objects of public classes, and that users have no use for."""

WIDTH = 88
"""Signatures longer than this get one line for each parameter."""

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples", "Note", "Notes")


def page(notice: str) -> str:
    """Return the whole page; ``notice`` is the line that says where it comes from."""
    parts = [
        "# Python API\n\n",
        notice,
        "\nEverything here is imported from `labeling`. What is not on this page is internal and may change in any\n"
        "version; [CONTRIBUTING](../CONTRIBUTING.md#deprecations) says what happens before a public name goes.\n"
        "[The glossary](glossary.md) explains the words.\n",
    ]
    for title, names in GROUPS.items():
        links = ", ".join(f"[`{name}`](#{name.lower()})" for name in names)
        parts.append(f"\n- **{title}**: {links}")
    parts.append("\n")
    for title, names in GROUPS.items():
        parts.append(f"\n## {title}\n")
        parts += [entry(name) for name in names]
    return "".join(parts)


def entry(name: str) -> str:
    """Return the part of the page about one public name: heading, signature, docstring and members."""
    thing = getattr(labeling, name)
    head = f"\n### {name}\n\n"
    if isinstance(thing, ModuleType):
        return head + "".join(_module(thing))
    if isinstance(thing, type):
        return head + "".join(_class(name, thing))
    if callable(thing) and not isinstance(thing, UnionType):
        return head + "".join(_function(name, thing, "labeling."))
    module = vars(labeling)["_MODULE_OF"][name]
    value = _code(f"{name} = {_default(thing)}") if isinstance(thing, tuple) else ""
    return head + value + markdown(_comments(importlib.import_module(module))[name])


def _module(module: ModuleType) -> Iterator[str]:
    yield f"The module `{module.__name__}`, which `import labeling` loads when it is used.\n\n"
    yield markdown(module.__doc__)
    prefix = f"{module.__name__}."
    names: list[str] = getattr(module, "__all__", None) or [
        name for name, thing in vars(module).items()
        if inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]  # fmt: skip
    for name in sorted(names, key=lambda name: (not inspect.isfunction(getattr(module, name)), name)):
        thing = getattr(module, name)
        yield f"\n#### {prefix}{name}\n\n"
        if isinstance(thing, type):
            yield from _class(name, thing, prefix)
        elif inspect.isfunction(thing):
            yield from _function(name, thing, prefix)
        else:
            home = next(m for m in _modules_of(module) if name in _comments(m))
            yield f"`{thing!r}`. " + markdown(_comments(home)[name])


def _modules_of(package: ModuleType) -> list[ModuleType]:
    folder = Path(str(package.__file__)).parent
    return [importlib.import_module(f"{package.__name__}.{path.stem}") for path in sorted(folder.glob("*.py"))]


def _class(name: str, kind: type, prefix: str = "labeling.") -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield markdown(kind.__doc__)
        yield "\n" + "\n".join(f"- `{name}.{member.name}` = `{_default(member.value)}`" for member in kind) + "\n"
        return
    if "__init__" in vars(kind) and not getattr(kind, "_is_protocol", False) and not _made_by_the_library(kind):
        yield _code(_signature(prefix + name, kind))
    bases = [base.__name__ for base in kind.__bases__ if base.__name__ in labeling.__all__]
    if bases:
        yield f"A [`{bases[0]}`](#{bases[0].lower()}). "
    types = {}
    if dataclasses.is_dataclass(kind) and _made_by_the_library(kind):
        types = {each.name: _annotation(each.type) for each in dataclasses.fields(kind)}
    text = markdown(kind.__doc__, types)
    yield text
    if left := [f"`{name}: {hint}`" for name, hint in types.items() if f"`{name}: {hint}`" not in text]:
        yield f"\nAttributes: {', '.join(left)}\n"
    for member, thing in vars(kind).items():
        documented = inspect.getdoc(thing)
        if member.startswith("_") or not documented or member in INTERNAL.get(name, ()):
            continue
        if isinstance(thing, classmethod | staticmethod):
            thing = thing.__func__
        if inspect.isfunction(thing):
            yield f"\n**{name}.{member}**\n\n"
            yield from _function(member, thing, f"{name}.")
        elif isinstance(thing, property | functools.cached_property):
            function: Any = thing.fget if isinstance(thing, property) else thing.func
            returns = _annotation(inspect.signature(function).return_annotation)
            yield f"\n**{name}.{member}**: `{returns}` – {markdown(documented).strip()}\n"


def _made_by_the_library(kind: type) -> bool:
    """Whether users never call this class themselves, so that its constructor is not part of the API."""
    return kind.__name__ in {
        "Defect", "Discrepancy", "Finding", "Finished", "LabeledFile", "LabeledImage", "LabeledVideoWriter", "Ledger",
        "Match", "Profile", "Progress", "Pruned", "Record", "Report", "Signer", "Sm2Key", "Verdict", "Verification",
    }  # fmt: skip


def _function(name: str, function: Any, prefix: str) -> Iterator[str]:
    yield _code(_signature(prefix + name, function))
    yield markdown(function.__doc__)


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n\n"


# --- signatures -------------------------------------------------------------------------------------------------------


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    words = vars(importlib.import_module(function.__module__))
    parameters, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parameters.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        parameters.append(_parameter(parameter, words))
    returns = signature.return_annotation
    arrow = "" if returns is signature.empty or isinstance(function, type) else f" -> {_annotation(returns)}"
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in parameters) + f"){arrow}"


def _parameter(parameter: inspect.Parameter, words: Mapping[str, Any]) -> str:
    text = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        text = ("*" if parameter.kind is parameter.VAR_POSITIONAL else "**") + text
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation, words)}"
    if parameter.default is not parameter.empty:
        text += f" = {_default(parameter.default)}" if ":" in text else f"={_default(parameter.default)}"
    return text


def _annotation(annotation: Any, words: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return an annotation as it reads; names of choices among ``words`` are replaced by the choices."""
    text = annotation if isinstance(annotation, str) else str(getattr(annotation, "__name__", annotation))
    for name in set(re.findall(r"\b[A-Z]\w+\b", text)):
        if get_origin(words.get(name)) is Literal:
            choices = ", ".join(_default(choice) for choice in get_args(words[name]))
            text = re.sub(rf"\b{name}\b", f"Literal[{choices}]", text)
    return re.sub(r"\b(?:files\.|typing\.|batch\.|labeling\.[\w.]+\.)(?=[A-Z])", "", text.strip("'\""))


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return str(type(value).__name__ + "." + value.name)
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, int) and value >= 100_000:
        return f"{value:_}"
    text = repr(value).removeprefix("datetime.").replace("'", '"')
    return "…" if text.startswith("<") else text


# --- docstrings -------------------------------------------------------------------------------------------------------


def _comments(module: ModuleType) -> dict[str, str]:
    """The docstrings of a module's constants: Python does not keep them, so they are read from the source."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    found = {}
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = str(after.value.value)
    return found


def markdown(docstring: str | None, types: Mapping[str, str] = MappingProxyType({})) -> str:
    """Turn a Google-style docstring into Markdown; ``types`` are those of attributes, by name."""
    text = inspect.cleandoc(docstring or "")
    parts = []
    for title, body in _sections(text):
        if title.startswith("Example"):
            language = "pycon" if body.lstrip().startswith(">>>") else "python"
            code = re.sub(r" *# doctest: \+\w+$", "", body.rstrip(), flags=re.MULTILINE)
            parts.append(f"Example:\n\n```{language}\n{code}\n```")
        elif title in ("Args", "Attributes", "Raises"):
            heading = title if title != "Args" else "Attributes" if types else "Parameters"
            parts.append(f"{heading}:\n\n" + "\n".join(_items(body, types)))
        elif title:
            parts.append(f"{title}: {_inline(body).strip()}")
        else:
            parts.append(_prose(body))
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Split a docstring into (title, body) pairs; the title of prose is empty, bodies are dedented."""
    pattern = re.compile(rf"^({'|'.join(SECTIONS)}):[ ]*\n((?:[ ]{{4}}.*\n|\n)+)", re.MULTILINE)
    at = 0
    for match in pattern.finditer(text + "\n"):
        yield "", text[at : match.start()]
        yield match[1], textwrap.dedent(match[2])
        at = match.end()
    yield "", text[at:]


def _items(body: str, types: Mapping[str, str]) -> Iterator[str]:
    """Turn each ``name: description``, which may span several lines, into one Markdown list item."""
    for item in re.split(r"\n(?=\S)", body.strip()):
        name, colon, rest = item.partition(":")
        words = " ".join(_inline(rest).split())
        typed = f"{name.strip()}: {types[name.strip()]}" if name.strip() in types else name.strip()
        yield f"- `{typed}`: {words}" if colon else f"- {' '.join(_inline(item).split())}"


def _prose(text: str) -> str:
    """Paragraphs, with blocks of code (``::`` and an indented part) fenced."""
    done, code = [], re.compile(r"(?:^\.\. code-block:: \w+|::)\n\n((?:[ ]{4}.*\n|\n)+)", re.MULTILINE)
    at, text = 0, text.strip() + "\n"
    for match in code.finditer(text):
        colon = ":" if match[0].startswith("::") else ""
        done.append(_inline(text[at : match.start()]) + colon)
        block = textwrap.dedent(match[1]).strip("\n")
        language = "text" if "├" in block else "python"
        done.append(f"\n\n```{language}\n{block}\n```\n\n")
        at = match.end()
    done.append(_inline(text[at:]))
    return re.sub(r"\n{3,}", "\n\n", "".join(done)).strip()


def _inline(text: str) -> str:
    """Literals and references of reStructuredText in Markdown; public names become links."""

    def reference(match: re.Match[str]) -> str:
        target = match[1].removeprefix("~")
        shown = target.rpartition(".")[2] if match[1].startswith("~") or "." in target else target
        if target.removeprefix("labeling.") in GROUPS["Many files"]:
            return f"[`{target}`](#{target.removeprefix('labeling.')})"
        for word in reversed(target.split(".")):
            if word in labeling.__all__ and word not in GROUPS["Many files"]:
                full = shown if word == shown else f"{word}.{shown}"
                return f"[`{full}`](#{word.lower()})"
        return f"`{shown if match[1].startswith('~') else target}`"

    text = re.sub(r":\w+:`([^`]+)`", reference, text)
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
