"""What users import: one list of names, and the same list for checkers, for Python and in the documents."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import labeling

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


def test_every_exported_class_and_function_has_a_docstring() -> None:
    things = {name: getattr(labeling, name) for name in labeling.__all__ if name not in ("KINDS", "PROFILES")}
    assert [name for name, thing in things.items() if not (thing.__doc__ or "").strip()] == []
