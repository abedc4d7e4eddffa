"""Links that delay, lose or limit packets: their ends, found by the names that a Topology writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.cluster.nodes import topology_problem
from netlab.cluster.types import Cluster, Endpoint, ImpairedLink, Pod
from netlab.errors import Problem, UsageError
from netlab.objects.fields import invalid
from netlab.objects.topology import Topology

MOST_PAIRS = 15
"""The most pairs of one machine. A queueing discipline of kind prio has 16 bands, and one is for all other packets."""


def end_named(cluster: Cluster, text: str) -> Endpoint | str:
    """Return the machine or pod of a name in ``between``, or why there is none.

    A name is that of a node or an outside host, ``node:NAME``, ``host:NAME`` or ``NAMESPACE/POD``.
    """
    if "/" in text or text.startswith(("node:", "host:")):
        found = cluster.by_ref.get(text)
        if isinstance(found, Pod) and found.host_network:
            return f"is a pod in the host network: name its node, {found.node}"
        if isinstance(found, Pod) and not found.addresses:
            return "is a pod without a link"
        if isinstance(found, Pod) and found.traits.attachment.on_underlay:
            return f"is a pod on the underlay, which has no link at its node: name its node, {found.node}"
        return found or _unknown(cluster, text)
    ends = [one for ref in (f"node:{text}", f"host:{text}") if (one := cluster.by_ref.get(ref)) is not None]
    if len(ends) > 1:
        return f"is a node and a host: write node:{text} or host:{text}"
    return ends[0] if ends else _unknown(cluster, text)


def refs_of(cluster: Cluster, between: Sequence[str]) -> tuple[str, ...]:
    """Return the references of the ends of a link, sorted; raises UsageError for each unknown name."""
    ends = [(text, end_named(cluster, text)) for text in between]
    if wrong := [f"{text!r} {end}" for text, end in ends if isinstance(end, str)]:
        raise UsageError(*wrong)
    return tuple(sorted(end.ref for _, end in ends if not isinstance(end, str)))


def _unknown(cluster: Cluster, text: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(
        text, [*(n.name for n in cluster.nodes), *(h.name for h in cluster.hosts), *cluster.by_ref], 1
    )
    return "is no node, host or pod of the lab" + (f"; did you mean {near[0]}?" if near else "")


def with_links(cluster: Cluster, topology: Topology) -> tuple[Cluster, list[Problem]]:
    """Return the cluster with the links of its Topology, sorted, and the problems of their ends."""
    problems: list[Problem] = []
    found: dict[tuple[str, ...], ImpairedLink] = {}
    paths: dict[tuple[str, ...], str] = {}
    for link in topology.links:
        path = f"{link.path}.between"
        ends: list[Endpoint] = []
        for text in link.between:
            end = end_named(cluster, text)
            if isinstance(end, str):
                problems.append(topology_problem(topology, path, invalid(text, end)))
            else:
                ends.append(end)
        if len(ends) < len(link.between):
            continue
        refs = tuple(sorted(end.ref for end in ends))
        if len(refs) > 1 and (wrong := _not_between(ends)):
            problems.append(topology_problem(topology, path, invalid(list(link.between), wrong)))
        elif refs in found:
            message = f"{paths[refs]} is of the same link"
            problems.append(topology_problem(topology, path, invalid(list(link.between), message)))
        else:
            found[refs] = ImpairedLink(refs, link.netem)
            paths[refs] = link.path
    problems += [topology_problem(topology, path, message) for path, message in _too_many(found, paths)]
    return replace(cluster, links=tuple(found[refs] for refs in sorted(found))), problems


def _not_between(ends: Sequence[Endpoint]) -> str:
    if any(isinstance(end, Pod) for end in ends):
        return "a pod has one link only, that to its node: name the pod alone"
    return "must be two different machines" if ends[0] is ends[1] else ""


def _too_many(
    found: dict[tuple[str, ...], ImpairedLink], paths: dict[tuple[str, ...], str]
) -> Iterator[tuple[str, str]]:
    """Yield the paths and messages of links that do not go together."""
    pairs = Counter(ref for refs in found if len(refs) > 1 for ref in refs)
    for refs, link in found.items():
        path = f"{paths[refs]}.between"
        for ref in refs:
            if len(refs) == 1 and pairs[ref]:
                yield path, f"{ref} is in a pair too: a machine is alone or in pairs"
            elif len(refs) > 1 and pairs[ref] > MOST_PAIRS:
                yield path, f"{ref} is in {pairs[ref]} pairs: it can be in {MOST_PAIRS}"
            elif link.netem.duplicate and pairs[ref] > 1:
                # netem_change, net/sched/sch_netem.c: no other netem may be in the tree of one that duplicates.
                yield path, f"{ref} is in {pairs[ref]} pairs: with duplicate it can be in one"
