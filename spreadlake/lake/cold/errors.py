"""What can go wrong with a bucket, in words that name it and the remedy, and never who asked."""

from typing import Any, Literal

from spreadlake.errors import LakeError
from spreadlake.lake.cold.address import ColdAddress

Kind = Literal[
    "away",
    "busy",
    "clock",
    "forbidden",
    "full",
    "missing",
    "no bucket",
    "refused",
    "taken",
    "wrong",
]

CLOCK_REMEDY = "the clocks of this machine and of the server differ too much: set this one right"
CLOCK_CODE = "RequestTimeTooSkewed"

_REMEDIES: dict[Kind, str] = {
    "away": "is the server there, and AWS_ENDPOINT_URL right? (an address of http:// or https://)",
    "busy": "it is asked again later",
    "clock": CLOCK_REMEDY,
    "forbidden": "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), AWS_REGION, "
    "and at what they may do in the bucket",
    "full": "make room in the bucket, or raise its quota",
    "no bucket": "make the bucket, or name another in storage.cold",
    "refused": "look at the server's log",
    "taken": "another has written it meanwhile",
    "missing": "it was deleted by another program, or by a rule of the bucket",
    "wrong": "it is uploaded again",
}
_CODES: dict[str, Kind] = {
    "NoSuchBucket": "no bucket",
    "InvalidBucketName": "no bucket",
    "NoSuchKey": "missing",
    "404": "missing",
    "BadDigest": "wrong",
    "InvalidDigest": "wrong",
    "XAmzContentChecksumMismatch": "wrong",
    "XAmzContentSHA256Mismatch": "wrong",
    "IncompleteBody": "away",
    "PreconditionFailed": "taken",
    "ConditionalRequestConflict": "taken",
    "SlowDown": "busy",
    CLOCK_CODE: "clock",
}
_STATUSES: dict[int, Kind] = {
    401: "forbidden", 403: "forbidden", 404: "missing", 413: "full", 429: "busy", 500: "busy",
    502: "away", 503: "busy", 504: "away", 507: "full",
}  # fmt: skip
_FULL = ("quota", "storagefull", "insufficientstorage", "nospace")


class ColdError(LakeError):
    """Object storage did not do what it was asked; all of it may be asked again later."""

    exit_code = 1

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(f"{reason}; {_REMEDIES[kind]}")
        self.kind = kind


def cold_error(error: Exception, address: ColdAddress, path: str) -> ColdError:
    """What an error of the client means."""
    where = address.url(path) if path else address.text
    answer: dict[str, Any] = getattr(error, "response", None) or {}
    if answer:
        code = str(answer.get("Error", {}).get("Code", ""))
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        kind = _kind(code, status)
        return ColdError(kind, f"{where}: the server answers {_said(code, status)}")
    name = type(error).__name__
    if "Credential" in name or "Profile" in name or "Token" in name or "SSO" in name:
        return ColdError("forbidden", f"{where} cannot be asked for: no credentials ({name})")
    return ColdError("away", f"{where} cannot be reached ({name})")


def _kind(code: str, status: int) -> Kind:
    if any(word in code.lower() for word in _FULL):
        return "full"
    return _CODES.get(code) or _STATUSES.get(status, "refused")


def _said(code: str, status: int) -> str:
    """Of others' words only the code: their sentences may repeat who asked."""
    code = "".join(letter for letter in code[:60] if letter.isalnum())
    return f"{status} {code}".strip() if code and code != str(status) else str(status)
