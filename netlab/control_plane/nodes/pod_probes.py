"""The probes of the pods that the API server has: asked while the lab has the pod, from its node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from netlab.cluster import Pod
from netlab.control_plane.api import Object
from netlab.control_plane.nodes.asking import ask_pod
from netlab.control_plane.nodes.objects import POD, PROBES, Key, Known, is_alive, key_of
from netlab.control_plane.nodes.pod_containers import PodContainers, ProbeFailed
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.control_plane.nodes.readiness import Probe, Prober, probes_of
from netlab.frozen import NamedTuple
from netlab.kernel.ask_port import Answer
from netlab.lab.lab import Lab


class Probed(NamedTuple):
    """The probes of a pod fail now, or pass again."""

    uid: str
    failing: bool


class PodProbes:
    """The probes of a lab's pods; all calls but ``run`` come from the thread that changes the lab.

    Args:
      tell: called in another thread with what is new.
    """

    def __init__(
        self,
        lab: Lab,
        known: Known,
        containers: PodContainers,
        programs: PodPrograms,
        tell: Callable[[Probed | ProbeFailed], object],
    ) -> None:
        self._lab, self._known, self._containers, self._programs = lab, known, containers, programs
        self._prober = Prober(
            self._ask,
            lambda uid, failing: tell(Probed(uid, failing)),
            lambda uid, container: tell(ProbeFailed(uid, container)),
            since=self._since,
        )
        # The pods that are probed, by their uids.
        self._keys: dict[str, Key] = {}

    def run(self, stopped: threading.Event) -> None:
        """Probe until the event is set."""
        self._prober.run(stopped)

    def follow(self, touched: Sequence[Object]) -> None:
        """Probe the pods that run and have probes, also while their programs end, and no others."""
        has = self._lab.cluster.by_ref
        alive = [pod for pod in touched if self._runs(pod) and "/".join(key_of(pod)) in has and _has_probes(pod)]
        self._keys |= {pod["metadata"]["uid"]: key_of(pod) for pod in alive}
        for uid in self._prober.follow(alive, time.monotonic(), self._containers.with_programs):
            self._known.hold(uid, self._keys[uid], PROBES, on=True)
        gone = [uid for uid, key in self._keys.items() if not self._is(uid, key)]
        for uid in gone:
            del self._keys[uid]
        self._prober.forget(gone)

    def take(self, probed: Probed) -> None:
        """Note that the probes of a pod fail, or pass again."""
        if probed.uid in self._keys:
            self._known.hold(probed.uid, self._keys[probed.uid], PROBES, on=probed.failing)

    def begin(self, uid: str, container: str) -> None:
        """The program of a container has ended, and may start anew."""
        self._prober.begin(uid, container, time.monotonic())

    def _is(self, uid: str, key: Key) -> bool:
        pod = self._known.find(POD, key)
        return pod is not None and pod["metadata"]["uid"] == uid and self._runs(pod)

    def _runs(self, pod: Object) -> bool:
        """Return whether a pod runs; one whose programs still end is asked whether it is ready."""
        return is_alive(pod) or self._known.lingers(key_of(pod))

    def _since(self, uid: str, probe: Probe) -> float | None:
        """Return when the container of a probe was started, None if it does not run, or cannot be asked.

        A kubelet that is cut off still reaches its own pods. Here a stopped node has no links to them, so nothing is
        known.
        """
        cluster = self._lab.cluster
        pod = cluster.by_ref.get("/".join(self._keys.get(uid, ())))
        if not probe.command and isinstance(pod, Pod) and pod.node in cluster.stopped_nodes:
            return None
        return self._containers.since(uid, probe.container)

    def _ask(self, uid: str, probe: Probe) -> Answer | None:
        """Ask a port of a pod from its node, or run a command in its container; None says nothing about the pod."""
        key = self._keys.get(uid, ("", ""))
        if probe.command:
            return self._programs.ask(self._known.find(POD, key), probe)
        answer = ask_pod(self._lab, key, probe.port, probe.timeout, probe.question)
        # The node may have been stopped since the lab was last read.
        return None if answer == "silence" and self._lab.is_behind else answer


def _has_probes(pod: Object) -> bool:
    spec = pod["spec"]
    return bool(probes_of(pod, [one["name"] for one in (*(spec.get("initContainers") or ()), *spec["containers"])]))
