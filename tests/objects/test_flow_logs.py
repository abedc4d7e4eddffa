"""Flow logs: lines as Hubble, conntrack and a spreadsheet write them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from netlab.errors import InputError
from netlab.objects.flow_logs import FlowEnd, ObservedFlow, parse_flows, read_flows

# As `hubble observe -o jsonpb` of Cilium 1.16 to 1.19 writes them.
REQUEST = (
    '{"flow":{"time":"2026-11-20T10:00:01.512Z","uuid":"0c0a7d0a-6e31-4c1b-9d4f-2f6a2f3b1a01","verdict":"FORWARDED",'
    '"ethernet":{"source":"62:6b:d0:a4:c5:63","destination":"6e:d0:ea:78:fc:0a"},'
    '"IP":{"source":"10.0.1.41","destination":"10.0.2.17","ipVersion":"IPv4"},'
    '"l4":{"TCP":{"source_port":51514,"destination_port":9090,"flags":{"SYN":true}}},'
    '"source":{"ID":1021,"identity":20391,"cluster_name":"prod","namespace":"shop",'
    '"labels":["k8s:app=web","k8s:io.cilium.k8s.policy.cluster=prod","k8s:io.kubernetes.pod.namespace=shop"],'
    '"pod_name":"web-6d5f7c9b8d-x2k4p","workloads":[{"name":"web","kind":"Deployment"}]},'
    '"destination":{"ID":877,"identity":31007,"namespace":"shop","labels":["k8s:app=api"],'
    '"pod_name":"api-7f9c6d5b44-9qzjt"},"Type":"L3_L4","node_name":"prod/node-2","event_type":{"type":4},'
    '"traffic_direction":"INGRESS","trace_observation_point":"TO_ENDPOINT","is_reply":false,'
    '"Summary":"TCP Flags: SYN"},"node_name":"prod/node-2","time":"2026-11-20T10:00:01.512Z"}'
)
ANSWER = REQUEST.replace('"is_reply":false', '"is_reply":true')
DROPPED = REQUEST.replace("FORWARDED", "DROPPED").replace(',"is_reply":false', "")
STATUS = '{"node_status":{"state_change":"NODE_CONNECTED","node_names":["prod/node-2"]},"node_name":"prod/node-2"}'
LOOKUP = (
    '{"flow":{"verdict":"FORWARDED","IP":{"source":"10.0.1.41","destination":"10.0.0.8","ipVersion":"IPv4"},'
    '"l4":{"UDP":{"source_port":40001,"destination_port":53}},"source":{"namespace":"shop","pod_name":"web-0"},'
    '"destination":{"namespace":"kube-system","labels":["k8s:k8s-app=kube-dns"],"pod_name":"coredns-5d78c9869d-abcde"},'
    '"Type":"L3_L4","is_reply":null}}'
)
TO_WORLD = (
    '{"flow":{"verdict":"FORWARDED","IP":{"source":"10.0.1.41","destination":"192.0.2.80","ipVersion":"IPv4"},'
    '"l4":{"TCP":{"source_port":40022,"destination_port":443}},"source":{"namespace":"shop","pod_name":"web-0"},'
    '"destination":{"identity":2,"labels":["reserved:world"]},"is_reply":false}}'
)
PROBE = (
    '{"flow":{"verdict":"FORWARDED","IP":{"source":"10.0.1.1","destination":"10.0.1.41","ipVersion":"IPv4"},'
    '"l4":{"TCP":{"source_port":40022,"destination_port":8080}},"source":{"identity":1,"labels":["reserved:host"]},'
    '"destination":{"namespace":"shop","pod_name":"web-0"},"is_reply":false}}'
)
PING = (
    '{"flow":{"verdict":"FORWARDED","IP":{"source":"10.0.1.41","destination":"10.0.2.17"},'
    '"l4":{"ICMPv4":{"type":8}},"source":{"namespace":"shop","pod_name":"web-0"},"destination":{},"is_reply":false}}'
)


def one(text: str) -> ObservedFlow:
    (found,) = parse_flows(text, "flows.log")
    return found


def test_a_line_of_hubble_is_a_flow() -> None:
    """It has names, workload and address of each end, and the labels that the pod itself has."""

    assert ObservedFlow(
        FlowEnd("shop", "web-6d5f7c9b8d-x2k4p", "web", ("app=web",), ip_address("10.0.1.41")),
        FlowEnd("shop", "api-7f9c6d5b44-9qzjt", "", ("app=api",), ip_address("10.0.2.17")),
        *("TCP", 9090, "passed", 1),
    ) == one(REQUEST)


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (REQUEST, "passed"),
        (ANSWER, "reply"),
        (DROPPED, "dropped"),
        (LOOKUP, "passed"),
        (PING, "other"),
        (REQUEST.replace('"SYN":true', '"SYN":true,"ACK":true'), "reply"),
        (REQUEST.replace("FORWARDED", "AUDIT"), "passed"),
        (REQUEST.replace("FORWARDED", "TRANSLATED"), "other"),
        (REQUEST.replace('"is_reply":false', '"reply":true'), "reply"),
    ],
)
def test_a_line_of_hubble_says_whether_it_is_a_need(line: str, state: str) -> None:
    """Replies, dropped flows and flows without ports are none."""

    assert state == one(line).state


def test_a_flow_without_its_envelope_is_read_too() -> None:
    """Older versions of ``hubble observe -o json`` wrote the flow alone."""
    import json

    assert one(REQUEST) == one(json.dumps(json.loads(REQUEST)["flow"]))


def test_other_events_of_hubble_are_passed_by() -> None:
    """Such as the status of nodes."""

    assert [one(TO_WORLD)] == [flow._replace(line=1) for flow in parse_flows(f"{STATUS}\n{TO_WORLD}\n", "flows.log")]


def test_a_flow_of_the_kubelet_is_one_of_a_node() -> None:
    """Hubble marks it with a reserved label."""

    assert one(PROBE).of_node
    assert not one(TO_WORLD).of_node


TCP = (
    "tcp      6 431999 ESTABLISHED src=10.244.0.5 dst=10.96.0.20 sport=41400 dport=8080 packets=5 bytes=400"
    " src=10.244.0.9 dst=10.244.0.5 sport=9090 dport=41400 packets=4 bytes=300 [ASSURED] mark=0 use=1"
)


@pytest.mark.parametrize(
    ("line", "to", "protocol", "port", "state"),
    [
        (TCP, "10.244.0.9", "TCP", 9090, "passed"),
        (f"ipv4     2 {TCP}", "10.244.0.9", "TCP", 9090, "passed"),
        (f" [UPDATE] {TCP}", "10.244.0.9", "TCP", 9090, "passed"),
        (f"[1732096800.000000]\t[DESTROY] {TCP}", "10.244.0.9", "TCP", 9090, "passed"),
        (
            "    [NEW] tcp      6 120 SYN_SENT src=10.244.0.5 dst=10.244.0.9 sport=41400 dport=5432 [UNREPLIED]"
            " src=10.244.0.9 dst=10.244.0.5 sport=5432 dport=41400",
            *("10.244.0.9", "TCP", 5432, "unanswered"),
        ),
        (
            "udp      17 28 src=10.244.0.5 dst=10.96.0.10 sport=55331 dport=53 src=10.244.0.2 dst=10.244.0.5 sport=53"
            " dport=55331 mark=0 use=1",
            *("10.244.0.2", "UDP", 53, "passed"),
        ),
        (
            "icmp     1 29 src=10.244.0.5 dst=10.244.0.9 type=8 code=0 id=7734 src=10.244.0.9 dst=10.244.0.5 type=0"
            " code=0 id=7734 mark=0 use=1",
            *("10.244.0.9", "", 0, "other"),
        ),
        (
            "ipv6     10 tcp      6 86392 ESTABLISHED src=fd00:10:244::5 dst=fd00:10:244::9 sport=4 dport=80"
            " src=fd00:10:244::9 dst=fd00:10:244::5 sport=80 dport=4 [ASSURED] mark=0 zone=0 use=2",
            *("fd00:10:244::9", "TCP", 80, "passed"),
        ),
    ],
)
def test_a_line_of_conntrack_is_a_flow(line: str, to: str, protocol: str, port: int, state: str) -> None:
    """The destination is what replies: behind a ClusterIP, the endpoint with its own port."""
    found = one(line)

    assert (ip_address(to), protocol, port, state) == (
        found.destination.address,
        found.protocol,
        found.port,
        found.state,
    )


def test_a_masqueraded_connection_has_the_address_that_its_destination_sees() -> None:
    """Replies go to it."""
    line = (
        "tcp 6 86399 ESTABLISHED src=203.0.113.7 dst=100.64.0.1 sport=4 dport=30080 src=10.244.0.9 dst=100.64.0.1"
        " sport=8080 dport=61000 [ASSURED] mark=0 use=1"
    )

    assert ip_address("100.64.0.1") == one(line).seen_as
    assert one(TCP).seen_as is None


def test_the_last_line_of_conntrack_is_no_flow() -> None:
    """The program prints how many entries it showed."""

    assert [one(TCP)] == parse_flows(
        f"{TCP}\nconntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.\n", ""
    )


def test_csv_has_names_or_addresses() -> None:
    """Columns are found by their names; a flow without protocol is TCP, one without verdict passed."""
    text = (
        "src,dst,dport,proto,action\nshop/web,shop/api,9090,,\nshop/web-0,192.0.2.80,53,udp,allow\na/b,c/d,1,TCP,Deny\n"
    )
    first, second, third = parse_flows(text, "flows.csv")

    assert (FlowEnd("shop", "web", "web"), "TCP", 9090, "passed", 2) == (
        *(first.source, first.protocol, first.port, first.state, first.line),
    )
    assert (ip_address("192.0.2.80"), "UDP") == (second.destination.address, second.protocol)
    assert "dropped" == third.state


def test_equal_flows_count_once() -> None:
    """The first one is returned; ports of clients do not count."""

    assert [1] == [flow.line for flow in parse_flows(f"{REQUEST}\n{REQUEST.replace('51514', '51515')}\n", "flows")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "flows.log: no flows in it"),
        ("# a comment\n", "flows.log: no flows in it"),
        (
            "hello world\n",
            "flows.log:1: neither Hubble's JSON lines nor the text of conntrack, nor CSV: no column source",
        ),
        ("source,destination\na/b,c/d\n", "no column port"),
        ("source,destination,port\na/b,c/d,http\n", "flows.log:2: no flow: no port 'http'"),
        ("source,destination,port\na/b,c/d,70000\n", "flows.log:2: no flow: no port '70000'"),
        (f"{REQUEST}\n{{broken\n", "flows.log:2: no flow: invalid JSON"),
        (f"{REQUEST}\n[1]\n", "flows.log:2: no flow: a line of Hubble is a JSON object"),
        (f"{TCP}\nhello\n", "flows.log:2: no flow: a line of conntrack has src= and dst="),
        ("tcp 6 1 src=x dst=y sport=1 dport=2\n", "flows.log:1: no flow: src= and dst= are addresses"),
        ("{" * 100_000, "flows.log:1: no flow: invalid JSON"),
        ('{"flow":' * 100_000, "flows.log:1: no flow: "),
    ],
)
def test_a_line_that_is_no_flow_is_an_error_with_its_line(text: str, message: str) -> None:
    """A log that is read in part would leave needs out."""
    with pytest.raises(InputError) as found:
        parse_flows(text, "flows.log")

    assert message in str(found.value.problems[0])


def test_a_log_that_cannot_be_read_is_an_error() -> None:
    """It names the file."""
    with pytest.raises(InputError, match="/does/not/exist: No such file"):
        read_flows("/does/not/exist")
