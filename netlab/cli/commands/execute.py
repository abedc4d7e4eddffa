"""``netlab exec`` and ``netlab shell``: a program inside a pod's network namespace."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from netlab.cli import options


@click.command("exec")
@options.lab
@options.namespace
@options.verbose
@click.argument("pod", metavar="POD")
@click.argument("program", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(pod: str, program: Sequence[str], lab: str, namespace: str) -> None:
    """Run a program inside a pod's network namespace; its exit status is netlab's.

    POD is NAMESPACE/POD, node:NAME or host:NAME. Files and processes are the host's, only the network is the pod's.
    """
    from netlab.lab.lab import Lab

    running = Lab.open(lab)
    running.execute(running.find(pod, namespace), program)


@click.command("shell")
@options.lab
@options.namespace
@options.verbose
@click.argument("pod", metavar="POD")
def shell_command(pod: str, lab: str, namespace: str) -> None:
    """Open a shell ($SHELL, else /bin/sh) inside a pod's network namespace.

    POD is NAMESPACE/POD, node:NAME or host:NAME. Where the shell takes its prompt from the environment it names the
    pod; the hostname does in any case.
    """
    from netlab.lab.lab import Lab

    running = Lab.open(lab)
    endpoint = running.find(pod, namespace)
    os.environ["PS1"] = f"{running.name} {endpoint.ref} # "
    os.environ["NETLAB_ENDPOINT"] = endpoint.ref
    running.execute(endpoint, [os.environ.get("SHELL") or "/bin/sh"])
