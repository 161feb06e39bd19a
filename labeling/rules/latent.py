"""What a file's metadata disclose of its making: the data that California, India and others ask for.

They ask for facts, not for a carrier: each may come from the AIGC field, from IPTC's properties or from a C2PA
manifest, as long as its carrier is intact. What names a tool that writes labels says nothing of who made the content.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from labeling.findings import Finding, Signature, Status
from labeling.label import Origin, ProviderCode
from labeling.rules.contradictions import contradictions
from labeling.rules.engine import Undecided
from labeling.rules.evidence import Evidence, label_value, says_ai, says_generated

CARRIERS = ("aigc", "iptc", "c2pa")

_VOUCHED = ("listed", "interim")
"""States of a signer on a list. Whoever makes a certificate for himself writes any organisation into it."""

FIRST_YEAR = 2000

_TEST = re.compile(r"\b(tests?|testing|demo|dummy|self-signed|not trusted|localhost)\b", re.IGNORECASE)

_TOOLS = (
    "aigc", "aigclabel", "aigclabeling", "aigclabelling", "c2pa", "c2patool", "c2pars", "c2papython", "c2panode",
    "c2pajs", "c2pac", "c2paweb", "c2pasdk", "contentauth", "contentauthsdk", "contentcredentials", "maketestimages",
    "exiftool", "imageexiftool", "exiv2", "pyexiv2", "piexif", "libxmp", "pythonxmptoolkit", "xmpcore",
    "adobexmpcore", "xmptoolkit", "ffmpeg", "lavf", "lavc", "libav", "pyav", "imagemagick", "graphicsmagick", "pillow",
    "mutagen", "taglib", "mp4box", "gpac", "mkvtoolnix", "mkvmerge", "mkvpropedit", "handbrake", "libvips", "sharp",
    "opencv", "ghostscript", "qpdf",
)  # fmt: skip
"""Tools that write labels and other metadata; without blanks and signs."""

_TOOL = re.compile(r"\b(label(l?er|l?ing)|watermark(er|ing)?|metadata|c2pa|exif|xmp)\b|aigc[ _-]?label", re.IGNORECASE)
"""What says of itself that it labels, and not that it generates."""

_NOTHING = frozenset(
    (
        *("unknown", "none", "na", "null", "nil", "undefined", "default", "tbd", "todo", "system", "model", "ai"),
        *("test", "v", "version", "latest", "generator", "aimodel", "aisystem", "aigenerator", "genai", "generativeai"),
        *("无", "没有", "未知", "不详", "暂无", "待定", "空", "未设置", "测试", "系统", "模型", "版本"),
    )
)
"""Words that stand where nothing is known; without blanks and signs."""

_NOBODY = frozenset(
    (
        *(
            "anonymous",
            "user",
            "username",
            "name",
            "company",
            "companyname",
            "yourcompany",
            "yourcompanyname",
            "vendor",
        ),
        *("provider", "providername", "yourname", "producer", "organisation", "organization", "example"),
        *("匿名", "示例", "用户", "公司", "企业", "名称", "提供者", "服务提供者"),
    )
)
"""Words that stand in the place of a name."""

_CODE = re.compile(r"[0-9A-Z]{12,}", re.IGNORECASE)
_HEX = re.compile(r"[0-9A-F{}:-]{8,}", re.IGNORECASE)
_MOMENT = re.compile(
    r"(\d{4})[-:](\d\d)[-:](\d\d)[T ](\d\d):(\d\d)(:[0-5]\d|:60)?(\.\d+)?\s?(Z|UTC|[+-](0\d|1[0-4]):?[0-5]\d)?",
    re.ASCII | re.IGNORECASE,
)


def names_tool(text: str) -> bool:
    """Return whether a text is the name of a tool that writes metadata, with or without its version, or no name."""
    words = [_without_version(text.strip()) or text, re.split(r"[\s/(]", text.strip(), maxsplit=1)[0]]
    plain = ["".join(c for c in each.lower() if c.isalnum()) for each in words]
    known = plain[0] in _TOOLS or plain[1].startswith(("aigclabel", "c2pa", "exiftool", "lavf"))
    return known or not is_set(text) or _TOOL.search(text) is not None


def _without_version(text: str) -> str:
    """Return a text without the version at its end: a digit, "v" before it, and what follows without a blank."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "_.+-"):
        start -= 1
    digit = next((at for at in range(start, len(text)) if text[at].isdecimal()), None)
    if digit is None:
        return text
    return text[:digit].removesuffix(".").removesuffix("v").removesuffix("V").rstrip(" \t/_-")


def is_name(text: str) -> bool:
    """Return whether a text may be somebody's name, and not a code, an identifier or a tool."""
    text = unicodedata.normalize("NFKC", text).strip()
    letters = sum(c.isalpha() for c in text)
    digits = sum(c.isdigit() for c in text)
    plain = _plain(text)
    code = ProviderCode.parse(text) is not None or (_CODE.fullmatch(plain) and digits >= 5) or _HEX.fullmatch(text)
    nobody = plain in _NOBODY or plain.startswith("unknown") or "NOT TRUSTED" in text.upper()
    return letters > 0 and len(text) > 1 and not code and not names_tool(text) and not nobody


def is_moment(text: str) -> bool:
    """Return whether a text is a date with a time of day, to the minute at least (ISO 16684-1, 8.2.2.1; RFC 3339).

    Clocks that were never set give years in which no system made pictures: 1904, 1970, 1980.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return False
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    try:
        return FIRST_YEAR <= datetime(year, month, day, hour, minute).year < 2200
    except ValueError:
        return False


def is_set(text: str) -> bool:
    """Return whether a text says anything."""
    plain = _plain(text)
    return plain.strip("0") not in ("", "x", "xx", "xxx", "xxxx") and plain not in _NOTHING


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def is_system(text: str) -> bool:
    """Return whether a text may name the system that made the content."""
    return is_set(text) and not names_tool(text)


Source = tuple[str, str, Callable[[str], bool]]

FACTS: dict[str, tuple[Source, ...]] = {
    "provider": (("aigc", "ContentProducer", is_name), ("c2pa", "provider", is_name)),
    "system": (("iptc", "AISystemUsed", is_system), ("c2pa", "system", is_system)),
    "version": (("iptc", "AISystemVersionUsed", is_set), ("c2pa", "system_version", is_set)),
    "time": (
        ("iptc", "CreateDate", is_moment),
        ("iptc", "DateCreated", is_moment),
        ("c2pa", "created", is_moment),
        ("c2pa", "time", is_moment),
        ("iptc", "MetadataDate", is_moment),
    ),
    "id": (
        ("aigc", "ProduceID", is_set),
        ("c2pa", "content_id", is_set),
        ("c2pa", "active_manifest", is_set),
        ("iptc", "DigImageGUID", is_set),
        ("iptc", "InstanceID", is_set),
        ("iptc", "DocumentID", is_set),
    ),
}
"""Where each fact may stand, and what it must look like."""


def carriers_of(evidence: Evidence, fact: str) -> Iterator[Finding]:
    """Yield the intact marks that give a fact of :data:`FACTS`."""
    for kind, key, fits in FACTS[fact]:
        for finding in evidence.intact(kind):
            value = _field(finding, key)
            if not value or not fits(value) or (fact == "version" and not _has_system(finding)):
                continue
            if fact != "time" or not _to_come(value, evidence):
                yield finding
    if fact == "provider":
        yield from (each for each in evidence.intact("c2pa") if is_name(_organisation(each)))


def _to_come(moment: str, evidence: Evidence) -> bool:
    """Return whether a moment has not come yet anywhere on earth."""
    last = evidence.today and evidence.today + timedelta(days=1)
    return last is not None and moment.strip()[:10].replace(":", "-") > last.isoformat()


def _field(finding: Finding, key: str) -> str:
    value = finding.value.get(key)
    if value is None and finding.kind == "aigc":
        value = next((each for name, each in finding.value.items() if name.lower() == key.lower()), None)
    return str(value).strip() if isinstance(value, str | int) else ""


def _has_system(finding: Finding) -> bool:
    """Return whether the mark that gives a version names a system: the version of a tool is not that of one."""
    key = "AISystemUsed" if finding.kind == "iptc" else "system"
    return is_system(_field(finding, key))


def _organisation(finding: Finding) -> str:
    """Return the organisation of a signer whose certificate somebody vouches for, and which is no test."""
    signer, trust = finding.value.get("signer", {}), finding.value.get("trust", {})
    names = " ".join(str(signer.get(key, "")) for key in ("organisation", "name", "issuer"))
    vouched = trust.get("state") in _VOUCHED and not _TEST.search(names)
    return str(signer.get("organisation", "")) if vouched else ""


def unsure(evidence: Evidence, *kinds: str) -> bool:
    """Return whether a mark of these kinds could not be read, or the signature of a manifest not be checked.

    A malformed manifest is not in doubt: whoever reads the file finds no disclosure in it.
    """
    return any(
        each.kind in (kinds or CARRIERS)
        and (each.status is Status.UNREADABLE or (each.kind == "c2pa" and each.signature is Signature.UNSUPPORTED))
        and not each.value.get("malformed")
        for each in evidence.findings
    )


def missing(fact: str, words: str) -> Callable[[Evidence], str | None]:
    """Return the check that a fact is there; ``words`` name it."""

    def fails(evidence: Evidence) -> str | None:
        if any(True for _ in carriers_of(evidence, fact)):
            return None
        if unsure(evidence):
            return Undecided(f"no latent disclosure that could be read gives {words}")
        return f"no latent disclosure gives {words}"

    return fails


def created_or_altered(evidence: Evidence) -> Iterator[Finding]:
    """Yield the intact marks that say that an AI system made or altered the content, and that leave no doubt of it."""
    for kind in ("iptc", "c2pa"):
        one = (each for each in evidence.intact(kind) if each.status is not Status.CONFLICT)
        yield from (each for each in one if says_ai(each))
    labels = (each for each in evidence.intact("aigc") if str(label_value(each)) == Origin.GENERATED)
    yield from (each for each in labels if says_generated(each))


def origin_not_said(evidence: Evidence) -> str | None:
    """Check that an intact mark says whether the system created or altered the content, and that no mark denies it."""
    if denied := next(contradictions(evidence), None):
        return f"what the file says of its making contradicts itself: {denied.message}"
    if any(True for _ in created_or_altered(evidence)):
        return None
    if unsure(evidence):
        return Undecided(
            "no latent disclosure that could be read says whether the system created or altered the content"
        )
    if labels := evidence.intact("aigc"):
        has = any(key.lower() == "label" for key in labels[0].value)
        label = f"Label {str(label_value(labels[0]))[:20]}" if has else "it has no Label"
        return f"the AIGC field leaves open whether a system made the content ({label})"
    return "no latent disclosure says whether the system created or altered the content"


def not_interoperable(evidence: Evidence) -> str | None:
    """Check that what is disclosed stands in a form that other programs read: one mark without an error in its form."""
    said = [each for fact in FACTS for each in carriers_of(evidence, fact)]
    said += created_or_altered(evidence)
    if not said or any(each.status in (Status.PRESENT, Status.ABSENT) for each in said):
        return None  # what is not there at all is missing, which other rules say
    if unsure(evidence):
        return Undecided("no mark that could be read has the form of its standard")
    return (
        "every mark that holds the disclosure breaks the standard for its form, so that other programs may not read it"
    )


def watermarked(evidence: Evidence) -> bool:
    """Return whether an imperceptible watermark says that AI made the content."""
    return any(each.value.get("ai", True) for each in evidence.of("watermark"))


def identifies_system(evidence: Evidence) -> Iterator[Finding]:
    """Yield the intact marks that identify the system that made the content, or the service that it belongs to."""
    yield from carriers_of(evidence, "system")
    for each in evidence.intact("c2pa"):
        disclosure = each.value.get("ai_disclosure", {})
        if isinstance(disclosure, dict) and is_set(str(disclosure.get("modelIdentifier", ""))):
            yield each
    for each in evidence.intact("aigc"):
        code = ProviderCode.parse(_field(each, "ContentProducer"))
        if code is not None and code.service == "1" and not code.problems():
            yield each


def not_permanent(evidence: Evidence) -> str | None:
    """Check that a watermark is there: metadata alone are lost when a file is saved again."""
    if watermarked(evidence):
        return None
    how = "looked for" if "watermark" in evidence.skipped else "found"
    return f"no watermark was {how}, so nothing shows that the disclosure is permanent or hard to remove"
