"""All nodes of a lab: they follow the API server, change the lab, and write what has become of its objects.

One thread follows each kind. This thread alone changes the lab: it takes all changes that have come, and brings them in
force together. So a burst of a thousand pods is a few changes of the lab, and a single policy is in force at once. A
pod's status says Running after its namespace, its addresses and its policies are there.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netlab.control_plane.api import Client, Object
from netlab.control_plane.nodes import pod_status
from netlab.control_plane.nodes.api_server_endpoints import ApiServerEndpoints
from netlab.control_plane.nodes.balancers import SERVICE, Balancers
from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.ending import Ending
from netlab.control_plane.nodes.hooks import HookEnded
from netlab.control_plane.nodes.kubelet import Inside
from netlab.control_plane.nodes.lab_objects import LabObjects, Outcome, Ref
from netlab.control_plane.nodes.objects import POD, Key, Known, followed, has_to_end, is_alive, key_of
from netlab.control_plane.nodes.pod_containers import PodContainers, ProbeFailed, ProgramEnded
from netlab.control_plane.nodes.pod_probes import PodProbes, Probed
from netlab.control_plane.nodes.pod_programs import Ended, PodPrograms, Services
from netlab.control_plane.nodes.reachable import KUBELET
from netlab.control_plane.nodes.registration import Registration
from netlab.control_plane.nodes.statuses import Statuses
from netlab.control_plane.nodes.written import Written
from netlab.control_plane.watch import ApiWatch, Change
from netlab.dataplane.names import own_namespace
from netlab.errors import NetlabError, printable
from netlab.lab.lab import Lab

# Seconds: how long to wait for a change, after a change that failed, and for programs that have to end.
_LOOK, _PAUSE, _SOON = 0.25, 1.0, 0.1
_BOUND = "spec.nodeName!="
_LOG = logging.getLogger(__name__)
_FEW = 1000
# What is written of a pod that is removed.
_REMOVED = {"removed": True}
_METRICS = ("netlab_changes_total", "netlab_change_seconds_sum", "netlab_refused_objects")


class Agent:
    """All nodes of a lab."""

    def __init__(
        self,
        lab: Lab,
        client: Client,
        kubelet_port: int,
        beat: float,
        programs: Callable[[Services, Ended], PodPrograms],
    ) -> None:
        self._lab, self._client = lab, client
        self._stopped_nodes, self._looked = lab.cluster.stopped_nodes, False
        # None ends the wait; a key is a pod whose status is to be written once more.
        self._changes: queue.SimpleQueue[Change | Probed | ProgramEnded | ProbeFailed | HookEnded | Key | None] = (
            queue.SimpleQueue()
        )
        self._stopped = threading.Event()
        self._endpoints: ApiServerEndpoints | None = None
        self._known = Known()
        self._objects = LabObjects(lab)
        self._nodes = frozenset(node.name for node in lab.cluster.nodes)
        self._registration = Registration(
            client, lab.cluster, KUBELET, lambda node: node not in self._stopped_nodes, say, beat
        )
        self._statuses = Statuses(client, say, self._changes.put)
        self._balancers = Balancers(
            lambda service, balancer: self._statuses.balancer(service, balancer, self._balancers.again)
        )
        self._refused: Mapping[Ref, str] = {}
        self._written = Written(lambda last, wanted: not pod_status.differs(last, wanted))
        self._services_changed = False
        self._metrics = dict.fromkeys(_METRICS, 0.0)
        self.programs = programs(
            lambda: self._known.all(SERVICE), lambda *ended: self._changes.put(ProgramEnded(*ended))
        )
        self._containers = PodContainers(lab, self._known, self.programs, self._changes.put, self._statuses.event)
        # The names of pods that are gone from the API server, and that the lab may still have.
        self._ended: set[Key] = set()
        self._ending = Ending(self._programs_of, self._containers.with_hooks)
        self._probes = PodProbes(lab, self._known, self._containers, self.programs, self._changes.put)

    def announce(self, endpoints: ApiServerEndpoints) -> None:
        """Keep the endpoint of the API server in a thread."""
        self._endpoints = endpoints
        self._start(endpoints.run, self._stopped)

    @property
    def inside(self) -> Inside:
        """What the kubelets ask."""
        runs, stopped = self._containers.runs, self._stopped_node_of
        return Inside(self._pod, self._has, lambda: self._known.all(POD), lambda: self._metrics, runs, stopped)

    def _pod(self, ref: str) -> Object | None:
        namespace, _, name = ref.partition("/")
        return self._known.find(POD, (namespace, name))

    def _stopped_node_of(self, ref: str) -> str:
        node = getattr(self._lab.cluster.by_ref.get(ref), "node", "")
        return node if node in self._stopped_nodes else ""

    def _has(self, ref: str) -> bool:
        return ref in self._lab.cluster.by_ref

    def stop(self) -> None:
        """End ``run`` after the change that is under way."""
        self._stopped.set()
        self._changes.put(None)

    def run(self) -> None:
        """Be the nodes until ``stop``."""
        self._start(self._registration.register_all, self._stopped)
        self._start(self._registration.beat_forever, self._stopped)
        self._start(self._probes.run, self._stopped)
        for kind, resources in followed().items():
            fields = _BOUND if kind == POD else ""
            watch = ApiWatch(self._client, resources, fields, failed=say, stopped=self._stopped.is_set)
            self._start(self._follow, watch)
        while not self._stopped.is_set():
            self._take()
            if self._known.complete and not self._stopped.is_set():
                try:
                    self._look()
                    self._work()
                except NetlabError as error:
                    # A UsageError: the lab is gone, or another command's change of it broke off.
                    say(str(error))
                    time.sleep(_PAUSE)
        self._statuses.close()

    def _start(self, work: Any, argument: object) -> None:
        threading.Thread(target=work, args=(argument,), daemon=True).start()

    def _follow(self, watch: ApiWatch) -> None:
        for change in watch.changes():
            self._changes.put(change)

    def _take(self) -> None:
        """Wait for a change, and take all that have come."""
        try:
            soon = self._ending or self._containers.waiting
            one = self._changes.get(timeout=0.0 if self._known.any_touched else _SOON if soon else _LOOK)
            while True:
                if isinstance(one, Change):
                    self._known.take(one)
                    self._services_changed |= one.kind == SERVICE
                elif isinstance(one, Probed):
                    self._probes.take(one)
                elif isinstance(one, ProgramEnded):
                    self._containers.take(one)
                    self._probes.begin(one.uid, one.name)
                elif isinstance(one, ProbeFailed):
                    self._containers.restart(one)
                elif isinstance(one, HookEnded):
                    if one.why:
                        say(f"hook of container {one.name}, pod {one.uid}: {one.why}")
                    self._containers.take_hook(one)
                elif one is not None:
                    self._again(one)
                one = self._changes.get_nowait()
        except queue.Empty:
            return

    def _look(self) -> None:
        """Find the nodes that commands stopped and started: a stopped node does nothing until it starts."""
        self._lab.look()
        stopped = self._lab.cluster.stopped_nodes
        if stopped == self._stopped_nodes and self._looked:
            return
        started, self._stopped_nodes, self._looked = self._stopped_nodes - stopped, stopped, True
        self._known.cut_off(stopped)
        if self._endpoints is not None:
            self._endpoints.soon()
        if started:
            self._written.keep(())
            self._registration.beat_soon()

    def _work(self) -> None:
        """Bring the lab to the objects, and write the status of its pods."""
        self._containers.turn()
        self._known.touch(self._written.take_late())
        touched = self._known.touched()
        self._ended |= self._known.ended()
        try:
            self._containers.expect(touched)
            self._end_programs(touched)
            outcome = self._objects.bring(self._known.documents(), self._ended)
        except BaseException:
            self._known.touch(map(key_of, touched))
            raise
        self._ended.clear()
        if outcome is not None:
            self._count(outcome)
            self._report(outcome)
        if outcome is not None or self._services_changed or self._balancers.behind:
            self._services_changed = False
            self._balancers.say(self._lab.cluster, self._known.all(SERVICE))
        self._containers.follow(touched)
        self._probes.follow(touched)
        if len(self._written) > 2 * self._known.count(POD) + _FEW:
            self._written.keep({pod["metadata"]["uid"] for pod in self._known.all(POD)})
        # Pods whose programs were started are touched again, and ready with the next change.
        for key in map(key_of, touched):
            pod = self._known.find(POD, key)
            if pod is not None and pod["spec"].get("nodeName") in self._nodes - self._stopped_nodes:
                self._say_status(pod)

    def _end_programs(self, touched: Sequence[Object]) -> None:
        """Let the programs of deleted pods end, and keep these pods in the lab until they have."""
        for key in self._ending.pods():
            pod = self._known.find(POD, key)
            if pod is None or not has_to_end(pod):
                self._ending.forget(key)
        deleted = [pod for pod in touched if self._ends_now(pod)]
        for key in self._ending.begin(deleted) if deleted else ():
            self._known.linger(key, on=True)
        for key in self._ending.ended():
            self._known.linger(key, on=False)
            # What was told to end before its node stopped is killed all the same.
            if (pod := self._known.find(POD, key)) is not None:
                self._containers.kill(pod["metadata"]["uid"])
        for pod in touched:
            if has_to_end(pod) and key_of(pod) not in self._ending and not self._known.is_cut_off(pod):
                self._containers.kill(pod["metadata"]["uid"])

    def _ends_now(self, pod: Object) -> bool:
        """Return whether a pod has to end, and its node runs."""
        return has_to_end(pod) and not self._known.is_cut_off(pod) and self._has("/".join(key_of(pod)))

    def _programs_of(self, keys: list[Key], number: int) -> set[Key]:
        """Return which pods have programs; send these a signal unless it is 0."""
        by_space = {own_namespace(self._lab.name, *key): key for key in keys}
        return {by_space[one] for one in self._lab.machine.occupied_by_programs(list(by_space), number)}

    def _count(self, outcome: Outcome) -> None:
        self._metrics["netlab_changes_total"] += 1
        self._metrics["netlab_change_seconds_sum"] += outcome.seconds
        self._metrics["netlab_refused_objects"] = len(outcome.refused)

    def _report(self, outcome: Outcome) -> None:
        """Create an Event for each object that the lab refuses now, and did not refuse before."""
        for (kind, key), why in outcome.refused.items():
            if self._refused.get((kind, key)) != why:
                say(f"{kind} {'/'.join(filter(None, key))}: {why}")
                about = self._known.find(kind, key)
                if about is not None:
                    self._statuses.event(about, pod_status.REFUSED, f"netlab cannot have it in the lab: {why}")
        changed = {*outcome.refused, *self._refused}
        self._known.touch(key for kind, key in changed if kind == POD)
        self._refused = outcome.refused

    def _say_status(self, pod: Object) -> None:
        ending = key_of(pod) in self._ending
        if "deletionTimestamp" in pod["metadata"] and not ending:
            if self._written.is_due(pod, _REMOVED):
                self._statuses.remove(pod)
            return
        if not ending and not is_alive(pod):
            return
        wanted = self._status_of(pod)
        # The last program of a pod that has to end may have ended just now: then the pod is removed soon.
        if wanted is None or (ending and wanted["phase"] != "Running"):
            return
        if pod_status.differs(pod.get("status", {}), wanted) and self._written.is_due(pod, wanted):
            self._statuses.write(pod, wanted)

    def _status_of(self, pod: Object) -> dict[str, Any] | None:
        """Return the status that a pod should have, None for one that the lab does not have yet."""
        key = key_of(pod)
        if why := self._refused.get((POD, key)):
            return pod_status.refused(pod, why, now())
        cluster = self._lab.cluster
        endpoint = cluster.by_ref.get("/".join(key))
        if endpoint is None:
            return None
        node = cluster.node(pod["spec"]["nodeName"])
        addresses = [str(one) for one in endpoint.addresses]
        programs = self._containers.programs(pod["metadata"]["uid"])
        return pod_status.running(pod, addresses, [str(one) for one in node.addresses], now(), programs)

    def _again(self, key: Key) -> None:
        pod = self._known.find(POD, key)
        if pod is not None:
            self._written.forget(pod["metadata"]["uid"])
            self._known.touch([key])


def say(text: str) -> None:
    """Write a line with the time to the program's output. Strangers wrote names and messages in it."""
    _LOG.warning("%s", printable(text))
