"""The errors a user can meet.

Every one names the thing, the value and the remedy in one message. `SpreadlakeError` is their
base: the command line prints its message and exits with `exit_code`, without a traceback.
"""

__all__ = [
    "ConfigError",
    "DamagedFileError",
    "ExchangeError",
    "InputError",
    "LakeError",
    "MissingFileError",
    "RecordingError",
    "ServiceError",
    "SpreadlakeError",
]


class SpreadlakeError(Exception):
    """Base of all errors that are told to the user as one message."""

    exit_code = 2


class ConfigError(SpreadlakeError):
    """A setting has a wrong key or a wrong value."""


class InputError(SpreadlakeError):
    """An argument of a command cannot be used."""


class RecordingError(SpreadlakeError):
    """A recording is missing, damaged, or holds nothing that can be replayed."""


class LakeError(SpreadlakeError):
    """The lake is missing, of another kind, of a newer version, or in use by another writer."""


class DamagedFileError(LakeError):
    """A file of the lake cannot be read; what does not need it can go on."""


class MissingFileError(DamagedFileError):
    """A file of the lake was there, and is no more; what does not need it can go on."""


class ExchangeError(SpreadlakeError):
    """The exchange refuses what was asked (a wrong route or an unknown symbol)."""


class ServiceError(SpreadlakeError):
    """A service cannot do its work (a port in use, a service that keeps dying)."""

    exit_code = 1
