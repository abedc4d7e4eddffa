"""The containers of the pods of an API server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from builders import cluster
from builders import pod as pod_of_lab
from nodes.test_objects import complete, pod

from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.pod_containers import PodContainers
from netlab.control_plane.watch import Change

NOT_USED = cast(Any, None)
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def test_a_pause_runs_until_its_pod_has_ended():
    """A client that follows its log waits until then; another pod of that name is not the same one."""
    done = pod(status={"phase": "Succeeded"})
    known = complete(done)
    containers = PodContainers(NOT_USED, known, NOT_USED, NOT_USED, NOT_USED)
    assert not containers.runs(done, "c")
    known.take(Change("Pod", "set", (pod(),)))
    assert containers.runs(pod(), "c")
    known.take(Change("Pod", "set", (pod(metadata=DELETED),)))
    assert containers.runs(pod(), "c")
    known.take(Change("Pod", "gone", (pod(),)))
    assert not containers.runs(pod(), "c")
    another = pod(metadata={"uid": "uid-another"})
    known.take(Change("Pod", "set", (another,)))

    assert not containers.runs(pod(), "c")
    assert containers.runs(another, "c")


def test_nothing_is_read_for_a_pod_that_runs_nothing():
    """The token of its account may take long, and nobody needs it before ``kubectl exec``."""
    one, read = pod(), list[str]()
    lab = cast(Any, SimpleNamespace(cluster=cluster(pod_of_lab("shop/web"))))
    node = lab.cluster.nodes[0].name
    one["spec"]["nodeName"] = node

    def made(pod: Any, *given: object) -> list[Container]:
        read.append(pod["metadata"]["name"])
        return []

    programs = cast(Any, SimpleNamespace(any_in=lambda pod: False, containers=made))
    containers = PodContainers(lab, complete(one), programs, NOT_USED, NOT_USED)
    containers.follow([one])

    assert [] == read
    assert "uid-web" not in containers.with_hooks


def test_the_programs_of_a_deleted_pod_start_again_until_its_node_hears_of_the_deletion():
    """A stopped node hears of it when it starts."""
    one = pod(metadata=DELETED)
    known = complete(one)
    containers = PodContainers(NOT_USED, known, NOT_USED, NOT_USED, NOT_USED)
    containers.with_hooks.begin("uid-web", [Container("c", (), {})], {})
    ending = []
    for stopped in ({"n1"}, set()):
        known.cut_off(frozenset(stopped))
        containers.expect([one])
        ending.append("uid-web" in containers.with_hooks._ending)

    assert [False, True] == ending
