"""Labels of workload objects that policies look for on pods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import labels, namespace, objects, peer, pod, policy, rule, workload

from netlab.cluster import resolve
from netlab.objects.types import Workload
from netlab.policy.misplaced import misplaced


def labelled(of: Workload, text: str) -> Workload:
    """Return a workload whose object has labels that its pods do not have."""
    return replace(of, meta=replace(of.meta, labels=labels(text)))


CRON = labelled(workload("CronJob", "x/cron", 1), "app=cron,tier=batch")
DB = pod("x/db", "app=db")


def warned(*things: Any) -> list[str]:
    found = objects(*things)
    return [f"{p.object}: {p.path}: {p.message}" for p in misplaced(resolve(found), found.workloads)]


def test_a_peer_that_looks_for_the_label_of_an_object() -> None:
    """There is a warning for every form of selector with a value, in peers and in the policy itself."""
    for selector in ("app=cron", "app in (cron,db)"):
        given = policy("x/p", ingress=[rule(peer("app=db")), rule(peer(selector))])
        assert [
            "NetworkPolicy x/p: spec.ingress[1].from[0].podSelector: app=cron is a label of CronJob x/cron, and no pod "
            "has it: pods get those of spec.template.metadata.labels"
        ] == warned(CRON, DB, given)
    assert ["NetworkPolicy x/p: spec.podSelector"] == [
        one.rpartition(": app=cron")[0].partition(": app=cron")[0]
        for one in warned(CRON, DB, policy("x/p", "app=cron", ingress=[]))
    ]


def test_there_is_no_warning_if_a_pod_has_the_label() -> None:
    """Nor for workloads of other namespaces, for other labels, or for labels that the template has.

    Nor for a policy in a namespace without pods, which has a warning of its own.
    """
    asks = policy("x/p", ingress=[rule(peer("app=cron"))])

    assert [] == warned(CRON, DB, pod("x/other", "app=cron"), asks)
    assert [] == warned(CRON, DB, namespace("y"), policy("y/p", ingress=[rule(peer("app=cron"))]))
    assert [] == warned(CRON, DB, policy("x/p", ingress=[rule(peer("app=db"))]))
    assert [] == warned(labelled(workload("Job", "x/j", 0, "app=cron"), "app=cron"), DB, asks)
    assert 1 == len(warned(CRON, DB, pod("y/a"), policy("y/p", ingress=[rule(peer("app=cron", ""))])))
    assert [] == warned(CRON, DB, policy("y/p", ingress=[rule(peer("app=cron", ""))]))
