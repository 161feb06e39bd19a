"""``aigc-label.toml``: what a labeler is made from, and the commented file that ``aigc-label init`` writes.

Tables and keys are those that :mod:`labeling.options` declares.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from labeling.errors import LabelingError, SigningError, error_context
from labeling.files import read_file, read_toml
from labeling.options import (
    DECLARING,
    LabelerOptions,
    LedgerFile,
    Option,
    SecurityFiles,
    SignerFiles,
    Style,
    VideoOptions,
    options_of,
)

if TYPE_CHECKING:
    from labeling.marks.credentials import Signer
    from labeling.marks.security import Sm2Key

NAME = "aigc-label.toml"

VARIABLE = "AIGC_LABEL_CONFIG"
"""Environment variable that names the configuration file."""

_ADDRESSES = ("tsa_url", "url")
"""Parameters whose values are addresses, or may be."""

TABLES: dict[str, str] = {
    "": "How aigc-label labels. Every key may be left out; options on the command line outrank this file.",
    "generator": "",
    "visible": "",
    "video": "",
    "embedded": "",
    "c2pa": 'Signing makes metadata tamper-evident. "aigc-label init --test-signer" makes a chain for trying it out.',
    "security": 'Security data: a signature over the label in ReservedCode1. "aigc-label init --test-sm2-key" makes a '
    "key for trying it out.",
    "ledger": "",
    "system": "",
    "limits": "",
}
"""The tables of the file and what is said about each; "" is the top level."""

RENAMED = {"film": "video"}
"""Tables by their former names."""

Given: TypeAlias = dict[type, dict[str, Any]]
"""Options that were given: values by the dataclass that declares them and the parameter's name.

Where the option is a file, the value is its path; all other values are as in Python.
"""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file's content, checked.

    Args:
        path: The file. Paths in it are relative to its folder.
        given: The options in it.
    """

    path: Path
    given: Given = field(default_factory=dict)

    def labeler_arguments(self, outranking: Given | None = None) -> dict[str, Any]:
        """Return keyword arguments for :class:`labeling.Labeler`.

        Args:
            outranking: Options that outrank the file, one by one.

        Raises:
            LabelingError: A file that is named cannot be used.
        """
        own = self.given.get(SignerFiles, {})
        if own and not ("cert" in own and "key" in own):
            raise SigningError("[c2pa] needs both cert and key", path=self.path)
        more = outranking or {}
        given = {each: self.given.get(each, {}) | more.get(each, {}) for each in DECLARING}
        for name, other in (("text", "language"), ("language", "text")):
            if name in more.get(Style, {}) and other not in more[Style]:
                given[Style].pop(other, None)  # one brings the wording that the other chooses
        return labeler_arguments(given)

    def ledger(self) -> str | None:
        """Where labels are recorded: a URL, or the path of a file, as :meth:`labeling.ledger.Ledger.open` takes it."""
        url: str | None = self.given.get(LedgerFile, {}).get("url")
        return url if url is None or "://" in url else str(self.path.parent / url)

    def retention(self) -> int | None:
        """For how many days records are kept, if the file says so."""
        days: int | None = self.given.get(LedgerFile, {}).get("retention")
        return days

    def pinned(self) -> tuple[bytes, ...]:
        """Return the public SM2 keys of ``[security] pinned``, 65 bytes each. Raises :class:`LabelingError`."""
        keys: list[bytes] = []
        for entry in self.given.get(SecurityFiles, {}).get("pinned", []):
            keys += _read_pinned(entry, self.path) if _is_hexadecimal(entry) else pinned(self.path.parent / entry)
        return tuple(keys)


def _is_hexadecimal(entry: str) -> bool:
    """Return whether an entry of ``[security] pinned`` is a key itself, and not the name of its file."""
    return len(entry) >= 64 and all(c in "0123456789abcdefABCDEF" for c in entry)


def chosen(named: Path | None) -> Config | None:
    """Return the configuration of a command that labels or opens the ledger.

    A file that the user has named may refer to anything. One that was only found in the current folder may be among
    files that somebody else has put there: it refers to files in its own folder, and to no address.

    Args:
        named: The file that the user has named, if any; otherwise ``aigc-label.toml`` in the current folder is looked
            for.

    Returns:
        The configuration; ``None`` if none was named and none is there.

    Raises:
        LabelingError: As :func:`load` says; or a file that was found refers to something elsewhere.
    """
    if named is not None:
        return load(named)
    if not Path(NAME).is_file():
        return None
    found = load(Path(NAME))
    for shown, place in _references(found):
        if not _is_below(place, found.path.parent):
            raise LabelingError(
                f"{shown} leads out of the folder, and this file was only found there: it may be a stranger's",
                path=NAME, hint=f"if it is yours, name it with `config`, or set {VARIABLE}",
            )  # fmt: skip
    return found


def _references(config: Config) -> Iterator[tuple[str, str]]:
    """Go through the keys of a configuration that name files and addresses, each with its value."""
    for declaring, options in config.given.items():
        for name, option in options_of(declaring).items():
            value = options.get(name)
            shown = f"{option.table}.{option.key}" if option.table else option.key
            if value is None:
                continue
            if option.names_file(value) or name in _ADDRESSES or (name == "profile" and str(value).endswith(".toml")):
                yield shown, str(value)
            elif name == "pinned":
                yield from ((shown, entry) for entry in value if not _is_hexadecimal(entry))


def _is_below(place: str, folder: Path) -> bool:
    """Return whether a path leads into ``folder``, whatever links are in it. An address never does."""
    base = os.path.realpath(folder)
    return "://" not in place and os.path.realpath(folder / place).startswith(os.path.join(base, ""))  # noqa: PTH118


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        LabelingError: It cannot be read, a key is not known, or a value is wrong; the message names file and key.
    """
    values = read_toml(path, "the configuration (aigc-label init makes one)")
    given: Given = {}
    with error_context(path):
        for table, key, value in _entries(values):
            shown = f"{table}.{key}" if table else key
            declaring, option = _declared(table, key, shown)
            if option.names_file(value):
                _check_text(value, shown)
                value = path.parent / value
            else:
                _check(option, value, shown)
            given.setdefault(declaring, {})[option.name] = value
    return Config(path, given)


def _entries(values: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Go through the (table, key, value) of a file."""
    for key, value in values.items():
        if new := RENAMED.get(key):
            raise LabelingError(f"the table [{key}] is now called [{new}]", hint="rename it")
        if isinstance(value, dict) and key in TABLES:
            for inner, entry in value.items():
                yield key, inner, entry
        else:
            yield "", key, value


def declared_in(table: str) -> dict[str, tuple[type, Option]]:
    """Return the options of a table by their keys, each with the dataclass that declares it."""
    return {
        option.key: (declaring, option)
        for declaring in DECLARING
        for option in options_of(declaring).values()
        if option.table == table
    }


def _declared(table: str, key: str, shown: str) -> tuple[type, Option]:
    declared = declared_in(table)
    if key not in declared:
        known = [*declared, *([] if table else (f"[{name}]" for name in TABLES if name))]
        raise LabelingError(f"unknown key {shown}", hint=f"known here are {', '.join(known)}")
    return declared[key]


def _check(option: Option, value: object, shown: str) -> None:
    option.check(value, shown)
    if option.name == "profile":
        from labeling.rules import PROFILES

        if value not in PROFILES and not str(value).endswith(".toml"):
            raise LabelingError(
                f"{shown} must be one of {', '.join(PROFILES)}, or the path of a .toml file, not {value!r}"
            )


def _check_text(value: object, shown: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise LabelingError(f"{shown} must be the path of a file, not {value!r}")


def labeler_arguments(given: Given) -> dict[str, Any]:
    """Return keyword arguments for :class:`labeling.Labeler` from plain options; the files they name are read.

    Raises:
        LabelingError: A file cannot be used, or a value is wrong.
    """
    arguments = dict(given.get(LabelerOptions, {}))
    if look := dict(given.get(Style, {})):
        if not look.get("language"):
            look.setdefault("text", wording(arguments.get("profile", "cn"), str(arguments.get("source_type", ""))))
        arguments["style"] = _style(look)
    if video := given.get(VideoOptions):
        paths = {name: str(value) for name, value in video.items() if isinstance(value, Path)}
        arguments["video"] = VideoOptions(**video | paths)
    if files := given.get(SignerFiles):
        arguments["signer"] = signer(**files)
    if "sm2_key" in (keys := given.get(SecurityFiles, {})):
        arguments["security_key"] = security_key(keys["sm2_key"])
    return arguments


def wording(profile: str, source_type: str, language: str = "") -> str:
    """Return the text of a visible label for which nobody has chosen one.

    Args:
        profile: The profile's name, or the path of one.
        source_type: Term of the IPTC Digital Source Type; a composite is called modified where the wording is that of
            the EU's Code of Practice.
        language: One of :data:`labeling.options.style.LANGUAGES`, for the Code's wording; ``""``: the profile's own.
    """
    from labeling.marks.wording import basic
    from labeling.rules import profile as profile_named

    own = profile_named(profile).text
    if not language and own != basic("en"):
        return own
    return basic(language or "en", modified=source_type.startswith("composite"))


def _style(look: dict[str, Any]) -> Style:
    from labeling.marks.visible import check_asset

    for name, option in options_of(Style).items():
        if name in look and option.names_file(look[name]):
            path = Path(look[name])
            if option.choices and not path.exists():
                words = ", ".join(f'"{each}"' for each in option.choices)
                raise LabelingError("there is no such file", path=path, hint=f"`{name}` is {words}, or a PNG file")
            look[name] = read_file(path, f"the {name}")
            with error_context(path):
                if option.or_file and not look[name].startswith(option.or_file):
                    svg = path.suffix.lower() == ".svg"
                    raise LabelingError(
                        f"`{name}` is no PNG file",
                        hint="convert the SVG to PNG first, about 512 pixels high" if svg else "give a PNG file",
                    )
                check_asset(name, look[name])
    return Style(**look)


def signer(cert: Path, key: Path, tsa_url: str | None = None) -> Signer:
    """Make a C2PA signer from PEM files. Raises :class:`LabelingError`."""
    from labeling.marks.credentials import Signer

    chain, secret = read_file(cert, "the certificate"), read_file(key, "the key")
    with error_context(f"{cert}, {key}"):
        return Signer.from_pem(chain, secret, tsa_url=tsa_url)


def security_key(path: Path) -> Sm2Key:
    """Read the SM2 key that signs security data from a PEM file. Raises :class:`LabelingError`."""
    from labeling.marks.security import Sm2Key

    with error_context(path):
        return Sm2Key.from_pem(read_file(path, "the SM2 key", 1 << 16))


def pinned(path: Path) -> tuple[bytes, ...]:
    """Read public SM2 keys from a file: PEM, hexadecimal lines, or ``[security] pinned`` of a configuration file."""
    if path.suffix.lower() == ".toml":
        return load(path).pinned()
    return _read_pinned(read_file(path, "the list of keys", 1 << 20).decode("utf-8-sig", "replace"), path)


def _read_pinned(text: str, path: Path) -> tuple[bytes, ...]:
    from labeling.marks.security import read_pinned

    with error_context(path):
        return read_pinned(text)


def template(given: Mapping[str, str]) -> str:
    """Return a commented configuration file with every option that there is.

    Args:
        given: Values by ``table.key`` (or ``key``) that are set; every other option is a comment with its default.
    """
    parts = []
    for table, about in TABLES.items():
        heading = "".join(f"{line}\n" for line in ([f"[{table}]"] if table else []) + _comment(about))
        first, *rest = (_with_comment(option, given) for _, option in declared_in(table).values())
        parts += [f"{heading}\n{first}" if about else heading + first, *rest]
    return "\n\n".join(parts) + "\n"


def _with_comment(option: Option, given: Mapping[str, str]) -> str:
    """Return an option as the file has it: a comment on it, and its key, which is a comment too unless it is given."""
    name = f"{option.table}.{option.key}" if option.table else option.key
    words = option.in_file or option.help
    facts = "; ".join(filter(None, (option.allowed, option.unset and f"default: {option.unset}")))
    about = _comment(f"{words} ({facts})." if facts else f"{words}.")
    if name in given:
        return "\n".join([*about, f"{option.key} = {_toml(given[name])}"])
    default = "" if option.default is None else option.default
    return "\n".join([*about, f"# {option.key} = {_toml(default if option.example is None else option.example)}"])


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _toml(value: object) -> str:
    """Write a value as TOML, whose strings, numbers, booleans and lists of these are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
