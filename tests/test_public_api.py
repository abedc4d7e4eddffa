"""What ``import netlab`` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import netlab


def test_all_names_are_sorted_and_there() -> None:
    """``__all__`` is what is public, and each name is the object that bears it."""

    assert sorted(netlab.__all__) == netlab.__all__
    assert sorted(name for names in netlab._WHERE.values() for name in names) == netlab.__all__
    assert netlab.__all__ == [getattr(netlab, name).__name__ for name in netlab.__all__]


def test_import_is_lazy() -> None:
    """A name is imported at its first use."""
    script = "import sys, netlab; print([m for m in sys.modules if m.startswith('netlab')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert "['netlab']\n" == done.stdout


def test_an_unknown_name() -> None:
    """It is an AttributeError."""
    with pytest.raises(AttributeError, match="module 'netlab' has no attribute 'nothing'"):
        netlab.nothing  # noqa: B018
