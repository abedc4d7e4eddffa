"""``netlab exposure``: print to what each group of pods is open, and what it can reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.report.exposure import ExposureReport

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.types import Pod


@click.command("exposure")
@click.argument("pod", required=False, metavar="[POD]", shell_complete=options.completed("endpoints"))
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.namespace
@options.ports
@options.family
@options.nodes
@options.system
@option(
    "--hops",
    type=click.IntRange(1, 64),
    help="With a POD: list the pods that it reaches over at most this many connections.  [default: 1]",
)
@options.output(ExposureReport)
@options.reports(ExposureReport)
@options.verbose
def exposure_command(
    pod: str | None,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    namespace: str,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    system: bool,
    hops: int | None,
    output: str,
) -> None:
    """Print to what each group of pods is open, and what it can reach.

    A row is a group of pods that are open to the same pods and addresses. The widest groups come first. Pods and
    namespaces that do not exist yet count too, by their labels. -o wide lists the selectors, ranges and ports. A row
    says what the policies of the group let in and out. Policies at the other end may still stop a connection.

    With POD, which is NAMESPACE/POD or NAMESPACE/WORKLOAD, netlab prints the exposure of this pod and its blast radius:
    which pods it reaches, with one shortest path to each.
    """
    if hops is not None and pod is None:
        raise UsageError("--hops needs a POD: netlab exposure NAMESPACE/POD --hops N")
    reports = options.wanted_reports()
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    asked = flow_arguments.selection_of(cluster, ports, family, nodes, False, system)
    from netlab.policy.exposure import exposures

    start = _pod(cluster, pod, namespace, system=system) if pod is not None else None
    radius = None
    found = exposures(cluster, asked)
    if start is not None:
        from netlab.policy.hops import reached_pods
        from netlab.report.exposure import BlastRadius

        radius = BlastRadius(start, hops or 1, tuple(reached_pods(found.groups, start, hops or 1)))
    result = ExposureReport(found, radius, options.again())
    rendering.render(result, output)
    rendering.write(result, reports)


def _pod(cluster: Cluster, name: str, namespace: str, *, system: bool) -> Pod:
    """Return the pod of a name; raises UsageError."""
    from netlab.cluster.find import find
    from netlab.cluster.types import Pod

    found = find(cluster, name, namespace)
    if not isinstance(found, Pod):
        raise UsageError(f"{name!r} is no pod: name NAMESPACE/POD or NAMESPACE/WORKLOAD")
    if found.system and not system:
        raise UsageError(f"{found.ref} is a pod that netlab added: add --system")
    return found
