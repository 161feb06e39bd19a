"""What must hold for any input: only LabelingError escapes, in bounded time and memory, and what we write is sound."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import labeling
from labeling import Labeler, LabelingError, Signer
from labeling.marks.credentials import make_test_chain

from .seeds import PRODUCER

MAX_SECONDS = 2.0
"""Of CPU for one call: the wall clock would measure the other processes of the machine."""

MAX_MEMORY = 300 << 20
"""Peak resident bytes of the whole process, libraries included."""

MAX_MEMORY_PAINTING = 400 << 20
"""The same, where pixels are re-encoded: the encoders of AVIF and HEIF need their memory."""


class Broken(AssertionError):
    """A promise that did not hold."""


@dataclass
class Targets:
    """The verbs under test, made once for a process. ``slowest`` keeps the longest call of each."""

    slowest: dict[str, float] = field(default_factory=dict)
    written: int = 0
    allowed: int = MAX_MEMORY

    def __post_init__(self) -> None:
        made = make_test_chain("es256")
        self.plain = Labeler(producer=PRODUCER, visible=False)
        self.signing = Labeler(producer=PRODUCER, visible=False, signer=Signer.from_pem(made.cert_pem, made.key_pem))
        self.painting = Labeler(producer=PRODUCER, max_pixels=4_000_000)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        except LabelingError as error:
            if len(str(error).splitlines()) != 1:
                raise Broken(f"{what}: the message is not one line: {str(error)!r}") from error
        finally:
            took = time.process_time() - start
            self.slowest[what] = max(took, self.slowest.get(what, 0))
        if took > MAX_SECONDS:
            raise Broken(f"{what}: took {took:.1f} s")

    def read(self, data: bytes) -> None:
        """Verify and inspect; the report must be JSON that any parser takes, and never call the unreadable absent."""
        with self.timed("verify"):
            report = labeling.verify(data, profile=("cn", "eu", "us-ca"), visible=False)
            _strict_json(report.to_dict())
            absent = [
                finding.kind for finding in report.findings if finding.status == "absent" and finding.kind != "visible"
            ]
            if not report.readable and absent:
                raise Broken(f"called absent in an unreadable file: {absent}")
        with self.timed("inspect"):
            _strict_json(labeling.inspect(data))

    def write(self, data: bytes, how: str) -> None:
        """Label the file; what comes out carries exactly one label, and decodes if the source did."""
        labeler = {"write": self.plain, "sign": self.signing, "paint": self.painting}[how]
        if how == "paint":
            self.allowed = MAX_MEMORY_PAINTING
        result = b""
        with self.timed(how):
            result = labeler.label_image(data).data
            self.written += 1
        if result:
            self._sound(data, result)

    def _sound(self, source: bytes, result: bytes) -> None:
        report = labeling.verify(result, visible=False)
        labels = [finding.status for finding in report.findings if finding.kind == "aigc"]
        if labels != ["present"] or not report.readable:
            raise Broken(f"the output has labels {labels}, problems {report.problems}")
        if _decodes(source) and not _decodes(result):
            raise Broken("the output does not decode, but the source did")


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


def _strict_json(value: object) -> None:
    json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8"))


def _decodes(data: bytes) -> bool:
    """Whether Pillow decodes the first frame; pictures of absurd size count as not decodable."""
    import warnings

    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                if picture.width * picture.height > 4_000_000:
                    return False
                picture.load()
        except Exception:  # noqa: BLE001 - the decoder's own troubles are not ours
            return False
    return True


def checks(rng: Random, targets: Targets) -> list[Callable[[bytes], None]]:
    """What one input is put through: reading always, writing often, the costly ones at times."""
    chosen: list[Callable[[bytes], None]] = [targets.read]
    if rng.random() < 0.4:
        chosen.append(lambda data: targets.write(data, "write"))
    if rng.random() < 0.05:
        chosen.append(lambda data: targets.write(data, "sign"))
    if rng.random() < 0.05:
        chosen.append(lambda data: targets.write(data, "paint"))
    return chosen
