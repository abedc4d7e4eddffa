"""Runs tests of probing with participants and a coordinator in place of one process."""

from __future__ import annotations

import pytest
import spread_probing

from netlab.lab.lab import Lab


@pytest.fixture
def spread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a test measure by participants on three machines, wherever it measures."""
    monkeypatch.setitem(request.function.__globals__, "measure", spread_probing.measure)

    def probe(lab, flows, progress=None, anew=None):
        return spread_probing.measure(lab.cluster, flows, lab=lab.name, inside=lab.machine.inside)

    monkeypatch.setattr(Lab, "probe", probe)
    if "lab" in request.fixturenames:
        monkeypatch.setitem(request.getfixturevalue("lab").__globals__, "measure", spread_probing.measure)
