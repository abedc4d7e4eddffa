"""What probes do not show of cluster-wide policies: errors come back, and Deny is silent. With real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from services.bench import Bench, bench

from netlab.conformance.cluster_policies.clusters import cluster
from netlab.conformance.cluster_policies.edge import ANYWHERE, DENY_ALL_IN, admin, baseline
from netlab.conformance.cluster_policies.shorthand import Policy
from netlab.lab.temporary import temporary
from netlab.objects import decode

pytestmark = pytest.mark.kernel
MODE = "overlay"


@pytest.fixture(scope="module")
def lab() -> Iterator[Bench]:
    """A lab of the suite's cluster, without policies."""
    objects, _ = decode(cluster(MODE))
    with temporary(objects) as running, bench(running) as made:
        yield made


@pytest.fixture
def under(lab: Bench) -> Iterator[Callable[..., Bench]]:
    """Return a function that applies policies; they are deleted after the test."""
    applied: list[str] = []

    def apply(*policies: Policy) -> Bench:
        named = [replace(one, name=f"p{i}") for i, one in enumerate(policies)]
        lab.apply(*(one.document() for one in named))
        applied.extend(one.name for one in named)
        return lab

    yield apply
    lab.delete(*(f"ClusterNetworkPolicy /{name}" for name in applied))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("client", ["x/b", "y/a"])
def test_an_error_about_an_accepted_packet_comes_back(under: Callable[..., Bench], client: str, family: int) -> None:
    """Edge case 36: "refused" is an ICMP port unreachable, although the server may send nothing by itself."""
    b = under(admin("Accept ns *: 80/UDP", DENY_ALL_IN, egress=[f"Deny ns * | {ANYWHERE}"]))

    assert "refused" == b.ask(client, b.address("x/a", family), 80, "UDP").how
    assert "silent" == b.ask(client, b.address("x/a", family), 81, "UDP").how
    assert "silent" == b.ask("x/a", b.address(client, family), 80, "UDP").how


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("policy", [admin(DENY_ALL_IN), baseline(DENY_ALL_IN)], ids=["Admin", "Baseline"])
def test_deny_drops_and_does_not_reject(
    under: Callable[..., Bench], policy: Policy, protocol: str, family: int
) -> None:
    """Edge case 71: a closed port refuses, and a denied connection gets no answer."""
    b = under(policy)

    assert "silent" == b.ask("x/b", b.address("x/a", family), 80, protocol).how
    assert "refused" == b.ask("x/b", b.address("z/a", family), 80, protocol).how


def test_answers_of_an_accepted_connection_pass(under: Callable[..., Bench]) -> None:
    """Accept holds for the whole connection: the server's own egress is denied, and its answers come back."""
    b = under(admin("Accept ns *: 8080/TCP", DENY_ALL_IN, egress=[f"Deny ns * | {ANYWHERE}"]))
    b.serve(["x/a"], 8080)

    assert "answered" == b.ask("y/a", b.address("x/a"), 8080).how
    b.stop("x/a")
