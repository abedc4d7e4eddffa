"""Questions to the ports of a lab's pods, from their nodes, as those of probes and hooks."""

from __future__ import annotations

from netlab.cluster import Pod
from netlab.control_plane.nodes.objects import Key
from netlab.dataplane.names import node_namespace
from netlab.errors import NetlabError
from netlab.kernel.ask_port import Answer, ask
from netlab.lab.lab import Lab


def ask_pod(lab: Lab, key: Key | None, port: int, seconds: float, question: bytes) -> Answer:
    """Ask a port of a pod from its node (``ask``); a pod that the lab does not have is "nobody".

    It raises nothing: "silence" is the answer where this process cannot ask, as where it has too many open files.
    """
    endpoint = lab.cluster.by_ref.get("/".join(key or ()))
    if not isinstance(endpoint, Pod) or not endpoint.addresses:
        return "nobody"
    try:
        with lab.machine.inside(node_namespace(lab.name, endpoint.node)):
            return ask(str(endpoint.addresses[0]), port, seconds, question)
    except NetlabError:
        return "nobody"
    except OSError:
        return "silence"
