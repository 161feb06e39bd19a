"""Records that came from another ledger, and the check of the chain that they formed there.

A record that was merged into a ledger is a record of its chain like any other. What its own chain had hashed is kept in
it: number, ``prev``, hash and details are under :data:`ORIGIN` in its details, everything else is in the same columns,
its time too. So the record as it was, and with it its chain, can be recomputed from this ledger alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling.ledger.chain import COLUMNS, GENESIS, ChainChecker, Row
from labeling.ledger.entry import Discrepancy, ImportedChain, fields_json

ORIGIN = "imported_from"
"""Key of a record's details: JSON with the chain's id, and ``seq``, ``prev``, ``hash`` and ``details`` as they were."""

MAX_CHAINS = 10_000
"""Chains in one ledger that are checked; one more is reported and not kept track of."""

_MAX_DEPTH = 8
_SEQ, _PREV, _DETAILS = (COLUMNS.index(name) for name in ("seq", "prev", "details"))


@dataclass(frozen=True, slots=True)
class ChainState:
    """What a ledger notes of a chain that was merged into it: what its first record followed, and its last one."""

    start: int
    start_hash: str
    last: int
    last_hash: str

    def to_json(self) -> str:
        """Return it as it is stored."""
        return json.dumps([self.start, self.start_hash, self.last, self.last_hash])


def state_of(text: object) -> ChainState | None:
    """Return the state that was stored, ``None`` if it was altered beyond reading."""
    try:
        start, start_hash, last, last_hash = json.loads(str(text))
        return ChainState(int(start), str(start_hash), int(last), str(last_hash))
    except (ValueError, TypeError, RecursionError):
        return None


def values_of_import(row: Row, chain: str) -> dict[str, Any]:
    """Return the columns of a record that is merged, for :func:`labeling.ledger._write.append_rows`.

    Args:
        row: The record as its own ledger has it.
        chain: The id of its chain.
    """
    values = {name: row[number] for number, name in enumerate(COLUMNS)}
    origin = {"chain": chain, "seq": row[_SEQ], "prev": row[_PREV], "hash": row[-1], "details": row[_DETAILS]}
    details = {**_parsed(row[_DETAILS]), ORIGIN: json.dumps(origin, ensure_ascii=False, separators=(",", ":"))}
    return values | {"details": fields_json(details)}


def original_of(row: Row) -> tuple[str, Row] | None:
    """Return the chain's id and the record as its own ledger had it; ``None`` if the record was not merged."""
    text = row[_DETAILS]
    if not isinstance(text, str) or f'"{ORIGIN}"' not in text:
        return None
    details = _parsed(text)
    origin = _parsed(details.get(ORIGIN))
    if not isinstance(origin.get("chain"), str) or not isinstance(origin.get("seq"), int) or "hash" not in origin:
        return None
    before = origin.get("details")
    if {**_parsed(before), ORIGIN: ""} != {**details, ORIGIN: ""}:
        before = text  # what is shown is not what was hashed; the check reports it
    original = [*row[: len(COLUMNS)], origin["hash"]]
    original[_SEQ], original[_PREV], original[_DETAILS] = origin["seq"], origin.get("prev"), before
    return origin["chain"], tuple(original)


def _parsed(text: object) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class ImportedChains:
    """Checks the chains that were merged into a ledger, while its own chain is read.

    Args:
        states: What the ledger notes of them, by their ids.
        anchor: A hash kept elsewhere, which may be of one of them.
    """

    def __init__(self, states: Mapping[str, ChainState | None], anchor: str | None) -> None:
        self._states = states
        self._anchor = anchor
        self._checkers: dict[tuple[str, ...], ChainChecker] = {}
        self._too_many = False
        self.anchor_found = False

    def add(self, row: Row, path: tuple[str, ...] = ()) -> bool:
        """Check a record of the ledger, if it was merged, as one of its own chain; return whether it was."""
        found = original_of(row) if len(path) < _MAX_DEPTH else None
        if found is None:
            return False
        chain, original = found
        key = (*path, chain)
        checker = self._checkers.get(key)
        if checker is None:
            if len(self._checkers) >= MAX_CHAINS:
                self._too_many = True
                return True
            checker = self._checkers[key] = ChainChecker(None)
        checker.add(original)
        self.anchor_found = self.anchor_found or original[-1] == self._anchor
        self.add(original, key)  # a ledger that others had been merged into
        return True

    def finish(self, *, pruned: bool) -> tuple[list[Discrepancy], list[ImportedChain]]:
        """Return what is wrong, and the chains.

        Args:
            pruned: The beginning of the ledger was pruned, and with it perhaps that of these chains, or all of them.
        """
        wrong = [Discrepancy(0, f"more than {MAX_CHAINS} chains were imported")] if self._too_many else []
        chains = []
        for path, checker in self._checkers.items():
            name = " in ".join(f"{each[:12]}…" for each in reversed(path))
            state = self._states.get(path[0]) if len(path) == 1 else None
            if len(path) == 1 and state is None:
                wrong.append(Discrepancy(0, f"the ledger does not note the imported chain {name}"))
            checker.finish_imported(
                None if state is None or pruned else (state.start, state.start_hash),
                None if state is None else (state.last, state.last_hash),
            )
            wrong += [Discrepancy(d.seq, f"imported chain {name}: {d.message}") for d in checker.discrepancies]
            if len(path) == 1:
                chains.append(ImportedChain(path[0], checker.count, checker.first, checker.last, checker.head))
        for chain, state in self._states.items():
            gone = (chain,) not in self._checkers
            if gone and not pruned:
                wrong.append(Discrepancy(0, f"the imported chain {chain[:12]}… was removed"))
            self.anchor_found = self.anchor_found or (state is not None and state.start_hash == self._anchor != GENESIS)
        return wrong, chains
