"""The links of pods that plugins make: attached after the namespaces exist, and noted in files of the lab.

Each pod has a file in the lab's folder, written before its plugins run and again with their result. So a command that
is killed leaves a file for all that may exist, and the next one detaches what was not finished. A pod that is attached
is held: no packet passes it until its policy is in force.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from netlab.cluster import Cluster, Placement, Pod
from netlab.cluster.host_ports import published_by
from netlab.cni.conflist import BANDWIDTH, PORT_MAPPINGS, Conflist, conflist
from netlab.dataplane import names
from netlab.errors import HostError, KernelError, NetlabError
from netlab.kernel.machine import Machine
from netlab.kernel.state import Change, Link
from netlab.lab.bandwidth import bandwidth
from netlab.lab.notices import notice
from netlab.lab.plugin_files import AttachedPod, PluginFiles, digest
from netlab.lab.plugin_runs import Container, PluginRunner, version_of
from netlab.objects.types import Address

_Taken = dict[tuple[str, Address], str]
_SETTLES = 3.0
_HOLD = "table inet netlab_hold"
_CLOSE = f"""{_HOLD} {{
  chain in {{ type filter hook input priority -300; policy drop; }}
  chain out {{ type filter hook output priority -300; policy drop; }}
}}
"""
_OPEN = f"{_HOLD}\ndelete {_HOLD}\n"


class PluginLinks:
    """The links of one lab that plugins make; the caller holds the lab's lock."""

    def __init__(self, machine: Machine, lab: str) -> None:
        self._machine, self._lab = machine, lab
        self._files = PluginFiles(machine, lab)
        self._versions: dict[str, str] = {}
        self._said: set[str] = set()

    # --- what there is, and what there should be ------------------------------------------------------------------

    def known(self) -> dict[str, AttachedPod]:
        """Return the pods that have a file, by reference; raises HostError where one cannot be read."""
        return self._files.read()

    def wanted(self, cluster: Cluster) -> dict[str, AttachedPod]:
        """Return the pods whose links plugins should make, by reference, without a result.

        Raises:
          HostError: where a plugin is missing.
        """
        found = {}
        for pod in cluster.pods:
            if not pod.traits.attachment.by_plugins or pod.node in cluster.stopped_nodes:
                continue
            network = cluster.network(pod.network)
            if network.conflist is None:
                raise HostError(f"network {network.name} has no plugins")
            shared = not network.traits.transport.node_ranges
            ranges = cluster.node(pod.node).pod_cidrs.get(network.name, ())
            found[pod.ref] = AttachedPod(
                ref=pod.ref,
                node=pod.node,
                network=pod.network,
                netns=names.pod_namespace(self._lab, pod),
                conflist=network.conflist.text,
                version=self._version(network.conflist),
                ranges=tuple(map(str, ranges)),
                capabilities=json.dumps(_capabilities(pod, network.conflist), sort_keys=True),
                shared=shared,
            )
        return found

    def _version(self, of: Conflist) -> str:
        if of.text not in self._versions:
            self._versions[of.text] = version_of(self._machine, of)
        return self._versions[of.text]

    def lacks(self, cluster: Cluster) -> bool:
        """Return whether a pod is not attached that plugins should attach."""
        return not self.wanted(cluster).keys() <= self.known().keys()

    def addresses(self) -> dict[str, Placement]:
        """Return the node and the addresses of the pods that are attached, by reference."""
        return {ref: Placement(one.node, one.addresses) for ref, one in self.known().items() if one.result}

    # --- changes --------------------------------------------------------------------------------------------------

    def stale(self, cluster: Cluster, *, check: bool) -> tuple[list[AttachedPod], list[str]]:
        """Return the pods to detach, as they are gone, changed or unfinished, and why, for those that are damaged.

        With ``check`` also those that CHECK finds damaged.
        """
        wanted, gone, damaged = self.wanted(cluster), [], {}
        for ref, one in self.known().items():
            other = wanted.get(ref)
            if other is None or not one.result or not one.same_call(other):
                gone.append(one)
            elif check and (message := self.damage(one)):
                damaged[message] = one
        return [*damaged.values(), *gone], [*damaged]

    def damage(self, one: AttachedPod) -> str:
        """Return what is wrong with a pod that is attached, "" for nothing."""
        found = one.found
        if found is None:
            return f"pod {one.ref} is not attached"
        try:
            lost = [str(address) for address in one.addresses if not self._machine.has_address(one.netns, address)]
            if lost:
                return f"pod {one.ref} lost {', '.join(lost)}"
            return next(iter(self._runner(one).check(_container(one), found, one.unchecked).values()), "")
        except (HostError, KernelError) as error:
            return str(error)

    def drift(self, cluster: Cluster) -> list[str]:
        """Return what differs from the links that plugins should have made, a line each."""
        gone, why = self.stale(cluster, check=True)
        known = self.known()
        lost = [f"pod {ref} is not attached" for ref in self.wanted(cluster) if ref not in known]
        return [*why, *(f"pod {one.ref} is to be detached" for one in gone[len(why) :]), *lost]

    def detach(self, gone: Iterable[AttachedPod]) -> None:
        """Detach pods; what fails is a notice, as their namespaces go anyway."""
        gone = list(gone)
        if not gone:
            return
        for one in gone:
            for message in self._delete(one):
                notice(f"warning: {message}")
        self._remove_bridges(gone)

    def _delete(self, one: AttachedPod) -> list[str]:
        try:
            failed = self._runner(one).delete(_container(one), one.found)
        except NetlabError as error:
            failed = [str(error)]
        self._open(one)
        self._files.remove(one.ref)
        return failed

    def _remove_bridges(self, gone: Sequence[AttachedPod]) -> None:
        """Remove the bridges that plugins made for pods that are not attached, where no other pod is on one.

        Plugins leave them, and another list could not give their addresses to another bridge. A bridge that lost its
        last port has no MAC (br_stp_recalculate_bridge_id), and the plugin ``bridge`` cannot use it.
        """
        left = {(one.node, name) for one in self.known().values() for name in _on_host(one)}
        for node, name in sorted({(one.node, name) for one in gone for name in _on_host(one)} - left):
            space = names.node_namespace(self._lab, node)
            with contextlib.suppress(KernelError, HostError):
                # Links that plugins made are not among those that this process knows.
                self._machine.close()
                links = [i for i in self._machine.read(space).items if isinstance(i, Link) and i.name == name]
                self._machine.apply([Change("delete", space, i) for i in links if i.kind == "bridge"])

    def attach(self, cluster: Cluster, before: Mapping[str, Placement]) -> None:
        """Attach the pods that are not attached; they keep their addresses of ``before`` where the plugins follow.

        Raises:
          HostError, KernelError: for the first pod that fails; it is detached again.
        """
        known = self.known()
        missing = [one for ref, one in self.wanted(cluster).items() if ref not in known]
        if not missing:
            return
        # A command that was killed during ADD leaves a bridge that no result names.
        self._remove_bridges(missing)
        for of in {(one.conflist, one.node): one for one in missing}.values():
            self._runner(of).ask_status()
        taken = {(one.network, ip): one.ref for one in known.values() for ip in one.addresses}
        for one in missing:
            placed = before.get(one.ref)
            wish = [str(a) for a in placed.addresses] if placed is not None and placed.node == one.node else []
            self._attach(one, cluster, wish, taken)
        if known:
            self._forget_neighbours([one for one in self.known().values() if one.ref not in known])

    def _forget_neighbours(self, new: Sequence[AttachedPod]) -> None:
        """Have the nodes and the other pods find the MACs of new pods, whose addresses others may have had."""
        networks = {one.network for one in new}
        found = [address for one in new for address in one.addresses]
        near = [one for one in self.known().values() if one.network in networks]
        for space in sorted({names.node_namespace(self._lab, one.node) for one in near} | {one.netns for one in near}):
            self._machine.forget_neighbours(space, found)

    def _attach(self, one: AttachedPod, cluster: Cluster, wish: Sequence[str], taken: _Taken) -> None:
        held = replace(one, held=True)
        self._files.write(held)
        try:
            self._machine.nft(one.netns, _CLOSE)
            runner = self._runner(one)
            result = runner.add(_container(one), wish)
            done = replace(held, result=json.dumps(result.document("1.1.0")))
            self._check_addresses(done, cluster, taken)
            # CHECK must pass at once after ADD (SPEC.md, "CHECK"). That of some plugins never does, and would have
            # each ``up`` attach the pod again.
            failing = runner.check(_container(one), result)
            self._files.write(replace(done, unchecked=tuple(failing)))
            self._say_unchecked(failing)
        except BaseException:
            self.detach([held])
            raise

    def _say_unchecked(self, failing: Mapping[str, str]) -> None:
        for kind, message in failing.items():
            if kind not in self._said:
                self._said.add(kind)
                notice(f"warning: {message}: right after ADD, so netlab does not use the CHECK of {kind}")

    def _check_addresses(self, one: AttachedPod, cluster: Cluster, taken: _Taken) -> None:
        """Raise HostError where the result has no address that the pod can have, or one that it does not have."""
        network = cluster.network(one.network)
        # Routes lead to the range of each node.
        cidrs = network.pod_cidrs if one.shared else [ip_network(text) for text in one.ranges]
        if not one.addresses:
            raise HostError(f"the plugins of network {one.network} gave pod {one.ref} no address")
        for ip in one.addresses:
            if not any(ip.version == cidr.version and ip in cidr for cidr in cidrs):
                listed = ", ".join(map(str, cidrs))
                raise HostError(
                    f"the plugins of network {one.network} gave pod {one.ref} {ip}, which is not in {listed}",
                    "write the range of the list as podCIDRs of the network" if one.shared else "",
                )
            if not self._comes(one.netns, ip):
                raise HostError(
                    f"the plugins of network {one.network} gave pod {one.ref} {ip}, and no interface of the pod has it"
                )
            owner = taken.setdefault((one.network, ip), one.ref)
            if owner != one.ref:
                raise HostError(f"the plugins of network {one.network} gave {ip} to pods {owner} and {one.ref}")

    def _comes(self, space: str, address: Address) -> bool:
        """Return whether a namespace has an address, or soon will: an IPv6 address is tentative for a second."""
        until = time.monotonic() + _SETTLES
        while not self._machine.has_address(space, address):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def release(self) -> None:
        """Let packets of attached pods pass: their policy is in force."""
        for one in self.known().values():
            if one.held:
                self._open(one)
                self._files.write(replace(one, held=False))

    def _open(self, one: AttachedPod) -> None:
        if one.held and self._machine.exists(one.netns):
            with contextlib.suppress(KernelError):
                self._machine.nft(one.netns, _OPEN)

    def collect(self) -> None:
        """Let plugins that know GC remove what belongs to no pod; what fails is a notice."""
        calls: dict[tuple[str, str], list[AttachedPod]] = {}
        for one in self.known().values():
            calls.setdefault((one.conflist, one.node), []).append(one)
        for same in calls.values():
            for message in self._runner(same[0]).collect([_container(one) for one in same]):
                notice(f"warning: {message}")

    def _runner(self, one: AttachedPod) -> PluginRunner:
        place = one.network if one.shared else f"{one.network}.{digest(one.node)}"
        state = self._files.folder / "state" / place
        space = names.node_namespace(self._lab, one.node)
        ranges = [ip_network(text) for text in one.ranges]
        return PluginRunner(self._machine, conflist(json.loads(one.conflist)), one.version, space, state, ranges)


def _capabilities(pod: Pod, of: Conflist) -> dict[str, Any]:
    """Return the capability arguments of a pod (CONVENTIONS.md), as a kubelet gives them."""
    found: dict[str, Any] = {}
    if of.has_capability(PORT_MAPPINGS):
        ports = [
            {
                "hostPort": one.port.host_port,
                "containerPort": one.port.port,
                "protocol": one.port.protocol.lower(),
                **({} if one.host_ip is None else {"hostIP": str(one.host_ip)}),
            }
            for one in published_by(pod)
        ]
        found |= {PORT_MAPPINGS: ports} if ports else {}
    if of.has_capability(BANDWIDTH) and (limits := bandwidth(pod)):
        found[BANDWIDTH] = limits
    return found


def _container(one: AttachedPod) -> Container:
    ident = f"netlab{digest(one.netns)}"
    return Container(ident, one.ref, one.netns, json.loads(one.capabilities))


def _on_host(one: AttachedPod) -> list[str]:
    """Return the interfaces of a result that are on the node; without a result, the bridges that the list names."""
    found = one.found
    own = ("", "lo", names.UNDERLAY_DEVICE)
    if found is not None:
        return [i.name for i in found.interfaces if not i.sandbox and i.name not in own]
    plugins = conflist(json.loads(one.conflist)).plugins
    return [str(each.get("bridge") or "cni0") for each in plugins if each["type"] == "bridge"]
