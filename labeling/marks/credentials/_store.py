"""What a manifest store says, taken from the JSON that c2pa's reader returns.

The shape is c2pa's, but the content is whatever the signer wrote: every step down is checked, every list bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labeling.marks.credentials._story import actions_of, agent, generator, story
from labeling.marks.credentials._values import MAX_ITEMS, distinct, mapping, mappings, shown, text
from labeling.marks.iptc import is_ai

_PREFIX = "org.aigc-labeling."
_DISCLOSURE = "c2pa.ai-disclosure"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whom a certificate names, who issued it, and from when to when it is valid (ISO 8601)."""

    name: str = ""
    organisation: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: str = ""
    not_after: str = ""


@dataclass(slots=True)
class Facts:
    """The facts of a store: those of the active manifest, unless the name says otherwise.

    ``failures`` are c2pa's failure codes in its order, once each, and ``codes`` all of its codes with its sentence on
    each. ``certificate`` and ``authority`` are those of the signer and of the time stamp, as c2pa describes them.
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
    ai_agent: tuple[str, str] = ("", "")
    created: bool = False
    created_with_source_type: bool = False
    created_when: str = ""
    ai_disclosure: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    failures: tuple[str, ...] = ()
    ingredient_failures: tuple[str, ...] = ()
    codes: dict[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None
    authority: Certificate | None = None
    stamped: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    watermarks: list[dict[str, str]] = field(default_factory=list)

    def value(self) -> dict[str, Any]:
        """Return the facts as a report shows them, without what is not known."""
        own = mapping(self.ai_disclosure.get("metadata"))
        made_by, version = next(iter(self.software_agents), ("", ""))
        types = (*self.source_types, *self.ingredient_source_types)
        said: dict[str, Any] = {
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
            "software_agent": " ".join(part for part in (made_by, version) if part),
            "ai_disclosure": self.ai_disclosure,
            "provider": text(own.get(_PREFIX + "provider")),
            "system": text(own.get(_PREFIX + "system")) or text(self.ai_disclosure.get("modelName")),
            "system_version": text(own.get(_PREFIX + "system_version")),
            "content_id": text(own.get(_PREFIX + "content_id")),
            "created": self.created_when or text(own.get("dateTime")),
            "actions": list(self.actions),
            "ingredient_validation_codes": list(self.ingredient_failures),
            "history": self.history,
            "watermarks": self.watermarks,
        }
        # The software agent of the action that AI did is the generating system.
        if said["system"] in ("", self.ai_agent[0]):
            said["system"], said["system_version"] = self.ai_agent[0], said["system_version"] or self.ai_agent[1]
        known = {name: value for name, value in said.items() if value}
        known["manifests"] = self.manifests
        known["time_stamped"] = bool(self.time)
        known["ai"] = bool(self.ai_disclosure) or any(is_ai(term) for term in types)
        return known


def facts(store: dict[str, Any], certificates: dict[str, Any] | None = None) -> Facts:
    """Extract the facts from the reader's JSON, and what it knows of certificates from its other form, crJSON."""
    manifests = mapping(store.get("manifests"))
    label = store.get("active_manifest")
    active = mapping(manifests.get(label)) if isinstance(label, str) else {}
    found = Facts(active_manifest=text(label), manifests=len(manifests), state=text(store.get("validation_state")))
    _identity(found, active)
    _origin(found, active)
    types = (term for key, other in manifests.items() if key != label for term in _source_types(mapping(other)))
    declared = (text(item.get("digital_source_type")) for item in mappings(active.get("ingredients")))
    found.ingredient_source_types = distinct(types, declared)
    _validation(found, mapping(store.get("validation_results")))
    _certificates(found, certificates or {})
    found.history, found.watermarks = story(manifests, found.active_manifest)
    return found


def _identity(found: Facts, active: dict[str, Any]) -> None:
    signature = mapping(active.get("signature_info"))
    found.title = text(active.get("title"))
    found.issuer, found.common_name = text(signature.get("issuer")), text(signature.get("common_name"))
    found.alg, found.time = text(signature.get("alg")), text(signature.get("time"))
    version = active.get("claim_version")
    found.claim_version = version if isinstance(version, int) else 1
    found.claim_generator = generator(active)


def _origin(found: Facts, active: dict[str, Any]) -> None:
    actions = list(actions_of(active))
    found.actions = tuple(text(action.get("action")) for action in actions)
    found.assertions = tuple(text(item.get("label")) for item in mappings(active.get("assertions")))
    found.source_types = distinct(_source_types(active))
    found.software_agents = tuple(
        dict.fromkeys(pair for action in actions if (pair := agent(action.get("softwareAgent"))) != ("", ""))
    )
    typed = any(text(action.get("digitalSourceType")) for action in actions)
    ai = any(is_ai(term) for term in found.source_types)
    for action in actions:
        created = action.get("action") == "c2pa.created"
        # Older manifests give the source type elsewhere: then it is that of what was created.
        by_ai = is_ai(text(action.get("digitalSourceType"))) or (created and ai and not typed)
        if by_ai and not found.ai_agent[0]:
            found.ai_agent = agent(action.get("softwareAgent"))
        if created:
            found.created = True
            found.created_when = text(action.get("when"))
            found.created_with_source_type |= bool(text(action.get("digitalSourceType")))
    for item in mappings(active.get("assertions")):
        if text(item.get("label")).partition("__")[0] == _DISCLOSURE and not found.ai_disclosure:
            found.ai_disclosure = {text(k): shown(v) for k, v in list(mapping(item.get("data")).items())[:MAX_ITEMS]}


def _validation(found: Facts, results: dict[str, Any]) -> None:
    own = mapping(results.get("activeManifest"))
    found.failures = distinct(text(item.get("code")) for item in mappings(own.get("failure")))
    for kind in ("failure", "informational", "success"):
        for item in mappings(own.get(kind)):
            found.codes.setdefault(text(item.get("code")), text(item.get("explanation")))
    deltas = (mapping(item.get("validationDeltas")) for item in mappings(results.get("ingredientDeltas")))
    found.ingredient_failures = distinct(
        text(item.get("code")) for delta in deltas for item in mappings(delta.get("failure"))
    )


def _certificates(found: Facts, form: dict[str, Any]) -> None:
    """Take the certificates from crJSON, where each manifest has its signature."""
    own = next((each for each in mappings(form.get("manifests")) if each.get("label") == found.active_manifest), {})
    signature = mapping(own.get("signature"))
    stamp = mapping(signature.get("timeStampInfo"))
    found.certificate = _certificate(signature.get("certificateInfo"))
    found.authority = _certificate(stamp.get("certificateInfo"))
    found.stamped = text(stamp.get("timestamp"))


def _certificate(value: Any) -> Certificate | None:
    if not isinstance(value, dict):
        return None
    subject, issuer, span = (mapping(value.get(key)) for key in ("subject", "issuer", "validity"))
    by = [text(issuer.get(key)) for key in ("CN", "O")]
    return Certificate(
        text(subject.get("CN")),
        text(subject.get("O")),
        ", ".join(dict.fromkeys(part for part in by if part)),
        text(value.get("serialNumber")),
        text(span.get("notBefore")),
        text(span.get("notAfter")),
    )


def _source_types(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the source types of the actions, and of older places still in use (IPTC and schema.org assertions)."""
    for action in actions_of(manifest):
        yield text(action.get("digitalSourceType"))
    for item in mappings(manifest.get("assertions")):
        data = mapping(item.get("data"))
        for key in ("digitalSourceType", "Iptc4xmpExt:DigitalSourceType", "iptc4xmpExt:DigitalSourceType"):
            yield text(data.get(key))
