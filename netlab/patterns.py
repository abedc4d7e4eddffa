"""Regular expressions that are compiled when they are first used: a small command uses few of those that it imports."""

from __future__ import annotations

import re
from typing import Any, cast


class _Later:
    """A pattern that is not compiled; its first attribute that is read compiles it."""

    def __init__(self, text: str, flags: int) -> None:
        self._arguments = text, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._arguments)
        # The next time, the compiled pattern's methods are found here at once.
        for method in ("match", "fullmatch", "search", "sub", "split", "finditer", "findall"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return what ``re.compile`` returns, with an error in the text found at the first use only."""
    return cast(re.Pattern[str], _Later(text, flags))
