"""What a store keeps of an object beside its bytes: headers, metadata, tags, storage class, encryption, access, locks.

A labelled copy gets what its source has. What its store does not know, or refuses, is in the result's ``lost``.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

from labeling.batch.object_encoding import is_compression
from labeling.containers import formats
from labeling.errors import WouldLose
from labeling.losses import Loss

CONTENT_TYPE, ENCODING, DISPOSITION = "Content-Type", "Content-Encoding", "Content-Disposition"
HEADERS = (CONTENT_TYPE, "Cache-Control", DISPOSITION, "Content-Language", ENCODING)
METADATA, TAGS, STORAGE_CLASS, ENCRYPTION, ACL = "user metadata", "tags", "storage class", "encryption key", "ACL"
STORES_OWN = "server-side encryption"
"""Encryption with the store's own key."""

SHARED = frozenset({*HEADERS, METADATA, TAGS})
"""What means the same in stores of every kind that have it."""

EVERYWHERE = frozenset({(STORAGE_CLASS, "STANDARD"), (STORES_OWN, "AES256")})
"""What is so in stores of every kind, whatever they call it."""

GENERIC_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Types of which stores make use if nobody has said what an object is."""

MAX_REFUSALS = 256
"""Refusals of the target that a worker remembers, so that it need not ask again for every object."""

WHERE = "the object's properties"


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of one object.

    Attributes:
        kind: The kind of store: "s3", "gs" or "azure".
        values: By name. Headers are texts, metadata and tags mappings of texts; others are as their store has them.
        unread: What may be there, and could not be read.
    """

    kind: str
    values: Mapping[str, Any]
    unread: tuple[Loss, ...] = ()


@dataclass(slots=True)
class Carried:
    """What the output of one file is to have from its source, and what of that it does not get.

    Attributes:
        properties: The source's.
        format: The output has this format, whatever that of the source; empty if it has the same.
        strict: Refuse to store the output if it would lack any of them.
        lost: What the output lacks. It is complete when the output is stored.
    """

    properties: Properties
    format: str = ""
    strict: bool = False
    lost: list[Loss] = field(default_factory=list)

    def for_sidecar(self) -> Carried:
        """Return what a manifest beside the output is to have: whoever reads the one must be able to read the other."""
        own = {*HEADERS, METADATA, "Expires", "website redirect"} - {"Cache-Control"}
        values = {name: value for name, value in self.properties.values.items() if name not in own}
        return Carried(Properties(self.properties.kind, values), "", self.strict, self.lost)


def fitted(
    carried: Carried, kind: str, known: Iterable[str], decided: Iterable[str], store: str
) -> tuple[dict[str, Any], list[Loss]]:
    """Return the properties that an object in another store can have, and those that it cannot have.

    Args:
        carried: What the object is to have.
        kind: The kind of the store.
        known: The names of what it has.
        decided: The names of what the user has decided for all objects: they count neither as kept nor as lost.
        store: The store, for messages.

    Raises:
        WouldLose: Something would be lost, and ``carried.strict`` forbids that.
    """
    properties, fit = carried.properties, set(known)
    if kind != properties.kind:
        fit &= SHARED
    values: dict[str, Any] = {}
    lost = list(properties.unread)
    for name, value in properties.values.items():
        if name in decided:
            continue
        if name in fit:
            values[name] = value
        elif not isinstance(value, str) or (name, value) not in EVERYWHERE:
            named = f"{name} {value}" if isinstance(value, str) else name
            lost.append(Loss(named, WHERE, f"{store} has no counterpart"))
    if carried.format:
        values |= _for_format(values, carried.format)
    if is_compression(values.get(ENCODING, "")):
        lost.append(Loss(f"{ENCODING} {values.pop(ENCODING)}", WHERE, "the copy is stored as it is, not compressed"))
    if values.get(CONTENT_TYPE) in GENERIC_TYPES:
        del values[CONTENT_TYPE]  # what the file is says more
    forbid_losses(carried, lost)
    return values, lost


def forbid_losses(carried: Carried, lost: Sequence[Loss]) -> None:
    """Raise :class:`WouldLose` if something is lost, and ``carried.strict`` forbids that."""
    if carried.strict and lost:
        raise WouldLose(
            f"would lose {'; '.join(map(str, lost[:3]))}", hint="without `strict`, the file is stored all the same"
        )


_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}(?=\"|;|\s*$)")


def _for_format(values: Mapping[str, Any], format: str) -> dict[str, Any]:
    """Return what changes with the format: the type, and the extension of the name that it is to be saved under."""
    changed = {CONTENT_TYPE: ""}
    if DISPOSITION in values:
        extension = formats.format_named(format).extensions[0]
        known = {each for row in formats.FORMATS for each in row.extensions}
        changed[DISPOSITION] = _EXTENSION.sub(
            lambda found: extension if found[0].lower() in known else found[0], values[DISPOSITION]
        )
    return changed


def decoded_text(value: str) -> str:
    """Return the text that a value stands for in which what is not ASCII is written as RFC 2047 asks for."""
    if not value.startswith("=?"):
        return value
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError):  # it only looks like one
        return value


def media_type_of(local: Path, name: str) -> str:
    """Return the media type of a file: by what it is, otherwise by its name; empty if neither tells."""
    with local.open("rb") as file:
        row = formats.identify(file.read(formats.HEAD))
    by_name = "" if (guessed := mimetypes.guess_type(name)[0]) is None else guessed
    if row is None or by_name in row.media_types:
        return by_name
    return row.media_types[0]


class Refusals:
    """What a target has refused so far: it is not asked for the same again."""

    def __init__(self) -> None:
        self._why: dict[tuple[str, str], str] = {}

    def note(self, name: str, value: object, why: str) -> None:
        """Remember a refusal, unless there are too many of them."""
        if len(self._why) < MAX_REFUSALS:
            self._why[name, _key(name, value)] = why

    def of(self, name: str, value: object) -> str | None:
        """Return why this value was refused; ``None`` if it was not."""
        return self._why.get((name, _key(name, value)))


def _key(name: str, value: object) -> str:
    return repr(value)[:1000]


def put_as_accepted(
    put: Callable[[Mapping[str, Any]], None],
    values: Mapping[str, Any],
    suspects: Callable[[Exception, Mapping[str, Any]], list[str]],
    explain: Callable[[Exception], str],
    refusals: Refusals,
    forbid: Callable[[Sequence[Loss]], None],
) -> list[Loss]:
    """Put an object with its properties; if the store refuses them, without the ones that it refuses.

    Args:
        put: Puts the object with these properties.
        values: What it is to have.
        suspects: Which properties may be the reason for an error, the likeliest first; none if it has another reason.
        explain: Says in a few words what an error means.
        refusals: What the store has refused before. It is added to.
        forbid: Is called with what the object would lack before it is put without it.

    Returns:
        What the object lacks.

    Raises:
        Exception: What the store raised, if the properties are not the reason.
    """
    known = {name: why for name, value in values.items() if (why := refusals.of(name, value)) is not None}
    wanted = {name: value for name, value in values.items() if name not in known}
    refused: dict[str, str] = {}
    forbid(_losses(known))
    while True:
        kept = {name: value for name, value in wanted.items() if name not in refused}
        try:
            put(kept)
            break
        except Exception as error:
            if not (names := suspects(error, kept)):
                raise
            refused[names[0]] = explain(error)
            forbid([Loss(" or ".join(names), WHERE, refused[names[0]])])
    if len(refused) > 1:  # perhaps only the last one was the reason
        *others, last = refused
        try:
            put({name: value for name, value in wanted.items() if name != last})
            refused = {last: refused[last]}
        except Exception as error:
            if not suspects(error, {name: wanted[name] for name in others}):
                raise
    for name, why in refused.items():
        refusals.note(name, wanted[name], why)
    return _losses(known | refused)


def _losses(refused: Mapping[str, str]) -> list[Loss]:
    return [Loss(name, WHERE, why) for name, why in refused.items()]


def missing(wanted: Mapping[str, Any], found: Mapping[str, Any], store: str) -> list[Loss]:
    """Return what a store took and did not keep.

    Args:
        wanted: What the object was put with.
        found: What the store says of it now. Names that it says nothing about are not judged.
        store: The store, for messages.
    """
    return [
        Loss(name, WHERE, f"{store} took it and did not keep it")
        for name, value in wanted.items()
        if name in found and not _holds(found[name], value)
    ]


def _holds(found: object, wanted: object) -> bool:
    """Return whether a value is the one that was wanted; of mappings, whether it has all of it, and perhaps more."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return all(found.get(key) == value for key, value in wanted.items())
    return found == wanted
