"""The DNS servers of a lab, and the ``resolv.conf`` and hosts files of its programs.

They exist once a program runs in the lab (``prepare``). Then the lab has system objects, a server in each pod of
``kube-system/kube-dns``, and the file ``names``: a line with the files of each endpoint, and the stamp of the record
that they were made from. ``exec`` reads one line and decodes no object. ``refresh`` follows a change. The programs of
``health`` start and end with the servers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netlab.cluster import Cluster, Pod
from netlab.dataplane import names
from netlab.errors import HostError, NetlabError
from netlab.frozen import frozen
from netlab.kernel.machine import Unsafe
from netlab.kernel.program import OWN_FOLDER, Program
from netlab.lab import health, notices, programs
from netlab.lab.record import Records, Stamp

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.programs.pod_files import PodFiles

KIND = "dns"
_NAMES, _SNAPSHOT = "names", "snapshot.json"
_PORT = 53
# It goes up when the form of the file changes.
_VERSION = 2
# Bytes; the file of a lab of ten thousand pods has some four million.
_MOST = 256 << 20


@frozen
class _Names:
    """The file ``names``: the stamp of the record, the programs by their kinds, and a line for each endpoint."""

    stamp: Stamp
    programs: Mapping[str, Sequence[Program]]
    lines: bytes

    def files(self, ref: str) -> PodFiles | None:
        """Return the files of an endpoint, None where it has no line."""
        from netlab.programs.pod_files import PodFiles

        start = self.lines.find(f"\n{ref}\t".encode())
        if start < 0:
            return None
        line = self.lines[start + 1 : self.lines.index(b"\n", start + 1)]
        resolv, hosts, hostname, warnings = json.loads(line.partition(b"\t")[2])
        return PodFiles(resolv, hosts, hostname, tuple(warnings))


def prepare(lab: Lab, ref: str) -> PodFiles | None:
    """Start the lab's DNS, and return the files of an endpoint, None for an endpoint that is gone.

    A lab without system objects gets them. A server that does not run is started. If that fails, a warning is printed,
    and the program runs without DNS.

    Raises:
      NetlabError: when the lab is gone, or cannot have system objects.
    """
    records = lab.records
    found = _current(lab)
    if found is None:
        with lab.held():
            wanted = wants_system(lab.cluster)
        if wanted:
            from netlab.objects.system_objects import system_document

            lab.apply([system_document()])
        with lab.held() as stamp:
            # Another command may have started DNS meanwhile.
            found = _read(records, lab.name)
            if found is None or found.stamp != stamp or not _run(lab, found):
                found = _ensure(lab, stamp)
    return found.files(ref)


def prepared(lab: Lab, ref: str) -> PodFiles | None:
    """Return the files of an endpoint if the lab's DNS runs and is up to date, else None.

    It changes nothing, takes no lock and reads no record, so any thread may call it.
    """
    found = _current(lab)
    return None if found is None else found.files(ref)


def refresh(lab: Lab) -> None:
    """Bring DNS to the lab's present state, if a program ran before. The caller holds the lab's lock.

    The change of the lab is in force already, so a failure is a warning. The next program tries again.
    """
    try:
        _refresh(lab)
    except (NetlabError, OSError) as error:
        notices.notice(f"warning: names of lab {lab.name} are not up to date: {error}")


def _refresh(lab: Lab) -> None:
    file = programs.directory(lab.machine, lab.name) / _NAMES
    if not file.exists():
        return
    stamp = lab.records.stamp(lab.name)
    if stamp is None or wants_system(lab.cluster):
        # The new input has no system objects, and the servers ended with their pods. The next program adds both again.
        file.unlink()
        for kind in (KIND, health.KIND):
            programs.ensure(lab.machine, lab.name, kind, ())
    else:
        _ensure(lab, stamp)


def wants_system(cluster: Cluster) -> bool:
    """Return whether a lab's programs need system objects that it does not have."""
    from netlab.programs.pod_files import DNS_SERVICE

    return cluster.dns and not any(one.meta.key == DNS_SERVICE for one in cluster.services)


def _current(lab: Lab) -> _Names | None:
    """Return the file of a lab if it was made from the present record, and its programs run."""
    found = _read(lab.records, lab.name)
    if found is None or found.stamp != lab.records.stamp(lab.name) or not _run(lab, found):
        return None
    return found


def _run(lab: Lab, found: _Names) -> bool:
    return all(programs.all_run(lab.machine, lab.name, kind, every) for kind, every in found.programs.items())


# --- what should run ------------------------------------------------------------------------------------------------


def _server(namespace: str, hostname: str, ports: Sequence[int]) -> Program:
    return Program(
        namespace,
        (*map(str, ports), f"{OWN_FOLDER}/{_SNAPSHOT}"),
        "netlab.programs.dns_server",
        tuple((protocol, port) for port in ports for protocol in ("udp", "tcp")),
        hostname,
        ("dns",),
    )


def _ports(program: Program) -> list[int]:
    return [port for _, port in program.listens]


def served_in(lab: str, cluster: Cluster) -> frozenset[str]:
    """Return the namespaces whose programs answer names and health checks."""
    checks = (one.program.namespace for one in health.wanted(cluster))
    return frozenset((*(place[0] for place in _places(lab, cluster)), *checks))


def _places(lab: str, cluster: Cluster) -> list[tuple[str, str, list[int]]]:
    """Return the namespace, hostname and ports of each DNS server: one for each pod of the DNS Service."""
    from netlab.cluster.services.endpoints import endpoints
    from netlab.programs.pod_files import dns_service

    service = dns_service(cluster)
    if service is None:
        return []
    ports: dict[str, set[int]] = {}
    hostnames: dict[str, str] = {}
    for port in service.ports:
        for family in cluster.families if port.port == _PORT else ():
            for one in endpoints(cluster, service, port, family):
                pod = cluster.by_ref.get(one.pod)
                if isinstance(pod, Pod):
                    # Host-network pods of one node share its namespace, and so one server.
                    space = names.pod_namespace(lab, pod)
                    ports.setdefault(space, set()).add(one.port)
                    hostnames.setdefault(space, pod.name)
    return [(space, hostnames[space], sorted(found)) for space, found in sorted(ports.items())]


def _ensure(lab: Lab, stamp: Stamp) -> _Names:
    """Write the files of all endpoints and the snapshot, and start the programs."""
    from netlab.programs import dns_snapshot, pod_files

    cluster, machine = lab.cluster, lab.machine
    places = [place for place in _places(lab.name, cluster) if lab.here(place[0])]
    if places:
        data = json.dumps(dns_snapshot.of(cluster), separators=(",", ":")).encode()
    wanted = [programs.Wanted(_server(*place), {_SNAPSHOT: data}) for place in places]
    checks = [one for one in health.wanted(cluster) if lab.here(one.program.namespace)]
    for kind, every, lacks in ((KIND, wanted, "no DNS"), (health.KIND, checks, "not at every healthCheckNodePort")):
        try:
            programs.ensure(machine, lab.name, kind, every)
        except NetlabError as error:
            notices.notice(f"warning: lab {lab.name} answers {lacks}: {error}")
    ports = [[one.program.namespace, one.program.hostname, _ports(one.program)] for one in checks]
    header = {"version": _VERSION, "stamp": stamp, "servers": places, "health": ports}
    lines = [json.dumps(header, separators=(",", ":"))]
    for ref, endpoint in cluster.by_ref.items():
        files = pod_files.of(cluster, endpoint)
        fields = (files.resolv, files.hosts, files.hostname, files.warnings)
        lines.append(f"{ref}\t{json.dumps(fields, separators=(',', ':'))}")
    text = "".join(f"{line}\n" for line in lines).encode()
    file = programs.directory(machine, lab.name) / _NAMES
    try:
        lab.records.store.write(file, text)
    except OSError as error:
        raise HostError(f"cannot write {file}: {error.strerror}") from error
    found = _parsed(text)
    assert found is not None
    return found


def _read(records: Records, lab: str) -> _Names | None:
    """Return the file of a lab, None where it cannot be used."""
    try:
        return _parsed(records.store.read(programs.directory(records.machine, lab) / _NAMES, _MOST))
    except (OSError, Unsafe, ValueError, KeyError, TypeError):
        return None


def _parsed(data: bytes) -> _Names | None:
    header: dict[str, Any] = json.loads(data.partition(b"\n")[0])
    if header["version"] != _VERSION:
        return None
    inode, changed, size = header["stamp"]
    servers = [_server(*place) for place in header["servers"]]
    checks = [health.program_of(*place) for place in header["health"]]
    return _Names((inode, changed, size), {KIND: servers, health.KIND: checks}, data)
