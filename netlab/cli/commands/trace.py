"""``netlab trace``: the way of one real packet, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from netlab.cli import options, questions, terminal
from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.lab.trace import Trace


@click.command("trace")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST:PORT[/PROTO]")
@options.lab
@options.namespace
@options.family
@options.output("table", "json")
@options.verbose
def trace_command(source: str, destination: str, lab: str, namespace: str, family: str | None, output: str) -> None:
    """Send one packet in the running lab and print the nftables rules and elements that decided.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address. Without a port it traces one packet
    to every port that DST declares. Exit code 1 means that the packet and ``netlab explain`` do not agree.
    """
    from netlab.lab.lab import Lab

    running = Lab.open(lab)
    flows = questions.one_pair(running.cluster, source, destination, namespace, family=family)
    if not flows:
        raise UsageError(f"{source} and {destination}: no address to ask")
    traces = [running.trace(flow) for flow in flows]
    if output == "json":
        terminal.data(_json(running.name, traces))
    else:
        terminal.emit(_lines(traces))
    if any(trace.agree is False for trace in traces):
        raise SystemExit(1)


_AGREE = {True: "both agree", False: "they do not agree", None: "nothing to compare: the verdict is not known"}


def _lines(traces: Sequence[Trace]) -> Iterator[str]:
    from netlab.policy.decision import service
    from netlab.report.columns import columns

    for number, trace in enumerate(traces):
        if number:
            yield ""
        flow, measured = trace.decision.flow, trace.measurement
        yield f"{flow.source.ref} -> {flow.target} {service(flow)}, IPv{flow.family}"
        rows = [(s.node, s.chain, s.rule, s.verdict, f"@{s.set}: {s.comment}" if s.set else "-") for s in trace.steps]
        yield from columns(("NODE", "CHAIN", "RULE", "VERDICT", "ENTRY"), rows) if rows else ("no node's rules met it",)
        yield f"packet:  {measured.verdict}: {measured.reason}"
        yield f"explain: {trace.decision.verdict}: {trace.decision.reason}"
        yield _AGREE[trace.agree]


def _json(lab: str, traces: Sequence[Trace]) -> Iterator[str]:
    import json

    document = {"apiVersion": "netlab/v1alpha1", "kind": "Trace", "lab": lab, "traces": [_object(t) for t in traces]}
    yield json.dumps(document, indent=2)


def _object(trace: Trace) -> dict[str, Any]:
    from dataclasses import asdict

    flow = trace.decision.flow
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
        "steps": [asdict(step) for step in trace.steps],
    }
