"""A kernel without a kind of link, or with a tunnel that a lab needs for itself: what would do instead."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from netlab import modes
from netlab.cluster import Cluster
from netlab.errors import HostError, KernelError
from netlab.kernel.state import Link, LinkKind


class MissingLinksError(HostError):
    """The kernel has no links of a kind; ``module`` is the kernel module that they need."""

    def __init__(self, module: str, message: str, fix: str) -> None:
        self.module = module
        super().__init__(message, fix)


def explained(error: KernelError, cluster: Cluster, links: Sequence[Link]) -> KernelError | HostError:
    """Return the error of adding links; if the kernel lacks one or has it already, one that says what to do."""
    names = error.operation.split()
    tunnel = next((link for link in links if link.outer and link.name in names), None)
    if error.errno == errno.EEXIST and tunnel is not None and tunnel.kind == "vxlan":
        used = f"number {tunnel.options['id']} at UDP port {tunnel.options['dstport']}"
        return HostError(f"another VXLAN of this machine has {used} ({error})", "remove it, or choose another UDP port")
    if error.errno != errno.EOPNOTSUPP:
        return error
    kind = next((link.kind for link in links if link.name in names), None)
    if kind is None:
        return error
    fix = f"sudo modprobe {kind}; where there is no such module, use a kernel that has it"
    chosen = tunnel is None and any(one.tunnel == kind for one in modes.TRANSPORTS.values())
    others = ", ".join(_others(cluster, kind)) if chosen else ""
    message = f"this kernel has no links of kind {kind} ({error})"
    return MissingLinksError(kind, message, f"{fix}, or {others}" if others else fix)


def _others(cluster: Cluster, kind: LinkKind) -> Iterator[str]:
    """Yield the variants of the lab's profile, or else the transports, that need no such link."""
    if cluster.profile is not None:
        from netlab import profiles

        system = cluster.profile.name.partition("-")[0]
        variants = [name for name in profiles.names() if name.partition("-")[0] == system]
        fits = [name for name in variants if _transport(profiles.named(name).wiring.transport).tunnel != kind]
        if fits:
            yield f"another profile: {', '.join(fits)}"
            return
    joined = [one for one in modes.TRANSPORTS.values() if one.joins_nodes and not one.on_underlay]
    fits = [one.name for one in joined if one.tunnel != kind]
    yield f"another transport in spec.networks[].wiring: {', '.join(fits)}"


def _transport(name: str | None) -> modes.Transport:
    return modes.TRANSPORTS[name or modes.of(modes.SEVERAL_NODES).transport.name]
