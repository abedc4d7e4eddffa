"""An encrypted lab on machines whose kernel has no WireGuard: refused before anything is built.

``tests/vm/test_encryption.py`` has the labs on a kernel that has it.
"""

from __future__ import annotations

import json
import re

import pytest
from machines.labs import documents, written

from netlab.errors import KernelError
from netlab.kernel.machine import this_host


@pytest.fixture
def without() -> None:
    """Skip the test where this kernel has WireGuard."""
    try:
        this_host().new_wireguard_key()
    except KernelError:
        return
    pytest.skip("this kernel has WireGuard")


@pytest.mark.usefixtures("without")
def test_a_kernel_without_wireguard_is_refused_before_anything_is_built(agents, unique, tmp_path):
    """One line with exit code 3 says what to do; no machine has a namespace, and etcd no lab."""
    lab, on = unique("refused"), agents("m1", "m2")
    code, error = on.refused("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2)), "--encrypt")

    assert 3 == code
    assert 1 == len(error.splitlines())
    assert re.match("Error: machine m[12]: this kernel has no links of kind wireguard", error)
    assert "sudo modprobe wireguard" in error
    on.nothing_left()


@pytest.mark.usefixtures("without")
def test_a_running_lab_stays_as_it_is_where_it_cannot_be_encrypted(agents, unique, tmp_path):
    """The change is nowhere, and the lab goes on without encryption, as it said before."""
    lab, on = unique("stays"), agents("m1", "m2")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    on.netlab("m1", "up", "-f", file)
    before = on.inodes(lab)

    assert 3 == on.refused("m2", "up", "-f", file, "--encrypt")[0]
    assert before == on.inodes(lab)
    assert [] == on.drift(lab)
    assert [True] == on.on["m1"].drive("ask", lab=lab, questions=[("default/p1", "10.244.1.2", 80)])


def test_a_lab_on_one_machine_needs_no_wireguard(agents, unique, tmp_path):
    """Nothing leaves the machine. Later changes keep what ``--encrypt`` said, and listings show it."""
    lab, on = unique("alone"), agents("m1")
    file = written(tmp_path, documents(lab, "routed", 2))

    def listed() -> tuple[bool, str]:
        (item,) = json.loads(on.netlab("m1", "get", "labs", "-o", "json"))["items"]
        row = on.netlab("m1", "get", "labs", "-o", "wide").splitlines()[1].split()
        return item["status"]["encrypted"], row[-2]

    found = []
    for option in ("--encrypt", "", "--no-encrypt", ""):
        on.netlab("m1", "up", "-f", file, *([option] if option else []))
        found.append(listed())
        if option == "--encrypt":
            on.netlab("m1", "label", "--lab", lab, "pod", "p1", "app=other")
            found.append(listed())

    assert [(True, "yes")] * 3 + [(False, "no")] * 2 == found
    assert [] == on.drift(lab)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_encryption_is_for_labs_on_many_machines(agents, unique, tmp_path):
    """Without etcd it is an error of the command line, and nothing is built."""
    on = agents("m1", start=False)
    file = written(tmp_path, documents(unique("local"), "routed", 2))
    on.on["m1"].environment.pop("NETLAB_ETCD")
    done = on.on["m1"].netlab("up", "-f", file, "--encrypt")

    assert 2 == done.returncode
    assert "--encrypt is for labs on many machines" in done.stderr
    assert {} == on.on["m1"].left()
