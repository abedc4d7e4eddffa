"""Names that are similar to known ones, for messages; and kinds and field names that are similar to those netlab reads.

To skip such a kind or field could let more traffic through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.objects.kind import derived, written_names

# The least ratio of difflib: "Deploymnet" is close to "Deployment", "AdminNetworkPolicy" is not to "NetworkPolicy".
_CLOSE = 0.85
_LONGEST = 60
# The most names in a message: similar ones, and known ones.
_MOST_SIMILAR, _MOST_KNOWN = 3, 6


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Return known names that may be meant: those with the same last part, as in another namespace, or similar ones."""
    from difflib import get_close_matches

    names = list(dict.fromkeys(known))
    last = name.rpartition("/")[2]
    elsewhere = [one for one in names if "/" in one and one.rpartition("/")[2] == last]
    return elsewhere[:_MOST_SIMILAR] or get_close_matches(name, names, _MOST_SIMILAR)


def did_you_mean(names: Iterable[str]) -> str:
    """Return the end of a message that asks whether one of some names is meant, "" without names."""
    listed = list(names)
    return f"; did you mean {' or '.join(listed)}?" if listed else ""


def known_names(names: Sequence[str]) -> str:
    """Return the end of a message that lists the first of some names, "" without names."""
    more = ", …" if len(names) > _MOST_KNOWN else ""
    return f" (known: {', '.join(names[:_MOST_KNOWN])}{more})" if names else ""


def _normal(name: str) -> str:
    """Return a kind in lower case, without spaces around it and without a plural ending."""
    lower = name.strip().lower()
    if lower.endswith("ies"):
        return f"{lower[:-3]}y"
    # Ingress and Endpoints end with an s themselves.
    return (lower[:-2] if lower.endswith("sses") else lower).rstrip("s")


@derived
def _groups() -> tuple[str, ...]:
    """Return ``GROUP/`` for each API group of the kinds that netlab reads, without the core group."""
    return tuple({f"{group}/" for _, group in written_names() if group})


@derived
def _names() -> Mapping[str, str]:
    """Return the names of the kinds that netlab reads, and of their lists, by their normal form."""
    of_lists = {_normal(name): name for name in list_kinds()}
    return {_normal(name): name for name, _ in written_names()} | of_lists


@derived
def list_kinds() -> frozenset[str]:
    """Return the kinds of lists: List, and KINDList of each kind."""
    return frozenset(("List", *(f"{name}List" for name, _ in written_names())))


@derived
def misspelt(kind: str) -> str | None:
    """Return the kind with the same normal form, None if it is the same or there is none."""
    if len(kind) > _LONGEST:
        return None
    correct = _names().get(_normal(kind))
    return correct if correct != kind else None


@derived
def close_to(kind: str) -> str | None:
    """Return the kind that netlab reads with the most similar name, None if none is similar."""
    from difflib import get_close_matches

    if len(kind) > _LONGEST:
        return None
    lower = {name.lower(): name for name, _ in written_names()}
    return next((lower[one] for one in get_close_matches(kind.lower(), lower, 1, _CLOSE)), None)


def own_group(api_version: str) -> bool:
    """Say whether an API version is of a group of Kubernetes or of netlab; case and spaces do not count."""
    group = api_version.strip().lower().rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def close_name(data: Mapping[str, Any], name: str) -> str | None:
    """Return the field of a mapping that has the name but for case and spaces, None if there is none."""
    return next((key for key in data if len(key) < _LONGEST and key.strip().lower() == name.lower()), None)


def looks_like_object(data: Mapping[str, Any]) -> bool:
    """Say whether a mapping without kind or apiVersion is probably an object that netlab reads, with an error."""
    kind, version = (data.get(close_name(data, name) or name) for name in ("kind", "apiVersion"))
    if isinstance(kind, str) and len(kind) <= _LONGEST and _normal(kind) in _names():
        return True
    return isinstance(version, str) and version.strip().lower().startswith(_groups())
