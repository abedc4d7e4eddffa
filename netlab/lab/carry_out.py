"""A difference carried out on a machine, so that no packet of a pod passes before its policy is in force."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Mapping

from netlab.cluster import Cluster
from netlab.dataplane import names
from netlab.dataplane.plan import Difference, difference
from netlab.errors import HostError, KernelError, way_out
from netlab.kernel.machine import Machine
from netlab.kernel.state import Namespace, Sysctl
from netlab.lab.state import State


def carry_out(machine: Machine, cluster: Cluster, step: Difference, scripts: Mapping[str, str]) -> None:
    """Do what a difference says, and run the nft script of each node that is named.

    Links that go, go before their rules; links that come, come after them.
    """
    rules = {names.node_namespace(cluster.name, node): script for node, script in scripts.items()}
    machine.create([name for name in step.create if name in rules])
    machine.apply([c for c in step.changes if c.verb == "delete"])
    with _loading(machine, rules):
        machine.create([name for name in step.create if name not in rules])
    machine.apply([c for c in step.changes if c.verb == "add"])
    machine.remove(step.remove)
    touched = {c.namespace for c in step.changes if c.verb == "add"}
    machine.wait_until_ready(sorted(touched & _switches(cluster)))


@contextlib.contextmanager
def _loading(machine: Machine, scripts: Mapping[str, str]) -> Iterator[None]:
    """Load every namespace's script, all at once and beside the block; in force when the block is left.

    nft waits for the kernel's grace periods, not for a processor: making the pods' namespaces meanwhile takes a tenth
    off a lab of 200 pods.
    """
    if len(scripts) < 2:
        for space, script in scripts.items():
            machine.nft(space, script)
        yield
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=16) as pool:
        try:
            loads = [pool.submit(machine.nft, space, script) for space, script in scripts.items()]
        except RuntimeError as error:
            raise HostError(str(error), way_out(errno.EAGAIN)) from error
        yield
        for load in loads:
            load.result()


def _switches(cluster: Cluster) -> set[str]:
    """Return the namespaces whose links may take a moment: those with bridges, and with links that stand on others."""
    lab = cluster.name
    stacked = {names.pod_namespace(lab, pod) for pod in cluster.pods if pod.traits.attachment.on_underlay}
    return {names.underlay_namespace(lab), *(names.node_namespace(lab, n.name) for n in cluster.nodes)} | stacked


def check_free(machine: Machine, spaces: Iterable[str]) -> None:
    """Raise AlreadyExists where something else is under a namespace's name; a record would claim it."""
    for name in spaces:
        if machine.occupied(name):
            raise KernelError.of(f"network namespace {name}", errno.EEXIST)


def found(machine: Machine, spaces: Mapping[str, Namespace]) -> dict[str, Namespace]:
    """Return what those of the namespaces that are there hold, with the settings that they should have."""
    return {
        name: machine.read(name, [i.name for i in space.items if isinstance(i, Sysctl)])
        for name, space in spaces.items()
        if machine.exists(name)
    }


def drift(machine: Machine, state: State) -> list[str]:
    """Return what differs between a machine and what should be there, a line each."""
    have = found(machine, state.namespaces)
    lines = difference(have, state.namespaces, state.namespaces).lines()
    for node, ruleset in state.rulesets.items():
        space = names.node_namespace(state.cluster.name, node)
        if space in have and not machine.holds(space, ruleset.text()):
            lines.append(f"-n {space} nft: the ruleset differs")
    return lines
