"""``netlab explain``: print why one pair is allowed or denied."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.report.explanations import Explanations


@click.command("explain")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST:PORT[/PROTO]")
@options.files
@options.strict
@options.ignore
@options.lab_without_files
@options.namespace
@options.family
@options.system
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
    system: bool,
) -> None:
    """Print the verdict of one pair, and the policy, rule and line that decided on each side.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address, or service:NAMESPACE/NAME with the
    number or name of a port of the Service. NAMESPACE/WORKLOAD stands for its first pod. Without a port, netlab
    explains every port that DST declares; DST/ICMP explains ICMP.
    """
    from netlab.policy.explain import explain

    system = system or (bool(files) and destination.startswith("service:"))
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    flows = flow_arguments.one_pair(cluster, source, destination, namespace, family=family)
    services = [one for one in cluster.services if not one.system]
    objects = (cluster.asked_pods(), cluster.policies, cluster.unread, services)
    sources = [one.source for many in objects for one in many]
    found = (explain(cluster, flow) for flow in flows)
    rendering.render(Explanations(found, {source.file for source in sources}))
