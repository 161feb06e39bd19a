"""A whole run: from a source and a target to results, journal, ledger and report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from labeling.batch import setup, watching
from labeling.batch.conversion import Conversion
from labeling.batch.execution import Execution
from labeling.batch.finished import Finished
from labeling.batch.job import Check, Propagation, Purpose, Transplantation
from labeling.batch.opened_list import FileList
from labeling.batch.options import DEFAULT_TIMEOUT, Depth, Engine, Language, Prune, RunOptions
from labeling.batch.session import Progress
from labeling.batch.task import Mode
from labeling.errors import LabelingError
from labeling.gates import foreign, guarded

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.ledger import Ledger


def run(
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
    overwrite: bool = False,
    retry_failed: bool = False,
    max_errors: int | None = None,
    checksum: bool = False,
    restart: bool = False,
    limit: int | None = None,
    shard: str | None = None,
    since: str | datetime | timedelta | None = None,
    rate: str | float | None = None,
    check_outputs: Depth | None = None,
    prune_orphans: Prune | None = None,
    allow_empty: bool = False,
    workers: int | None = None,
    engine: Engine = "local",
    ray_address: str | None = None,
    ledger: Ledger | None = None,
    no_fingerprints: bool = False,
    state: str | os.PathLike[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    progress: Callable[[Progress], None] | None = None,
    log: Callable[[dict[str, Any]], None] | None = None,
    metrics_file: str | os.PathLike[str] | None = None,
    language: Language = "en",
) -> Finished:
    """Label, convert or verify all files of a folder or bucket. Run again, it continues where it was.

    SIGINT or SIGTERM ends the run after the files in flight; a second signal ends it at once. With ``engine="local"``
    the calling program needs the usual ``if __name__ == "__main__":``, because workers are spawned.

    Args:
        source: A folder, or a URL that fsspec knows; or a single file or object.
        target: Where the outputs go, or the report if files are verified: a folder, or a URL that fsspec knows.
        labeler: How to label: a labeler, or a function that makes one in each worker. A labeler with a signer or
            another key needs such a function: ``functools.partial(Labeler.from_config, "aigc-label.toml")``.
        verify: How to verify, instead of labelling.
        convert: How to convert pictures, instead of labelling: to another size or format, with what they carry.
        propagate: How to label what others have made, instead of labelling: a platform's half, and its own labels.
        transplant: Where the labels come from that re-encoded copies get, instead of labelling.
        file_list: Names the files below the source, as :func:`labeling.batch.listing.read_file_list` documents it: a
            path, or an open text file. Without one, all files are taken.
        include: Globs of the files to take: ``*.jpg``, or ``photos/*`` for a whole path.
        exclude: Globs of files to leave out.
        in_place: Replace the files themselves. There is no target then.
        overwrite: Replace outputs that exist already and were not made by this run.
        retry_failed: Try again what failed, was refused or was set aside before. What only its storage failed is
            tried again by every run.
        max_errors: End the run when so many files have failed, were refused or were set aside in this session; those
            in flight are finished. It continues when it is run again.
        checksum: Read every file and compare its SHA-256, to see whether it has changed. Otherwise only files with
            another size or date are read. What has the same content is not processed again.
        restart: Process everything again, with these options. Outputs of this run are replaced, and a content that
            has a content id keeps it. Without it, other options only hold for new and changed files.
        limit: Process at most so many files in this session. Those that are done already do not count, so that the
            next session takes the next ones.
        shard: Take one of several parts of the source, such as ``"3/16"``, by the hash of each path that
            :class:`labeling.batch.selection.Shard` documents. Each part is a run of its own, with a folder of its own
            (by default ``shard-3-of-16`` in the usual one); all may run at once, on any machines. For pictures that
            are converted, the hash is that of the output's name.
        since: Take only files that were changed since then, or came: a date or time, as text in ISO 8601 too; how long
            ago, also as text (``"36h"``, ``"7d"``); or ``"last"``: since the start of the last session that saw all
            files, less five minutes for clocks that differ, and everything if there was none. Folders tell when a file
            or its name, owner or permissions were changed, object stores when it was stored (``LastModified``; of an
            upload in parts, when that began). Older files are not looked at, even if they failed. A folder that was
            moved into the source as a whole keeps the times of its files: run without ``since`` now and then.
        rate: Begin at most so many files in a time: ``"20/s"``, ``"300/min"``, ``"5000/h"``, or a number of files a
            second.
        check_outputs: Look at the outputs of earlier sessions too, and make those again, with the same content ids,
            that are gone or have another size (``"size"``), or other contents (``"sha256"``, which reads them all).
        prune_orphans: ``"list"`` lists the outputs of this run whose sources are gone, in ``orphans.jsonl`` beside the
            results. ``"remove"`` removes them as well, unless they are no longer what was written. Only a run over the
            whole source can tell, and one that lists all of it.
        allow_empty: Accept a source in which there is no file, or none of those that earlier runs found. Otherwise that
            is an error: its disk may not be mounted, or its prefix mistyped.
        workers: Number of workers (default: by processors and memory; on Ray, all processors of the cluster).
        engine: Who does the work: "local" for processes of this machine, "ray" for a Ray cluster, "inline" for this
            process, one file after the other.
        ray_address: The address of the Ray cluster (default: ``RAY_ADDRESS``, or a cluster on this machine).
        ledger: Where labels are recorded, and converted copies of what has a label. It must be writable at the start.
        no_fingerprints: Record no fingerprints, for which every picture is decoded: a run that writes metadata only is
            then about as fast as without a ledger, and ``ledger.find`` knows files by their bytes and content ids only.
        state: The folder of journal and report (default: ``.aigc-label`` in the target, or in the working directory
            if the target is remote).
        storage_options: Options of fsspec for source and target.
        timeout: Seconds that a file may take; ``None`` for no limit.
        progress: Is called with the progress, several times a second.
        log: Is called with what happens, as dicts that JSON can hold, each with ``event`` and ``time``: ``start``,
            ``progress`` every ten seconds, ``failed`` for each file that is not as it should be (``path``, ``status``,
            ``kind``, ``message``), and ``end`` (``exit_code``, ``statuses`` of this session, ``error``).
        metrics_file: A file of metrics in Prometheus' text format, which is replaced every 15 seconds and at the end.
        language: Language of the report.

    Returns:
        The run's summary, and where its results and report are.

    Raises:
        LabelingError: The run as a whole cannot go on, or an argument is wrong. What goes wrong with a single file is
            in its result.

    Example:
        >>> finished = run("pictures/", "labelled/", labeler=Labeler(producer="…"))  # doctest: +SKIP
        >>> finished.summary["statuses"]["labelled"]  # doctest: +SKIP
        1000
    """
    modes: dict[Mode, object] = {
        "label": labeler, "verify": verify, "convert": convert, "propagate": propagate, "transplant": transplant,
    }  # fmt: skip
    asked = [name for name, how in modes.items() if how is not None]
    if len(asked) != 1:
        raise LabelingError(
            "say what is done with the files by one of `labeler`, `convert`, `verify`, `propagate` and `transplant`"
        )
    options = RunOptions(
        in_place=in_place, include=include, exclude=exclude, overwrite=overwrite, retry_failed=retry_failed,
        max_errors=max_errors, checksum=checksum, restart=restart, limit=limit, shard=shard, since=since, rate=rate,
        check_outputs=check_outputs, prune_orphans=prune_orphans, allow_empty=allow_empty, metrics_file=metrics_file,
        workers=workers, engine=engine, no_fingerprints=no_fingerprints, ray_address=ray_address, timeout=timeout,
        state=state, storage_options=storage_options, language=language,
    )  # fmt: skip
    (mode,) = asked
    watch = watching.of_run(
        None if log is None else foreign(log), metrics_file, mode=mode, source=source, target=target, shard=shard or ""
    )
    with guarded("carry out the run"), watch:
        opened_source, opened_target = setup.open_storages(source, target, options, mode, listed=file_list is None)
        purpose = Purpose(
            make_labeler=setup.labeler_maker(labeler), check=verify and verify.within(timeout), conversion=convert,
            propagation=propagate and propagate.within(timeout), transplantation=transplant,
        )  # fmt: skip
        report = None if progress is None else foreign(progress)
        batch_run = Execution(opened_source, opened_target, options, purpose, ledger, report, watch)
        if ledger is not None:
            ledger.require_writable()
        return batch_run.execute(file_list)
