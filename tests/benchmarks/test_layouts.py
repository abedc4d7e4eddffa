"""The rulesets of the packet benchmark enforce the same policy."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from benchmarks import layouts, private, wire
from benchmarks.pods import Shop
from benchmarks.router import Router

SHOP = Shop(20, 3)


@pytest.fixture(params=[layouts.netlab, layouts.chains], ids=["identities and classes", "a chain per pod and policy"])
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """A router under either layout, in namespaces that end with it."""
    layout: Callable[[Shop], str] = request.param
    one = Router(layout(SHOP))
    yield one
    one.close()


@pytest.mark.kernel
def test_what_policy_allows_comes_through(router: Router) -> None:
    """Every client of a namespace reaches every server of it, on the port of each policy."""
    flows = [
        (client, server, 1024, port)
        for client in SHOP.clients(1)
        for server in SHOP.servers(1)
        for port in range(SHOP.port - 2, SHOP.port + 1)
    ]

    assert router.push(flows) > 0


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("namespace", "port"), [(0, SHOP.port), (1, SHOP.port + 1)], ids=["other namespace", "other port"]
)
def test_what_policy_denies_does_not(router: Router, namespace: int, port: int) -> None:
    """A client of another namespace is stopped, and so is a port that no policy names."""
    with pytest.raises(ConnectionError, match="0 of 1 packets came through"):
        router.push([(SHOP.clients(namespace)[0], SHOP.servers(1)[0], 1024, port)])


@pytest.mark.kernel
def test_forgetting_a_flow_makes_it_new_again(router: Router) -> None:
    """A flow whose policy would deny it passes while it is tracked as an answer, and no longer."""
    backwards = SHOP.clients(0)[0], SHOP.servers(0)[0], 1024, 9
    router.answer([backwards])
    router.push([backwards])
    router.forget()

    with pytest.raises(ConnectionError):
        router.push([backwards])


def test_pairs_are_the_same_for_a_seed_and_allowed() -> None:
    """A sample is chosen by chance, but the same in every round and for every layout."""
    pairs = SHOP.pairs(50, seed=7)

    assert pairs == SHOP.pairs(50, seed=7)
    assert all(any(a in SHOP.clients(n) and b in SHOP.servers(n) for n in SHOP.namespaces) for a, b in pairs)


@pytest.mark.kernel
def test_waiting_for_the_kernel_ends_with_its_namespaces_gone() -> None:
    """When ``drain`` returns, a namespace that was let go before it exists no more."""
    found: list[list[str]] = []

    def let_go_and_wait() -> None:
        os.close(private.new_network())
        with private.back_home():
            inside = private.new_network()
        netlink = wire.Socket()
        netlink.send([wire.veth("near", 7, b"\x0a\x5b\0\0\0\3", "far", 7, b"\x0a\x5b\0\0\0\4", inside)])
        netlink.close()
        os.close(inside)
        private.drain()
        found.append([name for _, name in socket.if_nameindex()])

    thread = threading.Thread(target=let_go_and_wait)
    thread.start()
    thread.join()

    assert [["lo"]] == found
