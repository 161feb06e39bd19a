"""What an error of a store says about access: the credentials, or a permission, and whose.

Sources: Amazon S3's "Error responses", Azure Storage's "Common REST API error codes", Google Cloud Storage's "HTTP
status and error codes for JSON". fsspec's packages wrap these in errors of their own kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

Access = Literal["", "credentials", "permission", "unclear"]
"""What was refused. "unclear" are answers to HEAD, which have a status and no text: either may be meant."""

_CREDENTIALS = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired", "RequestExpired",
    "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
    "RequestTimeTooSkewed", "InvalidSecurity", "NotSignedUp", "MissingSecurityHeader", "AuthFailure",
    "AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "AuthenticationRequired",
    "Unauthorized", "401",
})  # fmt: skip
_PERMISSION = frozenset({
    "AccessDenied", "AllAccessDisabled", "AccountProblem", "AccountIsDisabled", "AuthorizationFailure",
    "AuthorizationPermissionMismatch", "AuthorizationProtocolMismatch", "AuthorizationServiceMismatch",
    "InsufficientAccountPermissions", "InvalidPayer", "Forbidden",
})  # fmt: skip
_UNCLEAR = frozenset({"400", "403"})

_CREDENTIAL_KINDS = (
    "RefreshError", "TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError",
    "ClientAuthenticationError", "AuthenticationException", "BadAuthenticationType", "NoAuthTokenError",
)  # fmt: skip
"""Kinds of errors that Google's, botocore's, Azure's and paramiko's libraries raise before a store has answered."""

_MAX_CHAIN = 16


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    shown: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if shown is None:
            return
        yield shown
        shown = shown.__cause__ or shown.__context__


def answer(error: BaseException) -> tuple[str, str, str]:
    """Return what a store answered, if it did: its code, the HTTP status, and its message."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    if isinstance(response, dict):  # botocore's
        details, metadata = response.get("Error") or {}, response.get("ResponseMetadata") or {}
        return str(details.get("Code", "")), str(metadata.get("HTTPStatusCode", "")), str(details.get("Message", ""))
    return "", "", ""


def refused_access(error: BaseException) -> Access:
    """Return what an error of a store's library says was refused; empty if it is about something else."""
    unclear: Access = ""
    for each in chain(error):
        kind, code = type(each).__name__, answer(each)[0]
        if code == "InvalidObjectState":
            return ""  # of S3: the object is in an archive, and nothing is wrong with who asks
        names = {code, *(str(getattr(each, name, "")) for name in ("error_code", "code", "status", "status_code"))}
        if names & _CREDENTIALS or "Credential" in kind or kind in _CREDENTIAL_KINDS:
            return "credentials"
        if names & _PERMISSION or code.startswith("KMS.") or str(each).startswith("Forbidden: "):  # gcsfs
            return "permission"
        if names & _UNCLEAR:
            unclear = unclear or "unclear"
        elif isinstance(each, PermissionError):
            unclear = unclear or "permission"
    return unclear
