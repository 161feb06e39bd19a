"""What must hold for any input: only LabelingError escapes, in bounded time and memory, and what we write is sound."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import labeling
from labeling import Labeler, LabelingError, Signer
from labeling.marks.credentials import make_test_chain

from .seeds import PRODUCER

SECONDS = {"verify": 2.0, "inspect": 2.0}
"""Seconds of CPU for one call that reads metadata; the wall clock would measure the other processes of the machine."""

MAX_SECONDS = 5.0
"""The same for every other call: pixels are decoded, read and written."""

MAX_MEMORY = 600 << 20
"""Peak resident bytes of the whole process, libraries and models included."""

PIXELS = 4_000_000
"""Larger pictures are not decoded twice by the check that an output decodes."""

FORMATS = ("png", "jpeg", "webp", "avif", "heic", "tiff", "gif")

READING = ("verify", "inspect", "see", "see-everywhere")
"""Verbs that a stranger's file is put through; the others write."""

VERBS = (*READING, "label", "sign", "paint", "paint-sign", "propagate", "transplant", "convert")


def _spin() -> None:
    while True:
        pass


def _swell() -> None:
    bytearray(MAX_MEMORY + (64 << 20))


def _burst() -> None:
    bytearray(4 << 30)


FAULTS = {"spin": _spin, "swell": _swell, "burst": _burst, "crash": os.abort}
"""Verbs that do what must not happen: tests/test_fuzz.py proves with them that it is seen."""


class Broken(AssertionError):
    """A promise that did not hold."""


def plan(seed: int, index: int) -> tuple[bool, list[str]]:
    """Whether this file's pixels are looked at (every second one), and the verbs that it is put through."""
    rng, pixels = Random(f"{seed}:{index}:plan"), index % 2 == 1
    often = (
        (("paint", 0.4), ("paint-sign", 0.05), ("convert", 0.1), ("see-everywhere", 0.1))
        if pixels
        else (("label", 0.4), ("sign", 0.05), ("propagate", 0.05), ("transplant", 0.03))
    )
    return pixels, ["see"] * pixels + ["verify", "inspect"] * (not pixels) + [
        verb for verb, chance in often if rng.random() < chance
    ]


@dataclass
class Targets:
    """The verbs under test, made once for a process. ``slowest`` keeps the longest call of each."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="fuzz-")))
    slowest: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = make_test_chain("es256")
        self.signer = Signer.from_pem(made.cert_pem, made.key_pem)
        self.labelers = {
            "label": Labeler(producer=PRODUCER, visible=False),
            "sign": Labeler(producer=PRODUCER, visible=False, signer=self.signer),
            "paint": Labeler(producer=PRODUCER),
            "paint-sign": Labeler(producer=PRODUCER, signer=self.signer),
        }

    def close(self) -> None:
        """Remove the files of this process."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def timed(self, verb: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        except LabelingError as error:
            if len(str(error).splitlines()) != 1:
                raise Broken(f"the message is not one line: {str(error)!r}") from error
        finally:
            took = time.process_time() - start
            self.slowest[verb] = max(took, self.slowest.get(verb, 0))
        if took > SECONDS.get(verb, MAX_SECONDS):
            raise Broken(f"slow: {took:.1f} s of CPU")

    def run(self, verb: str, data: bytes, name: str) -> bool:
        """Put a file through a verb; True if it gave an output."""
        if verb in FAULTS:
            FAULTS[verb]()
        if verb in READING:
            with self.timed(verb):
                self._read(verb, data)
            return False
        for old in self.folder.iterdir():
            old.unlink()
        suffix = Path(name.split(":")[0]).suffix or ".bin"
        source, target = self.folder / f"source{suffix}", self.folder / f"made{suffix}"
        if verb == "convert":
            target = target.with_suffix(f".{FORMATS[len(data) % len(FORMATS)]}")
        source.write_bytes(data)
        with self.timed(verb):
            self._write(verb, source, target, data)
        left = {path.name for path in self.folder.iterdir()} - {source.name, target.name, "other.jpg"}
        if left:
            raise Broken(f"files are left behind: {sorted(left)}")
        if target.exists():
            self._sound(verb, data, target)
        return target.exists()

    def _read(self, verb: str, data: bytes) -> None:
        """Verify and inspect; the report must be JSON that any parser takes, and never call the unreadable absent."""
        if verb == "inspect":
            _strict_json(labeling.inspect(data))
            return
        visible = verb != "verify"
        report = labeling.verify(
            data, profile=("cn", "eu", "us-ca"), visible=visible, everywhere=verb == "see-everywhere"
        )
        _strict_json(report.to_dict())
        absent = [each.kind for each in report.findings if each.status == "absent" and each.kind != "visible"]
        if not report.readable and absent:
            raise Broken(f"called absent in an unreadable file: {absent}")

    def _write(self, verb: str, source: Path, target: Path, data: bytes) -> None:
        size = len(data)
        signer = self.signer if b"c2pa" in data else None  # a change would be refused without one
        if verb in self.labelers:
            chosen = {"label": "sign", "paint": "paint-sign"}.get(verb, verb) if signer else verb
            self.labelers[chosen].label_file(source, target)
        elif verb == "propagate":
            labeling.propagate(source, target, propagator=PRODUCER, propagate_id="b-2", signer=signer)
        elif verb == "transplant":
            other = self.folder / "other.jpg"
            other.write_bytes(_small_jpeg())
            first, second = ((source, other), (other, source))[size % 2]
            labeling.transplant(first, second, target)
        else:
            resize = (None, None, "64x48", "1500")[size % 11 % 4]
            labeling.convert(source, target, resize=resize, signer=signer)

    def _sound(self, verb: str, source: bytes, target: Path) -> None:
        """What comes out of labelling carries exactly one label, and decodes if the source did."""
        if verb not in self.labelers:
            return
        report = labeling.verify(target, visible=False)
        labels = [each.status for each in report.findings if each.kind == "aigc"]
        if labels != ["present"] or not report.readable:
            raise Broken(f"the output has labels {labels}, problems {report.problems}")
        if _decodes(source) and not _decodes(target.read_bytes()):
            raise Broken("the output does not decode, but the source did")


def trial(targets: Targets, verb: str, data: bytes, name: str) -> tuple[bool, str]:
    """Run one verb: whether it gave an output, and the finding, or an empty text."""
    try:
        return targets.run(verb, data, name), ""
    except Broken as error:
        return False, str(error)[:300]
    except BaseException as error:  # noqa: BLE001 - anything else that escapes is what we look for
        return False, f"{type(error).__name__} at {_place(error)}: {error}"[:300]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{Path(labeling.__file__).parent}" in frame.filename]
    return " < ".join(f"{Path(each.filename).name}:{each.lineno}" for each in (frames[-1], *ours[-1:]))


def kind_of(finding: str) -> str:
    """What makes two findings the same: their text without its numbers and quotations, the place in code included."""
    if finding.startswith(("hang", "slow", "memory")):  # where it is noticed differs from time to time
        return finding.partition(":")[0]
    head = finding.split(": ")[0] if " at " in finding.split(": ")[0] else finding
    return "".join(each for each in head[:80] if not each.isdigit() or " at " in head)


def forget_peak() -> None:
    """Begin a new measurement of peak memory, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int:
    """Peak resident bytes of this process since :func:`forget_peak`, or since its start."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _strict_json(value: Any) -> None:
    json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8"))


def _small_jpeg() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (48, 40), "teal").save(out, "JPEG")
    return out.getvalue()


def _decodes(data: bytes) -> bool:
    """Whether Pillow decodes the first frame; pictures of absurd size count as not decodable."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                if picture.width * picture.height > PIXELS:
                    return False
                picture.load()
        except Exception:  # noqa: BLE001 - the decoder's own troubles are not ours
            return False
    return True
