"""Traces of packets, rule by rule, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.documents import API_VERSION
from netlab.report.formats import Page
from netlab.report.rows import endpoints_of

if TYPE_CHECKING:
    from netlab.lab.trace import Trace

_AGREE = {True: "both agree", False: "they do not agree", None: "nothing to compare: the verdict is not known"}


class Traces:
    """The traces of packets in a lab."""

    def __init__(self, lab: str, traces: Sequence[Trace]) -> None:
        self.lab = lab
        self.traces = traces

    def table(self, page: Page) -> Iterator[str]:
        """Yield for each packet the rules that matched it, and its verdict."""
        from netlab.policy.decision import service
        from netlab.report.columns import columns

        header = ("NODE", "CHAIN", "RULE", "VERDICT", "ENTRY")
        for number, trace in enumerate(self.traces):
            if number:
                yield ""
            flow, measured = trace.decision.flow, trace.measurement
            yield f"{flow.source.ref} -> {flow.target} {service(flow)}, IPv{flow.family}"
            yield from _way(trace)
            rows = [
                (s.node, s.chain, s.rule, s.verdict, f"@{s.set}: {s.comment}" if s.set else "-") for s in trace.steps
            ]
            yield from columns(header, rows) if rows else ("no node's rules met it",)
            yield f"packet:  {measured.verdict}: {measured.reason}"
            yield f"explain: {trace.decision.verdict}: {trace.decision.reason}"
            yield _AGREE[trace.agree]

    def document(self) -> dict[str, Any]:
        """Return the Trace document."""
        return {"apiVersion": API_VERSION, "kind": "Trace", "lab": self.lab, "traces": [*map(_data, self.traces)]}


def _way(trace: Trace) -> Iterator[str]:
    """Yield what a Service's address stands for: the address, and a line for the packet to each of its endpoints."""
    flow = trace.decision.flow
    if flow.service is not None and flow.address is not None:
        yield f"{flow.target} has the address {flow.address}"
    for one in endpoints_of(trace.decision.endpoints, trace.measurement):
        yield f"packets to its endpoint {one.name}: {one.verdicts}"


def _data(trace: Trace) -> dict[str, Any]:
    from dataclasses import asdict

    flow = trace.decision.flow
    ends = endpoints_of(trace.decision.endpoints, trace.measurement)
    return {
        "source": flow.source.ref,
        "destination": flow.target,
        "family": flow.family,
        "protocol": flow.protocol,
        "port": flow.port,
        "expected": trace.decision.verdict,
        "measured": trace.measurement.verdict,
        "reason": trace.measurement.reason,
        "explanation": trace.decision.reason,
        "agree": trace.agree,
        **({"endpoints": [one.data() for one in ends]} if ends else {}),
        "steps": [asdict(step) for step in trace.steps],
    }
