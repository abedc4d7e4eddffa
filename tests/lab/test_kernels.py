"""A lab that one kernel built has no difference for the other."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sizes import some

from netlab.cli import options
from netlab.cluster.flows import every_pair
from netlab.kernel.machine import DEFAULT, KERNELS, this_host
from netlab.lab.lab import Lab
from netlab.objects import load
from netlab.policy.evaluate import evaluate

REPOSITORY = Path(__file__).parents[2]
TOPOLOGIES = sorted((REPOSITORY / "topologies").glob("*.yaml"))
Program = Callable[..., "subprocess.CompletedProcess[str]"]
SHOP = ("-f", "examples/shop")


@pytest.fixture
def name(unique: Callable[[str], str], program: Program) -> Iterator[str]:
    """A name for a lab that is removed afterwards."""
    own = unique("kernels")
    yield own
    program("down", own)


def drift(program: Program, name: str) -> str:
    """What ``get labs -o wide`` says that ``up`` would repair."""
    header, line = program("get", "labs", name, "-o", "wide").stdout.splitlines()
    return dict(zip(header.split(), line.split(), strict=False))["DRIFT"]


@pytest.mark.parametrize("topology", some(TOPOLOGIES), ids=lambda path: path.stem)
def test_what_one_kernel_built_the_other_need_not_repair(name: str, topology: Path) -> None:
    """In every topology and both ways nothing differs. In a lab of the kernel that is not the default, packets agree.

    All other tests send packets in labs of the default kernel.
    """
    objects, _ = load([str(topology), str(REPOSITORY / "examples/shop")])
    found = []
    for first, then in (("pyroute2", "fast"), ("fast", "pyroute2")):
        lab = Lab.up(objects, name=name, machine=this_host(first))
        again = Lab.up(objects, name=name, machine=this_host(then))
        found.append((bool(again.changes), again.drift(), lab.drift()))
        if first != DEFAULT:
            measured = [*lab.probe(every_pair(lab.cluster))]
            assert measured
            assert [] == [one.flow for one in measured if one.verdict != evaluate(lab.cluster, one.flow).verdict]
        again.close()
        lab.down()

    assert [(False, [], [])] * 2 == found


def test_up_takes_the_kernel_by_option_and_by_variable(name: str, program: Program) -> None:
    """Other commands need not know it."""
    built = program("up", *SHOP, "--lab", name, "--kernel", "pyroute2")
    found = drift(program, name)
    again = program("up", *SHOP, "--lab", name, NETLAB_KERNEL="fast")

    assert (0, "0", 0) == (built.returncode, found, again.returncode), built.stderr + again.stderr
    assert f"lab {name}: unchanged" in again.stderr


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_repairs_what_was_damaged(name: str, program: Program, kernel: str) -> None:
    """Links, addresses, routes and settings that were changed by hand."""
    arguments = ("-f", "topologies/dual-stack.yaml", *SHOP, "--lab", name)
    program("up", *arguments)
    node, pod = f"netlab.{name}.node.node-1", f"netlab.{name}.pod.shop.web-0"
    for command in (
        f"ip -n {pod} address flush dev eth0",
        f"ip -n {node} link set br-default mtu 1400",
        f"ip -n {node} link delete underlay0",
        f"ip netns exec {node} sysctl -qw net.ipv4.ip_forward=0",
        f"ip -n {pod} link set eth0 address 0a:58:00:00:00:77",
        f"ip netns exec {node} nft delete table inet netlab",
    ):
        subprocess.run(command.split(), check=False, capture_output=True)
    damaged = drift(program, name)
    up = program("up", *arguments, "--kernel", kernel)

    assert "0" != damaged
    assert 0 == up.returncode, up.stderr
    assert "0" == drift(program, name)
    assert 0 == program("verify", "--lab", name).returncode


def test_an_unknown_kernel_is_a_wrong_command_line(program: Program) -> None:
    """By the option and by the variable."""
    by_option, by_variable = program("up", *SHOP, "--kernel", "bsd"), program("up", *SHOP, NETLAB_KERNEL="bsd")

    assert (2, 2) == (by_option.returncode, by_variable.returncode)
    assert "'bsd' is not one of 'fast', 'pyroute2'" in by_option.stderr


def test_the_option_names_every_kernel() -> None:
    """It has a list of its own, as reading that of the kernels takes time."""
    assert (tuple(KERNELS), DEFAULT) == (options.KERNELS, options.KERNELS[0])
