"""A short run of the fuzzer, the same files each time; ``make fuzz`` runs it at length."""

from __future__ import annotations

from .fuzzing.__main__ import run


def test_nothing_but_our_own_error_escapes_from_mutated_files() -> None:
    outcome = run(1000, seed=45438, cases=False)
    assert outcome.findings == []
    assert outcome.done == 1000
    assert outcome.written > 50, "too few mutated files are accepted for the write path to be tested"
