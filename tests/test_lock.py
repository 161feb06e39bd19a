"""The lock files pin everything with hashes, name no index and agree with pyproject.toml; audits are honest."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import audit, notice

FOLDER = notice.ROOT / "requirements"
EXTRAS = {"dev": ("dev",), "demo": ("video", "heif", "jxl")}


def pins(name: str) -> list[Requirement]:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    return [Requirement(line.partition(" --hash")[0]) for line in lines]


@pytest.mark.parametrize("name", [*EXTRAS, "integrations"])
def test_everything_is_pinned_and_no_index_is_named(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^-|--(extra-)?index|--find-links|@ ", text, re.MULTILINE)
    for pin in pins(name):
        assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), pin


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("name", EXTRAS)
def test_the_pins_are_what_pyproject_asks_for(name: str, python: str, machine: str) -> None:
    where = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_machine": machine,
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }
    found = {canonicalize_name(pin.name): pin for pin in pins(name) if not pin.marker or pin.marker.evaluate(where)}
    for asked in notice.required(*EXTRAS[name]):
        if asked.marker is None or asked.marker.evaluate(where):
            version = str(found[canonicalize_name(asked.name)].specifier).removeprefix("==")
            assert asked.specifier.contains(version), f"{asked}: run make lock"


def test_the_audit_tells_what_was_not_found_out_from_what_is_well() -> None:
    good = {"name": "one", "version": "1", "vulns": []}
    bad = {"name": "two", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    skipped = {"name": "three", "skip_reason": "Dependency not found on PyPI"}
    assert audit.judged({"dependencies": [good]})[0] == 0
    assert audit.judged({"dependencies": [good, bad, skipped]}) == (1, ["two 2: PYSEC-1, fixed in 3"])
    code, (line,) = audit.judged({"dependencies": [good, skipped]})
    assert (code, "not three could be looked up" in line) == (3, True)
    assert audit.judged({"dependencies": [skipped]})[0] == 3
    assert audit.judged({"dependencies": []})[0] == 3
