"""``netlab probe``: send packets and print verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal
from netlab.errors import UsageError
from netlab.report.reachability import Reachability

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import Flow


@click.command("probe")
@click.argument("pair", metavar="[SRC DST:PORT[/PROTO]]", nargs=-1, shell_complete=options.completed("endpoints"))
@options.lab
@options.namespace
@options.pairs
@options.output(Reachability)
@options.verbose
def probe_command(
    pair: Sequence[str],
    lab: str,
    namespace: str,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    system: bool,
    services: bool,
    output: str,
) -> None:
    """Send packets in the running lab and print the verdicts: of one pair, or without arguments of every pair.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address, or service:NAMESPACE/NAME with the
    number or name of a port of the Service. Without a port, netlab probes every port that DST declares; DST/ICMP sends
    an echo request. Exit code 1 means that a verdict is inconclusive.
    """
    from netlab.machines.labs import labs
    from netlab.report.rows import endpoints_of, row_of

    if len(pair) not in (0, 2):
        raise UsageError("name a source and a destination, or neither for every pair")
    for port in ports:
        flow_arguments.parse_port(port)
    running = labs().open(lab)

    def ask(cluster: Cluster) -> Iterable[Flow]:
        if pair:
            return flow_arguments.one_pair(cluster, pair[0], pair[1], namespace, ports, family)
        return flow_arguments.every_pair(cluster, ports, family, nodes, self_pairs, system, services)

    if system:
        running.add_system()
        inputs.say_no_system(running.cluster, not pair)
    flows = ask(running.cluster)
    with terminal.progress("probing") as progress:
        measured = running.probe(flows, progress, ask)
        rows = (
            row_of(m.flow, None, m.verdict, m.reason, endpoints_of(measured=m) if m.backends else ()) for m in measured
        )
        result = Reachability(running.name, rows, "probe", listed=bool(pair), again=options.again())
        rendering.render(result, output)
    inputs.warn_nothing_proved(running.cluster, result.tally.pairs)
    rendering.exit_as(result.tally, output)
