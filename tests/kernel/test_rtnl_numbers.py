"""The numbers and structures of rtnetlink are those that pyroute2 has, and no command imports pyroute2 for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from netlab.kernel import pyroute2_numbers, rtnl_numbers


def test_the_numbers_are_what_pyroute2_says():
    """Written anew, the file is the same, byte for byte."""
    written = "\n".join(pyroute2_numbers.module()) + "\n"

    assert written == Path(rtnl_numbers.__file__).read_text()


def test_what_brings_a_lab_up_does_not_import_pyroute2():
    """Its import takes longer than a small lab does; nor is it imported to probe."""
    code = (
        "import sys, netlab.kernel.linux, netlab.probe, netlab.lab.lab, netlab.cli.commands.apply\n"
        "sys.exit(any(name.partition('.')[0] == 'pyroute2' for name in sys.modules))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode
