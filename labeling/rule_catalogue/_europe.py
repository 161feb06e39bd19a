"""The European Union: AI Act Art. 50, and the Code of Practice for those who have signed it."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import Rule

_CODE = "Code of Practice on marking and labelling (2026-06-10)"
_METADATA = f"AI Act Art. 50(2); {_CODE} 1.1.1"
_DEPLOYERS = f"AI Act Art. 50(4); {_CODE}, deployers"

RULES = (
    Rule(
        "EU-MARKED",
        "AI Act Art. 50(2)",
        "A machine-readable mark must say that the content is generated or manipulated.",
        "没有机器可读的标记表明内容由人工智能生成或操纵；“可能”“疑似”（Label 2、3）不算。",
        general=True,
    ),
    Rule(
        "EU-ROBUST",
        "AI Act Art. 50(2)",
        "The mark should last: one in metadata alone is lost with them.",
        "标记只存在于元数据中，元数据一旦被清除即告丢失；第 50 条第 2 款要求标记在技术可行范围内有效、稳健。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-SIGNED",
        _METADATA,
        "Digitally signed metadata must say that the content is generated or manipulated.",
        "没有经有效数字签名、并声明内容由人工智能生成或操纵的元数据（C2PA）。",
        either=True,
        general=True,
    ),
    Rule(
        "EU-TRUSTED",
        _METADATA,
        "The signer should be on a trust list.",
        "内容完整性已证实，但未能依据信任列表证实签名者的身份。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-TIME-STAMP",
        _METADATA,
        "The signature must carry a valid time stamp from a time-stamp authority.",
        "签名没有时间戳机构签发的有效时间戳。",
        either=True,
        general=True,
    ),
    Rule(
        "EU-STAMP-AUTHORITY",
        _METADATA,
        "The time-stamp authority should be on a trust list.",
        "签发时间戳的机构不在所查询的任何信任列表中。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-WATERMARK",
        f"AI Act Art. 50(2); {_CODE} 1.1.2",
        "There must be a second technique: an imperceptible watermark.",
        "缺少第二种技术手段：未发现或者未检查不可见水印。",
        either=True,
        general=True,
    ),
    Rule(
        "EU-VISIBLE",
        _DEPLOYERS,
        "Deployers of deep fakes must disclose them so that people see or hear it in words.",
        "未检出或者未检查以文字、语音表明内容由人工智能生成的披露：深度伪造内容的部署者负有披露义务，"
        "仅有元数据或者仅有提示音均不够。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "EU-ELEMENT",
        _DEPLOYERS,
        'The main element of the visible label should be the capitals "AI".',
        "可见标识的主要要素应为大写字母“AI”。",
        Severity.WARNING,
        general=True,
    ),
)
