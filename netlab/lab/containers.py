"""Containers of other runtimes as pods of a lab: the container's network namespace takes the place of the pod's.

The namespace stays its owner's: netlab pins it under the pod's name, wires it as it wires every pod, and unpins it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.cluster import Pod
from netlab.dataplane import names
from netlab.errors import NetlabError, UsageError
from netlab.lab import convergence
from netlab.lab.container_interfaces import delete_interfaces
from netlab.objects import Document
from netlab.objects import apply as apply_documents
from netlab.objects import delete as delete_documents
from netlab.objects.scenarios import ObjectRef

if TYPE_CHECKING:
    from netlab.lab.convergence import Current
    from netlab.lab.lab import Lab
    from netlab.lab.outcome import Changes


def attach(lab: Lab, ref: str, place: Path, owner: str, documents: Sequence[Document] = ()) -> None:
    """Make a container's network namespace that of a pod; in force on return.

    Args:
      lab: the lab.
      ref: the pod, ``NAMESPACE/NAME``.
      place: a file of the namespace.
      owner: a text that names the container, without a line break; ``owner_of`` returns it from then on.
      documents: objects to add; empty if the lab has the pod.

    Raises:
      UsageError: for a pod that the lab does not have or that has no namespace of its own, for one with another owner,
        and for a file that is no network namespace, or that of the host, of a lab, or one with an ``eth0``.
      InputError, HostError, KernelError.
    """
    machine = lab.machine

    def step(now: Current) -> tuple[Current, Changes]:
        started = time.monotonic()
        state = now.state.after(apply_documents(now.record.documents, documents)) if documents else now.state
        space = _namespace(lab.name, state.cluster.by_ref.get(ref), ref)
        if other := machine.owner(space):
            raise UsageError(f"pod {ref} of lab {lab.name} is attached already: {other}")
        there = machine.exists(space)
        removed = False
        try:
            with machine.attaching(space, place, owner, names.POD_DEVICE):
                removed = there
                if there:
                    machine.remove([space])
                return convergence.converge(machine, now, state, started, read=there)
        except BaseException:
            if removed:
                _restore(lab, now)
            raise

    lab.change(step)


def detach(lab: Lab, ref: str, owner: str, refs: Sequence[ObjectRef] = ()) -> bool:
    """Give a pod a namespace of netlab's own in place of its container's; return False for another owner.

    Args:
      lab: the lab.
      ref: the pod, ``NAMESPACE/NAME``.
      owner: the text of ``attach``.
      refs: objects to delete in place of that; empty if the pod stays.

    Raises:
      InputError, HostError, KernelError.
    """
    machine = lab.machine

    def step(now: Current) -> tuple[Current, Changes] | None:
        if owner_of(lab, ref) != owner:
            return None
        started = time.monotonic()
        if refs:
            state = now.state.after(delete_documents(now.record.documents, refs))
            return convergence.converge(machine, now, state, started, read=False)
        space = names.own_namespace(lab.name, *ref.split("/"))
        delete_interfaces(machine, [space])
        machine.remove([space])
        return convergence.converge(machine, now, now.state, started, read=True)

    return lab.change(step)


def owner_of(lab: Lab, ref: str) -> str:
    """Return the owner of a pod's namespace, "" if netlab made it or there is none."""
    return lab.machine.owner(names.own_namespace(lab.name, *ref.split("/")))


def owners(lab: Lab) -> dict[str, str]:
    """Return the owners of all attached pods of a lab by the pods' references."""
    found = {pod.ref: owner_of(lab, pod.ref) for pod in lab.cluster.pods}
    return {ref: owner for ref, owner in found.items() if owner}


def _namespace(lab: str, pod: object, ref: str) -> str:
    if not isinstance(pod, Pod):
        raise UsageError(f"lab {lab} has no pod {ref}")
    if not pod.traits.attachment.on_network:
        raise UsageError(f"pod {ref} of lab {lab} is on no pod network")
    if pod.traits.attachment.by_plugins:
        raise UsageError(f"network {pod.network} of lab {lab} has mode cni: its own plugins make the links of its pods")
    return names.own_namespace(lab, pod.namespace, pod.name)


def _restore(lab: Lab, now: Current) -> None:
    """Give the pod its own namespace again; what fails is left for ``up``."""
    try:
        convergence.converge(lab.machine, now, now.state, 0, read=True)
    except (NetlabError, OSError):
        return
