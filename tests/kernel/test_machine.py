"""A lab uses a kernel through the machine only, and a kernel is one class and one line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from import_statements import import_statements

import netlab
from netlab.errors import UsageError
from netlab.kernel import machine
from netlab.kernel.machine import KERNELS, this_host

LAB = Path(netlab.__file__).parent / "lab"
# The machine, and modules of values.
ALLOWED = {"netlab.kernel.machine", "netlab.kernel.program", "netlab.kernel.state"}
# By file, the modules that it may import too, and why.
MORE = {
    # A kubeconfig is a file of this host, which a kernel in memory writes too.
    "outside_files.py": {"netlab.kernel.output"},
    # The users of this host are not a machine's, as a lab in memory has none.
    "at_endpoints.py": {"netlab.kernel.sudo_user"},
    # The echo program is a process of this host, which a kernel in memory cannot have.
    "listeners.py": {
        "netlab.kernel.libc",
        "netlab.kernel.privilege",
        "netlab.kernel.child",
        "netlab.kernel.program_process",
    },
}


def imported(file: Path) -> set[str]:
    """The modules that a file imports from, wherever in it."""
    found: set[str] = set()
    for node in import_statements(file):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("file", sorted(LAB.glob("*.py")), ids=lambda file: file.name)
def test_a_lab_knows_no_kernel(file: Path) -> None:
    """Beside the machine it imports only values."""
    allowed = ALLOWED | MORE.get(file.name, set())
    modules = {name for name in imported(file) if name.startswith("netlab.kernel.")}
    names = {name for name in modules if any(name.startswith(f"{module}.") for module in allowed)}

    assert set() == modules - names - allowed


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_there(name: str) -> None:
    """Its module can be imported, and it is made without a namespace or a privilege."""
    this_host(name).close()


def test_an_unknown_kernel_is_a_wrong_command_line() -> None:
    """The message names those that there are."""
    with pytest.raises(UsageError, match=f"no kernel 'bsd'; it is one of {', '.join(KERNELS)}"):
        this_host("bsd")


def test_the_default_kernel_is_one_of_them() -> None:
    """A name that is not given means it."""
    assert type(this_host()) is type(this_host(machine.DEFAULT))
