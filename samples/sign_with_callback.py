"""Sign content credentials (C2PA) with a key that never leaves its vault: a KMS, an HSM, a signing service.

The library needs only the certificate chain and a function ``sign(message: bytes) -> bytes``. Here the vault is a class
with a throw-away test key. With a real one, the body of ``sign`` is one call of its client.

Run it with an output folder:  python samples/sign_with_callback.py demo-output/signed
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pictures import MODEL, PROVIDER, VERSION, generate

import labeling
from labeling.marks.credentials import make_test_chain


class Vault:
    """Stand in for a key management service: it signs and hands out its certificate chain, but never its key."""

    def __init__(self) -> None:
        chain = make_test_chain()
        key = serialization.load_pem_private_key(chain.key_pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self.certificates = chain.cert_pem
        self.root = chain.root_pem
        self.calls = 0

    def sign(self, message: bytes) -> bytes:
        """Return an ECDSA signature with SHA-256 in DER, the form that cloud services use."""
        self.calls += 1
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    vault = Vault()
    signer = labeling.Signer.from_callback(vault.sign, vault.certificates)
    labeler = labeling.Labeler(
        producer=PROVIDER, profile="eu", signer=signer, generator=MODEL, generator_version=VERSION
    )

    path = folder / "signed.png"
    path.write_bytes(labeler.label_image(generate("northern lights over a lake"), "png").data)
    print(f"{path}: signed with {vault.calls} call of the vault")

    for trust, words in ((None, "without trust anchors"), (labeling.Trust(vault.root), "with the vault's root")):
        report = labeling.verify(path, profile="eu", trust=trust)
        credentials = report.find("c2pa")
        assert credentials is not None
        print(f"  {words}: {credentials.signature}, eu: {report.verdicts['eu'].outcome}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output/samples/signed"))
