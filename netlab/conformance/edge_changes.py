"""Edge cases about changes, and about finished, terminating and host-network pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netlab import modes
from netlab.conformance.base_cluster import ADDRESSES, HOST, base_cluster
from netlab.conformance.cases import Case, Stage, table
from netlab.conformance.shorthand import document, peer, policy, policy_text, rule
from netlab.objects.types import Document

DENY = policy("x/p", "pod=a", ingress=[])
OPEN = policy("x/p", "pod=a", ingress=[{}])
FROM_TEAM = policy("x/p", "pod=a", ingress=[rule("ingress", [peer(ns="team")])])
FROM_TIER = policy("x/p", "pod=a", ingress=[rule("ingress", [peer("tier")])])
TO_TIER = policy("x/p", "tier", ingress=[])
FROM_Y = policy("x/p", "pod=a", ingress=[rule("ingress", [peer(ns="ns=y")])])
FROM_B = policy("x/p", "pod=a", ingress=[rule("ingress", [peer("pod=b")])])
ONLY_B = "* > x/a, ! x/b > x/a"
ONLY_Y = "* > x/a, ! y/* > x/a"


def changes(pods: tuple[str, ...], mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield the cases whose stages change a running cluster of these pods."""
    base = base_cluster(members=pods, mode=mode)

    def case(name: str, *states: tuple[tuple[Document, ...], str], ends: tuple[str, ...] = (*pods, HOST)) -> Case:
        stages = (
            Stage(f"state {i}", documents, table(ends, {"80": denied})) for i, (documents, denied) in enumerate(states)
        )
        return Case(f"edge/{name}", "edge", tuple(stages))

    def labelled(pod: str = "", labels: str = "", ns: str = "", space: str = "") -> tuple[Document, ...]:
        return base_cluster({pod: labels} if pod else {}, {ns: space} if ns else {}, members=pods, mode=mode)

    yield case("76 a policy is deleted", ((*base, DENY), "* > x/a"), (base, ""))
    yield case("77 a policy turns from allow to deny", ((*base, OPEN), ""), ((*base, DENY), "* > x/a"))
    team = (*labelled(ns="y", space="ns=y,team=1"), FROM_TEAM)
    yield case(
        "78 a namespace label comes and goes",
        ((*base, FROM_TEAM), "* > x/a"),
        (team, ONLY_Y),
        ((*base, FROM_TEAM), "* > x/a"),
    )
    yield case(
        "79 a peer's label comes and goes",
        ((*base, FROM_TIER), "* > x/a"),
        ((*labelled("x/b", "pod=b,tier=1"), FROM_TIER), ONLY_B),
        ((*base, FROM_TIER), "* > x/a"),
    )
    yield case(
        "79 a subject's label comes and goes",
        ((*base, TO_TIER), ""),
        ((*labelled("x/a", "pod=a,tier=1"), TO_TIER), "* > x/a"),
        ((*base, TO_TIER), ""),
    )
    without_y = tuple(ref for ref in pods if not ref.startswith("y/"))
    gone = tuple(d for d in base_cluster(members=without_y, mode=mode) if d.data["metadata"]["name"] != "y")
    yield case("80 a namespace is deleted", ((*gone, FROM_Y), "* > x/a"), ends=(*without_y, HOST))
    yield case("80 a namespace comes back", ((*base, FROM_Y), ONLY_Y))
    yield case("81 a policy selects in its own namespace only", ((*base, policy("y/p", "", ingress=[])), "* > y/*"))
    yield case("82 no namespace is namespace default", ((*base, policy("p", "", ingress=[])), ""))
    yield case("87 of two policies of one name the last counts", ((*base, DENY, OPEN), ""))
    yield case("66 a host-network pod is never selected", _host_network(base), ends=(*pods, "x/h"))
    yield case("68 a finished pod has no address", _finished(base))
    yield case("69 a terminating pod is still isolated", _terminating(base))


def _host_network(base: tuple[Document, ...]) -> tuple[tuple[Document, ...], str]:
    spec = {"hostNetwork": True, "nodeName": "node-1", "containers": [{"name": "c"}]}
    everything = policy_text("x/p", "{policyTypes: [Ingress, Egress], egress: [{to: [{podSelector: {}}]}]}")
    # The pod and the other pods of its node reach each other always.
    return (*base, document("Pod", "x/h", spec), everything), "* > x/*, x/* > *, ! x/* > x/h, ! y/* > x/h, " + (
        "! z/* > x/h, ! x/h > *"
    )


def _finished(base: tuple[Document, ...]) -> tuple[tuple[Document, ...], str]:
    """A finished pod with label pod=b has the address that x/c got after it."""
    status = {"phase": "Succeeded", "podIPs": [{"ip": ADDRESSES["x/c"]}]}
    finished = document("Pod", "x/done", {"containers": [{"name": "c"}]}, labels="pod=b", status=status)
    return (*base, finished, FROM_B), ONLY_B


def _terminating(base: tuple[Document, ...]) -> tuple[tuple[Document, ...], str]:
    def marked(one: Document) -> Document:
        metadata = {**one.data["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        return replace(one, data={**one.data, "metadata": metadata})

    return (*(marked(d) if d.data["metadata"]["name"] == "a" and d.kind == "Pod" else d for d in base), DENY), "* > x/a"
