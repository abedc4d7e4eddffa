"""What is the same in every mode: the kernel holds what was wanted, and is brought back to it."""

from __future__ import annotations

import pytest
from builders import pod, topology

MODES = ("bridge", "overlay", "routed", "macvlan")


@pytest.mark.parametrize("mode", MODES)
def test_what_was_built_is_what_was_wanted(lab, mode):
    """Every link, address, route and neighbour is read back as it was wanted."""
    running = lab(topology(["a", "b"], mode=mode, hosts={"client": ["192.0.2.10"]}), pod("x/a", node="a"))

    assert [] == running.drift()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "cidrs", [["10.244.0.0/16"], ["10.244.0.0/16", "fd00:10:244::/56"]], ids=["IPv4", "dual-stack"]
)
def test_without_policy_the_table_of_modes_decides(lab, disagreements, mode, cidrs):
    """Every pair has the verdict that the wiring alone gives it, nodes and outside hosts included."""
    running = lab(
        topology(["a", "b"], mode=mode, cidrs=cidrs, hosts={"client": ["192.0.2.10", "2001:db8::10"][: len(cidrs)]}),
        pod("x/a", node="a"),
        pod("x/near", node="a"),
        pod("x/b", node="b"),
        pod("x/on-node", node="b", host=True),
        pod("x/alone", node="b", network="none"),
    )

    assert [] == disagreements(running, nodes=True)
