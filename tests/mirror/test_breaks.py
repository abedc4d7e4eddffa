"""Watches that end, servers that go, rights that change: the lab stays, and catches up."""

from __future__ import annotations

import json

import pytest
from mirror.mirrors import Begin, Running, one, pod, policy

from netlab.mirror import inventory

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"


def watched(running: Running, path: str = POLICIES) -> int:
    return sum(at == path for at, _ in running.server.watches)


def listed(running: Running, path: str = POLICIES) -> int:
    return sum(at == path and "watch" not in query for _, at, query in running.server.requests)


def test_a_watch_goes_on_where_it_broke(running: Running) -> None:
    """From the last resourceVersion; nothing is listed anew, and what came meanwhile is not lost."""
    running.until(lambda: watched(running))
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())
    version = running.server.objects[-1]["metadata"]["resourceVersion"]
    running.server.break_watches()
    running.server.put(policy("two"))
    running.until(lambda: "shop/two" in running.names())

    assert (POLICIES, int(version)) in running.server.watches
    assert 1 == listed(running)
    assert [] == running.lines


def test_a_bookmark_is_where_a_watch_goes_on(running: Running) -> None:
    """Of a list without events, whose resourceVersion would grow old."""
    running.server.bookmark = True
    running.server.put(pod("c", "10.244.1.6"))
    running.until(lambda: "shop/c" in running.names() and watched(running) == 1)
    running.mirror.step(0.2)
    running.server.forget()
    running.server.break_watches()
    running.until(lambda: watched(running) == 2)

    assert 1 == listed(running)


@pytest.mark.parametrize("how", ["answer", "event"])
def test_after_410_gone_the_list_tells_the_difference(running: Running, how: str) -> None:
    """As the answer to a watch, or as an event of it. What came and went meanwhile is in force as one change."""
    running.until(lambda: watched(running))
    if how == "answer":
        running.server.down = True
        running.server.break_watches()
    else:
        error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
        running.server.say(json.dumps(error).encode(), POLICIES)
    running.server.delete(policy("deny"))
    running.server.put(policy("new"))
    if how == "answer":
        running.server.forget()
        running.server.down = False
    running.until(lambda: {"shop/new"} <= running.names() and "shop/deny" not in running.names())

    assert 2 == listed(running)
    running.assert_mirrors()


@pytest.mark.parametrize(
    "line", [b"no JSON", b"[]", b'{"type":"ADDED"}', b'{"type":"ODD","object":{"metadata":{"resourceVersion":"1"}}}']
)
def test_an_event_that_is_none_makes_the_list_be_asked_for(running: Running, line: bytes) -> None:
    """What it said is lost, so the list is read anew."""
    running.until(lambda: watched(running))
    running.server.say(line, POLICIES)
    running.until(lambda: listed(running) == 2)
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())


def test_the_lab_stays_while_the_server_is_away(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line when it goes, one when it is back; then what changed meanwhile is in force."""
    running.until(lambda: watched(running))
    running.server.down = True
    running.server.break_watches()
    running.until(lambda: running.said("cluster:prod: the API server does not answer"))
    running.server.put(policy("meanwhile"))
    running.server.delete(pod("a"))
    for _ in range(20):
        running.mirror.step(0.1)
    assert {"shop/a", "shop/b", "shop/deny"} == running.names()
    assert [] == running.mirror.lab.drift()
    running.server.down = False
    running.until(lambda: "shop/meanwhile" in running.names() and "shop/a" not in running.names())

    assert 2 == len(running.lines), running.lines
    assert running.said("cluster:prod: the API server answers again, after ")
    running.assert_mirrors()


def test_an_answer_that_was_on_its_way_is_no_sign_of_a_server_that_is_back(running: Running) -> None:
    """A watch that began before the server went away is answered after that: the server is away all the same."""
    running.server.holds = "/api/v1/pods"
    running.until(lambda: watched(running) and watched(running, "/api/v1/pods"))
    running.server.down = True
    running.server.break_watches()
    running.until(lambda: running.said("does not answer"))
    running.server.held.set()
    for _ in range(20):
        running.mirror.step(0.1)
    assert 1 == len(running.lines), running.lines
    running.server.down = False
    running.until(lambda: running.said("answers again"))

    assert 2 == len(running.lines), running.lines


def test_a_server_is_back_although_no_list_is_due(running: Running) -> None:
    """Each list has a watch that was begun before, and is not answered yet: the kinds are asked."""
    running.until(lambda: watched(running))
    running.mirror._inventory._down("a test says so")
    running.until(lambda: running.said("answers again"))

    assert 2 == len(running.lines), running.lines


def test_a_kind_that_may_not_be_watched_is_listed_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every half minute."""
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.3)
    running.server.unwatched.add(POLICIES)
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())

    assert 0 == watched(running)
    assert [] == running.lines


def test_a_list_that_is_forbidden_for_a_moment_keeps_its_objects(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that starts forbids for a moment. After a minute it counts, and verdicts are unknown."""
    running.until(lambda: watched(running))
    running.server.forbidden |= {POLICIES, POLICIES.replace("networkpolicies", "namespaces/shop/networkpolicies")}
    running.server.forget()
    running.server.break_watches()
    monkeypatch.setattr(inventory, "_LONGEST_WAIT", 0.4)
    running.until(lambda: listed(running) >= 4)
    assert "shop/deny" in running.names()
    assert not running.mirror.lab.cluster.unread
    monkeypatch.setattr(inventory, "FORGIVING_SECONDS", 0.5)
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.5)
    running.until(lambda: running.mirror.lab.cluster.unread)
    assert "shop/deny" not in running.names()
    running.server.forbidden.clear()
    running.until(lambda: "shop/deny" in running.names())

    assert not running.mirror.lab.cluster.unread


def test_a_namespace_that_comes_is_followed_where_only_namespaces_may_be(begin: Begin, running: Running) -> None:
    """A user who may list policies by namespace."""
    running.server.forbidden.add(POLICIES)
    alone = begin()
    alone.server.put(one("Namespace", "later"))
    alone.until(lambda: any(space == "later" for space in alone.mirror.lab.cluster.namespaces))
    alone.server.put({**policy("x"), "metadata": {"name": "x", "namespace": "later"}})
    alone.until(lambda: "later/x" in alone.names())

    assert not alone.mirror.lab.cluster.unread


def test_a_kind_that_comes_is_followed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the installation of a CNI; its policies make verdicts unknown."""
    from sources.api_server import CILIUM

    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.3)
    running.mirror._inventory._kinds_due = 0.0
    running.server.kinds.append(CILIUM)
    running.server.put(
        one("CiliumNetworkPolicy", "c", "shop", "cilium.io/v2", spec={"endpointSelector": {}, "egressDeny": [{}]})
    )
    running.until(lambda: running.mirror.lab.cluster.unread)

    assert running.said("Warning: cluster:prod: CiliumNetworkPolicy shop/c")


def test_a_server_that_expels_its_user_is_away(running: Running) -> None:
    """Credentials that expired: the lab stays, and the line says what to do about it."""
    from sources.api_server import status

    running.until(lambda: watched(running))
    running.server.before = lambda path, query: status(401, "Unauthorized")
    running.server.break_watches()
    running.until(lambda: running.said("the credentials"))
    running.server.before = lambda path, query: None
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())

    assert running.said("answers again")
