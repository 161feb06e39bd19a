"""China: the Labelling Measures, GB 45438-2025, and the practice guides of TC260."""

from __future__ import annotations

from labeling.findings import Severity
from labeling.rule_catalogue._rule import EXPLICIT_LABEL, Rule

_MEDIA = ("text", "image", "audio", "video")
_EXPLICIT = "Labelling Measures Art. 4"
_ANNEX_E = "GB 45438-2025 Annex E"
_TEXTS, _PICTURES, _SOUNDS, _VIDEOS = (f"GB 45438-2025 {EXPLICIT_LABEL[each]}" for each in _MEDIA)

RULES = (
    # --- what a file has to carry
    Rule(
        "CN-IMPLICIT-MISSING",
        "Labelling Measures Art. 5; GB 45438-2025 6.1",
        "The metadata must hold an implicit label (AIGC field).",
        "文件元数据中未发现隐式标识（AIGC 字段）。",
        general=True,
    ),
    Rule(
        "CN-VISIBLE-MISSING",
        f"{_EXPLICIT}; {_PICTURES}",
        "An explicit label with both an AI and a generation element must be there: on a picture at an edge or corner.",
        "OCR 未检出显式标识（音频则未检出声音标识）：没有同时包含“人工智能/AI”和“生成/合成”要素的提示。",
        other_clauses=tuple(f"{_EXPLICIT}; {each}" for each in (_VIDEOS, _SOUNDS, _TEXTS)),
        general=True,
    ),
    Rule(
        "CN-RECORDED-COPY",
        "Labelling Measures Art. 9",
        "A copy was given out without the explicit label, as recorded; whoever publishes it has to label it.",
        "台账记录：该内容曾应用户要求提供不含显式标识的副本；公开传播者应当依法添加显式标识。",
        Severity.WARNING,
    ),
    Rule(
        "CN-VISIBLE-SKIPPED",
        _EXPLICIT,
        "The visible label was not looked for; the verdict covers the metadata only.",
        "未检查显式标识，本结论仅针对元数据。",
        Severity.WARNING,
        general=True,
    ),
    Rule(
        "CN-VISIBLE-WORDING",
        _PICTURES,
        "The text of the visible label must have the standard's AI element and its generation element.",
        "显式标识的文字未同时包含“人工智能/AI”和“生成/合成”要素。",
        other_clauses=(_VIDEOS, _SOUNDS, _TEXTS),
    ),
    Rule(
        "CN-VISIBLE-SIZE",
        _PICTURES,
        "The text of the visible label must be at least 5 % of the shortest side in height.",
        "显式标识的文字高度低于画面最短边长度的 5%。",
        other_clauses=(_VIDEOS,),
    ),
    Rule(
        "CN-VISIBLE-POSITION",
        _PICTURES,
        "The visible label of a picture must be at an edge or corner.",
        "图片的显式标识未位于边缘或角落。",
    ),
    Rule(
        "CN-VISIBLE-CONTRAST",
        _PICTURES,
        "The visible label must be legible.",
        "显式标识与背景对比度不足，不易辨认。",
        Severity.WARNING,
        other_clauses=(_VIDEOS,),
    ),
    Rule(
        "CN-VISIBLE-FRAMES",
        _PICTURES,
        "Every frame of an animation must carry the visible label.",
        "动图中存在没有显式标识的帧。",
    ),
    Rule(
        "CN-VISIBLE-TIME",
        _VIDEOS,
        "A video must show the visible label from its first frame on, for at least 2 s.",
        "视频起始画面未持续显示显式标识：应当自首帧起以正常播放速度显示不少于 2 秒。",
    ),
    Rule(
        "CN-AUDIBLE-SPEECH",
        _SOUNDS,
        "Audio must carry a spoken label or the rhythm short-long-short-short; of spoken labels, only known recordings "
        "are recognised.",
        "音频起始和末尾未检出“短长短短”节奏标识，也未检出已知录音的语音标识；本工具不识别其他语音标识，因此不作判断，请人工试听。",
        Severity.WARNING,
    ),
    # --- the form of the implicit label
    Rule(
        "CN-IMPLICIT-BASE64",
        _ANNEX_E,
        "The label's value must be plain JSON, not Base64.",
        "隐式标识的值经过 Base64 编码，应当直接写入 JSON。",
    ),
    Rule(
        "CN-IMPLICIT-CHARACTERS",
        _ANNEX_E,
        "The label's values should use only the characters that the standard recommends.",
        "隐式标识的值含有标准推荐字符集以外的字符。",
        Severity.WARNING,
    ),
    Rule(
        "CN-IMPLICIT-ENCODING",
        "RFC 8259 8.1",
        "The label's JSON must be UTF-8.",
        "隐式标识的 JSON 未采用 UTF-8 编码。",
    ),
    Rule(
        "CN-IMPLICIT-EXTRA-KEYS",
        _ANNEX_E,
        "The label must have the standard's seven keys and no others.",
        "隐式标识含有标准规定的七个要素以外的键。",
    ),
    Rule(
        "CN-IMPLICIT-JSON",
        _ANNEX_E,
        "The label's value must be a JSON object.",
        "隐式标识的值不是合法的 JSON 对象。",
    ),
    Rule(
        "CN-IMPLICIT-KEY-NAME",
        _ANNEX_E,
        "The label's keys must be named as in the standard.",
        "隐式标识的键名与标准规定不一致。",
    ),
    Rule(
        "CN-IMPLICIT-KEYS",
        _ANNEX_E,
        "The label must have all seven keys of the standard; of the reserved ones it should.",
        "隐式标识缺少标准规定的键。",
        either=True,
        chinese_warning="隐式标识缺少标准规定的预留字段（ReservedCode1、ReservedCode2）。",
    ),
    Rule(
        "CN-IMPLICIT-LABEL",
        _ANNEX_E,
        "Label must be 1 (generated), 2 (possibly generated) or 3 (suspected).",
        "生成合成标签（Label）的取值应为字符串“1”（属于）、“2”（可能）或“3”（疑似）。",
    ),
    Rule(
        "CN-IMPLICIT-LEGACY",
        _ANNEX_E,
        "The keys are those of the practice guide of 2023, not the standard's seven.",
        "隐式标识采用 2023 年实践指南的旧格式，不是标准规定的七个要素。",
    ),
    Rule(
        "CN-IMPLICIT-NAMESPACE",
        "TC260-PG-20259A 6",
        "The XMP property must be in the namespace of TC260.",
        "XMP 属性所用的命名空间不是 TC260 规定的命名空间。",
    ),
    Rule(
        "CN-IMPLICIT-ONE",
        "GB 45438-2025 6.1 c)",
        "A file must carry exactly one implicit label.",
        "同一文件中存在多个隐式标识，应当只有一个。",
    ),
    Rule(
        "CN-IMPLICIT-ORDER",
        _ANNEX_E,
        "The keys should be in the standard's order.",
        "隐式标识各键的顺序与标准不一致。",
        Severity.WARNING,
    ),
    Rule(
        "CN-IMPLICIT-PROPAGATOR",
        _ANNEX_E,
        "The first write should repeat the producer's values in the propagator's fields.",
        "传播要素为空：首次写入时应与生成合成服务提供者的要素一致。",
        Severity.WARNING,
    ),
    Rule(
        "CN-IMPLICIT-REQUIRED",
        "GB 45438-2025 6.1",
        "Label, ContentProducer and ProduceID must not be empty.",
        "隐式标识的必填值为空。",
    ),
    Rule(
        "CN-IMPLICIT-SPLIT",
        _ANNEX_E,
        "The label must be one field, not a property for each key.",
        "隐式标识被拆分为多个属性，应当合并为一个字段。",
    ),
    Rule(
        "CN-IMPLICIT-STRINGS",
        _ANNEX_E,
        "All values of the label must be strings.",
        "隐式标识的值应当全部为字符串。",
    ),
    Rule(
        "CN-IMPLICIT-TWICE",
        _ANNEX_E,
        "The JSON object must be encoded once.",
        "隐式标识的 JSON 被重复编码。",
    ),
    Rule(
        "CN-PROVIDER-CODE",
        "TC260-PG-20252A",
        "Providers should be named by their 27-character code.",
        "服务提供者未使用有效的 27 位编码。",
        Severity.WARNING,
    ),
    Rule(
        "CN-SECURITY-SIGNATURE",
        "TC260-PG-202511A A.1",
        "The signature in the security data must match the label.",
        "安全数据中的签名与标识内容不符，标识可能已被篡改。",
        either=True,
        chinese_warning="安全数据中的签名无法核验，不作判断。",
    ),
    # --- duties of platforms
    Rule(
        "PLATFORM-PROPAGATOR",
        "Labelling Measures Art. 6",
        "A platform adds the propagator's fields when it publishes the content.",
        "尚未填写传播要素：发布时应当补充传播平台的信息。",
        Severity.WARNING,
        general=True,
    ),
)
