"""``netlab pod``: kill pods of the running lab."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options
from netlab.cli.pod_moves import print_moves


@click.group("pod")
def pod_command() -> None:
    """Kill pods of the running lab; their controllers replace them."""


@pod_command.command("kill")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=options.completed("endpoints"))
@options.lab
@options.namespace
@options.verbose
def kill_command(names: Sequence[str], lab: str, namespace: str) -> None:
    """End pods (NAMESPACE/NAME) of the running lab. Their controllers replace them at once.

    The new pod of a Deployment, ReplicaSet or Job has a new name. That of a StatefulSet has the same name, and that of
    a DaemonSet is on the same node. A pod without a controller is not replaced. Programs in the pods end. The change is
    in force when the command returns.
    """
    from netlab.machines.labs import labs

    running = labs().open(lab)
    before = running.cluster
    changes = running.kill([running.find(name, namespace).ref for name in names])
    inputs.print_unenforced(running.cluster)
    print_moves(running.name, changes, [], before, running.cluster)
