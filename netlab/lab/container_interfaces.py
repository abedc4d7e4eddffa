"""Deletes a pod's interface in the namespaces that belong to containers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from netlab.dataplane.names import POD_DEVICE, is_of_pod
from netlab.errors import NetlabError
from netlab.kernel.machine import Machine
from netlab.kernel.state import Change, Link


def delete_interfaces(machine: Machine, spaces: Iterable[str]) -> None:
    """Delete the pod's interface in those of the namespaces that another program made.

    A namespace that netlab made goes with its interfaces. A container keeps its namespace, and the kernel would delete
    the interface some time after the node's namespace is gone. An interface of the same name that the container made
    itself has another MAC, and stays.
    """
    for space in spaces:
        if machine.owner(space):
            with contextlib.suppress(NetlabError):
                links = [i for i in machine.read(space).items if isinstance(i, Link) and i.name == POD_DEVICE]
                machine.apply([Change("delete", space, link) for link in links if is_of_pod(link.mac)])
