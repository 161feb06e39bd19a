"""The gap analysis that a provider writes who has not signed the Code of Practice (Commission Guidelines 148).

The Code of 2026-06-10, measure by measure. What a measure asks is said in our own words; the answer is counted from the
samples, with the rows that it rests on, or says that it was not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from labeling.findings import Finding, Status
from labeling.rules.evidence import SIGNED
from labeling.verification.report import Report

MET, PARTLY, GAP, UNMEASURED = "met", "partly", "gap", "not measured"
"""What a row says: of all samples, of some, of none, or nothing was measured."""

Words = tuple[str, str]

_GONE = (Status.ABSENT, Status.UNREADABLE)


class Answer(NamedTuple):
    """What was measured for one measure: the state, sentences in English and Chinese, and the rows they rest on."""

    state: str
    words: Words
    rests_on: tuple[str, ...] = ()


class Measured:
    """The counts that the answers are made from.

    Args:
        reports: The reports on the samples, under the profile eu.
        clauses: The rows of the rules.
        marks: The rows of the marks.
        private: Samples whose metadata hold values that redaction would withhold.
    """

    def __init__(
        self,
        reports: Sequence[Report],
        clauses: Sequence[Mapping[str, Any]],
        marks: Sequence[Mapping[str, Any]],
        private: int,
    ) -> None:
        self.reports = reports
        self.total = len(reports)
        self.private = private
        self.row = {row["rule"]: row["row"] for row in clauses} | {row["mark"]: row["row"] for row in marks}

    def without(self, rules: Sequence[str], there: Callable[[Finding], bool]) -> int:
        """Return in how many samples such a mark is there, and none of these rules was broken or warned of.

        A mark that could not be read breaks no rule, and meets none.
        """
        count = 0
        for report in self.reports:
            verdict = report.verdicts["eu"]
            said = {each.rule for each in (*verdict.failed, *verdict.warnings)}
            found = any(there(each) for each in report.findings if each.status not in _GONE)
            count += report.readable and found and not said & set(rules)
        return count

    def holding(self, kind: str) -> int:
        """Return how many samples hold a mark of a kind that is not absent or unreadable."""
        return sum(any(f.kind == kind and f.status not in _GONE for f in report.findings) for report in self.reports)

    def rows(self, *names: str) -> tuple[str, ...]:
        """Return the rows of rules and marks."""
        return tuple(self.row[name] for name in names if name in self.row)

    def state(self, count: int) -> str:
        """Return the state of a measure that so many samples meet."""
        return MET if count == self.total else PARTLY if count else GAP


def _machine_readable(finding: Finding) -> bool:
    return finding.kind in ("aigc", "c2pa", "iptc", "watermark")


def _signed(finding: Finding) -> bool:
    return finding.kind == "c2pa" and finding.signature in SIGNED


def _stamped(finding: Finding) -> bool:
    return _signed(finding) and finding.value.get("time_stamp", {}).get("state") == "valid"


def _disclosed(finding: Finding) -> bool:
    return finding.kind == "visible"


def _counted(words: Words, there: Callable[[Finding], bool], *rules: str) -> Callable[[Measured], Answer]:
    """Answer with the number of samples in which such a mark is there and none of these rules was broken."""

    def answer(measured: Measured) -> Answer:
        count = measured.without(rules, there)
        filled = tuple(text.format(n=count, all=measured.total) for text in words)
        return Answer(measured.state(count), (filled[0], filled[1]), measured.rows(*rules))

    return answer


def _unmeasured(english: str, chinese: str) -> Callable[[Measured], Answer]:
    return lambda _: Answer(UNMEASURED, (f"Not measured: {english}", f"未测量：{chinese}"))


def _watermark(measured: Measured) -> Answer:
    count = measured.holding("watermark")
    rows = measured.rows("EU-WATERMARK", "watermark")
    if count:
        words = (f"{count} of {measured.total} samples carry an imperceptible watermark.",
                 f"{measured.total} 个样本中有 {count} 个带有不可感知水印。")  # fmt: skip
        return Answer(measured.state(count), words, rows)
    named = sum(any(f.value.get("watermarks") for f in r.findings if f.kind == "c2pa") for r in measured.reports)
    return Answer(UNMEASURED if named else GAP, (
        f"The tool uses no watermark: it writes none and reads none. The manifests of {named} of {measured.total} "
        "samples name one by another program, which was not looked for.",
        f"本工具不使用水印：既不写入也不读取。{measured.total} 个样本中有 {named} 个的清单声明了其他程序添加的水印，"
        "未作检测。",
    ), rows)  # fmt: skip


def _private(measured: Measured) -> Answer:
    return Answer(UNMEASURED if measured.private else MET, (
        f"{measured.private} of {measured.total} samples hold metadata beyond the provenance of systems, such as "
        "names, titles or prompts. Whether those are private or secret was not judged.",
        f"{measured.total} 个样本中有 {measured.private} 个的元数据含有系统来源以外的信息，如姓名、标题或提示词；"
        "是否属于隐私或商业秘密未作判断。",
    ))  # fmt: skip


def _inputs(measured: Measured) -> Answer:
    kept = sum(
        any(step.get("ingredients") for f in report.findings if f.kind == "c2pa" for step in _steps(f.value))
        for report in measured.reports
    )
    return Answer(UNMEASURED, (
        f"Not measured: whether inputs carried marks is not known from outputs. {kept} of {measured.total} samples "
        "name inputs in their manifest.",
        f"未测量：仅凭输出无法得知输入是否带有标记。{measured.total} 个样本中有 {kept} 个在清单中列出了输入素材。",
    ), measured.rows("c2pa"))  # fmt: skip


def _steps(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    history = value.get("history")
    return [step for step in history if isinstance(step, dict)] if isinstance(history, list) else []


def _techniques(measured: Measured) -> Answer:
    count = sum(all(mark.get("technique") for mark in report.to_dict()["marks"]) for report in measured.reports)
    return Answer(PARTLY if count else GAP, (
        f"{count} of {measured.total} reports say of each finding which technique it rests on. Whether reports that "
        "users get are signed was not measured.",
        f"{measured.total} 份核验报告中有 {count} 份逐项说明了所依据的技术；提供给用户的报告是否签名未测量。",
    ))  # fmt: skip


MEASURES: tuple[tuple[str, Words, Callable[[Measured], Answer]], ...] = (
    ("1.1.1 a", (
        "Metadata say whether the content is generated or manipulated.",
        "元数据说明内容是否由人工智能生成或篡改。",
    ), _counted((
        "In {n} of {all} samples a machine-readable mark says so.",
        "{all} 个样本中有 {n} 个带有作此说明的机器可读标记。",
    ), _machine_readable, "EU-MARKED")),
    ("1.1.1 b", ("The metadata are digitally signed.", "元数据带有数字签名。"), _counted((
        "{n} of {all} samples carry signed metadata that are intact.",
        "{all} 个样本中有 {n} 个带有完整有效的签名元数据。",
    ), _signed, "EU-SIGNED")),
    ("1.1.1 c", ("The signature is time-stamped.", "签名带有时间戳。"), _counted((
        "{n} of {all} samples carry signed metadata with a valid time stamp.",
        "{all} 个样本中有 {n} 个的签名元数据带有有效时间戳。",
    ), _stamped, "EU-SIGNED", "EU-TIME-STAMP")),
    ("1.1.1 d", (
        "The metadata hold no private data and no business secrets.", "元数据不含隐私信息和商业秘密。",
    ), _private),
    ("1.1.2", (
        "An imperceptible watermark is in the content and hard to separate from it.",
        "内容中带有难以分离的不可感知水印。",
    ), _watermark),
    ("1.1.3", (
        "Optional: fingerprints or logs of what was generated; never enough alone.",
        "可选：对生成内容留存指纹或日志；仅此不足以满足要求。",
    ), _unmeasured("records are kept outside the samples.", "相关记录保存在样本之外。")),
    ("1.2", ("Marks of inputs are kept.", "保留输入素材原有的标记。"), _inputs),
    ("2.1.1", (
        "A detector is offered free of charge: a specification, a program or an interface.",
        "免费提供检测手段：规范、程序或接口。",
    ), _unmeasured(
        "whether the provider offers the public a detector. The program that made this file is free software.",
        "提供者是否向公众提供检测手段。生成本文件的程序为自由软件。",
    )),
    ("2.1.2", (
        "Results are in words, say which technique they rest on, and can be had as a signed report.",
        "检测结果以文字呈现，说明所依据的技术，并可获取签名报告。",
    ), _techniques),
    ("3.4 c", (
        "Detectors work together from 2027-02-02.", "自 2027-02-02 起实现可互操作的检测。",
    ), _unmeasured("detection across providers cannot be seen from samples.", "仅凭样本无法得知跨提供者的检测情况。")),
    ("4", ("Tests of marks and detectors are documented.", "标记与检测手段的测试有文档记录。"), _unmeasured(
        "robustness against changes of the content was not tested here. The verdicts on the samples are in this file.",
        "本次未测试标记对内容改动的稳健性。各样本的结论见本文件。",
    )),
    ("2 a, deployers", (
        "Deep fakes are disclosed in words that people see or hear.", "深度伪造内容以可见或可听的文字说明予以披露。",
    ), _counted((
        "In {n} of {all} samples a disclosure in words was found.",
        "{all} 个样本中有 {n} 个检出文字披露。",
    ), _disclosed, "EU-VISIBLE")),
    ("2 b, deployers", ("The main element is the capitals “AI”.", "披露的主要要素为大写字母“AI”。"), _counted((
        "In {n} of {all} samples the disclosure that was found has it.",
        "{all} 个样本中有 {n} 个检出的披露带有该要素。",
    ), _disclosed, "EU-VISIBLE", "EU-ELEMENT")),
)  # fmt: skip
"""Number, what is asked in English and Chinese, and how the answer is measured."""


def gap_analysis(
    reports: Sequence[Report], clauses: Sequence[Mapping[str, Any]], marks: Sequence[Mapping[str, Any]], *, private: int
) -> list[dict[str, Any]]:
    """Return a row for each measure of the Code: what it asks, the state, the answer, and the rows it rests on."""
    measured = Measured(reports, clauses, marks, private)
    rows = []
    for number, (measure, asks, answer) in enumerate(MEASURES, 1):
        state, words, rests_on = answer(measured)
        rows.append({
            "row": f"G{number}",
            "measure": measure,
            "asks": {"en": asks[0], "zh": asks[1]},
            "state": state,
            "answer": {"en": words[0], "zh": words[1]},
            "rests_on": list(rests_on),
        })  # fmt: skip
    return rows
