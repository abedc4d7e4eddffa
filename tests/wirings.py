"""The wiring of CNIs: the choices of a Topology, and what iproute2 lists where they are followed."""

from __future__ import annotations

from dataclasses import replace

from builders import peer, pod, policy, rule, topology

from netlab.frozen import frozen
from netlab.modes.wiring import Wiring
from netlab.objects.topology import Topology


@frozen
class Seen:
    """What iproute2 lists, on node ``a`` and in its pod ``x/a``; "" or None: there is none.

    ``address`` has the address and length of the pod, ``default`` the default route as (gateway, device, MTU).
    ``ports`` is the pattern of the names of pods' links. ``tunnel`` is (name, VNI, UDP port, MTU), ``remote`` the route
    to the pods of node ``b`` as (prefix, gateway, device, flags), ``neighbours`` and ``forwarding`` those of the tunnel
    as (address, MAC) and (MAC, node).
    """

    address: str
    default: tuple[str | None, str, int | None]
    mtu: int
    ports: str
    port_mac: str = ""
    bridge: str = ""
    bridge_addresses: tuple[str, ...] = ()
    tunnel: tuple[str, int, int, int] | None = None
    tunnel_addresses: tuple[str, ...] = ()
    remote: tuple[str, str | None, str, tuple[str, ...]] | None = None
    neighbours: tuple[tuple[str, str], ...] = ()
    forwarding: tuple[tuple[str, str], ...] = ()


A, B = "100.64.0.1", "100.64.0.2"
TO_B_BY_TUNNEL = (("10.244.1.0", "0a:58:0a:f4:01:00"),)
MAC_OF_B = (("0a:58:0a:f4:01:00", B),)
CALICO = Wiring(
    attachment="routed",
    masquerade="outside-and-nodes",
    outside_routes=True,
    port_prefix="cali",
    port_mac="ee:ee:ee:ee:ee:ee",
    gateway="169.254.1.1",
)
FLANNEL = Wiring(
    attachment="bridge",
    transport="vxlan",
    masquerade="outside-and-nodes",
    outside_routes=True,
    remote_node_source="tunnel",
    bridge_name="cni0",
    tunnel_name="flannel.1",
    vni=1,
    tunnel_port=8472,
)
_FLANNEL = Seen(
    address="10.244.0.2/24",
    default=("10.244.0.1", "eth0", None),
    mtu=1450,
    ports=r"veth[0-9a-f]{8}",
    bridge="cni0",
    bridge_addresses=("10.244.0.1/24",),
    tunnel=("flannel.1", 1, 8472, 1450),
    tunnel_addresses=("10.244.0.0/32",),
    remote=("10.244.1.0/24", "10.244.1.0", "flannel.1", ("onlink",)),
    neighbours=TO_B_BY_TUNNEL,
    forwarding=MAC_OF_B,
)
_CALICO = Seen(
    address="10.244.0.2/32",
    default=("169.254.1.1", "eth0", None),
    mtu=1500,
    ports=r"cali[0-9a-f]{11}",
    port_mac="ee:ee:ee:ee:ee:ee",
    remote=("10.244.1.0/24", B, "underlay0", ()),
)
CASES: dict[str, tuple[Wiring, Seen]] = {
    "docker": (
        Wiring(attachment="bridge", transport="none", bridge_name="docker0", prefix_length="network"),
        Seen(
            address="10.244.0.2/16",
            default=("10.244.0.1", "eth0", None),
            mtu=1500,
            ports=r"veth[0-9a-f]{8}",
            bridge="docker0",
            bridge_addresses=("10.244.0.1/16",),
        ),
    ),
    "flannel": (FLANNEL, _FLANNEL),
    "flannel-host-gw": (
        replace(FLANNEL, transport="routes", tunnel_name="", remote_node_source="node"),
        replace(
            _FLANNEL,
            mtu=1500,
            tunnel=None,
            tunnel_addresses=(),
            remote=("10.244.1.0/24", B, "underlay0", ()),
            neighbours=(),
            forwarding=(),
        ),
    ),
    "calico-none": (replace(CALICO, transport="routes"), _CALICO),
    "calico-vxlan": (
        replace(
            CALICO,
            transport="vxlan",
            remote_node_source="tunnel",
            tunnel_name="vxlan.calico",
            vni=4096,
            tunnel_port=4789,
        ),
        replace(
            _CALICO,
            mtu=1450,
            tunnel=("vxlan.calico", 4096, 4789, 1450),
            tunnel_addresses=("10.244.0.0/32",),
            remote=("10.244.1.0/24", "10.244.1.0", "vxlan.calico", ("onlink",)),
            neighbours=TO_B_BY_TUNNEL,
            forwarding=MAC_OF_B,
        ),
    ),
    "canal": (
        replace(
            CALICO,
            transport="vxlan",
            remote_node_source="tunnel",
            tunnel_name="flannel.1",
            vni=1,
            tunnel_port=8472,
            mtu=1500,
        ),
        replace(
            _CALICO,
            tunnel=("flannel.1", 1, 8472, 1450),
            tunnel_addresses=("10.244.0.0/32",),
            remote=("10.244.1.0/24", "10.244.1.0", "flannel.1", ("onlink",)),
            neighbours=TO_B_BY_TUNNEL,
            forwarding=MAC_OF_B,
        ),
    ),
    "cilium": (
        Wiring(
            attachment="routed",
            transport="vxlan",
            masquerade="outside-and-nodes",
            outside_routes=True,
            tunnel_name="cilium_vxlan",
            port_prefix="lxc",
            mtu_place="route",
        ),
        Seen(
            address="10.244.0.2/32",
            default=("169.254.1.1", "eth0", 1450),
            mtu=1500,
            ports=r"lxc[0-9a-f]{11}",
            tunnel=("cilium_vxlan", 1, 8472, 1450),
            tunnel_addresses=("10.244.0.0/32",),
            remote=("10.244.1.0/24", "10.244.1.0", "cilium_vxlan", ("onlink",)),
            neighbours=TO_B_BY_TUNNEL,
            forwarding=MAC_OF_B,
        ),
    ),
    "kube-router": (
        Wiring(
            attachment="bridge",
            transport="routes",
            masquerade="outside",
            outside_routes=True,
            bridge_name="kube-bridge",
        ),
        Seen(
            address="10.244.0.2/24",
            default=("10.244.0.1", "eth0", None),
            mtu=1500,
            ports=r"veth[0-9a-f]{8}",
            bridge="kube-bridge",
            bridge_addresses=("10.244.0.1/24",),
            remote=("10.244.1.0/24", B, "underlay0", ()),
        ),
    ),
    "weave": (
        Wiring(
            attachment="bridge",
            transport="flat-vxlan",
            masquerade="outside-and-nodes",
            remote_node_source="bridge",
            bridge_name="weave",
            port_prefix="vethwepl",
            tunnel_port=6784,
            mtu=1376,
            prefix_length="network",
        ),
        Seen(
            address="10.244.0.2/16",
            default=("10.244.0.1", "eth0", None),
            mtu=1376,
            ports=r"vethwepl[0-9a-f]{7}",
            bridge="weave",
            bridge_addresses=("10.244.0.1/16",),
            tunnel=("vxlan.1", 1, 6784, 1450),
            remote=("10.244.1.0/24", None, "weave", ()),
            # A copy of each broadcast, and what is for the bridge and the pod of the other node.
            forwarding=(("00:00:00:00:00:00", B), ("0a:58:0a:f4:01:01", B), ("0a:58:0a:f4:01:02", B)),
        ),
    ),
    "romana": (
        Wiring(
            attachment="routed",
            transport="routes",
            masquerade="outside-and-nodes",
            port_prefix="romana-",
            gateway="172.142.0.1",
            default_route="device",
        ),
        Seen(
            address="10.244.0.2/32",
            default=(None, "eth0", None),
            mtu=1500,
            ports=r"romana-[0-9a-f]{8}",
            remote=("10.244.1.0/24", B, "underlay0", ()),
        ),
    ),
}


def wired(wiring: Wiring, *cidrs: str) -> Topology:
    """Two nodes and an outside host; the Topology spells the wiring out."""
    made = topology(["a", "b"], cidrs=cidrs or ["10.244.0.0/16"], hosts={"client": ["192.0.2.10"]})
    return replace(made, networks=tuple(replace(one, wiring=wiring) for one in made.networks))


THINGS = (
    pod("x/a", "app=a", node="a"),
    pod("x/b", "app=b", node="a"),
    pod("x/c", "app=c", node="b"),
    policy("x/only-a", "app=c", ingress=[rule(peer("app=a"))]),
    policy("x/to-c", "app=b", egress=[rule(peer("app=c"))]),
)
