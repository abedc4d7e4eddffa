"""``netlab agent``: give this machine's network namespaces to labs on many machines."""

from __future__ import annotations

import os

import click

from netlab.cli import options
from netlab.cli.option import option
from netlab.errors import HostError


@click.command("agent")
@option("--etcd", "etcd", metavar="URL[,URL]", envvar="NETLAB_ETCD", required=True, help="The etcd of the machines.")
@option("--machine", "machine", metavar="NAME", required=True, help="The name of this machine; no other has it.")
@option(
    "--address",
    "address",
    metavar="IP",
    default="",
    help="The address at which other machines reach this one.  [default: the one from which packets to etcd leave]",
)
@option(
    "--vxlan-port",
    "port",
    type=click.IntRange(1, 65535),
    default=4789,
    show_default=True,
    help="The UDP port of the tunnels between machines; all machines have the same.",
)
@option(
    "--cacert",
    "cacert",
    metavar="FILE",
    default="",
    help="The CA certificates that etcd's certificate must be signed by.",
)
@option("--cert", "cert", metavar="FILE", default="", help="The certificate of this client of etcd.")
@option("--key", "key", metavar="FILE", default="", help="The key of the certificate.")
@option(
    "--user",
    "user",
    metavar="USER",
    default="",
    help="The user of etcd; its password is in NETLAB_ETCD_PASSWORD.",
)
@option(
    "--exec",
    "programs",
    type=click.Choice(("nobody", "any", "none")),
    default="nobody",
    show_default=True,
    help="Whose programs run here for other machines: those of nobody, those of any user (exec --user), or none.",
)
@options.verbose
def agent_command(
    etcd: str, machine: str, address: str, port: int, cacert: str, cert: str, key: str, user: str, programs: str
) -> None:
    """Register this machine in etcd, and build its part of labs on many machines, until a signal.

    It needs root. The labs' packets leave this machine only in VXLAN or WireGuard to the other registered machines.
    When the agent ends, labs go on running; when it starts again, it takes them over. Every user who can write to etcd
    decides what the agent builds, so protect etcd with TLS and users.

    Commands find its labs with --etcd, or with the variable NETLAB_ETCD.
    """
    from netlab.conformance import on_machines
    from netlab.kernel import privilege
    from netlab.machines import call_targets
    from netlab.machines.agent import Agent
    from netlab.machines.labs import settings_of
    from netlab.machines.names import machine_name
    from netlab.machines.own_machine import version

    given = {"CACERT": cacert, "CERT": cert, "KEY": key, "USER": user}
    environment = {**os.environ, **{f"NETLAB_ETCD_{name}": value for name, value in given.items() if value}}
    settings = settings_of(etcd, environment)
    name = machine_name(machine)
    if not privilege.privileged():
        raise HostError("the agent makes tunnels to other machines, which needs root", "start it with sudo")
    # The room of conformance is above that of machines.
    call_targets.TARGETS[on_machines.TARGET] = lambda request: on_machines.judge(request.arguments)
    Agent(settings, name, address, port, version(), programs).run()
