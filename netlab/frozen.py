"""Decorators that make the classes of ``dataclass`` in less time, and named tuples: ``@frozen`` makes immutable values.

``dataclasses`` compiles six methods for an immutable class, which takes 0.3 ms. A small command imports 60 of these
classes, so that was a fifth of its time. ``@frozen`` takes an eighth of the time. A class of this module begins with
slow methods that need no compilation. It compiles ``__init__``, ``__eq__`` and ``__hash__``, each after 50 calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

_T = TypeVar("_T")
_Method = Callable[..., Any]
_Fields = tuple[Field[Any], ...]
_set = object.__setattr__
_UNUSUAL = object()
# To compile a method takes 0.23 ms, and a slow call 0.0015 ms more than a fast one.
_FEW = 50


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(frozen=True, slots=True)`` returns it.

    ``field``, ``fields``, ``replace`` and ``__post_init__`` work as they do there. Methods that the class defines stay.
    """
    return _with_methods(cls, _FROZEN, slots=True)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen_with_cache(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(frozen=True)`` returns it: without slots, so it may have a ``cached_property``."""
    return _with_methods(cls, _FROZEN)


@dataclass_transform(field_specifiers=(field,))
def mutable(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(slots=True)`` returns it."""
    return _with_methods(cls, _MUTABLE, slots=True)


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(field,))
def by_name(cls: type[_T]) -> type[_T]:
    """Return a class as ``dataclass(eq=False, repr=False, kw_only=True)`` returns it."""
    return _with_methods(cls, ("__init__",), kw_only=True)


def _with_methods(cls: type[_T], wanted: Sequence[str], slots: bool = False, kw_only: bool = False) -> type[_T]:
    own = set(vars(cls))
    # This compiles nothing: it finds the fields and adds the slots.
    made = dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
    found = fields(made)  # type: ignore[arg-type]
    others = _others(found) if len(wanted) > 1 else {}
    for name in wanted:
        if name not in own:
            setattr(made, name, _compiled_later(made, found, name) if name in _SOURCES else others[name])
    if "__eq__" in wanted and "__hash__" not in (*wanted, *own):
        made.__hash__ = None  # type: ignore[assignment]
    return made


def _compiled_later(cls: type[Any], found: _Fields, name: str) -> _Method:
    """Return a method that compiles a fast one after some calls, and puts it into the class in its own place."""
    slow, calls = _SLOW[name](cls, found), 0

    def method(*arguments: Any, **by_name: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= _FEW and (done := slow(*arguments, **by_name)) is not _UNUSUAL:
            return done
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


def _slow_init(cls: type[Any], found: _Fields) -> _Method:
    """Return a slow ``__init__``; it returns ``_UNUSUAL`` and does nothing if the arguments are wrong."""
    has_more = hasattr(cls, "__post_init__")
    in_order = [one.name for one in found if one.init and not one.kw_only]
    named = {one.name for one in found if one.init}

    def init(self: Any, *arguments: Any, **by_name: Any) -> Any:
        given = dict(zip(in_order, arguments, strict=False))
        if len(arguments) > len(in_order) or given.keys() & by_name.keys() or by_name.keys() - named:
            return _UNUSUAL
        given |= by_name
        for one in found:
            if one.name not in given:
                if one.default_factory is not MISSING:
                    given[one.name] = one.default_factory()
                elif one.default is not MISSING:
                    given[one.name] = one.default
                elif one.init:
                    return _UNUSUAL
        for name, value in given.items():
            _set(self, name, value)
        if has_more:
            self.__post_init__()
        return None

    return init


def _slow_eq(cls: type[Any], found: _Fields) -> _Method:
    key = _slow_key(found)
    return lambda self, other: key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented


def _slow_hash(cls: type[Any], found: _Fields) -> _Method:
    key = _slow_key(found)
    return lambda self: hash(key(self))


def _slow_key(found: _Fields) -> Callable[[Any], tuple[Any, ...]]:
    names = [one.name for one in found if one.compare]
    return lambda end: tuple([getattr(end, name) for name in names])


_SLOW = {"__init__": _slow_init, "__eq__": _slow_eq, "__hash__": _slow_hash}
_SOURCES = {"__init__": _init, "__eq__": _eq, "__hash__": _hash}
_FROZEN = (*_SOURCES, "__repr__", "__setattr__", "__delattr__", "__getstate__", "__setstate__")
_MUTABLE = ("__init__", "__eq__", "__repr__")


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


# --- named tuples ---------------------------------------------------------------------------------------------------

if not TYPE_CHECKING:

    class _NamedTuples(type):
        """Makes ``typing.NamedTuple`` of a class in a third of the time.

        ``typing`` compiles each annotation that is a string, to find mistakes. mypy finds them too. A small command
        imports 30 of these classes, and this was 4% of its instructions.
        """

        def __new__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> type:
            types = space.get("__annotations__", {})
            defaults = [space[field] for field in types if field in space]
            made = namedtuple(name, types, defaults=defaults, module=space["__module__"])
            made.__annotations__ = types
            for key, value in space.items():
                if key not in types and key not in ("__module__", "__annotations__"):
                    setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_NamedTuples, "NamedTuple", (), {})
