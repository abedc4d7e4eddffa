"""What commands print about labs on many machines."""

from __future__ import annotations

import json
import re

from machines.agents import until
from machines.labs import documents, written


def test_up_counts_what_all_agents_changed(agents, unique, tmp_path):
    """The number of changes is the sum of those in the agents' reports."""
    lab, on = unique("counts"), agents("m1", "m2")
    done = on.on["m1"].netlab("up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    steps = [json.loads(on.value(f"reports/{lab}/{name}"))["steps"] for name in ("m1", "m2")]
    found = re.search(r"(\d+) changes to the network, 2 rulesets loaded", done.stderr)

    assert min(steps) > 10
    assert found, done.stderr
    assert sum(steps) == int(found[1])


def test_down_without_etcd_says_that_the_agent_builds_its_part_again(agents, unique, tmp_path):
    """The agent does so, and ``down`` with ``--etcd`` removes the lab from all machines."""
    lab, on = unique("part"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    done = on.on["m1"].netlab("down", lab, "--etcd", "")

    assert f"lab/{lab} deleted\n" == done.stdout
    assert f"the agent builds it again; remove the lab with: netlab down {lab} --etcd URL\n" in done.stderr
    until(lambda: on.on["m1"].drive("inodes", lab=lab))
    assert "builds it again" not in on.on["m2"].netlab("down", lab).stderr
    on.nothing_left()


def test_a_command_says_that_it_waits_for_etcd(agents):
    """Once, after a second; it ends with exit code 3 after its patience."""
    on = agents("m1", start=False)
    on.members[0].kill()
    code, error = on.refused("m1", "get", "labs")
    first, second = error.splitlines()

    assert 3 == code
    assert f"waiting for etcd: {on.url}: Connection refused" == first
    assert f"Error: etcd is not reached: {on.url}: Connection refused; check" in second


def test_a_lab_is_ready_again_after_a_refused_change(agents, unique, tmp_path):
    """One machine could not prepare the change, and the other one could: both report what is in force once more."""
    lab, on = unique("refused"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    on.on["m2"].run("ip", "netns", "add", f"netlab.{lab}.pod.default.p9")
    more = "apiVersion: v1\nkind: Pod\nmetadata: {name: p9}\nspec: {nodeName: n2, containers: [{name: c}]}\n"
    _, error = on.refused("m1", "apply", "--lab", lab, "-f", written(tmp_path, more))

    assert f"machine m2: network namespace netlab.{lab}.pod.default.p9: File exists" in error
    assert "Warning" not in on.on["m1"].netlab("get", "labs").stderr
    until(lambda: "Ready" in on.netlab("m1", "get", "labs"), lambda: on.netlab("m1", "get", "labs"))


def test_a_link_between_two_machines_is_refused_once(agents, unique, tmp_path):
    """The command refuses it before machines hear of it."""
    lab, on = unique("links"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    error = on.refused("m1", "impair", "--lab", lab, "n1", "n2", "--delay", "20ms")
    what = "a lab on several machines cannot have this: spec.links between two machines: node:n1 and node:n2"

    assert (2, f"Error: {what}\n") == error
