"""Kubernetes networking on one Linux host: labs of network namespaces, policies as nftables, verdicts by packets.

The public names are here. Each is imported at its first use, so that ``import netlab`` is fast::

    objects, warnings = netlab.load(["manifests/"])
    cluster = netlab.resolve(objects)                           # no kernel needed
    for flow in netlab.every_pair(cluster):
        print(flow.source.ref, flow.target, netlab.evaluate(cluster, flow).verdict)

    with netlab.temporary(objects) as lab:                      # as root, or in a user namespace
        for measurement in lab.probe(netlab.every_pair(lab.cluster)):
            print(measurement.verdict, measurement.reason)

A Service is a destination too, and programs run in the lab with its DNS::

        web, api = netlab.find(lab.cluster, "shop/web"), netlab.find_service(lab.cluster, "shop/api")
        (measured,) = lab.probe([netlab.service_flow(web, api, "TCP", 8080, 4)])
        print(lab.run(web, ["getent", "hosts", "api"], seconds=5).stdout)

Packets of Scapy are sent and received by ``Lab.send`` and ``Lab.sniff``. docs/api.md has more examples, and says what
may change between versions.
"""

from __future__ import annotations

# An interrupt during an import in this file would end a command with a traceback: the command line can set its handler
# only later. So it imports nothing; type checkers take this constant for that of typing.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from netlab.cluster.find import find, find_service
    from netlab.cluster.flows import Flow, every_pair, service_flow
    from netlab.cluster.resolve import resolve
    from netlab.cluster.types import Cluster, Host, Node, Pod
    from netlab.dataplane.node_rulesets import rulesets
    from netlab.errors import (
        AlreadyExists,
        DamagedRecord,
        HostError,
        InputError,
        KernelError,
        NetlabError,
        NotFound,
        Problem,
        UsageError,
    )
    from netlab.kernel.captured import ProcessResult
    from netlab.lab.at_endpoints import Place
    from netlab.lab.lab import Lab
    from netlab.lab.outcome import Changes
    from netlab.lab.sniffing import Sniffer
    from netlab.lab.temporary import temporary
    from netlab.lab.trace import Trace, TraceStep
    from netlab.objects.all_objects import Objects
    from netlab.objects.load import load
    from netlab.objects.scenarios import LabelChange, ObjectRef, Scenario
    from netlab.objects.services import Service
    from netlab.objects.types import Document
    from netlab.policy.decision import Decision
    from netlab.policy.evaluate import evaluate
    from netlab.policy.explain import Explanation, explain
    from netlab.policy.reachability import reachability
    from netlab.policy.warnings import warnings
    from netlab.probe.verdicts import Measurement
    from netlab.ruleset.nftables import Ruleset
    from netlab.scenario.results import Failure, ProgramFailure, ScenarioResult, StepResult
    from netlab.scenario.run import run

    __version__: str

_WHERE = {
    "netlab.cluster.find": ("find", "find_service"),
    "netlab.cluster.flows": ("Flow", "every_pair", "service_flow"),
    "netlab.cluster.resolve": ("resolve",),
    "netlab.cluster.types": ("Cluster", "Host", "Node", "Pod"),
    "netlab.dataplane.node_rulesets": ("rulesets",),
    "netlab.errors": (
        *("AlreadyExists", "DamagedRecord", "HostError", "InputError", "KernelError"),
        *("NetlabError", "NotFound", "Problem", "UsageError"),
    ),
    "netlab.kernel.captured": ("ProcessResult",),
    "netlab.lab.at_endpoints": ("Place",),
    "netlab.lab.lab": ("Lab",),
    "netlab.lab.temporary": ("temporary",),
    "netlab.lab.outcome": ("Changes",),
    "netlab.lab.sniffing": ("Sniffer",),
    "netlab.lab.trace": ("Trace", "TraceStep"),
    "netlab.objects.all_objects": ("Objects",),
    "netlab.objects.load": ("load",),
    "netlab.objects.scenarios": ("LabelChange", "ObjectRef", "Scenario"),
    "netlab.objects.services": ("Service",),
    "netlab.objects.types": ("Document",),
    "netlab.policy.decision": ("Decision",),
    "netlab.policy.evaluate": ("evaluate",),
    "netlab.policy.explain": ("Explanation", "explain"),
    "netlab.policy.reachability": ("reachability",),
    "netlab.policy.warnings": ("warnings",),
    "netlab.probe.verdicts": ("Measurement",),
    "netlab.ruleset.nftables": ("Ruleset",),
    "netlab.scenario.results": ("Failure", "ProgramFailure", "ScenarioResult", "StepResult"),
    "netlab.scenario.run": ("run",),
}

__all__ = [
    "AlreadyExists",
    "Changes",
    "Cluster",
    "DamagedRecord",
    "Decision",
    "Document",
    "Explanation",
    "Failure",
    "Flow",
    "Host",
    "HostError",
    "InputError",
    "KernelError",
    "Lab",
    "LabelChange",
    "Measurement",
    "NetlabError",
    "Node",
    "NotFound",
    "ObjectRef",
    "Objects",
    "Place",
    "Pod",
    "Problem",
    "ProcessResult",
    "ProgramFailure",
    "Ruleset",
    "Scenario",
    "ScenarioResult",
    "Service",
    "Sniffer",
    "StepResult",
    "Trace",
    "TraceStep",
    "UsageError",
    "evaluate",
    "every_pair",
    "explain",
    "find",
    "find_service",
    "load",
    "reachability",
    "resolve",
    "rulesets",
    "run",
    "service_flow",
    "temporary",
    "warnings",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("netlab")
    for module, names in _WHERE.items():
        if name in names:
            import importlib

            value = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
