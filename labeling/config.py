"""``aigc-label.toml``: what a labeler is made from, and the commented file that ``aigc-label init`` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.errors import LabelingError, SigningError, error_context
from labeling.files import read_file, read_toml

NAME = "aigc-label.toml"

TEMPLATE = """# How aigc-label labels. Every key may be left out; options on the command line outrank this file.

# Which rules apply: "cn" (GB 45438-2025), "eu" (AI Act Art. 50) or "us-ca" (SB 942).
profile = "cn"

# Who provides the service: a 27-character provider code (TC260-PG-20252A), or a name.
producer = "{producer}"
# The provider's name in plain words, for regimes that ask for it (California).
# provider_name = "Example AI Ltd."

# How sure it is that the content is generated: "1" it is, "2" it may be, "3" suspected.
# origin = "1"

[generator]
# The system that makes the pictures: written as IPTC AISystemUsed and C2PA softwareAgent.
# name = "example-diffusion"
# version = "3.1"
# source_type = "trainedAlgorithmicMedia"   # or compositeWithTrainedAlgorithmicMedia, compositeSynthetic

[visible]
# enabled = true
# text = "AI生成"               # must hold an AI element and a generation element
# position = "bottom-right"     # top-left top top-right right bottom-right bottom bottom-left left
# height = 0.056                # of the shortest side; the standard's minimum is 0.05
# opacity = 1.0
# plate = "auto"                # auto, on, off
# color = "#ffffff"
# font = "fonts/Brand.otf"
# logo = "logo.png"

[video]
# when = "start"                # start+end, start+middle+end, whole
# seconds = 2.0                 # how long the visible label stays there; the standard's minimum is 2
# reencode = "auto"             # never: refuse rather than code all of a film anew; always
# preset = "faster"             # of the film's encoder
# crf = 17                      # its quality: 0 is best
# audio_cue = false             # mix the rhythm of GB 45438-2025 5.3 into WAV files

[embedded]
# exif = false                  # also write EXIF Software, DateTime and ImageDescription
# description = ""

[c2pa]
# Signing makes the metadata tamper-evident. "aigc-label init --test-signer" makes a chain for trying it out.
{c2pa}
# sidecar = false               # beside films that have no place for a manifest: NAME.c2pa

[security]
# Security data (TC260-PG-202511A): a signature over the label in ReservedCode1. "aigc-label init --test-sm2-key" makes
# a key for trying it out; pip install 'aigc-labeling[sm2]'.
{security}
# Public keys that verify --pinned aigc-label.toml trusts: hexadecimal digits, or PEM files.
# pinned = ["producer-sm2.pem"]

[ledger]
# A record of every label, in a file or a database (pip install 'aigc-labeling[postgres]').
# url = "aigc-label-ledger.db"    # or postgresql://USER:PASSWORD@HOST/DATABASE

[limits]
# max_pixels = 100000000
# quality = 92                  # for pictures that have to be encoded again with loss
# strict = false                # refuse a file of which anything would be lost
"""

_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "": {"profile": str, "producer": str, "provider_name": str, "origin": str},
    "generator": {"name": str, "version": str, "source_type": str},
    "visible": {
        "enabled": bool,
        "text": str,
        "position": str,
        "height": (int, float),
        "margin": (int, float),
        "opacity": (int, float),
        "plate": str,
        "color": str,
        "font": str,
        "logo": str,
    },
    "video": {"when": str, "seconds": (int, float), "reencode": str, "preset": str, "crf": int, "audio_cue": bool},
    "embedded": {"exif": bool, "description": str},
    "c2pa": {"cert": str, "key": str, "tsa_url": str, "sidecar": bool},
    "security": {"sm2_key": str, "pinned": list},
    "ledger": {"url": str},
    "limits": {"max_pixels": int, "quality": int, "strict": bool},
}


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file's content, checked; paths in it are relative to its folder."""

    path: Path
    values: dict[str, dict[str, Any]]

    def labeler_arguments(self) -> dict[str, Any]:
        """Keyword arguments for :class:`labeling.Labeler`; ``video`` is those of its ``VideoOptions``, as a mapping.

        Raises :class:`LabelingError`.
        """
        top, generator = self.values[""], self.values["generator"]
        embedded, limits = self.values["embedded"], self.values["limits"]
        arguments: dict[str, Any] = {
            key: top[key] for key in ("profile", "producer", "provider_name", "origin") if key in top
        }
        if "origin" in arguments:
            arguments["origin"] = origin(arguments["origin"])
        renamed = {"name": "generator", "version": "generator_version", "source_type": "source_type"}
        arguments |= {renamed[key]: value for key, value in generator.items()}
        arguments |= embedded | limits
        visible = dict(self.values["visible"])
        if not visible.pop("enabled", True):
            arguments["visible"] = False
        if visible:
            from labeling.rules import profile

            visible.setdefault("text", profile(arguments.get("profile", "cn")).text)
            arguments["style"] = style(visible, self.path.parent)
        if self.values["video"]:
            arguments["video"] = dict(self.values["video"])
        c2pa = dict(self.values["c2pa"])
        if "sidecar" in c2pa:
            arguments["sidecar"] = c2pa.pop("sidecar")
        if c2pa:
            if not ("cert" in c2pa and "key" in c2pa):
                raise SigningError("[c2pa] needs both cert and key", path=self.path)
            arguments["signer"] = signer(
                self.path.parent / c2pa["cert"], self.path.parent / c2pa["key"], c2pa.get("tsa_url")
            )
        if "sm2_key" in self.values["security"]:
            arguments["security_key"] = security_key(self.path.parent / self.values["security"]["sm2_key"])
        return arguments

    def ledger(self) -> str | None:
        """Where labels are recorded: a URL, or the path of a file, as :meth:`labeling.ledger.Ledger.open` takes it."""
        url = self.values["ledger"].get("url")
        return url if url is None or "://" in url else str(self.path.parent / url)

    def pinned(self) -> tuple[bytes, ...]:
        """The public SM2 keys of ``[security] pinned``, 65 bytes each. Raises :class:`LabelingError`."""
        keys: list[bytes] = []
        for entry in self.values["security"].get("pinned", []):
            if not isinstance(entry, str):
                raise LabelingError("security.pinned must be a list of strings", path=self.path)
            is_hex = len(entry) >= 64 and all(c in "0123456789abcdefABCDEF" for c in entry)
            keys += _read_pinned(entry, self.path) if is_hex else pinned(self.path.parent / entry)
        return tuple(keys)


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises :class:`LabelingError` that names the wrong key."""
    values = read_toml(path, "the configuration (aigc-label init makes one)")
    tables: dict[str, dict[str, Any]] = {name: {} for name in _KEYS}
    for key, value in values.items():
        if isinstance(value, dict) and key in _KEYS:
            tables[key] = value
        else:
            tables[""][key] = value
    for table, entries in tables.items():
        for key, value in entries.items():
            shown = f"{table}.{key}" if table else key
            wanted = _KEYS[table].get(key)
            if wanted is None:
                known = ", ".join(_KEYS[table]) if table else ", ".join((*_KEYS[""], *(f"[{t}]" for t in _KEYS if t)))
                raise LabelingError(f"unknown key {shown}", path=path, hint=f"known here are {known}")
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                raise LabelingError(f"{shown} has a value of the wrong type ({type(value).__name__})", path=path)
    return Config(path, tables)


def origin(value: str) -> Any:
    """One of the three origins. Raises :class:`LabelingError`."""
    from labeling.label import Origin

    if value not in set(Origin):
        raise LabelingError(f"origin must be 1 (generated), 2 (possibly) or 3 (suspected), not {value!r}")
    return Origin(value)


def style(values: dict[str, Any], folder: Path = Path()) -> Any:
    """A visible style from plain values (those of the ``[visible]`` table). Raises :class:`LabelingError`."""
    from labeling.marks.visible import Style, check_asset

    known = {"height": "height_ratio", "margin": "margin_ratio"}
    arguments = {known.get(key, key): value for key, value in values.items()}
    for key in ("font", "logo"):
        if key in arguments:
            path = folder / arguments[key]
            arguments[key] = read_file(path, f"the {key}")
            with error_context(path):
                check_asset(key, arguments[key])
    return Style(**arguments)


def signer(cert: Path, key: Path, tsa_url: str | None = None) -> Any:
    """A C2PA signer from PEM files. Raises :class:`SigningError`."""
    from labeling.marks.credentials import Signer

    chain, secret = read_file(cert, "the certificate"), read_file(key, "the key")
    with error_context(f"{cert}, {key}"):
        return Signer.from_pem(chain, secret, tsa_url=tsa_url)


def security_key(path: Path) -> Any:
    """The SM2 key that signs security data, from a PEM file. Raises :class:`LabelingError`."""
    from labeling.marks.security import Sm2Key

    with error_context(path):
        return Sm2Key.from_pem(read_file(path, "the SM2 key", 1 << 16))


def pinned(path: Path) -> tuple[bytes, ...]:
    """Public SM2 keys from a file: PEM, hexadecimal lines, or the ``[security] pinned`` of a configuration file."""
    if path.suffix.lower() == ".toml":
        return load(path).pinned()
    return _read_pinned(read_file(path, "the list of keys", 1 << 20).decode("utf-8-sig", "replace"), path)


def _read_pinned(text: str, path: Path) -> tuple[bytes, ...]:
    from labeling.marks.security import read_pinned

    with error_context(path):
        return read_pinned(text)
