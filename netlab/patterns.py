"""Regular expressions that are compiled when they are first used: a small command uses few of those that it imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, cast


class _Later:
    """A pattern that is not compiled. The first read of an attribute compiles it."""

    def __init__(self, text: str, flags: int) -> None:
        self._arguments = text, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._arguments)
        # The next time, the compiled pattern's methods are found here at once.
        for method in ("match", "fullmatch", "search", "sub", "split", "finditer", "findall"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a compiled pattern, as other code may do with the patterns of PyYAML."""
        return re.compile, self._arguments


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return what ``re.compile`` returns, with an error in the text found at the first use only."""
    return cast(re.Pattern[str], _Later(text, flags))


@contextmanager
def compiled_later() -> Iterator[None]:
    """Within the block, what this thread passes to ``re.compile`` is compiled when it is first used."""
    compiled, thread = re.compile, get_ident()

    def later(text: Any, flags: Any = 0) -> Any:
        return pattern(text, flags) if get_ident() == thread else compiled(text, flags)

    re.compile = later  # type: ignore[assignment]
    try:
        yield
    finally:
        re.compile = compiled
