"""Probes a lab on many machines that other commands may change meanwhile.

The lab's lock is held, shared, while packets are sent, for some thousand flows at a time. So another command can change
the lab between two such parts, and each part is measured in one state of the lab.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.errors import NetlabError
from netlab.lab import notices
from netlab.lab.probing import in_cluster, length_of
from netlab.machines import registry
from netlab.machines.calls import Call
from netlab.machines.probing import measure
from netlab.probe import Measurement

if TYPE_CHECKING:
    from netlab.machines.shared_lab import SharedLab

# Flows that are measured while the lock is held. To begin such a part takes some tenths of a second.
PART = 50_000


def probe(
    lab: SharedLab,
    flows: Iterable[Flow],
    progress: Callable[[int, int], None] | None,
    anew: Callable[[Cluster], Iterable[Flow]] | None,
) -> Iterator[Measurement]:
    """Do as ``Lab.probe``, by the agents of the machines; flows that need a machine that is away are inconclusive."""
    before, rest, total, done = lab.cluster, iter(flows), length_of(flows), 0

    def report(measured: int, of_part: int) -> None:
        if progress is not None:
            progress(done + measured, total)

    while True:
        with lab.held(shared=True):
            if lab.cluster is not before:
                if anew is not None and not done:
                    flows = anew(lab.cluster)
                    rest, total = iter(flows), length_of(flows)
                else:
                    notices.notice(f"lab {lab.name} was changed meanwhile: the following results are of its new state")
                    rest = in_cluster(rest, lab.cluster)
                before = lab.cluster
            part = list(islice(rest, PART))
            measured = list(measured_now(lab, part, report)) if part else []
        if not part:
            return
        done += len(part)
        yield from measured


def measured_now(
    lab: SharedLab, flows: Sequence[Flow], report: Callable[[int, int], None] | None = None
) -> Iterator[Measurement]:
    """Yield the measurement of each flow, by participants on all machines; the caller holds the lab's lock."""
    client, spec = lab.etcd.client, lab.known.spec
    with contextlib.ExitStack() as stack:
        calls: dict[str, Call] = {}

        def begin(run: str) -> None:
            there = registry.machines(client)
            for machine in sorted(spec.machines.keys() & there.keys()):
                calls[machine] = stack.enter_context(Call(client, machine, lab.name, "probe", {"run": run}))

        def alive(machine: str) -> bool:
            try:
                return machine in calls and not calls[machine].read(0) and not calls[machine].ended
            except NetlabError as error:
                notices.notice(f"warning: {error}")
                calls.pop(machine).close()
                return False

        yield from measure(client, lab.name, lab.cluster, spec.placed, flows, report, alive, spec.change, begin)
