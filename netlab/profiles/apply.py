"""A profile applied to a Topology: what the user wrote stays, and all else is the profile's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.errors import Problem, UsageError
from netlab.frozen import NamedTuple
from netlab.modes.wiring import NOTHING
from netlab.objects.profiles import Profile
from netlab.objects.topology import Topology, TopologyNetwork, TopologyPolicy
from netlab.profiles import BOTH_FAMILIES, KUBERNETES, named, unknown, with_base
from netlab.profiles.check import check, problem_at
from netlab.profiles.families import LEFT_OUT, NAMES, without_others

if TYPE_CHECKING:
    from netlab.objects.all_objects import Objects

OVERRIDDEN = "profile-overridden"


class Applied(NamedTuple):
    """A Topology with the choices of its profile, the profile, and the problems, warnings among them.

    ``objects`` are those of the input, without what the profile leaves out.
    """

    topology: Topology
    profile: Profile | None
    objects: Objects
    problems: tuple[Problem, ...] = ()


def with_profile(objects: Objects) -> Applied:
    """Return the Topology of the objects with the choices of the profile that it names.

    A Profile of the input is found before netlab's own. ``kubernetes`` is no profile. If there is no profile of the
    name, or it does not fit, the Topology is returned as it is, with an error.
    """
    problems = [one for other in objects.of(Profile) for one in check(other)]
    topology = objects.topology
    if topology is None or not topology.profile:
        return Applied(topology or Topology(), None, objects, tuple(problems))
    if any(one.severity == "error" for one in problems):
        return Applied(topology, None, objects, tuple(problems))
    own = {one.name: one for one in objects.of(Profile)}
    name = topology.profile
    try:
        profile = with_base(own[name]) if name in own else named(name) if name != KUBERNETES else None
    except UsageError as error:
        if any(one.kind == "Profile" and one.data["metadata"].get("name") == name for one in objects.documents):
            # The Profile has an error of its own, which says what is wrong.
            return Applied(topology, None, objects, tuple(problems))
        message = str(error) if not own else unknown(name, tuple(own))
        wrong = problem_at(topology.source, "spec.profile", f"Topology {topology.name}", message)
        return Applied(topology, None, objects, (wrong,))
    if profile is None:
        return Applied(topology, None, objects, tuple(problems))
    topology, more = applied(topology, profile)
    problems += more
    if not all(one.families == BOTH_FAMILIES for one in topology.networks):
        objects, more = without_others(objects, profile.families, profile.name)
        problems += more
    return Applied(topology, profile, objects, tuple(problems))


def applied(topology: Topology, profile: Profile) -> tuple[Topology, list[Problem]]:
    """Return a Topology with the choices of a profile where it makes none itself, and the problems."""
    problems: list[Problem] = []

    def report(path: str, message: str, rule: str = "") -> None:
        problems.append(problem_at(topology.source, path, f"Topology {topology.name}", message, rule))

    networks = tuple(_network(one, profile, report, first=not at) for at, one in enumerate(topology.networks))
    return replace(topology, networks=networks, policy=_policy(topology.policy, profile)), problems


_Report = Callable[..., None]


def _network(network: TopologyNetwork, profile: Profile, report: _Report, *, first: bool) -> TopologyNetwork:
    wires = profile.wiring != NOTHING
    if "mode" not in network.unwritten:
        if wires:
            message = f"{network.mode} is written, so the network has none of the wiring of profile {profile.name}"
            report(f"{network.path}.mode", message, OVERRIDDEN)
        return network
    cidrs = profile.pod_cidrs or network.pod_cidrs
    if "podCIDRs" not in network.unwritten:
        cidrs = network.pod_cidrs
        if profile.pod_cidrs and first:
            theirs = ", ".join(map(str, profile.pod_cidrs))
            report(f"{network.path}.podCIDRs", f"it is written, so it is not {theirs} of {profile.name}", OVERRIDDEN)
    kept = tuple(cidr for cidr in cidrs if cidr.version in profile.families)
    if len(kept) < len(cidrs):
        only = " and ".join(NAMES[family] for family in profile.families)
        if not kept:
            report(f"{network.path}.podCIDRs", f"profile {profile.name} has {only} only: write such a range")
            kept = cidrs
        else:
            left = ", ".join(str(cidr) for cidr in cidrs if cidr not in kept)
            report(f"{network.path}.podCIDRs", f"{left} is left out: profile {profile.name} has {only} only", LEFT_OUT)
    theirs_wiring = profile.wiring
    if not first:
        # Two networks of a node cannot have devices of one name, nor tunnels of one identifier and port.
        theirs_wiring = replace(theirs_wiring, bridge_name="", tunnel_name="", vni=None, tunnel_port=None)
    return replace(
        network,
        wiring=network.wiring.over(theirs_wiring),
        profile=profile.name if wires else "",
        pod_cidrs=kept,
        families=profile.families,
    )


def _policy(policy: TopologyPolicy, profile: Profile) -> TopologyPolicy:
    chosen = {name: value for name, value in profile.policy.items() if name not in policy.written}
    return replace(policy, **chosen)
