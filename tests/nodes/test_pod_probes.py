"""Probes of the pods of a lab: which can be asked, and which answers count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import cluster
from builders import pod as pod_of_lab
from nodes.test_objects import complete
from nodes.test_readiness import probed

from netlab.control_plane.nodes import pod_probes
from netlab.control_plane.nodes.pod_probes import PodProbes
from netlab.control_plane.nodes.readiness import Probe

PORT, COMMAND = Probe(80), Probe(0, command=("true",))


@pytest.fixture
def lab() -> Any:
    """A lab with one pod, shop/a."""
    by_ref = cluster(pod_of_lab("shop/a")).by_ref
    return SimpleNamespace(cluster=SimpleNamespace(by_ref=by_ref, stopped_nodes=frozenset()), is_behind=False)


@pytest.fixture
def probes(lab: Any) -> PodProbes:
    pod = probed(tcpSocket={"port": 80})
    containers = cast(Any, SimpleNamespace(with_programs=lambda uid: [], since=lambda uid, container: 7.0))
    found = PodProbes(lab, complete(pod), containers, cast(Any, None), lambda told: None)
    found.follow([pod])
    return found


def test_ports_of_a_pod_whose_node_is_stopped_are_not_asked(lab, probes):
    """A kubelet that is cut off reaches its own pods, and netlab has no links there. Commands need none."""
    assert (7.0, 7.0) == (probes._since("uid-a", PORT), probes._since("uid-a", COMMAND))
    lab.cluster.stopped_nodes = frozenset({lab.cluster.by_ref["shop/a"].node})

    assert (None, 7.0) == (probes._since("uid-a", PORT), probes._since("uid-a", COMMAND))


@pytest.mark.parametrize(
    ("answer", "behind", "counts"),
    [("silence", False, True), ("silence", True, False), ("nobody", True, True), (b"", True, True)],
)
def test_silence_in_a_lab_that_changes_says_nothing(lab, probes, monkeypatch, answer, behind, counts):
    """The change may stop the pod's node."""
    lab.is_behind = behind
    monkeypatch.setattr(pod_probes, "ask_pod", lambda *arguments: answer)

    assert (answer if counts else None) == probes._ask("uid-a", PORT)
