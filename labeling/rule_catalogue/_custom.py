"""What a profile from a TOML file can ask for beyond the profile that it extends (:mod:`labeling.rules.custom`)."""

from __future__ import annotations

from labeling.findings import MARKS
from labeling.rule_catalogue._rule import Rule

_CLAUSE = "the custom profile"


def required_mark(kind: str) -> str:
    """Return the id of the rule that a mark of this kind must be there."""
    return f"CUSTOM-REQUIRED-{kind.upper()}"


RULES = (
    *(
        Rule(
            required_mark(kind),
            _CLAUSE,
            f"The profile requires a mark of the kind {kind}.",
            f"未发现自定义规则要求的标记（{kind}）。",
            either=True,
            chinese_warning=f"自定义规则要求的标记（{kind}）未经检查。",
            general=True,
        )
        for kind in MARKS
    ),
    Rule(
        "CUSTOM-TRUSTED",
        _CLAUSE,
        "The profile requires a C2PA manifest whose signer is on a trust list.",
        "自定义规则要求 C2PA 清单的签名者在所提供的信任列表中。",
        general=True,
    ),
)
