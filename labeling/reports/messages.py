"""The words of reports in each language: columns, verdicts, origins, clauses.

Only reports for people are translated. The forms for programs stay English, since programs compare their words. The
sentences of rules are in :mod:`labeling.rule_catalogue`.
"""

from __future__ import annotations

import re

from labeling.findings import Defect, Severity
from labeling.rule_catalogue import RULES

LANGUAGES = ("en", "zh")
TAGS = {"en": "en", "zh": "zh-CN"}
"""BCP 47 tags, for ``lang`` attributes."""

WORDS: dict[str, tuple[str, str]] = {
    # verdicts and origins
    "compliant": ("compliant", "合规"),
    "noncompliant": ("noncompliant", "不合规"),
    "inconclusive": ("inconclusive", "无法判定"),
    "confirmed": ("confirmed", "已确认"),
    "possible": ("possible", "可能"),
    "suspected": ("suspected", "疑似"),
    "none": ("none", "未发现"),
    # status and signature of a mark
    "present": ("present", "有"),
    "absent": ("absent", "无"),
    "defective": ("defective", "有缺陷"),
    "duplicate": ("duplicate", "重复"),
    "conflict": ("conflict", "相互矛盾"),
    "unreadable": ("unreadable", "无法读取"),
    "unchecked": ("not checked", "未检查"),
    "signature:trusted": ("trusted", "可信"),
    "signature:valid": ("valid", "有效"),
    "signature:expired": ("expired", "证书已过期"),
    "signature:failed": ("failed", "无效"),
    "signature:unsupported": ("unsupported", "不支持"),
    "signature:none": ("none", "无"),
    # marks
    "aigc": ("aigc", "隐式标识"),
    "visible": ("visible", "显式标识"),
    "c2pa": ("c2pa", "C2PA"),
    "iptc": ("iptc", "IPTC"),
    "exif": ("exif", "EXIF"),
    "generator": ("generator", "生成痕迹"),
    "watermark": ("watermark", "数字水印"),
    "ledger": ("ledger", "台账"),
    "long:ledger": ("Record in the ledger", "台账记录"),
    "long:aigc": ("Implicit label (AIGC field)", "隐式标识（AIGC 字段）"),
    "long:visible": ("Visible label", "显式标识"),
    "long:c2pa": ("Content credentials (C2PA)", "内容凭证（C2PA）"),
    "long:iptc": ("IPTC source type", "IPTC 数字来源类型"),
    "long:exif": ("EXIF", "EXIF"),
    "long:generator": ("Generator trace", "生成工具痕迹"),
    "long:watermark": ("Imperceptible watermark", "不可见数字水印"),
    # techniques (Code of Practice 2.1.2)
    "technique": ("Rests on", "依据技术"),
    "technique:metadata": ("metadata", "元数据"),
    "technique:signed metadata": ("signed metadata", "带签名的元数据"),
    "technique:visible mark": ("visible mark, read by OCR", "显式标识（文字识别）"),
    "technique:audible mark": ("audible mark", "声音标识"),
    "technique:hidden in pixels": ("data hidden in pixels", "隐藏于像素中的数据"),
    "technique:watermark": ("watermark", "数字水印"),
    "technique:fingerprint": ("fingerprint", "内容指纹"),
    "technique:log": ("log of labels given", "标识日志"),
    # tables
    "file": ("File", "文件"),
    "type": ("Type", "类型"),
    "origin": ("Origin", "来源"),
    "damaged": ("problem", "问题"),
    "problem": ("Problem", "问题"),
    "evidence": ("trace", "痕迹"),
    "to show": ("to show", "应当提示"),
    "disclaimer": (
        "An unsigned label is a claim, not proof, and the absence of labels proves nothing.",
        "未经签名的标识只是声明而非证明；没有标识也不能证明任何事。",
    ),
    "every file": ("Every file", "所有文件"),
    "more": ("and {n} more", "等另外 {n} 个文件"),
    "files": ("{n} files", "共 {n} 个文件"),
    "files:1": ("1 file", "共 1 个文件"),
    "folder": ("Folder", "目录"),
    # the page
    "title": ("AI content label report", "人工智能生成合成内容标识核验报告"),
    "date": ("Date", "核验时间"),
    "legend": (
        "✓ present, – not found, ✗ defective, ? unreadable, · not checked.",
        "✓ 有，– 未检出，✗ 有缺陷，? 无法读取，· 未检查。",
    ),
    "tool": ("Tool", "核验工具"),
    "scope": ("Checked", "核验范围"),
    "scope:all": ("visible label and metadata", "显式标识与元数据"),
    "scope:metadata": ("metadata only; the visible label was not looked for", "仅元数据，未检查显式标识"),
    "redacted": ("Redacted", "脱敏"),
    "redacted:yes": (
        "provenance of systems only; what may be about persons is withheld",
        "仅含系统来源信息；可能涉及个人的内容未予显示",
    ),
    "profiles": ("Rules", "适用规则"),
    "since": ("(since {day}; sources: {sources})", "（自 {day} 起施行；依据：{sources}）"),
    "from": ("(only from {day} on; sources: {sources})", "（{day} 起方施行；依据：{sources}）"),
    "summary": ("Summary and filters", "汇总与筛选"),
    "by verdict": ("Files by verdict", "按结论"),
    "by origin": ("Files by origin", "按来源"),
    "all": ("all", "全部"),
    "overview": ("Overview", "总览"),
    "caption": ("What needs attention comes first.", "需要处理的文件排在前面。"),
    "details": ("Files", "逐个文件"),
    "no picture": ("no picture to show", "无法显示图像"),
    "thumbnail": ("the picture, reduced", "图像缩略图"),
    "box": ("visible label as found", "检出的显式标识"),
    "notice": ("Notice that a platform must show:", "平台应当显示的提示："),
    "size": ("Size", "大小"),
    "bytes": ("bytes", "字节"),
    "sha256": ("SHA-256", "SHA-256"),
    "findings": ("Findings", "核验发现"),
    "no findings": ("No issues found.", "未发现问题。"),
    "absent:": ("Not found:", "未检出："),
    "comma": (", ", "、"),
    "marks": ("Labels and marks", "标识与标记"),
    "raw": ("All fields as they are in the file", "文件中的原始字段"),
    "error": ("error", "不符合"),
    "warning": ("warning", "提示"),
    "column:severity": ("Severity", "级别"),
    "column:finding": ("Finding", "说明"),
    "column:rule": ("Rule and clause", "规则与条款"),
    "column:profile": ("Profile", "适用规则"),
    "column:mark": ("Mark", "标识"),
    "column:status": ("Status", "状态"),
    "column:says": ("Says", "内容"),
    "column:signature": ("Signature", "签名"),
    "why:confirmed": ("an implicit label says that AI made it", "隐式标识表明其由人工智能生成合成"),
    "why:possible": (
        "a label or the uploader says that AI may have made it",
        "标识或上传者声明其可能由人工智能生成合成",
    ),
    "why:suspected": (
        "no implicit label says so, but there are other traces of AI",
        "未发现隐式标识的确认，但存在其他生成合成痕迹",
    ),
    "why:none": (
        "nothing indicates AI, which proves nothing",
        "未发现任何相关标识或痕迹；这并不能证明内容非人工智能生成",
    ),
    "why:unreadable": (
        "the file could not be read to its end, so no conclusion is possible",
        "文件无法完整读取，不能得出结论",
    ),
    # a classification
    "not known": ("not known", "无法判断"),
    "colon": (": ", "："),
    "in brackets": (" ({})", "（{}）"),
    "automatic": ("automatic decision", "自动判定"),
    "reviewer": ("reviewer", "审核人"),
    "long:declaration": ("Declaration of the uploader", "上传者声明"),
    "declared": ("the uploader declares", "上传者声明"),
    "declared:yes": ("AI-generated", "属于人工智能生成合成内容"),
    "declared:no": ("not AI-generated", "不属于人工智能生成合成内容"),
    "rests on": ("rests on", "依据"),
    "contradiction": ("contradiction", "相互矛盾"),
    "not read": ("not read", "未能读取"),
    "recorded": ("ledger records", "台账记录"),
    "contradiction:camera": (
        "one mark says that a camera or a person made it, another that AI did",
        "一处标记表明由相机拍摄或由人创作，另一处表明由人工智能生成",
    ),
    "contradiction:labels": ("the implicit labels differ", "各隐式标识内容不一致"),
    "contradiction:certainty": (
        "the label is not sure, and another mark is",
        "隐式标识仅称“可能”或“疑似”，另一标记却予以肯定",
    ),
    "contradiction:declared-no": (
        "declared as not AI-generated, and a mark says that it is",
        "声明为非生成合成内容，但文件带有生成合成标记",
    ),
    "contradiction:declared-yes": (
        "declared as AI-generated, and a mark says that a camera or a person made it",
        "声明为生成合成内容，但标记表明由相机拍摄或由人创作",
    ),
    "aigc:trusted": ("matches the label; the key is one you pinned", "与标识内容一致，公钥为预先指定的可信公钥"),
    "aigc:valid": (
        "matches the label; the key comes from the file itself",
        "与标识内容一致，公钥来自文件本身，身份未证实",
    ),
    "aigc:failed": ("does not match the label", "与标识内容不一致"),
    "aigc:unsupported": ("security data in a form that cannot be checked", "安全数据的形式无法核验"),
    "aigc:none": ("unsigned: a claim, not proof", "未签名：仅为声明"),
    "c2pa:trusted": ("intact; the signer is on a trust list", "内容完整；签名者在信任列表中"),
    "c2pa:valid": ("intact; not trusted throughout", "内容完整；未能全部证实可信"),
    "c2pa:expired": ("intact; the signer's certificate has expired", "内容完整；签名者的证书已过期"),
    "c2pa:failed": ("not valid: see the findings", "验证未通过，详见核验发现"),
    "c2pa:unsupported": ("of a kind that cannot be checked", "采用的方式无法核验"),
    "c2pa:none": ("could not be checked", "无法核验"),
    "label": ("Label", "生成合成标签"),
    "Label:1": ("(generated)", "（属于）"),
    "Label:2": ("(may be generated)", "（可能）"),
    "Label:3": ("(suspected)", "（疑似）"),
    "producer": ("Producer", "生成合成服务提供者"),
    "content id": ("Content number", "内容制作编号"),
    "propagator": ("Propagator", "内容传播服务提供者"),
    "text": ("Text", "文字"),
    "height": ("Height", "高度"),
    "contrast": ("Contrast", "对比度"),
    "seconds": ("Time", "时间"),
    "at:top-left": ("top-left", "左上角"),
    "at:top": ("top", "上边缘"),
    "at:top-right": ("top-right", "右上角"),
    "at:right": ("right", "右边缘"),
    "at:bottom-right": ("bottom-right", "右下角"),
    "at:bottom": ("bottom", "下边缘"),
    "at:bottom-left": ("bottom-left", "左下角"),
    "at:left": ("left", "左边缘"),
    "position": ("Position", "位置"),
    "integrity": ("Integrity", "完整性"),
    "trust": ("Trust", "信任"),
    "watermark said": ("Watermark", "水印"),
    "history": ("History", "编辑历史"),
    "signer": ("Signer", "签名者"),
    "time stamp": ("Time stamp", "时间戳"),
    "source type": ("Source type", "来源类型"),
    "ledger record": ("Recorded", "记录"),
    "copy": ("Copy without explicit label (Art. 9)", "不含显式标识的副本（《标识办法》第九条）"),
    "agreement": ("Agreement", "协议"),
    "kept until": ("Kept until at least", "至少保存至"),
    "made with": ("Made with", "生成工具"),
    "confidence": ("Confidence", "可信度"),
    "how": (
        "Files were read offline; signatures were checked only against the trust lists that are named. Thumbnails are "
        "reduced pictures; SHA-256 identifies the file that was examined.",
        "核验在离线状态下进行；签名仅依据所列出的信任列表核验。缩略图为缩小后的图像；SHA-256 用于确认被核验的文件。",
    ),
}

PROFILE_TITLES = {
    "cn": "中国：《人工智能生成合成内容标识办法》与 GB 45438-2025",
    "platform": "中国：网络信息内容传播平台的义务（《标识办法》第六条）",
    "eu": "欧盟：《人工智能法》第 50 条及《标记与标识行为准则》",
    "eu-art50": "欧盟：仅依《人工智能法》第 50 条（未签署行为准则者）",
    "us-ca": "美国加利福尼亚州：《人工智能透明度法》（SB 942、AB 853、SB 1000）",
    "us-wa": "美国华盛顿州：HB 1170",
    "in": "印度：经 G.S.R. 120(E) 修订的《信息技术规则》",
    "kr": "韩国：《人工智能基本法》第 31 条",
}


def word(key: str, language: str = "en", **values: object) -> str:
    """Return the word for ``key``, or the key itself if it is not known. ``values`` fill its placeholders."""
    pair = WORDS.get(key)
    text = key if pair is None else pair[language == "zh"]
    return text.format(**values) if values else text


def profile_title(name: str, language: str = "en") -> str:
    """Return a profile's title; of a custom profile only the name is known here."""
    from labeling.rules import PROFILES

    if language == "zh" and name in PROFILE_TITLES:
        return PROFILE_TITLES[name]
    return PROFILES[name].title if name in PROFILES else name


def placed(where: str, language: str = "en") -> str:
    """Return a finding's place in a language: a position on the picture is translated, a place in the file is not."""
    return word(f"at:{where}", language) if f"at:{where}" in WORDS else where


def sentence(defect: Defect, language: str = "en") -> tuple[str, str]:
    """Return what a defect says in a language: a sentence, and the English original if that says more.

    In English the sentence is the message. In Chinese it is that of the catalogue; what the message says about the file
    (a value, a number, a parser's answer) is only in the original, which is ``""`` if there is no such part.
    """
    rule = RULES.get(defect.rule)
    if language != "zh" or rule is None:
        return defect.message, ""
    particular = not rule.general and _PARTICULAR.search(defect.message)
    sentence = rule.sentence(language, warning=defect.severity is Severity.WARNING)
    return sentence, defect.message if particular else ""


_PARTICULAR = re.compile(r"[:'\"(\d]")
"""A message with a quotation, a number or a colon says something about this file."""

_CLAUSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"Labelling Measures Art\. (\d+)(?:\((\d)\))?", "《人工智能生成合成内容标识办法》第{0}条"),
        (r"Deep Synthesis Provisions Art\. (\d+)", "《互联网信息服务深度合成管理规定》第{0}条"),
        (r"AI Act Art\. (\d+)\((\d+)\)", "欧盟《人工智能法》第 {0} 条第 {1} 款"),
        (r"Code of Practice on marking and labelling \((\S+)\), deployers", "《标记与标识行为准则》（{0}）部署者部分"),
        (r"Code of Practice on marking and labelling \((\S+)\) ([\d.]+)", "《标记与标识行为准则》（{0}）第 {1} 项"),
        (r"AI Basic Act Art\. (\d+)", "韩国《人工智能基本法》第 {0} 条"),
        (r"IT Rules 2021 as amended by (G\.S\.R\. [\w()]+)", "印度《信息技术规则》（2021，经 {0} 修订）"),
        (r"Washington (HB \d+)", "华盛顿州 {0} 法案"),
        (r"Cal\. Bus\. & Prof\. Code (\S+)", "《加州商业与职业法典》第 {0} 条"),
        (r"GB 45438-2025 Annex (\w)", "GB 45438-2025 附录 {0}"),
        (r"GB 45438-2025,? (\d[\d.]*)(?: (\w)\))?", "GB 45438-2025 第 {0} 条{1}"),
        (r"(TC260-PG-\w+) (\w[\w.]*)", "{0} 第 {1} 条"),
        (r"IPTC Photo Metadata ([\d.]+), Digital Source Type", "IPTC 图片元数据标准 {0},数字来源类型"),
        (r"XMP part (\d), ([\d.]+)", "XMP 规范第 {0} 部分 {1}"),
        (r"the file format", "文件格式规范"),
        (r"the custom profile", "自定义规则"),
        (r"this verification", "本次核验"),
        (r"; ", "；"),
    )
)
_NUMERALS = "零一二三四五六七八九十"


def clause(text: str, language: str = "en") -> str:
    """Return a clause as it is cited: in Chinese, laws by their Chinese titles, standards by their numbers."""
    if language != "zh":
        return text
    for pattern, words in _CLAUSES:
        text = pattern.sub(lambda match, words=words: _cited(words, match), text)  # type: ignore[misc]
    return text


def _cited(words: str, match: re.Match[str]) -> str:
    parts = [part or "" for part in match.groups()]
    if "第{0}条" in words:  # articles of Chinese law, and their items, are cited in Chinese numerals
        item = f"第（{_numeral(int(parts[1]))}）项" if parts[1:] and parts[1] else ""
        return words.format(_numeral(int(parts[0]))) + item
    if words.startswith("GB") and parts[1:] and parts[1]:
        parts[1] = f" {parts[1]})"
    return words.format(*parts)


def _numeral(number: int) -> str:
    """Return the Chinese numeral for 1 to 99."""
    tens, ones = divmod(number, 10)
    if not tens:
        return _NUMERALS[ones]
    return (_NUMERALS[tens] if tens > 1 else "") + "十" + (_NUMERALS[ones] if ones else "")
