"""A whole run: from a source and a target to results, journal, ledger and report."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from labeling.batch import listing as listings
from labeling.batch import local_copies, run_lock
from labeling.batch.journal import JOURNAL, RESULTS, Journal, in_use
from labeling.batch.resources import default_workers, processors
from labeling.batch.session import Choices, Progress, Session
from labeling.batch.storage import Folder, Place, open_place
from labeling.batch.task import STATE
from labeling.batch.work import Check, Job
from labeling.batch.workers import Crew, Inline, Pool
from labeling.errors import LabelingError, UnreadableFile

if TYPE_CHECKING:
    from labeling.batch.summary import Tally
    from labeling.labeler import Labeler
    from labeling.ledger import Ledger

SUMMARY, PAGE = "summary.json", "report.html"
ENGINES = ("local", "ray", "inline")
TIMEOUT = 3600.0
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has ended. ``summary`` has the shape of :meth:`labeling.batch.summary.Tally.summary`.

    ``exit_code``: see there; ``folder`` holds journal.sqlite, results.jsonl, summary.json and report.html.
    """

    summary: dict[str, Any]
    folder: Path
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """What ``aigc-label batch`` exits with; 130 if it was interrupted."""
        return 130 if self.interrupted else int(self.summary["exit_code"])

    @property
    def results(self) -> Path:
        """One JSON object a line, for each file."""
        return self.folder / RESULTS

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.folder / PAGE


def run(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    labeler: Labeler | Callable[[], Labeler] | None = None,
    verify: Check | None = None,
    file_list: str | os.PathLike[str] | IO[str] | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    in_place: bool = False,
    overwrite: bool = False,
    retry_failed: bool = False,
    checksum: bool = False,
    restart: bool = False,
    workers: int | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    ledger: Ledger | None = None,
    state: str | os.PathLike[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    timeout: float | None = TIMEOUT,
    progress: Callable[[Progress], None] | None = None,
    language: Language = "en",
) -> Finished:
    """Label all files of ``source`` into ``target``, or verify them; run again, it goes on where it was.

    ``source`` and ``target`` are folders or URLs that fsspec knows; ``in_place`` needs no target. ``labeler`` is a
    :class:`labeling.Labeler`, or a function that makes one in each worker, which one with a signer needs:
    ``functools.partial(Labeler.from_config, "aigc-label.toml")``. ``verify`` says how to verify instead; ``target``
    then only gets the report. ``file_list`` names files below ``source``, as
    :func:`labeling.batch.listing.of_list` has it. ``overwrite`` replaces outputs that no run of this journal has made.
    ``retry_failed`` tries again what failed, ``checksum`` compares contents where otherwise size and date decide
    whether a file has changed, ``restart`` forgets the journal. ``state`` is the folder of journal and report (default:
    ``.aigc-label`` in the target, or in the working directory where the target is remote). ``timeout`` is in seconds,
    for each file.

    SIGINT or SIGTERM ends the run after the files in flight; a second one at once. With ``engine="local"`` the
    calling program needs the usual ``if __name__ == "__main__":``, since workers are spawned.
    Raises :class:`LabelingError` where the run as a whole cannot go on; what happens to a file is in its result.
    """
    if (labeler is None) == (verify is None):
        raise LabelingError("say either how to label (labeler) or how to verify (verify)")
    if engine not in ENGINES:
        raise LabelingError(f"there is no engine {engine!r}; known are {', '.join(ENGINES)}")
    begin, goal = _places(source, target, storage_options, in_place=in_place, verifying=verify is not None)
    if any(getattr(place, "own_process", False) for place in (begin, goal)):
        engine = "inline"  # other processes would see another memory
    home = begin if goal is None else goal
    folder = Path(state) if state is not None else _state_of(home)
    make = _maker(labeler)
    started, clock = datetime.now(UTC), time.monotonic()
    with ExitStack() as stack:
        listed = stack.enter_context(_opened(file_list)) if file_list is not None else None
        journal = stack.enter_context(_journal(folder, home, restart=restart))
        described = _description(make, verify, begin, in_place=in_place)
        if goal is not None and verify is None and (state is not None or not goal.local):
            described["target"] = _whole_name(goal)  # else the journal lies in its target, which may be moved
        if storage_options and (endpoint := storage_options.get("endpoint_url")):
            described["endpoint"] = hashlib.sha256(str(endpoint).encode()).hexdigest()[:16]
        journal.agree("options", described)
        if not journal.meta("run"):
            journal.note("run", secrets.token_hex(8))
        size = workers or default_workers(reads_text=verify is not None and verify.visible)
        output = None if in_place or verify is not None else goal
        job = Job(
            begin, output, make, verify, checksum=checksum, record=ledger is not None, run=journal.meta("run"),
            threads=max(1, processors() // size), folder=folder.absolute(),
        )  # fmt: skip
        _swept(job.output, journal)
        journal.forget_folders()
        crew = _crew(engine, job, workers if engine == "ray" else size, timeout, ray_address)
        ended = False
        try:
            chosen = listings.Chosen(include, exclude)
            without = (folder, goal.root) if isinstance(goal, Folder) else (folder,)
            session = Session(
                journal, crew, *_listing(begin, listed, chosen, without, counting=progress is not None),
                Choices(retry_failed, checksum, overwrite, listed=listed is not None, in_place=in_place),
                ledger, job.run, progress,
            )  # fmt: skip
            with _interruptible(session):
                session.run()
            ended = True
        finally:
            crew.close(kill=not ended)
        if session.broken is not None and not session.state.done:
            raise session.broken
        journal.compact()
        profiles = verify.profile if verify is not None else (described["profile"],)
        tally = _tallied(journal, "verify" if verify is not None else "label", profiles, started)
        wall = time.monotonic() - clock
        summary = tally.summary(
            started=started, wall=wall, interrupted=session.state.stopping, workers=crew.size, engine=engine,
            source=begin.name, target=home.name, resumed=session.state.before,
        )  # fmt: skip
        if session.repeated:
            summary["repeated"] = session.repeated
        with suppress(LabelingError) if session.broken is not None else nullcontext():
            _report(folder, home, journal, summary, language)
        if session.broken is not None:
            raise session.broken
    return Finished(summary, folder, session.state.stopping)


def _listing(
    source: Place,
    listed: tuple[IO[str], str] | None,
    chosen: listings.Chosen,
    without: tuple[Path, ...],
    *,
    counting: bool,
) -> tuple[listings.Ahead, listings.Counted | None]:
    """What there is to do, and a count of it where somebody waits for the end and it can be counted."""
    if listed is not None:  # each line at once: somebody may be writing them
        items = listings.of_list(*listed, source, chosen)
        return listings.Ahead(items, 1 if source.local else listings.CHUNK), None
    counted = listings.Counted(listings.of_tree(source, chosen, without)) if counting else None
    return listings.Ahead(listings.of_tree(source, chosen, without)), counted


def _places(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    options: dict[str, Any] | None,
    *,
    in_place: bool,
    verifying: bool,
) -> tuple[Place, Place | None]:
    begin = open_place(source, options)
    if isinstance(begin, Folder) and not begin.root.is_dir():
        raise UnreadableFile(f"{begin.name}: there is no such folder")
    begin.open()
    if in_place:
        if target is not None or verifying:
            raise LabelingError("labelling in place takes no target, and verifying changes nothing in place")
        return (replace(begin, links=False) if isinstance(begin, Folder) else begin), None
    if target is None:
        raise LabelingError("no target: name a folder for the output, or say --in-place")
    goal = open_place(target, options)
    goal.open()
    if isinstance(begin, Folder) and isinstance(goal, Folder):
        real, other = os.path.realpath(begin.root), os.path.realpath(goal.root)
        if real == other and not verifying:
            raise LabelingError(f"{begin.name}: source and target are one folder; say --in-place if that is meant")
        if real != other and real.startswith(os.path.join(other, "")):  # noqa: PTH118
            raise LabelingError(f"{begin.name}: lies in the target; name a target elsewhere, or below the source")
    elif begin.name.rstrip("/") == goal.name.rstrip("/") and not verifying:
        raise LabelingError(f"{begin.name}: source and target are one place; say --in-place if that is meant")
    return begin, goal


def _state_of(place: Place) -> Path:
    if isinstance(place, Folder):
        return place.root / STATE
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in place.name.partition("://")[2])[:60]
    return Path(STATE) / f"{name}-{hashlib.sha256(place.name.encode()).hexdigest()[:8]}"


def _maker(labeler: Labeler | Callable[[], Labeler] | None) -> Callable[[], Labeler] | None:
    from labeling.labeler import Labeler

    if not isinstance(labeler, Labeler):
        return labeler
    if labeler.signer is not None or labeler.security_key is not None:
        raise LabelingError(
            "a labeler with a key is not sent to other processes; give batch.run a function that makes it, such as "
            'functools.partial(Labeler.from_config, "aigc-label.toml")'
        )
    return _Made(labeler)


@dataclass(frozen=True)
class _Made:
    labeler: Labeler

    def __call__(self) -> Labeler:
        return self.labeler


@contextmanager
def _journal(folder: Path, place: Place, *, restart: bool) -> Iterator[Journal]:
    """The journal, in a folder where nobody else is at work any more."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = run_lock.claim(folder, partial(in_use, folder))
    except OSError as error:
        raise LabelingError(f"{folder}: the journal cannot be kept there ({error.strerror}); see --state") from error
    with lock:
        if restart:
            for stale in (RESULTS, JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm"):
                (folder / stale).unlink(missing_ok=True)
        elif not place.local and not (folder / JOURNAL).exists():
            for name in (RESULTS, JOURNAL):  # in this order: a journal without its results would not do
                place.get(f"{STATE}/{name}", folder / name)  # type: ignore[attr-defined]
        journal = Journal(folder)
        try:
            yield journal
        finally:
            journal.close()


def _description(
    make: Callable[[], Labeler] | None, check: Check | None, source: Place, *, in_place: bool
) -> dict[str, Any]:
    """What must not change between the sessions of a run, so that its results are of one kind."""
    found: dict[str, Any] = {"mode": "label" if make else "verify", "source": _whole_name(source), "in place": in_place}
    if check is not None:
        profile = {
            each: hashlib.sha256(Path(each).read_bytes()).hexdigest() for each in check.profile if _is_file(each)
        }
        return found | {"profile": list(check.profile), "profiles' text": profile, "visible": check.visible}
    assert make is not None
    labeler = make()
    for each in fields(labeler):
        if each.init and each.name not in ("signer", "security_key"):
            value = getattr(labeler, each.name)
            plain = isinstance(value, str | int | bool | None)
            found[each.name] = value if plain else hashlib.sha256(repr(value).encode()).hexdigest()[:16]
    found["signed"] = labeler.signer is not None
    return found


def _is_file(name: str) -> bool:
    return name.endswith(".toml") and Path(name).is_file()


def _whole_name(place: Place) -> str:
    return os.path.realpath(place.root) if isinstance(place, Folder) else place.name


def _swept(place: Place, journal: Journal) -> None:
    """Remove what killed writers have left beside their outputs."""
    if not isinstance(place, Folder):
        return
    for folder in {path.rpartition("/")[0] for path in journal.begun()}:
        place.sweep(f"{folder}/x" if folder else "x")


@contextmanager
def _opened(file_list: str | os.PathLike[str] | IO[str]) -> Iterator[tuple[IO[str], str]]:
    if not isinstance(file_list, str | os.PathLike):
        yield file_list, str(getattr(file_list, "name", "the file list"))
        return
    try:
        with Path(file_list).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file, str(file_list)
    except OSError as error:
        raise LabelingError(f"{os.fspath(file_list)}: the file list cannot be read ({error.strerror})") from error


def _crew(engine: str, job: Job, size: int | None, timeout: float | None, address: str | None) -> Crew:
    if engine == "inline":
        return Inline(job, 1, None)
    if engine == "ray":
        from labeling.batch.ray_workers import RayCrew

        return RayCrew(job, size, timeout, address)
    assert size is not None
    return Pool(job, size, timeout)


@contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the session in order, and a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        if session.state.stopping:
            raise KeyboardInterrupt
        session.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tallied(journal: Journal, mode: Any, profiles: Sequence[str], started: datetime) -> Tally:
    import json

    from labeling.batch.summary import Tally

    tally = Tally(mode, profiles)
    begin = started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for line in journal.lines():
        try:
            record = json.loads(line)
        except ValueError:
            raise LabelingError(
                f"{journal.folder}: results and journal do not belong together; see --restart"
            ) from None
        tally.add(record, earlier=record["time"] < begin)
    return tally


def _report(folder: Path, goal: Place, journal: Journal, summary: dict[str, Any], language: Language) -> None:
    """Write the summary and the page, and put copies into a target that is elsewhere."""
    from labeling.batch.summary import to_json
    from labeling.files import write_atomically
    from labeling.reports.batch_page import to_html

    summary["files"] = {"results": str(folder / RESULTS), "summary": str(folder / SUMMARY), "page": str(folder / PAGE)}
    write_atomically(folder / SUMMARY, [to_json(summary).encode()])
    write_atomically(folder / PAGE, [to_html(summary, language=language).encode("utf-8", "backslashreplace")])
    if not goal.local:
        with local_copies.folder() as room:
            copy = room / JOURNAL
            journal.copy(copy)
            for local in (folder / RESULTS, copy, folder / SUMMARY, folder / PAGE):
                goal.put(local, f"{STATE}/{local.name}", keep=True)  # type: ignore[attr-defined]
