"""Calico with IPIP by packets: the probes that tell CNIs apart, and random policy sets."""

from __future__ import annotations

from profiles import test_probes as table
from profiles import test_random_sets as sets

from netlab.conformance.cni_probes import PROBES
from netlab.conformance.cnis import NONE
from netlab.conformance.cnis_by_packets import measured


def test_packets_answer_as_calico_with_ipip() -> None:
    """As under ``calico-vxlan``, but for the size of packets, and in IPv4 only: IPIP carries no IPv6."""
    usual = {probe.number: table.expected(probe, "calico-vxlan") for probe in PROBES}

    assert {**usual, "17": "1480", "18": NONE} == measured("calico")


def test_packets_agree_on_random_policy_sets() -> None:
    """Evaluator, tracer and packets, on every cell."""

    assert [] == sets.wrong("calico", ("evaluator", "tracer", "packets"), 3)
