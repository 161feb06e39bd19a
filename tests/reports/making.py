"""Reports made by hand: what a hostile file says goes into every place where a file has a say."""

from __future__ import annotations

from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.rules import Outcome, Verdict
from labeling.verification.report import Report

HOSTILE = (
    "<script>document.title='owned'</script>.png",
    '"><img src=x onerror="document.title=\'owned\'">.png',
    "'onmouseover='document.title=1' x='.png",
    "</style></title><!--<svg/onload=document.title='owned'>.png",
    "invoice\u202egpj.exe",
    "bell\x07\x1b[31mred\x00.png",
    "&lt;b&gt; &amp;amp;.png",
    "javascript:alert(1)",
    "lone\udcff\ud800.png",
    "夜景海报 终稿 😀.jpg",
)


def hostile_report(text: str) -> Report:
    """A report that says ``text`` wherever a file has a say."""
    defect = Defect("CN-IMPLICIT-LABEL", "GB 45438-2025 Annex E", f"Label is: {text}")
    value = {"Label": text, "ContentProducer": text, text: {text: [text]}}
    findings = (
        Finding("aigc", Status.DEFECTIVE, text, value, Signature.NONE, (defect,)),
        Finding("visible", Status.PRESENT, "bottom", {"text": text, "box": [10, 10, 50, 30]}, Signature.NONE),
        Finding("c2pa", Status.PRESENT, text, {"issuer": text, "digital_source_type": text}, Signature.VALID),
        Finding("generator", Status.PRESENT, text, {"generator": text, "text": text}, Signature.NONE),
    )
    verdict = Verdict(Outcome.NONCOMPLIANT, (defect,), (Defect("X-UNKNOWN", text, text, Severity.WARNING),))
    return Report(text, "image/png", True, "confirmed", findings, {"cn": verdict, "platform": verdict}, (text,))
