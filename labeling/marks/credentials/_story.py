"""What the manifests of a store tell of a file's history, and of watermarks: statements of their signers, quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from labeling.marks.credentials._values import mapping, mappings, text

MAX_MANIFESTS = 16
MAX_ACTIONS = 32
MAX_INGREDIENTS = 16
MAX_WATERMARKS = 16

_WATERMARKED = re.compile(r"c2pa\.watermarked(\.|$)")  # C2PA 2.2, 18.14.4: .bound and .unbound say whether it is named
_SOFT_BINDING = "c2pa.soft-binding"

_ADDED = re.compile(r"\b(add(ed|s)|appl(ied|ies)|embed(ded|s)|insert(ed|s))\b|添加|嵌入|加入", re.IGNORECASE)
_WATERMARK = re.compile(r"synthid|watermark|水印", re.IGNORECASE)
_OTHER = re.compile(
    r"\bvisible\b|\b(no|not|never|without|remov\w*|strip\w*)\b|(?<!不)可见水印|[未无没去]", re.IGNORECASE
)
"""Of a visible mark, or of one that is not there."""


def story(manifests: dict[str, Any], active: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the history that ends in the active manifest, and what is said of watermarks.

    Args:
        manifests: The manifests by their labels, in the form of c2pa's reader.
        active: The label of the active one.

    Returns:
        A step for each manifest, the oldest first: ``manifest`` (its label), ``generator``, ``signer``, ``time``,
        ``actions`` and ``ingredients``, as far as they are known. And for each watermark that was said to be added
        ``manifest``, ``by`` (the action or assertion) and ``says`` (its own words, or the name of the algorithm).
    """
    order: list[str] = []
    _walk(manifests, active, order, {active})
    steps = [_step(label, mapping(manifests.get(label))) for label in order]
    said = [each for label in reversed(order) for each in _watermarks(label, mapping(manifests.get(label)))]
    return steps, said[:MAX_WATERMARKS]


def _walk(manifests: dict[str, Any], active: str, order: list[str], seen: set[str]) -> None:
    """Put the labels of a manifest and of those that it was made from into ``order``, the oldest first."""
    waiting = [active]
    newest_first: list[str] = []
    while waiting and len(newest_first) < MAX_MANIFESTS:
        label = waiting.pop(0)
        newest_first.append(label)
        for item in mappings(mapping(manifests.get(label)).get("ingredients")):
            of = item.get("active_manifest")
            if isinstance(of, str) and of in manifests and of not in seen:
                seen.add(of)
                waiting.append(of)
    order.extend(reversed(newest_first))


def _step(label: str, manifest: dict[str, Any]) -> dict[str, Any]:
    signature = mapping(manifest.get("signature_info"))
    actions = [_action(action) for action, _ in zip(actions_of(manifest), range(MAX_ACTIONS), strict=False)]
    parts = [
        _known({
            "title": text(item.get("title")),
            "relationship": text(item.get("relationship")),
            "description": text(item.get("description")),
            "manifest": text(item.get("active_manifest")),
        })
        for item, _ in zip(mappings(manifest.get("ingredients")), range(MAX_INGREDIENTS), strict=False)
    ]  # fmt: skip
    return _known({
        "manifest": text(label),
        "generator": generator(manifest),
        "signer": text(signature.get("issuer")) or text(signature.get("common_name")),
        "time": text(signature.get("time")),
        "actions": [each for each in actions if each],
        "ingredients": [each for each in parts if each],
    })  # fmt: skip


def _action(action: dict[str, Any]) -> dict[str, str]:
    return _known({
        "action": text(action.get("action")),
        "description": _description(action),
        "agent": " ".join(part for part in agent(action.get("softwareAgent")) if part),
        "when": text(action.get("when")),
        "source_type": text(action.get("digitalSourceType")),
    })  # fmt: skip


def _description(action: dict[str, Any]) -> str:
    return text(action.get("description")) or text(mapping(action.get("parameters")).get("description"))


def _watermarks(label: str, manifest: dict[str, Any]) -> Iterator[dict[str, str]]:
    for action in actions_of(manifest):
        name, words = text(action.get("action")), _description(action)
        said = _WATERMARK.search(words) and _ADDED.search(words) and not _OTHER.search(words)
        if _WATERMARKED.match(name) or said:
            yield _known({"manifest": text(label), "by": name, "says": words})
    for item in mappings(manifest.get("assertions")):
        if text(item.get("label")).partition("__")[0] == _SOFT_BINDING:
            yield _known({
                "manifest": text(label),
                "by": _SOFT_BINDING,
                "says": text(mapping(item.get("data")).get("alg")),
            })  # fmt: skip


def generator(manifest: dict[str, Any]) -> str:
    """Return what made the claim, by its name and version."""
    named = [" ".join(part for part in agent(each) if part) for each in mappings(manifest.get("claim_generator_info"))]
    return text(manifest.get("claim_generator")) or text(", ".join(each for each in named[:8] if each))


def actions_of(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the actions of a manifest."""
    for item in mappings(manifest.get("assertions")):
        if text(item.get("label")).startswith("c2pa.actions"):
            yield from mappings(mapping(item.get("data")).get("actions"))


def agent(value: Any) -> tuple[str, str]:
    """Return name and version of a software agent, which is a string in version 1 actions and a map in version 2."""
    if isinstance(value, dict):
        return text(value.get("name")), text(value.get("version"))
    return text(value), ""


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
