"""The results of several runs, such as the shards of one source, as those of one: :func:`merge`."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from labeling import atomic_writes, files
from labeling.batch.finished_state import Row, State, folders, opened
from labeling.batch.options import LANGUAGES, Language
from labeling.batch.report import PAGE, SUMMARY
from labeling.batch.selection import Shard
from labeling.batch.state_files import JOURNAL, RESULTS
from labeling.batch.summary import Summary, to_json
from labeling.batch.task import Mode, path_bytes, path_text
from labeling.errors import LabelingError, UnreadableFile
from labeling.gates import guarded
from labeling.inert import to_json as inert_json
from labeling.reports.batch_page import to_html
from labeling.reports.batch_words import word

MAX_STATES = 4096
MAX_EXAMPLES = 3

_INCOMPLETE = frozenset({"missing", "unfinished"})


@dataclass(frozen=True, slots=True)
class Merged:
    """The results of several runs, merged.

    Attributes:
        summary: What :meth:`labeling.batch.summary.Summary.to_dict` documents, of all results; with ``merged``, a row
            for each run (``state``, ``source``, ``target``, ``shard``, ``files``, ``started``, ``finished``,
            ``unfinished``: files that it had begun), and ``warnings``, rows of ``kind``, ``message``, ``examples``.
        folder: The folder with results.jsonl, summary.json and report.html.
    """

    summary: dict[str, Any]
    folder: Path

    @property
    def exit_code(self) -> int:
        """The exit code of ``aigc-label batch merge``: that of all results, and 3 if they are good and some miss."""
        incomplete = any(row["kind"] in _INCOMPLETE for row in self.summary["warnings"])
        return int(self.summary["exit_code"]) or (3 if incomplete else 0)


def merge(
    states: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    storage_options: dict[str, Any] | None = None,
    language: Language = "en",
) -> Merged:
    """Merge the results of several runs: one results.jsonl, sorted by path, one summary, one report.

    Nothing of the runs is changed, and memory does not grow with the number of files. Ledgers are not merged here.

    Args:
        states: The folders of the runs: each ``.aigc-label`` of a target, or what ``state`` named. One that holds those
            of shards stands for all of them, and so does a target, also on an object store.
        target: A local folder for the results.
        overwrite: Replace what is there, if it is not what an earlier merging wrote.
        storage_options: Options of fsspec for states on object stores.
        language: Language of the report.

    Returns:
        The summary, which warns of shards that are missing, runs that have not finished, paths with several
        results (the latest counts), outputs of several sources, and runs with different options.

    Raises:
        LabelingError: A state cannot be read, its run is at work, the runs did different things, or the target cannot
            be written.
    """
    if isinstance(states, str | bytes | os.PathLike):
        raise LabelingError("`states` must be a sequence of folders, not one")
    if language not in LANGUAGES:
        raise LabelingError(f"`language` must be one of {', '.join(LANGUAGES)}, not {language!r}")
    folder = Path(target)
    with guarded("merge the results"), ExitStack() as stack:
        places = [place for each in states for place in folders(os.fspath(each), storage_options, stack)]
        if not 1 <= len(places) <= MAX_STATES:
            raise LabelingError(f"1 to {MAX_STATES} runs can be merged, not {len(places)}")
        _check_target(folder, [place for _, place in places], overwrite=overwrite)
        return _Merging(opened(places, stack), folder, language).carry_out()


def _check_target(folder: Path, sources: Sequence[Path], *, overwrite: bool) -> None:
    """Raise :class:`LabelingError` if the target is a run's folder, or holds what no merging has written."""
    if any(files.same_file(folder, source) for source in sources) or (folder / JOURNAL).exists():
        raise LabelingError("is the folder of a run", path=folder, hint="name another folder for what is merged")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabelingError(f"cannot be made ({error.strerror})", path=folder) from error
    there = [name for name in (RESULTS, SUMMARY, PAGE) if os.path.lexists(folder / name)]
    if there and not overwrite and not _is_merged(folder / SUMMARY):
        raise LabelingError(
            f"{there[0]} is there already, and not by a merging", path=folder,
            hint="name another folder, or pass `overwrite=True`",
        )  # fmt: skip


def _is_merged(summary: Path) -> bool:
    try:
        with summary.open("rb") as file:
            found = json.loads(file.read(16 << 20))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "merged" in found


@dataclass
class _Warnings:
    """What is said of the runs that were merged. Of each kind that is counted, the first examples are kept."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def count(self, kind: str, example: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(example)

    def add(self, kind: str, examples: Sequence[str] = (), **values: Any) -> None:
        message = word(f"merged:{kind}", **values)
        self.rows.append({"kind": kind, "message": message, "values": values, "examples": list(examples)})

    def add_counted(self) -> None:
        for kind, number in self.counts.items():
            self.add(kind, self.examples[kind], n=number)


class _Merging:
    def __init__(self, states: Sequence[State], folder: Path, language: Language) -> None:
        self._states, self._folder, self._language = states, folder, language
        self._warnings = _Warnings()
        self._several_sources = len({state.source for state in states}) > 1
        self._files = [0] * len(states)

    def carry_out(self) -> Merged:
        modes = sorted({state.mode for state in self._states})
        if len(modes) != 1 or modes[0] not in get_args(Mode):
            raise LabelingError(
                f"these runs did different things with their files ({', '.join(modes)})", hint="merge them separately"
            )
        profiles = [name for state in self._states for name in state.summary.get("profiles", ())]
        sums = Summary(modes[0], list(dict.fromkeys(map(str, profiles))))  # type: ignore[arg-type] # looked at above
        self._warn_of_shards()
        self._warn_of_options()
        self._warn_of_unfinished()
        self._warn_of_outputs()
        with atomic_writes.staged(self._folder / RESULTS) as made, made.open("wb") as out:
            for line, record in self._lines():
                sums.add(record)
                out.write(line)
            out.flush()
            os.fsync(out.fileno())
        self._warnings.add_counted()
        summary = self._summed_up(sums)
        atomic_writes.write_atomically(self._folder / SUMMARY, [to_json(summary).encode()])
        page = to_html(summary, language=self._language)
        atomic_writes.write_atomically(self._folder / PAGE, [page.encode("utf-8", "backslashreplace")])
        return Merged(summary, self._folder)

    # --- results ------------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield each result and what it says, by path; of several results for one file the latest."""
        for key, group in groupby(heapq.merge(*(state.rows() for state in self._states)), lambda row: row.key):
            by_source: dict[str, list[tuple[Row, bytes, dict[str, Any]]]] = {}
            for row in group:
                line = self._states[row.state].line(row)
                by_source.setdefault(self._states[row.state].source, []).append((row, line, self._parsed(row, line)))
            for source, found in by_source.items():
                row, line, record = max(found, key=lambda each: str(each[2].get("time", "")))
                if len(found) > 1 and key.rpartition(b"/")[2] != b".":  # every shard reports an unlistable folder
                    self._warnings.count("overlap", str(record["path"]))
                self._files[row.state] += 1
                if self._several_sources:
                    record["source"] = source
                    text = inert_json(record, separators=(",", ":"))
                    line = text.encode("utf-8", "backslashreplace") + b"\n"
                yield line, record
            self._compare_outputs(by_source.values())

    def _compare_outputs(self, groups: Iterable[list[tuple[Row, bytes, dict[str, Any]]]]) -> None:
        """Count files of different sources that have one path, and were written to one target under it."""
        written = [(self._states[row.state].target, record) for group in groups for row, _, record in group[:1]]
        targets = [target for target, record in written if target and record.get("output") == record.get("path")]
        if len(set(targets)) < len(targets):
            self._warnings.count("outputs", str(written[0][1]["path"]))

    def _parsed(self, row: Row, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
            if isinstance(record, dict) and path_bytes(str(record["path"])) == row.key:
                return record
        except (ValueError, KeyError, RecursionError):
            pass
        raise UnreadableFile("results and journal do not belong together", path=self._states[row.state].name)

    # --- what is said of the runs -------------------------------------------------------------------------------------

    def _warn_of_shards(self) -> None:
        sharded: dict[tuple[str, int], list[int]] = {}
        for state in self._states:
            if state.shard:
                shard = Shard.parse(state.shard)
                sharded.setdefault((state.source, shard.total), []).append(shard.number)
        for (_, total), numbers in sharded.items():
            missing = [str(number) for number in range(1, total + 1) if number not in set(numbers)]
            if missing:
                shown = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
                self._warnings.add("missing", shown=shown, n=len(missing), total=total)
            if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
                self._warnings.add("twice", shown=", ".join(map(str, twice)), total=total)
        totals: dict[str, set[int]] = {}
        for source, total in sharded:
            totals.setdefault(source, set()).add(total)
        for source, found in totals.items():
            if len(found) > 1 or any(state.source == source and not state.shard for state in self._states):
                self._warnings.add("divided")

    def _warn_of_options(self) -> None:
        own = {"shard", "source", "target"}
        first = self._states[0].options
        names = sorted(
            {
                name
                for state in self._states[1:]
                for name in (first.keys() | state.options.keys()) - own
                if first.get(name) != state.options.get(name)
            }
        )
        if names:
            self._warnings.add("options", names=", ".join(names))
        if self._several_sources:
            self._warnings.add("sources")

    def _warn_of_unfinished(self) -> None:
        unfinished = [state for state in self._states if state.failure]
        if unfinished:
            examples = [f"{state.name}: {word(f'unfinished:{state.failure}')}" for state in unfinished]
            self._warnings.add("unfinished", examples[:MAX_EXAMPLES], n=len(unfinished))

    def _warn_of_outputs(self) -> None:
        """Count outputs in one target that belong to two sources, as conversions of several runs may have them."""
        for name, group in groupby(heapq.merge(*(state.outputs() for state in self._states)), lambda row: row[0]):
            owners: dict[str, set[tuple[str, bytes]]] = {}
            for _, number, owner in group:
                state = self._states[number]
                owners.setdefault(state.target, set()).add((state.source, owner))
            if any(len(each) > 1 for each in owners.values()):
                self._warnings.count("outputs", path_text(name))

    # --- summary ------------------------------------------------------------------------------------------------------

    def _summed_up(self, sums: Summary) -> dict[str, Any]:
        begun = [moment for state in self._states if (moment := _moment(state.summary.get("started")))]
        ended = [moment for state in self._states if (moment := _moment(state.summary.get("finished")))]
        started = min(begun, default=datetime.now(UTC))
        summary = sums.to_dict(
            started=started, wall=max(0.0, (max(ended, default=started) - started).total_seconds()),
            interrupted=any(state.summary.get("interrupted") for state in self._states),
            workers=sum(_count(state.summary.get("workers")) for state in self._states),
            engine=", ".join(sorted({str(state.summary.get("engine") or "?") for state in self._states})),
            source=_together([state.source for state in self._states]),
            target=_together([state.target for state in self._states]),
        )  # fmt: skip
        summary["merged"] = [
            {
                "state": state.name,
                "source": state.source,
                "target": state.target,
                "shard": state.shard or None,
                "files": number,
                "started": state.summary.get("started"),
                "finished": state.summary.get("finished"),
                "unfinished": state.unfinished,
            }
            for state, number in zip(self._states, self._files, strict=True)
        ]
        summary["warnings"] = self._warnings.rows
        names = {"results": RESULTS, "summary": SUMMARY, "page": PAGE}
        summary["files"] = {key: str(self._folder / name) for key, name in names.items()}
        return summary


def _together(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    return different[0] if len(different) == 1 else f"{different[0]} (+{len(different) - 1})"


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else 0


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
