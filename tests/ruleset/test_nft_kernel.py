"""nft and the kernel load the text, and a difference gives the same tables as a fresh load."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from netlab.conformance import random_cases
from netlab.conformance.dual_stack import documents
from netlab.conformance.judges import cluster_of
from netlab.ruleset import Port, compile_rulesets, difference
from netlab.ruleset.elements import writer

PORTS = {f"{ns}/{n}": Port(f"v{ns}{n}", f"02:00:00:00:0{ord(ns) - 120}:0{ord(n) - 97}") for ns in "xyz" for n in "abc"}


def cluster(seed, families=(4,)):
    """Return a random cluster of conformance without some of its pods, in one IP family or in both."""
    draw = random.Random(seed)  # noqa: S311
    (case,) = random_cases.cases(1, seed)
    found = [d for d in case.stages[0].documents if d.kind != "Pod" or draw.random() < 0.8]
    return cluster_of(documents(found) if 6 in families else found)


def ruleset(seed, families=(4,), ports=PORTS):
    return compile_rulesets(cluster(seed, families), ports)["node-1"]


@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["IPv4", "dual stack"])
def test_text_loads_and_loads_again(nft, families):
    """The text replaces any ruleset of netlab, itself included."""
    text = ruleset(1, families).text()

    assert nft(text) == nft(ruleset(2, families).text(), text, text)


@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["IPv4", "dual stack"])
def test_first_text_makes_the_same_tables_without_deleting_any(nft, families):
    """In a namespace without rules it does what the text does."""
    made = ruleset(1, families)

    assert "delete" not in made.first_text()
    assert nft(made.text()) == nft(made.first_text())


def test_text_leaves_tables_of_other_names(nft):
    """It replaces a table of its own name only."""
    other = "table inet other { chain c { counter; }; }\n"
    listed = nft(other, "table inet netlab { chain forward { drop; }; }\n", ruleset(1).text())

    assert listed == nft(other, ruleset(1).text())


@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["IPv4", "dual stack"])
@pytest.mark.parametrize("first", range(0, 40, 8))
def test_differences_give_the_same_tables_as_a_fresh_load(nft, first, families):
    """A chain of differences, each one transaction, against a load of the last text alone."""
    seeds = [ruleset(seed, families) for seed in range(first, first + 8)]
    steps = [difference(old, new).text for old, new in pairwise(seeds)]

    assert all(steps)
    assert nft(seeds[-1].text()) == nft(seeds[0].text(), *steps)


def test_difference_that_replaces_tables_loads(nft):
    """The anti-spoof table comes and goes in one transaction each."""
    plain, guarded = ruleset(1, ports=None), ruleset(1)

    assert nft(guarded.text()) == nft(plain.text(), difference(plain, guarded).text)
    assert nft(plain.text()) == nft(guarded.text(), difference(guarded, plain).text)


def test_every_number_is_read_as_it_is_written(build, nft):
    """The kernel lists hundreds of identities and classes as netlab wrote them."""
    members = [build.pod(f"x/p{n}", f"10.244.{n // 250}.{n % 250 + 1}", labels=f"app=p{n}") for n in range(400)]
    policies = [
        build.policy(f"x/p{n}", f"app=p{n}", ingress=[build.rule(build.pods(f"app=p{n}"), build.port(n + 1))])
        for n in range(400)
    ]
    made = compile_rulesets(build.cluster(members, policies))["node-1"]
    listed = {o["set"]["name"]: o["set"]["elem"] for o in nft(made.text()) if o.get("set", {}).get("elem")}
    entries = {frozenset(map(str, e["elem"]["val"]["concat"])) for e in listed["in_l3l4"]}
    written = {frozenset((writer(("classid",))(key[:1]), *map(str, key[1:]))) for key in made.elements["in_l3l4"]}

    assert 400 == len(written)
    assert written == entries


@pytest.mark.parametrize(
    "name", ['"; flush ruleset; add table inet evil "', "\n}}\nadd table inet evil\n", "é" * 200, "x" * 300]
)
def test_no_name_adds_a_command(build, nft, name):
    """Objects that a program makes may have any name; it cannot end its comment."""
    member = build.pod(f"x/{name}", "10.244.0.1", labels="app=p")
    made = build.cluster([member], [build.policy(f"x/{name}", ingress=[build.rule(build.pods("app=p"))])])
    made = replace(made, name=name)
    text = compile_rulesets(made, {member.ref: Port("veth1", "02:00:00:00:00:01")})["node-1"].text()

    assert {"netlab"} == {item["table"]["name"] for item in nft(text) if "table" in item}
