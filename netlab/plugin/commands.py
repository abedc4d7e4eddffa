"""What the plugin does in a running lab: ADD, CHECK, DEL, GC and STATUS.

A container becomes the pod that the runtime names. If the lab has this pod, the container takes its place, and the
lab's own namespace is back after DEL. Else the pod is added, and DEL removes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from netlab.cluster import Pod
from netlab.cni.types import CniError, Code, Result, ResultAddress, ResultInterface, ResultRoute
from netlab.dataplane import names
from netlab.errors import HostError, InputError, KernelError, NetlabError, UsageError
from netlab.frozen import NamedTuple
from netlab.kernel.state import InterfaceAddress, Link, Route
from netlab.lab import containers
from netlab.lab.lab import Lab
from netlab.objects import Document
from netlab.objects.meta import Key, key_of
from netlab.objects.scenarios import ObjectRef
from netlab.plugin.request import Request


class Owner(NamedTuple):
    """The owner of an attached pod: the name of the network configuration, the container, and how the pod came."""

    network: str
    container: str
    interface: str
    added: bool

    def text(self) -> str:
        """Return the owner as the lab keeps it."""
        return json.dumps({**self._asdict(), "by": "netlab-cni"}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Owner | None:
        """Return the owner of a text, None where the plugin did not write it."""
        try:
            data = json.loads(text)
            return cls(data["network"], data["container"], data["interface"], data["added"])
        except (ValueError, KeyError, TypeError):
            return None

    def has(self, asked: Request) -> bool:
        """Return whether the owner is the attachment of a call."""
        return (self.network, self.container, self.interface) == asked.key


def add(asked: Request) -> Result:
    """Attach the container; the policies of the lab are in force before its interface is there.

    Raises:
      CniError: if there is no such lab, or the pod cannot be attached.
    """
    lab = _lab(asked.lab)
    with lab:
        pod = lab.cluster.by_ref.get(asked.pod)
        if isinstance(pod, Pod) and asked.node and pod.node != asked.node:
            raise CniError(Code.INVALID_CONFIGURATION, f"pod {asked.pod} of the lab is on node {pod.node}")
        added = pod is None
        owner = Owner(asked.name, asked.container, asked.interface, added)
        before = Owner.read(containers.owner_of(lab, asked.pod))
        if before is not None and before.has(asked):
            raise CniError(Code.UNSUPPORTED_FIELD, f"container {asked.container} is attached already")
        if before is not None:
            # The runtime makes a new sandbox of a pod before it deletes the old one.
            raise CniError(Code.TRY_AGAIN_LATER, f"pod {asked.pod} still has container {before.container}")
        documents = [_document(asked)] if added else []
        try:
            containers.attach(lab, asked.pod, asked.place, owner.text(), documents)
        except (UsageError, InputError) as error:
            raise CniError(Code.INVALID_CONFIGURATION, f"cannot attach pod {asked.pod}", str(error)) from error
        found = lab.cluster.by_ref[asked.pod]
        if not isinstance(found, Pod):
            raise CniError(Code.INTERNAL, f"{asked.pod} is no pod")
        return _result(lab, found, asked)


def check(asked: Request) -> None:
    """Raise CniError if the container is not wired as ADD wired it."""
    with _lab(asked.lab) as lab:
        owner = Owner.read(containers.owner_of(lab, asked.pod))
        if owner is None or not owner.has(asked):
            raise CniError(Code.UNKNOWN_CONTAINER, f"container {asked.container} is no pod of lab {asked.lab}")
        pod = lab.cluster.by_ref[asked.pod]
        space = names.own_namespace(lab.name, *asked.pod.split("/"))
        pinned = lab.machine.path(space)
        try:
            same = pinned.stat().st_ino == asked.place.stat().st_ino
        except OSError as error:
            raise CniError(Code.IO_FAILURE, f"cannot read {asked.netns}", error.strerror or "") from error
        if not same:
            raise CniError(Code.UNKNOWN_CONTAINER, f"{asked.netns} is not the namespace of pod {asked.pod}")
        known = {str(address) for address in pod.addresses}
        if lost := [text for text in asked.previous if text not in known]:
            raise CniError(Code.INTERNAL, f"pod {asked.pod} does not have the address {', '.join(lost)}")
        port = names.port_name(pod) if isinstance(pod, Pod) else ""
        if wrong := [line for line in lab.drift() if space in line or (port and port in line)]:
            raise CniError(Code.INTERNAL, f"pod {asked.pod} is damaged", "; ".join(wrong)[:2000])


def delete(asked: Request) -> None:
    """Detach the container; a container or a lab that is not there is detached already."""
    try:
        lab = Lab.open(asked.lab)
    except UsageError:
        return
    with lab:
        found = _of_container(lab, asked)
        if found is not None:
            _detach(lab, *found)


def collect(asked: Request) -> None:
    """Detach all containers of the network configuration that the runtime does not list."""
    try:
        lab = Lab.open(asked.lab)
    except UsageError:
        return
    with lab:
        for ref, text in containers.owners(lab).items():
            owner = Owner.read(text)
            if owner is None or owner.network != asked.name:
                continue
            if (owner.container, owner.interface) not in asked.attachments:
                _detach(lab, ref, text)


def status(asked: Request) -> None:
    """Raise CniError if ADD would fail, as the lab does not run or is not whole."""
    try:
        with Lab.open(asked.lab) as lab:
            _ = lab.cluster
            with lab.held(shared=True):
                return
    except NetlabError as error:
        raise CniError(Code.NOT_AVAILABLE, f"lab {asked.lab} is not available", str(error)) from error


def _lab(name: str) -> Lab:
    try:
        return Lab.open(name)
    except UsageError as error:
        raise CniError(Code.TRY_AGAIN_LATER, str(error)) from error


def failure(error: NetlabError) -> CniError:
    """Return an error of netlab as a plugin prints it."""
    code = Code.IO_FAILURE if isinstance(error, HostError | KernelError) else Code.INTERNAL
    return CniError(code, str(error))


def _of_container(lab: Lab, asked: Request) -> tuple[str, str] | None:
    """Return the pod that a container is, and its owner's text; None if it is no pod of the lab."""
    text = containers.owner_of(lab, asked.pod)
    owner = Owner.read(text)
    if owner is not None and owner.has(asked):
        return asked.pod, text
    # A runtime may leave the pod's name out of a DEL.
    for ref, text in containers.owners(lab).items():
        owner = Owner.read(text)
        if owner is not None and owner.has(asked):
            return ref, text
    return None


def _detach(lab: Lab, ref: str, text: str) -> None:
    """Detach a container; the pod that ADD added goes too, unless another command deleted it."""
    owner = Owner.read(text)
    added = owner is not None and owner.added
    namespace, _, name = ref.partition("/")
    pod = Key("v1", "Pod", namespace, name)
    there = added and any(key_of(document) == pod for document in lab.documents)
    containers.detach(lab, ref, text, [ObjectRef("Pod", name, namespace)] if there else [])


def _document(asked: Request) -> Document:
    """Return the Pod of a container that the lab does not have yet."""
    namespace, _, name = asked.pod.partition("/")
    ports = [
        {"containerPort": p.container, "protocol": p.protocol}
        | ({"hostPort": p.host} if p.host else {})
        | ({"hostIP": p.host_ip} if p.host_ip else {})
        for p in asked.ports
    ]
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(asked.labels or {})}
    if asked.network:
        metadata["annotations"] = {"netlab/network": asked.network}
    data: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "container", "ports": ports}]},
    }
    if asked.node:
        data["spec"]["nodeName"] = asked.node
    if asked.addresses:
        data["status"] = {"podIPs": [{"ip": str(address)} for address in asked.addresses]}
    (found,) = _parsed(data)
    return found


def _parsed(data: Mapping[str, Any]) -> list[Document]:
    from netlab.objects.documents import parse

    found, problems = parse(json.dumps(data), "netlab-cni")
    if problems:
        raise CniError(Code.INTERNAL, "; ".join(map(str, problems)))
    return found


def _result(lab: Lab, pod: Pod, asked: Request) -> Result:
    """Return the pod's wiring as ADD prints it."""
    space = names.own_namespace(lab.name, pod.namespace, pod.name)
    items = lab.wanted(space)
    port = names.port_name(pod) if pod.traits.attachment.node_link else ""
    link = next(i for i in items if isinstance(i, Link) and i.name == asked.interface)
    ends = [i for i in lab.wanted(names.node_namespace(lab.name, pod.node)) if isinstance(i, Link) and i.name == port]
    interfaces = [*(ResultInterface(i.name, i.mac) for i in ends)]
    interfaces.append(ResultInterface(link.name, link.mac, asked.netns, link.mtu))
    defaults = {i.prefix.version: i for i in items if isinstance(i, Route) and i.prefix.prefixlen == 0}
    gateways = {version: str(route.via) if route.via else "" for version, route in defaults.items()}
    addresses = sorted(
        (i.interface for i in items if isinstance(i, InterfaceAddress) and i.dev == asked.interface),
        key=lambda one: one.version,
    )
    ips = tuple(ResultAddress(one, gateways.get(one.version, ""), len(interfaces) - 1) for one in addresses)
    routes = tuple(ResultRoute(str(defaults[v].prefix), gateways[v]) for v in sorted(defaults))
    return Result(tuple(interfaces), ips, routes, _dns(lab, pod))


def _dns(lab: Lab, pod: Pod) -> dict[str, Any]:
    from netlab.programs import pod_files

    if pod_files.dns_service(lab.cluster) is None:
        return {}
    found: dict[str, list[str]] = {}
    for line in pod_files.of(lab.cluster, pod).resolv.splitlines():
        key, _, rest = line.partition(" ")
        field = {"nameserver": "nameservers", "search": "search", "options": "options"}.get(key)
        if field is not None:
            found.setdefault(field, []).extend(rest.split())
    return found
