"""An etcd that is restarted, loses members, is away or full: running labs go on, and commands say what is wrong."""

from __future__ import annotations

import signal
import sys
import time

import pytest
from machines.agents import LEASE, Agents, until
from machines.bed import inside
from machines.labs import allowing, documents, written
from sizes import HANGS

from netlab.errors import HostError
from netlab.store.etcd_client import EtcdClient, b64
from netlab.store.etcd_settings import settings

# Leases have to end, and commands are patient.
pytestmark = pytest.mark.timeout(400)
TWO = ("m1", "m2")


def built(agents, unique, tmp_path, **more) -> tuple[Agents, str]:
    """Build a lab of two pods on two machines."""
    on, lab = agents(*TWO, **more), unique("etcd")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    return on, lab


def reaches(on: Agents, lab: str) -> bool:
    return bool(on.on["m1"].drive("ask", lab=lab, questions=[("default/p1", "10.244.1.2", 80)])[0])


def leads(on: Agents, number: int) -> bool:
    """Return whether a member leads the others."""
    with inside(on.on.wire):
        client = EtcdClient(settings([on.members[number].url]))
        found = client.call("maintenance/status", {})
        client.close()
    return bool(found["leader"] == found["header"]["member_id"])


def works(on: Agents, lab: str, tmp_path) -> None:
    """Check that a change is in force everywhere when its command returns, and that it can be taken back."""
    assert reaches(on, lab)
    on.netlab("m2", "apply", "--lab", lab, "-f", written(tmp_path, allowing("p2", "p2")))
    assert not reaches(on, lab)
    on.netlab("m1", "delete", "--lab", lab, "networkpolicy", "only-p2")
    assert reaches(on, lab)
    assert [] == on.drift(lab)


def fill(on: Agents) -> None:
    """Write to etcd until it is full."""
    for _ in range(10):
        on.put("filling", b"\0" * 1_000_000)


def test_a_restart_of_etcd_changes_nothing(agents, unique, tmp_path):
    """Agents stay registered, no namespace is made anew, and commands work at once."""
    on, lab = built(agents, unique, tmp_path)
    before = on.inodes(lab)
    on.members[0].restart()
    works(on, lab, tmp_path)

    assert before == on.inodes(lab)


@pytest.mark.parametrize("leader", [False, True], ids=["follower", "leader"])
def test_a_lost_member_of_three_stops_nothing(agents, unique, tmp_path, leader):
    """Commands and agents go on with the two others, while the member is lost and when it is back."""
    on, lab = built(agents, unique, tmp_path, members=3)
    number = next(one for one in range(3) if leads(on, one) == leader)
    before = on.inodes(lab)
    on.members[number].kill()
    works(on, lab, tmp_path)
    on.members[number].restart()
    works(on, lab, tmp_path)

    assert before == on.inodes(lab)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_a_command_survives_the_loss_of_the_leader(agents, unique, tmp_path):
    """A change that is under way when the leader is killed is in force on return."""
    on, lab = built(agents, unique, tmp_path, members=3)
    number = next(one for one in range(3) if leads(on, one))
    on.signal("m2", signal.SIGSTOP, "lab")
    file = written(tmp_path, allowing("p2", "p2"))
    command = on.on["m1"].start(sys.executable, "-m", "netlab", "apply", "--lab", lab, "-f", file)
    until(lambda: on.says(lab, "m1", "prepared"), on.logs)
    on.members[number].kill()
    on.signal("m2", signal.SIGCONT)
    _, error = command.communicate(timeout=HANGS)

    assert 0 == command.returncode, error
    assert not reaches(on, lab)
    assert [] == on.drift(lab)


def test_while_etcd_is_away_labs_run_and_commands_say_so(agents, unique, tmp_path):
    """Commands exit with 3 in time. When etcd is back, agents register again, and nothing is rebuilt."""
    on, lab = built(agents, unique, tmp_path)
    before = on.inodes(lab)
    on.members[0].kill()
    file = written(tmp_path, allowing("p2", "p2"))
    for arguments in (("apply", "--lab", lab, "-f", file), ("get", "--lab", lab, "pods"), ("down", lab)):
        code, error = on.refused("m1", *arguments)
        assert 3 == code, error
        assert "etcd is not reached" in error
        assert reaches(on, lab)
    assert "etcd is not reached" in on.log("m2")
    on.members[0].restart()
    until(lambda: {"machines/m1", "machines/m2"} <= set(on.etcd_keys()), on.logs)
    works(on, lab, tmp_path)

    assert before == on.inodes(lab)


def test_a_command_whose_etcd_goes_away_before_the_decision_changes_nothing(agents, unique, tmp_path):
    """It exits with 3; its proposal is removed when etcd is back."""
    on, lab = built(agents, unique, tmp_path)
    on.signal("m2", signal.SIGSTOP, "lab")
    file = written(tmp_path, allowing("p2", "p2"))
    started = time.monotonic()
    command = on.on["m1"].start(sys.executable, "-m", "netlab", "apply", "--lab", lab, "-f", file)
    until(lambda: on.says(lab, "m1", "prepared"), on.logs)
    on.members[0].kill()
    _, error = command.communicate(timeout=HANGS)
    took = time.monotonic() - started
    on.members[0].restart()
    on.signal("m2", signal.SIGCONT)

    assert 3 == command.returncode, error
    assert "etcd is not reached" in error
    assert took < 40, "it is patient once or twice"
    until(lambda: not any(key.startswith(("next/", "locks/")) for key in on.etcd_keys()), on.etcd_keys)
    works(on, lab, tmp_path)


def test_a_command_whose_etcd_goes_away_after_the_decision_says_that_it_is_decided(agents, unique, tmp_path):
    """The change comes into force on all machines when etcd is back."""
    on, lab = built(agents, unique, tmp_path)
    last, _ = on.reported(lab, "m1")
    on.signal("m1", signal.SIGSTOP, "lab")
    file = written(tmp_path, allowing("p2", "p2"))
    command = on.on["m1"].start(sys.executable, "-m", "netlab", "apply", "--lab", lab, "-f", file)
    until(lambda: on.says(lab, "m2", "prepared"), on.logs)
    on.signal("m2", signal.SIGSTOP, "lab")
    on.signal("m1", signal.SIGCONT)
    until(lambda: on.says(lab, "m1", "ready", last), on.logs)
    on.members[0].kill()
    on.signal("m2", signal.SIGCONT)
    _, error = command.communicate(timeout=HANGS)
    on.members[0].restart()

    assert 3 == command.returncode, error
    assert f"the change of lab {lab} is decided" in error
    until(lambda: not reaches(on, lab), on.logs)
    assert [] == on.drift(lab)


def test_a_machine_that_is_cut_off_is_away_until_it_is_back(agents, unique, tmp_path):
    """Its pods go on, and it has what was decided meanwhile when it is back."""
    on, lab = built(agents, unique, tmp_path)
    before = on.inodes(lab)
    on.on.cut("m2")
    until(lambda: "machines/m2" not in on.etcd_keys())
    code, error = on.refused("m1", "apply", "--lab", lab, "-f", written(tmp_path, allowing("p2", "p2")))
    assert 3 == code
    assert f"machine m2 of lab {lab} is away" in error
    on.on.join("m2")
    until(lambda: "machines/m2" in on.etcd_keys(), on.logs)
    works(on, lab, tmp_path)

    assert before == on.inodes(lab)


def test_a_full_etcd_refuses_changes_and_labs_run(agents, unique, tmp_path):
    """Commands exit with 3 and say what helps; after that they work."""
    on, lab = built(agents, unique, tmp_path, more=("--quota-backend-bytes=4000000",))
    with pytest.raises(HostError, match="space"):
        fill(on)
    code, error = on.refused("m1", "apply", "--lab", lab, "-f", written(tmp_path, allowing("p2", "p2")))

    assert 3 == code
    assert "its database is full; compact and defragment it" in error
    assert reaches(on, lab)
    time.sleep(2 * LEASE)
    assert {"machines/m1", "machines/m2"} <= set(on.etcd_keys())
    on.etcd("kv/deleterange", key=b64("/netlab/filling"))
    revision = on.etcd("kv/range", key=b64("/netlab/filling"))["header"]["revision"]
    on.etcd("kv/compaction", revision=revision, physical=True)
    on.etcd("maintenance/defragment")
    for alarm in on.etcd("maintenance/alarm", action="GET")["alarms"]:
        on.etcd("maintenance/alarm", action="DEACTIVATE", **alarm)
    works(on, lab, tmp_path)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_an_agent_starts_only_with_an_etcd(agents, unique, tmp_path):
    """Without etcd it exits with 3, and says why."""
    on = agents("m1", start=False)
    on.members[0].kill()
    done = on.on["m1"].netlab("agent", "--machine", "m1")

    assert 3 == done.returncode
    assert "etcd is not reached" in done.stderr
    assert {} == on.on["m1"].left()
