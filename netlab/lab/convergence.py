"""A lab built, brought to another state, and brought back where that fails.

The record says what may be there before it is made, and that the lab is ready when all of it is in force.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from netlab.dataplane import names
from netlab.dataplane.plan import Difference, difference, union
from netlab.dataplane.wanted import wanted
from netlab.errors import NetlabError
from netlab.kernel.machine import Machine
from netlab.kernel.state import Namespace
from netlab.lab.carry_out import carry_out, check_free, found
from netlab.lab.outcome import Changes, compare
from netlab.lab.record import Record, Records
from netlab.lab.removal import remove_everything
from netlab.lab.state import State, described, placement
from netlab.ruleset import Transaction, differences, replacing


class Current(NamedTuple):
    """What a lab is: its record, and what follows from it."""

    record: Record
    state: State


def build(machine: Machine, state: State, started: float) -> tuple[Current, Changes]:
    """Build a lab whose lock the caller holds; where that fails it is removed again. ``started`` is when it began."""
    records, name = Records(machine), state.cluster.name
    record = _record_of(machine, state, ready=False)
    check_free(machine, state.namespaces)
    machine.check_rules()
    records.save(record)
    try:
        step = difference({}, state.namespaces)
        carry_out(machine, state.cluster, step, {node: ruleset.text() for node, ruleset in state.rulesets.items()})
        record = replace(record, ready=True)
        machine.check()
        records.save(record)
    except BaseException:
        machine.close()
        remove_everything(name, machine)
        raise
    objects = compare((), state.objects.documents)
    elapsed = time.monotonic() - started
    return Current(record, state), Changes(objects, tuple(step.lines()), replaced=len(state.rulesets), seconds=elapsed)


def converge(machine: Machine, now: Current, state: State, started: float, *, read: bool) -> tuple[Current, Changes]:
    """Bring a lab whose lock the caller holds to another state; on failure back to what it was.

    With ``read`` the difference is to what the machine has, and what fails is left for ``up`` and ``down``. Without it
    the record is trusted.
    """
    records, (old, before) = Records(machine), now
    rewired = read or not state.wired_as(before)
    if read:
        step = _to_repair(machine, now, state)
    else:
        step = difference(before.namespaces, state.namespaces) if rewired else Difference()
    transactions = _transactions(machine, before, state, step, read=read)
    scripts = {node: transaction.text for node, transaction in transactions.items()}
    documents = state.objects.documents
    same_wiring = replace(old, documents=documents, ready=True)
    new = _record_of(machine, state, ready=True) if rewired else same_wiring
    acts = bool(step or scripts or not old.ready)
    if acts:
        check_free(machine, step.create)
        if scripts:
            # Without nft neither the change can be made nor what was done of it undone.
            machine.check_rules()
        if rewired:
            records.keep(old)
        everything = tuple(sorted({*old.namespaces, *new.namespaces}))
        records.save(replace(new, namespaces=everything, ready=False))
        try:
            carry_out(machine, state.cluster, step, scripts)
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
        tuple(step.lines()),
        sum(transaction.elements for transaction in transactions.values()),
        sum(transaction.whole for transaction in transactions.values()),
        time.monotonic() - started,
    )


def _undo(machine: Machine, now: Current, failed: State) -> None:
    """Undo a change that failed in the middle; what cannot be undone is left for ``up`` and ``down``.

    The reason why it cannot be undone is not raised, as the reason why the change failed is.
    """
    records, (old, before) = Records(machine), now
    with contextlib.suppress(NetlabError, OSError):
        # A namespace that both states have is read with the settings of the one to go back to.
        have = found(machine, {**failed.namespaces, **before.namespaces})
        step = difference(have, before.namespaces, {**before.namespaces, **failed.namespaces})
        carry_out(machine, before.cluster, step, {n: replacing(r) for n, r in before.rulesets.items()})
        records.save(old)
        records.forget(old.lab)


def _to_repair(machine: Machine, now: Current, state: State) -> Difference:
    """Return what leads from all that may be there of a lab to a state."""
    ours = _ours(machine, now)
    have = found(machine, ours)
    if left := [name for name in ours if name not in have]:
        # Between the making of a namespace's file and its mount a command may have been killed.
        machine.remove(left)
    return difference(have, state.namespaces, ours)


def _ours(machine: Machine, now: Current) -> dict[str, Namespace]:
    """Return all that may be there of a lab: what it is, and what it was before changes that broke off."""
    states: list[Mapping[str, Namespace]] = [now.state.namespaces]
    if not now.record.ready:
        earlier = Records(machine).earlier(now.record.lab)
        states += [wanted(described(one)[1]) for one in earlier]
    return {name: Namespace(name, frozenset()) for name in now.record.namespaces} | union(states)


def _transactions(
    machine: Machine, old: State, state: State, step: Difference, *, read: bool
) -> dict[str, Transaction]:
    """Return the nft transaction of every node that needs one; ``read`` looks at what the machine has."""
    before, lab = old.rulesets, state.cluster.name
    needed = {node: one for node, one in differences(before, state.rulesets).items() if one.text}
    for node, ruleset in state.rulesets.items():
        space = names.node_namespace(lab, node)
        elements = needed[node].elements if node in needed else 0
        if space in step.create:
            needed[node] = Transaction(ruleset.text(), elements, whole=True)
        elif node not in before or (read and not machine.holds(space, before[node].text())):
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
    )
