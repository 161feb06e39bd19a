"""What a run needs before its first file: its storages, its folder, its labeler, and what it was begun with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.batch import run_lock
from labeling.batch.generations import Description, options_of_run
from labeling.batch.job import Purpose, Transplantation
from labeling.batch.options import RunOptions
from labeling.batch.selection import Shard
from labeling.batch.state_files import FILES
from labeling.batch.storage import Folder, Storage, open_storage
from labeling.batch.task import STATE_FOLDER, Mode
from labeling.errors import LabelingError, UnreadableFile
from labeling.inert import without_secrets

if TYPE_CHECKING:
    from labeling.labeler import Labeler

_SECRETS = ("signer", "security_key")
"""Fields of a labeler that hold keys."""


def open_storages(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    options: RunOptions,
    mode: Mode,
    *,
    listed: bool = True,
) -> tuple[Storage, Storage | None]:
    """Open source and target; the target is ``None`` if files are labelled in place.

    Args:
        source: The source.
        target: The target.
        options: The options of the run.
        mode: What the run does with its files.
        listed: The source is listed; there is no file list.

    Raises:
        LabelingError: One of them cannot be opened, or they do not fit together.
    """
    verifying = mode == "verify"
    if verifying and options.check_outputs is not None:
        raise LabelingError("a verification has no outputs: `check_outputs` goes with labelling and converting")
    if options.in_place and mode == "convert":
        raise LabelingError(
            "a run converts nothing in place: a picture might be scaled and encoded twice after an interruption",
            hint="name a target",
        )
    opened = open_storage(source, options.storage_options)
    opened.open()
    if listed:
        opened = opened.single() or opened
    if isinstance(opened, Folder) and not opened.root.is_dir():
        raise UnreadableFile("there is no such folder", path=opened.name)
    _check_prune(options, mode, chosen=not listed or bool(opened.only))
    if options.state is not None and not opened.only and opened.place == ("", os.path.realpath(options.state)):
        hint = "name another folder with `state`"
        raise LabelingError("is the source: the run's own files would be listed", path=options.state, hint=hint)
    if options.in_place:
        if target is not None or verifying:
            raise LabelingError("labelling in place takes no target, and verifying changes nothing in place")
        return (replace(opened, follow_links=False) if isinstance(opened, Folder) else opened), None
    if target is None:
        hint = "name a folder for the output" + (
            ", or pass `in_place=True`" if mode not in ("convert", "verify") else ""
        )
        raise LabelingError("no target", hint=hint)
    opened_target = open_storage(target, options.storage_options)
    opened_target.open()
    _check_distinct(opened, opened_target, mode, listed=listed)
    return opened, opened_target


def _check_prune(options: RunOptions, mode: Mode, *, chosen: bool) -> None:
    """Raise :class:`LabelingError` if outputs without sources are to be found by a run that cannot tell which they are.

    Args:
        options: The options of the run.
        mode: What it does.
        chosen: It takes what a list names, or a single file.
    """
    if options.prune_orphans is None:
        return
    if mode == "verify" or options.in_place:
        which = (
            "a verification has no outputs" if mode == "verify" else "in place, the outputs are the files themselves"
        )
        raise LabelingError(f"{which}: `prune_orphans` goes with a target of its own")
    given = {name: getattr(options, name) for name in ("include", "exclude", "limit", "shard", "since")}
    partial = [name for name, value in given.items() if value]
    if partial or chosen:
        what = f"with `{partial[0]}`" if partial else "with a list, or for a single file"
        raise LabelingError(
            f"{what}, a run sees a part of its source, and cannot tell what is gone from it",
            hint="use `prune_orphans` in a run over all of it",
        )


def _check_distinct(source: Storage, target: Storage, mode: Mode, *, listed: bool) -> None:
    """Raise :class:`LabelingError` if outputs would replace their sources, or be listed among them."""
    (system, place), (target_system, target_place) = source.place, target.place
    if STATE_FOLDER in target_place.split("/"):
        raise LabelingError("is in the folder of a run's own files", path=target.name, hint="name a target elsewhere")
    if system != target_system:
        return
    verifying, elsewhere = mode == "verify", "name a target elsewhere" + (", or below the source" if not system else "")
    if place == target_place:
        if not verifying:
            word = "place" if system else "folder"
            hint = "pass `in_place=True` if that is meant" if mode not in ("convert", "verify") else elsewhere
            raise LabelingError(f"source and target are one {word}", path=source.name, hint=hint)
    elif source.only or (system and verifying):
        return
    elif _is_below(place, target_place):
        raise LabelingError("is inside the target", path=source.name, hint=elsewhere)
    elif system and listed and _is_below(target_place, place):  # folders leave out the target when they are listed
        raise LabelingError(
            "is below the source, and its outputs would be listed as sources", path=target.name, hint=elsewhere
        )


def _is_below(place: str, other: str) -> bool:
    return not other or place.startswith(f"{other.rstrip('/')}/")  # a store's root has no name


def state_folder(options: RunOptions, output: Storage) -> Path:
    """Return the folder of journal and report: the one that was asked for, or a default.

    The default is in the output if that is a local folder, otherwise in the working directory.
    """
    if options.state is not None:
        return Path(options.state)
    shard = "" if options.shard is None else Shard.parse(options.shard).folder
    if isinstance(output, Folder):
        return output.root / STATE_FOLDER / shard
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in output.name.partition("://")[2])[:60]
    return Path(STATE_FOLDER) / f"{name}-{hashlib.sha256(output.name.encode()).hexdigest()[:8]}" / shard


def remote_folder(options: RunOptions) -> str:
    """Return where copies of journal and report are in a target that is not local."""
    return STATE_FOLDER if options.shard is None else f"{STATE_FOLDER}/{Shard.parse(options.shard).folder}"


def check_state(folder: Path, *, named: bool) -> None:
    """Check that neither the run's folder nor a file that is written to in it is a symbolic link.

    Args:
        folder: The run's folder, which need not exist.
        named: The user has named it. Then it may be a link itself.

    Raises:
        LabelingError: Something is a link.
    """
    above = (folder.parent.parent, folder.parent, folder)
    ours = [each for each in above if STATE_FOLDER in (each.name, each.parent.name, each.parent.parent.name)]
    places = [] if named else ours
    places += [folder / name for name in (*FILES, run_lock.LOCK)]
    for place in places:
        if place.is_symlink():
            raise LabelingError(
                "is a symbolic link, which is not followed", path=place, hint="remove it, or name a folder with `state`"
            )


def open_originals(transplantation: Transplantation | None, options: RunOptions) -> Storage | None:
    """Open the labelled originals of copies. Raises :class:`LabelingError`."""
    if transplantation is None:
        return None
    originals = open_storage(transplantation.labelled, options.storage_options)
    if isinstance(originals, Folder) and not originals.root.is_dir():
        raise UnreadableFile("there is no such folder of labelled originals", path=originals.name)
    originals.open()
    return originals


def labeler_maker(labeler: Labeler | Callable[[], Labeler] | None) -> Callable[[], Labeler] | None:
    """Return a function that makes the labeler in each worker.

    Raises:
        LabelingError: The labeler has a key, which is not sent to other processes.
    """
    from labeling.labeler import Labeler

    if not isinstance(labeler, Labeler):
        return labeler
    if any(getattr(labeler, name) is not None for name in _SECRETS):
        raise LabelingError(
            "a labeler with a key is not sent to other processes",
            hint="give batch.run a function that makes it, such as "
            'functools.partial(Labeler.from_config, "aigc-label.toml")',
        )
    return _Returning(labeler)


@dataclass(frozen=True)
class _Returning:
    """A function that returns the labeler, and can be sent to other processes."""

    labeler: Labeler

    def __call__(self) -> Labeler:
        return self.labeler


def description(
    source: Storage,
    target: Storage | None,
    options: RunOptions,
    purpose: Purpose,
) -> Description:
    """Describe what a run is, and what its labels depend on.

    Raises:
        LabelingError: The labeler or the signer cannot be made.
    """
    fixed: dict[str, Any] = {"mode": purpose.mode, "in place": options.in_place}
    if target is not None and purpose.check is None and (options.state is not None or not target.local):
        fixed["target"] = full_name(target)  # otherwise the journal is in its target, which may be moved
    if options.shard is not None:
        fixed["shard"] = options.shard
    root = full_name(source)
    if options.storage_options and (endpoint := options.storage_options.get("endpoint_url")):
        root += f" at {without_secrets(str(endpoint))}"
    return Description(fixed, *options_of_run(purpose), root=root)


def full_name(storage: Storage) -> str:
    """Return the absolute path of a folder, or the URL of another storage."""
    return os.path.realpath(storage.root) if isinstance(storage, Folder) else storage.name
