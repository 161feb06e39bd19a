"""Which options the labels of a run depend on, and what happens if they change between two calls of a run.

What a run is (what it does, where its outputs go) must not change. Other options that its labels depend on begin a new
*generation* in the same journal: what was done stays done, new and changed files get the new options. All else (number
of workers, where the source is, language …) may change at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.batch.job import Purpose
from labeling.batch.journal import Journal
from labeling.batch.task import Mode
from labeling.errors import LabelingError
from labeling.gates import foreign

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Signer

NEUTRAL = frozenset({"keep_times", "max_pixels", "strict"})
"""Options of labelling and converting that change neither pixels nor labels: only dates, and what is refused."""

_READING = frozenset({"isolate", "trust", "labelled"})
"""Options of :class:`Propagation` and :class:`Transplantation` that say how, or where, something is read."""

_KEYS = ("signer", "security_key")
"""Fields of a labeler that hold keys: they are described by their public half."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a run is, and what its labels depend on.

    Attributes:
        fixed: What must not change: the mode, whether files are labelled in place, the target.
        options: What begins a new generation: the options that are not at their defaults.
        legacy: The options as version 1 of the journal described them.
        root: Where the source is.
    """

    fixed: Mapping[str, Any]
    options: Mapping[str, Any]
    legacy: Mapping[str, Any]
    root: str


def options_of_run(purpose: Purpose) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options that results depend on, and the same as version 1 of the journal described them.

    An option at its default is left out, so that a version of ours that adds one begins no new generation.

    Raises:
        LabelingError: The labeler or the signer cannot be made.
    """
    make_labeler, conversion, check = purpose.make_labeler, purpose.conversion, purpose.check
    if make_labeler is not None:
        labeler = foreign(make_labeler)()
        found = _non_defaults(labeler) | _keys(labeler.signer, labeler.security_key) | _profile_text([labeler.profile])
        return found, _legacy_labeler(labeler)
    if conversion is not None:
        signer = None if conversion.signer is None else conversion.signer()  # one that cannot be made ends the run here
        found = {name: value for name, value in _non_defaults(conversion).items() if name != "signer"}
        legacy = conversion.arguments() | {"signed": signer is not None}
        return found | _keys(signer, None) | _profile_text([conversion.profile]), legacy
    platform = purpose.propagation or purpose.transplantation
    if platform is not None:
        signer = None if platform.signer is None else platform.signer()
        found = {name: value for name, value in _non_defaults(platform).items() if name not in _READING}
        described = found | _keys(signer, None) | _profile_text([platform.profile])
        return described, {"profile": platform.profile}  # there were no such runs then
    assert check is not None
    names = ("visible", "declared_ai", "everywhere", "min_confidence")
    chosen = {name: value for name, value in _non_defaults(check).items() if name in names}
    texts = _profile_text(check.profile)
    legacy = {"profile": list(check.profile), "profiles' text": texts.get("profiles' text", {})}
    legacy |= {"visible": check.visible, "min_confidence": check.min_confidence}
    return {"profile": list(check.profile)} | chosen | texts, legacy


def _non_defaults(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(value):
        if not each.init or each.name in NEUTRAL or each.name in _KEYS:
            continue
        default = each.default if each.default_factory is MISSING else each.default_factory()
        now = getattr(value, each.name)
        if default is MISSING or now != default:
            found[each.name] = _plain(now)
    return found


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON has no form for is represented by a digest."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _non_defaults(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return _short_hash(value if isinstance(value, bytes) else repr(value).encode())


def _keys(signer: Signer | None, security_key: Any) -> dict[str, Any]:
    """Describe what is signed with, by certificate and public key."""
    found: dict[str, Any] = {}
    if signer is not None:
        found["signer"] = _short_hash(b"".join(each.tbs_certificate_bytes for each in signer.chain))
    if security_key is not None:
        public = getattr(security_key, "public", None)
        found["security_key"] = _short_hash(public) if isinstance(public, bytes) else True
    return found


def _profile_text(names: Sequence[str]) -> dict[str, Any]:
    texts = {
        name: hashlib.sha256(Path(name).read_bytes()).hexdigest()
        for name in names
        if name.endswith(".toml") and Path(name).is_file()
    }
    return {"profiles' text": texts} if texts else {}


def _legacy_labeler(labeler: Labeler) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(labeler):
        if each.init and each.name not in _KEYS:
            value = getattr(labeler, each.name)
            is_plain = isinstance(value, str | int | bool | None)
            found[each.name] = value if is_plain else _short_hash(repr(value).encode())
    return found | {"signed": labeler.signer is not None}


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# --- the journal's part -----------------------------------------------------------------------------------------------


def begin(journal: Journal, described: Description, mode: Mode, *, restart: bool) -> None:
    """Note what the run is, and begin a new generation if its options are others than those of the journal.

    Args:
        journal: The journal.
        described: The run as it is now.
        mode: What it does.
        restart: All is processed again.

    Raises:
        LabelingError: It is another run than the one whose journal this is.
    """
    _take_over_version_1(journal, described)
    known: dict[str, Any] = json.loads(journal.meta("fixed", "{}"))
    now = dict(described.fixed)
    compared = {name for name in known | now if name != "target" or (name in known and name in now)}
    changed = [name for name in known | now if name in compared and known.get(name) != now.get(name)]
    if known and changed:
        modes = f"mode: {known.get('mode')}, not {now.get('mode')}"
        named = ", ".join(modes if name == "mode" else name for name in changed)
        raise LabelingError(
            f"the run was begun with other options ({named})", path=journal.folder,
            hint="give those again, or use another target and another `state`",
        )  # fmt: skip
    generations = journal.generations()
    current = int(journal.meta("generation", "0"))
    same = generations.get(current) == described.options
    again = restart or (not same and current in generations and mode == "verify")  # a report is of one kind
    if again or not same:
        redone_since = int(journal.meta("redone generation", "1"))
        reused = [n for n, options in generations.items() if n >= redone_since and options == described.options]
        current = max([*generations, 0]) + 1 if again or not reused else reused[0]
    journal.begin(known | now, current, dict(described.options), described.root, again=again and bool(generations))


def _take_over_version_1(journal: Journal, described: Description) -> None:
    """Take over what version 1 of the journal kept of the options. Its names for them are those of today's legacy."""
    text = journal.meta("options")
    if not text or journal.meta("fixed"):
        return
    before: dict[str, Any] = json.loads(text)
    names = ("mode", "in place", "target", "shard")
    fixed: dict[str, Any] = {name: before.pop(name) for name in names if name in before}
    root = str(before.pop("source", ""))
    before.pop("endpoint", None)
    options = dict(described.options)
    for name in before | dict(described.legacy):
        label = "signer" if name == "signed" else name
        if name not in before:
            options.pop(label, None)  # an option that did not exist then
        elif before[name] != described.legacy.get(name) and label not in NEUTRAL:
            options[label] = before[name]
    journal.take_over(fixed, options, root)


def earlier(journal: Journal, described: Description) -> dict[str, Any] | None:
    """Return how many files have what earlier options made of them, and which options differ; ``None`` without any.

    Args:
        journal: The journal.
        described: The run as it is now.
    """
    generations = journal.generations()
    old = {number: options for number, options in generations.items() if options != described.options}
    counts = journal.count_by_generation() if old else {}
    files = sum(count for number, count in counts.items() if number in old)
    if not files:
        return None
    now = described.options
    names = {
        name
        for number, options in old.items() if counts.get(number)
        for name in options.keys() | now.keys() if options.get(name) != now.get(name)
    }  # fmt: skip
    return {"files": files, "options": sorted(names)}
