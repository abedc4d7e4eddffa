"""Faults in the static text of every fragment: each must change the verdict on some packet."""

import re
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
import service_faults
from mid_change import verdicts_during_change

from netlab.cluster.types import Network
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import ContainerPort
from netlab.ruleset import Port, compile_rulesets
from netlab.testing.tracer import Link, Packet, Tracer

WEB, DB, OPS, STRANGER, OUT, NODE, FAR = (
    "10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.0.9", "192.0.2.10", "100.64.0.1", "100.64.0.2"
)  # fmt: skip
WEB6, DB6, OUT6 = "fd00:10:244::2", "fd00:10:244::3", "2001:db8::1"
NAMES = {"web": (WEB, WEB6), "db": (DB, DB6), "ops": (OPS, "fd00:10:244::4")}
MAC = {name: f"02:00:00:00:00:0{n}" for n, name in enumerate(NAMES, start=2)}
LINK = {name: Link(f"v{name}", MAC[name], "br") for name in NAMES}
ROUTED = {name: Link(f"v{name}", MAC[name]) for name in NAMES}
UP = Link("underlay0")
OTHER = "10.245.0.2"  # a pod of another network

KINDS = {
    "bridge": {},
    "overlay": {"mode": "overlay"},
    "routed": {"mode": "routed"},
    "several": {"several": True},
    "reevaluate": {"policy": TopologyPolicy(established="reevaluate", own_node="enforce", icmp="allow")},
    "settings": {
        "policy": TopologyPolicy(
            icmp="basic-always",
            multicast="allow",
            sctp="drop",
            own_node="enforce",
            node_ports="exempt",
            deny="reject",
            reject_with="tcp-reset",
        )
    },
}
"""Labs whose texts together have every rule of every fragment."""


def lab(build, mode="bridge", several=False, policy=None, again=False):
    """Return the text of a dual-stack lab of three pods: db publishes ports; policies isolate web, db and ops."""
    members = [
        build.pod(f"x/{name}", *own, labels=f"app={name}", attachment=mode, ports="http=80/TCP")
        for name, own in NAMES.items()
    ]
    published = (
        ContainerPort(80, "TCP", "", 8080),
        ContainerPort(81, "TCP", "", 8081, "100.64.0.1"),
        ContainerPort(7000, "TCP", "", 8083),
    )
    published6 = ContainerPort(81, "TCP", "", 8082, "fd00:100:64::1")
    members[1] = replace(members[1], ports=(*published, published6))
    rule, port, pods = build.rule, build.port, build.pods
    fine = [port(7000), port(7100, "TCP", 7200)]
    policies = [
        build.policy(
            "x/db", "app=db",
            ingress=[
                rule(pods("app=web"), port(5432), port(6000, "UDP", 6100)),
                rule(pods("app=db"), port(5432)),
                rule(build.block("192.0.2.0/24"), build.block("2001:db8::/32")), rule(*fine),
            ],
            egress=[],
        ),
        build.policy(
            "x/web", "app=web", ingress=[],
            egress=[
                rule(pods("app=db"), port(5432), port(6000, "UDP", 6100), port(8000)),
                rule(build.block("10.244.0.3/32"), port(53, "UDP")),
                rule(build.block("192.0.2.0/24"), build.block("2001:db8::/32")), rule(*fine),
            ],
        ),
        build.policy("x/ops", "app=ops", egress=[rule(pods("app=db"))]),
    ]  # fmt: skip
    if again:
        policies.append(build.policy("x/db-again", "app=db", ingress=[]))
    found = build.cluster(
        members, policies, mode=mode, nodes=("node-1", "node-2"), cidrs=("10.244.0.0/16", "fd00:10:244::/56")
    )
    nodes = [replace(node, addresses=(*node.addresses, *more)) for node, more in zip(found.nodes, _six(), strict=True)]
    found = replace(found, nodes=tuple(nodes), policy=policy or found.policy)
    if several:
        other = Network("other", mode, (ip_network("10.245.0.0/16"), ip_network("fd00:10:245::/56")))
        found = replace(found, networks=(*found.networks, other))
    return compile_rulesets(found, {f"x/{name}": Port(f"v{name}", MAC[name]) for name in NAMES})["node-1"].text()


def _six():
    return [(ip_address(f"fd00:100:64::{n}"),) for n in (1, 2)]


def own(name, to, *rest, **more):
    """Return a packet that a pod sends by its own link."""
    return Packet(NAMES[name][0], to, *rest, came_by=LINK[name], **more)  # type: ignore[misc]


def six(source, destination, *rest, **more):
    return Packet(source, destination, *rest, **more)


ND = {"icmpv6 type": "nd-neighbor-solicit"}
POLICY = {
    "reply": Packet(DB, WEB, "TCP", 5432, state="established", reply=True),
    "related": Packet(DB, WEB, "ICMP", state="related"),
    "invalid": Packet(WEB, DB, "TCP", 5432, state="invalid"),
    "control": Packet(STRANGER, DB, "253"),
    "control of the node": Packet(NODE, DB, "253", from_node=True),
    "neighbour": Packet("fe80::9", DB6, "ICMP", fields=ND),
    "stranger in": Packet(STRANGER, DB, "TCP", 5432),
    "web in": Packet(STRANGER, WEB, "TCP", 80),
    "ops out": Packet(OPS, STRANGER, "TCP", 80),
    "stranger in 6": Packet("fd00:10:244::9", DB6, "TCP", 5432),
    "web out": Packet(WEB, STRANGER, "TCP", 80),
    "web out 6": Packet(WEB6, "fd00:10:244::9", "TCP", 80),
    "ops has no identity": Packet(OPS, DB, "TCP", 5432),
    "identity port": Packet(WEB, DB, "TCP", 5432),
    "identity port 6": Packet(WEB6, DB6, "TCP", 5432),
    "identity range": Packet(WEB, DB, "UDP", 6050),
    "past the range": Packet(WEB, DB, "UDP", 6101),
    "block in": Packet(OUT, DB, "TCP", 1),
    "block in 6": Packet(OUT6, DB6, "TCP", 1),
    "block out": Packet(WEB, OUT, "TCP", 1),
    "block out 6": Packet(WEB6, OUT6, "TCP", 1),
    "anywhere port in": Packet(STRANGER, DB, "TCP", 7000),
    "anywhere range in": Packet(STRANGER, DB, "TCP", 7150),
    "anywhere port out": Packet(WEB, STRANGER, "TCP", 7000),
    "anywhere range out": Packet(WEB, STRANGER, "TCP", 7150),
    "published": Packet(OUT, NODE, "TCP", 8080, for_node=True, came_by=UP),
    "published 6": Packet(OUT6, "fd00:100:64::1", "TCP", 8080, for_node=True, came_by=UP),
    "published on one": Packet(OUT, NODE, "TCP", 8081, for_node=True, came_by=UP),
    "published on one 6": Packet(OUT6, "fd00:100:64::1", "TCP", 8082, for_node=True, came_by=UP),
    "published, from the node": Packet(NODE, NODE, "TCP", 8080, from_node=True, for_node=True),
    "published, from the loopback": Packet("127.0.0.1", "127.0.0.1", "TCP", 8080, from_node=True, for_node=True),
    "a neighbour's loopback": Packet(OUT, "127.0.0.1", "TCP", 22, for_node=True, came_by=UP),
    "itself": Packet(DB, NODE, "TCP", 8080, for_node=True, came_by=LINK["db"]),
    "itself 6": Packet(DB6, "fd00:100:64::1", "TCP", 8080, for_node=True, came_by=LINK["db"]),
    "leaves": Packet(WEB, OUT, "TCP", 1, goes_by=UP),
    "leaves 6": Packet(WEB6, OUT6, "TCP", 1, goes_by=UP),
    "to a pod elsewhere": Packet(WEB, "10.244.9.9", "TCP", 7000, goes_by=UP),
    "to a pod elsewhere 6": Packet(WEB6, "fd00:10:244:9::9", "TCP", 7000, goes_by=UP),
    "from outside to outside": Packet(OUT, "192.0.2.99", "TCP", 7000, goes_by=UP),
    "from outside to outside 6": Packet(OUT6, "2001:db8::99", "TCP", 7000, goes_by=UP),
    "out by another link": Packet(WEB, OUT, "TCP", 1, goes_by=Link("eth9")),
}
FRAMES = {
    "own": own("web", DB, "TCP", 5432),
    "own 6": six(WEB6, DB6, "TCP", 5432, came_by=LINK["web"]),
    "another's address": Packet(DB, STRANGER, "TCP", 7000, state="established", came_by=LINK["web"]),
    "another's MAC": Packet(WEB, DB, "TCP", 5432, came_by=Link("vweb", MAC["db"], "br")),
    "link-local": six("fe80::ff:fe00:2", DB6, "UDP", 7000, state="established", came_by=LINK["web"]),
    "not guarded": Packet(STRANGER, DB, "TCP", 7000, came_by=Link("eth9", "", "br")),
    "tagged": own("web", DB, "TCP", 5432, fields={"ether type": "8021q", "ip saddr": WEB}),
    "own ARP": own("web", DB, fields={"ether type": "arp", "arp saddr ip": WEB, "arp saddr ether": MAC["web"]}),
    "ARP of another": own("web", DB, fields={"ether type": "arp", "arp saddr ip": DB, "arp saddr ether": MAC["web"]}),
    "router": six(
        WEB6, DB6, "ICMP", state="untracked", came_by=LINK["web"], fields={"icmpv6 type": "nd-router-advert"}
    ),
    "advertisement of another": six(
        WEB6, DB6, "ICMP", state="untracked", came_by=LINK["web"],
        fields={"icmpv6 type": "nd-neighbor-advert", "@th,64,128": DB6},
    ),
    "solicitation": six("::", "ff02::1", "ICMP", came_by=LINK["web"], fields=ND),
    "to its receiver": own("web", DB, "TCP", 5432, goes_by=LINK["db"]),
    "to its receiver 6": six(WEB6, DB6, "TCP", 5432, came_by=LINK["web"], goes_by=LINK["db"]),
    "to another": own("web", DB, "TCP", 5432, goes_by=LINK["ops"]),
    "to the bridge": own("web", DB, "TCP", 5432, goes_by=Link("eth9", "", "br")),
    "ARP to another": own(
        "web", DB, goes_by=LINK["ops"],
        fields={"ether type": "arp", "arp saddr ip": WEB, "arp saddr ether": MAC["web"]},
    ),
    "solicitation to another": six("::", "ff02::1", "ICMP", came_by=LINK["web"], goes_by=LINK["ops"], fields=ND),
}  # fmt: skip
CASES = {
    "bridge": {**POLICY, **FRAMES},
    "overlay": {
        "a node's tunnel": Packet(FAR, NODE, "UDP", 8472, for_node=True),
        "a node's tunnel 6": Packet("fd00:100:64::2", "fd00:100:64::1", "UDP", 8472, for_node=True),
        "a stranger's tunnel": Packet(OUT, NODE, "UDP", 8472, for_node=True),
        "a stranger's tunnel 6": Packet(OUT6, "fd00:100:64::1", "UDP", 8472, for_node=True),
        "a pod's tunnel": Packet(STRANGER, FAR, "UDP", 8472, state="untracked"),
        "a pod's tunnel 6": Packet("fd00:10:244::9", "fd00:100:64::2", "UDP", 8472, state="untracked"),
        "to a node": Packet(NODE, FAR, "UDP", 8472, from_node=True),
        "to a node 6": Packet("fd00:100:64::1", "fd00:100:64::2", "UDP", 8472, from_node=True),
    },
    "routed": {
        "own": Packet(WEB, DB, "TCP", 5432, came_by=ROUTED["web"]),
        "own 6": Packet(WEB6, DB6, "TCP", 5432, came_by=ROUTED["web"]),
        "another's": Packet(DB, STRANGER, "TCP", 7000, state="established", came_by=ROUTED["web"]),
        "not guarded": Packet(STRANGER, DB, "TCP", 7000, came_by=UP),
    },
    "several": {
        "to another network": Packet(OTHER, STRANGER, "TCP", 7000),
        "to another network 6": Packet("fd00:10:245::2", "fd00:10:244::9", "TCP", 7000),
        "control": Packet(OTHER, DB, "253"),
        "by a published port": Packet(OTHER, NODE, "TCP", 8083, for_node=True),
    },
    "reevaluate": {
        "reply": Packet(DB, WEB, "TCP", 5432, state="established", reply=True),
        "reply of a range": Packet(DB, WEB, "UDP", 6050, state="established", reply=True),
        "reply anywhere": Packet(DB, STRANGER, "TCP", 7000, state="established", reply=True),
        "reply of a range anywhere": Packet(DB, STRANGER, "TCP", 7150, state="established", reply=True),
        "reply to web": Packet(STRANGER, WEB, "TCP", 7000, state="established", reply=True),
        "reply to web of a range": Packet(STRANGER, WEB, "TCP", 7150, state="established", reply=True),
        "related": Packet(STRANGER, DB, "TCP", 1, state="related"),
        "own node, related": Packet(WEB, NODE, "TCP", 81, state="related", for_node=True),
        "own node, related back": Packet(NODE, WEB, "TCP", 81, state="related", reply=True, from_node=True),
        "no longer allowed": Packet(STRANGER, DB, "TCP", 1, state="established"),
        "ICMP": Packet(STRANGER, DB, "ICMP"),
        "ICMP 6": Packet("fd00:10:244::9", DB6, "ICMP"),
        "own node": Packet(WEB, NODE, "TCP", 81, for_node=True),
        "own node 6": Packet(WEB6, "fd00:100:64::1", "TCP", 81, for_node=True),
        "own node, neighbour": Packet(WEB6, "fd00:100:64::1", "ICMP", state="invalid", for_node=True, fields=ND),
        "own node, invalid": Packet(STRANGER, NODE, "TCP", 81, state="invalid", for_node=True),
        "own node answers": Packet(NODE, WEB, "TCP", 81, state="established", reply=True, from_node=True),
        "own node answers 6": Packet(
            "fd00:100:64::1", WEB6, "TCP", 81, state="established", reply=True, from_node=True
        ),
        "own node, neighbour back": Packet("fd00:100:64::1", WEB6, "ICMP", state="invalid", from_node=True, fields=ND),
        "own node, invalid back": Packet(NODE, STRANGER, "TCP", 81, state="invalid", from_node=True),
        "own node, ICMP": Packet(WEB, NODE, "ICMP", for_node=True),
        "own node, ICMP 6": Packet(WEB6, "fd00:100:64::1", "ICMP", for_node=True),
        "own node, ICMP back": Packet(NODE, WEB, "ICMP", state="established", reply=True, from_node=True),
        "own node, ICMP back 6": Packet(
            "fd00:100:64::1", WEB6, "ICMP", state="established", reply=True, from_node=True
        ),
        **{name: packet for name, packet in POLICY.items() if packet.state == "new" and not packet.for_node},
    },
    "settings": {
        "ping": Packet(STRANGER, DB, "ICMP"),
        "ping 6": Packet("fd00:10:244::9", DB6, "ICMP"),
        "multicast": Packet(WEB, "239.1.2.3", "UDP", 5000),
        "multicast 6": Packet(WEB6, "ff05::1", "UDP", 5000),
        "multicast on the bridge": own("web", "239.1.2.3", "UDP", 5000, goes_by=LINK["db"]),
        "multicast on the bridge 6": six(WEB6, "ff05::1", "UDP", 5000, came_by=LINK["web"], goes_by=LINK["db"]),
        "SCTP in": Packet(OUT, STRANGER, "SCTP", 80),
        "SCTP in 6": Packet(OUT6, "fd00:10:244::9", "SCTP", 80),
        "SCTP out": Packet(STRANGER, OUT, "SCTP", 80),
        "SCTP out 6": Packet("fd00:10:244::9", OUT6, "SCTP", 80),
        "SCTP to the node": Packet(STRANGER, NODE, "SCTP", 80, for_node=True),
        "SCTP to the node 6": Packet("fd00:10:244::9", "fd00:100:64::1", "SCTP", 80, for_node=True),
        "SCTP of the node": Packet(NODE, STRANGER, "SCTP", 80, from_node=True),
        "SCTP of the node 6": Packet("fd00:100:64::1", "fd00:10:244::9", "SCTP", 80, from_node=True),
        "SCTP of the node to its gateway": Packet(NODE, "10.244.0.1", "SCTP", 80, from_node=True, for_node=True),
        "own node": Packet(WEB, NODE, "TCP", 81, for_node=True),
        "own node 6": Packet(WEB6, "fd00:100:64::1", "TCP", 81, for_node=True),
        "own node, UDP": Packet(WEB, NODE, "UDP", 81, for_node=True),
        "own node, reply": Packet(WEB, NODE, "TCP", 81, state="established", reply=True, for_node=True),
        "own node, ping": Packet(WEB, NODE, "ICMP", for_node=True),
        "own node, ping 6": Packet(WEB6, "fd00:100:64::1", "ICMP", for_node=True),
        "own node, neighbour": Packet(WEB6, "fd00:100:64::1", "ICMP", state="invalid", for_node=True, fields=ND),
        "own node, multicast": Packet(WEB, "239.1.2.3", "UDP", 5000, for_node=True),
        "own node, multicast 6": Packet(WEB6, "ff05::1", "UDP", 5000, for_node=True),
        "node port": Packet(WEB, NODE, "TCP", 30000, for_node=True),
        "another port": Packet(WEB, NODE, "TCP", 32768, for_node=True),
        # As of a Service whose endpoint is the node itself.
        "to the node by DNAT": Packet(WEB, NODE, "TCP", 8080, for_node=True, node_addresses=(ip_address(DB),)),
        "denied": Packet(STRANGER, DB, "TCP", 1),
        "denied UDP": Packet(STRANGER, DB, "UDP", 1),
        "denied out": Packet(WEB, STRANGER, "TCP", 1),
        "denied out, UDP": Packet(WEB, STRANGER, "UDP", 1),
    },
}
"""Packets by lab: the trace of each is compared between the text and the text with a fault."""

FAULTS = [
    # lab, chain with its copy for the second lookup (*: all chains), old text, new text, packet, right verdict
    ("bridge", "forward", "established : accept, ", "", "reply", "accept"),
    ("bridge", "forward", "related : accept, ", "", "related", "accept"),
    ("bridge", "forward", "invalid : drop", "invalid : accept", "invalid", "drop"),
    ("bridge", "forward", "nd-neighbor-solicit, ", "", "neighbour", "accept"),
    ("bridge", "forward", "jump ingress_class", "accept", "stranger in", "drop"),
    ("bridge", "forward", "jump egress_class", "accept", "web out", "drop"),
    ("bridge", "deny_in", "counter drop", "counter accept", "stranger in", "drop"),
    ("bridge", "deny_eg", "counter drop", "counter accept", "web out", "drop"),
    ("bridge", "ingress_class", "ct mark set 0x0", "counter", "ops has no identity", "drop"),
    ("bridge", "egress_class", "ct mark 0x0 ct mark set ip daddr", "ct mark set ip daddr", "identity port", "accept"),
    ("bridge", "ingress_class", "goto in_again", "return", "web in", "drop"),
    ("bridge", "in_ranges", "goto in_again", "return", "ops has no identity", "drop"),
    ("bridge", "control_prerouting", "notrack", "counter", "control", "accept"),
    ("bridge", "control_output", "notrack", "counter", "control of the node", "accept"),
    ("bridge", "masquerade_pods", "masquerade", "counter", "leaves", "accept"),
    ("bridge", "masquerade_pods", "ip daddr != @masq4 ", "", "to a pod elsewhere", "accept"),
    ("bridge", "masquerade_pods", 'oifname "underlay0" ', "", "out by another link", "accept"),
    ("bridge", "publish_prerouting", "jump published", "counter", "published", "accept"),
    ("bridge", "own_loopback", " drop", " accept", "a neighbour's loopback", "drop"),
    ("bridge", "prerouting", "!= { ::, fe80::/10 }", "!= { :: }", "link-local", "drop"),
    ("bridge", "prerouting", " != @targets6", " @targets6", "advertisement of another", "drop"),
    ("overlay", "prerouting", "saddr != @nodes4", "saddr @nodes4", "a stranger's tunnel", "drop"),
    ("routed", "prerouting", "counter drop", "accept", "another's", "drop"),
    ("several", "forward", "jump apart", "accept", "to another network", "drop"),
    ("several", "apart", "ct status dnat return", "return", "control", "drop"),
    ("reevaluate", "*", "ct original ip saddr", "ip saddr", "reply", "accept"),
    ("settings", "deny_in", "tcp reset", "icmpx port-unreachable", "denied", "drop"),
    ("settings", "deny_eg", "icmpx port-unreachable", "icmpx admin-prohibited", "denied out, UDP", "drop"),
    ("settings", "own_node_input", "30000-32767", "30001-32767", "node port", "accept"),
    ("settings", "own_node_input", "30000-32767", "30000-32768", "another port", "drop"),
    ("settings", "forward", "icmp type { echo-request, ", "icmp type { ", "ping", "accept"),
    ("settings", "sctp_input", "saddr @no_sctp4", "daddr @no_sctp4", "SCTP to the node", "drop"),
    ("reevaluate", "in_ranges", "ct direction reply ", "ct direction original ", "reply of a range", "accept"),
]

UNSEEN = {
    ("egress_class", "ct mark set 0x0"): "a new connection has no mark; the rule is for a second lookup after a change",
    ("", "meta priority set none"): "queueing of the link reads the priority, and no verdict depends on it",
    ("", "meta mark set 0x0"): "routing reads the mark, and no verdict depends on it",
}
"""Rules that no verdict depends on, and their purpose."""

UNSEEN |= service_faults.UNSEEN
CASES |= dict.fromkeys(service_faults.KINDS, service_faults.CASES)
FAULTS += [("services", *fault) for fault in service_faults.FAULTS]


@pytest.fixture(scope="module")
def texts(build):
    found = {kind: lab(build, **choices) for kind, choices in KINDS.items()}  # type: ignore[arg-type]
    return found | {kind: service_faults.lab(build, policy) for kind, policy in service_faults.KINDS.items()}


def outcome(tracer, packet):
    trace = tracer.verdict(packet)
    return trace.verdict, str(trace.destination), trace.port, trace.masqueraded, trace.state, trace.rejected


def chains(text):
    """Return each line of a text with the name of its chain, "" outside of chains."""
    found, name = [], ""
    for line in text.splitlines(keepends=True):
        if line.startswith("\tchain "):
            name = line.split()[1]
        elif line == "\t}\n":
            name = ""
        found.append((name, line))
    return found


def faulty(text, chain, old, new):
    """Return a text with a fault in a chain and its copy for the second lookup."""
    hit = (chain, f"{chain}_again")
    lines = [line.replace(old, new) if chain == "*" or name in hit else line for name, line in chains(text)]
    assert "".join(lines) != text, f"{chain} has no {old!r}"
    return "".join(lines)


@pytest.mark.parametrize(
    ("kind", "chain", "old", "new", "case", "right"),
    FAULTS,
    ids=[f"{fault[0]}: {fault[1]}: {fault[2]}" for fault in FAULTS],
)
def test_a_fault_is_found(texts, kind, chain, old, new, case, right):
    """The verdict on the packet is right, and its trace differs with the fault."""
    packet = CASES[kind][case]
    usual = outcome(Tracer(texts[kind]), packet)

    assert right == usual[0]
    assert usual != outcome(Tracer(faulty(texts[kind], chain, old, new)), packet)


def rules(text):
    """Return the line numbers of each rule by chain; a rule and its copy for the second lookup count as one."""
    lines = chains(text)
    names = {name for name, _ in lines}
    found = {}  # type: ignore[var-annotated]
    for number, (name, line) in enumerate(lines):
        rule = line.strip()
        if name and not line.startswith("\tchain") and not rule.startswith(("type ", "#")):
            once = name.removesuffix("_again")
            twin = re.sub("goto (in|eg)_again", r"goto deny_\1", rule).replace("_again", "")
            found.setdefault((once, twin) if once in names else (name, rule), set()).add(number)
    return found


@pytest.mark.parametrize("kind", [*KINDS, *service_faults.KINDS])
def test_every_rule_changes_some_verdict(texts, kind):
    """Each rule of each fragment is removed from the text."""
    known = set() if kind == "bridge" else set(rules(texts["bridge"]))
    if kind in service_faults.KINDS:
        known |= {rule for other in KINDS for rule in rules(texts[other])}
    lines, cases = [line for _, line in chains(texts[kind])], list(CASES[kind].values())
    tracer = Tracer(texts[kind])
    usual = [outcome(tracer, packet) for packet in cases]
    unnoticed = []
    for rule, taken in rules(texts[kind]).items():
        faulty = Tracer("".join(line for number, line in enumerate(lines) if number not in taken))
        if (
            rule not in known
            and not {rule, ("", rule[1])} & UNSEEN.keys()
            and all(outcome(faulty, one) == was for one, was in zip(cases, usual, strict=True))
        ):
            unnoticed.append(rule)

    assert not unnoticed, "\n".join(map(str, unnoticed))


def test_without_the_second_lookup_a_change_denies_an_allowed_packet(build, texts):
    """The pod gets another class between two lookups of a packet that both rulesets allow."""
    after = lab(build, again=True)
    packet = CASES["bridge"]["identity port"]
    once = [faulty(text, "ingress_class", "goto in_again", "goto deny_in") for text in (texts["bridge"], after)]

    assert {"accept"} == set(verdicts_during_change(texts["bridge"], after, packet))
    assert "drop" in verdicts_during_change(*once, packet)  # type: ignore[call-arg]


def test_an_endpoint_that_leaves_loses_its_clients(build):
    """Its clients choose again, whatever index they had; clients of other endpoints stay."""
    policy = service_faults.KINDS["services"]
    before, after = (
        Tracer(service_faults.lab(build, policy, sticky)) for sticky in ({"c4": "1"}, {"c4": "1", "l": "1"})
    )
    clients = [f"10.244.0.{n}" for n in range(100, 130)]

    def asked(tracer, port):
        return {
            one: str(tracer.verdict(Packet(one, "10.96.0.22", "TCP", 80, source_port=port)).destination)
            for one in clients
        }

    first = asked(before, 40000)
    for name in ("affinity4", "affinity6"):
        after.tables.sets[name].exact |= before.tables.sets[name].exact
    then = asked(after, 40001)

    gone = "10.244.0.1"
    assert gone in first.values()
    assert gone not in then.values()
    assert {one: to for one, to in first.items() if to != gone} == {
        one: to for one, to in then.items() if first[one] != gone
    }
    assert then == asked(after, 40002)
