"""What the lab refuses is left out with a line, and the rest goes on."""

from __future__ import annotations

import pytest
from mirror.mirrors import Begin, Running, node, one, pod, policy

from netlab.errors import KernelError
from netlab.mirror import mirror

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
WRONG = {"policyTypes": ["Sideways"]}


def test_the_rest_of_a_change_is_in_force(running: Running) -> None:
    """One of three objects is refused; it is tried again when it changes."""
    running.server.put(policy("good"), policy("bad", **WRONG), pod("c", "10.244.1.6"))
    running.until(lambda: {"shop/good", "shop/c"} <= running.names())
    assert 1 == sum(
        "left out: cluster:prod: NetworkPolicy shop/bad: spec.policyTypes" in line for line in running.lines
    )
    running.server.put(policy("bad"))
    running.until(lambda: "shop/bad" in running.names())

    running.assert_mirrors()


def test_a_refused_policy_makes_verdicts_unknown(running: Running) -> None:
    """It could have changed them. When it goes, they are known again."""
    running.server.put(policy("bad", **WRONG))
    running.until(lambda: running.mirror.lab.cluster.unread)
    assert ["shop"] == [one.meta.namespace for one in running.mirror.lab.cluster.unread]
    running.server.put(policy("more"))
    running.until(lambda: "shop/more" in running.names())
    assert running.mirror.lab.cluster.unread
    running.server.delete(policy("bad"))
    running.until(lambda: not running.mirror.lab.cluster.unread)

    running.assert_mirrors()


def test_a_lab_is_built_without_what_is_refused(begin: Begin, running: Running) -> None:
    """At the start as later."""
    running.server.put(policy("bad", **WRONG), pod("lost", "10.244.9.1", on=9))
    second = begin()

    assert {"shop/a", "shop/b", "shop/deny"} == second.names()
    assert second.said("NetworkPolicy shop/bad")
    assert second.said("Pod shop/lost")


def test_two_pods_of_one_address(running: Running) -> None:
    """As while the cluster's CNI gives an address again: one is left out until the other is gone."""
    running.server.put(pod("c", "10.244.1.5"))
    running.until(lambda: running.said("10.244.1.5"))
    running.server.delete(pod("a"))
    running.until(lambda: "shop/c" in running.names() and "shop/a" not in running.names())

    running.assert_mirrors()


def test_many_objects_with_one_message_are_one_line(running: Running) -> None:
    """As the pods of a node that goes."""
    running.server.put(*(pod(f"p{number}", f"10.244.2.{number + 20}", on=2) for number in range(20)))
    running.until(lambda: "shop/p19" in running.names())
    running.server.delete(node(2))
    running.until(lambda: len(running.mirror.lab.cluster.nodes) == 1)

    assert 1 == sum(line.startswith("left out") for line in running.lines)
    assert running.said("(and 20 more)")


def test_a_change_that_the_host_fails_to_make_is_tried_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line; the lab stays as it was until then."""
    monkeypatch.setattr(mirror, "AGAIN_SECONDS", 0.3)
    nft = running.machine.nft

    def fails(name: str, script: str) -> None:
        raise KernelError("nft", 28)

    monkeypatch.setattr(running.machine, "nft", fails)
    running.server.put(policy("one"))
    running.until(lambda: running.said("a change is not in force: nft: No space left on device; netlab tries again"))
    assert "shop/one" not in running.names()
    monkeypatch.setattr(running.machine, "nft", nft)
    running.until(lambda: "shop/one" in running.names())

    running.assert_mirrors()


def test_a_cluster_that_grows_beyond_what_a_user_agreed_to_changes_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, until there are fewer pods: strangers may make pods without an end."""
    monkeypatch.setattr(mirror, "AGAIN_SECONDS", 0.1)
    running.mirror._most_pods = 3
    many = [pod(f"p{number}", f"10.244.1.{number + 20}") for number in range(4)]
    running.server.put(*many)
    running.until(lambda: running.said("the cluster has 6 pods now; say --yes to mirror more than 3"))
    for _ in range(5):
        running.mirror.step(0.1)
    running.server.delete(*many[1:])
    running.until(lambda: "shop/p0" in running.names())

    assert {"shop/a", "shop/b", "shop/deny", "shop/p0"} == running.names()
    assert 1 == len(running.lines), running.lines


def test_a_change_that_broke_off_is_repaired(running: Running) -> None:
    """As after a command that was killed in the middle of a change of the lab."""
    from dataclasses import replace

    lab = running.mirror.lab
    record = lab.records.load(lab.name)
    assert record is not None
    lab.records.save(replace(record, ready=False))
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())

    assert [] == running.lines
    running.assert_mirrors()


def test_more_than_fits_is_not_taken(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab stays, a line says it, and what fits again is in force."""
    from netlab.mirror import inventory

    monkeypatch.setattr(mirror, "AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(inventory, "MOST_MEMORY", 10)
    running.server.put(policy("one"))
    running.until(lambda: running.said("its objects take too much memory; mirror single namespaces with -n"))
    assert "shop/one" not in running.names()
    monkeypatch.setattr(inventory, "MOST_MEMORY", 1 << 30)
    running.until(lambda: "shop/one" in running.names())


def test_a_lab_that_is_gone_ends_the_command(running: Running) -> None:
    """Another command removed it."""
    from netlab.errors import UsageError
    from netlab.lab import removal

    removal.remove("mirrored", running.machine)
    running.server.put(one("Namespace", "new"))

    with pytest.raises(UsageError, match="lab mirrored is gone"):
        running.until(lambda: False)
