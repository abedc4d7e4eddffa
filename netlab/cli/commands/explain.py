"""``netlab explain``: why one pair is allowed or denied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, paths, questions, terminal

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import Flow


@click.command("explain")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST:PORT[/PROTO]")
@options.files
@options.strict
@options.ignore
@options.lab
@options.namespace
@options.family
@options.verbose
def explain_command(
    source: str,
    destination: str,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    namespace: str,
    family: str | None,
) -> None:
    """Print the verdict of one pair, and the policy, rule and line that decided on each side.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address. NAMESPACE/WORKLOAD is its first
    pod. Without a port it is about every port that DST declares; DST/ICMP asks about ICMP.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore)
    flows = questions.one_pair(cluster, source, destination, namespace, family=family)
    sources = [one.source for many in (cluster.pods, cluster.policies, cluster.unread) for one in many]
    terminal.emit(paths.shortened(list(_explained(cluster, flows)), {source.file for source in sources}))


def _explained(cluster: Cluster, flows: Sequence[Flow]) -> Iterator[str]:
    from netlab.policy import explain

    for number, flow in enumerate(flows):
        if number:
            yield ""
        yield from explain(cluster, flow).in_lines()
