"""The markers ``kernel`` and ``samples``: which tests have them, and what is said where one cannot run."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

import kernel_marks
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_a_test_without_namespaces_has_no_marker(request: pytest.FixtureRequest) -> None:
    """It runs for every user."""

    assert [] == list(request.node.iter_markers("kernel"))
    assert "" == kernel_marks.missing(request.node)
    assert request.node.get_closest_marker("samples") is None


def test_a_fixture_that_names_labs_brings_the_marker(request: pytest.FixtureRequest, unique: object) -> None:
    """The test itself needs no marker."""

    assert ["kernel"] == [mark.name for mark in request.node.iter_markers("kernel")]


def test_every_place_that_is_listed_exists() -> None:
    """A moved file must be moved in the list too."""

    places = (*kernel_marks.PLACES, *kernel_marks.FAULTS)
    assert [] == [place for place in places if not (kernel_marks.TESTS / place).exists()]


def test_without_root_the_reason_is_root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests do not run as an ordinary user: a failure half way could leave namespaces."""
    request.node.add_marker(pytest.mark.kernel)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "needs root, to make network namespaces" == kernel_marks.missing(request.node)


def test_a_program_that_is_not_there_is_named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All missing programs are named."""
    request.node.add_marker(pytest.mark.kernel(needs=["no-such-b", "no-such-a"]))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(kernel_marks, "_have", lambda program: not program.startswith("no-such"))

    assert "needs no-such-a, no-such-b" == kernel_marks.missing(request.node)


def test_what_is_for_the_virtual_machine_runs_there_only(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it is skipped, as root in CI too: nothing that can be installed is missing."""
    request.node.add_marker(pytest.mark.vm)
    monkeypatch.delenv("NETLAB_VM", raising=False)
    outside = kernel_marks.elsewhere(request.node)
    monkeypatch.setenv("NETLAB_VM", "1")
    inside = kernel_marks.elsewhere(request.node)

    assert "runs in the virtual machine of make test-vm only" == outside
    assert "" == inside


def test_the_folder_for_the_virtual_machine_brings_both_markers() -> None:
    """`-m "not kernel"` leaves its tests out, and `-m vm` finds them."""
    added: list[str] = []
    item = SimpleNamespace(
        path=kernel_marks.TESTS / "vm" / "test_link_kinds.py", add_marker=lambda mark: added.append(mark.name)
    )
    kernel_marks.mark(cast(pytest.Item, item))

    assert {"kernel", "vm"} == set(added)


def test_what_needs_nginx_runs_where_it_is_installed_only(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``make test`` needs no nginx, and no test is skipped for it."""
    request.node.add_marker(pytest.mark.ingress)
    monkeypatch.delenv("NETLAB_INGRESS", raising=False)
    without = kernel_marks.elsewhere(request.node)
    monkeypatch.setenv("NETLAB_INGRESS", "1")

    assert ("runs by make test-ingress only", "") == (without, kernel_marks.elsewhere(request.node))


def test_what_puts_faults_into_netlab_runs_by_a_target_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It proves that the cases of the judges can fail, and takes a tenth of the time of all tests."""
    marks: list[pytest.Mark] = []
    item = SimpleNamespace(
        path=kernel_marks.TESTS / "ruleset" / "test_faults.py",
        add_marker=lambda mark: marks.append(mark.mark),
        iter_markers=lambda: marks,
    )
    kernel_marks.mark(cast(pytest.Item, item))
    monkeypatch.delenv("NETLAB_FAULTS", raising=False)
    without = kernel_marks.elsewhere(cast(pytest.Item, item))
    monkeypatch.setenv("NETLAB_FAULTS", "1")

    assert ("runs by make test-faults only", "") == (without, kernel_marks.elsewhere(cast(pytest.Item, item)))


@settings(max_examples=1, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.none())
def test_a_test_whose_input_is_drawn_brings_the_marker(request: pytest.FixtureRequest, nothing: None) -> None:
    """``make test-samples`` runs it."""
    assert request.node.get_closest_marker("samples") is not None


def test_a_module_that_draws_samples_brings_the_marker() -> None:
    """Its tests may draw them in any way."""
    from policy import test_groups

    added: list[str] = []
    item = SimpleNamespace(
        path=kernel_marks.TESTS / "policy" / "test_groups.py",
        module=test_groups,
        add_marker=lambda mark: added.append(mark.name),
    )
    kernel_marks.mark(cast(pytest.Item, item))

    assert ["samples"] == added
