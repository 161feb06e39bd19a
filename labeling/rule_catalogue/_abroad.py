"""California: SB 942, AB 853."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import Rule

_LATENT = "Cal. Bus. & Prof. Code 22757.3(b)"

RULES = (
    Rule(
        "US-CA-PROVIDER",
        f"{_LATENT}(1)(A)",
        "The latent disclosure must give the provider's name.",
        "隐性披露未给出提供者名称。",
        general=True,
    ),
    Rule(
        "US-CA-SYSTEM",
        f"{_LATENT}(1)(B)",
        "The latent disclosure must give the name of the generating system.",
        "隐性披露未给出生成系统名称。",
        general=True,
    ),
    Rule(
        "US-CA-VERSION",
        f"{_LATENT}(1)(B)",
        "The latent disclosure must give the version of the generating system.",
        "隐性披露未给出生成系统版本号。",
        general=True,
    ),
    Rule(
        "US-CA-TIME",
        f"{_LATENT}(1)(C)",
        "The latent disclosure must give the date and time of creation.",
        "隐性披露未给出生成的日期和时间。",
        general=True,
    ),
    Rule(
        "US-CA-ID",
        f"{_LATENT}(1)(D)",
        "The latent disclosure must give a unique identifier.",
        "隐性披露未给出唯一标识符。",
        general=True,
    ),
    Rule(
        "US-CA-VISIBLE",
        "Cal. Bus. & Prof. Code 22757.3(a)",
        "Users must at least be offered a manifest (visible) disclosure.",
        "OCR 未检出显性披露：至少应向用户提供该选项。",
        Severity.WARNING,
        general=True,
    ),
)
