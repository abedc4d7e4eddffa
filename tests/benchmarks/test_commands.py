"""The command line of the benchmarks."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import BENCHMARKS, main


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a sentence about what it measures."""
    status = main(["--list"])
    lines = capsys.readouterr().out.splitlines()[1:]

    assert 0 == status
    assert list(BENCHMARKS) == [line.split()[0] for line in lines]


def test_an_unknown_benchmark_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is measured; the message lists the benchmarks."""
    status = main(["speed"])

    assert 2 == status
    assert f"no benchmark speed (there are: {', '.join(BENCHMARKS)})\n" == capsys.readouterr().err
