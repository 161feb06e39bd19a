"""The words of the evidence file for a regulator, in English and Chinese."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Evidence of labelling", "标识符合性证据文件"),
    "lead": (
        "Samples verified under the profile {profile}: {n}. Compliant: {compliant}; inconclusive: {inconclusive}; "
        "noncompliant: {noncompliant}.",
        "依据规则 {profile} 核验 {n} 个样本："
        "合规 {compliant} 个，无法判定 {inconclusive} 个，不合规 {noncompliant} 个。",
    ),
    "scope": (
        "This file says what was measured on these samples, and "
        "nothing about content that is not among them. What is "
        "stated by the provider and was not measured is marked so.",
        "本文件仅说明对上述样本的测量结果，不涉及样本以外的内容。由提供者陈述而未经测量的事项均已注明。",
    ),
    "date": ("Made on", "生成时间"),
    "profile": ("Rules", "适用规则"),
    "since": ("Applies from", "施行日期"),
    "not in force": ("not in force on the day of this file", "本文件生成之日尚未施行"),
    "not said": ("not recorded in this profile", "本规则未记录"),
    "sources": ("Sources", "依据"),
    "tool": ("Tool", "工具"),
    "system": ("The system", "系统说明"),
    "system:about": (
        "Stated: as written in the configuration, not measured. "
        "Found: values in the samples, with the number of samples.",
        "“陈述”为配置文件所载，未经测量；“检出”为样本中的取值及样本数。",
    ),
    "column:item": ("Item", "事项"),
    "column:stated": ("Stated", "陈述"),
    "column:found": ("Found in the samples", "样本中检出"),
    "item:provider_name": ("Provider", "提供者名称"),
    "item:producer": ("Provider code", "提供者编码"),
    "item:generator": ("System", "生成系统"),
    "item:generator_version": ("Version", "系统版本"),
    "item:filing": ("Filing number", "备案编号"),
    "item:contact": ("Contact", "联系方式"),
    "not stated": ("not stated", "未陈述"),
    "not measured": ("not measured", "未测量"),
    "none found": ("none", "未检出"),
    "marks": ("What is labelled, and how", "标识内容与方式"),
    "marks:about": ("Number of samples by what was found in them.", "按检出情况统计的样本数。"),
    "column:mark": ("Mark", "标识"),
    "column:where": ("Where, and by which technique", "位置与技术"),
    "present": ("present", "有"),
    "defective": ("defective", "有缺陷"),
    "absent": ("absent", "无"),
    "unreadable": ("unreadable", "无法读取"),
    "unchecked": ("not looked for", "未检查"),
    "clauses": ("Clause by clause", "逐条结果"),
    "clauses:about": (
        "Number of samples in which a rule was not broken, was broken, or gave rise to a warning. A rule about a mark "
        "that a sample lacks is not broken by that. Not judged: what could not be read, or not well enough.",
        "按规则统计：未发现违反、违反、提示的样本数。样本缺少某一标记时，针对该标记内容的规则不计为违反。"
        "无法读取或读取不足以判断的，计入“未判断”。",
    ),
    "column:clause": ("Rule and clause", "规则与条款"),
    "column:asks": ("What it asks", "要求或问题"),
    "no_breach": ("no breach found", "未发现违反"),
    "failed": ("broken", "违反"),
    "warned": ("warning", "提示"),
    "not_judged": ("not judged", "未判断"),
    "gaps": ("Gap analysis against the Code of Practice", "对照《行为准则》的差距分析"),
    "gaps:about": (
        "For providers who have not signed the Code (Commission "
        "Guidelines 148). Code of Practice of 2026-06-10, in our "
        "own words.",
        "供未签署《行为准则》的提供者使用（委员会指南第 148 段）。准则版本为 2026-06-10，要求以本工具的表述概括。",
    ),
    "column:measure": ("Measure", "措施"),
    "column:state": ("State", "状态"),
    "column:answer": ("Measured", "测量结果"),
    "rows": ("rows", "依据行"),
    "state:met": ("met", "符合"),
    "state:partly": ("in part", "部分符合"),
    "state:gap": ("gap", "差距"),
    "state:not measured": ("not measured", "未测量"),
    "watermark": ("Watermark and robustness", "水印与稳健性"),
    "watermark:none": (
        "No watermark is used by this tool: it writes none and "
        "reads none (row {row}). The manifests of {named} of {n} "
        "samples name one by another program, which was not looked for. Robustness: not measured.",
        "本工具不使用水印：既不写入也不读取（{row} 行）。"
        "{n} 个样本中有 {named} 个的清单声明了其他程序添加的水印，未作检测。稳健性：未测量。",
    ),
    "watermark:some": (
        "{found} of {n} samples carry a watermark (row {row}). Robustness: not measured.",
        "{n} 个样本中有 {found} 个带有水印（{row} 行）。稳健性：未测量。",
    ),
    "trust": ("Signatures and trust lists", "签名与信任列表"),
    "trust:signatures": ("Content credentials", "内容凭证"),
    "trust:unsigned": ("none in {n} samples", "{n} 个样本均无内容凭证"),
    "trust:stamped": ("With a valid time stamp", "带有效时间戳"),
    "trust:lists": ("Lists that were asked", "所查询的列表"),
    "trust:nobody": ("none: nobody is trusted", "未查询任何列表，不信任任何签名者"),
    "certificates": ("{n} certificates", "{n} 张证书"),
    "certificate": ("{n} certificate", "{n} 张证书"),
    "tests": ("Tests of the tool", "工具的测试"),
    "tests:says": (
        "The test suite of {suite} belongs to this version of the tool. It was not run for this file: not measured.",
        "{suite} 的测试套件与本版本工具配套。生成本文件时未运行该测试套件：未测量。",
    ),
    "samples": ("Samples", "样本"),
    "column:file": ("File", "文件"),
    "column:type": ("Type", "类型"),
    "column:verdict": ("Verdict", "结论"),
    "column:rules": ("Rules broken, and warnings in brackets", "违反的规则（括号内为提示）"),
    "footer": (
        "An unsigned label is a claim, not proof, and the absence of labels proves nothing. Files were read offline.",
        "未经签名的标识只是声明而非证明；没有标识也不能证明任何事。核验在离线状态下进行。",
    ),
}


def text(key: str, language: str, **values: object) -> str:
    """Return a text in a language, with its placeholders filled. Raises :class:`KeyError` for an unknown key."""
    words = TEXTS[key][language == "zh"]
    return words.format(**values) if values else words
