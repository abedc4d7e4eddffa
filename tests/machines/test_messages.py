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
