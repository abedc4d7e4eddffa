"""What short commands may import. Most of the time of a short command is imports.

A list here names what a command has no use for. A module that is new and needed changes no list. If a test fails,
import the module in the function or branch that needs it, or below ``if TYPE_CHECKING`` if only annotations do.
``python -X importtime -m netlab COMMAND`` shows where it is imported.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# Modules of Python that take a millisecond or more, and that click and PyYAML do not load.
SLOW = (
    *("asyncio", "concurrent.futures", "ctypes", "http", "importlib.metadata", "logging", "multiprocessing"),
    *("shutil", "socket", "subprocess", "tempfile", "traceback", "unittest"),
)
LIBRARIES = ("dns", "kubernetes", "networkx", "pyroute2", "scapy")
KERNEL = ("netlab.kernel", "netlab.dataplane", "netlab.probe", "netlab.ruleset")
READING = ("netlab.objects", "netlab.cluster", "netlab.policy")
SERVERS = ("asyncio", "http", "logging", "multiprocessing", "unittest")
# Kinds that the input has not.
KINDS = (
    *("deployment", "replicaset", "replicationcontroller", "statefulset", "daemonset", "job", "cronjob", "node"),
    *("service", "endpointslice", "endpoints", "ingress", "ingressclass", "secret", "clusternetworkpolicy"),
    *("adminnetworkpolicy", "baselineadminnetworkpolicy", "topology", "profile", "invariants", "lesson"),
    *("podlabels", "ignoredkind", "systemobjects", "stoppednode", "workloadpods"),
)
ABSENT = tuple(f"netlab.objects.kinds.{kind}" for kind in KINDS)
TESTS = ("netlab.objects.kinds.scenario", "netlab.objects.scenarios", "netlab.objects.scenario_check")
# What ``inspect`` imports. click imports that, and ``netlab.cli.later`` loads it when it is used.
INSPECT = ("ast", "dis", "opcode", "tokenize")
# What gives verdicts: warnings about policies do without.
EVALUATOR = ("netlab.policy.evaluate", "netlab.policy.decision", "netlab.policy.tiers.networkpolicy")
# What is about policies of other kinds and about Services, which the input has not.
TIERS = ("netlab.policy.tiers.cilium", "netlab.policy.tiers.cluster_policy", "netlab.objects.cilium_policies")
SERVICES = ("netlab.objects.services", "netlab.policy.service_ports", "netlab.cluster.cluster_policies_read")
# Warnings about egress.
EGRESS = ("netlab.policy.dns",)
SETS = ("netlab.policy.groups", "netlab.policy.set_evaluator", "netlab.policy.rule_judge", "netlab.policy.lint")

CHECK = ("check", "-f", "scenarios/manifests/three-pods.yaml")
REACH = ("reach", "-f", "scenarios/manifests/three-pods.yaml")
EXPLAIN = ("explain", "shop/web", "shop/db", "-f", "examples/shop")
SCENARIO = ("test", "scenarios/00-three-pods.yaml")
# The input of ``explain`` has these.
OF_SHOP = tuple(f"netlab.objects.kinds.{kind}" for kind in ("deployment", "statefulset"))

FORBIDDEN: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--help",): (
        *SLOW,
        *INSPECT,
        *LIBRARIES,
        *KERNEL,
        "json",
        "yaml",
        "netlab.objects",
        "netlab.cluster",
        "netlab.policy",
    ),
    CHECK: (
        *(*SLOW, *INSPECT, *LIBRARIES, *KERNEL, *ABSENT, *TESTS),
        *(*EVALUATOR, *TIERS, *SERVICES, *EGRESS, *SETS, "json"),
    ),
    REACH: (*SLOW, *INSPECT, *LIBRARIES, *KERNEL, *ABSENT, *TESTS, *TIERS, *SERVICES, *EGRESS, *SETS, "json"),
    EXPLAIN: (*SLOW, *INSPECT, *LIBRARIES, *KERNEL, *(set(ABSENT) - {*OF_SHOP}), *TESTS, *SETS),
    SCENARIO: (
        *INSPECT,
        "asyncio",
        "http",
        "logging",
        "multiprocessing",
        "unittest",
        *LIBRARIES,
        *SETS,
        "netlab.control_plane",
    ),
}
RUN = """
import sys
before = set(sys.modules)
from netlab.cli import main
sys.argv = ["netlab", *sys.argv[1:]]
try:
    main()
finally:
    print("modules:", *sorted(set(sys.modules) - before), file=sys.stderr)
"""


def loaded(arguments: tuple[str, ...]) -> list[str]:
    """Return the modules that a command imports, whatever its exit code."""
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=60)
    title, *found = done.stderr.splitlines()[-1].split()
    assert title == "modules:", done.stderr
    return found


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(one, marks=[pytest.mark.kernel] if one == SCENARIO else [], id=one[0]) for one in FORBIDDEN],
)
def test_a_command_imports_nothing_that_it_has_no_use_for(arguments: tuple[str, ...]) -> None:
    """A failure names the modules; the head of this file says what to do."""
    useless = FORBIDDEN[arguments]

    found = [one for one in loaded(arguments) if any(one == name or one.startswith(f"{name}.") for name in useless)]

    assert not found, f"netlab {' '.join(arguments)} imports what it has no use for: {', '.join(found)}"


@pytest.mark.parametrize("name", sorted({one for some in FORBIDDEN.values() for one in some if "netlab" in one}))
def test_a_module_of_a_list_exists(name: str) -> None:
    """Else the list forbids nothing."""
    assert find_spec(name) is not None
