"""Packets against expected verdicts in a lab of its own, as ``compare``, ``diff`` and ``suggest`` prove them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from netlab.cli import terminal

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import Flow
    from netlab.objects import Objects
    from netlab.probe import Measurement
    from netlab.report.comparison import Measured

# The most wrong pairs that a proof lists.
_MOST = 10


def prove(
    title: str,
    objects: Objects,
    cluster: Cluster | None,
    flows: Callable[[Cluster], Iterable[Flow]],
    seen: Callable[[Measurement], None] | None = None,
) -> Measured:
    """Build a lab, send packets, and return the counts and the first pairs that differ from the expected verdicts.

    Args:
      title: the text of the progress bar.
      objects: what the lab is made from.
      cluster: their cluster; None if it is not resolved yet.
      flows: returns the flows to measure in the cluster of the lab.
      seen: is called with each measurement.

    Raises:
      HostError, KernelError: if this host cannot build the lab.
    """
    from netlab.machines.labs import temporary
    from netlab.policy.evaluate import evaluate
    from netlab.report.comparison import Measured
    from netlab.report.rows import Tally, endpoints_of, row_of
    from netlab.scenario.compare import reason_of

    tally = Tally("verify")
    wrong: list[str] = []
    with temporary(objects, cluster=cluster) as lab, terminal.progress(title) as progress:
        for measurement in lab.probe(flows(lab.cluster), progress):
            if seen is not None:
                seen(measurement)
            decision = evaluate(lab.cluster, measurement.flow)
            ends = endpoints_of(decision.endpoints, measurement)
            reason = reason_of(decision, measurement)
            row = row_of(measurement.flow, decision.verdict, measurement.verdict, reason, ends)
            for one in tally.count([row]):
                if one.outcome in ("differ", "inconclusive") and len(wrong) < _MOST:
                    pair = f"{one.source} -> {one.destination} {one.port_text} IPv{one.family}"
                    wrong.append(f"{pair}: expected {one.expected}, measured {one.measured}: {one.reason}")
    return Measured(tally.data(), wrong=wrong)
