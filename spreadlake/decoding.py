"""What msgspec raises for bytes that others wrote."""

import msgspec

# Beside what it says itself: text that is no UTF-8, and values in values without an end.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
