"""Many flows are measured in blocks, by children of this process, which end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import tracemalloc
from collections import Counter

import pytest
from builders import flow, peer, pod, policy, rule

from netlab.cluster.flows import every_pair
from netlab.errors import KernelError
from netlab.kernel.child import Child
from netlab.policy.evaluate import evaluate
from netlab.probe import engine, filters, measure
from netlab.probe.worker import Worker


@pytest.fixture
def forked(monkeypatch):
    """Blocks of fifty flows, each in a child; what is yielded are the ids of the children that were started.

    The test runner may have threads of its own, which measuring asks about: here nothing that they lock is used.
    """
    monkeypatch.setattr(engine, "BLOCK", 50)
    monkeypatch.setattr(engine, "_WORTH_FORKING", 50)
    monkeypatch.setattr(engine, "may_fork", lambda cluster: True)
    pids = []

    class Known(Child):
        def __init__(self, work):
            super().__init__(work)
            pids.append(self._pid)

    monkeypatch.setattr(engine, "Child", Known)
    return pids


def gone(pids: list[int]) -> bool:
    """Say whether the processes are ended and waited for."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
    return True


def a_few(lab):
    """Twelve pods of three groups; each group is open to one of them."""
    pods = [pod(f"x/p{i:02}", f"group={i % 3}", ports=["80", "53/UDP"]) for i in range(12)]
    return lab(*pods, policy("x/closed", "", ingress=[rule(peer("group=1"), ports=["80"])]))


def test_children_measure_what_this_process_would(lab, forked):
    """Every verdict is the evaluator's, in the order of the flows, the last and shorter block included."""
    running = a_few(lab)
    flows = list(every_pair(running.cluster))

    measured = [(m.flow, m.verdict) for m in measure(running.cluster, flows)]

    assert [(f, evaluate(running.cluster, f).verdict) for f in flows] == measured
    assert Counter({"deny": 220, "allow": 44}) == Counter(verdict for _, verdict in measured)
    assert 6 == len(forked)
    assert gone(forked)


def test_a_lost_probe_in_a_child_is_inconclusive(lab, forked, monkeypatch):
    """Where a path loses everything, no verdict is deny."""
    monkeypatch.setattr("netlab.probe.attempt.WAITS", (0.02, 0.02, 0.02))
    text = "table inet t {\nchain c {\ntype filter hook forward priority 0; policy drop;\n}\n}\n"
    running = lab(pod("x/a"), pod("x/b"), nft={"node-1": text})
    flows = [flow(running.cluster, "x/a", "x/b", f"{port}/TCP") for port in range(100, 220)]

    assert {"inconclusive"} == {m.verdict for m in measure(running.cluster, flows)}
    assert 3 == len(forked)


def test_the_first_measurement_comes_before_the_last_flow_is_read(lab, forked):
    """Flows are read a few blocks ahead, and never all."""
    running = lab(pod("x/a"), pod("x/b"))
    asked = []

    def flows():
        for port in range(100, 1100):
            asked.append(port)
            yield flow(running.cluster, "x/a", "x/b", f"{port}/TCP")

    measurements = measure(running.cluster, flows())
    first = next(measurements)

    assert (100, "allow") == (first.flow.port, first.verdict)
    assert len(asked) <= 50 * (engine.WORKERS + 1)
    assert list(range(101, 1100)) == [m.flow.port for m in measurements]


@pytest.mark.parametrize("children", [False, True])
def test_a_longer_run_takes_no_more_memory(lab, request, monkeypatch, children):
    """Whether children measure or this process does: three times the flows, and the same at most at once."""
    if children:
        request.getfixturevalue("forked")
    monkeypatch.setattr(engine, "BLOCK", 100)
    running = lab(pod("x/a"), pod("x/b"))

    def most(ports: int) -> int:
        flows = (flow(running.cluster, "x/a", "x/b", f"{port}/TCP") for port in range(1, ports))
        tracemalloc.start()
        for _ in measure(running.cluster, flows):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(500)  # modules and caches of patterns are in memory then

    assert most(3000) < 1.3 * most(1000)


def test_progress_is_reported_block_by_block(lab, forked):
    """It never falls and ends at the number of flows."""
    running = a_few(lab)
    calls = []

    list(measure(running.cluster, list(every_pair(running.cluster)), progress=lambda *both: calls.append(both)))

    assert [(done, 264) for done in (50, 100, 150, 200, 250, 264)] == calls


def test_stopping_early_leaves_no_child(lab, forked):
    """Closing the measurements, as an interrupt does, ends what is under way."""
    running = a_few(lab)
    before = len(os.listdir("/proc/self/fd"))
    measurements = measure(running.cluster, every_pair(running.cluster))
    next(measurements)
    measurements.close()  # type: ignore[attr-defined]

    assert forked
    assert gone(forked)
    assert before == len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a probing process: ended with -9"),
        (lambda: (_ for _ in ()).throw(OSError(5, "no such luck")), "no such luck"),
    ],
    ids=["killed", "failed"],
)
def test_a_child_that_fails_is_an_error(lab, forked, monkeypatch, trouble, message):
    """Its block does not count as measured, and no process is left."""
    running = a_few(lab)

    def measured(worker, block):
        trouble()

    monkeypatch.setattr(Worker, "measured", measured)

    with pytest.raises(KernelError, match=message):
        list(measure(running.cluster, every_pair(running.cluster)))
    assert gone(forked)


def test_a_process_with_threads_forks_no_child(lab):
    """A lock that another thread holds would stay locked in a child."""
    running = a_few(lab)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        alone = engine.may_fork(running.cluster)
    finally:
        done.set()
        thread.join()

    assert not alone


def test_workers_share_no_id_and_no_source_port(lab, monkeypatch):
    """A packet of one worker is never taken for one of another, also where ids wrap around."""
    monkeypatch.setattr(os, "urandom", lambda size: b"\xff" * size)
    running = a_few(lab)
    run = engine.Run(running.cluster, running.cluster.name, running.kernel.inside)
    run._open(2)
    with run:
        ids = [worker._shared.idents.first for worker in run._workers]
        ports = [set(worker._shared.ports) for worker in run._workers]

    assert filters.WINDOW == (ids[1] - ids[0]) % (1 << 32)
    assert not ports[0] & ports[1]
