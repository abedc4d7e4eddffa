"""``netlab trace``: follow one real packet, rule by rule."""

from __future__ import annotations

import click

from netlab.cli import flow_arguments, options, rendering
from netlab.errors import UsageError
from netlab.report.traces import Traces


@click.command("trace")
@click.argument("source", metavar="SRC", shell_complete=options.completed("endpoints"))
@click.argument("destination", metavar="DST:PORT[/PROTO]", shell_complete=options.completed("endpoints"))
@options.lab
@options.namespace
@options.family
@options.output(Traces)
@options.verbose
def trace_command(source: str, destination: str, lab: str, namespace: str, family: str | None, output: str) -> None:
    """Send one packet in the running lab and print the nftables rules and elements that decided.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address, or service:NAMESPACE/NAME with the
    number or name of a port of the Service: netlab then traces one packet to each endpoint. Without a port, it traces
    one packet to every port that DST declares. Exit code 1 means that packet and `netlab explain` disagree.
    """
    from netlab.machines.labs import labs

    running = labs().open(lab)
    flows = flow_arguments.one_pair(running.cluster, source, destination, namespace, family=family)
    if not flows:
        raise UsageError(f"{source} and {destination}: no address to ask")
    traces = [running.trace(flow) for flow in flows]
    rendering.render(Traces(running.name, traces), output)
    if any(trace.agree is False for trace in traces):
        raise SystemExit(1)
