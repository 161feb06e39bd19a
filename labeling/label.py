"""The label: who made a piece of content, with what, when, and which piece it is.

Rules: GB 45438-2025 6.1 and Annex E (the seven fields), TC260-PG-20252A (the provider code),
GB 32100-2015 (the unified social credit code and its check digit).
"""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from labeling.errors import LabelingError

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: no I, O, S, V, Z
_USCC_LENGTH = 18
_CODE_LENGTH = 27
_UNUSED_TAIL = "00000"

MAX_VALUE = 4096
"""Characters of one field value. The standard sets no limit; real values stay below 400."""


AI_TERMS = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic")
"""Terms of the IPTC Digital Source Type vocabulary that mean content made or composed by a trained model."""


HUMAN_TERMS = (
    *("digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print", "compositeCapture"),
    *("humanEdits", "minorHumanEdits", "digitalCreation", "digitalArt"),
)
"""Terms that mean content which a camera took or a person made, and no AI."""


def term_of(value: str) -> str:
    """Return the vocabulary term that a source type ends with, whatever its scheme or prefix."""
    return value.strip().rstrip("/").rpartition("/")[2].rpartition(":")[2]


class Origin(StrEnum):
    """The ``Label`` field: AI-generated, possibly, or suspected (the classes of Labelling Measures Art. 6)."""

    GENERATED = "1"
    POSSIBLE = "2"
    SUSPECTED = "3"


def uscc_check_digit(first17: str) -> str:
    """Compute the 18th character of a unified social credit code (GB 32100-2015, 4.6).

    Raises :class:`LabelingError` if ``first17`` is not 17 characters of the code's alphabet.
    """
    if len(first17) != _USCC_LENGTH - 1 or any(c not in _USCC_ALPHABET for c in first17):
        raise LabelingError(
            f"{first17!r} is not the first 17 characters of a unified social credit code: "
            "digits and capitals without I, O, S, V, Z"
        )
    total = sum(_USCC_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return _USCC_ALPHABET[-total % 31]


def uscc_is_valid(uscc: str) -> bool:
    """Say whether ``uscc`` has 18 characters of the alphabet and the right check digit."""
    try:
        return len(uscc) == _USCC_LENGTH and uscc_check_digit(uscc[:-1]) == uscc[-1]
    except LabelingError:
        return False


@dataclass(frozen=True, slots=True)
class ProviderCode:
    """A 27-character provider code, taken apart (TC260-PG-20252A). ``str(code)`` puts it together again.

    Attributes:
        subject: "1" for an organisation.
        binding: "1" if a unified social credit code follows.
        uscc: The unified social credit code, 18 characters (GB 32100-2015).
        service: "1" for generation, "2" for propagation.
        model: Four characters for the model or service.
    """

    subject: str
    binding: str
    uscc: str
    service: str
    model: str

    @classmethod
    def parse(cls, code: str) -> ProviderCode | None:
        """Take a code apart.

        Args:
            code: 27 digits and capitals.

        Returns:
            The code, or ``None`` if the text does not have the form of one: a name, or a code of a draft.

        Example:
            >>> from labeling import ProviderCode
            >>> ProviderCode.parse("001191000000MA00DEM00P10001").uscc
            '91000000MA00DEM00P'
        """
        if len(code) != _CODE_LENGTH or not code.startswith("00") or not (code.isascii() and code.isalnum()):
            return None
        if code != code.upper():
            return None
        return cls(code[2], code[3], code[4:22], code[22], code[23:])

    @classmethod
    def build(cls, uscc: str, *, service: str = "1", model: str = "0000") -> ProviderCode:
        """Make an organisation's code from its unified social credit code.

        Args:
            uscc: The unified social credit code, 18 characters with its check digit (GB 32100-2015).
            service: "1" for generation, "2" for propagation, "0" for unused.
            model: Four digits or capitals.

        Returns:
            The code; ``str()`` gives its 27 characters.

        Raises:
            LabelingError: The check digit is wrong, or ``service`` or ``model`` do not have the form of
                TC260-PG-20252A.

        Example:
            >>> from labeling import ProviderCode
            >>> str(ProviderCode.build("91000000MA00DEM00P", model="0001"))
            '001191000000MA00DEM00P10001'
        """
        if not uscc_is_valid(uscc):
            raise LabelingError(
                f"{uscc!r} is not a valid unified social credit code (18 characters with the check digit of GB 32100)"
            )
        if service not in {"0", "1", "2"}:
            raise LabelingError(f"service must be 1 (generation), 2 (propagation) or 0 (unused), not {service!r}")
        if len(model) != 4 or not (model.isascii() and model.isalnum()) or model != model.upper():
            raise LabelingError(f"the model code must be four digits or capitals, not {model!r}")
        return cls("1", "1", uscc, service, model)

    def __str__(self) -> str:
        return f"00{self.subject}{self.binding}{self.uscc}{self.service}{self.model}"

    def problems(self) -> tuple[str, ...]:
        """List what in the code breaks TC260-PG-20252A.

        Returns:
            A sentence for each thing that is wrong; empty if nothing is.
        """
        found = []
        if self.binding == "1" and not uscc_is_valid(self.uscc):
            found.append(f"the unified social credit code {self.uscc} fails its check digit (GB 32100)")
        if self.service not in {"1", "2"} and self.service + self.model != _UNUSED_TAIL:
            found.append(f"the service character is {self.service!r}, not 1 (generation) or 2 (propagation)")
        return tuple(found)


_last_id = 0
_id_lock = threading.Lock()


def new_content_id() -> str:
    """Make a content id: a UUID of version 7 (RFC 9562), so that later ids sort after earlier ones.

    Returns:
        36 characters in lower case.

    Example:
        >>> from labeling import new_content_id
        >>> new_content_id() < new_content_id()
        True
    """
    global _last_id
    with _id_lock:
        # 48 bits of milliseconds and 12 of a counter that only grows: sortable within the millisecond too.
        stamp = max((time.time_ns() // 1_000_000) << 12, _last_id + 1)
        _last_id = stamp
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
    value |= 0b10 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a labelled file says about itself.

    The first seven are the fields of GB 45438-2025, Annex E. The others have no place there: IPTC and C2PA carry them.

    Args:
        producer: Who made the content: a 27-character provider code, or a name (``ContentProducer``). Empty, like
            ``content_id``, in the label that a platform writes on a declaration or a finding (Labelling Measures
            Art. 6): its ``origin`` is not ``GENERATED``, and the propagator's half is filled.
        content_id: Its number, unique together with the producer (``ProduceID``).
        origin: How sure it is that the content is AI-generated (``Label``).
        propagator: The platform that published it (``ContentPropagator``). While this and ``propagate_id`` are empty,
            the producer's half is written there as well.
        propagate_id: The platform's number for it (``PropagateID``).
        security: Security data of the producer (``ReservedCode1``).
        propagator_security: Security data of the platform (``ReservedCode2``).
        provider_name: The provider's name in plain words.
        generator: The system that made the content.
        generator_version: Its version.
        created: When; UTC if it has no time zone.

    Raises:
        LabelingError: A value is empty, too long, or holds characters that cannot be stored.
    """

    producer: str
    content_id: str
    origin: Origin = Origin.GENERATED
    propagator: str = ""
    propagate_id: str = ""
    security: str = ""
    propagator_security: str = ""
    provider_name: str = ""
    generator: str = ""
    generator_version: str = ""
    created: datetime | None = None

    def __post_init__(self) -> None:
        texts = {name: getattr(self, name) for name in self.__slots__ if name not in ("origin", "created")}
        for name, value in texts.items():
            if not isinstance(value, str):
                raise LabelingError(f"`{name}` must be text, not {value!r}")
        for name in ("producer", "content_id"):
            if not texts[name].strip() and not self.by_platform:
                raise LabelingError(f"the label needs a {name.replace('_', ' ')}", hint=f"give one with `{name}`")
        together = "".join(texts.values())
        if len(together) > MAX_VALUE or _UNSTORABLE.search(together):
            for name, value in texts.items():
                _check_value(name, value)
        if isinstance(self.origin, str):
            _check_value("origin", self.origin)
        if self.created is not None and self.created.tzinfo is None:
            object.__setattr__(self, "created", self.created.replace(tzinfo=UTC))

    @property
    def by_platform(self) -> bool:
        """Whether a platform wrote the whole label, without knowing who made the content (Labelling Measures Art. 6).

        That is a label "2" or "3" with the propagator's half alone. "1" says who made the content.
        """
        known = self.producer.strip() or self.content_id.strip()
        platform = self.propagator.strip() and self.propagate_id.strip()
        return self.origin != Origin.GENERATED and not known and bool(platform)

    @property
    def author(self) -> str:
        """Who wrote the label first: the producer, or the platform that knows of none."""
        return self.propagator if self.by_platform else self.producer

    def warnings(self) -> tuple[str, ...]:
        """List what is unusual but allowed: uncommon characters, or a producer without a provider code.

        Returns:
            A sentence for each; empty if nothing is unusual.
        """
        found = []
        for name in ("producer", "content_id", "propagator", "propagate_id"):
            odd = sorted({c for c in getattr(self, name) if not is_usual_character(c)})
            if odd:
                listed = "".join(odd[:8])
                found.append(f"{name.replace('_', ' ')} holds characters outside GB 45438-2025 Annex E: {listed}")
        code = ProviderCode.parse(self.producer)
        if self.by_platform:
            pass
        elif code is None:
            found.append("the producer is not a 27-character provider code (TC260-PG-20252A)")
        else:
            found.extend(code.problems())
        return tuple(found)


def is_usual_character(character: str) -> bool:
    """Say whether GB 45438-2025 Annex E names the character: 0x21, 0x23-0x5B, 0x5D-0x7E, and the escaped quote."""
    return "!" <= character <= "~" and character != "\\"


_UNSTORABLE = re.compile("[\0-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def _check_value(name: str, value: str) -> None:
    if len(value) <= MAX_VALUE and not _UNSTORABLE.search(value):
        return
    shown = name.replace("_", " ")
    if len(value) > MAX_VALUE:
        raise LabelingError(f"the {shown} is {len(value)} characters long", hint=f"at most {MAX_VALUE} are allowed")
    raise LabelingError(f"the {shown} holds control characters or broken Unicode", hint="remove them")
