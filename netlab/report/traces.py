"""Traces of packets, rule by rule, as a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.documents import API_VERSION
from netlab.report.formats import Page
from netlab.report.rows import endpoints_of

if TYPE_CHECKING:
    from netlab.lab.trace import Trace, TraceStep

_AGREE = {True: "both agree", False: "they do not agree", None: "nothing to compare: the verdict is not known"}
# Longer elements of an anonymous set or map make the table hard to read.
_LONGEST = 60
_FEW = 2


class Traces:
    """The traces of packets in a lab."""

    def __init__(self, lab: str, traces: Sequence[Trace]) -> None:
        self.lab = lab
        self.traces = traces

    def table(self, page: Page) -> Iterator[str]:
        """Yield for each packet the rules that matched it, and its verdict."""
        from netlab.policy.reasons import service

        for number, trace in enumerate(self.traces):
            if number:
                yield ""
            flow, measured = trace.decision.flow, trace.measurement
            yield f"{flow.source.ref} -> {flow.target} {service(flow)}, IPv{flow.family}"
            yield from _way(trace)
            yield from (line for section in trace.tiers for line in section.in_lines())
            yield f"packet:  {measured.verdict}: {measured.reason}"
            yield f"explain: {trace.decision.verdict}: {trace.decision.reason}"
            yield _AGREE[trace.agree]

    def document(self) -> dict[str, Any]:
        """Return the Trace document."""
        return {"apiVersion": API_VERSION, "kind": "Trace", "lab": self.lab, "traces": [*map(_data, self.traces)]}


def _way(trace: Trace) -> Iterator[str]:
    """Yield the rules that a packet met; for a Service, its address, and the rules for the packet to each endpoint."""
    flow = trace.decision.flow
    if flow.service is not None and flow.address is not None:
        yield f"{flow.target} has the address {flow.address}"
    ends = endpoints_of(trace.decision.endpoints, trace.measurement)
    if not ends:
        yield from _rules(trace.steps)
    for one in ends:
        yield f"packets to its endpoint {one.name}: {one.verdicts}"
        place = one.name.rpartition(" ")[2]
        yield from _rules([step for step in trace.steps if len(ends) == 1 or step.endpoint == place])
    if len(ends) > 1 and (others := [step for step in trace.steps if not step.endpoint]):
        yield "packets that no node translated"
        yield from _rules(others)


def _rules(steps: Sequence[TraceStep]) -> Iterator[str]:
    from netlab.report.columns import columns

    header = ("NODE", "CHAIN", "RULE", "VERDICT", "ENTRY")
    rows = [
        (s.node, s.chain, short_rule(s.rule), s.verdict, f"@{s.set}: {s.comment}" if s.set else s.comment or "-")
        for s in steps
    ]
    yield from columns(header, rows) if rows else ("no node's rules met it",)


def short_rule(rule: str) -> str:
    """Return a rule without most elements of a long anonymous set or map; JSON has the whole rule."""
    before, opened, rest = rule.partition("{ ")
    elements, closed, after = rest.rpartition(" }")
    listed = elements.split(", ")
    if not opened or not closed or len(elements) <= _LONGEST or len(listed) <= _FEW:
        return rule
    return f"{before}{{ {', '.join(listed[:_FEW])}, … }}{after}"


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
        **({"tiers": [{"side": one.title, "lines": list(one.lines)} for one in trace.tiers]} if trace.tiers else {}),
    }
