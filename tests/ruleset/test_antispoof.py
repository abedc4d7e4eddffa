"""The anti-spoof table: the addresses that each port may send from."""

from ipaddress import ip_address

import pytest

from netlab.ruleset import Port, compile_rulesets


def test_senders_of_a_node(build):
    """The table has the port of each bridged pod of the node, with the pod's MAC and IP address."""
    members = [
        build.pod("x/a", "10.244.0.2"),
        build.pod("x/b", "10.244.0.3", node="node-2"),
        build.pod("x/host", "100.64.0.1", attachment="host"),
        build.pod("x/none", attachment="none"),
    ]
    cluster = build.cluster(members, [], nodes=("node-1", "node-2"))
    ports = {"x/a": Port("veth1", "02:00:00:00:00:01"), "x/b": Port("veth2", "02:00:00:00:00:02")}
    found = compile_rulesets(cluster, ports)["node-1"].elements

    assert [("veth1",)] == list(found["pod_ports"])
    assert [("veth1", "02:00:00:00:00:01", ip_address("10.244.0.2"))] == list(found["own4"])
    assert "own6" not in found


def test_senders_of_ipv6(build):
    """Neighbour discovery sends from the link-local and from the unspecified address as well."""
    cluster = build.cluster([build.pod("x/a", "10.244.0.2", "fd00::2")], [])
    found = compile_rulesets(cluster, {"x/a": Port("veth1", "02:00:00:00:00:01")})["node-1"].elements

    assert ["fd00::2", "fe80::ff:fe00:1", "::"] == [str(key[2]) for key in found["own6"]]


def test_advertisements_of_ipv6(build):
    """A pod advertises its own addresses; nft writes them as numbers, as it has no name for the field."""
    cluster = build.cluster([build.pod("x/a", "fd00::2")], [])
    text = compile_rulesets(cluster, {"x/a": Port("veth1", "02:00:00:00:00:01")})["node-1"].text()

    assert [
        '"veth1" . 0xfd000000000000000000000000000002',
        '"veth1" . 0xfe80000000000000000000fffe000001',
    ] == [line.split(" comment ")[0].strip() for line in text.splitlines() if " . 0xf" in line]


def test_pod_without_a_known_port_is_an_error(build):
    """Such a pod could send from any address."""
    cluster = build.cluster([build.pod("x/a", "10.244.0.2")], [])

    with pytest.raises(KeyError, match="x/a"):
        compile_rulesets(cluster, {})


def test_without_ports_there_is_no_table(build):
    """A caller that does not know the ports gets the other tables."""
    text = compile_rulesets(build.cluster([build.pod("x/a", "10.244.0.2")], []))["node-1"].text()

    assert "bridge netlab" not in text
