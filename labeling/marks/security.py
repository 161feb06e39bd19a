"""Security data of TC260-PG-202511A: an SM3withSM2 signature over the label, in ReservedCode1 and ReservedCode2.

Signer and verifier are side by side. The key travels in the file, so a valid signature proves that the label was not
changed, but not who made it: only a key that the user pinned makes it trusted.

Verifying handles public data and is done in Python (``_sm2``). Signing handles a secret and is left to Tongsuo, an
OpenSSL derivative with national algorithms, through ``tongsuopy`` (extra ``[sm2]``): Apache-2.0, abi3 wheels for
Linux x86-64, Windows and macOS on both processors, and OpenSSL's constant-time scalar multiplication. ``cryptography``
has SM3 but no SM2; the pure-Python packages (gmssl, gmalg) leak the key through time; gmssl-pyx has no wheels for Apple
silicon. tongsuopy is stable rather than lively (1.0.1, 2023) and has no wheel for Linux on ARM, so any object with
``public`` and ``sign`` may stand in for it: a hardware module, a signing service, another library.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

from labeling.errors import LabelingError, MissingDependency, SigningError
from labeling.findings import Defect, Severity, Signature
from labeling.marks import _sm2
from labeling.marks._sm2 import PublicKey
from labeling.marks._sm2_forms import KEY_LENGTHS, SPKI, decode_key, decode_signature, read_pinned, unhex
from labeling.rule_catalogue import defect

__all__ = [
    "Half",
    "Result",
    "SecurityKey",
    "Sm2Key",
    "check",
    "check_label",
    "decode_key",
    "decode_signature",
    "message",
    "read_pinned",
    "sign",
]

RULE = "CN-SECURITY-SIGNATURE"

SM3_WITH_SM2 = "1.2.156.10197.1.501"  # GM/T 0006-2012
SM2_KEY = "1.2.156.10197.1.301"
ALGORITHMS = frozenset({SM3_WITH_SM2, SM2_KEY, "sm2", "sm3withsm2", "sm2withsm3", "sm2-with-sm3"})
LABEL_DATA = frozenset(
    {"labelmatadata", "labelmetadata", "md"}
)  # the guide's misspelling, the correct spelling, and the short form

MAX_CODE = 64 << 10
MAX_ENTRIES = 8
"""Entries of the public security data: each signature is tried with each key, and real files hold one of each."""


class Half(Enum):
    """Whose signature it is; the value lists the keys of the label that it covers, in the order of the message."""

    PRODUCER = ("Label", "ContentProducer", "ProduceID")
    PROPAGATOR = ("Label", "ContentPropagator", "PropagateID")


class Result(NamedTuple):
    """The state of one reserved code; ``detail`` is one sentence for people, ``defects`` go to the label."""

    signature: Signature
    detail: str
    defects: tuple[Defect, ...] = ()


class SecurityKey(Protocol):
    """Anything that signs like :class:`Sm2Key`, such as a key in a vault."""

    @property
    def public(self) -> bytes:
        """The public key, 65 bytes: ``04 ‖ X ‖ Y``."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message with SM3 and the default user id.

        Args:
            message: What to sign.

        Returns:
            The signature in DER.
        """
        ...


def message(fields: Mapping[str, Any], half: Half = Half.PRODUCER) -> bytes:
    """Return the bytes that are signed (A.1): three pairs as in the JSON, without braces and blanks."""
    return ",".join(f'"{key}":{json.dumps(_text(fields.get(key)), ensure_ascii=False)}' for key in half.value).encode(
        "utf-8", "replace"
    )


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # Label as a number is a defect of its own, but does not break the signature
    return value if isinstance(value, str) else ""


# --- verifying --------------------------------------------------------------------------------------------------------


def check(
    code: str | Mapping[str, Any] | None,
    label_fields: Mapping[str, Any],
    *,
    half: Half = Half.PRODUCER,
    pinned: Sequence[bytes] = (),
) -> Result:
    """Judge a reserved code against the label that it came with. Never raises on what the code holds.

    ``label_fields``: the seven keys with their values. ``pinned``: public keys in any of the five forms, which make a
    valid signature a trusted one; entries that are not keys are ignored. A code that cannot be judged is
    ``unsupported``, which is not an error: vendors put text, UUIDs and RSA objects there.
    """
    if code is None or (isinstance(code, str) and not code.strip()):
        return Result(Signature.NONE, "no security data")
    data = _parse(code)
    if isinstance(data, str):
        return Result(Signature.UNSUPPORTED, data)
    known = frozenset(key for raw in pinned for key in decode_key(raw))
    signatures = [entry for entry in data.entries if entry.get("Type") == "DS"]
    if not signatures:
        return Result(Signature.UNSUPPORTED, "the security data holds no digital signature")
    for entry in (*signatures, *data.keys):
        if str(entry.get("AlgID", "")).lower() not in ALGORITHMS:
            return _unjudged(f"the algorithm {str(entry.get('AlgID'))[:40]!r} is not SM3withSM2")
    ours = [entry for entry in signatures if _covers(entry) in LABEL_DATA]
    if not ours:
        return _bindings(data, signatures)
    keys = _keys(data, known)
    if isinstance(keys, Result):
        return keys
    signers = [_signer(entry, keys, _digests(label_fields, half)) for entry in ours]
    if None in signers:
        return _refuted(half)
    if known.intersection(key for key in signers if key is not None):
        return Result(Signature.TRUSTED, "the signature is valid, by a pinned key")
    return Result(Signature.VALID, "the signature is valid, by a key that only the file itself vouches for")


def check_label(fields: Mapping[str, Any], pinned: Sequence[bytes] = ()) -> tuple[Signature, tuple[Defect, ...]]:
    """Judge both reserved codes of a label. Its signature is the producer's; the propagator's can only add defects."""
    own, other = fields.get("ReservedCode1"), fields.get("ReservedCode2")
    if not own and not other:
        return Signature.NONE, ()
    first = check(own or None, fields, pinned=pinned)
    if not other or other == own:
        return first.signature, first.defects
    second = check(other, fields, half=Half.PROPAGATOR, pinned=pinned)
    return first.signature, tuple(dict.fromkeys((*first.defects, *second.defects)))


class _Data(NamedTuple):
    content: dict[str, Any]
    entries: tuple[dict[str, Any], ...]

    @property
    def keys(self) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry.get("Type") == "PubKey"]


def _parse(code: str | Mapping[str, Any]) -> _Data | str:
    """Return the security data, or a sentence on why it cannot be judged."""
    opaque = "the reserved code is not security data of TC260-PG-202511A"
    value: Any = code
    if isinstance(code, str):
        if len(code) > MAX_CODE:
            return "the reserved code is too long for security data"
        if "TC260PG" not in code:
            return opaque
        try:
            value = json.loads(code, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            return f"{opaque}: it is not valid JSON"
    if isinstance(value, Mapping):
        value = value.get("SecurityData", value)
    if not isinstance(value, Mapping) or str(value.get("Type", "")).strip() != "TC260PG":
        return opaque
    if str(value.get("Version")) != "1":
        return f"version {str(value.get('Version'))[:20]!r} of security data is not known"
    entries = next((value[key] for key in value if str(key).lower() == "pubsd"), None)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return "the security data has no list of public security data (PubSD)"
    if len(entries) > MAX_ENTRIES:
        return f"the security data has {len(entries)} entries; at most {MAX_ENTRIES} are read"
    return _Data(dict(value), tuple(entries))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that occurs twice: two verifiers could read it differently."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _covers(entry: dict[str, Any]) -> str:
    data = entry.get("TBSData")
    return str(data.get("Type", "")).strip().lower() if isinstance(data, dict) else ""


def _keys(data: _Data, known: Iterable[PublicKey]) -> tuple[PublicKey, ...] | Result:
    """Return the keys to try: those of the file or, if it has none, the pinned ones."""
    if not data.keys:
        return tuple(known) or _unjudged("the file has no public key, and none is pinned")
    found: list[PublicKey] = []
    for entry in data.keys:
        raw = unhex(entry.get("KeyValue"))
        if raw is None or len(raw) not in KEY_LENGTHS:
            return _unjudged("the public key is in none of the known encodings")
        found += decode_key(raw)
    if not found:
        return Result(Signature.FAILED, "broken", (_defect("the public key beside the signature is not an SM2 key"),))
    return tuple(found)


def _digests(fields: Mapping[str, Any], half: Half) -> list[bytes]:
    """Return what may have been signed: the text, or its raw SM3 digest, as some vendors do.

    A.1 only defines the producer's half. For ReservedCode2 we try the same text with the propagator's keys, and the
    producer's, since some writers repeat ReservedCode1.
    """
    texts = [message(fields, each) for each in dict.fromkeys((half, Half.PRODUCER))]
    return [form for text in texts for form in (text, _sm2.sm3(text))]


def _signer(entry: dict[str, Any], keys: Sequence[PublicKey], messages: list[bytes]) -> PublicKey | None:
    raw = unhex(entry.get("Signature"))
    signature = decode_signature(raw) if raw is not None else None
    if signature is None:
        return None
    return next((key for key in keys if _sm2.verify_any(key, messages, signature)), None)


def _refuted(half: Half) -> Result:
    if half is Half.PROPAGATOR:  # which text a propagator signs is not established: this proves nothing wrong
        return _unjudged("the signature in ReservedCode2 covers neither the propagator's nor the producer's half")
    text = "the signature in ReservedCode1 does not match Label, ContentProducer and ProduceID: one of them was changed"
    return Result(Signature.FAILED, text, (_defect(text),))


def _bindings(data: _Data, signatures: list[dict[str, Any]]) -> Result:
    """Signatures over a binding, a hash of the picture, instead of the label.

    One vendor writes them and signs the raw SM3 value. It does not publish which bytes of the picture it hashes, so
    such a signature could have been copied from another file: it is not called valid.
    """
    bindings = data.content.get("Bindings")
    values = (
        [b.get("Value") for b in bindings[:MAX_ENTRIES] if isinstance(b, dict)] if isinstance(bindings, list) else []
    )
    hashes = [raw for raw in map(unhex, values) if raw is not None and len(raw) == 32]
    keys = _keys(data, ())
    held = not isinstance(keys, Result) and all(_signer(entry, keys, hashes) is not None for entry in signatures)
    if hashes and held:
        return _unjudged(
            "the signature is valid for the hash beside it, but does not cover the label; what was hashed is unknown"
        )
    return _unjudged("the signature covers something other than the label")


def _unjudged(text: str) -> Result:
    return Result(Signature.UNSUPPORTED, text, (_defect(f"the signature was not judged: {text}", Severity.WARNING),))


def _defect(text: str, severity: Severity = Severity.ERROR) -> Defect:
    return defect(RULE, text, severity=severity)


# --- signing ----------------------------------------------------------------------------------------------------------


class Sm2Key:
    """An SM2 private key, for security data in labels. Make one with :meth:`from_pem` or :meth:`generate`.

    The key is held by Tongsuo (``pip install 'aigc-labeling[sm2]'``). No ``repr``, message or pickle contains it.

    Attributes:
        public: The public key, 65 bytes: ``04 ‖ X ‖ Y``.
    """

    __slots__ = ("_key", "public")

    public: bytes

    def __init__(self, key: Any) -> None:
        from tongsuopy.crypto import serialization as forms

        self._key = key
        self.public = key.public_key().public_bytes(forms.Encoding.X962, forms.PublicFormat.UncompressedPoint)

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> Sm2Key:
        """Load a key.

        Args:
            pem: PEM text, PKCS #8 or SEC 1.
            password: Decrypts an encrypted key.

        Returns:
            The key.

        Raises:
            SigningError: It cannot be read, or is not an SM2 key.
            MissingDependency: The ``sm2`` extra is not installed.
        """
        ec, _, forms = _tongsuo()
        try:
            key = forms.load_pem_private_key(pem, password)
        except Exception as error:  # the library's errors have no common base
            raise SigningError(
                "the SM2 key cannot be read", hint="give an unencrypted PEM private key (PKCS #8)"
            ) from error
        if getattr(getattr(key, "curve", None), "name", "") != ec.SM2.name:
            raise SigningError("the key is not an SM2 key", hint="openssl genpkey -algorithm SM2 makes one")
        return cls(key)

    @classmethod
    def generate(cls) -> Sm2Key:
        """Make a new key, for tests and for trying things out.

        Returns:
            The key.

        Raises:
            MissingDependency: The ``sm2`` extra is not installed.
        """
        ec, _, _ = _tongsuo()
        return cls(ec.generate_private_key(ec.SM2()))

    def to_pem(self) -> bytes:
        """Export the private key.

        Returns:
            PEM text, unencrypted PKCS #8: store it so that only its owner can read it (mode 0600).
        """
        _, _, forms = _tongsuo()
        pem: bytes = self._key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        return pem

    def public_pem(self) -> bytes:
        """Export the public key, which others pin.

        Returns:
            PEM text.
        """
        body = binascii.b2a_base64(SPKI + self.public, newline=False).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n".encode()

    def sign(self, message: bytes) -> bytes:
        """Sign a message with SM3 and the default user id.

        Args:
            message: What to sign.

        Returns:
            The signature in DER.
        """
        ec, hashes, _ = _tongsuo()
        signature: bytes = self._key.sign(message, ec.ECDSA(hashes.SM3()))
        return signature

    def __repr__(self) -> str:
        return f"<Sm2Key {self.public[1:5].hex()}…>"

    def __reduce__(self) -> Any:
        raise SigningError("an SM2 key cannot be pickled", hint="load it from its file in each process")


def _tongsuo() -> tuple[Any, Any, Any]:
    try:
        from tongsuopy.crypto import hashes, serialization
        from tongsuopy.crypto.asymciphers import ec
    except ImportError as error:
        raise MissingDependency("signing with SM2 needs Tongsuo", hint="pip install 'aigc-labeling[sm2]'") from error
    return ec, hashes, serialization


def sign(label_fields: Mapping[str, Any], key: SecurityKey, half: Half = Half.PRODUCER) -> str:
    """The reserved code for a label: security data with a signature by ``key`` over the ``half`` of ``label_fields``.

    Raises :class:`SigningError` if the key does not sign, or what it gave does not verify.
    """
    text = message(label_fields, half)
    try:
        public, signature = key.public, key.sign(text)
    except LabelingError:
        raise
    except Exception as error:  # the user's own signer may raise whatever it likes
        raise SigningError(f"the SM2 key did not sign ({type(error).__name__})") from error
    keys, numbers = decode_key(public), decode_signature(signature)
    if len(keys) != 1 or numbers is None or not _sm2.verify_any(keys[0], [text], numbers):
        raise SigningError("the SM2 signature does not verify with the key's public half: nothing was written")
    value = {
        "SecurityData": {
            "Type": "TC260PG",
            "Version": 1,
            "PubSD": [
                {
                    "Type": "DS",
                    "AlgID": SM3_WITH_SM2,
                    "TBSData": {"Type": "LabelMataData"},  # the guide spells it so
                    "Signature": signature.hex(),
                },
                {"Type": "PubKey", "AlgID": SM3_WITH_SM2, "KeyValue": bytes(keys[0]).hex()},
            ],
        }
    }
    return json.dumps(value, separators=(",", ":"))
