"""Builds a lab, changes it to another state, and undoes a change that fails.

The record names what may exist before it is made. It says "ready" when all of the lab is in force.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cluster import Cluster, Placement
from netlab.dataplane import names
from netlab.dataplane.plan import Difference, difference, union
from netlab.dataplane.wanted import wanted
from netlab.errors import NetlabError, UsageError
from netlab.frozen import NamedTuple
from netlab.kernel.machine import Machine
from netlab.kernel.state import Item, Namespace
from netlab.lab.allocations import allocations
from netlab.lab.carry_out import added, carry_out, check_free, check_host, found
from netlab.lab.outcome import Changes, compare
from netlab.lab.record import Record, Records
from netlab.lab.removal import remove_everything
from netlab.lab.state import State, described, has_plugins, placement
from netlab.ruleset import Transaction, differences, replacing

if TYPE_CHECKING:
    from netlab.dataplane.part import Part
    from netlab.lab.plugin_links import PluginLinks


class Current(NamedTuple):
    """A lab's present record, and the state that follows from it."""

    record: Record
    state: State


def build(machine: Machine, state: State, started: float) -> tuple[Current, Changes]:
    """Build a lab whose lock the caller holds; remove it again on failure.

    ``started`` is the monotonic time, in seconds, from which the change is measured.
    """
    records, name = Records(machine), state.cluster.name
    record = _record_of(machine, state, ready=True)
    links = _plugin_links(machine, state.cluster)
    if links is not None:
        # A missing plugin is an error before anything is made.
        links.wanted(state.cluster)
    check_free(machine, state.namespaces)
    machine.check_rules()
    check_host(machine, state.cluster, _items(state))
    records.save(record, changing=record.namespaces)
    try:
        nodes = {names.node_namespace(name, node.name) for node in state.cluster.nodes}
        # Rules are loaded as soon as the nodes are there.
        machine.begin(sorted(record.namespaces, key=lambda space: (space not in nodes, space)))
        change = difference({}, state.namespaces)
        scripts = {node: ruleset.first_text() for node, ruleset in state.rulesets.items()}
        carry_out(machine, state.cluster, change, scripts)
        if links is not None:
            state = _attached(links, machine, state, {})
            record = _record_of(machine, state, ready=True)
        machine.check()
        records.save(record)
    except BaseException:
        machine.close()
        remove_everything(name, machine)
        raise
    objects = compare((), state.objects.documents)
    elapsed = time.monotonic() - started
    made = Changes(objects, tuple(change.lines()), replaced=len(state.rulesets), seconds=elapsed)
    return Current(record, state), made


def converge(machine: Machine, now: Current, state: State, started: float, *, read: bool) -> tuple[Current, Changes]:
    """Change a lab whose lock the caller holds to another state; undo the change on failure.

    With ``read`` the difference is to what the machine has, and a failed change is left for ``up`` and ``down``.
    Without ``read`` the difference is to what the record says. ``started`` is as for ``build``.
    """
    records, (old, before) = Records(machine), now
    rewired = read or not state.wired_as(before)
    if read:
        change = _to_repair(machine, now, state)
    else:
        change = difference(before.namespaces, state.namespaces) if rewired else Difference()
    transactions = _transactions(machine, before, state, change, read=read)
    scripts = {node: transaction.text for node, transaction in transactions.items()}
    documents = state.objects.documents
    kept = allocations(state.cluster, before.cluster, old.services)
    same_wiring = replace(old, documents=documents, ready=True, services=kept)
    new = _record_of(machine, state, ready=True) if rewired else same_wiring
    links = _plugin_links(machine, state.cluster, before.cluster)
    gone, damage = links.stale(state.cluster, check=read) if links is not None else ([], [])
    missing = links is not None and links.lacks(state.cluster)
    acts = bool(change or scripts or not old.ready or gone or missing)
    if acts:
        check_free(machine, change.create)
        check_host(machine, state.cluster, added(change))
        if scripts:
            # Without nft the change can be neither made nor undone.
            machine.check_rules()
        if rewired:
            records.keep(old)
        everything = tuple(sorted({*old.namespaces, *new.namespaces}))
        records.save(new, changing=everything)
        try:
            if links is not None:
                links.detach(gone)
            carry_out(machine, state.cluster, change, scripts)
            if links is not None:
                state = _attached(links, machine, state, old.placement)
                new = _record_of(machine, state, ready=True)
            if before.cluster.services or state.cluster.services:
                from netlab.lab.stale_connections import delete_stale

                delete_stale(machine, before.cluster, state.cluster, state.rulesets)
        except BaseException:
            if not read:
                _undo(machine, now, state)
            raise
    if acts or new != old:
        machine.check()
        records.save(new)
        if rewired:
            records.forget(new.lab)
    return Current(new, state), Changes(
        compare(old.documents, documents),
        (*damage, *change.lines()),
        sum(transaction.elements for transaction in transactions.values()),
        sum(transaction.whole for transaction in transactions.values()),
        time.monotonic() - started,
    )


def check_build(machine: Machine, state: State) -> None:
    """Raise an error where ``build`` of a state would find that the machine cannot have it.

    Raises:
      UsageError: if a whole lab of the name runs on this machine.
      HostError, KernelError.
    """
    machine.enter()
    old = Records(machine).load(state.cluster.name)
    if old is not None:
        check_part(old, state.part)
        # Its part is repaired, and what has to be made is found then.
        return
    check_free(machine, state.namespaces)
    machine.check_rules()
    check_host(machine, state.cluster, _items(state))


def _items(state: State) -> Iterator[Item]:
    return (item for space in state.namespaces.values() for item in space.items)


def check_part(old: Record, part: Part | None) -> None:
    """Raise UsageError where what runs is a machine's own lab, or the part of a lab of another etcd."""
    if old.part is None:
        raise UsageError(f"a lab {old.lab} of this machine alone runs there; remove it: netlab down {old.lab}")
    if part is not None and old.part.etcd not in ("", part.etcd):
        raise UsageError(f"a lab {old.lab} of another etcd runs there; remove it: netlab down {old.lab}")


def check(machine: Machine, now: Current, state: State) -> None:
    """Raise HostError or KernelError where ``converge`` to a state would find that the machine cannot have it."""
    change = Difference() if state.wired_as(now.state) else difference(now.state.namespaces, state.namespaces)
    check_free(machine, change.create)
    check_host(machine, state.cluster, added(change))
    if _transactions(machine, now.state, state, change, read=False):
        machine.check_rules()


def _plugin_links(machine: Machine, *clusters: Cluster) -> PluginLinks | None:
    """Return the links that plugins make in a lab, None if no network of these clusters has plugins."""
    if not any(map(has_plugins, clusters)):
        return None
    # Imported here, as most labs have no plugins.
    from netlab.lab.plugin_links import PluginLinks

    return PluginLinks(machine, clusters[0].name)


def _attached(links: PluginLinks, machine: Machine, state: State, before: Mapping[str, Placement]) -> State:
    """Attach the pods whose links plugins make; return the state with their addresses, which is in force.

    ``before``: the placement that pods keep where they are attached again.
    """
    links.attach(state.cluster, before)
    placed = state.placed(links.addresses())
    if placed is not state:
        change = difference(state.namespaces, placed.namespaces)
        moved = differences(state.rulesets, placed.rulesets)
        carry_out(machine, placed.cluster, change, {node: one.text for node, one in moved.items() if one.text})
    links.release()
    links.collect()
    # Links of plugins are not among those that this process knows.
    machine.close()
    return placed


def _undo(machine: Machine, now: Current, failed: State) -> None:
    """Undo a change that failed in the middle; what cannot be undone is left for ``up`` and ``down``.

    Errors of the undoing are not raised, so that the caller raises the error of the change.
    """
    records, (old, before) = Records(machine), now
    with contextlib.suppress(NetlabError, OSError):
        # A namespace of both states is read with the settings of the old state.
        have = found(machine, {**failed.namespaces, **before.namespaces})
        change = difference(have, before.namespaces, {**before.namespaces, **failed.namespaces})
        links = _plugin_links(machine, before.cluster, failed.cluster)
        if links is not None:
            links.detach(links.stale(before.cluster, check=False)[0])
        carry_out(machine, before.cluster, change, {n: replacing(r) for n, r in before.rulesets.items()})
        if links is not None:
            before = _attached(links, machine, before, old.placement)
            old = replace(old, placement=placement(before.cluster))
        records.save(old)
        records.forget(old.lab)


def _to_repair(machine: Machine, now: Current, state: State) -> Difference:
    """Return the difference from all that may exist of a lab to a state."""
    ours = _ours(machine, now)
    have = found(machine, ours)
    if left := [name for name in ours if name not in have]:
        # A command may have been killed between the making of a namespace's file and its mount.
        machine.remove(left)
    return difference(have, state.namespaces, ours)


def _ours(machine: Machine, now: Current) -> dict[str, Namespace]:
    """Return all that may exist of a lab: its present state, and its states before changes that broke off."""
    states: list[Mapping[str, Namespace]] = [now.state.namespaces]
    if not now.record.ready:
        earlier = Records(machine).earlier(now.record.lab)
        states += [wanted(described(one)[1], one.part) for one in earlier]
    return {name: Namespace(name, frozenset()) for name in now.record.namespaces} | union(states)


def _transactions(
    machine: Machine, old: State, state: State, change: Difference, *, read: bool
) -> dict[str, Transaction]:
    """Return the nft transaction of every node that needs one; with ``read`` look at what the machine has."""
    before, lab = old.rulesets, state.cluster.name
    beside = has_plugins(state.cluster)
    needed = {node: one for node, one in differences(before, state.rulesets).items() if one.text}
    for node, ruleset in state.rulesets.items():
        space = names.node_namespace(lab, node)
        elements = needed[node].elements if node in needed else 0
        if space in change.create:
            needed[node] = Transaction(ruleset.first_text(), elements, whole=True)
        elif node not in before or (read and not machine.holds(space, before[node].first_text(), beside=beside)):
            needed[node] = Transaction(replacing(ruleset), elements, whole=True)
    return needed


def _record_of(machine: Machine, state: State, *, ready: bool) -> Record:
    return Record(
        state.cluster.name,
        state.objects.documents,
        placement(state.cluster),
        tuple(sorted(state.namespaces)),
        ready,
        machine.boot_id(),
        allocations(state.cluster),
        state.part,
    )
