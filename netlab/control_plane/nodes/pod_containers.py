"""The containers of the pods that the API server has: begun when the lab has the pod, ended with it.

It changes what is known of pods: one whose programs do not run is not ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from netlab.control_plane.api import Object
from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.containers import Containers
from netlab.control_plane.nodes.objects import POD, PROGRAMS, Key, Known, has_to_end, is_alive, key_of
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.control_plane.nodes.pod_status import Programs
from netlab.errors import UsageError
from netlab.kernel.pod_starter import Program
from netlab.lab.lab import Lab

_GRACE = 30.0
_STATUSES = ("initContainerStatuses", "containerStatuses")


class ProgramEnded(NamedTuple):
    """The program of a container has ended; ``error`` says why it could not run."""

    uid: str
    name: str
    code: int
    error: str


class ProbeFailed(NamedTuple):
    """A probe says that the program of a container has to start anew."""

    uid: str
    name: str


class PodContainers:
    """The containers of a lab's pods. All calls but ``runs`` come from the thread that changes the lab."""

    def __init__(self, lab: Lab, known: Known, programs: PodPrograms) -> None:
        self._lab, self._known, self._programs = lab, known, programs
        self._states = Containers(self._start)
        self._keys: dict[str, Key] = {}

    def expect(self, touched: Iterable[Object]) -> None:
        """Look at pods before the lab has them: those with programs are not ready, and deleted ones start none."""
        for pod in touched:
            uid = pod["metadata"]["uid"]
            if has_to_end(pod):
                self._states.stop(uid)
            elif is_alive(pod) and uid not in self._states and self._programs.any_in(pod):
                self._known.hold(uid, key_of(pod), PROGRAMS, on=True)

    def follow(self, touched: Iterable[Object]) -> None:
        """Begin the containers of pods that the lab has; forget those of pods that are gone."""
        gone = [uid for uid in self._states.known() if not self._is(uid)]
        self._states.forget(gone)
        for uid in gone:
            del self._keys[uid]
            self._programs.forget(uid)
        for pod in touched:
            uid, key = pod["metadata"]["uid"], key_of(pod)
            if uid in self._states or not is_alive(pod) or "/".join(key) not in self._lab.cluster.by_ref:
                continue
            containers = self._containers(pod)
            if any(one.argv for one in containers):
                self._keys[uid] = key
                before = {one["name"]: one for field in _STATUSES for one in pod.get("status", {}).get(field) or ()}
                self._states.begin(uid, containers, before)
                self._changed(uid)

    def take(self, ended: ProgramEnded) -> None:
        """Note that a program has ended."""
        if ended.uid in self._states:
            self._states.ended(*ended)
            self._changed(ended.uid)

    def turn(self) -> None:
        """Start again what waits and is due."""
        for uid in self._states.turn():
            self._changed(uid)

    def kill(self, uid: str) -> None:
        """Kill the programs of a pod whose time is over."""
        self._states.kill(uid)

    def restart(self, failed: ProbeFailed) -> None:
        """Let a container start anew, as its probe says."""
        pod = self._known.find(POD, self._keys[failed.uid]) if failed.uid in self._states else None
        if pod is not None:
            grace = pod["spec"].get("terminationGracePeriodSeconds")
            self._states.restart(failed.uid, failed.name, _GRACE if grace is None else float(grace))

    def with_programs(self, uid: str) -> list[str]:
        """Return the containers of a pod that run programs."""
        return self._states.running(uid)

    @property
    def waiting(self) -> bool:
        """Whether a container waits for the time of its next start."""
        return self._states.waiting

    def programs(self, uid: str) -> Programs | None:
        """Return what the programs of a pod say of it, None for a pod without programs."""
        shown = self._states.shown(uid)
        if shown is None:
            return None
        return Programs(self._states.phase(uid), self._states.initialized(uid), shown)

    def runs(self, uid: str, container: str) -> bool:
        """Return whether a container runs or will run; one of a pod without programs does."""
        shown = self._states.shown(uid)
        return shown is None or (container in shown and shown[container].state.kind != "terminated")

    def _changed(self, uid: str) -> None:
        key = self._keys[uid]
        self._known.hold(uid, key, PROGRAMS, on=not self._states.ready(uid))
        self._known.touch([key])

    def _is(self, uid: str) -> bool:
        pod = self._known.find(POD, self._keys[uid])
        return pod is not None and pod["metadata"]["uid"] == uid

    def _containers(self, pod: Mapping[str, Any]) -> Sequence[Container]:
        endpoint = self._lab.cluster.by_ref["/".join(key_of(pod))]
        node = self._lab.cluster.node(pod["spec"]["nodeName"])
        return self._programs.containers(
            pod, [str(one) for one in endpoint.addresses], [str(one) for one in node.addresses]
        )

    def _start(self, uid: str, container: Container) -> Program:
        ref = "/".join(self._keys[uid])
        pod = self._known.find(POD, self._keys[uid])
        if pod is None or ref not in self._lab.cluster.by_ref:
            raise UsageError(f"pod {ref} is gone")
        # Read anew: a ConfigMap may be there by now.
        now = next((one for one in self._containers(pod) if one.name == container.name), container)
        return self._programs.start(self._lab, ref, uid, now)
