"""A denied hostPort: it is proven that the node forwards to the pod, else the verdict is inconclusive."""

from __future__ import annotations

import pytest
from builders import flow, pod, policy, topology

from netlab.cluster.types import Pod
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.probe import measure

HOSTS = {"client": ["192.0.2.10", "2001:db8::10"]}
DUAL = ("10.244.0.0/16", "fd00:10:244::/56")
SOURCES = ["host:client", "node:n2", "x/onhost", "x/far", "x/near", "x/web"]
MODES = ["bridge", "overlay", "routed"]
OFF = {4: "net.ipv4.ip_forward=0", 6: "net.ipv6.conf.all.forwarding=0"}
DENIED = "never arrived; a control packet sent after it did"


def built(lab, mode, *policies):
    """Two nodes with pods of one network, of which one publishes a port."""
    return lab(
        topology(["n1", "n2"], {"default": (mode, *DUAL)}, hosts=HOSTS),
        pod("x/web", "app=web", node="n1", ports=["8001:80"]),
        pod("x/near", node="n1"),
        pod("x/far", node="n2"),
        pod("x/onhost", node="n2", host=True),
        *policies,
    )


def measured(running, family, sources=SOURCES):
    """The verdict and reason from each source to the published port of n1."""
    flows = [flow(running.cluster, source, "node:n1", "8001/TCP", family) for source in sources]
    return {m.flow.source.ref: (m.verdict, m.reason) for m in measure(running.cluster, flows)}


def switch_off(running, ref, setting):
    """Change a setting in the namespace of an endpoint."""
    name, _, value = setting.partition("=")
    with netns.inside(running.namespace(ref)), open(f"/proc/sys/{name.replace('.', '/')}", "w") as file:
        file.write(value)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", MODES)
def test_a_denied_hostport_is_proven_by_a_packet_that_the_node_forwards(lab, mode, family):
    """From an outside host, another node, its host-network pod and its pod, and a pod of the same node.

    A pod always reaches itself.
    """
    running = built(lab, mode, policy("x/web", "app=web", ingress=[]))
    found = measured(running, family)

    assert "allow" == found.pop("x/web")[0]
    assert dict.fromkeys(SOURCES[:-1], ("deny", DENIED)) == found


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", MODES)
def test_a_hostport_of_a_node_that_does_not_forward_is_inconclusive(lab, lost_soon, mode, family):
    """The control packets of both hops arrive, and the node does not join them."""
    running = built(lab, mode)
    assert {"allow"} == {verdict for verdict, _ in measured(running, family).values()}
    switch_off(running, "node:n1", OFF[family])
    lost_soon()
    found = measured(running, family)

    # After IPv6 DNAT a bridge passes a frame on to its other port without forwarding (net/bridge/br_netfilter_ipv6.c).
    bridged = ["x/near", "x/web"] if family == 6 and mode != "routed" else []
    expected = dict.fromkeys(SOURCES, "inconclusive") | dict.fromkeys(bridged, "allow")
    assert expected == {ref: verdict for ref, (verdict, _) in found.items()}
    lost = "control lost: node:n1 did not forward a control packet to x/web"
    assert dict.fromkeys(SOURCES[:3], lost) == {ref: found[ref][1] for ref in SOURCES[:3]}


def test_a_relay_leaves_no_neighbour_entry(lab):
    """The entry by which the sender reaches the pod's address through the node is gone after the run."""
    running = built(lab, "bridge", policy("x/web", "app=web", ingress=[]))
    before = running.ip("host:client", "neighbour", "show")
    measured(running, 4)

    after = running.ip("host:client", "neighbour", "show")
    assert "10.244.0.2" not in before
    assert "10.244.0.2" not in after


@pytest.mark.parametrize("off", [False, True])
def test_between_networks_the_setting_of_the_kernel_counts(lab, lost_soon, off):
    """Rules drop what is not translated between two pod networks, so no control packet can pass the node."""
    networks = {"front": ("bridge", "10.1.0.0/16"), "back": ("routed", "10.2.0.0/16")}
    running = lab(
        topology(["n1"], networks),
        pod("x/web", network="front"),
        pod("x/db", "app=db", network="back", ports=["8001:80"]),
        policy("x/db", "app=db", ingress=[]),
    )
    if off:
        switch_off(running, "node:n1", OFF[4])
        lost_soon()
    verdict, reason = measured(running, 4, ["x/web"])["x/web"]

    assert ("inconclusive" if off else "deny") == verdict
    assert (reason.startswith("node:n1 does not forward packets to x/db: net.ipv4.conf.")) if off else DENIED == reason


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("mode", ["macvlan", "routed", "bridge"])
def test_a_pod_of_another_network_and_node_has_a_control_that_is_forwarded(lab, lost_soon, mode, off):
    """Its own node sends it, as rules drop control packets between two pod networks."""
    running = lab(
        topology(["n1", "n2"], {"back": ("bridge", "10.1.0.0/16"), "other": (mode, "10.2.0.0/16")}),
        pod("x/db", "app=db", node="n1", ports=["8001:80"]),
        pod("x/far", network="other", node="n2"),
        policy("x/db", "app=db", ingress=[]),
    )
    if off:
        switch_off(running, "node:n1", OFF[4])
        lost_soon()
    lost = "control lost: node:n1 did not forward a control packet to x/db"

    assert (("inconclusive", lost) if off else ("deny", DENIED)) == measured(running, 4, ["x/far"])["x/far"]


def test_a_pod_that_its_bridge_does_not_send_its_frames_back_to_is_inconclusive(lab, lost_soon):
    """No control packet can go from a pod by its node back to it, so the setting of the port counts."""
    running = built(lab, "bridge")
    web = running.cluster.by_ref["x/web"]
    assert isinstance(web, Pod)
    running.ip("node:n1", "link", "set", names.port_name(web), "type", "bridge_slave", "hairpin", "off")
    lost_soon()

    unproven = "the bridge of node:n1 does not send frames of x/web back to it"
    assert ("inconclusive", unproven) == measured(running, 4, ["x/web"])["x/web"]


def test_a_node_reaches_its_own_hostport_without_forwarding(lab):
    """What a node sends itself is not forwarded, so the setting changes nothing."""
    running = built(lab, "bridge")
    switch_off(running, "node:n1", OFF[4])

    assert "allow" == measured(running, 4, ["node:n1"])["node:n1"][0]
