"""Marks and files that every regime knows: C2PA, IPTC, XMP, and the file itself."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import EXPLICIT_LABEL, Rule

_DIGITAL_SOURCE_TYPE = "IPTC Photo Metadata 2025.1, Digital Source Type"
_FILE_FORMAT = "the file format"
_EXPLICIT_LABEL = tuple(f"GB 45438-2025 {EXPLICIT_LABEL[each]}" for each in ("image", "video", "audio", "text"))

RULES = (
    # --- C2PA content credentials
    Rule(
        "C2PA-BROKEN",
        "Labelling Measures Art. 10",
        "A C2PA manifest must match its file.",
        "C2PA 清单未通过完整性核验：内容、声明或签名与签署时不一致。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "C2PA-ACTION",
        "C2PA 2.2 §18.14",
        "The manifest's actions must follow the specification.",
        "C2PA 操作记录不符合规范。",
    ),
    Rule(
        "C2PA-ALGORITHM",
        "C2PA 2.2 §13.2",
        "Signature and hashes must use algorithms that are allowed.",
        "C2PA 签名或散列使用了不允许的算法。",
    ),
    Rule(
        "C2PA-ASSERTION",
        "C2PA 2.2 §15.10",
        "Every assertion of the manifest must be there and unchanged.",
        "C2PA 清单中的声明缺失、被改动或未通过验证。",
    ),
    Rule(
        "C2PA-CREDENTIAL",
        "C2PA 2.2 §14.5.1",
        "The signer's certificate must be one that may sign claims.",
        "签名者的证书不具备签署 C2PA 声明的资格。",
    ),
    Rule(
        "C2PA-EXPIRED",
        "C2PA 2.2 §15.7",
        "It must be shown that the signature was made while its certificate was valid.",
        "签名不在证书有效期内，或证书已过期且没有有效时间戳表明签名作出于其有效期内。",
    ),
    Rule(
        "C2PA-HASH-MISMATCH",
        "C2PA 2.2 §15.12",
        "The content must be what was signed.",
        "内容与签名时不一致：文件在签名之后被修改。",
    ),
    Rule(
        "C2PA-INGREDIENT",
        "C2PA 2.2 §15.11",
        "The manifests of ingredients must validate.",
        "素材（ingredient）的 C2PA 清单未通过验证。",
    ),
    Rule(
        "C2PA-MALFORMED",
        "C2PA 2.2 §15.6",
        "The manifest must be well-formed.",
        "C2PA 清单格式错误，无法读取。",
    ),
    Rule(
        "C2PA-NO-SOURCE-TYPE",
        "C2PA 2.2 §18.14.2",
        "A manifest of created content must give its digitalSourceType.",
        "C2PA 清单声明内容为新建，但未给出数字来源类型（digitalSourceType）。",
        either=True,
    ),
    Rule(
        "C2PA-REVOKED",
        "C2PA 2.2 §15.9",
        "The signer's certificate must not be revoked.",
        "签名者的证书已被吊销。",
    ),
    Rule(
        "C2PA-SIGNATURE",
        "C2PA 2.2 §15.7",
        "The signature must match the claim.",
        "C2PA 签名与声明不匹配。",
    ),
    Rule(
        "C2PA-TIME-STAMP",
        "C2PA 2.2 §15.8",
        "The time stamp must be valid.",
        "时间戳无效。",
        either=True,
    ),
    Rule(
        "C2PA-UNSUPPORTED",
        "C2PA 2.2 A.3",
        "Manifests in this file format cannot be checked here.",
        "文件含有 C2PA 清单，但暂不支持核验该格式中的清单。",
        Severity.WARNING,
    ),
    # --- IPTC and XMP
    Rule(
        "IPTC-DST-CONFLICT",
        _DIGITAL_SOURCE_TYPE,
        "A file must have one DigitalSourceType.",
        "文件中的数字来源类型有多个互不一致的值。",
    ),
    Rule(
        "IPTC-DST-NAMESPACE",
        _DIGITAL_SOURCE_TYPE,
        "DigitalSourceType must be in the namespace of IPTC Extension.",
        "数字来源类型属性未使用 IPTC 扩展命名空间。",
    ),
    Rule(
        "IPTC-DST-TERM",
        _DIGITAL_SOURCE_TYPE,
        "DigitalSourceType must be a term of the IPTC vocabulary.",
        "数字来源类型不是 IPTC 词表中的术语。",
    ),
    Rule(
        "IPTC-DST-URI",
        _DIGITAL_SOURCE_TYPE,
        "DigitalSourceType must be a full URI of the IPTC vocabulary.",
        "数字来源类型未使用 IPTC 词表的完整 URI。",
    ),
    Rule(
        "XMP-BROKEN",
        "ISO 16684-1, 7",
        "The XMP packet must be well-formed.",
        "XMP 数据包损坏，无法解析。",
    ),
    Rule(
        "XMP-EXTENDED",
        "XMP part 3, 1.1.3.1",
        "The main packet must name the extension that belongs to it.",
        "主 XMP 数据包未引用该扩展数据包，读取程序会忽略其中的内容。",
    ),
    # --- marks against each other
    Rule(
        "MARKS-CONTRADICT",
        "GB 45438-2025 Annex E; IPTC Photo Metadata 2025.1, Digital Source Type",
        "The marks of a file must not contradict each other.",
        "文件中的各标记对内容来源的说法相互矛盾。",
        either=True,
        other_clauses=("C2PA 2.2 §18.14.2; IPTC Photo Metadata 2025.1, Digital Source Type",),
        chinese_warning="文件中的各标记对内容来源的说法不一致，请人工核对。",
    ),
    # --- the file
    Rule(
        "FILE-CONFIDENCE",
        "this verification",
        "A visible label counts from the confidence on that was asked for.",
        "检出的显式标识文字可信度低于设定的下限，未予计入。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-DAMAGED",
        _FILE_FORMAT,
        "The file must be readable to its end.",
        "文件已损坏，无法完整读取。",
    ),
    Rule(
        "FILE-DECODER",
        _EXPLICIT_LABEL[0],
        "What decodes the picture, video or audio must be installed.",
        "未安装解码该图像、视频或音频所需的库，未检查显式标识。",
        other_clauses=_EXPLICIT_LABEL[1:],
    ),
    Rule(
        "FILE-DENIAL",
        "this verification",
        "A text on the picture that denies AI is a claim that nobody has checked.",
        "画面文字否认使用人工智能；该说法未经核实，不能证明任何事。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-LETTERS",
        "this verification",
        "A text on the picture begins with AI and goes on in letters that OCR cannot read.",
        "画面中有以“AI”开头的文字，其后字母（如西里尔字母）OCR 无法识别，是否为标识无法判断。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-LIMITS",
        _FILE_FORMAT,
        "Reading the file must end by itself, within the limits on time and memory.",
        "读取该文件的过程须在时间与内存限额内正常结束；未结束的部分未作检查。",
    ),
    Rule(
        "FILE-NAME",
        _FILE_FORMAT,
        "The file name's extension should match the content.",
        "文件扩展名与实际内容的格式不符。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-PARTS",
        "this verification",
        "All frames, pages, views and video tracks should be looked at and have the visible label.",
        "文件含有多个帧、页、视图或视频轨，其中有的没有显式标识或未经检查。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-PIXELS",
        _EXPLICIT_LABEL[0],
        "The content must be decodable, so that the label can be looked for.",
        "未能解码或渲染文件内容，因此未检查显式标识。",
        other_clauses=_EXPLICIT_LABEL[1:],
    ),
    Rule(
        "FILE-STRUCTURE",
        _FILE_FORMAT,
        "The file should be readable by other programs.",
        "文件结构有误，其他软件可能无法完整读取。",
        Severity.WARNING,
    ),
    Rule(
        "FILE-UNCHECKED",
        "this verification",
        "Every part of the file must be checked.",
        "文件的某一部分因程序故障或资源不足未能核验，不能据此认为没有标识。",
    ),
    Rule(
        "FILE-UNREAD",
        _FILE_FORMAT,
        "Every place that may hold a label must be readable.",
        "文件中可能存放标识的某一处无法读取，不能据此认为没有标识。",
    ),
    Rule(
        "FILE-UNREADABLE",
        _FILE_FORMAT,
        "The file must be readable.",
        "文件无法读取。",
    ),
)
