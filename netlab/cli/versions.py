"""The two sides of ``netlab diff``: each is read as ``-f`` reads it, and pods of both keep their addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cli import inputs, terminal, what_if

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.types import Host
    from netlab.errors import Problem
    from netlab.objects import Input
    from netlab.objects.services import Service
    from netlab.policy.clusters_between import Version


def versions(
    old: str, new: str, files: Sequence[str], strict: bool, ignore: Sequence[str], *, system: bool, outside: bool
) -> tuple[Version, Version, tuple[Host, ...]]:
    """Return both sides, and the outside hosts that both got; print the warnings of each, and those of both once.

    Args:
      old: the input before the change, as ``-f`` takes it.
      new: the input after it. The options ``--with``, ``--without`` and ``--label`` change it.
      files: what is read on both sides.
      strict: kinds that netlab does not read are errors.
      ignore: the kinds of policies that are left out.
      system: add the system objects.
      outside: add hosts for the ranges of addresses that ipBlocks tell apart.

    Raises:
      InputError: with every problem of both sides.
      UsageError: for a lab that does not run.
    """
    from netlab.cluster import resolve_input
    from netlab.cluster.outside import MOST_RANGES, outside_hosts, ranges, with_hosts
    from netlab.errors import InputError
    from netlab.policy.clusters_between import Version, placements

    read = [
        inputs.examined((*files, side), strict, ignore, system=system, assume=number > 0)
        for number, side in enumerate((old, new))
    ]
    errors = [one for found in read if found.wrong for one in found.problems]
    if errors:
        # Both sides have the problems of what is read on both.
        raise InputError([_advised(one, (old, new)) for one in dict.fromkeys(errors)])
    running = [_running(name) for side in (old, new) if (name := what_if.lab_of(side)) is not None]
    before, made = resolve_input(read[0], placements(*running), _services(*running))
    known = _warn(before, read[0], made, set())
    after, made = resolve_input(read[1], placements(before, *running), _services(*running, before))
    _warn(after, read[1], made, known, read[0].objects.skipped)
    hosts: tuple[Host, ...] = ()
    if outside:
        hosts = outside_hosts((before, after))
        for family in (4, 6):
            more = len(ranges((before, after), family)) - MOST_RANGES
            if more > 0:
                terminal.say(
                    f"Warning: --outside: {more:,} ranges of IPv{family} have no host: no change there is found"
                )
        before, after = with_hosts(before, hosts), with_hosts(after, hosts)
    return Version(read[0].objects, before), Version(read[1].objects, after), hosts


def _advised(problem: Problem, sides: Sequence[str]) -> Problem:
    """Return a problem; if a side is no file, with the other forms of a side: it may be the name of a branch."""
    if problem.file not in sides or ":" in problem.file or not problem.message.startswith("No such file"):
        return problem
    more = f"a git revision is {problem.file}:PATH, a running lab lab:{problem.file}"
    return replace(problem, message=f"{problem.message}; {more}")


def _running(name: str) -> Cluster:
    """Return the cluster of a running lab, whose pods keep their addresses."""
    from netlab.lab.lab import Lab

    lab = Lab.open(name)
    try:
        return lab.cluster
    finally:
        lab.close()


def _services(*clusters: Cluster) -> dict[str, Service]:
    return {one.meta.key: one for cluster in clusters for one in cluster.services}


def outside_notes(before: Cluster, after: Cluster) -> Iterator[str]:
    """Yield a note if policies change what they say about addresses outside, and no side has an outside host."""
    if not before.hosts and not after.hosts and _outward(before) != _outward(after):
        yield (
            "policies change what they say about addresses outside of the cluster, and the input has no outside host:"
            " --outside adds one for each range of ipBlocks"
        )


def _outward(cluster: Cluster) -> set[object]:
    """Return what policies say about addresses outside: ipBlocks, and what isolates or opens pods for egress."""
    from netlab.objects.types import DIRECTIONS

    found: set[object] = set()
    for policy in cluster.policies:
        for direction in DIRECTIONS:
            blocks = tuple(
                (tuple(peer.ip_block for peer in rule.peers), rule.ports)
                for rule in policy.rules(direction)
                if (not rule.peers and direction == "egress") or any(peer.ip_block for peer in rule.peers)
            )
            if blocks or (direction == "egress" and policy.isolates(direction)):
                found.add((policy.meta.namespace, policy.pod_selector, direction, blocks))
    return found


def _warn(
    cluster: Cluster,
    found: Input,
    made: Sequence[Problem],
    known: set[tuple[str, str, str]],
    skipped: Mapping[str, int] | None = None,
) -> set[tuple[str, str, str]]:
    """Print the warnings of a side but for known ones, and what it skipped unless the other side did; return all."""
    from netlab.cluster.plain_policies import without_read

    every = without_read(cluster, found.problems_and(made))
    inputs.warn(one for one in every if (one.object, one.path, one.message) not in known)
    if found.objects.skipped != skipped:
        inputs.print_skipped(found.objects.skipped)
    return {(one.object, one.path, one.message) for one in every}
