"""Observed needs: how the ends of a flow are found in the input, and which flows are needs."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import cluster, meta, pod, topology, workload

from netlab.cluster import Cluster
from netlab.errors import InputError
from netlab.objects.flow_logs import FlowEnd, ObservedFlow, State, parse_flows
from netlab.objects.services import Service, ServicePort
from netlab.policy.suggest.suggestion import Suggestion, from_needs


def shop() -> Cluster:
    return cluster(
        topology(hosts={"pay": ["192.0.2.80"]}),
        workload("Deployment", "shop/web", 2, "app=web"),
        workload("Deployment", "shop/api", 1, "app=api"),
        pod("kube-system/dns", "k8s-app=kube-dns", ports=["dns=53/UDP"]),
        pod("shop/agent", "app=agent", host=True),
        Service(meta("shop/api"), {"app": "api"}, (ServicePort(80, 8080),)),
    )


def end(text: str, labels: str = "", workload: str = "") -> FlowEnd:
    namespace, slash, name = text.partition("/")
    if not slash:
        return FlowEnd(address=ip_address(text))
    return FlowEnd(namespace, name, workload, tuple(labels.split(",")) if labels else ())


def flow(source: FlowEnd, destination: FlowEnd, port: int = 8080, state: State = "passed") -> ObservedFlow:
    return ObservedFlow(source, destination, "TCP", port, state, 1)


def suggestion(*flows: ObservedFlow) -> Suggestion:
    return from_needs(shop(), (), flows, "flows.log")


WEB = end("shop/web-0")
API = end("shop/api-0")


@pytest.mark.parametrize(
    "source",
    [
        WEB,
        end("shop/web"),
        end("shop/web-6d5f7c9b8d-x2k4p"),
        end("shop/gone-1", workload="web"),
        end("shop/gone-1", labels="app=web,pod-template-hash=6d5f7c9b8d,release=3"),
    ],
)
def test_an_end_is_found(source: FlowEnd) -> None:
    """By its pod's name, by its workload, by the name that it begins with, or by its labels."""

    assert ["shop/web -> shop/api 8080/TCP"] == [str(one) for one in suggestion(flow(source, API)).needed]


def test_an_end_is_found_by_its_address() -> None:
    """As conntrack has no names."""
    pods = {pod.ref: pod.addresses[0] for pod in shop().pods}
    ends = (FlowEnd(address=pods["shop/web-0"]), FlowEnd(address=pods["shop/api-0"]))

    assert ["shop/web -> shop/api 8080/TCP"] == [str(one) for one in suggestion(flow(*ends)).needed]


def test_a_flow_to_a_cluster_ip_is_one_to_the_pods_behind_it() -> None:
    """With their port."""
    address = next(one.cluster_ips[0] for one in shop().services if one.meta.name == "api")

    assert ["shop/web -> shop/api 8080/TCP"] == [
        str(one) for one in suggestion(flow(WEB, FlowEnd(address=address), 80)).needed
    ]


def test_a_need_of_one_pod_is_one_of_all_with_its_labels() -> None:
    """Labels cannot tell the replicas apart."""

    assert [2] == [one.allowed for one in suggestion(flow(WEB, API)).needed]


@pytest.mark.parametrize("state", ["reply", "dropped", "unanswered", "other"])
def test_other_flows_are_no_needs(state: State) -> None:
    """They are counted."""
    found = suggestion(flow(WEB, API, state=state))

    assert ((), ()) == (found.needed, found.drafts)
    assert ["no needs: "] == [note[:10] for note in found.notes]


def test_an_end_that_is_not_in_the_input_is_unknown() -> None:
    """With the line of the log."""
    (unknown,) = suggestion(flow(WEB, end("other/x"))).unknown

    assert "flows.log:1: a flow to port 8080/TCP: other/x is not in the input" == str(unknown)


def test_an_address_outside_of_the_cluster_is_exact() -> None:
    """Also one that no host of the Topology has."""
    found = suggestion(flow(WEB, end("192.0.2.80"), 443), flow(WEB, end("203.0.113.7"), 443))
    peers = {str(peer.ip_block.cidr) for d in found.drafts for r in d.egress for peer in r.peers if peer.ip_block}

    assert {"192.0.2.80/32", "203.0.113.7/32"} == peers
    assert found.proof.holds


def test_a_host_network_pod_is_the_address_of_its_node() -> None:
    """Selectors do not match it."""
    found = suggestion(flow(WEB, end("shop/agent"), 9100))
    (peer,) = [peer for d in found.drafts for r in d.egress for peer in r.peers]

    assert peer.ip_block is not None
    assert str(shop().nodes[0].addresses[0]) == str(peer.ip_block.cidr.network_address)
    assert found.proof.holds


def test_a_masqueraded_client_is_the_node_that_the_pod_sees() -> None:
    """Its own address would let in nothing; a pod that leaves the cluster keeps its labels."""
    api = next(one.addresses[0] for one in shop().pods if one.ref == "shop/api-0")
    node = shop().nodes[0].addresses[0]
    inward = flow(end("203.0.113.7"), FlowEnd(address=api))._replace(seen_as=node)
    outward = flow(WEB, end("203.0.113.7"), 443)._replace(seen_as=node)

    assert [f"node:node-1 ({node}/32) -> shop/api 8080/TCP", "shop/web -> 203.0.113.7/32 443/TCP"] == [
        str(one) for one in suggestion(inward, outward).needed
    ]


def test_queries_of_dns_leave_the_servers_namespace_alone() -> None:
    """DNS has needs of its own, which are in no log of the application."""
    query = ObservedFlow(WEB, end("kube-system/dns"), "UDP", 53, "passed", 1)
    found = suggestion(query)

    assert {"shop"} == {draft.namespace for draft in found.drafts}
    assert found.proof.holds


def test_the_example_of_the_documentation_is_read() -> None:
    """Its lines are as Hubble writes them."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "examples/suggest/flows.jsonl").read_text()

    assert ["passed", "reply", "passed", "dropped"] == [one.state for one in parse_flows(text, "flows.jsonl")]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "224.0.0.251", "255.255.255.255", "::1", "fe80::1"])  # noqa: S104
def test_an_address_that_names_no_machine_is_no_need(address: str) -> None:
    """No ipBlock of a suggestion has it."""
    found = suggestion(flow(WEB, end(address)))

    assert () == tuple(found.needed)
    assert any("loopback" in note for note in found.notes)


def test_an_address_of_metadata_is_a_need() -> None:
    """It is link-local, and servers have it."""
    assert ["shop/web -> 169.254.169.254/32 8080/TCP"] == [
        str(one) for one in suggestion(flow(WEB, end("169.254.169.254"))).needed
    ]


def test_an_ipv4_address_as_ipv6_is_the_ipv4_address() -> None:
    """Programs with one socket for both IP families log it so."""
    (found,) = parse_flows("source,destination,port\nshop/web,::ffff:192.0.2.80,443\n", "f.csv")

    assert ip_address("192.0.2.80") == found.destination.address


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 3000 + "]" * 3000])
def test_json_that_python_does_not_read_is_named_in_plain_words(value: str) -> None:
    """Deep nesting and long numbers are problems of their line."""
    with pytest.raises(InputError) as raised:
        parse_flows(f'{{"verdict": "FORWARDED", "l4": {value}}}\n', "f.json")

    assert "f.json:1: no flow: JSON that is nested too deep, or has a number that is too long" == str(raised.value)


def test_a_line_of_a_log_ends_at_a_newline_only() -> None:
    """A string of JSON may have other characters that end a line of text."""
    text = '{"verdict": "FORWARDED", "summary": "a\u2028b", "l4": {"TCP": {"destination_port": 80}}}\n'

    assert 1 == len(parse_flows(text * 2, "f.json"))
