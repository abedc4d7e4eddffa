"""The random checks of settings agree on the defaults, so what they find is about the settings."""

from __future__ import annotations

import pytest
from settings.random_settings import differing, wrong

from netlab.objects.topology import TopologyPolicy


def test_evaluator_and_tracer_agree_on_the_defaults() -> None:
    """In a mode with several nodes."""
    assert [] == wrong({}, ("evaluator", "tracer"), count=5, mode="overlay")


@pytest.mark.parametrize("seed", range(10))
def test_the_fast_versions_agree_with_the_evaluator_on_the_defaults(seed: int) -> None:
    """The groups and the expansion, reasons included."""
    assert [] == differing(TopologyPolicy(), seed)
