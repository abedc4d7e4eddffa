"""Containers of other runtimes as pods of a lab: the container's network namespace takes the place of the pod's.

The namespace stays its owner's: netlab pins it under the pod's name, wires it as it wires every pod, and unpins it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.cluster import Pod
from netlab.dataplane import names
from netlab.errors import NetlabError, UsageError
from netlab.lab import convergence
from netlab.lab.released import release
from netlab.objects import Document

if TYPE_CHECKING:
    from netlab.lab.convergence import Current
    from netlab.lab.lab import Lab

Edit = Callable[[Sequence[Document]], Sequence[Document]]


def attach(lab: Lab, now: Current, ref: str, place: Path, owner: str, edit: Edit | None) -> Current:
    """Give a pod the namespace of a file, and return the lab's new state; the caller holds the lab's lock.

    Args:
      lab: the lab.
      now: its present state.
      ref: the pod, ``NAMESPACE/NAME``. It is in the lab, or ``edit`` adds it.
      place: a file of the namespace.
      owner: what ``owner_of`` returns from then on.
      edit: changes the documents of the lab; None: the pod is in the lab.

    Raises:
      UsageError: for a pod that the lab does not have or that has no namespace of its own, for one whose link plugins
        make, for one with another owner, and for a file that is no network namespace.
      InputError, HostError, KernelError.
    """
    machine = lab.machine
    state = now.state.after(edit(now.record.documents)) if edit is not None else now.state
    space = _namespace(lab.name, state.cluster.by_ref.get(ref), ref)
    if other := machine.owner(space):
        raise UsageError(f"pod {ref} of lab {lab.name} is attached already: {other}")
    there = machine.exists(space)
    if there:
        machine.remove([space])
    try:
        with machine.attaching(space, place, owner):
            return convergence.converge(machine, now, state, 0, read=there)[0]
    except BaseException:
        if there:
            _restore(lab, now)
        raise


def detach(lab: Lab, now: Current, ref: str, edit: Edit | None) -> Current:
    """Take the namespace of a container from a pod, and return the lab's new state; the caller holds the lock.

    Args:
      lab: the lab.
      now: its present state.
      ref: the pod, which ``attach`` attached.
      edit: removes the pod from the documents; None: the pod stays, with a namespace of netlab's own.

    Raises:
      InputError, HostError, KernelError.
    """
    machine = lab.machine
    if edit is not None:
        state = now.state.after(edit(now.record.documents))
        return convergence.converge(machine, now, state, 0, read=False)[0]
    space = names.own_namespace(lab.name, *ref.split("/"))
    release(machine, [space])
    machine.remove([space])
    return convergence.converge(machine, now, now.state, 0, read=True)[0]


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
