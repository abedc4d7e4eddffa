"""The names of kinds on the command line: kubectl's plurals and short forms, ``labs`` and ``machines``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.objects.kind import Kind

LAB = "Lab"
"""The kind of ``netlab get labs``. It is not an API kind: no input has one."""

MACHINE = "Machine"
"""The kind of ``netlab get machines``: the machines of an etcd."""

_OWN = {LAB: ("labs", "lab"), MACHINE: ("machines", "machine")}


def names_of(kind: str) -> tuple[str, ...]:
    """Return the names of a kind on the command line, the plural first; () if it has none."""
    if kind in _OWN:
        return _OWN[kind]
    known = _get(kind)
    return known.names if known is not None else ()


def deletable() -> tuple[str, ...]:
    """Return the kinds that ``netlab delete`` can name."""
    from netlab.objects import kind as registry

    return tuple(kind.name for kind in registry.deletable())


def listed() -> tuple[str, ...]:
    """Return the kinds that ``netlab get`` lists."""
    return (*_OWN, *(name for name in deletable() if (kind := _get(name)) is not None and kind.columns is not None))


def is_namespaced(kind: str) -> bool:
    """Say whether a kind is namespaced."""
    known = _get(kind)
    return known is not None and known.namespaced


def _get(name: str) -> Kind | None:
    # To import the registry takes longer than to print a command's help.
    from netlab.objects.kind import get

    return get(name)


def kind_of(name: str, *among: str, plural: bool = True) -> str:
    """Return the kind with a name, among the given or all kinds; raises UsageError with their names."""
    kinds = among or (*_OWN, *deletable())
    for kind in kinds:
        if name.lower() in names_of(kind):
            return kind
    known = ", ".join(names_of(kind)[0 if plural else 1] for kind in kinds)
    raise UsageError(f"no kind {name!r} here; it is one of {known}")
