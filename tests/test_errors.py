"""Errors: what they print, and that they come whole out of another process."""

from __future__ import annotations

import pickle

import pytest

from labeling import LabelingError, errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LabelingError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_is_the_same_in_another_process(kind: type[LabelingError]) -> None:
    made = kind.__new__(kind)
    LabelingError.__init__(made, "it is cut off", path="a.png", hint="download it again")
    other = pickle.loads(pickle.dumps(made))
    assert type(other) is kind
    assert (other.message, other.path, other.hint) == ("it is cut off", "a.png", "download it again")
    assert str(other) == str(made) == "a.png: it is cut off; download it again"
    assert other.exit_code == made.exit_code
