"""The marker ``kernel``: which tests have it, and what is said where one cannot run."""

from __future__ import annotations

import os

import kernel_marks
import pytest


def test_a_test_without_namespaces_has_no_marker(request: pytest.FixtureRequest) -> None:
    """It runs for every user."""

    assert [] == list(request.node.iter_markers("kernel"))
    assert "" == kernel_marks.missing(request.node)


def test_a_fixture_that_names_labs_brings_the_marker(request: pytest.FixtureRequest, unique: object) -> None:
    """The test itself needs no marker."""

    assert ["kernel"] == [mark.name for mark in request.node.iter_markers("kernel")]


def test_every_place_that_is_listed_exists() -> None:
    """A moved file must be moved in the list too."""

    assert [] == [place for place in kernel_marks.PLACES if not (kernel_marks.TESTS / place).exists()]


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
