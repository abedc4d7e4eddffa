"""A new kernel is one class and one line: a toy that a lab runs on, made here."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from netlab.kernel import machine
from netlab.kernel.machine import Machine, this_host
from netlab.kernel.state import Change
from netlab.lab.lab import Lab
from netlab.objects import Objects
from netlab.testing import FakeKernel


class Counting(FakeKernel):
    """A kernel in memory that counts its changes."""

    count = 0

    def apply(self, changes: list[Change]) -> None:  # type: ignore[override]
        Counting.count += len(changes)
        super().apply(changes)


def test_a_kernel_is_one_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """``this_host`` returns it by its name, and a lab is built and removed on it."""
    module = ModuleType("toy_kernel")
    module.Counting = Counting  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_kernel", module)
    monkeypatch.setattr(machine, "KERNELS", {**machine.KERNELS, "toy": "toy_kernel:Counting"})
    toy: Machine = this_host("toy")
    with Lab.temporary(Objects(), machine=toy) as lab:
        drift = lab.drift()

    assert isinstance(toy, Counting)
    assert [] == drift
    assert Counting.count
    assert [] == Lab.names(toy)
