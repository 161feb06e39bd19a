"""A name with an underscore is used in its own module only; a name that others need has none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("labeling", "cli", "benchmarks")
FILES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_module(importer: Path, node: ast.ImportFrom, name: str) -> bool:
    """Whether ``from X import name`` means a module of a package; import rules watch over private modules."""
    if node.level:
        package = importer.parents[node.level - 1] / (node.module or "").replace(".", "/")
    else:
        package = ROOT / (node.module or "").replace(".", "/")
    return (package / f"{name}.py").is_file() or (package / name).is_dir()


def borrowed(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the private names that a file takes from other modules of ours."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in OURS):
            for alias in node.names:
                if is_module(path, node, alias.name):
                    modules.add(alias.asname or alias.name)
                elif is_private(alias.name):
                    yield f"line {node.lineno}: {alias.name} of {node.module}"
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules and is_private(name):
                yield f"line {node.lineno}: {module}.{name}"


def test_no_module_uses_private_names_of_another() -> None:
    found = {
        f"{path.relative_to(ROOT)}, {what}"
        for path in FILES
        for what in borrowed(path, ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


def test_the_check_sees_what_it_is_for(tmp_path: Path) -> None:
    code = (
        "from labeling.files import _x\nfrom labeling import files\nfiles._y\nfiles.z\nfrom labeling import _version\n"
    )
    assert list(borrowed(tmp_path / "a.py", ast.parse(code))) == ["line 1: _x of labeling.files", "line 3: files._y"]
