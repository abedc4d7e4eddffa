"""Immutable values: ``@frozen`` is ``@dataclass(frozen=True, slots=True)``, made in an eighth of the time.

``dataclasses`` compiles six methods for such a class, which takes 0.3 ms. A small command imports 60 of these classes,
so that was a fifth of its time. Here three methods are compiled, each when it is called for the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")
_Method = Callable[..., Any]
_Fields = tuple[Field[Any], ...]
_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(frozen=True, slots=True)`` returns it.

    ``field``, ``fields``, ``replace`` and ``__post_init__`` work as they do there. Methods that the class defines stay.
    """
    return _with_methods(cls, slots=True)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen_with_cache(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(frozen=True)`` returns it: without slots, so it may have a ``cached_property``."""
    return _with_methods(cls, slots=False)


def _with_methods(cls: type[_T], slots: bool) -> type[_T]:
    own = set(vars(cls))
    # This compiles nothing: it finds the fields and adds the slots.
    made = dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    found = fields(made)  # type: ignore[arg-type]
    methods = {name: _compiled_later(made, found, name) for name in _SOURCES} | _others(found)
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _compiled_later(cls: type[Any], found: _Fields, name: str) -> _Method:
    """Return a method that compiles the real one when it is called, and puts it into the class in its own place."""

    def method(*arguments: Any, **by_name: Any) -> Any:
        text, names = _SOURCES[name](cls, found)
        exec(text, names)  # noqa: S102  # the text is constant but for the names of the fields
        made = names[name]
        made.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, made)
        return made(*arguments, **by_name)

    return method


def _init(cls: type[Any], found: _Fields) -> tuple[str, dict[str, Any]]:
    """Return the text of ``__init__`` and its names: ``_d_F`` is the default of a field F, ``_f_F`` its factory."""
    names: dict[str, Any] = {"_set": _set, "_MISSING": MISSING}
    parameters: list[str] = ["self"]
    by_name: list[str] = []
    lines: list[str] = []
    for one in found:
        name = value = one.name
        default = ""
        if one.default_factory is not MISSING:
            names[f"_f_{name}"] = one.default_factory
            value = f"_f_{name}() if {name} is _MISSING else {name}" if one.init else f"_f_{name}()"
            default = "=_MISSING"
        elif one.default is not MISSING:
            names[f"_d_{name}"] = one.default
            value = name if one.init else f"_d_{name}"
            default = f"=_d_{name}"
        elif not one.init:
            continue
        if one.init:
            (by_name if one.kw_only else parameters).append(name + default)
        lines.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters += ["*", *by_name] if by_name else []
    return f"def __init__({', '.join(parameters)}):\n {'; '.join(lines) or 'pass'}\n", names


def _eq(cls: type[Any], found: _Fields) -> tuple[str, dict[str, Any]]:
    equal = f"{_key('self', found)} == {_key('other', found)}"
    same = "other.__class__ is self.__class__"
    return f"def __eq__(self, other):\n return {equal} if {same} else NotImplemented\n", {}


def _hash(cls: type[Any], found: _Fields) -> tuple[str, dict[str, Any]]:
    return f"def __hash__(self):\n return hash({_key('self', found)})\n", {}


def _key(end: str, found: _Fields) -> str:
    return f"({''.join(f'{end}.{one.name}, ' for one in found if one.compare)})"


_SOURCES = {"__init__": _init, "__eq__": _eq, "__hash__": _hash}


def _others(found: _Fields) -> dict[str, _Method]:
    """Return the methods that are seldom called; ``copy`` and ``pickle`` call the last two."""
    names = [one.name for one in found]
    shown = [one.name for one in found if one.repr]

    def text(self: object) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def state(self: object) -> list[Any]:
        return [getattr(self, name) for name in names]

    def restore(self: object, values: list[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            _set(self, name, value)

    return {
        "__repr__": text,
        "__setattr__": _refuse_set,
        "__delattr__": _refuse_delete,
        "__getstate__": state,
        "__setstate__": restore,
    }


def _refuse_set(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
