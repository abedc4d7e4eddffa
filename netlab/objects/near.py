"""Kinds and field names that are almost those that netlab reads: to pass them by would let more through."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from netlab.objects.workloads import SHAPES

READ = ("Namespace", "Node", "Service", "Pod", *SHAPES, "NetworkPolicy", "Topology", "Scenario")
_GROUPS = ("apps/", "batch/", "networking.k8s.io/", "netlab/")
# "Deploymnet" is close to "Deployment", "AdminNetworkPolicy" is not to "NetworkPolicy".
_CLOSE = 0.85
_LONGEST = 60


def _bare(name: str) -> str:
    """Return a kind without case, padding and plural."""
    bare = name.strip().lower()
    if bare.endswith("ies"):
        return f"{bare[:-3]}y"
    return bare.removesuffix("s")


_BARE = {_bare(name): name for kind in READ for name in (kind, f"{kind}List")} | {"list": "List"}
_LOWER = {kind.lower(): kind for kind in READ}


@lru_cache(maxsize=1024)
def misspelt(kind: str) -> str | None:
    """Return the kind that is meant by one which differs in case, padding or number only; None for any other."""
    if len(kind) > _LONGEST:
        return None
    meant = _BARE.get(_bare(kind))
    return meant if meant != kind else None


@lru_cache(maxsize=1024)
def close_to(kind: str) -> str | None:
    """Return the kind that netlab reads whose name is close to another."""
    if len(kind) > _LONGEST:
        return None
    return next((_LOWER[one] for one in get_close_matches(kind.lower(), _LOWER, 1, _CLOSE)), None)


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
    if isinstance(kind, str) and len(kind) <= _LONGEST and _bare(kind) in _BARE:
        return True
    return isinstance(version, str) and version.strip().lower().startswith(_GROUPS)
