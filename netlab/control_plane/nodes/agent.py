"""The program that is all nodes of a lab: it follows the API server, changes the lab, and says what has become of it.

One thread follows each kind. This thread alone changes the lab: it takes all changes that have come, and brings them in
force together. So a burst of a thousand pods is a few changes of the lab, and a single policy is in force at once. A
pod's status says Running after its namespace, its addresses and its policies are there.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netlab.cluster import Pod
from netlab.control_plane import settings
from netlab.control_plane.api import Client, Object
from netlab.control_plane.nodes import pod_status
from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.ending import Ending
from netlab.control_plane.nodes.kubelet import Inside, Kubelet
from netlab.control_plane.nodes.lab_objects import LabObjects, Outcome, Ref
from netlab.control_plane.nodes.objects import POD, Key, Known, followed, has_to_end, is_alive, key_of
from netlab.control_plane.nodes.readiness import Probe, Prober, probes_of
from netlab.control_plane.nodes.registration import Registration
from netlab.control_plane.nodes.statuses import Statuses
from netlab.control_plane.watch import ApiWatch, Change
from netlab.dataplane.names import node_namespace, own_namespace
from netlab.errors import HostError, NetlabError, UsageError, printable
from netlab.kernel.ask_port import Answer, ask
from netlab.lab.lab import Lab

# Seconds: how long to wait for a change, and after a change that failed.
_LOOK, _PAUSE = 0.25, 1.0
# Seconds between two looks at programs that have to end.
_SOON = 0.1
_BOUND = "spec.nodeName!="
_LOG = logging.getLogger(__name__)
_FEW = 1000
_METRICS = ("netlab_changes_total", "netlab_change_seconds_sum", "netlab_refused_objects")


class _Probed(NamedTuple):
    """The probes of a pod fail now, or pass again."""

    uid: str
    failing: bool


class Agent:
    """All nodes of a lab."""

    def __init__(self, lab: Lab, client: Client, kubelet_port: int, beat: float) -> None:
        self._lab, self._client = lab, client
        self._stopped_nodes, self._looked = lab.cluster.stopped_nodes, False
        # None ends the wait; a key is a pod whose status is to be written once more.
        self._changes: queue.SimpleQueue[Change | _Probed | Key | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._known = Known()
        self._objects = LabObjects(lab)
        self._nodes = frozenset(node.name for node in lab.cluster.nodes)
        self._registration = Registration(
            client, lab.cluster, kubelet_port, lambda node: node not in self._stopped_nodes, say, beat
        )
        self._statuses = Statuses(client, say, self._changes.put)
        self._refused: Mapping[Ref, str] = {}
        # What was last written of each pod, by its uid, until the watch says the same.
        self._written: dict[str, Any] = {}
        self._metrics = dict.fromkeys(_METRICS, 0.0)
        # The names of pods that are gone from the API server, and that the lab may still have.
        self._ended: set[Key] = set()
        self._ending = Ending(self._programs_of)
        self._prober = Prober(self._ask, lambda uid, failing: self._changes.put(_Probed(uid, failing)))
        # The pods that are probed, by their uids.
        self._probed: dict[str, Key] = {}

    @property
    def inside(self) -> Inside:
        """What the kubelets ask."""
        return Inside(self._has, lambda: self._known.all(POD), lambda: self._metrics, self._stopped_node_of)

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
        self._registration.register()
        self._start(self._registration.beat_forever, self._stopped)
        self._start(self._prober.run, self._stopped)
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
                except UsageError as error:
                    # The lab is gone, or somebody else broke a change off.
                    say(str(error))
                    time.sleep(_PAUSE)
                except NetlabError as error:
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
            one = self._changes.get(timeout=_SOON if self._ending else _LOOK)
            while True:
                if isinstance(one, Change):
                    self._known.take(one)
                elif isinstance(one, _Probed):
                    if one.uid in self._probed:
                        self._known.fail_probes(one.uid, self._probed[one.uid], on=one.failing)
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
        if started:
            self._written.clear()
            self._registration.beat_soon()

    def _work(self) -> None:
        """Bring the lab to the objects, and write the status of its pods."""
        touched = self._known.touched()
        self._ended |= self._known.ended()
        try:
            self._end_programs(touched)
            outcome = self._objects.bring(self._known.documents(), self._ended)
        except BaseException:
            self._known.touch(map(key_of, touched))
            raise
        self._ended.clear()
        if outcome is not None:
            self._count(outcome)
            self._report(outcome)
        if len(self._written) > 2 * self._known.count(POD) + _FEW:
            uids = {pod["metadata"]["uid"] for pod in self._known.all(POD)}
            self._written = {uid: status for uid, status in self._written.items() if uid in uids}
        for pod in (*touched, *self._known.touched()):
            if pod["spec"].get("nodeName") in self._nodes - self._stopped_nodes:
                self._say_status(pod)
        self._probe(touched)

    def _probe(self, touched: Sequence[Object]) -> None:
        """Probe the pods that run and have probes, and no others."""
        alive = [pod for pod in touched if is_alive(pod) and self._has("/".join(key_of(pod))) and probes_of(pod)]
        self._probed |= {pod["metadata"]["uid"]: key_of(pod) for pod in alive}
        self._prober.follow(alive, time.monotonic())
        gone = [uid for uid, key in self._probed.items() if not self._is(uid, key)]
        for uid in gone:
            del self._probed[uid]
        self._prober.forget(gone)

    def _is(self, uid: str, key: Key) -> bool:
        pod = self._known.find(POD, key)
        return pod is not None and pod["metadata"]["uid"] == uid and is_alive(pod)

    def _ask(self, uid: str, probe: Probe) -> Answer:
        """Ask a port of a pod from its node."""
        endpoint = self._lab.cluster.by_ref.get("/".join(self._probed.get(uid, ("", ""))))
        if not isinstance(endpoint, Pod) or not endpoint.addresses:
            return "nobody"
        try:
            with self._lab.machine.inside(node_namespace(self._lab.name, endpoint.node)):
                return ask(str(endpoint.addresses[0]), probe.port, probe.timeout, probe.question)
        except NetlabError:
            return "nobody"

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

    def _ends_now(self, pod: Object) -> bool:
        """Return whether a pod has to end, and its node runs."""
        return (
            has_to_end(pod)
            and pod["spec"].get("nodeName") not in self._stopped_nodes
            and self._has("/".join(key_of(pod)))
        )

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
        metadata, uid = pod["metadata"], pod["metadata"]["uid"]
        if key_of(pod) in self._ending:
            return
        if "deletionTimestamp" in metadata:
            if self._written.get(uid) != "removed":
                self._written[uid] = "removed"
                self._statuses.remove(pod)
            return
        if not is_alive(pod):
            return
        wanted = self._status_of(pod)
        if wanted is None:
            return
        if not pod_status.differs(pod.get("status", {}), wanted):
            self._written.pop(uid, None)
        elif pod_status.differs(self._written.get(uid) or {}, wanted):
            self._written[uid] = wanted
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
        return pod_status.running(pod, addresses, [str(one) for one in node.addresses], now())

    def _again(self, key: Key) -> None:
        pod = self._known.find(POD, key)
        if pod is not None:
            self._written.pop(pod["metadata"]["uid"], None)
            self._known.touch([key])


def say(text: str) -> None:
    """Write a line with the time to the program's output. Names and messages in it are of strangers."""
    _LOG.warning("%s", printable(text))


def main() -> None:
    """Be the nodes of a lab until SIGTERM; the arguments are the lab and the seconds between two heartbeats."""
    name, beat = sys.argv[1:]
    logging.basicConfig(format="%(asctime)s %(message)s")
    lab = Lab.open(name)
    found = settings.read(lab.machine, name)
    if found is None:
        raise HostError(f"lab {name} has no control plane")
    pki = settings.folder(lab.machine, name) / "pki"
    agent = Agent(lab, Client(pki, "nodes", found.ports.apiserver), found.ports.kubelet, float(beat))
    signal.signal(signal.SIGTERM, lambda number, frame: agent.stop())
    try:
        Kubelet(name, agent.inside, pki, found.ports.kubelet).start()
        agent.run()
    except OSError as error:
        say(f"cannot listen: {error}")
        os._exit(1)
    except NetlabError as error:
        say(str(error))
        os._exit(error.exit_code)
    # Threads that wait for the API server do not hold up the end.
    os._exit(0)
