"""Probes a lab on many machines that other commands may change meanwhile.

The lab's lock is held, shared, while packets are sent, for some thousand flows at a time. So another command can change
the lab between two such parts, and each part is measured in one state of the lab.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.errors import NetlabError
from netlab.lab import notices
from netlab.lab.probing import in_cluster, length_of
from netlab.machines import registry, reports
from netlab.machines.calls import Call
from netlab.machines.probing import measure
from netlab.machines.reports import Report
from netlab.probe import Measurement

if TYPE_CHECKING:
    from netlab.machines.shared_lab import SharedLab

# Flows that are measured while the lock is held. To begin such a part takes some tenths of a second.
PART = 50_000
# Seconds for which a machine that is registered may bring the lab in force; between two looks.
_SETTLES, _LOOK = 10.0, 0.1


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
    lab: SharedLab,
    flows: Sequence[Flow],
    report: Callable[[int, int], None] | None = None,
    *,
    once: bool = False,
) -> Iterator[Measurement]:
    """Yield the measurement of each flow, by participants on all machines; the caller holds the lab's lock."""
    client, spec = lab.etcd.client, lab.known.spec
    behind = _behind(lab)
    with contextlib.ExitStack() as stack:
        calls: dict[str, Call] = {}

        def begin(run: str) -> None:
            there = registry.machines(client)
            for machine in sorted((spec.machines.keys() & there.keys()) - behind.keys()):
                calls[machine] = stack.enter_context(Call(client, machine, lab.name, "probe", {"run": run}))

        def alive(machine: str) -> bool:
            try:
                return machine in calls and not calls[machine].read(0) and not calls[machine].ended
            except NetlabError as error:
                notices.notice(f"warning: {error}")
                calls.pop(machine).close()
                return False

        yield from measure(
            client, lab.name, lab.cluster, spec.placed, flows, report, alive, spec.change, begin, behind, once
        )


def _behind(lab: SharedLab) -> dict[str, str]:
    """Return the machines that have not the lab's last change in force, and why; wait a moment for those that begin.

    Packets of such a machine would say what an older state of the lab allows.
    """
    client, spec = lab.etcd.client, lab.known.spec
    until = time.monotonic() + _SETTLES
    while True:
        said = reports.reports(client, lab.name)
        found = {name: _why_behind(name, said.get(name), spec.change) for name in spec.machines}
        behind = {name: why for name, why in found.items() if why}
        if not behind:
            return {}
        registered = registry.machines(client)
        behind |= {name: f"machine {name} is away" for name in behind if name not in registered}
        failed = {name for name, one in said.items() if (one.change, one.phase) == (spec.change, "failed")}
        waits = registered.keys() & behind.keys() - failed
        if not waits or time.monotonic() > until:
            return behind
        time.sleep(_LOOK)


def _why_behind(machine: str, report: Report | None, change: str) -> str:
    """Return why a machine has not a change in force, "" where it has."""
    if report is None or report.change != change:
        return f"machine {machine} has not the lab's last change in force"
    if report.phase == "ready":
        return ""
    return f"machine {machine} cannot have its part of the lab: {' '.join(report.error)}"[:500]
