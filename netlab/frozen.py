"""Immutable values: ``@frozen`` is ``@dataclass(frozen=True, slots=True)``, made in a third of the time.

``dataclasses`` compiles six methods for such a class, one by one, which takes 0.3 ms. A small command imports 60 of
these classes, so that was a fifth of its time. Here the methods that have to be fast are compiled, all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")
_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(frozen=True, slots=True)`` returns it.

    ``field``, ``fields``, ``replace`` and ``__post_init__`` work as they do there. Methods that the class defines stay.
    """
    # This compiles nothing: it finds the fields and adds the slots.
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    found = fields(made)  # type: ignore[arg-type]
    for name, method in {**_compiled(made, found), **_others(found)}.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made


def _compiled(cls: type, found: tuple[Field[Any], ...]) -> dict[str, Callable[..., Any]]:
    """Compile ``__init__``, ``__eq__`` and ``__hash__``; of a field F the default is ``_d_F``, the factory ``_f_F``."""
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
    compared = [one.name for one in found if one.compare]
    own, others = (f"({''.join(f'{end}.{name}, ' for name in compared)})" for end in ("self", "other"))
    same = "other.__class__ is self.__class__"
    exec(  # noqa: S102  # the names of fields are identifiers
        f"def __init__({', '.join(parameters)}):\n {'; '.join(lines) or 'pass'}\n"
        f"def __eq__(self, other):\n return {own} == {others} if {same} else NotImplemented\n"
        f"def __hash__(self):\n return hash({own})\n",
        names,
    )
    # A call with wrong arguments names the class.
    names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return {name: names[name] for name in ("__init__", "__eq__", "__hash__")}


def _others(found: tuple[Field[Any], ...]) -> dict[str, Callable[..., Any]]:
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
