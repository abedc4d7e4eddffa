"""What tests make on this host is gone afterwards, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from host_records import namespaces, record

from netlab.kernel import netns
from netlab.kernel.linux import Linux
from netlab.lab import removal

pytestmark = pytest.mark.kernel

_TESTS = Path(__file__).parent
_KILLED = """
import os, signal, sys
from host_records import namespaces
from netlab.kernel.linux import Linux
with namespaces(Linux(), sys.argv[1]) as create:
    create([f"netlab.{sys.argv[1]}.a", f"netlab.{sys.argv[1]}.b"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_command_removes_the_namespaces_of_a_test_that_was_killed(unique):
    """They are those of a temporary lab whose process is gone."""
    lab = unique("killed")
    path = os.pathsep.join(map(str, (_TESTS, _TESTS.parent)))
    done = subprocess.run([sys.executable, "-c", _KILLED, lab], env=os.environ | {"PYTHONPATH": path}, check=False)
    names = [f"netlab.{lab}.a", f"netlab.{lab}.b"]
    left = [netns.exists(name) for name in names]

    assert lab not in removal.names()
    assert -signal.SIGKILL == done.returncode
    assert [True, True] == left
    assert [False, False] == [netns.exists(name) for name in names]
    record.tidy()


def test_a_command_leaves_the_namespaces_of_a_test_that_runs(kernel: Linux, unique):
    """Until the block ends."""
    lab = unique("running")
    with namespaces(kernel, lab) as create:
        create([f"netlab.{lab}.a"])
        removal.names()
        assert netns.exists(f"netlab.{lab}.a")

    assert not netns.exists(f"netlab.{lab}.a")
    assert not record.exists(lab)
