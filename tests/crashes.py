"""A crash at any one of the moments before and after some calls, as abrupt as a killed process."""

from collections.abc import Callable
from typing import Any


class CrashError(BaseException):
    """Ends what is done as abruptly as a process can end itself."""


class Crash:
    """Raises before or after one of the calls it was put around: the `left`th of these moments."""

    def __init__(self) -> None:
        self.left = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with these two moments."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            self._moment()
            result = function(*arguments, **keywords)
            self._moment()
            return result

        return call

    def _moment(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise CrashError
