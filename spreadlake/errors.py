"""The errors a user can meet.

Every one names the thing, the value and the remedy in one message. `SpreadlakeError` is their
base: the command line prints its message and exits with `exit_code`, without a traceback.
"""

from pathlib import Path
from typing import Any


class SpreadlakeError(Exception):
    """Base of all errors that are told to the user as one message."""

    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled as it is, for those that are made of something else than their message.
        return _as_it_was, (type(self), self.args), self.__dict__


class ConfigError(SpreadlakeError):
    """A setting has a wrong key or a wrong value."""


class InputError(SpreadlakeError):
    """An argument of a command cannot be used."""


class RecordingError(SpreadlakeError):
    """A recording is missing, damaged, or holds nothing that can be replayed."""


class LakeError(SpreadlakeError):
    """The lake is missing, of another kind, of a newer version, or in use by another writer."""


class DamagedFileError(LakeError):
    """The file at `path` of the lake cannot be read; what does not need it can go on.

    `for_good` says that it is what it holds that is wrong: trying again cannot help;
    `reason` is the message without the remedy.
    """

    def __init__(
        self, message: str, path: Path | None = None, reason: str = "", for_good: bool = False
    ) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason
        self.for_good = for_good


class MissingFileError(DamagedFileError):
    """A file of the lake was there, and is no more; what does not need it can go on."""


class ObjectStorageError(DamagedFileError):
    """A file of the lake is in object storage alone, which does not give it now.

    It may pass, so it may be tried again; what does not need the file can go on.
    """

    exit_code = 1


class RemovedError(LakeError):
    """What is asked for was removed on purpose, to make room; what does not need it can go on."""


class UnavailableError(LakeError):
    """A database of the lake cannot be used now: locked, or its disk is full or failing.

    It passes, so it may be tried again; `reason` is the message without the remedy.
    """

    exit_code = 1

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason


class ExchangeError(SpreadlakeError):
    """The exchange refuses what was asked (a wrong route or an unknown symbol)."""


class ServiceError(SpreadlakeError):
    """A service cannot do its work (a port in use, a service that keeps dying)."""

    exit_code = 1


def _as_it_was(kind: type[SpreadlakeError], args: tuple[Any, ...]) -> SpreadlakeError:
    error = kind.__new__(kind, *args)
    error.args = args
    return error
