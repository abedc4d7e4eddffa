"""Policies that almost select a pod."""

from __future__ import annotations

from typing import Any

import pytest
from builders import cluster, flow, labels, pod, policy, rule, selector, source

from netlab.policy.almost import almost_selects
from netlab.policy.explain import explain
from netlab.policy.warnings import warnings


@pytest.mark.parametrize(
    ("selecting", "having", "why"),
    [
        ("app=web,tier=front", "app=web", "tier=front, found no tier"),
        ("app=web,tier=front", "app=web,tier=back", "tier=front, found tier=back"),
        ("app=web,tier in (a,b)", "app=web", "tier in (a,b), found no tier"),
        ("app=web,!old", "app=web,old=1", "!old, found old=1"),
        ("app=web", "app=wbe", "app=web, found app=wbe"),
        ("app=web", "app=Web", "app=web, found app=Web"),
        ("app=database", "app=databse", "app=database, found app=databse"),
        ("name=web", "app.kubernetes.io/name=web", "name=web, found no name"),
        ("app=web", "app=db", ""),
        ("app=web-1", "app=web-2", ""),
        ("app=web", "", ""),
        ("app=web", "app=web", ""),
        ("app=web,tier=front", "app=db", ""),
        ("", "", ""),
    ],
)
def test_a_selector_almost_selects_if_one_requirement_fails(selecting: str, having: str, why: str) -> None:
    """Other requirements hold, or the value is misspelt or under another key."""
    assert why == almost_selects(selector(selecting), labels(having))


def warned(*things: Any) -> list[str]:
    found = [problem for problem in warnings(cluster(*things)) if problem.rule == "almost-selects"]
    return [f"{problem.object}: {problem.path}: {problem.message}" for problem in found]


FRONT = policy("x/front", "app=web,tier=front", ingress=[])
WEB = pod("x/web", "app=web,tier=front")


def test_check_warns_of_pods_that_lack_a_label() -> None:
    """It lists the pods that no policy selects in the direction."""
    pods = [pod(f"x/new{i}", "app=web") for i in range(7)]

    assert [
        "NetworkPolicy x/front: spec.podSelector: almost selects x/new0, x/new1, x/new2, x/new3, x/new4 and 2 more, "
        "which no policy selects for ingress: tier=front, found no tier; if it should, add the label"
    ] == warned(FRONT, WEB, *pods)


@pytest.mark.parametrize(
    "things",
    [
        pytest.param([pod("x/b", "app=web,tier=back")], id="another value"),
        pytest.param([pod("x/b", "app=web"), policy("x/all", ingress=[])], id="another policy selects it"),
        pytest.param([pod("y/b", "app=web")], id="another namespace"),
        pytest.param([pod("x/b", "app=web", host=True)], id="a host-network pod"),
        pytest.param([pod("x/b", "app=db")], id="two requirements fail"),
    ],
)
def test_check_does_not_warn(things: list[Any]) -> None:
    """If another value is likely intended, or a policy cannot or need not select the pod."""
    assert [] == warned(FRONT, WEB, *things)


def test_explain_names_what_almost_selects() -> None:
    """On a side that no policy isolates, and on no other side."""
    near = policy("x/front", "app=web,tier=front", ingress=[], source=source(7))
    of = cluster(near, pod("x/a"), pod("x/b", "app=web,tier=back"))
    text = str(explain(of, flow(of, "x/a", "x/b")))
    isolated = cluster(near, pod("x/a"), pod("x/b", "app=web,tier=back"), policy("x/all", ingress=[rule()]))

    assert (
        "  No NetworkPolicy selects it for ingress, so everything is allowed.\n"
        "  NetworkPolicy x/front (test.yaml:7) almost selects it: tier=front, found tier=back\n"
    ) in text
    assert "almost" not in str(explain(isolated, flow(isolated, "x/a", "x/b")))
