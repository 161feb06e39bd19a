"""The interim trust list: how its certificates are recognised.

Before there was a C2PA trust list, contentcredentials.org kept an interim one. It was frozen on 2026-01-01, and nobody
answers for it any more. A signer on it is known by it, and is not trusted by it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

FROZEN = "2026-01-01"

_ENOUGH = 5
"""Certificates of the interim list that make a bundle it, or a part of it. Who names one alone means that one."""

_LISTED = """
07f892d3737a 23ffe2b8bdb9 281734d4592d 2fdc1433dc5d 3a6224e6ef98 3e752debad24 458e0e219698 4e23b06b3d76 5367f20c7ade
552bf7884bb5 5e6d46c2fc99 5f4d2c0e0cba 6ce0bf83c143 7d0c6ac8cd0c 804f46daf0da 82d24ce4d174 862f4cd4667a 9252fb534eaa
ba3da9f67d5c c60f849915ac ca0b1554ecd9 cb27e0a4eaf6 d4238a521f5d d5c6d933a096 e7c4a47e8999 f642418e4d0c 0004ff357005
0091f38cbba3 0096f8fd79ce 015540847b88 055be62b4e91 05a9089728f7 0864204a6b84 09a2679a8638 0c779d82a266 127d3ba15286
217ddd2f7589 2288d32b279b 23b8ea0749e8 25cbf8ca3251 27527c1052f2 2774cfa2d919 28ea4ac5b035 2bb6691a9631 2bd9ad3842b8
305700b76b25 38d488844c07 39590a6fd9ec 39e112edd653 3e5a77c3499a 3fee43475a28 404d7ca2651f 4126b846c1fd 426a9b965fef
432ae39d9941 44161d879087 4588afec01f5 4965cfd273ab 4b02662abbdd 4d9bc0ff77ca 4f84b1edd8c4 52441dc1eed7 53687785f632
56c424779fa0 580b399c79b7 590ff1c3865f 5a48655a91db 5b1bbd021123 5c260a4bba6b 6072fe7b4829 6763bd26a8eb 69df21336c73
70ef2334ce46 733191203ead 792ef1049a01 7ad8dc2c9e7f 7bc9294124ec 7cf0213bc41b 7d1f81496630 7f2c41170cc9 8208b6b1f019
867a6216570f 87bda8f5a4b2 88b8081693bc 8a03d9e1c43e 8b6233e9b962 8e4a39dff552 90543284e970 91807b7e5dd3 92893cda7791
9552b43354a7 9601221424d2 97fe0b6bb9ff 989d8b551c64 99f626b19d69 9ca86eccdf56 9cda5ce4ed47 a008434a114f a0bfa18eac71
a2940d83e420 a3ab9735fd53 a58ac28bafee a8ac83e21c3c aac90cdb7739 ac09e4ef8cd3 ad788eecb198 ae3760ac84ff afc3b3a709fe
b1f168d790aa b220f2e891e3 b6a06c7fce3a b6f991cdfc66 b7f96b8f51c8 bcbcaa74541c beb41e0a6c97 c1474096e30c c250993bc8bd
c34d99a4dc1a c483a5603bf9 c57b3f216801 c5acbf491a62 c93229611491 ca66d025c184 cf2c31c9442a cfdcaa205a8b d2993cc73c9a
d37d9651a54f d445871815e2 d6641acfa7b9 dab096510e6c dbca8cf3532f df5a3c49c5d7 e4e6ddc7f281 eaa022527a7c eb0b52ae6f19
efe542efa6d1 f6178e167bc7 f67b5c4050f7 f6aa1b3d354a f719c983ea0c f816f92de711 fa0425fbb3ff fffce94afa5b
"""
"""The first 6 bytes of the SHA-256 of each certificate: roots and issuers first, then single signers."""

_FINGERPRINTS = frozenset(_LISTED.split())


def of_interim_list(bodies: list[str]) -> frozenset[str]:
    """Return which certificates of a bundle make it the interim list; none if it is another one.

    Args:
        bodies: The certificates as base64.
    """
    found = frozenset(body for body in bodies if _fingerprint(body) in _FINGERPRINTS)
    return found if len(found) >= _ENOUGH else frozenset()


def _fingerprint(body: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode(body)).hexdigest()[:12]
    except (binascii.Error, ValueError):
        return ""
