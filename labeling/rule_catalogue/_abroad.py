"""California: AI Transparency Act (SB 942, AB 853, SB 1000)."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import Rule

_LATENT = "Cal. Bus. & Prof. Code 22757.3(a)"

RULES = (
    Rule(
        "US-CA-PROVIDER",
        f"{_LATENT}(1)(A)",
        "The latent disclosure must give the provider's name.",
        "隐性披露未给出提供者名称。",
        either=True,
        chinese_warning="能够读取的隐性披露未给出提供者名称。",
        general=True,
    ),
    Rule(
        "US-CA-SYSTEM",
        f"{_LATENT}(1)(B)",
        "The latent disclosure must give the name of the generating system.",
        "隐性披露未给出生成系统名称。",
        either=True,
        chinese_warning="能够读取的隐性披露未给出生成系统名称。",
        general=True,
    ),
    Rule(
        "US-CA-VERSION",
        f"{_LATENT}(1)(B)",
        "The latent disclosure must give the version of the generating system.",
        "隐性披露未给出生成系统版本号。",
        either=True,
        chinese_warning="能够读取的隐性披露未给出生成系统版本号。",
        general=True,
    ),
    Rule(
        "US-CA-TIME",
        f"{_LATENT}(1)(C)",
        "The latent disclosure must give the date and time of creation.",
        "隐性披露未给出生成的日期和时间。",
        either=True,
        chinese_warning="能够读取的隐性披露未给出生成的日期和时间。",
        general=True,
    ),
    Rule(
        "US-CA-ID",
        f"{_LATENT}(1)(D)",
        "The latent disclosure must give a unique identifier.",
        "隐性披露未给出唯一标识符。",
        either=True,
        chinese_warning="能够读取的隐性披露未给出唯一标识符。",
        general=True,
    ),
    Rule(
        "US-CA-CREATED",
        f"{_LATENT}(1)(E)",
        "The latent disclosure must say whether the system created or altered the content.",
        "隐性披露未明确说明内容由该系统生成或修改。",
        either=True,
        chinese_warning="能够读取的隐性披露未说明内容由该系统生成或修改。",
    ),
    Rule(
        "US-CA-INTEROPERABLE",
        f"{_LATENT}(4)",
        "The latent disclosure must follow a recognised standard, so that other programs can read it.",
        "承载隐性披露的标记均不符合各自标准的格式，其他程序可能无法读取。",
        either=True,
        chinese_warning="能够读取的标记均不符合各自标准的格式。",
        general=True,
    ),
    Rule(
        "US-CA-PERMANENT",
        f"{_LATENT}(2)",
        "The latent disclosure should be permanent, or extraordinarily difficult to remove: a watermark shows that.",
        "未检出或未检查水印：没有依据表明隐性披露是永久的或极难移除的。",
        Severity.WARNING,
        general=True,
    ),
)
