"""Washington (HB 1170), India (IT Rules) and Korea (AI Basic Act)."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import Rule

_INDIA = "IT Rules 2021 as amended by G.S.R. 120(E)"
_KOREA = "AI Basic Act Art. 31"

RULES = (
    # --- Washington
    Rule(
        "US-WA-PROVENANCE",
        "Washington HB 1170",
        "Provenance data must say that AI made the content: C2PA, or a commonly supported watermark.",
        "没有表明内容由人工智能生成的来源数据：既无有效的 C2PA 清单，也未检出水印。",
        either=True,
        chinese_warning="能够读取的来源数据未表明内容由人工智能生成（C2PA 或水印）。",
    ),
    # --- India
    Rule(
        "IN-VISIBLE",
        _INDIA,
        "Generated pictures and video must carry a prominent visible label.",
        "未检出醒目的可见标识：生成的图片和视频应当带有该标识。",
        either=True,
        chinese_warning="可见标识未检查、无法读取，或者过小、过淡、未始终显示，不能确定是否有醒目的标识。",
    ),
    Rule(
        "IN-AUDIBLE",
        _INDIA,
        "Generated audio must begin with a spoken disclosure.",
        "音频内容之前没有语音声明。",
        either=True,
        chinese_warning="未检查或无法识别音频开头的语音声明，请人工试听。",
    ),
    Rule(
        "IN-IDENTIFIER",
        _INDIA,
        "Metadata must hold a unique identifier of the computer resource that generated the content.",
        "元数据中没有生成内容的计算机资源的唯一标识符。",
        either=True,
        chinese_warning="部分元数据无法读取，不能确定其中是否有生成内容的计算机资源的唯一标识符。",
    ),
    Rule(
        "IN-PERMANENT",
        _INDIA,
        "The metadata should be permanent: a watermark shows that.",
        "未检出或未检查水印：没有依据表明元数据是永久的。",
        Severity.WARNING,
        general=True,
    ),
    # --- Korea
    Rule(
        "KR-MARKED",
        _KOREA,
        "Generated content must be marked visibly or audibly, or in a machine-readable way.",
        "没有可见、可听或机器可读的标记表明内容由人工智能生成。",
        either=True,
        chinese_warning="已检查且能够读取的标记均未表明内容由人工智能生成。",
        general=True,
    ),
    Rule(
        "KR-NOTICE",
        _KOREA,
        "With a machine-readable mark alone users need a notice, and what looks real a clear label.",
        "检出机器可读的标记，未检出韩文或英文的可见或可听标识：还须至少向用户告知一次；与真实难以区分的内容须清晰标注。文件本身无法表明是否已告知。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "KR-WORDING",
        _KOREA,
        "A label should say so in Korean.",
        "检出的标识不是韩文；通常的用语为“AI 생성”。",
        Severity.WARNING,
        general=True,
    ),
    # --- every profile
    Rule(
        "PROFILE-NOT-IN-FORCE",
        "this verification",
        "The law that a profile judges by should be in force on the day of the check.",
        "核验之日，所依据的法律尚未施行。",
        Severity.WARNING,
    ),
)
