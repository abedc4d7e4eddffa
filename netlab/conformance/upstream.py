"""The cases of Kubernetes' own conformance suite for NetworkPolicy (test/e2e/network/netpol), as data.

Pairs of a pod with itself are not asked: the suite ignores them, as implementations differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netlab import modes
from netlab.conformance.base_cluster import ADDRESSES, PODS, base_cluster
from netlab.conformance.cases import Case, Stage, table
from netlab.conformance.shorthand import Data, block, peer, policy, policy_text, rule
from netlab.objects.types import Document

B = ADDRESSES["x/b"]

State = tuple[Sequence[Document], Mapping[str, str]]
"""The policies of a stage, and the denied cells of every asked port (see ``cases.table``)."""


Rules = Sequence[Data] | None


def on(name: str, selector: str = "", ingress: Rules = None, egress: Rules = None) -> Document:
    """Return a policy; its namespace is x if the name has none."""
    return policy(name if "/" in name else f"x/{name}", selector, ingress=ingress, egress=egress)


def to_a(*peers: Data, ports: Sequence[str] = (), name: str = "p") -> Document:
    """Return an ingress policy on x/a with one rule."""
    return on(name, "pod=a", ingress=[rule("ingress", peers, ports)])


def from_a(*peers: Data, ports: Sequence[str] = ()) -> Document:
    """Return an egress policy on x/a with one rule."""
    return on("p", "pod=a", egress=[rule("egress", peers, ports)])


DENY_INGRESS = on("deny", ingress=[])
ONLY_Y = "* > x/a, ! y/* > x/a"
ONLY_B = "* > x/a, ! x/b > x/a"
FROM_Y_81 = to_a(peer(ns="ns=y"), ports=["81/TCP"])
FROM_Y_80 = to_a(peer(ns="ns=y"), ports=["80/TCP"], name="q")
SERVE_81 = on("p", ingress=[rule("ingress", ports=["serve-81-tcp"])])
SERVE_80_Y = to_a(peer(ns="ns=y"), ports=["serve-80-tcp/TCP"])
SERVE_80_OUT = on("p", egress=[rule("egress", ports=["serve-80-tcp"])])
ONE_WAY = [
    on("p", "pod=a", egress=[rule("egress", [peer("pod=a", "ns=y")])]),
    on("y/p", "pod=a", ingress=[rule("ingress", [peer("pod=a", "ns=x")])]),
    on("y/q", "pod=b", ingress=[rule("ingress", [peer("pod=a", "ns=x")])]),
]
BOTH = on("p", "pod=a", [rule("ingress", [peer("pod=b")])], [rule("egress", ports=["80"])])
BUT_B = from_a(block("0.0.0.0/4", f"{B}/32"))
IN_80 = on("p", ingress=[rule("ingress", ports=["80"])])
OUT_80 = on("p", egress=[rule("egress", ports=["80"])])
IN_ALL, OUT_ALL = on("all", ingress=[{}]), on("all", egress=[{}])
DEFAULT_LABEL = "kubernetes.io/metadata.name"

STATES: dict[str, list[State]] = {
    "default-deny-ingress": [([DENY_INGRESS], {"80": "* > x/*"})],
    "default-deny-all": [([on("deny", ingress=[], egress=[])], {"80": "* > x/*, x/* > *"})],
    "from pods within server namespace by PodSelector": [([to_a(peer("pod=b"))], {"80": ONLY_B})],
    "ingress for a target": [([DENY_INGRESS, to_a(peer("", ""))], {"80": "* > x/*, ! * > x/a"})],
    "ingress from pods in all namespaces": [([to_a(peer(ns=""))], {"80": ""})],
    "only from a different namespace by NamespaceSelector": [([to_a(peer(ns="ns=y"))], {"80": ONLY_Y})],
    "PodSelector with MatchExpressions": [([to_a(peer("pod in (b)"))], {"80": ONLY_B})],
    "NamespaceSelector with MatchExpressions": [([to_a(peer(ns="ns in (y)"))], {"80": ONLY_Y})],
    "PodSelector or NamespaceSelector": [([to_a(peer(ns="ns notin (x)"), peer("pod=b"))], {"80": "x/c > x/a"})],
    "PodSelector and NamespaceSelector": [
        ([to_a(peer("pod=b", "ns notin (x)"))], {"80": "* > x/a, ! y/b > x/a, ! z/b > x/a"}),
    ],
    "multiple PodSelectors and NamespaceSelectors": [
        ([to_a(peer("pod in (b,c)", "ns notin (x)"))], {"80": "x/* > x/a, y/a > x/a, z/a > x/a"}),
    ],
    "any PodSelectors": [([to_a(peer("pod=b"), peer("pod=c"))], {"80": f"{ONLY_B}, ! x/c > x/a"})],
    "pod in a different namespace by both selectors": [
        ([to_a(peer("pod=a", "ns=y"))], {"80": "* > x/a, ! y/a > x/a"}),
    ],
    "by ports": [([FROM_Y_81], {"81": ONLY_Y})],
    "stacked policies with overlapping podSelectors": [
        ([FROM_Y_81], {"81": ONLY_Y, "80": "* > x/a"}),
        ([FROM_Y_81, FROM_Y_80], {"80": ONLY_Y, "81": ONLY_Y}),
    ],
    "allow-all": [([IN_ALL], {"80": "", "81": ""})],
    "ingress on one named port": [([SERVE_81], {"81": "", "80": "* > x/*"})],
    "ingress from namespace on one named port": [([SERVE_80_Y], {"80": ONLY_Y, "81": "* > x/a"})],
    "egress on one named port": [([SERVE_80_OUT], {"80": "", "81": "x/* > *"})],
    "updated policy": [([on("p", ingress=[{}])], {"81": ""}), ([on("p", ingress=[])], {"81": "* > x/*"})],
    "deny ingress from pods on other namespaces": [
        ([on("p", ingress=[rule("ingress", [peer("")])])], {"80": "y/* > x/*, z/* > x/*"}),
    ],
    "deny egress from pods by PodSelector": [([on("p", "pod=a", egress=[])], {"80": "x/a > *"})],
    "deny egress from all pods in a namespace": [([on("p", egress=[])], {"80": "x/* > *"})],
    "ingress and egress together": [([BOTH], {"80": ONLY_B, "81": f"{ONLY_B}, x/a > *"})],
    "deny egress on the client side although the server allows": [
        (ONE_WAY, {"80": "x/a > *, * > y/a, * > y/b, ! x/a > y/a"}),
    ],
    "egress to a server in a different namespace": [
        ([from_a(peer("pod=a", "ns=y"))], {"80": "x/a > *, ! x/a > y/a"}),
    ],
    "any port of a specific protocol": [([to_a(ports=["/TCP"])], {"80": "", "80/UDP": "* > x/a"})],
    "several ingress policies, allow-all takes precedence": [
        ([IN_80], {"81": "* > x/*"}), ([IN_80, IN_ALL], {"81": ""}),
    ],
    "several egress policies, allow-all takes precedence": [
        ([OUT_80], {"81": "x/* > *"}), ([OUT_80, OUT_ALL], {"81": ""}),
    ],
    "no enforcement once policies are deleted": [
        ([on("p", ingress=[], egress=[])], {"80": "* > x/*, x/* > *"}), ([], {"80": ""}),
    ],
    "egress to a CIDR block": [([from_a(block(f"{B}/32"))], {"80": "x/a > *, ! x/a > x/b"})],
    "except clause in egress to a CIDR block": [([BUT_B], {"80": "x/a > x/b"})],
    "address in both cidr and except": [
        ([BUT_B], {"80": "x/a > x/b"}),
        ([from_a(block(f"{B}/32"))], {"80": "x/a > *, ! x/a > x/b"}),
        ([BUT_B, on("q", "pod=a", egress=[rule("egress", [block(f"{B}/32")])])], {"80": ""}),
    ],
    "ingress and egress independently": [
        ([from_a()], {"80": ""}), ([on("p", "pod=a", ingress=[])], {"80": "* > x/a"}),
    ],
    "SCTP is not mistaken for TCP": [([DENY_INGRESS, to_a(ports=["81/SCTP"])], {"81": "* > x/*"})],
    "isolation by a policy that allows SCTP": [([to_a(ports=["80/SCTP"])], {"81": "* > x/a"})],
    "no TCP where a policy specifies only UDP": [([to_a(ports=["81/UDP"])], {"81": "* > x/a"})],
    "NamespaceSelector MatchLabels on the default label": [([to_a(peer(ns=f"{DEFAULT_LABEL}=y"))], {"80": ONLY_Y})],
    "NamespaceSelector MatchExpressions on the default label": [
        ([from_a(peer(ns=f"{DEFAULT_LABEL} notin (y)"))], {"80": "x/a > y/*"}),
    ],
    **{
        f"{name}, {protocol}": [([given], {f"{port}/{protocol}": false})]
        for protocol in ("UDP", "SCTP")
        for name, given, port, false in (
            ("default-deny-ingress", DENY_INGRESS, 80, "* > x/*"),
            ("by ports", to_a(peer(ns="ns=y"), ports=[f"81/{protocol}"]), 81, ONLY_Y),
            ("pod in a different namespace by both selectors", to_a(peer("pod=a", "ns=y")), 80, "* > x/a, ! y/a > x/a"),
        )
    },
}  # fmt: skip

# Cases in which labels change under a policy that stays: the policy, then the labels and the denied cells in turn.
Labels = Mapping[str, str]
RELABELLED: dict[str, tuple[Document, list[tuple[Labels, Labels, str]]]] = {
    "ingress from updated namespace": (
        to_a(peer(ns="ns2=updated")),
        [({}, {}, "* > x/a"), ({}, {"y": "ns=y,ns2=updated"}, ONLY_Y)],
    ),
    "ingress from updated pod": (
        to_a(peer("pod=b,pod2=updated")),
        [({}, {}, "* > x/a"), ({"x/b": "pod=b,pod2=updated"}, {}, ONLY_B)],
    ),
    "deny ingress to updated pod": (
        on("p", "target=isolated", ingress=[]),
        [({}, {}, ""), ({"x/a": "pod=a,target=isolated"}, {}, "* > x/a")],
    ),
}

REFUSED = {
    "endPort without port": ("{endPort: 90}", "may not be specified when `port` is not specified"),
    "endPort with a named port": ("{port: web, endPort: 90}", "may not be specified when `port` is non-numeric"),
    "endPort below port": ("{port: 90, endPort: 80}", "must be greater than or equal to `port`"),
}
"""Items of ``ports`` that the API server must refuse, each with a part of the error."""


def cases(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield every case of the suite; the cases that change labels come last."""
    base = base_cluster(mode=mode)
    for name, states in STATES.items():
        stages = [
            Stage(f"state {i}", (*base, *given), table(PODS, false)) for i, (given, false) in enumerate(states, start=1)
        ]
        yield Case(f"upstream/{name}", "upstream", tuple(stages))
    for name, (given, labels) in RELABELLED.items():
        yield Case(
            f"upstream/{name}",
            "upstream",
            tuple(
                Stage(f"labels {i}", (*base_cluster(pods, spaces, mode=mode), given), table(PODS, {"80": false}))
                for i, (pods, spaces, false) in enumerate(labels, start=1)
            ),
        )
    for name, (item, message) in REFUSED.items():
        wrong = policy_text("x/p", f"{{ingress: [{{ports: [{item}]}}]}}")
        yield Case(f"upstream/{name}", "upstream", (Stage("read", (*base, wrong), {}),), message)
    for last in (80, 81):
        equal = to_a(ports=[f"80-{last}/TCP"])
        false = {"80": "", "81": "" if last == 81 else "* > x/a"}
        yield Case(f"upstream/endPort {last}", "upstream", (Stage("read", (*base, equal), table(PODS, false)),))
