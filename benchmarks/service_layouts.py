"""nftables rulesets for Services: netlab's, and one with a chain for each Service and endpoint, as kube-proxy has."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from benchmarks.pods import CLIENTS, NETWORK, SERVERS
from netlab.cluster.types import Cluster, Network, Node, Pod
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Meta

PORT, TARGET, APPS = 53, 5353, 10
# Clients send frames to the router itself, so any address that no machine of the benchmark has would do.
RANGE = IPv4Network("172.16.0.0/12")


@dataclass(frozen=True)
class Mesh:
    """A cluster of Services on one UDP port; each leads to ``endpoints`` of the pods of one of ten apps."""

    services: int
    endpoints: int = 3

    def address(self, number: int) -> IPv4Address:
        return RANGE[number + 1]

    def pods(self, number: int) -> list[IPv4Address]:
        """Return the addresses of the endpoints of a Service."""
        app = number % APPS
        return [SERVERS[2 + app * self.endpoints + i] for i in range(self.endpoints)]

    def cluster(self, *, one_more: bool = False) -> Cluster:
        """Return the cluster; ``one_more``: another endpoint of the first Service."""
        pods = [
            Pod("mesh", f"pod-{app:02}-{i}", {"app": str(app)}, {}, "node-0", "bridge", "default", (address,))
            for app in range(APPS)
            for i, address in enumerate(self.pods(app))
        ]
        pods += [
            Pod("own", f"pod-{i}", {"app": "own"}, {}, "node-0", "bridge", "default", (SERVERS[60_000 + i],))
            for i in range(self.endpoints + one_more)
        ]
        ports = (ServicePort(PORT, TARGET, "UDP"),)
        services = [
            Service(
                Meta(f"service-{n:05}", "mesh"), {"app": str(n % APPS)}, ports, (self.address(n),), ip_families=(4,)
            )
            for n in range(self.services)
        ]
        services.append(
            Service(Meta("service", "own"), {"app": "own"}, ports, (self.address(self.services),), ip_families=(4,))
        )
        node = Node("node-0", {}, (IPv4Address("100.64.0.1"),), {"default": (NETWORK,)})
        return Cluster(
            name="bench",
            networks=(Network("default", "bridge", (NETWORK,)),),
            nodes=(node,),
            hosts=(),
            namespaces={name: {"kubernetes.io/metadata.name": name} for name in ("mesh", "own")},
            pods=tuple(pods),
            policies=(),
            services=tuple(services),
            service_cidrs=(RANGE,),
        )


def chains(mesh: Mesh) -> str:
    """Return a chain for each Service, which goes to the chain of a random endpoint.

    kube-proxy's nftables mode has this layout (pkg/proxy/nftables/README.md); here it is for ClusterIPs only.
    """
    lines = ["table ip proxy {"]
    entries = []
    for number in range(mesh.services):
        for index, pod in enumerate(mesh.pods(number)):
            lines += [
                f"\tchain endpoint-{number}-{index} {{",
                f"\t\tip saddr {pod} jump mark-for-masquerade",
                f"\t\tmeta l4proto udp dnat to {pod}:{TARGET}",
                "\t}",
            ]
        choice = ", ".join(f"{i} : goto endpoint-{number}-{i}" for i in range(mesh.endpoints))
        lines += [
            f"\tchain service-{number} {{",
            f"\t\tip daddr {mesh.address(number)} udp dport {PORT} ip saddr != {NETWORK} jump mark-for-masquerade",
            f"\t\tnumgen random mod {mesh.endpoints} vmap {{ {choice} }}",
            "\t}",
        ]
        entries.append(f"{mesh.address(number)} . udp . {PORT} : goto service-{number}")
    addresses = ", ".join(str(mesh.address(number)) for number in range(mesh.services))
    head = [
        "\tchain mark-for-masquerade {",
        "\t\tmeta mark set meta mark or 0x4000",
        "\t}",
    ]
    tail = [
        "\tmap service-ips {",
        "\t\ttype ipv4_addr . inet_proto . inet_service : verdict",
        f"\t\telements = {{ {', '.join(entries)} }}",
        "\t}",
        "\tset cluster-ips {",
        "\t\ttype ipv4_addr",
        f"\t\telements = {{ {addresses} }}",
        "\t}",
        "\tchain nat-prerouting {",
        "\t\ttype nat hook prerouting priority dstnat; policy accept;",
        "\t\tip daddr . meta l4proto . th dport vmap @service-ips",
        "\t}",
        "\tchain filter-forward {",
        "\t\ttype filter hook forward priority -110; policy accept;",
        "\t\tct state new ip daddr @cluster-ips reject",
        "\t}",
        "\tchain nat-postrouting {",
        "\t\ttype nat hook postrouting priority srcnat; policy accept;",
        "\t\tmeta mark & 0x4000 == 0x4000 masquerade",
        "\t}",
        "}",
    ]
    return "\n".join([lines[0], *head, *lines[1:], *tail]) + "\n"


def client(number: int) -> IPv4Address:
    """Return the address of a client."""
    return CLIENTS[2 + number]
