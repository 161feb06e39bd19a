"""California: Business and Professions Code 22757.3(a), the latent disclosure, as SB 1000 has it since 2026-09-30.

The manifest (visible) disclosure was repealed: no rule asks for it.
"""

from __future__ import annotations

from labeling.rules.engine import Check, Profile
from labeling.rules.latent import missing, not_interoperable, not_permanent, origin_not_said

PROFILE = Profile(
    name="us-ca",
    title="California: AI Transparency Act (SB 942, AB 853, SB 1000)",
    checks=(
        Check("US-CA-PROVIDER", missing("provider", "the provider's name")),
        Check("US-CA-SYSTEM", missing("system", "the name of the generating system")),
        Check("US-CA-VERSION", missing("version", "the version of the generating system")),
        Check("US-CA-TIME", missing("time", "the date and time of creation")),
        Check("US-CA-ID", missing("id", "a unique identifier")),
        Check("US-CA-CREATED", origin_not_said),
        Check("US-CA-INTEROPERABLE", not_interoperable),
        Check("US-CA-PERMANENT", not_permanent),
    ),
    judged=frozenset(),
    languages=("en", "zh"),
    text="AI GENERATED",
    since="2026-09-30",
    sources=("California Business and Professions Code 22757.3(a), as amended by SB 1000 (2026-09-30)",),
)
