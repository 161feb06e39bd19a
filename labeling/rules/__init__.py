"""What each regime asks: checks with stable ids, clause and severity. A new regime is one module and one row here."""

from __future__ import annotations

from labeling.errors import LabelingError
from labeling.rules import cn, eu, us_ca
from labeling.rules.engine import Check, Evidence, Outcome, Profile, Verdict, evaluate

__all__ = ["PROFILES", "Check", "Evidence", "Outcome", "Profile", "Verdict", "evaluate", "profile"]

PROFILES: dict[str, Profile] = {module.PROFILE.name: module.PROFILE for module in (cn, eu, us_ca)}


def profile(name: str) -> Profile:
    """Look a profile up. Raises :class:`LabelingError` that lists the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise LabelingError(f"there is no profile {name!r}; known are {', '.join(PROFILES)}") from None
