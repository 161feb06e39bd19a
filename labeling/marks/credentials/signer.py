"""Who signs: a certificate chain, and a private key or a callback to wherever the key is kept.

Whatever is wrong with them is found when the signer is made, or at the latest when it signs, and reported in one line.
The key never appears in a message, a log or a ``repr``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labeling.errors import SigningError
from labeling.marks.credentials import _certificates as certificates
from labeling.marks.credentials import library

if TYPE_CHECKING:
    from cryptography import x509

Callback = Callable[[bytes], bytes]

MAX_PEM = 1 << 20
"""Largest certificate chain or key in bytes; a real one has a few thousand."""


class Signer:
    """Signs C2PA manifests. Made by :meth:`from_pem` or :meth:`from_callback`; safe to share between threads.

    A signer is never pickled, since keys stay where they are: make one in each process.

    Attributes:
        alg: One of es256, es384, es512, ps256, ps384, ps512, ed25519.
        chain: The certificates, leaf first.
        tsa_url: The RFC 3161 time-stamp service, or ``None``.
    """

    __slots__ = (
        "__weakref__", "_callback", "_key_pem", "_lock", "_native", "_private", "_stand_in", "_thread", "alg", "chain",
        "tsa_url",
    )  # fmt: skip

    def __init__(
        self,
        chain: list[x509.Certificate],
        alg: str,
        *,
        key_pem: bytes | None = None,
        callback: Callback | None = None,
        tsa_url: str | None = None,
    ) -> None:
        if tsa_url is not None and (not tsa_url.startswith(("http://", "https://")) or any(map(str.isspace, tsa_url))):
            raise SigningError(
                "`tsa_url` must start with http:// or https://, and have no spaces"
            )  # not repeated: it may hold a password
        certificates.check(chain)
        self.alg = alg
        self.chain = tuple(chain)
        self.tsa_url = tsa_url
        self._key_pem = key_pem
        self._callback = callback
        self._private: Any = None
        self._stand_in: bytes | None = None
        self._native: dict[tuple[int, str], Any] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()

    @classmethod
    def from_pem(cls, cert: bytes, key: bytes, *, tsa_url: str | None = None, password: bytes | None = None) -> Signer:
        """Make a signer from a certificate chain and a private key.

        Args:
            cert: The chain as PEM, in any order.
            key: The private key as PEM. It decides the algorithm (RSA: PS256).
            tsa_url: An RFC 3161 time-stamp service, asked once for each signature.
            password: Decrypts an encrypted key.

        Returns:
            The signer.

        Raises:
            SigningError: The key is encrypted and ``password`` is not given, key and certificate do not belong
                together, or C2PA does not allow the certificate to sign now (C2PA 2.2, 14.5.1).

        Example:
            >>> import labeling
            >>> from labeling.marks.credentials import make_test_chain
            >>> chain = make_test_chain()
            >>> signer = labeling.Signer.from_pem(chain.cert_pem, chain.key_pem)
            >>> signer.alg
            'es256'
        """
        from cryptography.hazmat.primitives import serialization

        private = _load_key(key, password)
        try:
            plain = private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        except (AttributeError, ValueError) as error:
            raise SigningError("the private key is of a kind that C2PA does not sign with") from error
        alg = certificates.algorithm(private.public_key(), "the private key")
        chain = certificates.load_chain(_bounded(cert, "certificate chain"), private.public_key())
        return cls(chain, alg, key_pem=plain, tsa_url=tsa_url)

    @classmethod
    def from_callback(cls, sign: Callback, cert: bytes, alg: str | None = None, tsa_url: str | None = None) -> Signer:
        """Make a signer whose key is elsewhere, such as in a KMS or HSM.

        Args:
            sign: Signs a message. It gets the message itself, not its digest, and hashes it as ``alg`` says. ECDSA
                signatures may be raw r‖s or DER; RSA signatures are RSASSA-PSS with a salt as long as the digest.
                It may be called from several threads at once. Each signature is verified with the certificate's key
                before it is used.
            cert: The certificate chain as PEM, in any order.
            alg: The algorithm; by default the one that fits the certificate's key: P-256 → es256 and so on,
                RSA → ps256.
            tsa_url: An RFC 3161 time-stamp service, asked once for each signature.

        Returns:
            The signer.

        Raises:
            SigningError: The certificate or the algorithm does not fit, as for :meth:`from_pem`.
        """
        chain = certificates.load_chain(_bounded(cert, "certificate chain"))
        own = certificates.algorithm(chain[0].public_key(), "the certificate's key")
        if alg is not None and alg.lower() not in certificates.choices(own):
            raise SigningError(f"the certificate's key signs with {own}, not with {alg!r}", hint="leave out `alg`")
        return cls(chain, alg.lower() if alg else own, callback=sign, tsa_url=tsa_url)

    def __repr__(self) -> str:
        until = self.chain[0].not_valid_after_utc.date().isoformat()
        return f"<Signer {certificates.name_of(self.chain[0])!r}, {self.alg}, until {until}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Signer holds a key and cannot be pickled; make one in each process")

    @property
    def chain_pem(self) -> bytes:
        """The chain as PEM, as it goes into manifests: leaf first, without the root (C2PA 2.2, 14.5)."""
        return certificates.to_pem(self.chain)

    @property
    def remote(self) -> bool:
        """Whether a callback signs."""
        return self._callback is not None

    @property
    def signature_size(self) -> int:
        """Bytes of a signature in COSE's form."""
        return certificates.signature_size(self.chain[0].public_key())

    def check_dates(self, now: datetime | None = None) -> None:
        """Raise :class:`SigningError` if the certificate is not valid now: a service may outlive its certificate."""
        certificates.check_dates(self.chain[0], now or datetime.now(UTC))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether ``signature``, in COSE's form, is one over ``message`` by the certificate's key.

        The last pair that was right in this thread is right again: what a callback returns is verified first as it
        comes, and once more as it is read back.
        """
        pair = message, signature
        if getattr(self._thread, "verified", None) == pair:
            return True
        right = certificates.verify(self.chain[0].public_key(), self.alg, signature, message)
        if right:
            self._thread.verified = pair
        return right

    def call(self, message: bytes) -> bytes:
        """Have the callback sign, verify its signature, and return that in COSE's form.

        Raises :class:`SigningError` if the callback raises or returns anything but a valid signature.
        """
        assert self._callback is not None
        try:
            given = self._callback(message)
        except SigningError:
            raise
        except Exception as error:  # the callback is the user's: whatever it raises, we could not sign
            raise SigningError(
                f"the signing callback failed ({type(error).__name__}: {_line(error)})",
                hint="look at the service that it calls",
            ) from error
        if not isinstance(given, bytes | bytearray | memoryview):
            raise SigningError(f"the signing callback returned {type(given).__name__}, not the bytes of a signature")
        if len(given) > MAX_PEM:
            raise SigningError(f"the signing callback returned {len(given)} bytes, which is no signature")
        for candidate in certificates.candidates(self.chain[0].public_key(), bytes(given)):
            if self.verify(message, candidate):
                return candidate
        raise SigningError(
            f"the signing callback returned {len(given)} bytes that are not a signature by the certificate's key "
            f"({self.alg})",
            hint=f"it must sign the message itself ({certificates.expected(self.alg)})",
        )

    def sign(self, message: bytes) -> bytes:
        """Sign a message, with the key or by the callback.

        Args:
            message: Any bytes.

        Returns:
            The signature in COSE's form, which is that of JWS as well (RFC 7518, 3.4 and 3.5; RFC 8037, 3.1).

        Raises:
            SigningError: The callback did not give a valid signature.
        """
        if self._key_pem is None:
            return self.call(message)
        if self._private is None:  # reading an RSA key takes longer than signing with it
            self._private = _load_key(self._key_pem, None)
        return certificates.signed(self._private, self.alg, message)

    def native(self, kind: str) -> Any:
        """Return the ``c2pa.Signer`` of one kind, made once in each process.

        ``key`` signs with the private key. ``stand-in`` signs with a throw-away key of the same size, whose signature
        is replaced afterwards (see :mod:`labeling.marks.credentials.sign`). ``callback`` calls back.
        """
        with self._lock:
            slot = (os.getpid(), kind)
            if slot not in self._native:
                self._native[slot] = self._make_native(kind)
            return self._native[slot]

    def _make_native(self, kind: str) -> Any:
        c2pa = library.load()

        try:
            if kind == "callback":
                algorithm = c2pa.C2paSigningAlg[self.alg.upper()]
                return c2pa.Signer.from_callback(self._relay, algorithm, self.chain_pem.decode(), self.tsa_url)
            key = self._key_pem if kind == "key" else self._stand_in_key()
            assert key is not None
            return c2pa.Signer.from_info(c2pa.C2paSignerInfo(self.alg, self.chain_pem, key, self.tsa_url))
        except (c2pa.C2paError, ValueError) as error:
            raise SigningError(f"c2pa does not accept this certificate: {_line(error)}") from None

    def _stand_in_key(self) -> bytes:
        from cryptography.hazmat.primitives import serialization

        from labeling.marks.credentials.testchain import new_key

        if self._stand_in is None:
            key = new_key(self.alg, getattr(self.chain[0].public_key(), "key_size", 0))
            self._stand_in = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        assert self._stand_in is not None
        return self._stand_in

    def _relay(self, message: bytes) -> bytes:
        # An exception must not cross native code, so it is kept for the thread that waits in sign().
        try:
            return self.call(message)
        except BaseException as error:  # noqa: BLE001 - raised again there
            self._thread.error = error
            return b""

    def take_error(self) -> BaseException | None:
        """Return the error that the callback left in this thread, if any, and clear it."""
        error: BaseException | None = getattr(self._thread, "error", None)
        self._thread.error = None
        return error


def _bounded(pem: bytes, what: str) -> bytes:
    if len(pem) > MAX_PEM:
        raise SigningError(
            f"the {what} is larger than {MAX_PEM >> 20} MiB", hint="give the PEM file of the signer alone"
        )
    return pem


def _load_key(key: bytes, password: bytes | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(_bounded(key, "private key"), password)
    except TypeError:
        # cryptography raises TypeError in both cases: a password is missing, or one was given that is not needed
        if password is not None:
            return _load_key(key, None)
        raise SigningError("the private key is encrypted", hint="give its `password`, or a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        # The original message could quote the input, so it is not passed on.
        wrong = "does not open with this password, or " if password else ""
        raise SigningError(
            f"the private key {wrong}is not a PEM private key", hint="give one in PKCS #8 form"
        ) from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
