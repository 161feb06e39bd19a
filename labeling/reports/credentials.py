"""What a report says of content credentials in words: integrity, signer, trust and time stamp, each by itself.

And what the manifests themselves say: of watermarks, quoted, and of the file's history. All of it is the signer's word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labeling.findings import Finding, Signature

MAX_STEPS = 8
"""Steps of a history that are shown, the newest."""

_MAX_SHOWN = 120

Words = tuple[str, str]

_BROKEN: dict[str, Words] = {
    "hash": ("the content is not what was signed", "内容与签名时不一致"),
    "signature": ("the signature does not match the claim", "签名与声明不匹配"),
    "assertions": ("an assertion does not fit", "有声明未通过验证"),
}
_CERTIFICATE: dict[str, Words] = {
    "valid": ("certificate valid until {until}", "证书有效期至 {until}"),
    "expired": ("certificate expired on {until}", "证书已于 {until} 过期"),
    "not yet valid": ("certificate valid only from {since} on", "证书自 {since} 起才有效"),
    "revoked": ("certificate revoked", "证书已被吊销"),
    "unfit": ("certificate not one that may sign claims", "证书不具备签署声明的资格"),
    "unknown": ("validity of the certificate not known", "证书有效期未知"),
}
_TRUST: dict[str, Words] = {
    "listed": ("on {list}", "在{list}中"),
    "interim": (
        "known from {list}, frozen then, which makes nobody trusted",
        "仅见于{list}（自该日起冻结），该列表本身不使任何人可信",
    ),
    "unlisted": ("on none of the lists asked: {asked}", "不在所查询的列表中：{asked}"),
    "unchecked": (
        "not looked up: nothing shows that the certificate was valid when it signed",
        "未查询：没有证据表明签名时证书有效",
    ),
    "unasked": ("no list was asked", "未查询任何信任列表"),
}


def answers(finding: Finding, language: str = "en") -> list[tuple[str, str]]:
    """Return the four answers on a C2PA manifest in words, each with the key of its name in ``WORDS``.

    Args:
        finding: The finding of the kind "c2pa".
        language: ``en`` or ``zh``.

    Returns:
        Pairs of ``integrity``, ``signer``, ``trust`` or ``time stamp`` and a phrase; nothing for a manifest that could
        not be read.
    """
    value = finding.value
    if not isinstance(value.get("integrity"), dict):
        return []
    zh = language == "zh"
    return [
        ("integrity", _integrity(_mapping(value, "integrity"), zh)),
        ("signer", _signer(finding, zh)),
        ("trust", _trust(_mapping(value, "trust"), zh)),
        ("time stamp", _time_stamp(_mapping(value, "time_stamp"), zh)),
    ]


def watermarks(value: dict[str, Any], language: str = "en") -> list[str]:
    """Return what the manifests say of watermarks: quoted, and neither looked for nor found here."""
    zh = language == "zh"
    found = []
    for each in _mappings(value.get("watermarks")):
        by, says = str(each.get("by", "")), str(each.get("says", ""))
        quoted = f"{by}: “{_short(says)}”" if says else by
        if by == "c2pa.soft-binding":
            found.append(
                f"{quoted}；清单声明存在水印或指纹，本次未检测"
                if zh
                else f"{quoted}; the manifest names a watermark or fingerprint; not looked for here"
            )
        else:
            found.append(
                f"{quoted}；清单声明已添加水印，本次未检测"
                if zh
                else f"{quoted}; the manifest says one was added; not looked for here"
            )
    return list(dict.fromkeys(found))


def history(value: dict[str, Any], language: str = "en") -> list[str]:
    """Return the history that the manifests tell, a line for each, the oldest first."""
    steps = list(_mappings(value.get("history")))
    lines = [_step(step) for step in steps[-MAX_STEPS:]]
    if left := len(steps) - MAX_STEPS:
        more = f"更早的 {left} 步未显示" if language == "zh" else f"{left} earlier steps are not shown"
        return [more, *lines] if left > 0 else lines
    return lines


def _step(step: dict[str, Any]) -> str:
    who = _short(str(step.get("generator", "")) or str(step.get("signer", "")))
    time = str(step.get("time", ""))[:19].replace("T", " ")
    actions = "; ".join(_actions(step))
    parts = [_short(str(each.get("title") or each.get("description") or "")) for each in _ingredients(step)]
    named = ", ".join(part for part in parts if part)
    head = " ".join(part for part in (time, who) if part)
    return f"{head}: {actions or '–'}" + (f" ← {named}" if named else "")


def _actions(step: dict[str, Any]) -> Iterator[str]:
    for each in _mappings(step.get("actions")):
        name = str(each.get("action", "")).removeprefix("c2pa.")
        agent, words = _short(str(each.get("agent", ""))), _short(str(each.get("description", "")))
        source = str(each.get("source_type", "")).rpartition("/")[2]
        yield (
            name
            + (f" ({source})" if source else "")
            + (f" “{words}”" if words else "")
            + (f" [{agent}]" if agent else "")
        )


def _ingredients(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the ingredients that have no manifest, and so no step of their own."""
    yield from (each for each in _mappings(step.get("ingredients")) if not each.get("manifest"))


def _integrity(value: dict[str, Any], zh: bool) -> str:
    if value.get("state") == "intact":
        if value.get("hash") == "fits":
            return "内容散列、签名与声明均相符" if zh else "hash, signature and assertions fit"
        return "签名与声明相符" if zh else "signature and assertions fit"
    if value.get("state") == "unchecked":
        return (
            "无法核验：签名使用了不允许的算法" if zh else "cannot be checked: the signature uses an unknown algorithm"
        )
    parts = [words[zh] for part, words in _BROKEN.items() if value.get(part) == "broken"]
    if not parts:
        return "清单未通过验证" if zh else "the manifest does not validate"
    return ("；" if zh else "; ").join(parts)


def _signer(finding: Finding, zh: bool) -> str:
    value = _mapping(finding.value, "signer")
    names = [_short(str(value.get(key, ""))) for key in ("name", "organisation")]
    who = ", ".join(dict.fromkeys(name for name in names if name)) or ("未知" if zh else "unknown")
    issuer = _short(str(value.get("issuer", "")))
    by = (f"（由 {issuer} 签发）" if zh else f" (issued by {issuer})") if issuer else ""
    dates = {"since": str(value.get("not_before", ""))[:10], "until": str(value.get("not_after", ""))[:10]}
    state = str(value.get("certificate", "unknown"))
    words = _CERTIFICATE.get(state, _CERTIFICATE["unknown"])[zh].format(**{k: v or "?" for k, v in dates.items()})
    if state == "expired" and finding.signature in (Signature.VALID, Signature.TRUSTED):
        words += "；时间戳表明签名在此之前" if zh else "; the time stamp says that it signed before"
    if value.get("revocation") == "not revoked":
        words += "；文件所附应答称其未被吊销" if zh else "; not revoked, by the answer in the file"
    if _mapping(finding.value, "integrity").get("signature") != "fits":
        words += "；签名未能证实此人" if zh else "; named, and not proven by the signature"
    return f"{who}{by}{'；' if zh else '; '}{words}"


def _trust(value: dict[str, Any], zh: bool) -> str:
    held = _named(value, zh, definite=True)
    listed = ("、" if zh else ", ").join(
        _named({"list": each.get("name"), **each}, zh) for each in _mappings(value.get("asked"))
    )
    words = _TRUST.get(str(value.get("state")), _TRUST["unlisted"])[zh].format(list=held, asked=listed)
    note = str(value.get("note", ""))
    return f"{words} ({note})" if note else words


def _time_stamp(value: dict[str, Any], zh: bool) -> str:
    state = value.get("state")
    if state not in ("valid", "invalid"):
        return "无" if zh else "none"
    names = [_short(str(value.get(key, ""))) for key in ("authority", "organisation")]
    by = ", ".join(dict.fromkeys(name for name in names if name))
    if state == "invalid":
        return f"无效（{by}）" if zh else f"not valid ({by})" if by else "not valid"
    when = str(value.get("time", ""))[:19].replace("T", " ")
    if value.get("list"):
        held = _named(value, zh, definite=True)
        trusted = f"其根证书在{held}中" if zh else f"its root is on {held}"
    elif value.get("legacy"):
        trusted = (
            "旧版清单，不查询时间戳机构列表" if zh else "no list of authorities is asked for manifests of that age"
        )
    else:
        trusted = "其根证书不在所查询的列表中" if zh else "its root is on no list that was asked"
    return f"{when} UTC，{by}；{trusted}" if zh else f"{when} UTC by {by}; {trusted}"


def _named(value: dict[str, Any], zh: bool, *, definite: bool = False) -> str:
    name, date = _short(str(value.get("list", ""))), str(value.get("date", ""))
    if zh:
        return f"“{name}”（{date}）" if date else f"“{name}”"
    if definite and not name.startswith("the "):
        name = f"the {name}" if "list" in name.split() else f"the list {name}"
    return f"{name} of {date}" if date else name


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _mapping(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
