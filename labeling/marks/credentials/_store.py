"""What a manifest store says, taken from the JSON that c2pa's reader returns.

The shape is c2pa's, but the content is whatever the signer wrote: every step down is checked, every list bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labeling.marks.iptc import is_ai

MAX_ITEMS = 64
"""Values of one kind that are reported; a history may be longer."""

MAX_TEXT = 500
"""Characters of one value that are reported."""

_PREFIX = "org.aigc-labeling."
_DISCLOSURE = "c2pa.ai-disclosure"


@dataclass(slots=True)
class Facts:
    """The facts of a store: those of the active manifest, unless the name says otherwise.

    ``failures`` are c2pa's failure codes in its order, once each. ``trusted_by`` is c2pa's sentence on the list that
    vouches for the signer.
    """

    active_manifest: str = ""
    manifests: int = 0
    claim_version: int = 1
    title: str = ""
    claim_generator: str = ""
    issuer: str = ""
    common_name: str = ""
    alg: str = ""
    time: str = ""
    actions: tuple[str, ...] = ()
    assertions: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    ingredient_source_types: tuple[str, ...] = ()
    software_agents: tuple[tuple[str, str], ...] = ()
    created: bool = False
    created_with_source_type: bool = False
    created_when: str = ""
    ai_disclosure: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    failures: tuple[str, ...] = ()
    ingredient_failures: tuple[str, ...] = ()
    explanations: dict[str, str] = field(default_factory=dict)
    trusted_by: str = ""

    def value(self) -> dict[str, Any]:
        """Return the facts as a report shows them, without what is not known."""
        own = _mapping(self.ai_disclosure.get("metadata"))
        agent, version = next(iter(self.software_agents), ("", ""))
        types = (*self.source_types, *self.ingredient_source_types)
        shown: dict[str, Any] = {
            "active_manifest": self.active_manifest,
            "title": self.title,
            "claim_generator": self.claim_generator,
            "issuer": self.issuer,
            "common_name": self.common_name,
            "alg": self.alg,
            "time": self.time,
            "digital_source_type": next(iter(self.source_types), ""),
            "digital_source_types": list(self.source_types) if len(self.source_types) > 1 else [],
            "ingredient_digital_source_types": list(self.ingredient_source_types),
            "software_agent": " ".join(part for part in (agent, version) if part),
            "ai_disclosure": self.ai_disclosure,
            "provider": text(own.get(_PREFIX + "provider")),
            "system": text(own.get(_PREFIX + "system")) or text(self.ai_disclosure.get("modelName")),
            "system_version": text(own.get(_PREFIX + "system_version")),
            "content_id": text(own.get(_PREFIX + "content_id")),
            "created": self.created_when or text(own.get("dateTime")),
            "actions": list(self.actions),
            "ingredient_validation_codes": list(self.ingredient_failures),
        }
        if not shown["system"] and any(is_ai(term) for term in self.source_types):
            # The software agent of a generated picture is the generating system.
            shown["system"], shown["system_version"] = agent, version
        known = {name: value for name, value in shown.items() if value}
        known["manifests"] = self.manifests
        known["time_stamped"] = bool(self.time)
        known["ai"] = bool(self.ai_disclosure) or any(is_ai(term) for term in types)
        return known


def facts(store: dict[str, Any]) -> Facts:
    """Extract the facts from the reader's JSON."""
    manifests = _mapping(store.get("manifests"))
    label = store.get("active_manifest")
    active = _mapping(manifests.get(label)) if isinstance(label, str) else {}
    found = Facts(active_manifest=text(label), manifests=len(manifests), state=text(store.get("validation_state")))
    _identity(found, active)
    _origin(found, active)
    types = (term for key, other in manifests.items() if key != label for term in _source_types(_mapping(other)))
    declared = (text(item.get("digital_source_type")) for item in _mappings(active.get("ingredients")))
    found.ingredient_source_types = _distinct(types, declared)
    _validation(found, _mapping(store.get("validation_results")))
    return found


def _identity(found: Facts, active: dict[str, Any]) -> None:
    signature = _mapping(active.get("signature_info"))
    found.title = text(active.get("title"))
    found.issuer, found.common_name = text(signature.get("issuer")), text(signature.get("common_name"))
    found.alg, found.time = text(signature.get("alg")), text(signature.get("time"))
    version = active.get("claim_version")
    found.claim_version = version if isinstance(version, int) else 1
    generators = [_agent(item) for item in _mappings(active.get("claim_generator_info"))]
    named = ", ".join(" ".join(part for part in pair if part) for pair in generators)
    found.claim_generator = text(active.get("claim_generator")) or text(named)


def _origin(found: Facts, active: dict[str, Any]) -> None:
    actions = list(_actions(active))
    found.actions = tuple(text(action.get("action")) for action in actions)
    found.assertions = tuple(text(item.get("label")) for item in _mappings(active.get("assertions")))
    found.source_types = _distinct(_source_types(active))
    found.software_agents = tuple(
        dict.fromkeys(agent for action in actions if (agent := _agent(action.get("softwareAgent"))) != ("", ""))
    )
    for action in actions:
        if action.get("action") == "c2pa.created":
            found.created = True
            found.created_when = text(action.get("when"))
            found.created_with_source_type |= bool(text(action.get("digitalSourceType")))
    for item in _mappings(active.get("assertions")):
        if text(item.get("label")).partition("__")[0] == _DISCLOSURE and not found.ai_disclosure:
            found.ai_disclosure = {text(k): _shown(v) for k, v in list(_mapping(item.get("data")).items())[:MAX_ITEMS]}


def _validation(found: Facts, results: dict[str, Any]) -> None:
    own = _mapping(results.get("activeManifest"))
    failures = list(_mappings(own.get("failure")))
    found.failures = _distinct(text(item.get("code")) for item in failures)
    for item in failures:
        found.explanations.setdefault(text(item.get("code")), text(item.get("explanation")))
    deltas = (_mapping(item.get("validationDeltas")) for item in _mappings(results.get("ingredientDeltas")))
    found.ingredient_failures = _distinct(
        text(item.get("code")) for delta in deltas for item in _mappings(delta.get("failure"))
    )
    for item in _mappings(own.get("success")):
        if item.get("code") == "signingCredential.trusted":
            found.trusted_by = text(item.get("explanation"))


def _actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _mappings(manifest.get("assertions")):
        if text(item.get("label")).startswith("c2pa.actions"):
            yield from _mappings(_mapping(item.get("data")).get("actions"))


def _source_types(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the source types of the actions, and of older places still in use (IPTC and schema.org assertions)."""
    for action in _actions(manifest):
        yield text(action.get("digitalSourceType"))
    for item in _mappings(manifest.get("assertions")):
        data = _mapping(item.get("data"))
        for key in ("digitalSourceType", "Iptc4xmpExt:DigitalSourceType", "iptc4xmpExt:DigitalSourceType"):
            yield text(data.get(key))


def _agent(value: Any) -> tuple[str, str]:
    """Return name and version of a software agent, which is a string in version 1 actions and a map in version 2."""
    if isinstance(value, dict):
        return text(value.get("name")), text(value.get("version"))
    return text(value), ""


def _shown(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict) and depth < 4:
        return {text(k): _shown(v, depth + 1) for k, v in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list) and depth < 4:
        return [_shown(v, depth + 1) for v in value[:MAX_ITEMS]]
    return value if isinstance(value, bool | int | float) or value is None else text(str(value))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _distinct(*groups: Iterator[str]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for group in groups:
        for item in group:
            if item and len(seen) < MAX_ITEMS:
                seen[item] = None
    return tuple(seen)


def text(value: Any) -> str:
    """Return a string of the signer's on one line and bounded, ``""`` for anything else."""
    return " ".join(value[: 4 * MAX_TEXT].split())[:MAX_TEXT] if isinstance(value, str) else ""
