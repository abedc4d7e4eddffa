"""Source ports: no probe repeats the addresses and ports of a recent one."""

from __future__ import annotations

from netlab.probe import ports


def test_runs_that_follow_each_other_share_no_port():
    """However quickly: conntrack would count a probe to a connection of the earlier run."""
    runs = [ports.of_run() for _ in range(1000)]
    used = [port for run in runs for port in run]

    assert len(set(used)) == len(used)


def test_a_run_has_a_port_for_every_attempt_and_one_more(monkeypatch):
    """And they are below the ports that the kernel gives programs of their own accord (32768 to 60999 and up)."""
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    run = ports.of_run()

    assert ports.ATTEMPTS + 1 == len(run)
    assert 1024 < run.start
    assert 65535 >= run.stop


def test_attempts_differ_in_their_port():
    """A repeated probe is a new connection."""
    run = range(5000, 5004)

    assert [5000, 5001, 5002] == [ports.of_attempt(run, attempt, 80) for attempt in range(3)]


def test_a_probe_never_has_one_port_at_both_ends():
    """Between a pod and itself a reply would look like the probe."""
    run = range(5000, 5004)

    assert [5000, 5003, 5002] == [ports.of_attempt(run, attempt, 5001) for attempt in range(3)]
