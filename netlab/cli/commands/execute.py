"""``netlab exec`` and ``netlab shell``: run a program inside a pod's network namespace."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from netlab.cli import options
from netlab.cli.command_group import TYPED
from netlab.cli.option import option
from netlab.errors import UsageError

_user = option(
    "--user",
    "user",
    metavar="USER|UID[:GID]",
    default="",
    help="The user of the program.  [default: the user who typed sudo, else netlab's own]",
)


@click.command("exec")
@options.lab
@options.namespace
@_user
@option("-i", "--stdin", is_flag=True, help="As in kubectl; the program has netlab's input without it, too.")
@option("-t", "--tty", is_flag=True, help="As in kubectl; the program has netlab's terminal without it, too.")
@options.verbose
@click.argument("pod", metavar="POD", shell_complete=options.completed("endpoints"))
@click.argument("program", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(pod: str, program: Sequence[str], lab: str, namespace: str, user: str, stdin: bool, tty: bool) -> None:
    """Run a program inside a pod's network namespace; its exit status is netlab's.

    POD is NAMESPACE/POD, node:NAME or host:NAME. The program has the pod's network and finds names as in the cluster:
    /etc/resolv.conf and /etc/hosts are the pod's. Other files and the processes are the host's. The first program of a
    lab starts the lab's DNS. Under sudo it runs as the user who typed sudo, without privilege. Programs that need root
    in the pod, such as tcpdump or ip, need --user root. With --etcd a program on another machine is nobody. It gets at
    most 1 MiB of input, and has no terminal.
    """
    # Without --, an option of the program would be taken for one of netlab, and be ignored.
    if (stdin or tty) and "--" not in click.get_current_context().meta.get(TYPED, ()):
        raise UsageError("with -i or -t, write -- before the program")
    from netlab.machines.labs import labs

    running = labs().open(lab)
    running.execute_as(running.locate(pod, namespace), program, user)


@click.command("shell")
@options.lab
@options.namespace
@_user
@options.verbose
@click.argument("pod", metavar="POD", shell_complete=options.completed("endpoints"))
def shell_command(pod: str, lab: str, namespace: str, user: str) -> None:
    """Open a shell ($SHELL, else /bin/sh) inside a pod's network namespace.

    Under sudo it is the shell of the user who typed sudo, without privilege; --user root opens a root shell. POD is
    NAMESPACE/POD, node:NAME or host:NAME. The hostname is the pod's name. The prompt names the pod too, if the shell
    takes its prompt from the environment. With --etcd, open it on the machine of the pod.
    """
    from netlab.kernel import sudo_user
    from netlab.machines.labs import labs

    run_as = sudo_user.named(user) if user else sudo_user.caller()
    running = labs().open(lab)
    place = running.locate(pod, namespace)
    os.environ["PS1"] = f"{running.name} {place.ref} {'$' if run_as and run_as.uid else '#'} "
    os.environ["NETLAB_ENDPOINT"] = place.ref
    own = run_as.shell if run_as else ""
    running.execute_as(place, [own or os.environ.get("SHELL") or "/bin/sh"], user)
