"""Edge cases of NetworkPolicy with their verdicts: cases in which implementations differ.

If Kubernetes leaves a verdict open, it is netlab's (``netlab.policy.matching``); ``UNJUDGED`` has the
cases that netlab cannot test, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from netlab import modes
from netlab.conformance.base_cluster import HOST, base_cluster
from netlab.conformance.cases import Case, Stage, Unjudged, table
from netlab.conformance.edge_changes import changes
from netlab.conformance.shorthand import policy_text
from netlab.frozen import frozen

PODS = ("x/a", "x/b", "x/c", "y/a", "y/b", "z/a")
ENDS = (*PODS, HOST)
A = "podSelector: {matchLabels: {pod: a}}"
IS_B = "{podSelector: {matchLabels: {pod: b}}}"
ONLY_B = "* > x/a, ! x/b > x/a"
ONLY_Y = "* > x/a, ! y/* > x/a"
TIERS = {"x/b": "pod=b,tier=db", "x/c": "pod=c"}


@frozen
class Edge:
    """An edge case: specs in YAML of policies in namespace x, and the denied cells of every asked port.

    With ``alone`` each of ``specs`` is in force by itself, as all have the same meaning. ``labels`` and ``ports`` are
    for pods that differ from the base cluster.
    """

    number: int
    name: str
    specs: tuple[str, ...]
    denied: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusal: str = ""


def _from(peers: str, more: str = "") -> str:
    """Return a policy on x/a that allows ingress from peers."""
    return f"{{{A}, ingress: [{{from: [{peers}]{more}}}]}}"


def _in(ports: str) -> str:
    """Return a policy on x/a that allows ingress on ports from all."""
    return f"{{{A}, ingress: [{{ports: [{ports}]}}]}}"


def _to(peers: str, more: str = "") -> str:
    """Return a policy on x/a that allows egress to peers."""
    return f"{{{A}, policyTypes: [Egress], egress: [{{to: [{peers}]{more}}}]}}"


def _has(expression: str) -> str:
    return f"{{podSelector: {{matchExpressions: [{{key: tier, {expression}}}]}}}}"


def _block(cidr: str, *but: str) -> str:
    return f"{{ipBlock: {{cidr: '{cidr}', except: {list(but)}}}}}"


NONE = f"{{{A}}}"
C_OUT_WEB = "{podSelector: {matchLabels: {pod: c}}, policyTypes: [Egress], egress: [{%sports: [{port: web}]}]}"
WEB: dict[str, Any] = {"ports": {"x/a": ("web=80/TCP",), "x/b": ("web=81/TCP",), "x/c": (), "y/a": ("web=80/TCP",)}}
WEB["ports"] |= {"y/b": (), "z/a": ()}

EDGES: tuple[Edge, ...] = (
    Edge(
        1, "no policy selects a pod", ("{podSelector: {matchLabels: {pod: d}}}",), {"80": "", "80/UDP": "", "ICMP": ""}
    ),
    Edge(2, "isolation for ingress only", ("{podSelector: {}, policyTypes: [Ingress]}",), {"80": "* > x/*"}),
    Edge(3, "no policyTypes, no egress", (NONE,), {"80": "* > x/a"}),
    Edge(
        4,
        "no policyTypes, an egress rule",
        (f"{{{A}, egress: [{{to: [{IS_B}]}}]}}",),
        {"80": "* > x/a, x/a > *, ! x/a > x/b"},
    ),
    Edge(5, "no policyTypes, empty egress", (f"{{{A}, egress: []}}",), {"80": "* > x/a"}),
    Edge(
        6,
        "ingress rules without Ingress",
        (f"{{{A}, policyTypes: [Egress], ingress: [{{from: [{IS_B}]}}], egress: [{{}}]}}",),
        {"80": ""},
    ),
    Edge(
        7,
        "egress rules without Egress",
        (f"{{{A}, policyTypes: [Ingress], ingress: [{{}}], egress: [{{to: [{IS_B}]}}]}}",),
        {"80": ""},
    ),
    Edge(
        8,
        "ingress missing, null or empty",
        (NONE, f"{{{A}, ingress: null}}", f"{{{A}, ingress: []}}"),
        {"80": "* > x/a", "ICMP": "* > x/a"},
        alone=True,
    ),
    Edge(
        9, "an empty ingress rule", (f"{{{A}, ingress: [{{}}]}}",), {"80": "", "81/UDP": "", "80/SCTP": "", "ICMP": ""}
    ),
    Edge(
        9,
        "an empty ingress rule opens nothing for egress",
        (f"{{{A}, policyTypes: [Ingress, Egress], ingress: [{{}}]}}",),
        {"80": "x/a > *"},
    ),
    Edge(
        9,
        "an empty egress rule opens nothing for ingress",
        (f"{{{A}, policyTypes: [Ingress, Egress], egress: [{{}}]}}",),
        {"80": "* > x/a"},
    ),
    Edge(
        10,
        "from missing, null or empty",
        tuple(f"{{{A}, ingress: [{{{peers}ports: [{{port: 80}}]}}]}}" for peers in ("", "from: null, ", "from: [], ")),
        {"80": "", "81": "* > x/a"},
        alone=True,
    ),
    Edge(11, "an empty peer", (_from("{}"),), refusal="spec.ingress[0].from[0]: Required value: must specify a peer"),
    Edge(12, "podSelector {} as a peer", (_from("{podSelector: {}}"),), {"80": "y/* > x/a, z/* > x/a"}),
    Edge(12, "podSelector {} as an egress peer", (_to("{podSelector: {}}"),), {"80": "x/a > *, ! x/a > x/*"}),
    Edge(13, "namespaceSelector {} as a peer", (_to("{namespaceSelector: {}}"),), {"80": f"x/a > {HOST}"}),
    Edge(
        14, "both selectors {} as a peer", (_to("{namespaceSelector: {}, podSelector: {}}"),), {"80": f"x/a > {HOST}"}
    ),
    Edge(15, "podSelector null as the only peer field", (_from("{podSelector: null}"),), refusal="must specify a peer"),
    Edge(
        15,
        "spec.podSelector null, empty or missing",
        ("{podSelector: null}", "{podSelector: {}}", "{policyTypes: [Ingress]}"),
        {"80": "* > x/*"},
        alone=True,
    ),
    Edge(
        15,
        "podSelector null beside a namespaceSelector",
        (_from("{podSelector: null, namespaceSelector: {}}"),),
        {"80": ""},
    ),
    Edge(16, "podSelector alone is the policy's own namespace", (_from(IS_B),), {"80": ONLY_B}),
    Edge(
        17,
        "both selectors in one item are ANDed",
        (_from("{namespaceSelector: {matchLabels: {ns: 'y'}}, podSelector: {matchLabels: {pod: b}}}"),),
        {"80": "* > x/a, ! y/b > x/a"},
    ),
    Edge(
        18,
        "selectors in two items are ORed",
        (_from(f"{{namespaceSelector: {{matchLabels: {{ns: 'y'}}}}}}, {IS_B}"),),
        {"80": f"{ONLY_Y}, ! x/b > x/a"},
    ),
    Edge(
        19,
        "matchLabels and matchExpressions are ANDed",
        (_from("{podSelector: {matchLabels: {pod: b}, matchExpressions: [{key: tier, operator: Exists}]}}"),),
        {"80": ONLY_B},
        labels={"x/b": "pod=b,tier=db", "x/c": "pod=b"},
    ),
    Edge(
        20,
        "NotIn and DoesNotExist where the key is missing",
        (_from(_has("operator: NotIn, values: [db]")), _from(_has("operator: DoesNotExist"))),
        {"80": "* > x/a, ! x/c > x/a"},
        alone=True,
        labels=TIERS,
    ),
    Edge(
        21,
        "In and Exists where the key is missing",
        (_from(_has("operator: In, values: [db]")), _from(_has("operator: Exists"))),
        {"80": ONLY_B},
        alone=True,
        labels=TIERS,
    ),
    Edge(
        22,
        "an empty label value is a value",
        (_from("{podSelector: {matchLabels: {tier: ''}}}"),),
        {"80": ONLY_B},
        labels={"x/b": "pod=b,tier=", "x/c": "pod=c,tier=db"},
    ),
    Edge(
        22,
        "an empty label value exists",
        (_from(_has("operator: Exists")),),
        {"80": f"{ONLY_B}, ! x/c > x/a"},
        labels={"x/b": "pod=b,tier=", "x/c": "pod=c,tier=db"},
    ),
    Edge(
        23,
        "every namespace has its name as a label",
        (_from("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}}"),),
        {"80": ONLY_Y},
    ),
    Edge(24, "several policies are a union", (NONE, _from(IS_B), _in("{port: 81}")), {"80": ONLY_B, "81": ""}),
    Edge(
        25,
        "rules are ORed, peers and ports ANDed",
        (
            f"{{{A}, ingress: [{{from: [{IS_B}], ports: [{{port: 80}}]}}"
            f", {{from: [{{podSelector: {{matchLabels: {{pod: c}}}}}}], ports: [{{port: 81}}]}}]}}",
        ),
        {"80": ONLY_B, "81": "* > x/a, ! x/c > x/a"},
    ),
    Edge(
        26,
        "both ends have to allow",
        (
            _to("{namespaceSelector: {matchLabels: {ns: 'y'}}}"),
            "{podSelector: {matchLabels: {pod: b}}, ingress: [{from: [{podSelector: {}}]}]}",
        ),
        {"80": "x/a > *, ! x/a > y/*, y/* > x/b, z/* > x/b"},
    ),
    Edge(
        26,
        "a rule counts in its own direction only",
        (
            "{policyTypes: [Ingress, Egress],"
            f" ingress: [{{from: [{IS_B}]}}], egress: [{{to: [{{podSelector: {{matchLabels: {{pod: c}}}}}}]}}]}}",
        ),
        {"80": "* > x/*, x/* > *, ! x/b > x/c"},
    ),
    Edge(
        27,
        "replies pass where the pod may open nothing",
        (f"{{{A}, policyTypes: [Egress]}}",),
        {"80": "x/a > *", "80/UDP": "x/a > *", "ICMP": "x/a > *"},
    ),
    Edge(
        28,
        "ports missing, null or empty",
        tuple(_from(IS_B, more) for more in ("", ", ports: null", ", ports: []")),
        {"80": ONLY_B, "80/UDP": ONLY_B, "ICMP": ONLY_B},
        alone=True,
    ),
    Edge(
        29,
        "an empty item of ports is every TCP port",
        (_in("{}"), _in("{protocol: null}"), _in("{protocol: TCP, port: null}")),
        {"80": "", "65535": "", "80/UDP": "* > x/a", "80/SCTP": "* > x/a", "ICMP": "* > x/a"},
        alone=True,
    ),
    Edge(
        30,
        "a port without a protocol is TCP",
        (_in("{port: 80}"),),
        {"80": "", "80/UDP": "* > x/a", "80/SCTP": "* > x/a"},
    ),
    Edge(31, "a protocol without a port", (_in("{protocol: UDP}"),), {"80/UDP": "", "65535/UDP": "", "80": "* > x/a"}),
    Edge(
        33,
        "endPort is inclusive",
        (_in("{port: 80, endPort: 90}"),),
        {"79": "* > x/a", "80": "", "90": "", "91": "* > x/a", "85/UDP": "* > x/a"},
    ),
    Edge(
        34,
        "a named ingress port is the selected pod's",
        ("{ingress: [{ports: [{port: web}]}]}",),
        {"80": "* > x/*, ! * > x/a", "81": "* > x/*, ! * > x/b"},
        **WEB,
    ),
    Edge(
        34,
        "each named ingress port has a number of its own",
        (
            f"{{{A}, ingress: [{{from: [{IS_B}], ports: [{{port: web}}]}},"
            " {from: [{podSelector: {matchLabels: {pod: c}}}], ports: [{port: alt}]}]}",
        ),
        {"80": ONLY_B, "81": "* > x/a, ! x/c > x/a"},
        ports={"x/a": ("web=80/TCP", "alt=81/TCP")},
    ),
    Edge(
        35,
        "a named egress port is each destination's",
        (C_OUT_WEB % "to: [{podSelector: {}}], ",),
        {"80": "x/c > *, ! x/c > x/a", "81": "x/c > *, ! x/c > x/b"},
        **WEB,
    ),
    Edge(
        36,
        "a named egress port without peers",
        (C_OUT_WEB % "",),
        {"80": "x/c > *, ! x/c > x/a, ! x/c > y/a", "81": "x/c > *, ! x/c > x/b"},
        **WEB,
    ),
    Edge(
        37,
        "a named port of another protocol",
        (_in("{port: web, protocol: UDP}"),),
        {"80": "* > x/a", "80/UDP": "* > x/a"},
        **WEB,
    ),
    Edge(
        38,
        "a named port that the pod does not have",
        (_in("{port: nobody}"),),
        {"80": "* > x/a", "81": "* > x/a"},
        **WEB,
    ),
    Edge(
        39,
        "a named egress port in an ipBlock",
        (C_OUT_WEB % "to: [{ipBlock: {cidr: 10.244.0.0/24}}, {ipBlock: {cidr: 192.0.0.0/8}}], ",),
        {"80": "x/c > *, ! x/c > x/a", "81": "x/c > *, ! x/c > x/b"},
        **WEB,
    ),
    Edge(
        40,
        "of two container ports of one name the first",
        (_in("{port: web}"),),
        {"80": "", "81": "* > x/a"},
        ports={"x/a": ("web=80/TCP", "web=81/TCP")},
    ),
    Edge(41, "a number that the pod does not declare", (_in("{port: 9999}"),), {"9999": "", "80": "* > x/a"}),
    Edge(
        42,
        "SCTP is not TCP",
        (_in("{port: 80, protocol: SCTP}"),),
        {"80/SCTP": "", "80": "* > x/a", "80/UDP": "* > x/a"},
    ),
    Edge(
        43,
        "UDP and TCP are independent",
        (_in("{port: 80, protocol: UDP}, {port: 81}"),),
        {"80/UDP": "", "81": "", "80": "* > x/a", "81/UDP": "* > x/a"},
    ),
    Edge(44, "ICMP under a policy without rules", (NONE,), {"ICMP": "* > x/a"}),
    Edge(
        45,
        "ICMP under rules with and without ports",
        (_from(IS_B), _in("{}, {protocol: UDP}, {protocol: SCTP}")),
        {"ICMP": ONLY_B, "80": ""},
    ),
    Edge(
        48,
        "protocol ICMP",
        (_in("{protocol: ICMP}"),),
        refusal='spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"',
    ),
    Edge(49, "an ipBlock matches pod addresses", (_from(_block("10.244.0.17/32")),), {"80": ONLY_B}),
    Edge(
        50,
        "an except is no deny: another peer",
        (_from(f"{_block('10.244.0.0/16', '10.244.0.17/32')}, {IS_B}"),),
        {"80": ""},
    ),
    Edge(
        50,
        "an except is no deny: another policy",
        (_from(_block("10.244.0.0/16", "10.244.0.17/32")), _from(IS_B)),
        {"80": ""},
    ),
    Edge(
        51,
        "several and nested excepts",
        (_from(_block("10.244.0.0/16", "10.244.0.17/32", "10.244.1.0/24", "10.244.1.32/32")),),
        {"80": "x/b > x/a, y/* > x/a"},
    ),
    Edge(
        51,
        "an except equal to its cidr",
        (_from(_block("10.244.0.0/16", "10.244.0.0/16")),),
        refusal="must be a strict subset of `cidr`",
    ),
    Edge(52, "0.0.0.0/0 is every IPv4 address", (_to(_block("0.0.0.0/0")),), {"80": "", "80/UDP": ""}),
    Edge(53, "::/0 is no IPv4 address", (_to(_block("::/0")),), {"80": "x/a > *"}),
    Edge(54, "host bits are masked", (_from(_block("10.244.1.77/24")),), {"80": ONLY_Y}),
    Edge(55, "/31", (_from(_block("10.244.0.17/31")),), {"80": ONLY_B}),
    Edge(
        56,
        "overlapping CIDRs are a union",
        (_from(f"{_block('10.244.0.0/16', '10.244.1.0/24')}, {_block('10.244.0.0/24')}, {_block('10.244.1.32/32')}"),),
        {"80": "y/b > x/a"},
    ),
    Edge(61, "a node reaches its own pods", (NONE,), {"80": "* > x/a, ! node:node-1 > x/a"}),
    Edge(
        63, "a pod reaches its own node", (f"{{{A}, policyTypes: [Egress]}}",), {"80": "x/a > *, ! x/a > node:node-1"}
    ),
    Edge(
        64,
        "a pod reaches itself",
        (f"{{{A}, policyTypes: [Ingress, Egress]}}",),
        {"80": "* > x/a, x/a > *, ! x/a > x/a"},
    ),
    Edge(85, "an IPv4-mapped IPv6 CIDR is IPv4", (_from(_block("::ffff:10.244.0.17/128")),), {"80": ONLY_B}),
    Edge(88, "policyTypes twice the same", (f"{{{A}, policyTypes: [Ingress, Ingress]}}",), {"80": "* > x/a"}),
    Edge(
        89,
        "a selector that matches nothing",
        (_from("{podSelector: {matchLabels: {pod: nobody}}}"),),
        {"80": "* > x/a"},
    ),
    Edge(
        90,
        "DNS is cut by egress isolation",
        (f"{{{A}, policyTypes: [Egress], egress: [{{ports: [{{port: 80}}]}}]}}",),
        {"53/UDP": "x/a > *", "53": "x/a > *", "80": ""},
    ),
)

_SERVICES = "netlab sends nothing through Services yet"
_NEW = "every probe is a new connection"
_NO_V6 = "needs a dual-stack lab"
_CNP = "netlab conformance --feature cluster-network-policy has it"
_REASONS: tuple[tuple[int, str, str], ...] = (
    (32, "a numeric port is the pod's, not the Service's", _SERVICES),
    (46, "ICMP errors of an allowed connection pass", "probes provoke no such errors"),
    (47, "ARP and neighbour discovery are never cut", "no case could be answered without them"),
    *(
        (n, name, _SERVICES)
        for n, name in (
            (57, "egress to a Service by its pods"),
            (58, "egress to a Service by an ipBlock"),
            (59, "a Service with external endpoints"),
            (60, "NodePort and load balancers"),
            (65, "a pod to itself by Service"),
        )
    ),
    (62, "another node is subject to policy", "no other node reaches pods in bridge mode"),
    (67, "a host-network pod as a peer", "its own node's pods are always open to it, and no others in bridge mode"),
    (70, "a pod without an address yet", "a lab's pods have addresses before anything runs in them"),
    (71, "a new pod is isolated before it starts", "nothing starts in a pod by itself"),
    (72, "init and sidecar containers", "containers of a pod share one network namespace: no verdict could differ"),
    *(
        (n, name, _NEW)
        for n, name in (
            (73, "an established connection that a new policy denies"),
            (74, "a label changes during a connection"),
            (75, "a UDP flow outlives its rule"),
            (91, "fragments follow the first"),
        )
    ),
    *(
        (n, name, _NO_V6)
        for n, name in (
            (83, "both addresses of a dual-stack pod"),
            (84, "a CIDR of one family under isolation"),
        )
    ),
    (86, "drop or reject", "both are deny, and a closed port that answers is allow in every case"),
    (92, "traffic that a node sends for pods", "netlab runs no proxy on nodes"),
    (93, "two pods with one address", "a lab gives every address once"),
    *(
        (n, name, _CNP)
        for n, name in (
            (94, "fails closed on an unknown peer"),
            (95, "equal priorities"),
            (96, "Pass with nothing after it"),
            (97, "Accept for egress, NetworkPolicy denies ingress"),
            (98, "Accept for ingress over NetworkPolicy"),
        )
    ),
)
UNJUDGED = tuple(Unjudged(f"edge/{number:02} {name}", why) for number, name, why in _REASONS)


def cases(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield every edge case that can be judged."""
    for edge in EDGES:
        base = base_cluster(edge.labels, ports=edge.ports, members=PODS, mode=mode)
        policies = [policy_text(f"x/p{i}", spec) for i, spec in enumerate(edge.specs)]
        states = [(p,) for p in policies] if edge.alone else [tuple(policies)]
        found = table(ENDS, edge.denied)
        stages = tuple(Stage(f"state {i}", (*base, *state), found) for i, state in enumerate(states, start=1))
        yield Case(f"edge/{edge.number:02} {edge.name}", "edge", stages, edge.refusal)
    yield from changes(PODS, mode)
