"""Labels of workload objects that policies look for on pods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import labels, namespace, objects, peer, pod, policy, rule, workload

from netlab.cluster import resolve
from netlab.objects.types import Workload
from netlab.policy import misplaced


def labelled(of: Workload, text: str) -> Workload:
    """The labels of the object, not of its pods."""
    return replace(of, meta=replace(of.meta, labels=labels(text)))


CRON = labelled(workload("CronJob", "x/cron", 1), "app=cron,tier=batch")
DB = pod("x/db", "app=db")


def told(*things: Any) -> list[str]:
    found = objects(*things)
    return [f"{p.object}: {p.path}: {p.message}" for p in misplaced(resolve(found), found.workloads)]


def test_a_peer_that_looks_for_the_label_of_an_object() -> None:
    """In every form of a selector that asks for a value; and a policy's own."""
    for selector in ("app=cron", "app in (cron,db)"):
        given = policy("x/p", ingress=[rule(peer("app=db")), rule(peer(selector))])
        assert [
            "NetworkPolicy x/p: spec.ingress[1].from[0].podSelector: app=cron is a label of CronJob x/cron, and no pod "
            "has it: pods get those of spec.template.metadata.labels"
        ] == told(CRON, DB, given)
    assert ["NetworkPolicy x/p: spec.podSelector"] == [
        one.rpartition(": app=cron")[0].partition(": app=cron")[0]
        for one in told(CRON, DB, policy("x/p", "app=cron", ingress=[]))
    ]


def test_where_a_pod_has_the_label_nothing_is_said() -> None:
    """Nor of workloads of namespaces that are not meant, of labels that are not asked for, or whose template has it.

    Nor of a policy in a namespace without pods, of which that is told.
    """
    asks = policy("x/p", ingress=[rule(peer("app=cron"))])

    assert [] == told(CRON, DB, pod("x/other", "app=cron"), asks)
    assert [] == told(CRON, DB, namespace("y"), policy("y/p", ingress=[rule(peer("app=cron"))]))
    assert [] == told(CRON, DB, policy("x/p", ingress=[rule(peer("app=db"))]))
    assert [] == told(labelled(workload("Job", "x/j", 0, "app=cron"), "app=cron"), DB, asks)
    assert 1 == len(told(CRON, DB, pod("y/a"), policy("y/p", ingress=[rule(peer("app=cron", ""))])))
    assert [] == told(CRON, DB, policy("y/p", ingress=[rule(peer("app=cron", ""))]))
