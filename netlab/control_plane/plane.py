"""Starts, shows and ends the control plane of a lab.

All of it is the lab's: its programs are in the record's folder and end with the lab, its keys and data are there too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netlab.control_plane import certificates, first_objects, kubeconfig, settings
from netlab.control_plane.api import Client
from netlab.control_plane.components import Component, agent, components
from netlab.control_plane.rest import Sender
from netlab.control_plane.settings import Ports, Settings
from netlab.errors import DamagedRecord, HostError, UsageError
from netlab.frozen import frozen
from netlab.kernel import kubernetes_programs, output, privilege
from netlab.kernel.loopback import free_ports
from netlab.lab import programs, removal
from netlab.lab.lab import Lab
from netlab.lab.record import Records
from netlab.lab.state import described
from netlab.objects.kind import NETLAB_VERSION

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.kernel.machine import Machine
    from netlab.objects import Document, Objects

_READY_SECONDS, _PAUSE = 90.0, 0.05
_NODE = "Node"


@frozen
class Wishes:
    """What a user chooses: the folder of the programs, the path of the kubeconfig, admission plugins, ABAC rules.

    Further, how long the controllers wait for a node: the seconds until it is not ready, and those until its pods are
    replaced because it is not ready, or not reached. None leaves them as they are.
    """

    assets: str = ""
    kubeconfig: str = ""
    plugins: tuple[str, ...] = ()
    abac: str = ""
    node_grace: int | None = None
    not_ready: int | None = None
    unreachable: int | None = None


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
    machine, name = running.machine, running.name
    found = settings.read(machine, name)
    assert found is not None
    folder = settings.folder(machine, name)
    certificates.make(folder / "pki", name, _service_addresses(running.cluster))
    files = certificates.read(folder / "pki")
    wanted = components(name, running.cluster, found, files)
    for part in (wanted[:2], wanted[2:]):
        with running.held():
            for one in part:
                _ensure(machine, name, one)
        if part[0] is wanted[0]:
            say("starting the API server")
            client = Client(folder / "pki", "admin", found.ports.apiserver)
            _wait(client, machine, name)
    sender = Sender(client)
    sender.send(first_objects.rights())
    with running.held():
        programs.ensure(machine, name, programs.AGENT, [programs.Wanted(agent(name, found))])
    output.write(found.kubeconfig, [kubeconfig.text(files, "admin", name, found.ports.apiserver)], private=True)
    running.close()
    say("creating objects")
    given = [_plain(one.data) for one in objects.documents if not _makes_lab(one)]
    done = sender.send([*first_objects.dns_service(running.cluster), *given])
    return Started(name, found.kubeconfig, tuple(done[-len(given) :] if given else ()), time.monotonic() - started)


def status(lab: str) -> tuple[str, list[ProgramState]]:
    """Return the name of a lab and the state of each program of its control plane.

    Raises:
      UsageError: when there is no such lab, or it has no control plane.
    """
    from netlab.kernel.machine import this_host

    running = Lab.open(_named(this_host(), lab))
    machine, name = running.machine, running.name
    found = _settings(machine, name)
    pki = settings.folder(machine, name) / "pki"
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
    """Remove a lab with its control plane and its kubeconfig; return its name, and the namespaces that stay.

    Raises:
      UsageError: when there is no such lab, or none with a control plane and none is named.
    """
    from netlab.kernel.machine import this_host

    machine = this_host()
    name = _named(machine, lab)
    written = _kubeconfig(machine, name)
    left = removal.remove(name, machine)
    if written is not None:
        output.remove(*written)
    return name, left


def _kubeconfig(machine: Machine, lab: str) -> tuple[str, str] | None:
    """Return path and text of a lab's kubeconfig, None where a killed command has written none."""
    pki = settings.folder(machine, lab) / "pki"
    try:
        found = settings.read(machine, lab)
        files = certificates.read(pki) if (pki / "done").exists() else None
    except (HostError, DamagedRecord):
        # What cannot be read does not stop the removal.
        return None
    if found is None or files is None:
        return None
    return found.kubeconfig, kubeconfig.text(files, "admin", lab, found.ports.apiserver)


# --- the lab ----------------------------------------------------------------------------------------------------------


def _makes_lab(document: Document) -> bool:
    """Return whether a document describes the lab itself, and not an object that the API server has."""
    return document.kind == _NODE or document.data.get("apiVersion") == NETLAB_VERSION


def _lab(of_lab: Sequence[Document], objects: Objects, lab: str, wishes: Wishes) -> Lab:
    """Return the running lab of a control plane; build it, and write the settings, if there is none.

    A missing program is an error before anything is made.
    """
    from netlab.cluster import resolve
    from netlab.objects import decode

    name = lab or (objects.topology.name if objects.topology else "default")
    if name in Lab.names():
        running = _opened(name)
        known = settings.read(running.machine, name)
        if known is not None:
            settings.write(running.machine, name, _chosen(known, wishes))
            return running
        # A command that was killed before it wrote the settings leaves such a lab.
        if not all(_makes_lab(one) for one in running.documents):
            raise UsageError(f"lab {name} runs with objects of its own; remove it first: netlab down {name}")
    paths = dict(kubernetes_programs.find(wishes.assets))
    target = str(Path(wishes.kubeconfig or f"{name}.kubeconfig").absolute())
    output.check(target, "--kubeconfig")
    base, _ = decode(of_lab)
    running = Lab.up(base, name=name, cluster=replace(resolve(base), name=name))
    found = Settings(Ports(*free_ports(len(Ports._fields))), paths, target)
    settings.write(running.machine, name, _chosen(found, wishes))
    return running


def _opened(name: str) -> Lab:
    """Return a running lab, repaired where a change of it broke off."""
    from netlab.kernel.machine import this_host

    records = Records(this_host())
    record = records.load(name)
    if record is None or record.ready:
        return Lab.open(name)
    with records.locked(name):
        # A change that is under way holds the lock until the record is ready.
        record = records.load(name)
    if record is None or record.ready:
        return Lab.open(name)
    objects, cluster = described(record)
    return Lab.up(objects, name=name, cluster=cluster)


def _chosen(before: Settings, wishes: Wishes) -> Settings:
    target = str(Path(wishes.kubeconfig).absolute()) if wishes.kubeconfig else before.kubeconfig
    times = {name: getattr(wishes, name) for name in ("node_grace", "not_ready", "unreachable")}
    return replace(
        before,
        kubeconfig=target,
        plugins=wishes.plugins or before.plugins,
        abac=wishes.abac or before.abac,
        **{name: value for name, value in times.items() if value is not None},
    )


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


def _service_addresses(cluster: Cluster) -> list[str]:
    """Return the addresses of the Service ``kubernetes``: the first one of each range."""
    return [str(cidr[1]) for cidr in cluster.service_cidrs]


# --- programs ---------------------------------------------------------------------------------------------------------


def _ensure(machine: Machine, lab: str, one: Component) -> None:
    """Write the files of a program, and start it if it does not run. The caller holds the lab's lock."""
    folder = programs.folder(machine, lab, one.kind, "")
    try:
        for name, data in one.secret.items():
            machine.write(folder, name, data, secret=True)
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}") from error
    programs.ensure(machine, lab, one.kind, [programs.Wanted(one.program, one.public)])


def _wait(client: Client, machine: Machine, lab: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    while not client.is_ready():
        if time.monotonic() > until:
            log = programs.folder(machine, lab, "kube-apiserver", "") / "output"
            raise HostError(f"kube-apiserver is not ready after {_READY_SECONDS:g} s", f"its output is in {log}")
        time.sleep(_PAUSE)


def _plain(data: Any) -> Any:
    """Return data of a document as mappings and lists of their own; JSON has no others."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(one) for one in data] if isinstance(data, list | tuple) else data
