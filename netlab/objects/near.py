"""Kinds and field names that are almost those that netlab reads: to pass them by would let more through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlab.objects.kind import derived, written

# "Deploymnet" is close to "Deployment", "AdminNetworkPolicy" is not to "NetworkPolicy".
_CLOSE = 0.85
_LONGEST = 60


def _bare(name: str) -> str:
    """Return a kind without case, padding and plural."""
    bare = name.strip().lower()
    if bare.endswith("ies"):
        return f"{bare[:-3]}y"
    return bare.removesuffix("s")


@derived
def _groups() -> tuple[str, ...]:
    """Return what the versions of kinds that netlab reads begin with, but for those of the core group."""
    return tuple({f"{kind.group}/" for kind in written() if kind.group})


@derived
def _names() -> Mapping[str, str]:
    """Return the names of the kinds that netlab reads, and of their lists, by their bare form."""
    of_lists = {_bare(name): name for name in list_kinds()}
    return {_bare(kind.name): kind.name for kind in written()} | of_lists


@derived
def list_kinds() -> frozenset[str]:
    """Return the kinds of lists: List, and that of each kind."""
    return frozenset(("List", *(f"{kind.name}List" for kind in written())))


@derived
def misspelt(kind: str) -> str | None:
    """Return the kind that is meant by one which differs in case, padding or number only; None for any other."""
    if len(kind) > _LONGEST:
        return None
    meant = _names().get(_bare(kind))
    return meant if meant != kind else None


@derived
def close_to(kind: str) -> str | None:
    """Return the kind that netlab reads whose name is close to another."""
    from difflib import get_close_matches

    if len(kind) > _LONGEST:
        return None
    lower = {one.name.lower(): one.name for one in written()}
    return next((lower[one] for one in get_close_matches(kind.lower(), lower, 1, _CLOSE)), None)


def own_group(api_version: str) -> bool:
    """Say whether a version is, but for case and padding, of a group of Kubernetes' own or of netlab."""
    group = api_version.strip().lower().rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def close_name(data: Mapping[str, Any], name: str) -> str | None:
    """Return the field that was probably meant to be another one, which is not there."""
    return next((key for key in data if len(key) < _LONGEST and key.strip().lower() == name.lower()), None)


def looks_like_object(data: Mapping[str, Any]) -> bool:
    """Say whether a mapping that lacks kind or apiVersion was probably meant to be an object that netlab reads."""
    kind, version = (data.get(close_name(data, name) or name) for name in ("kind", "apiVersion"))
    if isinstance(kind, str) and len(kind) <= _LONGEST and _bare(kind) in _names():
        return True
    return isinstance(version, str) and version.strip().lower().startswith(_groups())
