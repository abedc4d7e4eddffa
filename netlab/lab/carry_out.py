"""Carries out a difference on a machine, so that no packet of a pod passes before its policy is in force."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Mapping

from netlab.cluster import Cluster
from netlab.dataplane import names
from netlab.dataplane.plan import Difference, difference
from netlab.errors import HostError, KernelError, way_out
from netlab.kernel.machine import Machine
from netlab.kernel.state import Change, Item, Link, Namespace, Queue, Sysctl
from netlab.lab import notices
from netlab.lab.container_interfaces import delete_interfaces
from netlab.lab.state import State, has_plugins

# As many changes of links, addresses and routes take about as long as one network namespace does.
_CHANGES = 18
# Network namespaces that are made between two reports of the progress, and at once.
_SPACES, _AT_ONCE = 100, 20


def carry_out(machine: Machine, cluster: Cluster, change: Difference, scripts: Mapping[str, str]) -> None:
    """Carry out a difference, and run an nft script on each of some nodes.

    Links are deleted before the rules change, and added after it.

    Args:
      machine: the machine of the lab.
      cluster: the cluster of the wanted state.
      change: the difference to carry out.
      scripts: nft scripts by the names of nodes.

    Raises:
      HostError: if the kernel lacks a kind of link.
      KernelError: if it refuses something else.
    """
    rules = {names.node_namespace(cluster.name, node): script for node, script in scripts.items()}
    machine.create([name for name in change.create if name in rules])
    machine.apply([c for c in change.changes if c.verb == "delete"])
    additions = [c for c in change.changes if c.verb == "add"]
    spaces = [name for name in change.create if name not in rules]
    # Settings of new namespaces need no links, and are written while others are made.
    first = {name: list[Change]() for name in spaces}
    later = list[Change]()
    for one in additions:
        early = isinstance(one.item, Sysctl) and not one.item.link
        (first.get(one.namespace, later) if early else later).append(one)
    total = len(spaces) + len(later) // _CHANGES
    with _loading(machine, rules):
        for start in range(0, len(spaces), _AT_ONCE):
            some = spaces[start : start + _AT_ONCE]
            machine.create(some)
            machine.apply([one for name in some for one in first[name]])
            done = start + len(some)
            if len(spaces) > _SPACES and (done % _SPACES == 0 or done == len(spaces)):
                notices.progress("building the lab", done, total)
    try:
        machine.apply(later)
    except KernelError as error:
        from netlab.lab.missing_links import explained

        raise explained(error, cluster, [item for item in added(change) if isinstance(item, Link)]) from error
    delete_interfaces(machine, change.remove)
    machine.remove(change.remove)
    touched = {c.namespace for c in change.changes if c.verb == "add"}
    machine.wait_until_ready(sorted(touched & _switches(cluster)))


@contextlib.contextmanager
def _loading(machine: Machine, scripts: Mapping[str, str]) -> Iterator[None]:
    """Load all scripts at once, beside the block; they are in force at the end of the block.

    nft waits for grace periods of the kernel. Making the pods' namespaces meanwhile saves a tenth of the time of a lab
    of 200 pods.
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
    """Return the namespaces whose links are not ready at once: those with bridges and those with macvlan links."""
    lab = cluster.name
    if has_plugins(cluster):
        # A node may have links of plugins that wait for pods.
        return {names.underlay_namespace(lab)}
    stacked = {names.pod_namespace(lab, pod) for pod in cluster.pods if pod.traits.attachment.on_underlay}
    return {names.underlay_namespace(lab), *(names.node_namespace(lab, n.name) for n in cluster.nodes)} | stacked


def added(change: Difference) -> list[Item]:
    """Return the items that a difference adds."""
    return [one.item for one in change.changes if one.verb == "add"]


def check_host(machine: Machine, cluster: Cluster, items: Iterable[Item]) -> None:
    """Raise HostError or KernelError where the machine cannot make these items of a lab.

    The module of IPIP puts a link of its own, with a name that a lab may want, into each namespace that exists when it
    is loaded. So it is loaded before the lab's namespaces are made.
    """
    made = [item for item in items if isinstance(item, (Link, Queue))]
    links = [item for item in made if isinstance(item, Link)]
    tunnel = next((link for link in links if link.kind == "ipip"), None)
    if tunnel is not None:
        try:
            machine.check_link(tunnel)
        except KernelError as error:
            from netlab.lab.missing_links import explained

            raise explained(error, cluster, links) from error
    if len(made) > len(links):
        machine.check_queues()


def check_free(machine: Machine, spaces: Iterable[str]) -> None:
    """Raise AlreadyExists where anything exists under a namespace's name, as the record would claim it."""
    for name in spaces:
        if machine.occupied(name):
            raise KernelError.of(f"network namespace {name}", errno.EEXIST)


def found(machine: Machine, spaces: Mapping[str, Namespace]) -> dict[str, Namespace]:
    """Return the items of those of the namespaces that exist, with the settings that they should have."""
    return {
        name: machine.read(
            name,
            [i.name for i in space.items if isinstance(i, Sysctl)],
            with_queues=any(isinstance(i, Queue) for i in space.items),
        )
        for name, space in spaces.items()
        if machine.exists(name)
    }


def drift(machine: Machine, state: State) -> list[str]:
    """Return the differences between a machine and a state, a line each."""
    have = found(machine, state.namespaces)
    lines = difference(have, state.namespaces, state.namespaces).lines()
    beside = has_plugins(state.cluster)
    if beside:
        from netlab.lab.plugin_links import PluginLinks

        lines += PluginLinks(machine, state.cluster.name).drift(state.cluster)
    for node, ruleset in state.rulesets.items():
        space = names.node_namespace(state.cluster.name, node)
        if space in have and not machine.holds(space, ruleset.first_text(), beside=beside):
            lines.append(f"-n {space} nft: the ruleset differs")
    return lines
