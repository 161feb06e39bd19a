"""The European Union (AI Act Art. 50 and its Code of Practice) and California (SB 942, AB 853)."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import Rule

_CODE_OF_PRACTICE = "AI Act Art. 50(2); Code of Practice on marking and labelling (2026-06-10)"
_LATENT = "Cal. Bus. & Prof. Code 22757.3(b)"

RULES = (
    # --- European Union
    Rule(
        "EU-MARKED",
        "AI Act Art. 50(2)",
        "A machine-readable mark must say that the content is generated.",
        "没有机器可读的标记表明内容由人工智能生成。",
        general=True,
    ),
    Rule(
        "EU-SIGNED",
        _CODE_OF_PRACTICE,
        "Digitally signed metadata must say that the content is generated.",
        "没有经有效数字签名、并声明内容由人工智能生成的元数据（C2PA）。",
        general=True,
    ),
    Rule(
        "EU-TRUSTED",
        _CODE_OF_PRACTICE,
        "The signer should be on a trust list.",
        "内容完整性已证实，但未能依据信任列表证实签名者的身份。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-TIME-STAMP",
        _CODE_OF_PRACTICE,
        "The signature should carry a time stamp from a time-stamp authority.",
        "签名没有时间戳机构签发的有效时间戳。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-WATERMARK",
        _CODE_OF_PRACTICE,
        "There should be a second layer: an imperceptible watermark.",
        "缺少第二层标记：未发现或未检查不可见水印。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-VISIBLE",
        "AI Act Art. 50(4)",
        "Deployers of deep fakes must disclose them visibly.",
        "OCR 未检出表明内容由人工智能生成的可见标识：深度伪造内容的部署者负有披露义务。",
        Severity.WARNING,
        general=True,
    ),
    # --- California
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
