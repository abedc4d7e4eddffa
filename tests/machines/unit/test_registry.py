"""Registrations: a name belongs to one machine, as long as its agent lives."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import ip_address

import pytest
from waiting import eventually

from netlab.errors import HostError, UsageError
from netlab.machines import registry
from netlab.machines.registry import Machine, Registration, check_alike

pytestmark = pytest.mark.machines

ONE = Machine("m1", ip_address("192.0.2.1"), "1.0", "identity-1", 4789, 1500)


def dead(registration: Registration) -> None:
    """Let a registration be as if its process was killed: nothing keeps its lease alive."""
    registration._lease._stop.set()


def test_a_machine_is_registered_until_its_agent_ends(connect):
    """Every command sees it, with all its values."""
    etcd = connect()
    registration = Registration(connect().client, ONE)

    assert {"m1": replace(ONE, lease=registration._lease.number)} == registry.machines(etcd.client)
    assert registration.alive
    registration.end()
    assert {} == registry.machines(etcd.client)
    assert not registration.alive


def test_the_name_of_another_machine_is_refused_at_once(connect):
    """The first one stays registered."""
    etcd = connect()
    first = Registration(etcd.client, ONE)
    started = time.monotonic()

    with pytest.raises(UsageError, match=r"m1 is registered already, with address 192\.0\.2\.1"):
        Registration(connect().client, replace(ONE, address=ip_address("192.0.2.2"), identity="identity-2"))
    assert time.monotonic() - started < etcd.settings.lease
    assert "identity-1" == registry.machines(etcd.client)["m1"].identity
    first.end()


def test_an_agent_that_starts_again_takes_its_name_at_once(connect):
    """The lease of the agent that was killed has not ended."""
    etcd = connect()
    dead(Registration(etcd.client, ONE))
    again = Registration(connect().client, replace(ONE, port=4790))

    assert 4790 == registry.machines(etcd.client)["m1"].port
    assert again.alive
    again.end()


def test_a_machine_that_booted_gets_its_name_when_the_lease_ends(connect):
    """It has the address of before and another identity; while an agent lives, it is refused."""
    etcd, booted = connect(), replace(ONE, identity="identity-2")
    first = Registration(etcd.client, ONE)
    with pytest.raises(UsageError, match="is registered already"):
        Registration(connect().client, booted)
    dead(first)
    again = Registration(connect().client, booted)

    assert "identity-2" == registry.machines(etcd.client)["m1"].identity
    again.end()


def test_a_lost_registration_is_renewed(connect):
    """As after an etcd that was away for longer than the lease."""
    etcd = connect()
    one = Registration(etcd.client, ONE)
    etcd.client.call("lease/revoke", {"ID": str(one._lease.number)})
    eventually(lambda: not one.alive)
    one.renew()

    assert one.alive
    assert ["m1"] == registry.names_of(etcd.client)
    one.end()


def test_machines_of_another_version_are_refused(connect):
    """By the agent that starts later; the error names version and machine."""
    first = Registration(connect().client, ONE)

    with pytest.raises(HostError, match=r"this is netlab 1\.1, and m1 has netlab 1\.0; all machines"):
        Registration(connect().client, replace(ONE, name="m2", version="1.1", identity="identity-2"))
    assert ["m1"] == registry.names_of(connect().client)
    first.end()
    with pytest.raises(HostError, match="m1 has another format"):
        check_alike([replace(ONE, format=2)], "1.0")
    check_alike([ONE], "1.0")
