"""What a run would cost: its files are listed, and a sample of them is processed: :func:`estimate`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.batch import local_copies, setup
from labeling.batch.conversion import Conversion, OutputNames
from labeling.batch.coverage import Coverage
from labeling.batch.job import Check, Job, Propagation, Purpose, Transplantation
from labeling.batch.listing import COLUMNS, GlobFilter, list_tree, read_file_list
from labeling.batch.measuring import Measured, measure
from labeling.batch.object_store import PART_SIZE
from labeling.batch.opened_list import FileList, open_list
from labeling.batch.options import DEFAULT_TIMEOUT, Engine, RunOptions
from labeling.batch.pace import files_per_second
from labeling.batch.resources import default_workers, processors
from labeling.batch.sampling import Kind, Sampler
from labeling.batch.selection import LAST, Selection, Shard, since_moment
from labeling.batch.storage import Folder, Storage
from labeling.batch.task import Item
from labeling.batch.workers import InlineWorker, ProcessPool, WorkerPool
from labeling.errors import LabelingError
from labeling.gates import guarded

if TYPE_CHECKING:
    from labeling.labeler import Labeler

SAMPLE, MAX_SAMPLE = 40, 1000
"""Files that are processed to learn what they cost: by default, and at most."""

OWN_SECONDS, OWN_SECONDS_RECORDED = 0.0002, 0.00038
"""Processor time that the run's own process needs for each file, and with a ledger in SQLite (docs/scale.md)."""

ROW_BYTES, ROW_BYTES_PER_PATH_BYTE = 210, 2.4
"""What a file takes in the journal."""

RECORD_BYTES = 1600
"""What the record of a picture takes in the ledger, with its indexes and all that it is found by."""

READ = Counter({"HEAD": 2, "GET": 1})
WRITE = Counter({"HEAD": 1, "PUT": 1, "GET": 1})
BETWEEN = Counter({"GET": 1})
"""Requests to S3 for each file that is read, and written, and the one for its properties if it is both."""

PER_LISTING = 1000
"""Objects that one request lists."""


def estimate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    labeler: Labeler | Callable[[], Labeler] | None = None,
    verify: Check | None = None,
    convert: Conversion | None = None,
    propagate: Propagation | None = None,
    transplant: Transplantation | None = None,
    file_list: FileList | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    in_place: bool = False,
    shard: str | None = None,
    since: str | datetime | timedelta | None = None,
    rate: str | float | None = None,
    allow_empty: bool = False,
    workers: int | None = None,
    engine: Engine = "local",
    ledger: bool = False,
    state: str | os.PathLike[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    sample: int = SAMPLE,
) -> dict[str, Any]:
    """Estimate what a run with these arguments would cost. Nothing is written to target, ledger or state.

    All files are listed and counted by their names. A sample, some of each kind, is processed by one worker of this
    machine into a temporary folder, which is removed. Files that a run has done already are counted like the others.

    Args:
        source: As in :func:`labeling.batch.run`, like all that is not said here.
        target: As there; nothing is written to it.
        labeler: How to label.
        verify: How to verify.
        convert: How to convert.
        propagate: How to propagate.
        transplant: Where labels come from.
        file_list: Names the files.
        include: Globs of the files to take.
        exclude: Globs of files to leave out.
        in_place: The run would replace the files themselves; here they stay as they are.
        shard: Take one of several parts of the source.
        since: Take only files that are newer; not ``"last"``, which the journal knows.
        rate: Files that may begin in a time.
        allow_empty: Accept a source without files.
        workers: Workers of the run (default: as many as a run on this machine would have).
        engine: With "ray", hours are told only for a number of ``workers`` that is given.
        ledger: Whether the run would record its labels.
        state: The run's folder, which is left out if it is in the source.
        storage_options: Options of fsspec for source and target.
        timeout: Seconds that a file may take.
        sample: Files to process, 1 to 1000. No further one is begun after two minutes.

    Returns:
        A dict with these keys:

        - ``version``, ``mode``, ``source``, ``target``, ``workers`` (None: not known)
        - ``files``, ``bytes`` of the source; ``passed_over``: why entries are not processed → entries
        - ``sample``: ``files``, ``seconds`` (of work), ``planned``
        - ``kinds``: rows of ``extension``, ``claims`` (by its name, or None), ``files``, ``bytes``, ``sampled``,
          ``good`` (of these), ``media_types`` (by content: type → files of the sample), ``seconds_per_file``,
          ``output_ratio`` (bytes out ÷ in; None without a sample), ``reasons`` (why some failed → files of the sample)
        - ``work_hours`` of one worker; ``hours`` with all of them (None: their number is not known); ``bound``: what
          decides that: ``workers``, ``run`` (its own process) or ``rate``
        - ``not_done``: files that would be refused, fail or be of no kind that can be processed
        - ``output_bytes``, ``state_bytes``, ``ledger_bytes``, ``temporary_bytes``
        - ``requests``: method → requests to S3; None if no store that we know is asked
        - ``notes``: keys of what to know: ``remote target``, ``sample cut``, ``unsampled``, ``large``

    Raises:
        LabelingError: As :func:`labeling.batch.run`; what goes wrong with a file of the sample is counted.
    """
    asked = [labeler, verify, convert, propagate, transplant]
    if sum(each is not None for each in asked) != 1:
        raise LabelingError("say either how to label, verify, convert or propagate, or where labels come from")
    if not isinstance(sample, int) or isinstance(sample, bool) or not 1 <= sample <= MAX_SAMPLE:
        raise LabelingError(f"`sample` must be a number of files from 1 to {MAX_SAMPLE}, not {sample!r}")
    if since == LAST:
        raise LabelingError("an estimate does not open the journal, which knows the last session", hint="give a date")
    options = RunOptions(
        in_place=in_place, include=include, exclude=exclude, shard=shard, since=since, rate=rate, workers=workers,
        allow_empty=allow_empty, engine=engine, state=state, storage_options=storage_options, timeout=timeout,
    )  # fmt: skip
    purpose = Purpose(
        make_labeler=setup.labeler_maker(labeler), check=verify and verify.within(timeout), conversion=convert,
        propagation=propagate and propagate.within(timeout), transplantation=transplant,
    )  # fmt: skip
    with guarded("estimate the run"):
        storages = setup.open_storages(source, target, options, purpose.mode, listed=file_list is None)
        return _Estimating(*storages, options, purpose, ledger, sample).carry_out(file_list)


@dataclass
class _Estimating:
    source: Storage
    target: Storage | None
    options: RunOptions
    purpose: Purpose
    ledger: bool
    sample: int

    def carry_out(self, file_list: FileList | None) -> dict[str, Any]:
        sampler = Sampler(PART_SIZE)
        self._count(sampler, file_list)
        chosen = sampler.chosen(self.sample)
        with local_copies.temporary_folder() as folder:
            measured = self._measure(chosen, folder)
        return self._summed_up(sampler, measured, len(chosen))

    def _count(self, sampler: Sampler, file_list: FileList | None) -> None:
        """List the source."""
        options = self.options
        shard = None if options.shard is None else Shard.parse(options.shard)
        since = since_moment(options.since, last=None, now=datetime.now(UTC))
        selection = Selection(shard, since, self._output_name)
        wanted = GlobFilter(options.include, options.exclude)
        coverage = Coverage("all" if file_list is None else "list")
        with open_list(file_list) as opened:
            if opened is not None:
                listed = read_file_list(*opened, self.source, wanted, COLUMNS[self.purpose.mode])
            else:
                folder = setup.state_folder(options, self.target or self.source)
                excluded = (folder, self.target.root) if isinstance(self.target, Folder) else (folder,)
                listed = list_tree(self.source, wanted, excluded)
            sampler.add_all(selection.of(coverage.counted(listed)))
        if not options.allow_empty:
            coverage.require_files(self.source, left_out=wanted.left_out)

    def _output_name(self, path: str) -> str:
        conversion = self.purpose.conversion
        return path if conversion is None else OutputNames(self.source, conversion.format).name_of(path)

    # --- the sample ---------------------------------------------------------------------------------------------------

    def _measure(self, chosen: Sequence[tuple[Kind, Item]], folder: Path) -> dict[str, Measured]:
        """Process files into a folder, and return what was learned about each kind."""
        if not chosen:
            return {}
        outputs = folder / "out"
        job = self._job(folder, outputs)
        in_here = self.source.in_this_process or self.options.engine == "inline"
        pool: WorkerPool[Any] = (InlineWorker if in_here else ProcessPool)(job, 1, self.options.timeout)
        return measure(chosen, pool, self._output_name, outputs)

    def _job(self, folder: Path, outputs: Path) -> Job:
        state = folder / "state"
        state.mkdir()
        outputs.mkdir()
        return Job(
            source=self.source, target=None if self.purpose.check is not None else Folder(outputs),
            originals=setup.open_originals(self.purpose.transplantation, self.options), record=self.ledger,
            run_id="estimate", threads=max(1, processors() // self._workers), folder=state, **self.purpose.parts(),
        )  # fmt: skip

    @property
    def _workers(self) -> int:
        return self.options.workers or default_workers(uses_ocr=self.purpose.uses_ocr)

    # --- sums ---------------------------------------------------------------------------------------------------------

    def _summed_up(self, sampler: Sampler, measured: dict[str, Measured], planned: int) -> dict[str, Any]:
        kinds = sorted(sampler.kinds.values(), key=lambda kind: (-kind.files, kind.name))
        overall = sum(measured.values(), Measured())
        work = not_done = output = state = records = 0.0
        for kind in kinds:
            found = measured.get(kind.name, overall)
            if found.files:
                share = found.good / found.files
                work += kind.files * found.seconds / found.files
                not_done += kind.files * (1 - share)
                output += kind.size * (found.out / found.size if found.size else 0.0)
                state += kind.files * found.lines / found.files
                records += kind.files * share
            state += kind.files * ROW_BYTES + kind.path_bytes * ROW_BYTES_PER_PATH_BYTE
        hours, bound = self._hours(work, sampler.files)
        labels = self.ledger and self.purpose.check is None
        sampled = sum(found.files for found in measured.values())
        remote = not (self.target or self.source).local and self.purpose.check is None
        notes = {
            "remote target": remote,
            "sample cut": sampled < planned,
            "unsampled": any(kind.name not in measured for kind in kinds),
            "large": any(kind.large_parts for kind in kinds) and remote,
        }
        return {
            "version": 1,
            "mode": self.purpose.mode,
            "source": self.source.name,
            "target": (self.target or self.source).name,
            "workers": None if self._unknown_workers else self._workers,
            "files": sampler.files,
            "bytes": sum(kind.size for kind in kinds),
            "passed_over": dict(sampler.passed_over),
            "sample": {"files": sampled, "planned": planned, "seconds": round(overall.seconds, 3)},
            "kinds": [_row(kind, measured.get(kind.name)) for kind in kinds],
            "work_hours": round(work / 3600, 6),
            "hours": None if hours is None else round(hours / 3600, 6),
            "bound": bound,
            "not_done": round(not_done),
            "output_bytes": 0 if self.purpose.check is not None else round(output),
            "state_bytes": round(state),
            "ledger_bytes": round(records * RECORD_BYTES) if labels else 0,
            "temporary_bytes": self._temporary(kinds),
            "requests": self._requests(kinds),
            "notes": [name for name, holds in notes.items() if holds],
        }

    @property
    def _unknown_workers(self) -> bool:
        return self.options.engine == "ray" and self.options.workers is None

    def _hours(self, work: float, files: int) -> tuple[float | None, str | None]:
        """Return the seconds that the run takes, and what decides that."""
        if self._unknown_workers:
            return None, None
        bounds = {
            "workers": work / self._workers,
            "run": files * (OWN_SECONDS_RECORDED if self.ledger else OWN_SECONDS),
        }
        if self.options.rate is not None:
            bounds["rate"] = files / files_per_second(self.options.rate)
        bound = max(bounds, key=lambda name: bounds[name])
        return bounds[bound], bound

    def _temporary(self, kinds: Sequence[Kind]) -> int:
        """Return how much disk the workers need for copies: each has a source and its output."""
        copies = (not self.source.local) + (not (self.target or self.source).local)
        largest = max((item.size for kind in kinds for item in kind.kept), default=0)
        return copies * self._workers * largest

    def _requests(self, kinds: Sequence[Kind]) -> dict[str, int] | None:
        output = self.target or self.source
        reads, writes = _is_s3(self.source), _is_s3(output) and self.purpose.check is None
        if not reads and not writes:
            return None
        files = sum(kind.files for kind in kinds)
        each = Counter[str]()
        each.update(READ if reads else {})
        each.update(WRITE if writes else {})
        each.update(BETWEEN if reads and writes else {})
        found = {method: number * files for method, number in each.items()}
        if writes:
            found["PUT"] += sum(kind.large_parts for kind in kinds)
        return found | ({"LIST": -(-files // PER_LISTING)} if reads else {})


def _is_s3(storage: Storage) -> bool:
    return storage.name.startswith(("s3://", "s3a://"))


def _row(kind: Kind, found: Measured | None) -> dict[str, Any]:
    measured = found or Measured()
    return {
        "extension": kind.name,
        "claims": kind.title or None,
        "files": kind.files,
        "bytes": kind.size,
        "sampled": measured.files,
        "good": measured.good,
        "media_types": dict(measured.media_types),
        "seconds_per_file": round(measured.seconds / measured.files, 6) if measured.files else None,
        "output_ratio": round(measured.out / measured.size, 4) if measured.size else None,
        "reasons": dict(measured.reasons.most_common(3)),
    }
