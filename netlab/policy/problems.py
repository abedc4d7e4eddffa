"""Warnings about policies as values, and lists of names in messages: a few names, and the number of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.policies import NetworkPolicy

_FEW = 5


def warning(policy: NetworkPolicy | ClusterPolicy, path: str, message: str, rule: str, together: str = "") -> Problem:
    """Return a warning about one field of a policy; ``rule`` and ``together`` are those of ``Problem``."""
    source = policy.source
    return Problem(source.file, source.line(path), path, policy.ref, message, "warning", rule, together)


def some(names: Iterable[str]) -> str:
    """Return names as text: the first ones, and the number of the others."""
    listed: Sequence[str] = names if isinstance(names, Sequence) else list(names)
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return f"{', '.join(listed[:_FEW])}{more}"
