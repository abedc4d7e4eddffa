"""The transaction from one ruleset to another touches only what differs."""

import dataclasses
import re

from netlab.cluster import resolve
from netlab.conformance.shorthand import document
from netlab.objects import decode
from netlab.ruleset import Port, Transaction, compile_rulesets, difference, differences, replacing
from netlab.ruleset.difference import titles


def touched(old, new):
    """Return verb, set and first word of each element in a difference."""
    found, verb = [], ""
    for line in difference(old, new).text.splitlines():
        if line.endswith("{"):
            verb = " ".join(line.split()[i] for i in (0, 4))
        elif line != "}":
            found.append(f"{verb} {line.split()[0].rstrip(',')}")
    return found


def shop(build, *more, labels="app=web", **kwargs):
    members = [
        build.pod("shop/db", "10.244.0.2", labels="app=db"),
        build.pod("shop/web", "10.244.0.3", labels=labels),
        *more,
    ]
    policies = kwargs.get("policies") or [
        build.policy("shop/db", "app=db", ingress=[build.rule(build.pods("app=web"), build.port(5432))]),
        build.policy("shop/web", "app=web", egress=[build.rule(build.port(53, "UDP"))]),
    ]
    return compile_rulesets(build.cluster(members, policies), kwargs.get("ports"))["node-1"]


def test_nothing_differs(build):
    """Equal rulesets need no transaction."""
    assert Transaction() == difference(shop(build), shop(build))


def test_new_pod_with_known_labels(build):
    """A pod with the labels of another pod adds its identity and its class."""
    new = shop(build, build.pod("shop/web-2", "10.244.0.4", labels="app=web"))

    assert ["add id4 10.244.0.4", "add eg4 10.244.0.4"] == touched(shop(build), new)
    assert ["delete id4 10.244.0.4", "delete eg4 10.244.0.4"] == touched(new, shop(build))
    assert 2 == difference(shop(build), new).elements


def test_new_pod_that_no_policy_and_no_peer_selects(build):
    """It changes nothing."""
    assert Transaction() == difference(shop(build), shop(build, build.pod("ops/a", "10.244.0.4")))


def test_relabelled_pod(build):
    """A map's value changes by delete and add in one transaction."""
    old, new = shop(build), shop(build, labels="app=db")
    kinds = {line.split()[1] for line in touched(old, new)}

    assert "delete id4 10.244.0.3" in touched(old, new)
    assert "add in4 10.244.0.3" in touched(old, new)
    assert {"id4", "in4", "eg4", "in_l3l4", "eg_l4"} == kinds


def test_changed_value_is_deleted_first(build):
    """An element with another value is deleted and added, and counts once."""
    blue, green = (build.rule(build.pods(f"app={n}"), build.port(80)) for n in ("blue", "green"))
    policies = [build.policy("shop/db", "app=db", ingress=[blue, green])]
    keep = [build.pod(f"shop/{n}", f"10.244.0.{i}", labels=f"app={n}") for i, n in ((8, "blue"), (9, "green"))]
    old = shop(build, *keep, labels="app=blue", policies=policies)
    new = shop(build, *keep, labels="app=green", policies=policies)

    assert ["delete id4 10.244.0.3", "add id4 10.244.0.3"] == touched(old, new)
    assert 1 == difference(old, new).elements


def test_changed_port(build):
    """A changed rule changes its entries, and neither the class nor the pods."""
    policies = [
        build.policy("shop/db", "app=db", ingress=[build.rule(build.pods("app=web"), build.port(p))]) for p in (80, 81)
    ]
    old, new = (shop(build, policies=[p]) for p in policies)

    assert {"delete in_l3l4", "add in_l3l4"} == {line.rsplit(" ", 1)[0] for line in touched(old, new)}
    assert 2 == difference(old, new).elements


def test_comments_alone_are_no_difference(build):
    """Comments do not change what the ruleset does."""
    old = shop(build)
    elements = {
        name: {key: dataclasses.replace(e, comment="other") for key, e in found.items()}
        for name, found in old.elements.items()
    }

    assert Transaction() == difference(old, dataclasses.replace(old, elements=elements))


def test_replacing_deletes_the_tables_of_all_modes():
    """If the tables of a node are not known, the file deletes all that netlab may have made, and adds the new ones."""
    for mode in ("bridge", "overlay", "routed", "macvlan"):
        topology = document(
            "Topology", "t", {"networks": [{"name": "default", "mode": mode}], "nodes": [{"name": "n"}]}
        )
        ruleset = compile_rulesets(resolve(decode([topology])[0]))["n"]
        text = replacing(ruleset)

        assert {table.title for table in ruleset.tables} <= set(titles())
        assert set(titles()) == set(re.findall("^delete table (.*)$", text, re.MULTILINE))
        assert text.endswith(ruleset.text())


def test_tables_come_and_go(build):
    """A table that only one ruleset has is defined or deleted; the others are not touched."""
    ports = {"shop/db": Port("veth1", "02:00:00:00:00:01"), "shop/web": Port("veth2", "02:00:00:00:00:02")}
    plain, guarded = shop(build), shop(build, ports=ports)
    added = difference(plain, guarded).text

    assert added.startswith("table bridge netlab\ndelete table bridge netlab\ntable bridge netlab {")
    assert guarded.text().endswith(added.split("delete table bridge netlab\n")[1])
    assert "table bridge netlab\ndelete table bridge netlab\n" == difference(guarded, plain).text


def test_new_bridged_pod_with_its_port(build):
    """The anti-spoof table changes by elements too."""
    ports = {f"shop/{n}": Port(f"veth{n}", "02:00:00:00:00:01") for n in ("db", "web", "web-2")}
    new = shop(build, build.pod("shop/web-2", "10.244.0.4", labels="app=web"), ports=ports)

    assert [
        "add id4 10.244.0.4",
        "add eg4 10.244.0.4",
        'add pod_ports "vethweb-2"',
        'add own4 "vethweb-2"',
    ] == touched(shop(build, ports=ports), new)


def test_interval_sets_are_written_anew(build):
    """nft 1.0.6 fails on deletes beside adds in one interval set, so the set is flushed and filled."""
    blocks = [build.block("10.0.0.0/8"), build.block("192.0.2.0/24"), build.block("255.255.255.255/32")]
    old, new = (
        shop(build, policies=[build.policy("shop/db", "app=db", ingress=[build.rule(*found, build.port(80))])])
        for found in (blocks[:2], blocks[1:])
    )
    lines = difference(old, new).text.splitlines()

    assert "flush map inet netlab cidr4" in lines
    assert ["192.0.2.0/24", "255.255.255.255"] == [
        line.split()[0] for line in lines[lines.index("add element inet netlab cidr4 {") + 1 :][:2]
    ]
    assert not any(line.startswith("delete element inet netlab cidr4") for line in lines)
    assert "masq4" not in difference(old, new).text


def test_differences_of_all_nodes(build):
    """They have the difference of every node that has an old and a new ruleset."""
    members = [build.pod(f"x/{n}", f"10.244.0.{n}", node=f"node-{n}", attachment="overlay") for n in (1, 2)]
    policies = [build.policy("x/p", ingress=[build.rule(build.pods())])]
    nodes = ("node-1", "node-2")
    old = compile_rulesets(build.cluster(members[:1], policies, nodes=nodes, mode="overlay"))
    new = compile_rulesets(build.cluster(members, policies, nodes=nodes, mode="overlay"))

    assert {node: difference(old[node], new[node]) for node in nodes} == differences(old, new)
    assert ["node-2"] == list(differences({"node-2": old["node-2"]}, new))
    assert "10.244.0.2" in differences(old, new)["node-1"].text
