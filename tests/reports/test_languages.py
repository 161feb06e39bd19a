"""Reports in English and Chinese: every word in both, clauses as they are cited in each."""

from __future__ import annotations

import re

import pytest

from labeling.findings import KINDS, Defect, Severity, Signature, Status
from labeling.reports import messages, render
from labeling.rule_catalogue import RULES
from labeling.rules import PROFILES, Outcome
from labeling.verification.report import Report

from .pages import Page


def test_every_word_is_there_in_both_languages_with_the_same_placeholders() -> None:
    for key, (english, chinese) in messages.WORDS.items():
        assert english
        assert chinese
        assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", chinese), key
    for verdict, said in (("compliant", "合规"), ("noncompliant", "不合规"), ("inconclusive", "无法判定")):
        assert messages.word(verdict, "zh") == said
    for origin, said in (("confirmed", "已确认"), ("possible", "可能"), ("suspected", "疑似"), ("none", "未发现")):
        assert messages.word(origin, "zh") == said
    assert {word for kind in KINDS for word in (kind, f"long:{kind}")} <= messages.WORDS.keys()
    for words in (*Status, *Outcome, *(f"signature:{s}" for s in Signature), *(f"c2pa:{s}" for s in Signature)):
        assert str(words) in messages.WORDS
    assert {name: messages.profile_title(name, "zh") for name in PROFILES}.keys() == messages.PROFILE_TITLES.keys()


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "Labelling Measures Art. 5; GB 45438-2025 6.1",
            "《人工智能生成合成内容标识办法》第五条；GB 45438-2025 第 6.1 条",
        ),
        ("Labelling Measures Art. 6(3)", "《人工智能生成合成内容标识办法》第六条第（三）项"),
        ("Labelling Measures Art. 10", "《人工智能生成合成内容标识办法》第十条"),
        ("GB 45438-2025 6.1 c)", "GB 45438-2025 第 6.1 条 c)"),
        ("GB 45438-2025 Annex E", "GB 45438-2025 附录 E"),
        ("AI Act Art. 50(2)", "欧盟《人工智能法》第 50 条第 2 款"),
        ("C2PA 2.2 §15.7", "C2PA 2.2 §15.7"),
    ],
)
def test_clauses_are_cited_as_chinese_law_is(english: str, chinese: str) -> None:
    assert messages.clause(english, "zh") == chinese
    assert messages.clause(english) == english


def test_every_clause_of_a_rule_is_cited_in_chinese_or_by_number_alone() -> None:
    by_number = r"(C2PA|ISO|RFC|TC260|GB)[ -][\w.-]+( §[\d.]+| [A-Z]\.\d+|, \d+| [\d.]+)?"
    for clause in {clause for rule in RULES.values() for clause in rule.clauses}:
        shown = messages.clause(clause, "zh")
        assert re.search(r"[\u4e00-\u9fff]", shown) or re.fullmatch(by_number, shown), "add it to _CLAUSES"


def test_a_chinese_sentence_says_no_more_than_the_finding_and_keeps_its_particulars() -> None:
    particular = Defect("CN-IMPLICIT-KEYS", "GB 45438-2025 Annex E", "of the seven keys these are missing: Label")
    assert messages.sentence(particular, "zh") == ("隐式标识缺少标准规定的键。", particular.message)
    assert messages.sentence(particular) == (particular.message, "")
    general = Defect("EU-MARKED", "AI Act Art. 50(2)", "no machine-readable mark says that the content is generated")
    assert messages.sentence(general, "zh")[1] == ""
    unknown = Defect("MY-RULE", "our own", "what a later version finds")
    assert messages.sentence(unknown, "zh") == (unknown.message, "")
    said = {
        severity: messages.sentence(Defect("CN-SECURITY-SIGNATURE", "", "the signature", severity), "zh")[0]
        for severity in Severity
    }
    assert "不符" in said[Severity.ERROR]
    assert "不作判断" in said[Severity.WARNING]


def test_the_chinese_page_speaks_chinese(reports: list[Report]) -> None:
    page = Page(render("html", reports, language="zh"))
    text = " ".join(page.texts)
    assert page.all("html")[0]["lang"] == "zh-CN"
    for said in (
        "不合规",
        "隐式标识",
        "《人工智能生成合成内容标识办法》第五条",
        "本内容为人工智能生成合成内容",
        "无法判定",
    ):
        assert said in text
    assert "noncompliant" not in text
    assert "Labelling Measures Art." not in text
