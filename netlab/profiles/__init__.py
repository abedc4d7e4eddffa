"""Profiles of CNIs: the ones that netlab has, and those of an input, applied to a Topology.

Each of netlab's own is one file of data in ``netlab/profiles/data``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from netlab.errors import UsageError
from netlab.objects.profiles import Profile
from netlab.objects.topology import Topology, TopologyNetwork, TopologyPolicy

if TYPE_CHECKING:
    from netlab.objects.all_objects import Objects

KUBERNETES = "kubernetes"
"""The profile without a choice: what the documentation of Kubernetes says."""


def names() -> tuple[str, ...]:
    """Return the names of netlab's own profiles, sorted, ``kubernetes`` first."""
    files = resources.files(__name__) / "data"
    found = sorted(one.name.removesuffix(".yaml") for one in files.iterdir() if one.name.endswith(".yaml"))
    return (KUBERNETES, *(name for name in found if name != KUBERNETES))


def named(name: str) -> Profile:
    """Return one of netlab's own profiles, with the choices of its base.

    Raises:
      UsageError: if there is none of that name.
    """
    if name not in names():
        raise UsageError(f"no profile {name!r}: {', '.join(names())}, or the name of a Profile in the input")
    return _loaded(name)


@lru_cache(maxsize=64)
def _loaded(name: str) -> Profile:
    from netlab.objects.documents import parse
    from netlab.objects.kinds.profile import profile

    text = (resources.files(__name__) / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    (document,), wrong = parse(text, f"netlab/profiles/data/{name}.yaml")
    found, problems = profile(document)
    if wrong or problems:
        raise ValueError("; ".join(map(str, (*wrong, *problems))))
    return with_base(found)


def with_base(profile: Profile) -> Profile:
    """Return a profile with the choices of its base where it makes none itself.

    Raises:
      UsageError: if there is no profile of the base's name.
    """
    if not profile.base:
        return profile
    base = named(profile.base)
    own = {one.name for one in profile.choices}
    return replace(
        profile,
        system=profile.system or base.system,
        versions=profile.versions or base.versions,
        families=profile.families if profile.families != (4, 6) else base.families,
        pod_cidrs=profile.pod_cidrs or base.pod_cidrs,
        choices=(*(one for one in base.choices if one.name not in own), *profile.choices),
        policy={**base.policy, **profile.policy},
        wiring=profile.wiring.over(base.wiring),
        quirks=(*profile.quirks, *base.quirks),
        base="",
    )


def of(objects: Objects) -> Profile | None:
    """Return the profile that the Topology of the objects names; None for none, and for ``kubernetes``.

    Raises:
      UsageError: if there is none of that name, neither in the input nor of netlab.
    """
    name = objects.topology.profile if objects.topology is not None else ""
    if not name:
        return None
    for one in objects.of(Profile):
        if one.name == name:
            return with_base(one)
    return None if name == KUBERNETES else named(name)


def applied(topology: Topology, profile: Profile | None) -> Topology:
    """Return a Topology with the choices of a profile where it makes none itself."""
    if profile is None:
        return topology
    networks = tuple(_network(one, profile) for one in topology.networks)
    return replace(topology, networks=networks, policy=_policy(topology.policy, profile))


def _network(network: TopologyNetwork, profile: Profile) -> TopologyNetwork:
    if "mode" not in network.unwritten:
        return network
    cidrs = tuple(c for c in profile.pod_cidrs) if "podCIDRs" in network.unwritten else ()
    return replace(
        network,
        wiring=network.wiring.over(profile.wiring),
        profile=profile.name,
        pod_cidrs=cidrs or network.pod_cidrs,
    )


def _policy(policy: TopologyPolicy, profile: Profile) -> TopologyPolicy:
    chosen = {name: value for name, value in profile.policy.items() if name not in policy.written}
    return replace(policy, **chosen)
