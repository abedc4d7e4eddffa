"""The names that a command line has for kinds: kubectl's plurals and short forms, and ``labs`` for what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.objects.kind import Kind

LAB = "Lab"
"""What ``netlab get labs`` lists: no API kind, as nothing of it is read."""


def names_of(kind: str) -> tuple[str, ...]:
    """Return what a command line may call a kind, the plural first; none where it cannot name the kind."""
    if kind == LAB:
        return ("labs", "lab")
    known = _get(kind)
    return known.names if known is not None else ()


def deletable() -> tuple[str, ...]:
    """Return the kinds that ``netlab delete`` can name."""
    from netlab.objects import kind as registry

    return tuple(kind.name for kind in registry.deletable())


def listed() -> tuple[str, ...]:
    """Return the kinds that ``netlab get`` lists."""
    return (LAB, *(name for name in deletable() if (kind := _get(name)) is not None and kind.columns is not None))


def is_namespaced(kind: str) -> bool:
    """Say whether objects of a kind are in namespaces."""
    known = _get(kind)
    return known is not None and known.namespaced


def _get(name: str) -> Kind | None:
    # To read the registry takes longer than to print a command's help.
    from netlab.objects.kind import get

    return get(name)


def kind_of(name: str, *among: str, plural: bool = True) -> str:
    """Return the kind that a name means, of those given or of all; raises UsageError with their names."""
    kinds = among or (LAB, *deletable())
    for kind in kinds:
        if name.lower() in names_of(kind):
            return kind
    known = ", ".join(names_of(kind)[0 if plural else 1] for kind in kinds)
    raise UsageError(f"no kind {name!r} here; it is one of {known}")
