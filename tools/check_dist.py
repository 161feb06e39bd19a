"""Install the built wheel into an empty environment and use it there: ``python tools/check_dist.py dist``.

Nothing may come from the checkout: the environment is new, every process runs in a temporary folder, and the samples
are copied there. The smoke test labels and verifies a picture by the library and by the command; then every sample
runs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[1]

NO_PROGRAMS = {"pictures"}
"""Samples that the others import."""

SMOKE = """
import importlib.util, sys
from pathlib import Path
from PIL import Image
import labeling, labeling.cli
print(labeling.__file__, labeling.cli.__file__, labeling.__version__, sep="\\n")
Image.linear_gradient("L").convert("RGB").save("plain.png")
labeler = labeling.Labeler(producer="001191110102MACQD9K64010000")
done = labeler.label_file("plain.png", "labelled.png")
assert done.report.compliant, done.report.to_dict()
assert labeling.verify("labelled.png").compliant
assert not labeling.verify("plain.png").compliant
try:
    labeler.label_image(b"not a picture")
except labeling.LabelingError:
    pass
else:
    raise SystemExit("bad input was accepted")
assert not [name for name in ("av", "pillow_heif") if importlib.util.find_spec(name)], "GPL codecs without an extra"
"""


class Environment:
    """An empty virtual environment, and a folder outside the checkout to work in."""

    def __init__(self, folder: Path) -> None:
        self.site, self.desk = folder / "environment", folder / "desk"
        self.desk.mkdir()
        subprocess.run([sys.executable, "-m", "venv", str(self.site)], check=True)
        self._programs = self.site / ("Scripts" if os.name == "nt" else "bin")
        ours = ("PYTHON", "VIRTUAL_ENV", "AIGC_")
        self._variables = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        self._variables["AIGC_LABEL_HOME"] = str(folder / "home")

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of the environment's programs in the working folder. Raises ``SystemExit`` if it fails."""
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.desk, env=self._variables, capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of this name. Raises ``SystemExit``."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder} must hold one {pattern}, not {len(found)}: build with make dist")
    return found[0].resolve()


def check_sdist(path: Path) -> None:
    """Make sure that every file under version control is in the sdist, those of the repository's upkeep aside."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {name for name in listed.split("\0") if name and not name.startswith(".")}
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    if missing := sorted(wanted - names):
        raise SystemExit(f"{path.name} leaves out {', '.join(missing)}: mend MANIFEST.in")


def check_wheel(path: Path, environment: Environment) -> None:
    """Validate the metadata, install the wheel, and use the library and the command."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        Metadata.from_email(archive.read(name), validate=True)
    environment.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", path)
    environment.run("python", "-m", "pip", "check", "--disable-pip-version-check")
    library, commands, version = environment.run("python", "-c", SMOKE).splitlines()
    for module in (library, commands):
        if environment.site.resolve() not in Path(module).resolve().parents:
            raise SystemExit(f"{module} is not of the environment in {environment.site}")
    if f"-{version}-" not in path.name:
        raise SystemExit(f"{path.name} holds version {version}")
    shown = environment.run("aigc-label", "--version")
    if not re.search(rf"\b{re.escape(version)}$", shown.strip()):
        raise SystemExit(f"aigc-label --version prints {shown!r}, not {version}")
    environment.run("aigc-label", "verify", "labelled.png")


def write_sbom(environment: Environment, path: Path) -> None:
    """Write what is installed in the environment as CycloneDX 1.6; the tool checks it by the schema."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(environment.site), "--output-reproducible"]
    subprocess.run([*command, "--pyproject", str(ROOT / "pyproject.toml"), "-o", str(path)], check=True)
    print(f"{path.name}: written")


def check_samples(environment: Environment) -> None:
    """Run a copy of every sample; each takes the folder to write to."""
    samples = environment.desk / "samples"
    shutil.copytree(ROOT / "samples", samples, ignore=shutil.ignore_patterns("__pycache__"))
    for path in sorted(samples.glob("*.py")):
        if path.stem not in NO_PROGRAMS:
            environment.run("python", path, environment.desk / "made" / path.stem)
            print(f"samples/{path.name}: runs")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path, help="the folder with one wheel and one sdist")
    folder = parser.parse_args().dist
    wheel, sdist = only(folder, "*.whl"), only(folder, "*.tar.gz")
    check_sdist(sdist)
    print(f"{sdist.name}: complete")
    with tempfile.TemporaryDirectory(prefix="aigc-dist-") as temporary:
        environment = Environment(Path(temporary))
        check_wheel(wheel, environment)
        print(f"{wheel.name}: installs, labels and verifies without extras")
        write_sbom(environment, wheel.with_suffix(".cdx.json"))
        environment.run("python", "-m", "pip", "install", "--quiet", f"{wheel}[heif,jxl]")
        write_sbom(environment, wheel.with_suffix(".heif-jxl.cdx.json"))
        check_samples(environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
