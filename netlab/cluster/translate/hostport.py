"""A container's ``hostPort``: a port of the pod's node stands for a port of the pod.

Source: the Kubernetes API reference (ContainerPort) and the CNI ``portmap`` plugin; see ``netlab.cluster.host_ports``.
"""

from __future__ import annotations

from netlab.cluster.host_ports import published_at
from netlab.cluster.translate.target import Backend, Target, Translation
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.objects.types import Address


def _find(
    cluster: Cluster, destination: Endpoint | None, address: Address | None, protocol: str, port: int | None
) -> Target | None:
    if destination is None or isinstance(destination, Host):
        return None
    node = destination.node if isinstance(destination, Pod) else destination.name
    found = published_at(cluster, node, address, protocol, port)
    if found is None or address is None:
        return None
    own = address_of(found.pod, address.version)
    backends = () if own is None else (Backend(found.pod, own, found.port.port),)
    return Target(backends, cluster.node(node), listed=False)


HOST_PORT = Translation("hostPort", _find)
