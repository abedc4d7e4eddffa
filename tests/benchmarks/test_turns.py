"""Contestants take turns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.turns import timed, turns


def contestants(log: list[str]) -> dict[str, Callable[[], float]]:
    """Return three contestants that write down when they are asked; their figure is how often anybody was."""

    def contestant(name: str) -> Callable[[], float]:
        def measure() -> float:
            log.append(name)
            return float(len(log))

        return measure

    return {name: contestant(name) for name in "abc"}


def test_every_round_begins_with_another() -> None:
    """No contestant always follows the same other one."""
    log: list[str] = []
    turns(contestants(log), rounds=3)

    assert list("abcbcacab") == log


def test_figures_are_kept_by_contestant_and_in_order_of_rounds() -> None:
    """Figures of one round have the same position in each list."""
    assert {"a": [1.0, 6.0], "b": [2.0, 4.0], "c": [3.0, 5.0]} == turns(contestants([]), rounds=2)


def test_warm_rounds_are_run_and_thrown_away() -> None:
    """The slow first rounds do not count."""
    log: list[str] = []
    found = turns(contestants(log), rounds=1, warm=2)

    assert [9, 1] == [len(log), len(found["a"])]


@pytest.mark.parametrize(("seconds", "rounds"), [(0.0, 1), (60.0, 3)])
def test_no_round_but_the_first_begins_after_the_time(seconds: float, rounds: int) -> None:
    """A slow machine has fewer rounds, and each contestant as many."""
    found = turns(contestants([]), rounds=3, seconds=seconds)

    assert [rounds] * 3 == [len(values) for values in found.values()]


def test_a_timed_action_is_carried_out_once_per_figure() -> None:
    """Its figure is seconds, of one call."""
    calls: list[int] = []
    figure = timed(lambda: calls.append(1))()

    assert [1] == calls
    assert figure >= 0
