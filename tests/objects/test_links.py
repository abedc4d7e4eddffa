"""``spec.links`` of a Topology: units as iproute2 writes them, and values that go together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.errors import Problem
from netlab.objects import Objects, links
from netlab.objects.links import Netem, TopologyLink

Read = Callable[[str], tuple[Objects, list[Problem]]]


def topology(link: str) -> str:
    return f"{{apiVersion: netlab/v1alpha1, kind: Topology, spec: {{links: [{{{link}}}]}}}}"


def test_all_values_are_decoded(read_text: Read) -> None:
    """Times in microseconds, shares in parts per million, rates in bits a second."""
    objects, problems = read_text(
        topology(
            "between: [a, b], delay: 20ms, jitter: 1.5ms, loss: 0.1%, duplicate: 1%, corrupt: 2%, reorder: 25%, "
            "rate: 100mbit"
        )
    )

    assert [] == problems
    assert objects.topology is not None
    expected = Netem(20_000, 1_500, 1_000, 10_000, 20_000, 250_000, 100_000_000)
    assert (TopologyLink(("a", "b"), expected, "spec.links[0]"),) == objects.topology.links


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("delay: 1ms", "spec.links[0].between: Required value: the name of one machine or of two"),
        ("between: [a, a], delay: 1ms", "must be the name of one machine, or of two different ones"),
        ("between: [a, b, c], delay: 1ms", "must be the name of one machine, or of two different ones"),
        ("between: [a, b]", "spec.links[0]: must say how the link is: delay, jitter, loss, rate, ..."),
        ("between: [a, b], delay: '20'", 'spec.links[0].delay: Invalid value: "20": must be a time of at least 1us'),
        ("between: [a, b], delay: 5", "delay: Invalid value"),
        ("between: [a, b], delay: 1ns", "must be a time of at least 1us"),
        ("between: [a, b], delay: 0.5us", "must be a time of at least 1us"),
        ("between: [a, b], delay: 61s", "must be at most 60s"),
        ("between: [a, b], delay: -1ms", "must be a time of at least 1us"),
        ("between: [a, b], loss: 101%", "must be at most 100%"),
        ("between: [a, b], loss: 0.00001%", "of at most four decimals"),
        ("between: [a, b], loss: 0.5", "spec.links[0].loss: Invalid value"),
        ("between: [a, b], rate: 1bit", "must be from 1kbit to 1tbit"),
        ("between: [a, b], rate: 100Mbps", "must be a rate in bits a second"),
        ("between: [a, b], delay: 1ms, jitter: 2ms", "spec.links[0].jitter: must be at most the delay"),
        ("between: [a, b], reorder: 5%", "spec.links[0].reorder: needs a delay"),
        ("between: [a, b], lost: 5%", 'unknown field "lost"; did you mean "loss"?'),
    ],
)
def test_what_is_wrong_is_named(read_text: Read, link: str, message: str) -> None:
    """With the field, its value and what would be right."""
    _, problems = read_text(topology(link))

    assert any(message in str(problem) for problem in problems), [*map(str, problems)]


@given(st.sampled_from(["delay", "loss", "rate"]), st.integers(1, 1_000_000))
def test_a_written_value_is_read_as_the_same(name: str, value: int) -> None:
    """Whatever its unit."""
    value = 8 * 125 * value if name == "rate" else value

    assert value == links.read(name, links.written(name, value))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("delay", 20_000, "20ms"),
        ("delay", 1_500, "1.5ms"),
        ("jitter", 7, "7us"),
        ("delay", 60_000_000, "60s"),
        ("loss", 1_000, "0.1%"),
        ("loss", 1, "0.0001%"),
        ("loss", 1_000_000, "100%"),
        ("rate", 100_000_000, "100mbit"),
        ("rate", 2_500_000_000, "2.5gbit"),
        ("rate", 64_000, "64kbit"),
    ],
)
def test_values_are_written_as_iproute2_writes_them(name: str, value: int, text: str) -> None:
    """The largest unit that the value has."""
    assert text == links.written(name, value)


def test_a_netem_is_written_as_arguments_of_tc() -> None:
    """The jitter follows the delay."""
    assert "delay 20ms 2ms loss 1% rate 1mbit" == str(Netem(20_000, 2_000, 10_000, rate=1_000_000))


def test_a_rate_limits_what_waits() -> None:
    """A thousand packets and those of the delay; without a rate, as many as two thousand probes need."""
    assert 10_000 == Netem(delay=20_000).limit
    assert 1_000 == Netem(rate=100_000_000).limit
    assert 1_000 + 166 == Netem(delay=20_000, rate=100_000_000).limit
