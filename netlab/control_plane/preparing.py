"""What a control plane needs before its programs start: one command that starts it, free ports, and keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from netlab.control_plane import certificates, settings
from netlab.control_plane.components import API_SERVER, CONTROLLERS, ETCD, SCHEDULER
from netlab.control_plane.settings import Ports, Settings
from netlab.errors import UsageError
from netlab.kernel.files import make_private
from netlab.kernel.lock import Lock
from netlab.kernel.loopback import free_ports, is_free
from netlab.kernel.machine import Machine
from netlab.lab import notices, programs
from netlab.lab.lab import Lab

_LISTENS = {
    "etcd": ETCD,
    "peer": ETCD,
    "apiserver": API_SERVER,
    "controller_manager": CONTROLLERS,
    "scheduler": SCHEDULER,
    "kubelet": programs.AGENT,
}


@contextlib.contextmanager
def turn(lab: Lab) -> Iterator[None]:
    """Let no other command start the control plane of a lab during a block; wait until another one has done so.

    Raises:
      UsageError: when the lab is gone.
    """
    folder = settings.folder(lab.machine, lab.name)
    with lab.held():
        make_private(folder)
    lock = Lock(folder / "lock")
    try:
        if not lock.acquire(wait=False):
            notices.notice_waiting(lab.name)
            lock.acquire()
    except FileNotFoundError as error:
        raise UsageError(f"lab {lab.name} is gone") from error
    try:
        yield
    finally:
        lock.release()


def with_free_ports(machine: Machine, lab: str, found: Settings) -> Settings:
    """Return settings with another port for each program that does not run, and whose port something else has."""
    taken = [
        name
        for name, port in found.ports._asdict().items()
        if not is_free(port) and not machine.send(programs.folder(machine, lab, _LISTENS[name], ""), 0)
    ]
    return replace(found, ports=found.ports._replace(**dict(zip(taken, free_ports(len(taken)), strict=True))))


def new_ports() -> Ports:
    """Return free ports; raises HostError."""
    return Ports(*free_ports(len(Ports._fields)))


def keys(lab: Lab) -> Mapping[str, bytes]:
    """Return the keys and certificates of a lab's control plane; make those that are missing or have expired.

    The caller holds the lab's lock; raises HostError.
    """
    cluster = lab.cluster
    services = [str(cidr[1]) for cidr in cluster.service_cidrs]
    nodes = [str(address) for node in cluster.nodes for address in node.addresses]
    folder = pki(lab.machine, lab.name)
    certificates.make(folder, lab.name, services, nodes, cluster.cluster_domain)
    return certificates.read(folder)


def pki(machine: Machine, lab: str) -> Path:
    """Return the folder of the keys and certificates of a lab's control plane, which may not exist."""
    return settings.folder(machine, lab) / "pki"
