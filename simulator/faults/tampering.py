"""Ways to damage a frame: each takes the frame that is due and gives what is sent. Pure."""

import json
import re
from collections.abc import Callable

from spreadlake.binance.rest import REST_KIND

Tampering = Callable[[bytes], list[bytes]]

_HUGE = 2**21
_DAY_MS = 86_400_000


def _with_field(name: bytes, value: bytes) -> Tampering:
    """Puts another value where the frame has that field."""
    pattern = re.compile(rb'"%b":("[^"]*"|[^,}]+)' % name)
    replacement = b'"%b":%b' % (name, value)
    return lambda frame: [pattern.sub(replacement, frame, count=1)]


def _without_field(name: bytes) -> Tampering:
    pattern = re.compile(rb'"%b":("[^"]*"|[^,}]+),' % name)
    return lambda frame: [pattern.sub(b"", frame, count=1)]


def _with_later(name: bytes, milliseconds: int) -> Tampering:
    """Moves a time of the frame into the future."""

    def later(match: re.Match[bytes]) -> bytes:
        return b'"%b":%d' % (name, int(match[1]) + milliseconds)

    return lambda frame: [re.sub(rb'"%b":(\d+)' % name, later, frame, count=1)]


def _not_market(frame: bytes) -> list[bytes]:
    """The trade, and after it one of the insurance fund, as @trade streams carry them."""
    event = json.loads(frame)
    data = event.get("data", event)
    data |= {"e": "trade", "t": data.pop("a", data.get("t")), "p": "0", "X": "INSURANCE_FUND"}
    return [frame, json.dumps(event).encode()]


TAMPERINGS: dict[str, Tampering] = {
    "lost": lambda _: [],
    "duplicated": lambda frame: [frame, frame],
    "truncated": lambda frame: [frame[: len(frame) * 2 // 3]],
    "empty": lambda _: [b""],
    "garbage": lambda _: [b"\x07}{ not json \xc3\xa9"],
    "binary": lambda _: [b"\xff\xfe\x00\x80garbage"],
    "huge": lambda frame: [b'{"stream":"x@y","data":"' + b"x" * _HUGE + b'"}', frame],
    "long": lambda frame: [b'{"stream":"x@y","data":"' + b"x" * (_HUGE // 4) + b'"}', frame],
    "nested": lambda frame: [b"[" * 100_000, frame],
    "nested in the trade": lambda frame: [
        b'{"stream":"x@y","data":{"e":"%b","x":' % REST_KIND.encode() + b"[" * 100_000,
        frame,
    ],
    "array": lambda frame: [b"[" + frame + b"]"],
    "price nan": _with_field(b"p", b'"NaN"'),
    "price infinite": _with_field(b"p", b'"Infinity"'),
    "price negative": _with_field(b"p", b'"-1.5"'),
    "price zero": _with_field(b"p", b'"0"'),
    "price missing": _without_field(b"p"),
    "price null": _with_field(b"p", b"null"),
    "price object": _with_field(b"p", b'{"value":1}'),
    "quantity nan": _with_field(b"q", b'"nan"'),
    "quantity negative": _with_field(b"q", b'"-3"'),
    "id text": _with_field(b"a", b'"abc"'),
    "id negative": _with_field(b"a", b"-7"),
    "id huge": _with_field(b"a", b"99999999999999999999999"),
    "id fraction": _with_field(b"a", b"12.5"),
    "time text": _with_field(b"T", b'"yesterday"'),
    "time zero": _with_field(b"T", b"0"),
    "time far future": _with_later(b"T", 400 * _DAY_MS),
    "event time ahead": _with_later(b"E", 5_000),
    "side text": _with_field(b"m", b'"perhaps"'),
    "symbol number": _with_field(b"s", b"12"),
    "not on the market": _not_market,
    "unknown event": lambda frame: [b'{"e":"forceOrder","E":1,"o":{"s":"X"}}', frame],
    "unknown field": lambda frame: [frame.replace(b'"s":', b'"zz":{"new":[1]},"s":', 1)],
    "server error": lambda frame: [b'{"error":{"code":1,"msg":"internal"},"id":9}', frame],
}
"""Every way by its name. `lost` and those that spoil a value leave a hole that REST can fill;
`duplicated`, `long`, `nested`, `event time ahead`, `not on the market`, `unknown …` and
`server error` lose nothing; `huge` passes the 1 MiB that clients accept by default."""
