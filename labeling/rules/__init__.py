"""What each regime asks: checks with stable ids, clause and severity. A new regime is one module and one row here."""

from __future__ import annotations

from pathlib import Path

from labeling.errors import LabelingError
from labeling.rules import cn, custom, eu, platform, us_ca
from labeling.rules.engine import Check, Evidence, Outcome, Profile, Verdict, evaluate

__all__ = ["PROFILES", "Check", "Evidence", "Outcome", "Profile", "Verdict", "evaluate", "profile"]

PROFILES: dict[str, Profile] = {module.PROFILE.name: module.PROFILE for module in (cn, eu, us_ca, platform)}
"""The profiles that come with the package, by name: ``cn``, ``eu``, ``us-ca`` and ``platform``."""


def profile(name: str) -> Profile:
    """Look a profile up by name, or load one from a path that ends in ``.toml``.

    Raises :class:`LabelingError` that lists the known ones, or says what is wrong with the file.
    """
    if name.endswith(".toml"):
        return custom.load(Path(name), PROFILES)
    try:
        return PROFILES[name]
    except KeyError:
        raise LabelingError(f"there is no profile {name!r}; known are {', '.join(PROFILES)}") from None
