"""Which cluster is meant: processes of this machine, or a scheduler. Pure."""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from spreadlake.errors import InputError

MOST_LOCAL = 1024
_FORMS = "name local, local:N, or a scheduler such as tcp://10.0.0.5:8786"


class ClusterAddress(NamedTuple):
    """`local` processes of this machine, or (0) those of the scheduler at `url`."""

    local: int
    url: str = ""

    @classmethod
    def parse(cls, text: str) -> "ClusterAddress":
        """`local`, `local:4`, `tcp://host:port` or `tls://host:port`; InputError for others."""
        word, colon, number = text.partition(":")
        if word == "local":
            if colon and not (number.isascii() and number.isdigit()):
                raise InputError(f"cluster {text!r}: local:N is of N processes, such as local:4")
            processes = int(number) if colon else usable_cores()
            if not 1 <= processes <= MOST_LOCAL:
                raise InputError(
                    f"cluster {text!r}: ask for 1 to {MOST_LOCAL:,} processes of this machine"
                )
            return cls(processes)
        if word not in ("tcp", "tls"):
            raise InputError(f"cluster {text!r} is none: {_FORMS}")
        try:
            parts = urlsplit(text)
            there = bool(parts.hostname) and parts.port is not None and not parts.path.strip("/")
        except ValueError:
            there = False
        if not there:
            raise InputError(f"cluster {text!r} names no host and port: {_FORMS}")
        return cls(0, f"{parts.scheme}://{parts.netloc}")


def usable_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
