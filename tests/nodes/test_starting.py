"""What is said when programs of a control plane do not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from netlab.control_plane.starting import naming_what_ended
from netlab.errors import HostError, UsageError
from netlab.testing import FakeKernel


def running(monkeypatch: pytest.MonkeyPatch, *alive: str) -> Any:
    """Return a lab of which some programs run."""
    machine = FakeKernel()
    monkeypatch.setattr(machine, "send", lambda place, number: any(one in place.name for one in alive))
    return cast(Any, SimpleNamespace(machine=machine, name="one"))


def test_an_api_server_that_does_not_answer_is_not_named_if_etcd_has_ended(monkeypatch):
    """It says for a while that it is ready, and answers nothing."""
    with (
        pytest.raises(HostError, match=r"^etcd has ended; its output is in .*/output$"),
        naming_what_ended(running(monkeypatch, "apiserver")),
    ):
        raise HostError("the API server does not answer")


def test_an_error_stays_as_it_is_while_both_run(monkeypatch):
    """So does one of another kind."""
    with (
        pytest.raises(HostError, match="does not answer"),
        naming_what_ended(running(monkeypatch, "apiserver", "etcd")),
    ):
        raise HostError("the API server does not answer")
    with pytest.raises(UsageError, match="other"), naming_what_ended(running(monkeypatch)):
        raise UsageError("other")
