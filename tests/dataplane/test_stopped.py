"""The wanted state of a lab with a stopped node: no link of it, and nothing that needs one."""

from __future__ import annotations

from functools import partial

import pytest
from failing import Failing, pod, service, topology, workload

from netlab.cluster.replacement import start, stop
from netlab.dataplane import names
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Link, Namespace, Queue, Sysctl

LINKS = [{"between": ["n1", "n2"], "delay": "1ms"}, {"between": ["n2", "n3"], "loss": "1%"}]


def state(mode: str) -> Failing:
    hosts = [{"name": "client", "addresses": ["192.0.2.10"]}]
    made = topology("n1", "n2", "n3", mode=mode, hosts=hosts, links=LINKS)
    return Failing(made, workload("StatefulSet", "db", 6), pod("alone", "n2"), service("db"))


def dangling(spaces: dict[str, Namespace]) -> list[str]:
    """Return the items on links that are not wanted, and the ends, parents and sources that are not there."""
    links = {(name, item.name): item for name, one in spaces.items() for item in one.items if isinstance(item, Link)}
    found = []
    for name, one in spaces.items():
        for item in one.items:
            if isinstance(item, Link):
                needed = [at for at in (item.peer, item.parent) if at is not None]
                needed += [(name, item.master)] if item.master else []
            elif isinstance(item, Sysctl):
                needed = [(name, item.link)] if item.link else []
            else:
                needed = [(name, item.dev)]
                needed += [(name, source) for source, _ in item.sources] if isinstance(item, Queue) else []
            found += [f"{name}: {item}: {at}" for at in needed if at not in links]
    return found


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_a_stopped_node_and_its_pods_have_a_loopback_only(mode: str) -> None:
    """Nothing of the other machines is on a link that is gone, such as the queues of links that delay."""
    failing = state(mode)
    whole = wanted(failing.cluster)
    cluster = failing.go(partial(stop, node="n2")).cluster

    spaces = wanted(cluster)

    off = [names.node_namespace("failing", "n2"), names.own_namespace("failing", "x", "alone")]
    assert ["lo", "lo"] == [item.name for name in off for item in spaces[name].items if isinstance(item, Link)]
    assert whole.keys() == spaces.keys()
    assert [] == dangling(whole) + dangling(spaces)


def test_a_started_node_is_wired_as_before() -> None:
    """All of its links, routes and queues are wanted again."""
    failing = Failing(topology("n1", "n2", links=LINKS[:1]), workload("StatefulSet", "db", 4), pod("alone", "n2"))
    before = wanted(failing.cluster)

    failing.go(partial(stop, node="n2")).go(partial(start, node="n2"))

    assert before == wanted(failing.cluster)
