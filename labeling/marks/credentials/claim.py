"""What a manifest says, and the manifest definition that c2pa's builder makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labeling._version import __version__
from labeling.label import Origin, ProviderCode

if TYPE_CHECKING:
    from labeling.label import Label

CLAIM_GENERATOR = "aigc-labeling"
EXTENSION = "org.aigc-labeling."
"""Prefix of our own fields: the specification asks for entity-specific names where it has none (C2PA 2.2, 6.2.1)."""

MODEL_TYPE = "c2pa.types.model"
DEFAULT_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
VOCABULARIES = ("http://cv.iptc.org/newscodes/digitalsourcetype/", "http://c2pa.org/digitalsourcetype/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a manifest says. System, version, provider, time and identifier are what California asks for.

    Attributes:
        generator: The system that made the content.
        generator_version: Its version.
        provider: Who offers the system, by name.
        when: Time of creation, RFC 3339.
        content_id: The unique identifier of the content.
        title: Title of the asset.
        digital_source_type: A full URI of IPTC's or C2PA's vocabulary; "" where nothing is known of it.
        model_id: Identifier of the model.
        change: What was done to a file that already had a manifest, in words.
        pixels_changed: Whether its picture was changed.
        changes: Actions that say more than these two: the name (C2PA 2.2, 18.14.4) and a description of each.
    """

    title: str = ""
    generator: str = ""
    generator_version: str = ""
    digital_source_type: str = DEFAULT_SOURCE_TYPE
    when: str = ""
    provider: str = ""
    content_id: str = ""
    model_id: str = ""
    change: str = "labelled as AI-generated"
    pixels_changed: bool = True
    changes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, label: Label, digital_source_type: str = DEFAULT_SOURCE_TYPE, **more: Any) -> Claim:
        """Make the claim for a label; ``more`` are fields of the claim that a label does not have.

        A label that says "possibly" or "suspected" makes a claim without a source type, whatever is asked for: a
        manifest must not be surer than the label beside it (Labelling Measures Art. 6).
        """
        if label.origin != Origin.GENERATED:
            digital_source_type = ""
            word = "possibly" if label.origin == Origin.POSSIBLE else "suspected to be"
            more.setdefault("change", f"labelled as {word} AI-generated")
        when = label.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if label.created else ""
        return cls(
            generator=label.generator,
            generator_version=label.generator_version,
            digital_source_type=digital_source_type,
            when=when,
            provider=label.provider_name or ("" if ProviderCode.parse(label.producer) else label.producer),
            content_id=label.content_id,
            **more,
        )


def definition(claim: Claim, *, edit: bool) -> str:
    """Return the manifest definition that c2pa's builder takes, JSON.

    ``edit`` says that the file was made from another one, which is the ingredient called "parent".
    """
    ours = {"name": CLAIM_GENERATOR, "version": __version__}
    when = {"when": claim.when} if claim.when else {}
    source_type = _present(digitalSourceType=claim.digital_source_type)
    if edit:
        # C2PA 2.2, 18.14.2: an asset made from another one starts with c2pa.opened and its parent ingredient. The
        # source type there is that of what was opened; the change is ours.
        changes = claim.changes or (("c2pa.edited" if claim.pixels_changed else "c2pa.edited.metadata", claim.change),)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        actions: list[dict[str, Any]] = [
            {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}, **source_type},
            *({"action": name, "when": now, "softwareAgent": ours, "description": what} for name, what in changes),
        ]
    else:
        # The agent of this action is the system that made the content: where nobody names one, it is not this tool.
        agent = _present(name=claim.generator, version=claim.generator_version) if claim.generator else {}
        actions = [{"action": "c2pa.created", **when, **({"softwareAgent": agent} if agent else {}), **source_type}]
    # "created": the signer vouches for it; by default c2pa calls an assertion gathered (C2PA 2.2, 10.3.2.1).
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": actions}, "created": True}]
    if _says_ai(claim):
        assertions.append({"label": "c2pa.ai-disclosure", "data": _disclosure(claim), "created": True})
    definition = {"claim_generator_info": [ours], "assertions": assertions, **_present(title=claim.title)}
    return json.dumps(definition)


def _says_ai(claim: Claim) -> bool:
    from labeling.marks.iptc import is_ai

    return is_ai(claim.digital_source_type)


def _disclosure(claim: Claim) -> dict[str, Any]:
    """Return the AI disclosure (C2PA 2.4, 18.28.4). What it has no field for goes to its metadata, under our prefix."""
    own = {
        "provider": claim.provider,
        "system": claim.generator,
        "system_version": claim.generator_version,
        "content_id": claim.content_id,
    }
    extra = {EXTENSION + name: value for name, value in own.items() if value}
    metadata = {**_present(dateTime=claim.when), **extra}
    return {
        "modelType": MODEL_TYPE,
        **_present(modelName=claim.generator, modelIdentifier=claim.model_id),
        **({"metadata": metadata} if metadata else {}),
    }


def _present(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
