"""A lab on three machines beside the same lab on one: built, changed and removed, with commands of netlab.

The machines are those of the tests of labs on many machines: network, mount and pid namespaces, joined by a bridge,
with a real etcd and an agent on each. They share this host's processors, so three machines cannot be faster than one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import manifests
from benchmarks.figures import Options, Ratio, Result, Row, ratio
from benchmarks.turns import turns

if TYPE_CHECKING:
    from machines.bed import Machine

ABOUT = "commands for a lab on three machines joined by etcd, beside the same commands for a lab on one machine"

# Pods, nodes, and rounds.
SIZES = ((30, 6, 5), (300, 6, 10), (1000, 12, 3))
_NAMES = ("m1", "m2", "m3")
_THREE, _ONE = "three machines", "one machine"
_LAB = "bench"
_IN_FORCE = re.compile(r"in force after ([\d.]+) (ms|s)")
_AIM = "aim 100"


def run(options: Options) -> Result:
    """Measure every size, three machines and one in turns."""
    # The bed and the agents are those of the tests.
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from etcd_members import missing
    from machines.agents import Agents
    from machines.bed import Machines

    rows: list[Row] = []
    ratios: list[Ratio] = []
    if lacking := missing():
        return Result("machines", ABOUT, (), (), (f"needs {', '.join(lacking)}",))
    for pods, nodes, rounds in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            beds = [Machines(_NAMES)]
            try:
                agents = Agents(beds[0], Path(directory))
                agents.start()
                beds.append(Machines(["alone"]))
                found = _measure(
                    pods,
                    nodes,
                    options.rounds or rounds,
                    beds[0]["m2"],
                    beds[1]["alone"],
                    beds[0].wire,
                    Path(directory),
                )
            finally:
                for bed in beds:
                    bed.close()
        rows += found
        ratios += _ratios(found)
    return Result("machines", ABOUT, tuple(rows), tuple(ratios))


def _measure(
    pods: int, nodes: int, rounds: int, member: Machine, alone: Machine, wire: int, directory: Path
) -> list[Row]:
    case = f"{pods:,} pods on {nodes} nodes"
    file = directory / "lab.json"
    documents = [manifests.topology(_LAB, nodes), *manifests.shops(pods // 10, 5)]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    found: dict[tuple[str, str], list[float]] = {}
    numbers = iter(range(1_000_000))

    def note(what: str, unit: str, value: float) -> None:
        found.setdefault((what, unit), []).append(value)

    def netlab(where: str, what: str, *arguments: object) -> float:
        """Run a command, and note what it took; return the milliseconds until its change was in force."""
        machine, before = (member, _bytes(wire)) if where == _THREE else (alone, 0)
        began = time.perf_counter()
        done = machine.netlab(*arguments)
        took = time.perf_counter() - began
        assert done.returncode == 0, done.stderr
        note(f"{where}: {what}, the whole command", "ms", took * 1000)
        if where == _THREE:
            note(f"{where}: {what}, through etcd", "kB", (_bytes(wire) - before) / 1000)
        match = _IN_FORCE.search(done.stderr)
        return float(match[1]) * (1000 if match[2] == "s" else 1) if match else took * 1000

    def contestant(what: str, arguments: Callable[[], tuple[object, ...]]) -> Mapping[str, Callable[[], float]]:
        return {where: lambda where=where: netlab(where, what, *arguments()) for where in (_THREE, _ONE)}  # type: ignore[misc]

    def policy() -> tuple[object, ...]:
        more = directory / "policy.json"
        clients = {"podSelector": {"matchLabels": {"app": "client"}}}
        rule = {"from": [clients], "ports": [{"port": 6000 + next(numbers) % 1000}]}
        spec: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [rule]}
        more.write_text(json.dumps(manifests.policy("shop-0", "more", spec)))
        return "apply", "-f", more

    def label() -> tuple[object, ...]:
        return "label", "pod", "shop-0/server-0", f"app={('client', 'server')[next(numbers) // 2 % 2]}"

    steps: Iterator[tuple[str, Callable[[], tuple[object, ...]], int]] = iter(
        (
            ("up", lambda: ("up", "-f", file), 1),
            ("apply of a policy", policy, rounds),
            ("label", label, rounds),
            ("down", lambda: ("down", _LAB), 1),
        )
    )
    for what, arguments, times in steps:
        for where, values in turns(contestant(what, arguments), times).items():
            found[f"{where}: {what}, in force", "ms"] = values
    return [Row(case, what, unit, tuple(values)) for (what, unit), values in found.items()]


def _ratios(rows: list[Row]) -> list[Ratio]:
    by_name = {row.what: row for row in rows}
    found = []
    for what in ("up", "apply of a policy", "label", "down"):
        three, one = (by_name[f"{where}: {what}, in force"] for where in (_THREE, _ONE))
        found.append(ratio(f"{three.case}: {what}, in force, {_THREE} / {_ONE}", three, one))
        if what in ("apply of a policy", "label"):
            found.append(Ratio(f"{three.case}: ms until a {what} is in force on {_THREE}, median", three.median, _AIM))
    return found


def _bytes(wire: int) -> int:
    """Return the bytes that went to etcd and from it: those that the bridge itself sent and received."""
    command = ["nsenter", "-t", str(wire), "-n", "ip", "-s", "-j", "link", "show", "wire"]
    (link,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    stats = link["stats64"]
    return int(stats["rx"]["bytes"]) + int(stats["tx"]["bytes"])
