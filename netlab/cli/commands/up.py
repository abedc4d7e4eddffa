"""``netlab up``: build a lab, or bring a running one to its input."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options
from netlab.cli.change_summary import print_changes
from netlab.cli.option import option


@click.command("up")
@options.files
@options.profile
@options.strict
@options.ignore
@options.lab_option("The lab's name.  [default: the Topology's]")
@options.yes
@options.kernel
@option(
    "--encrypt/--no-encrypt",
    "encrypted",
    default=None,
    help="With --etcd, encrypt what machines send to one another, by WireGuard.  [default: as before; a new lab not]",
)
@options.verbose
def up_command(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    yes: bool,
    kernel: str,
    encrypted: bool | None,
) -> None:
    """Build the lab, or bring a running one to exactly this input.

    The command returns when everything is in force. The lab runs by itself until `netlab down`.
    """
    from netlab.kernel import privilege
    from netlab.kernel.machine import this_host
    from netlab.lab import programs
    from netlab.machines.labs import etcd, labs

    objects, cluster = inputs.read_objects(files, strict, ignore)
    inputs.confirm(len(cluster.pods), yes)
    inputs.print_unenforced(cluster, warned=True)
    if strict and cluster.ingresses:
        from netlab.lab import ingress

        ingress.check(this_host(kernel), cluster)
    # A control plane needs root; others cannot even look at the records of root.
    if etcd() is None and privilege.privileged():
        programs.check_no_agent(this_host(kernel), lab or cluster.name)
    running = labs().up(objects, name=lab, cluster=cluster, kernel=kernel, encrypted=encrypted)
    print_changes(running.name, running.changes, running.changes.objects)
