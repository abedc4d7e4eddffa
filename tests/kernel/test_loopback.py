"""Ports of the host's loopback address."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.kernel import loopback


def test_free_ports_are_different_and_none_that_the_kernel_gives_to_connections():
    """A program that starts again would find a connection on its port."""
    found = loopback.free_ports(100)

    assert 100 == len(set(found))
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(10_000 <= port < min(first, 30_000) for port in found)


def test_a_port_is_free_until_a_program_listens(monkeypatch):
    """Also for a moment after the last connection has ended."""
    port = loopback.free_ports(1)[0]
    assert loopback.is_free(port)
    with socket.create_server((loopback.ADDRESS, port)) as server:
        assert not loopback.is_free(port)
        with socket.create_connection(server.getsockname()):
            accepted, _ = server.accept()
            accepted.close()
    assert loopback.is_free(port)


def test_ports_that_are_taken_are_left_out(monkeypatch):
    """One port is left of two; two are too many."""
    taken = loopback.free_ports(1)[0]
    monkeypatch.setattr(loopback, "_LOWEST", taken)
    monkeypatch.setattr(loopback, "_HIGHEST", taken + 1)
    with socket.create_server((loopback.ADDRESS, taken)):
        assert [taken + 1] == loopback.free_ports(1)
        with pytest.raises(HostError):
            loopback.free_ports(2)


def test_where_the_kernel_gives_all_ports_to_connections_it_chooses(monkeypatch, tmp_path):
    """A host may have set the range so."""
    (tmp_path / "range").write_text("1024\t65535\n")
    monkeypatch.setattr(loopback, "_EPHEMERAL", tmp_path / "range")

    assert 5 == len(set(loopback.free_ports(5)))
