"""What a user installs: a light import, a wheel with everything in it and nothing beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from labeling.marks.credentials.trusted import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    *("numpy", "PIL", "cv2", "av", "jpeglib", "pillow_heif"),
    *("c2pa", "cryptography", "piexif", "lxml", "onnxruntime", "rapidocr", "click", "rich"),
}


def python(code: str) -> str:
    # -I: neither the working folder nor the environment may lend a module.
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def loaded_by(code: str) -> set[str]:
    shown = python(f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})")
    return set(shown.split()) & HEAVY


def test_import_is_light() -> None:
    assert loaded_by("import labeling") == set()


def test_the_nouns_that_need_no_pixels_stay_light() -> None:
    code = "import labeling; labeling.Label; labeling.ProviderCode; labeling.Report; labeling.verify; labeling.inspect"
    assert loaded_by(code) == set()


def test_verifying_metadata_loads_no_pixel_library(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "plain.jpg"
    Image.new("RGB", (16, 16)).save(path)
    assert loaded_by(f"import labeling; labeling.verify({str(path)!r}, visible=False)") == set()


def test_looking_for_labels_leaves_nothing_behind_and_sends_nothing(tmp_path: Path) -> None:
    """onnxruntime's wheels would make a number for the machine and a queue of events for Microsoft."""
    from PIL import Image

    home, temporary, path = tmp_path / "home", tmp_path / "tmp", tmp_path / "plain.png"
    for folder in (home, temporary):
        folder.mkdir()
    Image.new("RGB", (320, 240), "white").save(path)
    places = {"HOME": str(home), "TMPDIR": str(temporary)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "CI"))}
    code = (
        f"import labeling, os\nfound = labeling.verify({str(path)!r}).find('visible')\n"
        "assert found.status == 'absent', found\n"
        "print(*(os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')[:-1]), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=kept | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "socket:" not in done.stdout
    assert [*home.rglob("*"), *temporary.rglob("*")] == []


def test_help_loads_click_only() -> None:
    code = "import sys; sys.argv[1:] = ['--help']\nfrom labeling.cli import main\ntry: main()\nexcept SystemExit: pass"
    assert loaded_by(f"import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n {_indent(code)}") == {
        "click"
    }


def _indent(code: str) -> str:
    return code.replace("\n", "\n ")


def built_wheel(source: Path, target: Path) -> Path:
    """Build from a copy of what is under version control, so that no stale build folder has a say."""
    for path in tracked("."):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = target.glob("*.whl")
    return built


def tracked(folder: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_wheel_holds_everything_and_works_on_its_own(tmp_path: Path) -> None:
    wheel = built_wheel(tmp_path / "source", tmp_path / "wheel")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(site)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"labeling"}  # and no package named cli
    wanted = {f"labeling/{path.relative_to(ROOT / 'labeling').as_posix()}" for path in tracked("labeling")}
    wanted |= {f"labeling/cli/{path.relative_to(ROOT / 'cli').as_posix()}" for path in tracked("cli")}
    assert wanted - names == set()
    assert "labeling/py.typed" in names
    assert any(re.fullmatch(r"labeling/marks/visible/font/.+\.(otf|ttf)", name) for name in names)
    lists = {name for name in names if name.startswith("labeling/marks/credentials/lists/")}
    assert {name.rpartition("/")[2] for name in lists} == {file for _, _, file, _, _ in SHIPPED}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert any(name.endswith("OFL.txt") for name in names)

    code = f"import sys; sys.path.insert(0, {str(site)!r}); import labeling, labeling.cli, labeling.cli.add;"
    code += "print(labeling.__file__); print(labeling.cli.__file__); print(labeling.__version__)"
    library, commands, version = python(code).splitlines()
    assert Path(library) == site / "labeling" / "__init__.py"
    assert Path(commands) == site / "labeling" / "cli" / "__init__.py"
    assert f"-{version}-" in wheel.name


def test_the_version_is_in_one_place() -> None:
    import tomllib

    import labeling

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project  # it is in labeling/_version.py alone
    assert re.fullmatch(r"\d+\.\d+\.\d+", labeling.__version__)
    assert "GPL" not in " ".join(project["dependencies"])
