"""The API server and the control plane of these tests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from control_plane import lab_plane
from control_plane.control_plane import ControlPlane, missing, running
from control_plane.lab_plane import SERVICE, WEB, Plane, lacking
from waiting import eventually


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a control plane of a test that failed has, as it is gone when a reader asks."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {}).values()
        for plane in {id(one): one for one in values if isinstance(one, Plane)}.values():
            report.sections += plane.shown()
    return report


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Start one for all tests."""
    lacking = missing()
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    with running(tmp_path_factory.mktemp("control-plane")) as found:
        yield found


@pytest.fixture
def plane(control_plane: ControlPlane) -> ControlPlane:
    """Return the API server, without pods, Services and policies."""
    control_plane.clear()
    return control_plane


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Start a control plane in front of a lab for all tests, with a Deployment and its Service."""
    if missing_ones := lacking():
        pytest.skip(f"needs {', '.join(missing_ones)}")
    found = Plane(tmp_path_factory.mktemp("plane"), f"plane-{os.getpid():x}")
    try:
        found.up(WEB, SERVICE)
        yield found
    finally:
        found.netlab("down", found.name, check=False)


@pytest.fixture
def of_lab(started: Plane) -> Plane:
    """Return that control plane, when the pods of the Deployment run."""
    eventually(lambda: len(lab_plane.running(started.pods())) == 3)
    return started
