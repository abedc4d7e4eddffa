"""``netlab selects``: print what a policy selects, or which policies select a pod."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options, rendering
from netlab.report.selections import SelectionReport


@click.command("selects")
@click.argument("name", metavar="POLICY|POD", shell_complete=options.completed("endpoints"))
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.namespace
@options.system
@options.output(SelectionReport)
@options.verbose
def selects_command(
    name: str,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    namespace: str,
    system: bool,
    output: str,
) -> None:
    """Print which pods a policy selects and which peers its rules match, or which policies select a pod.

    The name is NAMESPACE/NAME of a NetworkPolicy, a pod or a workload. A workload stands for all its pods. All objects
    with the name are printed. A kind before the name picks one: networkpolicy/NAMESPACE/NAME, pod/NAMESPACE/NAME.
    A cluster-wide policy is clusternetworkpolicy/NAME, adminnetworkpolicy/NAME or
    baselineadminnetworkpolicy/default.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    from netlab.cluster.plain_policies import as_unread
    from netlab.policy.selections import find_selections

    rendering.render(SelectionReport(cluster.name, find_selections(as_unread(cluster), name, namespace)), output)
