"""Help and suggestions come fast."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from netlab.cli.command_group import COMMANDS, SECTIONS, cli

REPOSITORY = Path(__file__).parents[2]
# What takes long to import; the rooms that speak to the kernel load ctypes.
HEAVY = ("yaml", "scapy", "networkx", "pyroute2", "ctypes", "netlab.kernel", "netlab.objects", "netlab.probe")


def imported(*arguments: str) -> set[str]:
    """Return which of the heavy modules a command line imports."""
    script = f"""
import json, sys
from netlab.cli import cli
try:
    cli.main({list(arguments)!r})
except SystemExit:
    pass
print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=60
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["verify", "--help"], ["chekc"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help and suggestions come at once."""

    assert set() == imported(*arguments)


def test_each_command_is_below_a_heading() -> None:
    """The help has the commands in sections, and each of them once."""
    text = CliRunner().invoke(cli, ["--help"]).output

    assert next(iter(COMMANDS)) == next(iter(SECTIONS))
    assert set(SECTIONS) <= set(COMMANDS)
    assert list(SECTIONS.values()) == [one for one in SECTIONS.values() if f"\n{one}:\n" in text]
    assert all(1 == text.count(f"\n  {name} ") for name in COMMANDS)


# What a command may load: netlab's rooms, and packages that are no part of Python. What else it needs, it imports when
# it knows that it does.
START = {"cli", "errors", "frozen", "patterns", "quantity", "lab", "report", "click"}
READING = START | {"cluster", "modes", "objects", "policy", "verdicts", "yaml", "cython_runtime"}
MAY_IMPORT = {
    ("--help",): START - {"report"},
    ("check", "--help"): START,
    ("check", "-f", "scenarios/manifests/three-pods.yaml"): READING,
    ("lint", "--help"): START,
    ("lint", "-f", "scenarios/manifests/three-pods.yaml"): READING,
    ("reach", "-f", "scenarios/manifests/three-pods.yaml"): READING,
    ("reach", "-f", "scenarios/manifests/three-pods.yaml", "--as", "flannel"): READING | {"profiles"},
    ("explain", "shop/web", "shop/db", "-f", "examples/shop"): READING,
    ("compile", "-f", "scenarios/manifests/three-pods.yaml"): READING | {"ruleset", "dataplane", "kernel"},
}
# Single modules of rooms that are not loaded as a whole.
ONLY = {"lab": {"netlab.lab", "netlab.lab.notices"}}
LIST = """
import json, sys
before = set(sys.modules)
from netlab.cli import main
sys.argv = ["netlab", *json.loads(sys.argv[1])]
try:
    main()
finally:
    print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""


def modules_of(*arguments: str) -> list[str]:
    """Return the modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", LIST, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    found: list[str] = json.loads(done.stderr.splitlines()[-1])
    return found


@pytest.mark.parametrize("arguments", MAY_IMPORT, ids=lambda arguments: arguments[0])
def test_a_small_command_imports_only_the_rooms_that_it_needs(arguments: tuple[str, ...]) -> None:
    """It starts fast, and commands without a kernel work on every machine that has Python."""
    loaded = modules_of(*arguments)
    parts = [name.split(".") for name in loaded]
    rooms = {part[1] for part in parts if part[0] == "netlab" and len(part) > 1}
    others = {part[0] for part in parts} - {"netlab", *sys.stdlib_module_names}

    assert MAY_IMPORT[arguments] >= rooms | {name for name in others if not name.startswith("_")}
    for room, modules in ONLY.items():
        assert modules >= {name for name in loaded if name.startswith(f"netlab.{room}")}


def test_a_table_of_pairs_imports_no_groups() -> None:
    """Groups are for --group and for reports."""
    arguments = ("reach", "-f", "scenarios/manifests/three-pods.yaml")

    assert "netlab.policy.groups" not in modules_of(*arguments)
    assert "netlab.policy.groups" in modules_of(*arguments, "--group")


# What only inputs with Services, their endpoints or Ingresses need.
OF_SERVICES = {
    *(f"netlab.objects.kinds.{kind}" for kind in ("service", "endpointslice", "endpoints", "ingress", "ingressclass")),
    *(f"netlab.objects.{name}" for name in ("service_rules", "service_shapes", "service_updates", "ingress_links")),
    *(f"netlab.cluster.services.{name}" for name in ("allocation", "endpoints", "selection", "system", "families")),
    *(f"netlab.cluster.services.{name}" for name in ("changes", "hints", "pod_index", "routes")),
    *(f"netlab.ruleset.{name}" for name in ("service_chains", "service_elements", "service_marks")),
    *(f"netlab.policy.{name}" for name in ("expand_services", "service_addresses", "service_text")),
    *("netlab.objects.kinds.secret", "netlab.objects.updates", "netlab.cluster.translate.services"),
    *("netlab.dataplane.services", "netlab.programs", "dns"),
}


@pytest.mark.parametrize("arguments", [a for a in MAY_IMPORT if a[-1] != "--help"], ids=lambda arguments: arguments[0])
def test_a_command_without_services_imports_nothing_of_them(arguments: tuple[str, ...]) -> None:
    """What netlab learned of Services costs an input without them nothing."""
    assert set() == OF_SERVICES & {*modules_of(*arguments)}


def test_a_command_with_services_imports_what_they_need() -> None:
    """The list above has modules that there are."""
    shop = ("-f", "examples/shop", "-f", "examples/services")

    assert {*modules_of("compile", *shop)} >= {
        *("netlab.objects.kinds.service", "netlab.cluster.services.allocation", "netlab.ruleset.service_elements")
    }
    for name in OF_SERVICES:
        assert find_spec(name) is not None, name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(netlab: Callable[..., Any], name: str) -> None:
    """It has a page, and a line in the list of commands."""
    page = netlab(name, "--help")

    assert 0 == page.exit_code
    assert page.stdout.startswith(f"Usage: cli {name} ")
    assert f"  {name} " in netlab("--help").stdout


def test_a_mistyped_command_gets_a_suggestion(netlab: Callable[..., Any]) -> None:
    """Exit code 2, and the closest name."""
    done = netlab("verfy")

    assert 2 == done.exit_code
    assert "No such command 'verfy'. Did you mean 'verify'?" in done.stderr


def test_options_have_environment_variables(netlab: Callable[..., Any]) -> None:
    """``NETLAB_COMMAND_OPTION`` sets the option."""
    done = netlab("reach", "-f", "examples/shop", env={"NETLAB_REACH_OUTPUT": "json"})

    assert done.stdout.startswith('{"apiVersion": "netlab/v1alpha1"')
