"""Starts, shows and ends the control plane of a lab.

All of it is the lab's: its programs are in the record's folder and end with the lab, its keys and data are there too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.control_plane import certificates, first_objects, kubeconfig, preparing, settings, waiting
from netlab.control_plane.api import Client
from netlab.control_plane.components import API_SERVER, ETCD, Component, agent, components
from netlab.control_plane.rest import Sender, plain
from netlab.control_plane.settings import Settings
from netlab.errors import HostError, UsageError, way_out
from netlab.frozen import frozen
from netlab.kernel import kubernetes_programs, output, privilege
from netlab.lab import outside_files, programs, removal, repair
from netlab.lab.lab import Lab
from netlab.objects.kind import NETLAB_VERSION

if TYPE_CHECKING:
    from netlab.kernel.machine import Machine
    from netlab.objects import Document, Objects

_READY_SECONDS, _PAUSE = 90.0, 0.05
_NODE = "Node"


@frozen
class Wishes:
    """What a user chooses; what is empty or None stays as it was.

    The folder of the programs, the path of the kubeconfig, admission plugins, ABAC rules, and which pods may run
    programs of this host. Further, how long the controllers wait for a node: the seconds until it is not ready, and
    those until its pods are replaced because it is not ready, or not reached. ``wait``: the seconds in which the pods
    of the objects have to be ready, 0 not to wait.
    """

    assets: str = ""
    kubeconfig: str = ""
    plugins: tuple[str, ...] = ()
    abac: str = ""
    host_programs: str = ""
    node_grace: int | None = None
    not_ready: int | None = None
    unreachable: int | None = None
    wait: float = 0.0


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

    The Topology, and Node objects, make the lab. All other objects are created through the API. ``say`` is called with
    what is being done.

    Raises:
      HostError: without root, when a program is missing, or when one does not start.
      UsageError: when the lab runs, with objects that did not come from a control plane.
      Refused: for objects that the API server refuses.
      InputError, KernelError.
    """
    started = time.monotonic()
    if not privilege.privileged():
        raise HostError("a control plane needs root: its programs run beside the lab", "type sudo before the command")
    of_lab = [one for one in objects.documents if _makes_lab(one)]
    running = _lab(of_lab, objects, lab, wishes)
    with preparing.turn(running):
        found, client = _started(running, wishes, say)
        sender = Sender(client)
        sender.send(first_objects.rights())
        _start_nodes(running, found)
    running.close()
    say("creating objects")
    given = [plain(one.data) for one in objects.documents if not _makes_lab(one)]
    done = sender.send([*first_objects.dns_service(running.cluster), *given])
    if wishes.wait:
        say("waiting for pods")
        waiting.wait(client, given, wishes.wait)
    return Started(
        running.name, found.kubeconfig, tuple(done[-len(given) :] if given else ()), time.monotonic() - started
    )


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
        output.check(_kubeconfig(name, wishes), "--kubeconfig")
        base, _ = decode(of_lab)
        # Another command may build it at the same time.
        with contextlib.suppress(UsageError):
            return Lab.up(base, name=name, cluster=replace(resolve(base), name=name), new=True)
    repair.repair(name)
    running = Lab.open(name)
    # A command that was killed before it wrote the settings leaves a lab without.
    if settings.read(running.machine, name) is None and not all(_makes_lab(one) for one in running.documents):
        raise UsageError(f"lab {name} runs with objects of its own; remove it first: netlab down {name}")
    return running


def _kubeconfig(lab: str, wishes: Wishes) -> str:
    return str(Path(wishes.kubeconfig or f"{lab}.kubeconfig").absolute())


def _settled(running: Lab, wishes: Wishes) -> Settings:
    """Return the settings of a control plane that starts now, and keep them. The caller has its turn."""
    machine, name = running.machine, running.name
    known = settings.read(machine, name)
    if known is None:
        paths = dict(kubernetes_programs.find(wishes.assets))
        known = Settings(preparing.new_ports(), paths, _kubeconfig(name, wishes))
    times = {name: getattr(wishes, name) for name in settings.TIMES}
    found = replace(
        preparing.with_free_ports(machine, name, known),
        programs=dict(kubernetes_programs.find(wishes.assets)) if wishes.assets else known.programs,
        kubeconfig=_kubeconfig(name, wishes) if wishes.kubeconfig else known.kubeconfig,
        plugins=wishes.plugins or known.plugins,
        abac=wishes.abac or known.abac,
        host_programs=wishes.host_programs or known.host_programs,
        **{name: value for name, value in times.items() if value is not None},
    )
    output.check(found.kubeconfig, "--kubeconfig")
    with running.held():
        settings.write(machine, name, found)
    return found


def _named(machine: Machine, lab: str) -> str:
    """Return the name of a lab with a control plane, also of one that cannot be used."""
    if lab:
        return lab
    names = [name for name in Lab.names(machine) if settings.folder(machine, name).is_dir()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("no lab has a control plane")
    raise UsageError(f"several labs have a control plane, name one: {', '.join(names)}")


def _settings(machine: Machine, lab: str) -> Settings:
    found = settings.read(machine, lab)
    if found is None:
        raise UsageError(f"lab {lab} has no control plane")
    return found


# --- programs ---------------------------------------------------------------------------------------------------------


def _started(running: Lab, wishes: Wishes, say: Callable[[str], None]) -> tuple[Settings, Client]:
    """Start the programs that do not run, or not as they should; return when the API server is ready."""
    machine, name = running.machine, running.name
    found = _settled(running, wishes)
    with running.held():
        files = preparing.keys(running)
        etcd, api_server, *others = components(name, running.cluster, found, files)
        for one in (etcd, api_server):
            _ensure(machine, name, one)
    say("starting the API server")
    client = Client(preparing.pki(machine, name), "admin", found.ports.apiserver)
    _wait(client, machine, name)
    with running.held():
        for one in others:
            _ensure(machine, name, one)
    return found, client


def _start_nodes(running: Lab, found: Settings) -> None:
    """Start netlab as the nodes, and write the kubeconfig."""
    machine, name = running.machine, running.name
    with running.held():
        text = kubeconfig.text(preparing.keys(running), "admin", name, found.ports.apiserver)
        # It reads the keys and the port of the API server when it starts.
        known = {"checksum": sha256(text.encode()).hexdigest().encode()}
        _ensure(machine, name, Component(programs.AGENT, agent(name, found), found.ports.kubelet, known))
        outside_files.write(machine, name, found.kubeconfig, text)


def _ensure(machine: Machine, lab: str, one: Component) -> None:
    """Write the files of a program, and start it if it does not run with these. The caller holds the lab's lock."""
    folder = programs.folder(machine, lab, one.kind, "")
    try:
        changed = [machine.write(folder, name, data, secret=True) for name, data in one.secret.items()]
        changed += [machine.write(folder, name, data) for name, data in one.public.items()]
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}", way_out(error.errno)) from error
    if any(changed):
        machine.stop(folder)
    programs.ensure(machine, lab, one.kind, [programs.Wanted(one.program, one.public)])


def _wait(client: Client, machine: Machine, lab: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    places = {kind: programs.folder(machine, lab, kind, "") for kind in (ETCD, API_SERVER)}
    while not client.is_ready():
        ended = [kind for kind, place in places.items() if not machine.send(place, 0)]
        if ended:
            raise HostError(f"{ended[0]} has ended", f"its output is in {places[ended[0]] / 'output'}")
        if time.monotonic() > until:
            log = places[API_SERVER] / "output"
            raise HostError(f"{API_SERVER} is not ready after {_READY_SECONDS:g} s", f"its output is in {log}")
        time.sleep(_PAUSE)
