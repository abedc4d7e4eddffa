"""``netlab pod``: kill pods of the running lab."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options, terminal
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

    With a control plane, pods end as by `kubectl delete --force --grace-period=0`, and the real controllers replace
    them. A PodDisruptionBudget does not keep a pod from dying.
    """
    from netlab.machines.labs import labs

    running = labs().repaired(lab)
    before = running.cluster
    refs = [running.find(name, namespace).ref for name in names]
    if running.has_control_plane:
        from netlab.control_plane import failures

        failures.kill(running, refs)
        terminal.emit(f"pod/{pod.ref} ended on {pod.node}" for pod in before.pods if pod.ref in refs)
        terminal.say(f"lab {running.name}: the controllers replace pods; kubectl get pods shows how far they are")
        return
    changes = running.kill(refs)
    inputs.print_unenforced(running.cluster)
    print_moves(running.name, changes, [], before, running.cluster)
