"""What each rule asks, in general and in one sentence, English and Chinese: the catalogue behind the reports.

A defect's own message tells what one file says; these sentences name the rule to somebody who does not know its id.
``tests/test_reports.py`` fails where a rule id of the code has no row here. Chinese terms are those of GB 45438-2025:
显式标识 (explicit label), 隐式标识 (implicit label), 要素 (element), 服务提供者 (provider), 传播 (propagation).
"""

from __future__ import annotations

RULES: dict[str, tuple[str, str]] = {
    # China: what a file has to carry
    "CN-IMPLICIT-MISSING": (
        "The metadata must hold an implicit label (AIGC field).",
        "文件元数据中未发现隐式标识（AIGC 字段）。",
    ),
    "CN-VISIBLE-MISSING": (
        "A visible label with both an AI and a generation element must stand at an edge or corner.",
        "未发现显式标识：画面边缘或角落处没有同时包含“人工智能/AI”和“生成/合成”要素的文字。",
    ),
    "CN-VISIBLE-SKIPPED": (
        "The visible label was not looked for; the verdict speaks of the metadata only.",
        "按要求未检查显式标识，本结论仅针对元数据。",
    ),
    "CN-VISIBLE-SIZE": (
        "The visible label's text must be at least 5 % of the shortest side high.",
        "显式标识的文字高度低于画面最短边长度的 5%。",
    ),
    "CN-VISIBLE-CONTRAST": (
        "The visible label must be legible.",
        "显式标识与背景对比度不足，不易辨认。",
    ),
    "CN-VISIBLE-FRAMES": (
        "Every frame of an animation must carry the visible label.",
        "动图中存在没有显式标识的帧。",
    ),
    "CN-VISIBLE-TIME": (
        "A film must show the visible label from its first picture on, for at least 2 s.",
        "视频起始画面未持续显示显式标识：应当自首帧起以正常播放速度显示不少于 2 秒。",
    ),
    "CN-AUDIBLE-SPEECH": (
        "A sound must carry a spoken label or the rhythm short-long-short-short; spoken labels are not recognised.",
        "音频起始和末尾未检出“短长短短”节奏标识；本工具不识别语音标识，因此不作判断，请人工试听。",
    ),
    # China: the form of the implicit label
    "CN-IMPLICIT-BASE64": (
        "The label's value must be plain JSON, not Base64.",
        "隐式标识的值经过 Base64 编码，应当直接写入 JSON。",
    ),
    "CN-IMPLICIT-CHARACTERS": (
        "The label's values should use the standard's characters only.",
        "隐式标识的值含有标准推荐字符集以外的字符。",
    ),
    "CN-IMPLICIT-ENCODING": (
        "The label's JSON must be UTF-8.",
        "隐式标识的 JSON 未采用 UTF-8 编码。",
    ),
    "CN-IMPLICIT-EXTRA-KEYS": (
        "The label must have the standard's seven keys and no others.",
        "隐式标识含有标准规定的七个要素以外的键。",
    ),
    "CN-IMPLICIT-JSON": (
        "The label's value must be a JSON object.",
        "隐式标识的值不是合法的 JSON 对象。",
    ),
    "CN-IMPLICIT-KEY-NAME": (
        "The label's keys must be named as in the standard.",
        "隐式标识的键名与标准规定不一致。",
    ),
    "CN-IMPLICIT-KEYS": (
        "The label must have all seven keys of the standard.",
        "隐式标识缺少标准规定的键。",
    ),
    "CN-IMPLICIT-LABEL": (
        "Label must be 1 (generated), 2 (possibly generated) or 3 (suspected).",
        "生成合成标签（Label）的取值应为字符串“1”（属于）、“2”（可能）或“3”（疑似）。",
    ),
    "CN-IMPLICIT-LEGACY": (
        "The keys are those of the practice guide of 2023, not the standard's seven.",
        "隐式标识采用 2023 年实践指南的旧格式，不是标准规定的七个要素。",
    ),
    "CN-IMPLICIT-NAMESPACE": (
        "The XMP property must be in the namespace of TC260.",
        "XMP 属性所用的命名空间不是 TC260 规定的命名空间。",
    ),
    "CN-IMPLICIT-ONE": (
        "A file must carry exactly one implicit label.",
        "同一文件中存在多个隐式标识，应当只有一个。",
    ),
    "CN-IMPLICIT-ORDER": (
        "The keys should be in the standard's order.",
        "隐式标识各键的顺序与标准不一致。",
    ),
    "CN-IMPLICIT-PROPAGATOR": (
        "The first write should repeat the producer's values in the propagator's fields.",
        "传播要素为空：首次写入时应与生成合成服务提供者的要素一致。",
    ),
    "CN-IMPLICIT-REQUIRED": (
        "Label, ContentProducer and ProduceID must not be empty.",
        "隐式标识的必填值为空。",
    ),
    "CN-IMPLICIT-SPLIT": (
        "The label must be one field, not a property for each key.",
        "隐式标识被拆分为多个属性，应当合并为一个字段。",
    ),
    "CN-IMPLICIT-STRINGS": (
        "All values of the label must be strings.",
        "隐式标识的值应当全部为字符串。",
    ),
    "CN-IMPLICIT-TWICE": (
        "The JSON object must be encoded once.",
        "隐式标识的 JSON 被重复编码。",
    ),
    "CN-PROVIDER-CODE": (
        "Providers should be named by their 27-character code.",
        "服务提供者未使用有效的 27 位编码。",
    ),
    "CN-SECURITY-SIGNATURE": (
        "The signature in the security data must match the label.",
        "安全数据中的签名与标识内容不符，标识可能已被篡改。",
    ),
    # China: platforms
    "PLATFORM-PROPAGATOR": (
        "Platforms add the propagator's half when they publish.",
        "尚未填写传播要素：发布时应当补充传播平台的信息。",
    ),
    # European Union
    "EU-MARKED": (
        "A machine-readable mark must say that the content is generated.",
        "没有机器可读的标记表明内容由人工智能生成。",
    ),
    "EU-SIGNED": (
        "Digitally signed metadata must say that the content is generated.",
        "没有经数字签名、并声明内容由人工智能生成的元数据（C2PA）。",
    ),
    "EU-TRUSTED": (
        "The signer should be on a trust list.",
        "签名者不在所提供的信任列表中：完整性已证实，身份未证实。",
    ),
    "EU-TIME-STAMP": (
        "The signature should carry a time stamp of a time-stamp authority.",
        "签名没有时间戳机构签发的时间戳。",
    ),
    "EU-WATERMARK": (
        "There should be a second layer: an imperceptible watermark.",
        "缺少第二层标记：未发现或未检查不可见水印。",
    ),
    "EU-VISIBLE": (
        "Deployers of deep fakes have to disclose them visibly.",
        "未发现可见标识：深度伪造内容的部署者负有披露义务。",
    ),
    # California
    "US-CA-PROVIDER": (
        "The latent disclosure must give the provider's name.",
        "隐性披露未给出提供者名称。",
    ),
    "US-CA-SYSTEM": (
        "The latent disclosure must give the name of the generating system.",
        "隐性披露未给出生成系统名称。",
    ),
    "US-CA-VERSION": (
        "The latent disclosure must give the version of the generating system.",
        "隐性披露未给出生成系统版本号。",
    ),
    "US-CA-TIME": (
        "The latent disclosure must give date and time of creation.",
        "隐性披露未给出生成的日期和时间。",
    ),
    "US-CA-ID": (
        "The latent disclosure must give a unique identifier.",
        "隐性披露未给出唯一标识符。",
    ),
    "US-CA-VISIBLE": (
        "Users must at least be offered a manifest (visible) disclosure.",
        "未发现显性披露：至少应向用户提供该选项。",
    ),
    # C2PA
    "C2PA-BROKEN": (
        "A C2PA manifest must fit its file.",
        "C2PA 清单与文件不再相符，或其签名已失效。",
    ),
    "C2PA-ACTION": ("The manifest's actions must follow the specification.", "C2PA 操作记录不符合规范。"),
    "C2PA-ALGORITHM": (
        "Signature and hashes must use algorithms that are allowed.",
        "C2PA 签名或散列使用了不允许的算法。",
    ),
    "C2PA-ASSERTION": (
        "Every statement in the manifest must be there and unchanged.",
        "C2PA 清单中的声明缺失、被改动或未通过验证。",
    ),
    "C2PA-CREDENTIAL": (
        "The signer's certificate must be one that may sign claims.",
        "签名者的证书不具备签署 C2PA 声明的资格。",
    ),
    "C2PA-EXPIRED": (
        "The signature must be made within its certificate's validity.",
        "签名不在证书有效期内，或证书已过期且没有可信时间戳。",
    ),
    "C2PA-HASH-MISMATCH": (
        "The content must be what was signed.",
        "内容与签名时不一致：文件在签名之后被修改。",
    ),
    "C2PA-INGREDIENT": ("The manifests of ingredients must validate.", "素材（ingredient）的 C2PA 清单未通过验证。"),
    "C2PA-MALFORMED": ("The manifest must be well-formed.", "C2PA 清单格式错误，无法读取。"),
    "C2PA-NO-SOURCE-TYPE": (
        "A manifest of created content must give its digitalSourceType.",
        "C2PA 清单声明内容为新建，但未给出数字来源类型（digitalSourceType）。",
    ),
    "C2PA-REVOKED": ("The signer's certificate must not be revoked.", "签名者的证书已被吊销。"),
    "C2PA-SIGNATURE": ("The signature must match the claim.", "C2PA 签名与声明不匹配。"),
    "C2PA-UNSUPPORTED": (
        "Manifests in this file format cannot be checked here.",
        "文件含有 C2PA 清单，但暂不支持核验该格式中的清单。",
    ),
    "C2PA-TIME-STAMP": ("The time stamp must hold.", "时间戳无效。"),
    # IPTC, XMP, files
    "IPTC-DST-CONFLICT": (
        "A file must have one DigitalSourceType.",
        "文件中的数字来源类型有多个互不一致的值。",
    ),
    "IPTC-DST-NAMESPACE": (
        "DigitalSourceType must be in the namespace of IPTC Extension.",
        "数字来源类型属性未使用 IPTC 扩展命名空间。",
    ),
    "IPTC-DST-TERM": (
        "DigitalSourceType must be a term of the IPTC vocabulary.",
        "数字来源类型不是 IPTC 词表中的术语。",
    ),
    "IPTC-DST-URI": (
        "DigitalSourceType must be a full URI of the IPTC vocabulary.",
        "数字来源类型未使用 IPTC 词表的完整 URI。",
    ),
    "XMP-BROKEN": ("The XMP packet must be well-formed.", "XMP 数据包损坏，无法解析。"),
    "FILE-DAMAGED": ("The file must be readable to its end.", "文件已损坏，无法完整读取。"),
    "FILE-NAME": ("The name's extension should agree with the content.", "文件扩展名与实际内容的格式不符。"),
    "FILE-PIXELS": (
        "The picture, film or sound must be decodable.",
        "图像、视频或音频无法解码，未能检查显式标识。",
    ),
    "FILE-UNREADABLE": ("The file must be readable.", "文件无法读取。"),
}
"""Rule id → (English, Chinese)."""

MILDER: dict[str, str] = {
    "CN-SECURITY-SIGNATURE": "安全数据中的签名无法核验，不作判断。",
}
"""Rules whose warnings say something else than their errors, in Chinese."""
