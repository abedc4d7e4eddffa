"""Source ports that lead to one endpoint of a Service."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, meta, pod

from netlab.objects.services import Service, ServicePort
from netlab.probe import ports
from netlab.probe.service_ports import ServicePorts, needed
from netlab.probe.templates import NUMBERS, Template, WireAddress
from netlab.ruleset.service_hash import PROBE_DSCP, chosen

SOURCES = [ip_address(text) for text in ("10.244.0.2", "192.0.2.10", "fd00:10:244::2")]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_each_endpoint_has_ports_that_lead_to_it(count):
    """Each attempt of each source has one, by the hash that the node computes."""
    own = ServicePorts(ports.of_run(16 * count))

    for source in SOURCES:
        for index in range(count):
            found = own.leading_to(index, count, source, 80)
            assert found
            assert ports.ATTEMPTS == len(found) or count > 30
            assert {index} == {chosen(source, port, count) for port in found}


def test_no_source_port_is_the_destination_port():
    """A probe never has one port at both ends."""
    run = ports.of_run(16)
    own = ServicePorts(run)

    for port in run:
        assert port not in own.leading_to(0, 1, SOURCES[0], port)


def test_the_ports_of_direct_probes_are_not_used():
    """Behind the node that translates, both would have the same addresses and ports."""
    run = ports.of_run(32)
    own = ServicePorts(run)
    found = {port for index in (0, 1) for port in own.leading_to(index, 2, SOURCES[0], 80)}

    assert found
    assert not found & {ports.of_attempt(run, attempt, 80) for attempt in range(ports.ATTEMPTS)}


def test_connections_that_a_node_masquerades_alike_share_no_port():
    """None is left in the end: no port then, as the node would choose another one, which leads to another endpoint."""
    own = ServicePorts(ports.of_run(64))
    asked = [own.leading_to(0, 2, SOURCES[0], 80, "front") for _ in range(30)]
    given = [port for some in asked for port in some]

    assert len(set(given)) == len(given) > 20
    assert () == tuple(asked[-1])
    assert list(asked[0]) == own.leading_to(0, 2, SOURCES[0], 80, "another")


def test_sources_that_are_masqueraded_after_the_choice_share_no_port():
    """When none is left, ports repeat: the endpoint is chosen already."""
    own = ServicePorts(ports.of_run(64))
    asked = [own.leading_to(0, 1, SOURCES[number % 2], 80, masqueraded="endpoint") for number in range(30)]
    given = [port for some in asked[:20] for port in some]

    assert len(set(given)) == len(given) == 60
    assert all(asked)


def test_a_port_is_free_before_the_choice_and_if_possible_after_it():
    """Before the choice it must be."""
    own = ServicePorts(ports.of_run(16))
    first = own.leading_to(0, 1, SOURCES[0], 80, "front", "endpoint")
    second = own.leading_to(0, 1, SOURCES[1], 80, "another front", "endpoint")
    others = [own.leading_to(0, 1, SOURCES[0], 80, "front", "endpoint") for _ in range(9)]

    assert not set(first) & set(second)
    assert not set(first) & {port for some in others for port in some}
    assert () == tuple(others[-1])
    assert own.leading_to(0, 1, SOURCES[0], 80, "a third front", "endpoint")


def test_masqueraded_connections_have_ports_for_themselves():
    """The kernel masquerades a source port as it did for another destination, so no other probe may have used it."""
    run = ports.of_run(96)
    own = ServicePorts(run, shared=64)
    alone = {port for index in (0, 1) for port in own.leading_to(index, 2, SOURCES[0], 80)}
    shared = {
        port for index in (0, 1) for _ in range(9) for port in own.leading_to(index, 2, SOURCES[0], 80, "a front")
    }

    assert alone
    assert shared
    assert not alone & shared


def test_without_ports_none_leads_anywhere():
    """A lab without Services takes no port for them."""
    assert [] == ServicePorts(ports.of_run()).leading_to(0, 2, SOURCES[0], 80)


def test_runs_with_more_ports_share_none(monkeypatch):
    """They share none with the runs between them either. Near the last port, a run begins at the first one."""
    monkeypatch.setattr("time.monotonic", lambda: 1e6)
    runs = [ports.of_run(more) for more in (0, 64, 0, 1600, 0, 14_000, 0)]
    used = [port for run in runs for port in run]

    assert len(set(used)) == len(used)
    for _ in range(20):
        assert 65535 >= ports.of_run(10_000).stop


def test_a_run_takes_ports_for_the_largest_service():
    """Without a Service it takes none."""
    pods = [pod(f"x/p{i}", "app=s", ports=["80"]) for i in range(5)]
    services = [Service(meta("x/s"), {"app": "s"}, (ServicePort(80),)), Service(meta("x/t"), {"app": "t"})]

    masqueraded = replace(services[0], type="NodePort", ports=(ServicePort(80, node_port=30080),))

    assert (0, 0) == needed(cluster(*pods))
    assert (16 * 5, 0) == needed(cluster(*pods, *services))
    assert (16 * 5, 64 * 5) == needed(cluster(*pods, masqueraded))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", sorted(NUMBERS))
def test_only_the_dscp_says_that_a_probe_chooses_its_endpoint(kind, family):
    """All other bytes are the same as in other probes; no checksum that netlab computes covers the DSCP."""
    source, to = (
        WireAddress.of(ip_address(text)) for text in (("10.0.0.1", "10.0.0.2") if family == 4 else ("::1", "::2"))
    )
    plain, marked = (bytes(Template(kind, family, dscp).pack(source, to, 5000, 80, 7)) for dscp in (0, PROBE_DSCP))
    first = int.from_bytes(plain[:4]) ^ int.from_bytes(marked[:4])

    assert first == PROBE_DSCP << (18 if family == 4 else 22)
    assert plain[4:] == marked[4:]
