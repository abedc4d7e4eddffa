"""Which choices of a CNI's profile decided about a flow: those that its reason names, and those that change it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from netlab.cluster.types import Cluster
from netlab.objects.profiles import Choice, Profile
from netlab.objects.topology import TopologyPolicy
from netlab.objects.topology_shapes import PolicyShape
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.profiles.sources import decided


def deciding(cluster: Cluster, decision: Decision) -> tuple[Choice, ...]:
    """Return the choices of the cluster's profile that decided, in the order of the profile; () without a profile.

    A choice about policies decided if the verdict is another one with Kubernetes' own value in its place. A choice of
    wiring decided if the reason names it.
    """
    profile = cluster.profile
    if profile is None:
        return ()
    named = {one.name for one in decided(profile, decision.reason)}
    for choice, other in without_one(cluster):
        if choice.name not in named and evaluate(other, decision.flow).verdict != decision.verdict:
            named.add(choice.name)
    return tuple(one for one in profile.choices if one.name in named)


def lines(cluster: Cluster, decision: Decision) -> Iterator[str]:
    """Yield a line for each choice that decided, and for each documented behaviour that it carries out."""
    yield from lines_of(cluster.profile, deciding(cluster, decision))


def lines_of(profile: Profile | None, choices: Iterable[Choice]) -> Iterator[str]:
    """Yield a line for each of these choices of a profile, and for each documented behaviour that it carries out."""
    for choice in choices:
        assert profile is not None
        yield f"{profile.name}: {choice}{f': {choice.about}' if choice.about else ''}"
        for quirk in profile.quirks:
            if choice.name in quirk.settings:
                yield f"{profile.name}: {quirk.text} ({quirk.mark}: {quirk.source})"


def without_one(cluster: Cluster) -> list[tuple[Choice, Cluster]]:
    """Return each choice about policies that is in force and not Kubernetes' own, and the cluster without it."""
    known: list[tuple[Choice, Cluster]] | None = cluster.memo.get("policy.deciding")
    if known is None:
        known = cluster.memo["policy.deciding"] = list(_without_one(cluster))
    return known


def _without_one(cluster: Cluster) -> Iterator[tuple[Choice, Cluster]]:
    usual: Any = TopologyPolicy()
    attributes = _attributes()
    for choice in cluster.profile.choices if cluster.profile is not None else ():
        attribute = attributes.get(choice.name)
        if attribute is None or choice.value != getattr(cluster.policy, attribute):
            continue
        if choice.value != getattr(usual, attribute):
            chosen: dict[str, Any] = {attribute: getattr(usual, attribute)}
            other = replace(cluster, policy=replace(cluster.policy, **chosen))
            if attribute == "cluster_policies":
                every = (*cluster.cluster_policies, *cluster.cluster_policies_not_read)
                other = replace(other, cluster_policies=every, cluster_policies_not_read=())
            yield choice, other


@lru_cache(maxsize=1)
def _attributes() -> dict[str, str]:
    return {one.name: attribute for attribute, one in PolicyShape.attributes().items()}
