"""Attachment and transport are two choices. ``conformance/test_wiring.py`` judges the wiring of every two that fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import cluster, pod, topology

from netlab import modes
from netlab.cluster.paths import path
from netlab.dataplane.wanted import ATTACHMENTS, TRANSPORTS, wanted
from netlab.modes import attachments, transports
from netlab.modes.traits import Attachment, Mode, Transport

_ATTACHMENTS = [a for a in vars(attachments).values() if isinstance(a, Attachment) and a.on_network]
_TRANSPORTS = [t for t in vars(transports).values() if isinstance(t, Transport)]


def test_each_attachment_and_transport_is_wired() -> None:
    """Every attachment and transport of a mode has a wiring, and no other has one."""
    assert {a.name for a in _ATTACHMENTS} == {*ATTACHMENTS}
    assert {t.name for t in _TRANSPORTS} == {*TRANSPORTS}


def test_each_mode_is_a_combination_of_its_own() -> None:
    """No two modes are the same."""
    assert len({(m.attachment, m.transport) for m in modes.of_networks()}) == len(modes.of_networks())


def test_a_combination_that_does_not_fit_is_refused() -> None:
    """A node does not bridge pods on the underlay, nor masquerade packets that bypass it. Answers need a route."""
    for wrong in (
        lambda: Mode("m", attachments.MACVLAN, transports.VXLAN),
        lambda: Mode("m", attachments.BRIDGE, transports.UNDERLAY),
        lambda: Mode("m", attachments.MACVLAN, transports.UNDERLAY, masquerade="outside-and-nodes"),
        lambda: Mode("m", attachments.VETH, transports.VXLAN),
    ):
        with pytest.raises(ValueError, match="m: "):
            wrong()


def test_a_trait_is_changed_without_a_new_wiring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge without enforcement is wired like any other, and no policy applies to its pods."""
    free = Mode("free", replace(attachments.BRIDGE, enforced=False), transports.NONE, masquerade="outside-and-nodes")
    monkeypatch.setitem(modes.MODES, "free", free)
    of = cluster(topology(["n1"], mode="free"), pod("x/a", node="n1"), pod("x/b", node="n1"))
    way = path(of, of.by_ref["x/a"], of.by_ref["x/b"], 4)

    assert wanted(of)
    assert (True, False, False) == (way.connected, way.egress_enforced, way.ingress_enforced)
