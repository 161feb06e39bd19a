"""The documents cannot drift: generated parts are compared with the code, and the README's code runs."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from PIL import Image

import labeling
from labeling.cli import group
from labeling.rule_catalogue import RULES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_docs"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/api.md",
        "docs/cli.md",
        "docs/rules.md",
        "docs/traces.md",
        "docs/report.schema.json",
        "docs/schedulers.md",
    ],
)
def test_generated_parts_are_current(make_docs: ModuleType, name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == make_docs.documents()[name], "run make docs"


def test_no_rule_is_left_out() -> None:
    page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    assert len(RULES) > 40
    assert {rule for rule in RULES if f"`{rule}`" not in page} == set()


def test_the_reference_lists_the_public_names_and_no_others() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(name for name in labeling.__all__ if name != "__version__")


def test_the_reference_holds_no_markup_of_docstrings() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r":\w+:`|``|^\.\. ", prose, re.MULTILINE) == []
    anchors = {title.lower() for title in re.findall(r"^#+ (\S+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) - anchors == set()


def test_every_format_says_what_becomes_of_the_picture(make_docs: ModuleType) -> None:
    from labeling.containers.formats import FORMATS

    lines = make_docs.formats_table().splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [row.title for row in FORMATS]
    drawn = {row.title for row in FORMATS if row.painter or row.edit}
    assert {line.split(" | ")[0].removeprefix("| ") for line in lines if line.split(" | ")[2] != "–"} == drawn


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [(name, command) for name, command in found if command is not None]


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_and_option_explains_itself(name: str, command: click.Command) -> None:
    assert command.help is not None
    assert f"aigc-label {name}" in command.help, "an example is missing"
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[0]} has no help"


def test_links_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    links = [
        (document, link)
        for document in documents
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    ]
    assert links
    assert [(str(document), link) for document, link in links if not (document.parent / link).exists()] == []


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures that the README speaks of."""
    folder = tmp_path_factory.mktemp("desk")
    picture = Image.linear_gradient("L").resize((960, 640)).convert("RGB")
    picture.save(folder / "sunset.png")
    picture.save(folder / "sunset.bmp")
    (folder / "pictures").mkdir()
    for angle, name in enumerate(("one.png", "two.jpg", "three.webp")):
        picture.rotate(17 * angle).save(folder / "pictures" / name)
    return folder


def same(shown: str, expected: str) -> bool:
    """Compare line by line, spaces at the end and runs of them aside; ``…`` stands for anything."""
    shown, expected = (re.sub(r"\s+", " ", text).strip() for text in (shown, expected))
    return re.fullmatch(".*?".join(map(re.escape, expected.split("…"))), shown) is not None


def test_the_readme_s_python_says_what_it_says(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    blocks = BLOCK.findall(README)
    names: dict[str, Any] = {"picture": Image.open("sunset.png")}
    ran = 0
    for (language, code), (after, expected) in itertools.pairwise(blocks):
        if language == "python":
            assert after == "text", "each example shows what it prints"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "README.md", "exec"), names)
            assert same(out.getvalue(), expected), out.getvalue()
            ran += 1
    assert ran == README.count("```python") > 0


def test_the_readme_s_commands_say_what_it_says(desk: Path) -> None:
    ran = 0
    for language, block in BLOCK.findall(README):
        if language == "console":
            for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                shown = output(command, desk)
                assert same(shown, expected), f"{command}\n{shown}"
                ran += 1
    assert ran == len(re.findall(r"^\$ ", README, re.MULTILINE)) > 0


SLOW = "from labeling.cli import _batch_progress, main; _batch_progress.LINE_INTERVAL = 0; main()"
"""The command on a machine so slow that every file is worth a line of progress."""

PROGRESS = re.compile(r"^aigc-label: [\d,]+( of [\d,]+)? files(  .*)?\n", re.MULTILINE)


def output(command: str, folder: Path) -> str:
    """What a command prints, lines of progress aside: how many there are depends on the machine."""
    program, *arguments = command.split()
    assert program == "aigc-label"
    done = subprocess.run(
        [sys.executable, "-c", SLOW, *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        env=os.environ | {"COLUMNS": "160", "NO_COLOR": "1", "AIGC_LABEL_HOME": str(folder / "home")},
        timeout=120, check=False,
    )  # fmt: skip
    assert (PROGRESS.search(done.stdout) is not None) == (arguments[0] == "batch")
    return PROGRESS.sub("", done.stdout)


def test_the_readme_shows_the_options_of_pip_that_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"aigc-labeling\[(\w+)\]", README)) <= set(extras)


def test_makefile_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, name


def test_the_architecture_names_what_there_is() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    modules = [path.name for path in (ROOT / "labeling").iterdir() if path.suffix == ".py"]
    modules += [f"{path.parent.name}/" for path in (ROOT / "labeling").rglob("__init__.py")]
    modules += [path.name for path in (ROOT / "labeling" / "marks").glob("*.py")]
    assert [name for name in modules if name not in page] == []
    proofs = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(proofs) > 20
    missing = [f"{file}::{name}" for file, name in proofs if f"def {name}(" not in (ROOT / file).read_text("utf-8")]
    assert missing == []
    paths = {
        path for path in re.findall(r"(?:labeling|cli|tests|tools)/[\w/]*\w(?:\.py|/)", page) if "NAME" not in path
    }
    assert len(paths) > 40
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    files = {path.name for folder in ("labeling", "cli", "tools", "tests") for path in (ROOT / folder).rglob("*.py")}
    named = {name for name in re.findall(r"\b\w+\.py\b", page) if "NAME" not in name}
    assert sorted(named - files) == []
