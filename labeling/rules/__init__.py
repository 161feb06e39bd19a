"""What each regime asks, as profiles. To add a regime, write a module with a profile and add it to ``PROFILES``."""

from __future__ import annotations

from pathlib import Path

from labeling.errors import LabelingError
from labeling.rules import cn, custom, eu, platform, us_ca
from labeling.rules.engine import Check, Evidence, Outcome, Profile, Verdict, evaluate

__all__ = ["PROFILES", "Check", "Evidence", "Outcome", "Profile", "Verdict", "evaluate", "profile"]

PROFILES: dict[str, Profile] = {
    each.name: each for each in (cn.PROFILE, eu.PROFILE, eu.ACT_ALONE, us_ca.PROFILE, platform.PROFILE)
}
"""The profiles that come with the package, by name."""


def profile(name: str) -> Profile:
    """Return a profile by name, or load one from a TOML file.

    Args:
        name: One of :data:`PROFILES`, or a path that ends in ``.toml`` (see :mod:`labeling.rules.custom`).

    Raises:
        LabelingError: There is no such profile, or the file is not a profile.
    """
    if name.endswith(".toml"):
        return custom.load(Path(name), PROFILES)
    try:
        return PROFILES[name]
    except KeyError:
        raise LabelingError(f"there is no profile {name!r}", hint=f"known are {', '.join(PROFILES)}") from None
