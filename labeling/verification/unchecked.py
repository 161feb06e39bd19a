"""Parts of a file that could not be checked, for a fault of ours or for want of memory, become findings on those parts.

So one part's fault costs no other part: the other marks are reported, and where the missing one matters, the verdict is
inconclusive. Nothing is called absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from labeling.errors import LabelingError, MissingDependency
from labeling.findings import Defect, Finding, Signature, Status
from labeling.gates import as_ours
from labeling.rule_catalogue import defect


def checked(kinds: Iterable[str], doing: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Check one part of a file.

    Args:
        kinds: The kinds of marks that the part may hold.
        doing: What is done, to follow "to": ``read the C2PA manifest``.
        check: Does it.

    Returns:
        What ``check`` returns; if it fails, an unreadable finding for each of ``kinds``.

    Raises:
        MissingDependency: ``check`` needs a library that is not installed.
        LabelingError: What was asked for cannot be done with any file, such as with a trust list that is broken.
    """
    try:
        return list(check())
    except MissingDependency:
        raise
    except Exception as error:
        if type(error) is LabelingError:
            raise
        return unchecked(kinds, as_ours(error, doing))


def unchecked(kinds: Iterable[str], error: LabelingError) -> list[Finding]:
    """Return an unreadable finding, with what ``error`` says, for each of ``kinds``."""
    return [Finding(kind, Status.UNREADABLE, "", {}, Signature.NONE, (why(error),)) for kind in kinds]


def why(error: LabelingError) -> Defect:
    """Return the defect that says why a part was not checked."""
    return defect("FILE-UNCHECKED", error.reason)
