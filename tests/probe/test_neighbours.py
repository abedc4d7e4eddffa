"""Permanent neighbours are added where a probe needs them; entries of users stay."""

from __future__ import annotations

import errno

import pytest
from builders import flow, pod, topology

from netlab.cluster.flows import every_pair
from netlab.dataplane import names
from netlab.kernel import neighbours as tables
from netlab.probe import attempt, measure, neighbours

DUAL = ("10.244.0.0/16", "fd00:10:244::/56")
TWO_NODES = (
    topology(["n1", "n2"], hosts={"client": ["192.0.2.10"]}),
    pod("x/a", node="n1"),
    pod("x/b", node="n1"),
    pod("x/c", node="n2"),
)


def test_no_probe_needs_arp(lab):
    """After all pairs were probed, every entry is permanent, so the host's shared table does not fill."""
    running = lab(*TWO_NODES)
    list(measure(running.cluster, every_pair(running.cluster, nodes=True)))
    entries = {ref: running.ip(ref, "-4", "neigh").splitlines() for ref in running.cluster.by_ref}

    assert not [line for lines in entries.values() for line in lines if "PERMANENT" not in line]
    assert min(map(len, entries.values())) > 0


def test_an_entry_has_the_mac_that_arp_would_find(lab):
    """The MAC is the one that the other pod's interface has."""
    running = lab(*TWO_NODES)
    running.probe("x/a", "x/b")
    b = running.cluster.by_ref["x/b"].addresses[0]

    assert f"{b} dev eth0 lladdr {names.mac_of(b)} PERMANENT" in running.ip("x/a", "neigh")
    assert names.mac_of(b) in running.ip("x/b", "link", "show", "eth0")


def test_an_existing_entry_stays(lab, monkeypatch):
    """A user added it: the probe is lost, and the verdict is inconclusive."""
    monkeypatch.setattr(attempt, "WAITS", (0.01, 0.01, 0.01))
    running = lab(*TWO_NODES)
    b = running.cluster.by_ref["x/b"].addresses[0]
    running.ip("x/a", "neigh", "add", str(b), "lladdr", "0a:00:00:00:00:99", "dev", "eth0", "nud", "permanent")
    before = running.ip("x/a", "neigh")

    assert "inconclusive" == running.probe("x/a", "x/b").verdict
    assert before == running.ip("x/a", "neigh")


@pytest.mark.parametrize("keep", [0, 10_000])
def test_a_large_run_deletes_its_entries(lab, monkeypatch, keep):
    """The kernel's memory for them is bounded; few of them may stay."""
    monkeypatch.setattr(neighbours, "KEEP", keep)
    running = lab(*TWO_NODES)
    before = running.ip("x/a", "neigh")
    flows = [flow(running.cluster, "x/a", "x/b"), flow(running.cluster, "x/b", "x/a")]
    measured = [m.verdict for m in measure(running.cluster, flows)]

    assert ["allow", "allow"] == measured
    assert (before == running.ip("x/a", "neigh")) == (keep == 0)


@pytest.mark.parametrize("keep", [0, 10_000])
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_what_the_wiring_pinned_stays(lab, monkeypatch, mode, keep):
    """Nodes and outside hosts keep their entries after a run that deletes its own."""
    monkeypatch.setattr(neighbours, "KEEP", keep)
    running = lab(
        topology(["n1", "n2"], hosts={"client": ["192.0.2.10", "2001:db8::10"]}, mode=mode, cidrs=DUAL),
        *TWO_NODES[1:],
        pod("x/onhost", node="n1", host=True),
    )
    wired = {ref: set(running.ip(ref, "neigh").splitlines()) for ref in running.cluster.by_ref}
    list(measure(running.cluster, every_pair(running.cluster, nodes=True)))

    assert {} == {ref: gone for ref, of in wired.items() if (gone := of - set(running.ip(ref, "neigh").splitlines()))}


def test_an_entry_for_an_address_that_another_pod_may_get_is_deleted(lab):
    """A dual-stack pod's MAC follows from its IPv4 address, so an entry for its IPv6 address goes with the run."""
    running = lab(topology(["n1"], cidrs=DUAL), pod("x/a"), pod("x/b"))
    list(measure(running.cluster, every_pair(running.cluster)))
    b4, b6 = (str(address) for address in running.cluster.by_ref["x/b"].addresses)

    assert (True, False) == (b4 in running.ip("x/a", "neigh"), b6 in running.ip("x/a", "neigh"))


def test_a_run_with_too_few_open_files_has_one_open_table_at_a_time(lab, monkeypatch):
    """Open tables save time; a run that has room for its sockets alone measures the same."""

    class Scarce(tables.Table):
        now = most = 0

        def __init__(self):
            if Scarce.now == 2:
                raise OSError(errno.EMFILE, "Too many open files")
            super().__init__()
            Scarce.now += 1
            Scarce.most = max(Scarce.most, Scarce.now)

        def close(self):
            super().close()
            Scarce.now -= 1

    running = lab(*TWO_NODES)
    flows = list(every_pair(running.cluster, nodes=True))
    wanted = [m.verdict for m in measure(running.cluster, flows)]
    monkeypatch.setattr(tables, "Table", Scarce)

    assert wanted == [m.verdict for m in measure(running.cluster, flows)]
    assert (0, 2) == (Scarce.now, Scarce.most)
