"""Deletes a pod's interface in the namespaces that belong to containers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from netlab.dataplane.names import POD_DEVICE
from netlab.errors import NetlabError
from netlab.kernel.machine import Machine
from netlab.kernel.state import Change, Link


def delete_interfaces(machine: Machine, spaces: Iterable[str]) -> None:
    """Delete the pod's interface in those of the namespaces that another program made.

    A namespace that netlab made goes with its interfaces. A container keeps its namespace, and the kernel would delete
    the interface some time after the node's namespace is gone.
    """
    for space in spaces:
        if machine.owner(space):
            with contextlib.suppress(NetlabError):
                machine.apply([Change("delete", space, Link(POD_DEVICE, "veth"))])
