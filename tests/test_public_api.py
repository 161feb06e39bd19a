"""What users import: one list of names, and the same list for checkers, for Python and in the documents."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labeling
from tools.api_page import INTERNAL

from .pictures import rgb

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ast.parse((ROOT / "labeling" / "__init__.py").read_text(encoding="utf-8"))


def imports_for_checkers() -> dict[str, str]:
    """The names in the ``if TYPE_CHECKING:`` block, and the module each is imported from."""
    (block,) = (node for node in SOURCE.body if isinstance(node, ast.If))
    imports = (node for node in block.body if isinstance(node, ast.ImportFrom))
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def test_every_name_can_be_used() -> None:
    for name in labeling.__all__:
        assert getattr(labeling, name) is not None
    assert set(labeling.__all__) <= set(dir(labeling))


def test_checkers_and_python_find_the_same_names_in_the_same_modules() -> None:
    assert vars(labeling)["_MODULE_OF"] == imports_for_checkers()
    assert {*imports_for_checkers(), "__version__"} == set(labeling.__all__)


def test_the_list_is_in_order_and_names_nothing_twice() -> None:
    names = [name for name in labeling.__all__ if name != "__version__"]
    constants = [name for name in names if name.isupper()]
    classes = [name for name in names if not name.isupper() and name[0].isupper()]
    others = [name for name in names if name[0].islower()]
    assert names == [*sorted(constants), *sorted(classes), *sorted(others)]
    assert len(set(labeling.__all__)) == len(labeling.__all__)


@pytest.mark.parametrize("name", ["batch", "fingerprint", "ledger"])
def test_a_module_is_there_after_import_labeling(name: str) -> None:
    code = f"import labeling; print(labeling.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"labeling.{name}"
    module = importlib.import_module(f"labeling.{name}")
    assert getattr(labeling, name) is module


def test_a_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="verfy"):
        getattr(labeling, "verfy")  # noqa: B009  checkers know that there is no such name


def defining_modules() -> list[str]:
    """The modules that the public classes and functions are defined in, those of batch and ledger included."""
    things = [getattr(labeling, name) for name in labeling.__all__]
    for module in filter(inspect.ismodule, list(things)):
        things += [getattr(module, name) for name in module.__all__]
    names = {thing.__module__ for thing in things if inspect.isclass(thing) or inspect.isfunction(thing)}
    return sorted(name for name in names if name.startswith("labeling."))


@pytest.mark.parametrize("name", defining_modules())
def test_the_examples_in_docstrings_say_what_happens(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rgb(640, 480).save("photo.png")
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0


def public_functions() -> dict[str, Callable[..., Any]]:
    """Every public function and method by its name, those of batch, ledger and fingerprint included."""
    named = {name: getattr(labeling, name) for name in labeling.__all__}
    for module, thing in list(named.items()):
        if inspect.ismodule(thing):
            named |= {f"{module}.{name}": getattr(thing, name) for name in thing.__all__}
    found: dict[str, Callable[..., Any]] = {name: each for name, each in named.items() if inspect.isfunction(each)}
    for name, thing in named.items():
        for method, function in vars(thing).items() if inspect.isclass(thing) else ():
            function = getattr(function, "__func__", function)
            internal = method.startswith("_") or method in INTERNAL.get(name.rpartition(".")[2], ())
            if inspect.isfunction(function) and not internal:
                found[f"{name}.{method}"] = function
    return found


VERBS = {
    "verify", "inspect", "propagate", "transplant", "convert", "Labeler.label_image", "Labeler.label_file",
    "Labeler.open_video", "Labeler.label_frames", "Labeler.from_config", "batch.run",
    "ledger.Ledger.find", "fingerprint.fingerprint",
}  # fmt: skip


@pytest.mark.parametrize(("name", "function"), public_functions().items())
def test_a_public_function_documents_its_parameters_and_result(name: str, function: Callable[..., Any]) -> None:
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    parameters = [parameter for parameter in signature.parameters if parameter not in ("self", "cls")]
    section = text.partition("Args:\n")[2].partition("\n\n")[0]
    documented = set(re.findall(r"^ {4}\*{0,2}(\w+):", section, re.MULTILINE))
    assert set(parameters) - documented == set()
    if signature.return_annotation != "None":
        assert re.search(r"^(Returns|Yields):$", text, re.MULTILINE)
    if name in VERBS:
        assert "Example:" in text
        assert "Raises:" in text


def test_the_verbs_are_public() -> None:
    assert VERBS - public_functions().keys() == set()


def test_every_exported_class_and_function_has_a_docstring() -> None:
    things = {name: getattr(labeling, name) for name in labeling.__all__ if name not in ("KINDS", "PROFILES")}
    assert [name for name, thing in things.items() if not (thing.__doc__ or "").strip()] == []
