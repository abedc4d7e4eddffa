"""``netlab control-plane``: a real control plane in front of a lab, with netlab as its nodes."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options, terminal
from netlab.cli.option import option
from netlab.errors import UsageError

_WAIT = 120.0
_DAY = 24 * 3600


@click.group("control-plane")
def control_plane_command() -> None:
    """Put a real Kubernetes control plane in front of a lab, so that kubectl and controllers work with it.

    etcd, kube-apiserver, kube-controller-manager and kube-scheduler run on this host's loopback address, without
    privilege. netlab is the nodes: pods that the scheduler places get namespaces, addresses and policies.
    """


@control_plane_command.command("up")
@options.files
@options.profile
@options.strict
@options.lab_option("The lab's name.  [default: the Topology's]")
@option("--kubeconfig", metavar="FILE", default="", help="Where to write it.  [default: LAB.kubeconfig]")
@option("--assets", metavar="DIR", default="", help="The folder of the programs.  [default: KUBEBUILDER_ASSETS]")
@option("--abac", metavar="FILE", default="", help="A policy file of ABAC, in addition to RBAC.")
@option("--admission-plugins", metavar="NAMES", default="", help="Enable these plugins too: A,B.")
@option(
    "--host-programs",
    type=click.Choice(["none", "asked", "all"]),
    default=None,
    help="Which pods may run programs of this host: those with the annotation netlab/run: host, or all.  "
    "[default: none]",
)
@option(
    "--node-monitor-grace-period",
    "node_grace",
    type=click.IntRange(2, _DAY),
    metavar="SECONDS",
    help="How long a node has no heartbeat until it is NotReady.  [default: that of Kubernetes, 50]",
)
@option(
    "--default-not-ready-toleration-seconds",
    "not_ready",
    type=click.IntRange(0, _DAY),
    metavar="SECONDS",
    help="How long pods stay on a node that says that it is not ready.  [default: that of Kubernetes, 300]",
)
@option(
    "--default-unreachable-toleration-seconds",
    "unreachable",
    type=click.IntRange(0, _DAY),
    metavar="SECONDS",
    help="How long pods stay on a node without a heartbeat.  [default: that of Kubernetes, 300]",
)
@option("--wait", is_flag=True, help=f"Wait until the pods of the input are ready, at most {_WAIT:g} s.")
@options.verbose
def up_command(
    files: Sequence[str],
    strict: bool,
    lab: str,
    kubeconfig: str,
    assets: str,
    abac: str,
    admission_plugins: str,
    host_programs: str | None,
    node_grace: int | None,
    not_ready: int | None,
    unreachable: int | None,
    wait: bool,
) -> None:
    """Start the control plane and its lab, and create the objects of the input through the API.

    The Topology makes the lab, and its nodes are the cluster's. The command returns when the API server has all
    objects; the controllers and netlab go on by themselves. It can be repeated: what runs stays, and what ended is
    started again. Without -f, the control plane that there is stays as it is; if there is none, it begins with one node
    and no objects.

    Exit code 3 means that this host lacks root or a program; the message says how to get it.
    """
    from netlab.control_plane import abac as policy_file
    from netlab.control_plane import plane, starting
    from netlab.objects import decode

    given = files or options.wanted_profile()
    objects = inputs.read_objects(files, strict, also_read=None)[0] if given else decode([])[0]
    plugins = tuple(filter(None, (name.strip() for name in admission_plugins.split(","))))
    if wrong := [name for name in plugins if not name.isalnum()]:
        raise UsageError(f"--admission-plugins {admission_plugins}: {wrong[0]!r} is no name of a plugin")
    rules = policy_file.read(abac) if abac else ""
    wishes = starting.Wishes(
        assets,
        kubeconfig,
        plugins,
        rules,
        host_programs or "",
        node_grace,
        not_ready,
        unreachable,
        _WAIT if wait else 0.0,
    )
    started = plane.up(objects, lab, wishes, terminal.say)
    terminal.emit(f"{name} {verb}" for name, verb in started.objects)
    terminal.say(f"lab {started.lab}: the control plane runs ({started.seconds:.1f} s)")
    terminal.say(f"type: export KUBECONFIG={started.kubeconfig}")


@control_plane_command.command("status")
@options.lab
@options.verbose
def status_command(lab: str) -> None:
    """Print which programs of the control plane run, and where each listens and logs.

    Exit code 1 means that one does not run or is not ready; `netlab control-plane up` starts it again.
    """
    from netlab.control_plane import plane

    _, states = plane.status(lab)
    rows = [("PROGRAM", "STATE", "PORT", "LOG")]
    for one in states:
        state = "Ready" if one.ready else "NotReady" if one.runs else "Ended"
        rows.append((one.name, state, str(one.port), one.log))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminal.emit(
        "   ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    if not all(one.ready for one in states):
        click.get_current_context().exit(1)


@control_plane_command.command("down")
@options.lab
@options.verbose
def down_command(lab: str) -> None:
    """Remove the lab with its control plane: the programs, their data and logs, the keys and the kubeconfig."""
    from netlab.cli.commands.down import print_removed
    from netlab.control_plane import plane
    from netlab.machines.labs import Removed

    name, left = plane.down(lab)
    print_removed(name, Removed(left))
