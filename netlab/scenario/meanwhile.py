"""Clients that ask while a step makes its changes, and the programs that answer them.

A client is a process in the network namespace of its source, without privilege. Programs that accept connections listen
in all pods that it may reach, also in those that begin meanwhile: they listen before the pod is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netlab.cluster.flows import Flow
from netlab.cluster.services.endpoints import target_port
from netlab.cluster.services.pod_index import pods_of
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.dataplane import names
from netlab.errors import KernelError, NetlabError, UsageError
from netlab.frozen import frozen
from netlab.kernel import privilege
from netlab.kernel.child import Child
from netlab.kernel.program_process import give_up_privilege
from netlab.lab.lab import Lab
from netlab.lab.listeners import Listening
from netlab.objects.scenarios import Meanwhile, Scenario
from netlab.programs.asking import Asking
from netlab.scenario.pairs import flows_of
from netlab.scenario.results import ProgramFailure

MOST_CLIENTS = 16
# Seconds: how long the first question may take, and how long the clients ask after the last change.
_FIRST, _AFTER = 5.0, 0.1


@frozen
class Loss:
    """What became of the questions of one client; ``longest`` is the longest time without an answer, in seconds."""

    asked: int
    lost: int
    first: str = ""
    longest: float = 0.0


@dataclass
class _Client:
    asked: Meanwhile
    flow: Flow
    child: Child
    stop: int


def flows(cluster: Cluster, asked: Meanwhile) -> list[Flow]:
    """Return the flow of each client; raises UsageError if there is none."""
    return flows_of(cluster, asked.expectation())


class Clients:
    """The clients of a step, as a context manager: they ask while its block runs. ``failures`` has what was wrong."""

    def __init__(self, lab: Lab, scenario: Scenario, asked: Sequence[Meanwhile]) -> None:
        if lab.machines_of_nodes():
            raise UsageError("meanwhile: clients ask in a lab of one machine only; leave it out, or run without --etcd")
        self._lab, self._scenario = lab, scenario
        self._asked = [(one, flow) for one in asked for flow in flows(lab.cluster, one)]
        self._clients: list[_Client] = []
        self._stack = contextlib.ExitStack()
        self._listening = Listening(lab)
        self.failures: list[ProgramFailure] = []

    def __enter__(self) -> Clients:
        with self._stack:
            self._stack.callback(self._end)
            self._listen()
            for asked, flow in self._asked:
                self._clients.append(self._client(asked, flow))
            self._lab.after_step = self._listen
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        with self._stack:
            self._lab.after_step = None
            if kind is None:
                time.sleep(_AFTER)
                self.failures = [one for client in self._clients for one in self._failures(client)]

    @property
    def pairs(self) -> int:
        """The number of clients."""
        return len(self._asked)

    def _end(self) -> None:
        self._lab.after_step = None
        for client in self._clients:
            client.child.end()
            with contextlib.suppress(OSError):
                os.close(client.stop)
        self._listening.end()

    def _client(self, asked: Meanwhile, flow: Flow) -> _Client:
        """Start a client, and wait until its first question has an answer or is lost."""
        if flow.address is None or flow.port is None:
            raise UsageError(f"{flow.target} has no address to ask")
        stopped, stop = os.pipe()
        first, told = os.pipe()
        asking = Asking(str(flow.address), flow.port)

        def work() -> bytes:
            os.close(stop)
            give_up_privilege(not privilege.rootless())
            asking.run(stopped, told)
            return asking.document()

        try:
            with self._lab.machine.inside(names.endpoint_namespace(self._lab.name, flow.source)):
                child = Child(work)
        finally:
            os.close(stopped)
            os.close(told)
        with open(first, "rb", buffering=0) as answered:
            select.select([answered], [], [], _FIRST)
        return _Client(asked, flow, child, stop)

    def _listen(self) -> None:
        """Listen in all pods that a client may reach now."""
        cluster = self._lab.cluster
        self._listening.also(place for _, flow in self._asked for place in _places(cluster, flow))

    def _failures(self, client: _Client) -> Iterator[ProgramFailure]:
        # Not the pipe's end: programs that began later have inherited this descriptor.
        os.write(client.stop, b".")
        try:
            found = Loss(**json.loads(client.child.result()))
        except KernelError as error:
            raise NetlabError(f"the client in {client.flow.source.ref} ended with its pod: {error}") from error
        asked, where = client.asked, f"{client.flow.target}:{client.flow.port}"
        least, most = asked.at_least, asked.at_most
        if (least is None or found.lost >= least) and (most is None or found.lost <= most):
            return
        bounds = [f"{word} {number}" for word, number in (("at least", least), ("at most", most)) if number is not None]
        yield ProgramFailure(
            "meanwhile",
            client.flow.source.ref,
            where,
            f"{' and '.join(bounds)} lost",
            f"{found.lost} of {found.asked} lost",
            f"{found.first}; the longest time without an answer was {found.longest:.2f} s" if found.lost else "",
            self._scenario.source.file,
            asked.line,
        )


def _places(cluster: Cluster, flow: Flow) -> Iterable[tuple[Endpoint, int]]:
    """Yield where a program must listen to answer a flow: in all pods of a Service, ready or not."""
    service = flow.service
    if service is None:
        end = cluster.by_ref.get(flow.target)
        return [(end, flow.port)] if isinstance(end, Pod) and flow.port is not None else []
    key = service.meta.key
    found = next((one for one in cluster.services if one.meta.key == key), service)
    ports = [one for one in found.ports if one.protocol == "TCP" and one.port == flow.port]
    pods = [pod for pod in pods_of(cluster, found) if not pod.system]
    return [(pod, number) for pod in pods for one in ports if (number := target_port(one, pod)) is not None]
