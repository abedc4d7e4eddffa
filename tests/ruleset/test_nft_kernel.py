"""The real nft and kernel take the text, and a difference leads to what a fresh load gives."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from netlab.ruleset import Port, compile_rulesets, difference
from netlab.ruleset.elements import writer

PORTS = {f"{ns}/{n}": Port(f"v{ns}{n}", f"02:00:00:00:0{ord(ns) - 120}:0{ord(n) - 97}") for ns in "xyz" for n in "abc"}


def cluster(build, seed, families=(4,)):
    """A cluster of up to nine pods whose labels, addresses and policies are drawn by a seed."""
    draw = random.Random(seed)  # noqa: S311
    cidrs = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
    members = []
    for i, ref in enumerate(PORTS):
        if draw.random() < 0.8:
            own = {4: f"10.244.0.{i + draw.choice((0, 10))}", 6: f"fd00:10:244::{i}"}
            labels = f"app={draw.choice('pqr')}"
            members.append(build.pod(ref, *(own[f] for f in families), labels=labels, ports="http=80/TCP dns=53/UDP"))
    blocks = [
        ("0.0.0.0/0",), ("0.0.0.0/0", "10.0.0.0/8"), ("10.244.0.0/28",), ("10.244.0.0/24", "10.244.0.2/31"),
        ("10.244.0.3/32",), ("192.0.2.0/24", "192.0.2.128/25"), ("128.0.0.0/1",), ("255.255.255.255/32",),
        ("::/0",), ("fd00:10:244::/56", "fd00:10:244::4/126"),
    ]  # fmt: skip
    peers = [
        build.pods(), build.pods("app=p"), build.pods("app notin p"), build.namespaces(),
        build.namespaces("kubernetes.io/metadata.name=x"), build.namespaces(pods=("app=q",)),
        *(build.block(*words) for words in blocks),
    ]  # fmt: skip
    ports = [
        build.port(80), build.port("http"), build.port("dns", "UDP"), build.port(None, "UDP"), build.port(53, "UDP"),
        build.port(80, "TCP", 90), build.port(85, "TCP", 99), build.port(100, "TCP", 65535), build.port(1, "SCTP", 9),
    ]  # fmt: skip

    def rules():
        return [
            build.rule(*draw.sample(peers, draw.randint(0, 3)), *draw.sample(ports, draw.randint(0, 3)))
            for _ in range(draw.randint(0, 3))
        ]

    policies = [
        build.policy(
            f"{draw.choice('xyz')}/p{n}", *draw.choice([(), ("app=p",), ("app=q",)]), ingress=rules(), egress=rules()
        )
        for n in range(draw.randint(0, 4))
    ]
    return build.cluster(members, policies, cidrs=tuple(cidrs[f] for f in families))


def ruleset(build, seed, families=(4,), ports=PORTS):
    return compile_rulesets(cluster(build, seed, families), ports)["node-1"]


@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["IPv4", "dual stack"])
def test_text_loads_and_loads_again(build, nft, families):
    """The text replaces whatever was there, itself included."""
    text = ruleset(build, 1, families).text()

    assert nft(text) == nft(ruleset(build, 2, families).text(), text, text)


def test_text_replaces_a_foreign_table_of_its_name_only(build, nft):
    """Another table stays."""
    other = "table inet other { chain c { counter; }; }\n"
    listed = nft(other, "table inet netlab { chain forward { drop; }; }\n", ruleset(build, 1).text())

    assert listed == nft(other, ruleset(build, 1).text())


@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["IPv4", "dual stack"])
@pytest.mark.parametrize("first", range(0, 40, 8))
def test_differences_lead_to_what_a_fresh_load_gives(build, nft, first, families):
    """A chain of differences, each one transaction, ends where the last text alone does."""
    seeds = [ruleset(build, seed, families) for seed in range(first, first + 8)]
    steps = [difference(old, new).text for old, new in pairwise(seeds)]

    assert all(steps)
    assert nft(seeds[-1].text()) == nft(seeds[0].text(), *steps)


def test_difference_that_replaces_tables_loads(build, nft):
    """Gaining and losing the anti-spoof table are one transaction each."""
    plain, guarded = ruleset(build, 1, ports=None), ruleset(build, 1)

    assert nft(guarded.text()) == nft(plain.text(), difference(plain, guarded).text)
    assert nft(plain.text()) == nft(guarded.text(), difference(guarded, plain).text)


def test_every_number_is_read_as_it_is_written(build, nft):
    """Hundreds of identities and classes come back from the kernel as they were written."""
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
    """Objects that a program made itself may have any name: it stays in its comment."""
    member = build.pod(f"x/{name}", "10.244.0.1", labels="app=p")
    made = build.cluster([member], [build.policy(f"x/{name}", ingress=[build.rule(build.pods("app=p"))])])
    made = replace(made, name=name)
    text = compile_rulesets(made, {member.ref: Port("veth1", "02:00:00:00:00:01")})["node-1"].text()

    assert {"netlab"} == {item["table"]["name"] for item in nft(text) if "table" in item}
