"""The API server of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from control_plane.control_plane import ControlPlane, missing, running


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
