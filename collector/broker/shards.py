"""Which share of the symbols a capture carries. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from spreadlake.errors import InputError

_MOST = 1000


class Shard(NamedTuple):
    """The share `number` (from 1) of `of`."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_named(self, symbols: Sequence[str]) -> list[str]:
        """Its share of symbols that are named, dealt in turn: one more at the end moves nobody."""
        return list(symbols[self.number - 1 :: self.of])

    def of_chosen(self, symbols: Sequence[str]) -> list[str]:
        """Its share of symbols that rules choose, by a checksum of their names.

        Whoever comes or goes among hundreds moves nobody else from one capture to another.
        """
        return [symbol for symbol in symbols if crc32(symbol.encode()) % self.of == self.number - 1]


def parse_shard(text: str) -> Shard:
    """A share as it is written, `1/2`; InputError for anything else."""
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or not 1 <= shard.number <= shard.of <= _MOST:
        raise InputError(
            f"--shard {text!r} is no share of the symbols: the first of two is 1/2, the second 2/2"
        )
    return shard
