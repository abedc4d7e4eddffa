"""``netlab node``: stop and start nodes of the running lab."""

from __future__ import annotations

import click

from netlab.cli import inputs, options, terminal
from netlab.cli.pod_moves import print_moves
from netlab.quantity import quantity


@click.group("node")
def node_command() -> None:
    """Stop a node of the running lab, or start it again."""


@node_command.command("stop")
@click.argument("node", metavar="NODE", shell_complete=options.completed("nodes"))
@options.lab
@options.verbose
def stop_command(node: str, lab: str) -> None:
    """Cut a node of the running lab off, with its pods. Controllers replace the pods on other nodes.

    Nothing reaches the node any more, and its endpoints leave their Services. Pods of Deployments, ReplicaSets and Jobs
    are replaced at once. Those of StatefulSets and DaemonSets stay on the node, and so do pods without a controller.
    The change is in force when the command returns. `netlab node start` brings the node back, and so does `netlab up`.

    With a control plane, the node has no heartbeat and its kubelet does not answer. The real controllers notice after a
    while, and replace its pods after another one; the command says after how long.
    """
    from netlab.machines.labs import labs

    running = labs().repaired(lab)
    name = node.removeprefix("node:")
    before = running.cluster
    changes = running.stop_node(name)
    inputs.print_unenforced(running.cluster)
    verb = "unchanged" if name in before.stopped_nodes else "stopped"
    print_moves(running.name, changes, [(f"node/{name}", verb)], before, running.cluster)
    if running.has_control_plane:
        from netlab.control_plane import failures

        noticed, replaced = failures.windows(running)
        terminal.say(
            f"lab {running.name}: the node is NotReady for its controllers after {quantity(noticed, 'second')}, "
            f"and its pods are replaced {quantity(replaced, 'second')} later"
        )


@node_command.command("start")
@click.argument("node", metavar="NODE", shell_complete=options.completed("nodes"))
@options.lab
@options.verbose
def start_command(node: str, lab: str) -> None:
    """Bring a stopped node of the running lab back. Pods that were replaced stay where they are.

    The change is in force when the command returns.
    """
    from netlab.machines.labs import labs

    running = labs().repaired(lab)
    name = node.removeprefix("node:")
    before = running.cluster
    changes = running.start_node(name)
    inputs.print_unenforced(running.cluster)
    verb = "started" if name in before.stopped_nodes else "unchanged"
    print_moves(running.name, changes, [(f"node/{name}", verb)], before, running.cluster)
