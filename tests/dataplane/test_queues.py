"""The queues of links that delay, lose or limit packets, in the wanted state and in the plan."""

from __future__ import annotations

from dataclasses import replace

from builders import cluster, pod, topology

from netlab.cluster.types import Cluster, ImpairedLink
from netlab.dataplane import names
from netlab.dataplane.plan import difference
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Change, Link, Namespace, Queue
from netlab.objects.links import Netem

SLOW, LOSSY = Netem(delay=20_000), Netem(loss=1_000)
PLAIN = cluster(
    topology(mode="routed", nodes=("node-1", "node-2", "node-3")), pod("x/a", node="node-1"), pod("x/b", node="node-2")
)


def with_links(*links: ImpairedLink) -> Cluster:
    return replace(PLAIN, links=links)


def queues(of: Cluster) -> dict[str, list[Queue]]:
    """Return the queues by namespace."""
    found = {name: [i for i in space.items if isinstance(i, Queue)] for name, space in wanted(of).items()}
    return {name: sorted(items, key=str) for name, items in found.items() if items}


def port(number: int) -> str:
    return names.underlay_port_name(f"node:node-{number}")


def test_without_links_there_are_no_queues() -> None:
    """The wanted state is as without them."""
    assert {} == queues(PLAIN)


def test_a_pair_has_a_queue_at_both_ports_of_the_underlay() -> None:
    """Each tells by the other port which packets are meant."""
    found = queues(
        with_links(
            ImpairedLink(("node:node-1", "node:node-2"), SLOW), ImpairedLink(("node:node-1", "node:node-3"), LOSSY)
        )
    )

    first = Queue(port(1), None, tuple(sorted([(port(2), SLOW), (port(3), LOSSY)])))
    others = [Queue(port(2), None, ((port(1), SLOW),)), Queue(port(3), None, ((port(1), LOSSY),))]
    assert {names.underlay_namespace(PLAIN.name): sorted([first, *others], key=str)} == found


def test_a_machine_alone_has_a_queue_at_both_ends_of_its_link() -> None:
    """For what it sends and for what it gets."""
    found = queues(with_links(ImpairedLink(("node:node-1",), SLOW)))

    assert {
        names.node_namespace(PLAIN.name, "node-1"): [Queue("underlay0", SLOW)],
        names.underlay_namespace(PLAIN.name): [Queue(port(1), SLOW)],
    } == found


def test_a_pod_has_a_queue_at_both_ends_of_its_link() -> None:
    """For what it sends and for what it gets."""
    found = queues(with_links(ImpairedLink(("x/a",), SLOW)))

    assert {
        names.own_namespace(PLAIN.name, "x", "a"): [Queue("eth0", SLOW)],
        names.node_namespace(PLAIN.name, "node-1"): [Queue(names.port_name(PLAIN.pods[0]), SLOW)],
    } == found


def test_another_delay_replaces_the_queue() -> None:
    """The old one is deleted, the new one added, and nothing else changes."""
    link = ImpairedLink(("node:node-1",), SLOW)
    before, after = wanted(with_links(link)), wanted(with_links(replace(link, netem=LOSSY)))
    place = names.underlay_namespace(PLAIN.name)

    changes = [one for one in difference(before, after).changes if one.namespace == place]
    assert [Change("delete", place, Queue(port(1), SLOW)), Change("add", place, Queue(port(1), LOSSY))] == changes


def test_a_queue_is_made_again_with_a_source_of_its_filter() -> None:
    """The kernel's filter names a link by its index, and a link that is made again has another one."""
    pair = ImpairedLink(("node:node-1", "node:node-2"), SLOW)
    want = wanted(with_links(pair))
    place = names.underlay_namespace(PLAIN.name)
    without = {
        i
        for i in want[place].items
        if not (isinstance(i, Link) and i.name == port(2)) and getattr(i, "dev", "") != port(2)
    }
    changes = difference({**want, place: Namespace(place, frozenset(without))}, want).changes

    added = {one.item for one in changes if one.verb == "add" and isinstance(one.item, Queue)}
    assert {Queue(port(1), None, ((port(2), SLOW),)), Queue(port(2), None, ((port(1), SLOW),))} == added
