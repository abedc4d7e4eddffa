"""The program that is the nodes of a lab: nodes, kubelets, and the connections between the API server and the lab."""

from __future__ import annotations

import logging
import os
import signal
import sys

from netlab.control_plane import settings
from netlab.control_plane.api import Client
from netlab.control_plane.nodes import runtime_process
from netlab.control_plane.nodes.account_tokens import AccountTokens
from netlab.control_plane.nodes.agent import Agent, say
from netlab.control_plane.nodes.api_server_endpoints import ApiServerEndpoints
from netlab.control_plane.nodes.api_server_relay import ApiServerRelay, places
from netlab.control_plane.nodes.config_maps import ConfigMaps
from netlab.control_plane.nodes.into_lab import IntoLab
from netlab.control_plane.nodes.kubelet import Kubelet
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.errors import HostError, NetlabError
from netlab.kernel.pod_runtime import allow_descriptors
from netlab.kernel.pod_starter import Runtime
from netlab.lab.lab import Lab


def main() -> None:
    """Be the nodes of a lab until SIGTERM.

    The arguments are the lab, the seconds between two heartbeats, and which pods may run programs of this host.
    """
    name, beat, allowed = sys.argv[1:]
    logging.basicConfig(format="%(asctime)s %(message)s")
    lab = Lab.open(name)
    found = settings.read(lab.machine, name)
    if found is None:
        raise HostError(f"lab {name} has no control plane")
    folder = settings.folder(lab.machine, name)
    allow_descriptors()
    pki, runtime = folder / "pki", Runtime(runtime_process.__name__)
    client = Client(pki, "nodes", found.ports.apiserver)
    tokens = AccountTokens(client)
    config_maps = ConfigMaps(client, (pki / "ca.crt").read_text())
    agent = Agent(
        lab,
        client,
        found.ports.kubelet,
        float(beat),
        lambda services, ended: PodPrograms(
            runtime, lab, folder / "logs", allowed, config_maps.read, tokens.read, services, ended
        ),
    )
    signal.signal(signal.SIGTERM, lambda number, frame: agent.stop())
    try:
        into_lab = IntoLab(lab, found.ports.kubelet)
        into_lab.start()
        Kubelet(agent.programs, agent.inside, into_lab.connect, pki, found.ports.kubelet).start()
        addresses = ApiServerRelay(found.ports.apiserver, lab.machine.inside, say).start(places(lab.cluster))
        agent.announce(ApiServerEndpoints(client, lambda: lab.cluster, addresses, say))
        agent.run()
    except OSError as error:
        say(f"cannot listen: {error}")
        os._exit(1)
    except NetlabError as error:
        say(str(error))
        os._exit(error.exit_code)
    # Threads that wait for the API server do not hold up the end.
    os._exit(0)
