"""Which choices of a profile decided: those that the reason names, and those without which the verdict is another."""

from __future__ import annotations

from dataclasses import replace

from builders import cluster, flow, peer, pod, policy, rule, topology

from netlab import profiles
from netlab.cluster import Cluster
from netlab.objects.profiles import Choice, Profile, Quirk
from netlab.policy.deciding import deciding, lines
from netlab.policy.evaluate import evaluate
from netlab.policy.explain import explain
from netlab.profiles.sources import decided

CILIUM = profiles.named("cilium")


def under(profile: Profile | None, of: Cluster) -> Cluster:
    """Return a cluster with the policy settings of a profile."""
    if profile is None:
        return of
    return replace(of, profile=profile, policy=replace(of.policy, **profile.policy))


def shop() -> Cluster:
    block = policy("x/p", "app=b", ingress=[rule(peer(cidr="10.0.0.0/8"))])
    return cluster(topology(["n"]), pod("x/a", "app=a"), pod("x/b", "app=b"), block)


def names(of: Cluster, source: str, destination: str) -> list[str]:
    return [one.name for one in deciding(of, evaluate(of, flow(of, source, destination)))]


def test_a_choice_without_which_the_verdict_is_another_decided() -> None:
    """Also if the reason does not name it; a choice that changes nothing did not decide."""
    of = under(CILIUM, shop())

    assert ["ipBlockPods"] == names(of, "x/a", "x/b")
    assert [] == names(of, "x/b", "x/a")
    assert [] == names(shop(), "x/a", "x/b")


def test_a_setting_that_the_topology_writes_is_no_choice_of_the_profile() -> None:
    """Its value in the reason is not the profile's."""
    choice = Choice("ipBlockPods", "ignore", "DOC", "the book")
    profile = Profile("mine", choices=(choice,))

    assert [choice] == list(decided(profile, "denied (ipBlockPods: ignore)"))
    assert [choice] == list(decided(profile, "denied (spec.policy.ipBlockPods: ignore) (ipBlockPods: ignore)"))
    assert [] == list(decided(profile, "denied (ipBlockPods: match)"))
    assert [] == list(decided(profile, "ipBlockPods: ignore"))
    assert [] == list(decided(None, "denied (ipBlockPods: ignore)"))


def test_a_line_has_the_mark_and_the_source_and_what_else_is_documented() -> None:
    """The behaviour in words that the choice carries out, with its own source; a GUESS is called one."""
    choice = Choice("ipBlockPods", "ignore", "GUESS", "our reading", "Blocks are for outside.")
    quirk = Quirk("Pods are identities.", "DOC", "the book", ("ipBlockPods",))
    mine = Profile("mine", choices=(choice,), policy={"ip_block_pods": "ignore"}, quirks=(quirk,))
    of = under(mine, shop())

    assert [
        "mine: ipBlockPods: ignore (GUESS: our reading): Blocks are for outside.",
        "mine: Pods are identities. (DOC: the book)",
    ] == list(lines(of, evaluate(of, flow(of, "x/a", "x/b"))))


def test_explain_has_the_choices_below_the_reason() -> None:
    """With a profile only."""
    of = under(CILIUM, shop())
    text = str(explain(of, flow(of, "x/a", "x/b")))

    assert "cilium: ipBlockPods: ignore (DOC: Cilium: CIDR rules do not apply" in text
    assert "cilium" not in str(explain(shop(), flow(shop(), "x/a", "x/b")))
