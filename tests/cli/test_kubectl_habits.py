"""Options that users of kubectl type out of habit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from click.testing import Result

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("option", ["-A", "--all-namespaces"])
def test_get_lists_all_namespaces(shared_lab: str, netlab: Call, option: str) -> None:
    """As without it; like that of kubectl it is stronger than a namespace."""
    plain = netlab("get", "pods", "--lab", shared_lab)
    done = netlab("get", "pods", "--lab", shared_lab, option)
    both = netlab("get", "pods", "--lab", shared_lab, option, "-n", "shop")
    variable = netlab("get", "pods", "--lab", shared_lab, option, env={"NETLAB_NAMESPACE": "shop"})

    assert 0 == plain.exit_code
    assert {"other", "shop"} == {line.split()[0] for line in plain.stdout.splitlines()[1:]}
    for one in (done, both, variable):
        assert (0, plain.stdout, "") == (one.exit_code, one.stdout, one.stderr)


def test_get_takes_no_names_of_all_namespaces(netlab: Call) -> None:
    """A name is one of one namespace."""
    done = netlab("get", "pods", "web", "-A")

    assert (2, "Error: name objects or say -A, not both\n") == (done.exit_code, done.stderr)


@pytest.mark.parametrize("options", [("-it",), ("-i",), ("-t",), ("--stdin", "--tty")], ids=" ".join)
@pytest.mark.parametrize("after", [False, True], ids=["before the pod", "after the pod"])
def test_exec_takes_the_options_of_a_terminal(
    shared_lab: str, program: Program, options: tuple[str, ...], after: bool
) -> None:
    """The program has netlab's input with and without them. Its own options are its own."""
    words = ["shop/web", *options] if after else [*options, "shop/web"]
    done = program("exec", "--lab", shared_lab, *words, "--", "sh", "-c", 'cat; echo "$@"', "x", "-i", text="in\n")

    assert (0, "in\n-i\n", "") == (done.returncode, done.stdout, done.stderr)


def test_exec_does_not_take_an_option_of_the_program(netlab: Call) -> None:
    """Without -- nobody knows whose it is."""
    done = netlab("exec", "shop/web", "ls", "-i")

    assert (2, "Error: with -i or -t, write -- before the program\n") == (done.exit_code, done.stderr)
