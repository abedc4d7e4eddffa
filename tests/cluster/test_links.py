"""The links of a cluster: between which machines they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netlab.cluster import Cluster, resolve
from netlab.cluster.types import ImpairedLink
from netlab.errors import InputError
from netlab.objects import decode
from netlab.objects.links import Netem
from netlab.objects.types import Document, Source


def resolved(*links: dict[str, Any], mode: str = "routed", nodes: int = 2) -> Cluster:
    """Return the cluster of nodes n1, n2, ..., hosts out and n1, pod s/a on n1, and s/h in the host network."""
    spec = {
        "networks": [{"mode": mode}],
        "nodes": [{"name": f"n{number}"} for number in range(1, nodes + 1)],
        "hosts": [{"name": "out", "addresses": ["192.0.2.1"]}, {"name": "n1", "addresses": ["192.0.2.2"]}],
        "links": [*links],
    }
    data = [
        {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "x"}, "spec": spec},
        *(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"namespace": "s", "name": name},
                "spec": {"nodeName": "n1", "hostNetwork": name == "h", "containers": []},
            }
            for name in ("a", "h")
        ),
    ]
    objects, problems = decode([Document(one, Source("x.yaml")) for one in data])
    assert [] == [str(problem) for problem in problems]
    return resolve(objects)


def link(*between: str, **values: str) -> dict[str, Any]:
    return {"between": [*between], **(values or {"delay": "1ms"})}


def test_names_are_those_of_nodes_hosts_and_pods() -> None:
    """A reference says which, where a node and a host share a name. The order of both ends does not count."""
    found = resolved(link("node:n1", "out"), link("n2", "host:n1", loss="1%"), link("s/a"))

    assert found.links == (
        ImpairedLink(("host:n1", "node:n2"), Netem(loss=10_000)),
        ImpairedLink(("host:out", "node:n1"), Netem(delay=1_000)),
        ImpairedLink(("s/a",), Netem(delay=1_000)),
    )


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([link("n2", "nn2")], '"nn2": is no node, host or pod of the lab; did you mean n2?'),
        ([link("n1", "n2")], '"n1": is a node and a host: write node:n1 or host:n1'),
        ([link("n2", "s/a")], "a pod has one link only, that to its node: name the pod alone"),
        ([link("s/h")], "is a pod in the host network: name its node, n1"),
        ([link("n2", "node:n2")], "must be two different machines"),
        ([link("n2", "out"), link("host:out", "n2")], "spec.links[0] is of the same link"),
        ([link("n2", "out"), link("n2")], "node:n2 is in a pair too: a machine is alone or in pairs"),
        ([link("n2", "out", duplicate="1%"), link("n2", "node:n1")], "with duplicate it can be in one"),
    ],
)
def test_what_is_wrong_is_named(links: list[dict[str, Any]], message: str) -> None:
    """With the place in the Topology."""
    with pytest.raises(InputError) as raised:
        resolved(*links)

    assert any(message in str(problem) for problem in raised.value.problems), [*map(str, raised.value.problems)]


def test_a_pod_on_the_underlay_has_no_link_at_its_node() -> None:
    """Its packets pass the node by."""
    with pytest.raises(InputError, match="is a pod on the underlay"):
        resolved(link("s/a"), mode="macvlan")


def test_a_machine_is_in_fifteen_pairs_at_most() -> None:
    """A sixteenth is one too many for the bands of a prio."""
    pairs = [link("node:n1", f"n{number}") for number in range(2, 18)]

    assert 15 == len(resolved(*pairs[:15], nodes=17).links)
    with pytest.raises(InputError, match="node:n1 is in 16 pairs: it can be in 15"):
        resolved(*pairs, nodes=17)


def test_without_links_a_cluster_has_none() -> None:
    """And a cluster with links differs from it."""
    plain, impaired = resolved(), resolved(link("n2", "out"))

    assert () == plain.links
    assert plain != impaired
    assert plain == replace(impaired, links=())
