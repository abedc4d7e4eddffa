"""``netlab exec`` and ``netlab shell``: a program inside a pod's network namespace."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from netlab.cli import options
from netlab.kernel import caller

_user = click.option(
    "--user",
    "user",
    metavar="USER|UID[:GID]",
    default="",
    help="Whom the program runs as.  [default: under sudo who typed it, else as netlab runs]",
)


@click.command("exec")
@options.lab
@options.namespace
@_user
@options.verbose
@click.argument("pod", metavar="POD")
@click.argument("program", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(pod: str, program: Sequence[str], lab: str, namespace: str, user: str) -> None:
    """Run a program inside a pod's network namespace; its exit status is netlab's.

    POD is NAMESPACE/POD, node:NAME or host:NAME. Files and processes are the host's, only the network is the pod's.
    Under sudo the program runs as the user who typed it and without privilege; what needs root in the pod, as tcpdump
    or ip do, needs --user root.
    """
    from netlab.lab.lab import Lab

    who = caller.named(user) if user else caller.caller()
    running = Lab.open(lab)
    running.execute(running.locate(pod, namespace), program, who)


@click.command("shell")
@options.lab
@options.namespace
@_user
@options.verbose
@click.argument("pod", metavar="POD")
def shell_command(pod: str, lab: str, namespace: str, user: str) -> None:
    """Open a shell ($SHELL, else /bin/sh) inside a pod's network namespace.

    Under sudo it is the shell of the user who typed it, without privilege; --user root has a root shell. POD is
    NAMESPACE/POD, node:NAME or host:NAME. Where the shell takes its prompt from the environment it names the pod; the
    hostname does in any case.
    """
    from netlab.lab.lab import Lab

    who = caller.named(user) if user else caller.caller()
    running = Lab.open(lab)
    place = running.locate(pod, namespace)
    os.environ["PS1"] = f"{running.name} {place.ref} {'$' if who and who.uid else '#'} "
    os.environ["NETLAB_ENDPOINT"] = place.ref
    own = who.shell if who else ""
    running.execute(place, [own or os.environ.get("SHELL") or "/bin/sh"], who)
