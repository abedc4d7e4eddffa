"""A network between machines that loses packets: a lost probe is no denial."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import pytest
from machines.agents import Agents
from machines.labs import allowing, documents, written

_LOSS = """table bridge loss
delete table bridge loss
table bridge loss {
  chain c {
    type filter hook forward priority 0
    udp dport 4789 numgen random mod 100 < PERCENT counter drop
  }
}
"""


def lose(on: Agents, percent: int) -> None:
    """Lose a share of the packets of the tunnels between machines; packets of etcd do not pass there."""
    argv = ["nsenter", "-t", str(on.on.wire), "-n", "nft", "-f", "-"]
    subprocess.run(argv, input=_LOSS.replace("PERCENT", str(percent)), text=True, check=True)


def lost(on: Agents) -> int:
    """Return how many packets were lost."""
    argv = ["nsenter", "-t", str(on.on.wire), "-n", "nft", "-j", "list", "chain", "bridge", "loss", "c"]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["nftables"]
    return sum(
        part["counter"]["packets"]
        for one in found
        if "rule" in one
        for part in one["rule"]["expr"]
        if "counter" in part
    )


def more_pods(count: int) -> str:
    """Return pods beside those of ``documents``, on three nodes by turns."""
    text = "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: q{number}}}\n"
    pod = text + "spec: {{nodeName: n{node}, containers: [{{name: c}}]}}\n"
    return "".join(pod.format(number=number, node=number % 3 + 1) for number in range(count))


@pytest.mark.parametrize("percent", [1, 10])
def test_a_lossy_network_denies_nothing_and_allows_nothing(agents, unique, tmp_path, percent):
    """Every verdict is that of the policies, or says that it is not known; most are known."""
    lab, on = unique("lossy"), agents("m1", "m2", "m3")
    text = documents(lab, "overlay", 3, families=(4,)) + more_pods(30) + allowing("p3", "p2") + allowing("p1", "p3")
    on.netlab("m1", "up", "-f", written(tmp_path, text))
    lose(on, percent)
    rows = json.loads(on.on["m1"].netlab("verify", "-o", "json").stdout)["rows"]
    found = Counter((row["expected"], row["measured"]) for row in rows)

    assert lost(on) > 5
    assert 33 * 32 == len(rows)
    assert not {("allow", "deny"), ("deny", "allow")} & found.keys(), found
    assert found["allow", "allow"] + found["deny", "deny"] > 0.95 * len(rows), found
    lose(on, 0)
    on.netlab("m1", "down", lab)
