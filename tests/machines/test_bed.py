"""The bed of these tests: machines that a test makes, and an etcd that all of them reach."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("members", [1, 3])
def test_every_machine_reaches_the_etcd_of_the_bed(machines, tmp_path, members):
    """It listens beside the bridge; each member is a process of the test, which it ends and starts again."""
    on = machines("one", "two")
    etcd = on.etcd(tmp_path, members)
    etcd[0].restart()

    names = [f"member{number}" for number in range(members)]
    for machine in on:
        for member in etcd:
            assert names == machine.drive("reaches", url=member.url)


def test_a_machine_that_is_cut_off_does_not_reach_etcd(machines, tmp_path):
    """Etcd is on the network between machines, so a machine that is cut off cannot ask it."""
    on = machines("one", "two")
    (etcd,) = on.etcd(tmp_path)
    on.cut("two")

    assert ["member0"] == on["one"].drive("reaches", url=etcd.url)
    with pytest.raises(AssertionError, match="etcd is not reached"):
        on["two"].drive("reaches", url=etcd.url)
