"""The cases of Kubernetes' own conformance suite for NetworkPolicy (test/e2e/network/netpol), as data.

Namespaces x, y and z are labelled ns=NAME, pods a, b and c pod=NAME. Every pod serves 80 and 81 over TCP, UDP and
SCTP, on container ports named serve-PORT-PROTOCOL. Every ordered pair is asked, pairs of a pod with itself are not:
implementations differ on them, and the suite ignores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any, NamedTuple

import pytest
from builders import cluster, namespace, peer, pod, policy, rule, verdict

from netlab.objects.policies import NetworkPolicy

NAMES = [f"{ns}/{name}" for ns in "xyz" for name in "abc"]
PORTS = [f"serve-{port}-{proto.lower()}={port}/{proto}" for port in (80, 81) for proto in ("TCP", "UDP", "SCTP")]
B = "10.244.0.3"


class Step(NamedTuple):
    """What is in force, the port that is asked, and the cells that are false.

    A cell is ``SOURCE > DESTINATION``, globs allowed, ``!`` before one that is true after all; the last match wins.
    ``namespaces`` and ``pods`` are labels that differ from the usual.
    """

    policies: list[NetworkPolicy]
    port: str
    false: str = ""
    namespaces: dict[str, str] = {}  # noqa: RUF012 - a default that nobody changes
    pods: dict[str, str] = {}  # noqa: RUF012 - a default that nobody changes


def world(step: Step) -> Any:
    return cluster(
        *(namespace(ns, step.namespaces.get(ns, f"ns={ns}")) for ns in "xyz"),
        *(pod(ref, step.pods.get(ref, f"pod={ref[-1]}"), ports=PORTS) for ref in NAMES),
        *step.policies,
    )


def on(name: str, selector: str = "", **rules: Any) -> NetworkPolicy:
    return policy(name if "/" in name else f"x/{name}", selector, **rules)


def to_a(*peers: Any, ports: Any = (), name: str = "p") -> NetworkPolicy:
    """An ingress policy on x/a of one rule."""
    return on(name, "pod=a", ingress=[rule(*peers, ports=ports)])


def from_a(*peers: Any, ports: Any = ()) -> NetworkPolicy:
    """An egress policy on x/a of one rule."""
    return on("p", "pod=a", egress=[rule(*peers, ports=ports)])


DENY_INGRESS = on("deny", ingress=[])
ONLY_Y = "* > x/a, ! y/* > x/a"
FROM_Y_81 = to_a(peer(ns="ns=y"), ports=["81"])
FROM_Y_80 = to_a(peer(ns="ns=y"), ports=["80"], name="q")
ONE_WAY = [
    on("p", "pod=a", egress=[rule(peer("pod=a", "ns=y"))]),
    on("y/p", "pod=a", ingress=[rule(peer("pod=a", "ns=x"))]),
    on("y/q", "pod=b", ingress=[rule(peer("pod=a", "ns=x"))]),
]
BOTH_DIRECTIONS = on("p", "pod=a", ingress=[rule(peer("pod=b"))], egress=[rule(ports=["80"])])
BUT_B = from_a(peer(cidr="0.0.0.0/4", but=[f"{B}/32"]))
UPDATED = {"y": "ns=y,ns2=updated"}

CASES: dict[str, list[Step]] = {
    "default-deny-ingress policy": [Step([DENY_INGRESS], "80/TCP", "* > x/*")],
    "default-deny-all policy": [Step([on("deny", ingress=[], egress=[])], "80/TCP", "* > x/*, x/* > *")],
    "traffic from pods within server namespace based on PodSelector": [
        Step([to_a(peer("pod=b"))], "80/TCP", "* > x/a, ! x/b > x/a"),
    ],
    "ingress traffic for a target": [
        Step([DENY_INGRESS, to_a(peer("", ""))], "80/TCP", "* > x/*, ! * > x/a"),
    ],
    "ingress traffic from pods in all namespaces": [Step([to_a(peer(ns=""))], "80/TCP")],
    "traffic only from a different namespace, based on NamespaceSelector": [
        Step([to_a(peer(ns="ns=y"))], "80/TCP", ONLY_Y),
    ],
    "PodSelector with MatchExpressions": [Step([to_a(peer("pod in (b)"))], "80/TCP", "* > x/a, ! x/b > x/a")],
    "NamespaceSelector with MatchExpressions": [Step([to_a(peer(ns="ns in (y)"))], "80/TCP", ONLY_Y)],
    "PodSelector or NamespaceSelector": [
        Step([to_a(peer(ns="ns notin (x)"), peer("pod=b"))], "80/TCP", "x/c > x/a"),
    ],
    "PodSelector and NamespaceSelector": [
        Step([to_a(peer("pod=b", "ns notin (x)"))], "80/TCP", "* > x/a, ! y/b > x/a, ! z/b > x/a"),
    ],
    "multiple PodSelectors and NamespaceSelectors": [
        Step([to_a(peer("pod in (b,c)", "ns notin (x)"))], "80/TCP", "x/* > x/a, y/a > x/a, z/a > x/a"),
    ],
    "any PodSelectors": [
        Step([to_a(peer("pod=b"), peer("pod=c"))], "80/TCP", "* > x/a, ! x/b > x/a, ! x/c > x/a"),
    ],
    "a pod in a different namespace based on PodSelector and NamespaceSelector": [
        Step([to_a(peer("pod=a", "ns=y"))], f"80/{proto}", "* > x/a, ! y/a > x/a") for proto in ("TCP", "UDP", "SCTP")
    ],
    "based on Ports": [Step([FROM_Y_81], "81/TCP", ONLY_Y)],
    "multiple, stacked policies with overlapping podSelectors": [
        Step([FROM_Y_81], "81/TCP", ONLY_Y),
        Step([FROM_Y_81], "80/TCP", "* > x/a"),
        Step([FROM_Y_81, FROM_Y_80], "80/TCP", ONLY_Y),
        Step([FROM_Y_81, FROM_Y_80], "81/TCP", ONLY_Y),
    ],
    "allow-all policy": [Step([on("all", ingress=[rule()])], port) for port in ("80/TCP", "81/TCP")],
    "ingress access on one named port": [
        Step([on("p", ingress=[rule(ports=["serve-81-tcp"])])], "81/TCP"),
        Step([on("p", ingress=[rule(ports=["serve-81-tcp"])])], "80/TCP", "* > x/*"),
    ],
    "ingress access from namespace on one named port": [
        Step([to_a(peer(ns="ns=y"), ports=["serve-80-tcp/TCP"])], "80/TCP", ONLY_Y),
        Step([to_a(peer(ns="ns=y"), ports=["serve-80-tcp/TCP"])], "81/TCP", "* > x/a"),
    ],
    "egress access on one named port": [
        Step([on("p", egress=[rule(ports=["serve-80-tcp"])])], "80/TCP"),
        Step([on("p", egress=[rule(ports=["serve-80-tcp"])])], "81/TCP", "x/* > *"),
    ],
    "updated policy": [
        Step([on("p", ingress=[rule()])], "81/TCP"),
        Step([on("p", ingress=[])], "81/TCP", "* > x/*"),
    ],
    "ingress access from updated namespace": [
        Step([to_a(peer(ns="ns2=updated"))], "80/TCP", "* > x/a"),
        Step([to_a(peer(ns="ns2=updated"))], "80/TCP", ONLY_Y, namespaces=UPDATED),
    ],
    "ingress access from updated pod": [
        Step([to_a(peer("pod=b,pod2=updated"))], "80/TCP", "* > x/a"),
        Step(
            [to_a(peer("pod=b,pod2=updated"))], "80/TCP", "* > x/a, ! x/b > x/a", pods={"x/b": "pod=b,pod2=updated"}
        ),
    ],
    "deny ingress from pods on other namespaces": [
        Step([on("p", ingress=[rule(peer(""))])], "80/TCP", "y/* > x/*, z/* > x/*"),
    ],
    "deny ingress access to updated pod": [
        Step([on("p", "target=isolated", ingress=[])], "80/TCP"),
        Step([on("p", "target=isolated", ingress=[])], "80/TCP", "* > x/a", pods={"x/a": "pod=a,target=isolated"}),
    ],
    "deny egress from pods based on PodSelector": [Step([on("p", "pod=a", egress=[])], "80/TCP", "x/a > *")],
    "deny egress from all pods in a namespace": [Step([on("p", egress=[])], "80/TCP", "x/* > *")],
    "ingress and egress specified together": [
        Step([BOTH_DIRECTIONS], "80/TCP", "* > x/a, ! x/b > x/a"),
        Step([BOTH_DIRECTIONS], "81/TCP", "* > x/a, ! x/b > x/a, x/a > *"),
    ],
    "denying of egress traffic on the client side, even if the server side allows": [
        Step(ONE_WAY, "80/TCP", "x/a > *, * > y/a, * > y/b, ! x/a > y/a"),
    ],
    "egress policy allowing traffic to a server in a different namespace": [
        Step([from_a(peer("pod=a", "ns=y"))], "80/TCP", "x/a > *, ! x/a > y/a"),
    ],
    "any port traffic on a specific protocol": [
        Step([to_a(ports=["/TCP"])], "80/TCP"),
        Step([to_a(ports=["/TCP"])], "80/UDP", "* > x/a"),
    ],
    "multiple ingress policies with allow-all taking precedence": [
        Step([on("p", ingress=[rule(ports=["80"])])], "81/TCP", "* > x/*"),
        Step([on("p", ingress=[rule(ports=["80"])]), on("all", ingress=[rule()])], "81/TCP"),
    ],
    "multiple egress policies with allow-all taking precedence": [
        Step([on("p", egress=[rule(ports=["80"])])], "81/TCP", "x/* > *"),
        Step([on("p", egress=[rule(ports=["80"])]), on("all", egress=[rule()])], "81/TCP"),
    ],
    "stop enforcing policies after they are deleted": [
        Step([on("p", ingress=[], egress=[])], "80/TCP", "* > x/*, x/* > *"),
        Step([], "80/TCP"),
    ],
    "egress access to server in CIDR block": [
        Step([from_a(peer(cidr=f"{B}/32"))], "80/TCP", "x/a > *, ! x/a > x/b"),
    ],
    "except clause while egress access to server in CIDR block": [Step([BUT_B], "80/TCP", "x/a > x/b")],
    "IP block overlapping both cidr and except": [
        Step([BUT_B], "80/TCP", "x/a > x/b"),
        Step([from_a(peer(cidr=f"{B}/32"))], "80/TCP", "x/a > *, ! x/a > x/b"),
        Step([BUT_B, on("q", "pod=a", egress=[rule(peer(cidr=f"{B}/32"))])], "80/TCP"),
    ],
    "ingress and egress controlled independently": [
        Step([from_a()], "80/TCP"),
        Step([on("p", "pod=a", ingress=[])], "80/TCP", "* > x/a"),
    ],
    "SCTP is not mistaken for TCP": [Step([DENY_INGRESS, to_a(ports=["81/SCTP"])], "81/TCP", "* > x/*")],
    "pods selected by a policy allowing SCTP are isolated": [Step([to_a(ports=["80/SCTP"])], "81/TCP", "* > x/a")],
    "no access by TCP when a policy specifies only UDP": [Step([to_a(ports=["81/UDP"])], "81/TCP", "* > x/a")],
    "NamespaceSelector with MatchLabels using the default label": [
        Step([to_a(peer(ns="kubernetes.io/metadata.name=y"))], "80/TCP", ONLY_Y),
    ],
    "NamespaceSelector with MatchExpressions using the default label": [
        Step([from_a(peer(ns="kubernetes.io/metadata.name notin (y)"))], "80/TCP", "x/a > y/*"),
    ],
    "default-deny-ingress policy, UDP and SCTP": [
        Step([DENY_INGRESS], f"80/{proto}", "* > x/*") for proto in ("UDP", "SCTP")
    ],
    "based on Ports, UDP and SCTP": [
        Step([to_a(peer(ns="ns=y"), ports=[f"81/{proto}"])], f"81/{proto}", ONLY_Y) for proto in ("UDP", "SCTP")
    ],
}  # fmt: skip


def steps() -> Iterator[Any]:
    for name, case in CASES.items():
        for i, step in enumerate(case):
            yield pytest.param(step, id=f"{name}, {i + 1}, {step.port}")


def denied(step: Step) -> set[tuple[str, str]]:
    """Return the pairs that a step says are false."""
    cells: dict[tuple[str, str], bool] = {(s, d): True for s in NAMES for d in NAMES if s != d}
    for pattern in filter(None, step.false.split(", ")):
        source, _, destination = pattern.removeprefix("! ").partition(" > ")
        for pair in cells:
            if fnmatch(pair[0], source) and fnmatch(pair[1], destination):
                cells[pair] = pattern.startswith("! ")
    return {pair for pair, true in cells.items() if not true}


@pytest.mark.parametrize("step", [*steps()])
def test_upstream_case(step: Step) -> None:
    """The pairs that the evaluator denies are the cells that the suite expects to be false, and no other."""
    of = world(step)
    found = {(s, d) for s in NAMES for d in NAMES if s != d and verdict(of, s, d, step.port) == "deny"}

    assert denied(step) == found


def test_the_block_is_b() -> None:
    """The address that the ipBlock cases name is that of x/b, and their wide block has every pod."""
    of = world(Step([], "80/TCP"))

    assert B == str(of.by_ref["x/b"].addresses[0])
    assert all(str(p.addresses[0]).startswith("10.") for p in of.pods)
