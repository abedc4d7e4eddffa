"""Attachment and transport are two choices: every two that fit make a lab, whether a mode has them or not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from builders import cluster, pod, topology
from walk import Walk

from netlab import modes
from netlab.cluster.paths import path
from netlab.cluster.types import address_of
from netlab.dataplane import names
from netlab.dataplane.wanted import ATTACHMENTS, TRANSPORTS, wanted
from netlab.modes import attachments, transports
from netlab.modes.traits import Attachment, Mode, Transport

_ATTACHMENTS = [a for a in vars(attachments).values() if isinstance(a, Attachment) and a.on_network]
_TRANSPORTS = [t for t in vars(transports).values() if isinstance(t, Transport)]
_FITTING = [(a, t) for a, t in product(_ATTACHMENTS, _TRANSPORTS) if a.on_underlay == t.on_underlay]


def test_each_attachment_and_transport_is_wired() -> None:
    """What modes are made of, and nothing else, has a wiring."""
    assert {a.name for a in _ATTACHMENTS} == {*ATTACHMENTS}
    assert {t.name for t in _TRANSPORTS} == {*TRANSPORTS}


def test_todays_networks_are_four_of_the_combinations() -> None:
    """No two modes are the same."""
    assert 4 == len({(m.attachment, m.transport) for m in modes.of_networks()})


@pytest.mark.parametrize("cidrs", [["10.244.0.0/16"], ["fd00:10:244::/56"]], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(("attachment", "transport"), _FITTING, ids=lambda trait: trait.name)
def test_packets_follow_the_wiring_as_paths_say(
    monkeypatch: pytest.MonkeyPatch, attachment: Attachment, transport: Transport, cidrs: list[str]
) -> None:
    """Every pair without policy: what the wanted routes, links and tunnels do with a packet and with its answer."""
    mode = Mode("toy", attachment, transport, masqueraded=not attachment.on_underlay)
    monkeypatch.setitem(modes.MODES, "toy", mode)
    family = 4 if "." in cidrs[0] else 6
    of = cluster(
        topology(
            ["n1", "n2"], mode="toy", cidrs=cidrs, hosts={"client": ["192.0.2.10" if family == 4 else "2001:db8::1"]}
        ),
        *(pod(f"x/{name}", node=node) for name, node in (("a", "n1"), ("b", "n1"), ("c", "n2"))),
        # Side by side on two nodes, as a cluster may have given them: one of the two is of no node's range.
        pod("x/d", node="n1", addresses=["10.244.200.7" if family == 4 else "fd00:10:244:c8::7"]),
        pod("x/e", node="n2", addresses=["10.244.200.8" if family == 4 else "fd00:10:244:c8::8"]),
        pod("x/on-node", node="n2", host=True),
        pod("x/alone", node="n1", network="none"),
    )
    walk = Walk(wanted(of))
    place = {ref: names.endpoint_namespace(of.name, end) for ref, end in of.by_ref.items()}
    wrong = []
    for source, destination in product(of.by_ref.values(), repeat=2):
        to, seen = address_of(destination, family), path(of, source, destination, family)
        arrives = (
            bool(to and address_of(source, family)) and walk.arrives(place[source.ref], to) == place[destination.ref]
        )
        if arrives != seen.connected:
            wrong.append(f"{source.ref} to {destination.ref}: wired {arrives}, said {seen.connected}: {seen.reason}")
        if arrives and seen.seen_as is not None:
            back = walk.arrives(place[destination.ref], seen.seen_as)
            own = seen.seen_as == address_of(source, family)
            if back != (place[source.ref] if own else names.node_namespace(of.name, source.node)):
                wrong.append(f"{destination.ref} does not answer {source.ref} at {seen.seen_as}")

    assert [] == wrong


def test_what_does_not_fit_is_no_mode() -> None:
    """A node neither bridges what is on the underlay, nor masquerades what goes past it; answers need a route."""
    for wrong in (
        lambda: Mode("m", attachments.MACVLAN, transports.VXLAN),
        lambda: Mode("m", attachments.BRIDGE, transports.UNDERLAY),
        lambda: Mode("m", attachments.MACVLAN, transports.UNDERLAY, masqueraded=True),
        lambda: Mode("m", attachments.VETH, transports.VXLAN),
    ):
        with pytest.raises(ValueError, match="m: "):
            wrong()


def test_a_trait_is_changed_without_a_new_wiring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge on which nothing enforces policies is wired as any other, and pods' policies have no say there."""
    free = Mode("free", replace(attachments.BRIDGE, enforced=False), transports.NONE, masqueraded=True)
    monkeypatch.setitem(modes.MODES, "free", free)
    of = cluster(topology(["n1"], mode="free"), pod("x/a", node="n1"), pod("x/b", node="n1"))
    way = path(of, of.by_ref["x/a"], of.by_ref["x/b"], 4)

    assert wanted(of).namespaces
    assert (True, False, False) == (way.connected, way.egress_enforced, way.ingress_enforced)
