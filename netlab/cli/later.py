"""Makes the import of click faster: what click imports and hardly ever uses is loaded when it is used.

Only the command line does this: it decides about the whole process. ``importlib.util.LazyLoader`` does not help here.
In Python 3.11 it loads a module at the second ``import`` of it, as that reads ``__spec__``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

from netlab.patterns import compiled_later

# click and dataclasses import it, with ast, dis, linecache and tokenize. Without it `--help` takes a tenth less.
_UNUSED = ("inspect",)

_lock = RLock()
_loading: set[str] = set()


class _Later(ModuleType):
    """A module that is not loaded. To read an attribute that it lacks loads it."""

    def __getattr__(self, name: str) -> Any:
        with _lock:
            # Another thread may have loaded it. While it is loaded, its own imports may read it.
            if type(self) is _Later and self.__name__ not in _loading:
                _loading.add(self.__name__)
                try:
                    self.__spec__.loader.exec_module(self)  # type: ignore[union-attr]
                    self.__class__ = ModuleType  # type: ignore[assignment]
                finally:
                    _loading.discard(self.__name__)
        return object.__getattribute__(self, name)


def prepare() -> None:
    """Make the import of click faster; call this before it."""
    for name in _UNUSED:
        if name in sys.modules or (spec := find_spec(name)) is None:
            continue
        module = module_from_spec(spec)
        module.__class__ = _Later
        sys.modules[name] = module
    # click imports uuid for a type. uuid imports platform for one question, and that compiles ten regular expressions.
    with compiled_later():
        import_module("platform")
