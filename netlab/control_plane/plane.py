"""Starts, shows and ends the control plane of a lab.

All of it is the lab's: its programs are in the record's folder and end with the lab, its keys and data are there too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.control_plane import certificates, first_objects, preparing, rest, settings, starting, waiting
from netlab.control_plane.api import Client
from netlab.control_plane.components import agent, components
from netlab.control_plane.rest import Sender, plain
from netlab.control_plane.settings import Settings
from netlab.control_plane.starting import Wishes
from netlab.errors import HostError, UsageError
from netlab.frozen import frozen
from netlab.kernel import kubernetes_programs, output, privilege
from netlab.lab import programs, removal, repair
from netlab.lab.lab import Lab
from netlab.objects.kind import NETLAB_VERSION

if TYPE_CHECKING:
    from netlab.kernel.machine import Machine
    from netlab.objects import Document, Objects

_NODE = "Node"


@frozen
class Started:
    """What ``up`` did: the lab's name, the kubeconfig, each object with its verb, and the seconds."""

    lab: str
    kubeconfig: str
    objects: tuple[tuple[str, str], ...]
    seconds: float


@frozen
class ProgramState:
    """A program of a control plane: whether it runs, whether it says that it is ready, and where its output is."""

    name: str
    runs: bool
    ready: bool
    port: int
    log: str


def up(objects: Objects, lab: str, wishes: Wishes, say: Callable[[str], None] = lambda text: None) -> Started:
    """Start a control plane in front of a lab, or bring a running one to these objects; return when all are created.

    The Topology, and Node objects, make the lab. All other objects are created through the API. Without objects and
    without a name it is the control plane that there is. ``say`` is called with what is being done.

    Raises:
      HostError: without root, when a program is missing, or when one does not start.
      UsageError: when the lab runs with another Topology, or with objects that did not come from a control plane.
      Refused: for objects that the API server refuses.
      InputError, KernelError.
    """
    started = time.monotonic()
    if not privilege.privileged():
        raise HostError("a control plane needs root: its programs run beside the lab", "type sudo before the command")
    of_lab = [one for one in objects.documents if _makes_lab(one)]
    running = _lab(of_lab, objects, lab or _only(objects), wishes)
    with preparing.turn(running):
        again = settings.read(running.machine, running.name) is not None
        found, client = starting.start_programs(running, wishes, say)
        sender = Sender(client, compare=again)
        with starting.naming_what_ended(running):
            sender.send(first_objects.rights(running.cluster))
        starting.start_nodes(running, found)
    running.close()
    given = [plain(one.data) for one in objects.documents if not _makes_lab(one)]
    if given:
        say("creating objects")
    own = first_objects.dns_service(running.cluster)
    with starting.naming_what_ended(running):
        done = sender.send([*own, *given])
    hidden = set(map(rest.label, own)).difference(map(rest.label, given))
    if wishes.wait:
        say("waiting for pods")
        waiting.wait(client, given, wishes.wait)
    shown = tuple((name, verb) for name, verb in done if name not in hidden)
    return Started(running.name, found.kubeconfig, shown, time.monotonic() - started)


def status(lab: str) -> tuple[str, list[ProgramState]]:
    """Return the name of a lab and the state of each program of its control plane.

    Raises:
      UsageError: when there is no such lab, or it has no control plane.
    """
    from netlab.kernel.machine import this_host

    running = Lab.open(_named(this_host(), lab))
    machine, name = running.machine, running.name
    found = _settings(machine, name)
    pki = preparing.pki(machine, name)
    files = certificates.read(pki)
    states: list[ProgramState] = []
    for one in components(name, running.cluster, found, files):
        place = programs.folder(machine, name, one.kind, "")
        runs = machine.runs(one.program, place)
        client = Client(pki, "admin", one.port)
        # etcd has clients of its own authority only. It serves the API server, or that is not ready.
        ready = runs and (
            one.kind == "etcd" or client.is_ready("/readyz" if one.kind == "kube-apiserver" else "/healthz")
        )
        states.append(ProgramState(one.kind, runs, ready, one.port, str(place / "output")))
    place = programs.folder(machine, name, programs.AGENT, "")
    runs = machine.runs(agent(name, found), place)
    states.append(ProgramState("nodes", runs, runs, found.ports.kubelet, str(place / "output")))
    return name, states


def down(lab: str) -> tuple[str, list[str]]:
    """Remove a lab with its control plane; return its name, and the namespaces that stay.

    Raises:
      UsageError: when there is no such lab, or none with a control plane and none is named.
    """
    from netlab.kernel.machine import this_host

    machine = this_host()
    name = _named(machine, lab)
    return name, removal.remove(name, machine)


# --- the lab ----------------------------------------------------------------------------------------------------------


def _makes_lab(document: Document) -> bool:
    """Return whether a document describes the lab itself, and not an object that the API server has."""
    return document.kind == _NODE or document.data.get("apiVersion") == NETLAB_VERSION


def _lab(of_lab: Sequence[Document], objects: Objects, lab: str, wishes: Wishes) -> Lab:
    """Return the running lab of a control plane; build it if there is none.

    A missing program is an error before anything is made.
    """
    from netlab.cluster import resolve
    from netlab.objects import decode

    name = lab or (objects.topology.name if objects.topology else "default")
    if name not in Lab.names():
        kubernetes_programs.find(wishes.assets)
        output.check(starting.kubeconfig_path(name, wishes), "--kubeconfig")
        base, _ = decode(of_lab)
        # Another command may build it at the same time.
        with contextlib.suppress(UsageError):
            return Lab.up(base, name=name, cluster=replace(resolve(base), name=name), new=True)
    repair.repair(name)
    running = Lab.open(name)
    # A command that was killed before it wrote the settings leaves a lab without.
    if settings.read(running.machine, name) is None and not all(_makes_lab(one) for one in running.documents):
        raise UsageError(f"lab {name} runs with objects of its own; remove it first: netlab down {name}")
    if objects.topology and objects.topology != running.objects.topology:
        raise UsageError(f"lab {name} runs with another Topology; remove it first: netlab down {name}")
    return running


def _only(objects: Objects) -> str:
    """Return the name of the lab with a control plane that a command without input means; "" if there is none."""
    from netlab.kernel.machine import this_host

    machine = this_host()
    return _named(machine, "") if not objects.documents and _with_planes(machine) else ""


def _named(machine: Machine, lab: str) -> str:
    """Return the name of a lab with a control plane, also of one that cannot be used."""
    if lab:
        return lab
    names = _with_planes(machine)
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("no lab has a control plane")
    raise UsageError(f"several labs have a control plane, name one: {', '.join(names)}")


def _with_planes(machine: Machine) -> list[str]:
    return [name for name in Lab.names(machine) if settings.folder(machine, name).is_dir()]


def _settings(machine: Machine, lab: str) -> Settings:
    found = settings.read(machine, lab)
    if found is None:
        raise UsageError(f"lab {lab} has no control plane")
    return found
