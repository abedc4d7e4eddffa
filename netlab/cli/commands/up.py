"""``netlab up``: build a lab, or bring a running one to its input."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options
from netlab.cli.change_summary import print_changes


@click.command("up")
@options.files
@options.profile
@options.strict
@options.ignore
@options.lab_option("The lab's name.  [default: the Topology's]")
@options.yes
@options.kernel
@options.verbose
def up_command(files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, yes: bool, kernel: str) -> None:
    """Build the lab, or bring a running one to exactly this input.

    The command returns when everything is in force. The lab runs by itself until `netlab down`.
    """
    from netlab.kernel.machine import this_host
    from netlab.lab import programs
    from netlab.lab.lab import Lab

    objects, cluster = inputs.read_objects(files, strict, ignore)
    inputs.confirm(len(cluster.pods), yes)
    inputs.print_unenforced(cluster, warned=True)
    machine = this_host(kernel)
    if strict and cluster.ingresses:
        from netlab.lab import ingress

        ingress.check(machine, cluster)
    programs.check_no_agent(machine, lab or cluster.name)
    running = Lab.up(objects, name=lab, machine=machine, cluster=cluster)
    print_changes(running.name, running.changes, running.changes.objects)
