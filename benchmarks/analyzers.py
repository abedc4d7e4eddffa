"""What can talk to what, answered from manifests: ``netlab reach`` beside programs that do the same in Go.

All read the same pods and policies, and print every pair. ``scripts/bench-peers`` builds the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks import machine, manifests
from benchmarks.commands import NOTHING
from benchmarks.figures import Options, Ratio, Result, Row, against
from benchmarks.turns import turns

ABOUT = "netlab reach of 10, 100 and 500 pods beside the analyzers of np-guard and cyclonus, whole commands"

# Namespaces of ten pods and four policies each, rounds.
SIZES = ((1, 9), (10, 5), (50, 3))
_PODS, _POLICIES = 5, 4
_NETLAB, _JSON, _NP_GUARD, _CYCLONUS = "netlab reach", "netlab reach -o json", "np-guard list", "cyclonus analyze"
_PROBE, _LIST = "probe.json", "policies.yaml"
_PROCESSOR, _MEMORY = "processor time", "most memory"
_TARGET = {(1, _NP_GUARD): "<= 2"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took: seconds from start to exit, seconds of processor time, megabytes at its peak."""

    seconds: float
    processor: float
    megabytes: float


def run(options: Options) -> Result:
    """Measure each size in turns; a program that is not on this host is named in a note."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    notes: list[str] = []
    programs = {} if options.bare else {name: machine.program(name) for name in ("netpolicy", "cyclonus")}
    notes += [f"{name}: not on this host; scripts/bench-peers builds it" for name, path in programs.items() if not path]
    for namespaces, rounds in SIZES:
        # A command counts the memory of the process that started it as its own (getrusage(2)), so that one stays small.
        with tempfile.TemporaryDirectory() as directory, ProcessPoolExecutor(1) as other:
            other.submit(write, Path(directory), namespaces).result()
            commands = _commands(Path(directory), programs, options.bare)
            notes += other.submit(_agreement, commands, namespaces).result()
            found, more = _measure(commands, namespaces, options.rounds or rounds, options.seconds)
        rows += found
        ratios += more
    return Result("analyzers", ABOUT, tuple(rows), tuple(ratios), tuple(notes))


def write(directory: Path, namespaces: int) -> None:
    """Write ``manifests/*.yaml`` with all objects, and for cyclonus a list of policies and its model of pods."""
    documents = list(pods_of(manifests.shops(namespaces, _PODS, _POLICIES)))
    policies = [one for one in documents if one["kind"] == "NetworkPolicy"]
    pods = [one for one in documents if one["kind"] == "Pod"]
    (directory / "manifests").mkdir()
    _dump(directory / "manifests/policies.yaml", policies)
    # cyclonus reads the first document of a file only.
    _dump(directory / _LIST, [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": policies}])
    _dump(directory / "manifests/pods.yaml", [one for one in documents if one["kind"] != "NetworkPolicy"])
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in documents if one["kind"] == "Namespace"}
    resources = {"Namespaces": labels, "Pods": [_model(pod) for pod in pods]}
    model = {"Probes": [{"Protocol": "TCP", "Port": manifests.PORT}], "Resources": resources}
    (directory / _PROBE).write_text(json.dumps(model))


def pods_of(documents: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the documents as all analyzers read them.

    Pods stand in place of Deployments, as np-guard counts a Deployment as one workload. Policies name their types, as
    cyclonus refuses those that do not.
    """
    number = 0
    for one in documents:
        if one["kind"] == "NetworkPolicy":
            one["spec"]["policyTypes"] = ["Ingress"]
        if one["kind"] != "Deployment":
            yield one
            continue
        name, spec = one["metadata"]["name"], one["spec"]
        for i in range(spec["replicas"]):
            number += 1
            metadata = {**one["metadata"], "name": f"{name}-{i}", "labels": spec["template"]["metadata"]["labels"]}
            address = f"10.244.{number // 250}.{number % 250 + 2}"
            status = {"podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.1"}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec["template"]["spec"]}
            yield {**pod, "status": status}


def _model(pod: dict[str, Any]) -> dict[str, Any]:
    metadata = pod["metadata"]
    container = {"Name": "main", "Port": manifests.PORT, "PortName": "main", "Protocol": "TCP"}
    found = {"Namespace": metadata["namespace"], "Name": metadata["name"], "Labels": metadata["labels"]}
    return {**found, "IP": pod["status"]["podIP"], "Containers": [container]}


def _dump(path: Path, documents: list[dict[str, Any]]) -> None:
    with path.open("w") as file:
        yaml.dump_all(documents, file, Dumper=_Plain)


class _Plain(yaml.SafeDumper):
    """Writes a value that occurs twice in full, as people write manifests."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _commands(directory: Path, programs: dict[str, str | None], bare: bool) -> dict[str, list[str]]:
    """Return the commands that are measured, by name."""
    files = str(directory / "manifests")
    reach = [sys.executable, "-m", "netlab", "reach", "-f", files]
    commands = {_NETLAB: reach, _JSON: [*reach, "-o", "json"]}
    if not bare:
        commands[NOTHING[0]] = [sys.executable, *NOTHING[1]]
    if np_guard := programs.get("netpolicy"):
        commands[_NP_GUARD] = [np_guard, "list", "--quiet", "--dirpath", files]
    if cyclonus := programs.get("cyclonus"):
        model = ["--mode", "probe", "--policy-path", str(directory / _LIST), "--probe-path", str(directory / _PROBE)]
        commands[_CYCLONUS] = [cyclonus, "analyze", *model]
    return commands


def _agreement(commands: dict[str, list[str]], namespaces: int) -> list[str]:
    """Return a note that says how many pairs each analyzer allows: they answer the same question."""
    counted: dict[str, Callable[[str], int]]
    counted = {_JSON: netlab_pairs, _NP_GUARD: np_guard_pairs, _CYCLONUS: cyclonus_pairs}
    found = {}
    for name, count in counted.items():
        if name in commands:
            found[name] = count(subprocess.run(commands[name], check=True, capture_output=True, text=True).stdout)
    if len(found) < 2:
        return []
    pairs = ", ".join(f"{name} {number:,}" for name, number in found.items())
    return [f"{_case(namespaces)}: allowed pairs of pods: {pairs}"]


def netlab_pairs(printed: str) -> int:
    return sum(row["expected"] == "allow" for row in json.loads(printed)["rows"])


def np_guard_pairs(printed: str) -> int:
    """Count lines as ``shop-0/client-0[Pod] => shop-0/server-0[Pod] : TCP 5432-5434`` that have the port."""
    return sum(_has_port(line.rpartition(" : ")[2]) for line in printed.splitlines() if line.count("[Pod]") == 2)


def _has_port(connections: str) -> bool:
    ranges = [one.split("-") for one in connections.removeprefix("TCP ").split(",")]
    return connections == "All Connections" or any(int(one[0]) <= manifests.PORT <= int(one[-1]) for one in ranges)


def cyclonus_pairs(printed: str) -> int:
    """Count the dots in the first table "Combined", but for those of a pod with itself."""
    table = printed.split("Combined:")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("| ")][1:]
    return sum(cell == "." for i, row in enumerate(rows) for j, cell in enumerate(row[1:]) if i != j)


def _measure(
    commands: dict[str, list[str]], namespaces: int, rounds: int, enough: float
) -> tuple[list[Row], list[Ratio]]:
    usage: dict[str, list[Usage]] = {name: [] for name in commands}
    contestants = {name: partial(_once, command, usage[name]) for name, command in commands.items()}
    seconds = turns(contestants, rounds, seconds=enough)
    case = _case(namespaces)
    parts = {
        "whole command": ("ms", {name: [value * 1000 for value in found] for name, found in seconds.items()}),
        _PROCESSOR: ("ms", {name: [one.processor * 1000 for one in found] for name, found in usage.items()}),
        _MEMORY: ("MB", {name: [one.megabytes for one in found] for name, found in usage.items()}),
    }
    rows: list[Row] = []
    ratios: list[Ratio] = []
    for part, (unit, figures) in parts.items():
        found = [Row(f"{case}, {part}", name, unit, tuple(values)) for name, values in figures.items()]
        targets = {other: target for (size, other), target in _TARGET.items() if size == namespaces}
        others = (_NP_GUARD, _CYCLONUS)
        ratios += against(found, _NETLAB, others, targets if part == _PROCESSOR else {})
        rows += found
    return rows, ratios


def _once(command: list[str], usage: list[Usage]) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The usage of the process and its children (wait4(2)).
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    usage.append(Usage(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    return took


def _case(namespaces: int) -> str:
    return f"{2 * _PODS * namespaces} pods, {_POLICIES * namespaces} policies"
