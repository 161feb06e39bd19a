"""What each regime asks, as profiles. To add a regime, write a module with a profile and add it to ``PROFILES``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labeling.errors import LabelingError
from labeling.rules import cn, custom, eu, india, korea, platform, us_ca, us_wa
from labeling.rules.engine import Check, Evidence, Outcome, Profile, Verdict, evaluate

__all__ = ["PROFILES", "Check", "Evidence", "Outcome", "Profile", "Verdict", "evaluate", "profile", "profiles"]

PROFILES: dict[str, Profile] = {
    each.name: each
    for each in (
        *(cn.PROFILE, eu.PROFILE, eu.ACT_ALONE, us_ca.PROFILE, us_wa.PROFILE, india.PROFILE, korea.PROFILE),
        platform.PROFILE,
    )
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


def profiles(names: Iterable[str]) -> list[Profile]:
    """Return several profiles, each once. Raises :class:`LabelingError` as :func:`profile`, or if two share a name."""
    found: dict[str, tuple[str, Profile]] = {}
    for name in dict.fromkeys(names):
        made = profile(name)
        other, _ = found.setdefault(made.name, (name, made))
        if other != name:
            raise LabelingError(
                f"two profiles are called {made.name!r}: {other} and {name}", hint="give each a `name` of its own"
            )
    return [made for _, made in found.values()]
