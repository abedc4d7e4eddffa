"""The containers of the pods that the API server has: begun when the lab has the pod, ended with it.

It changes what is known of pods: one whose programs do not run is not ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from netlab.control_plane.api import Object
from netlab.control_plane.nodes.asking import ask_pod
from netlab.control_plane.nodes.balancers import SERVICE
from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.containers import Containers
from netlab.control_plane.nodes.hooks import POST_START, Hook, HookEnded, Hooks
from netlab.control_plane.nodes.objects import POD, PROGRAMS, Key, Known, has_to_end, is_alive, key_of
from netlab.control_plane.nodes.pod_programs import PodPrograms
from netlab.control_plane.nodes.pod_status import Programs
from netlab.errors import UsageError
from netlab.frozen import NamedTuple
from netlab.kernel.ask_port import Answer
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
    """The containers of a lab's pods. All calls but ``runs`` and ``since`` come from the thread that changes the lab.

    Args:
      lab: the lab.
      known: the objects of the API server.
      programs: starts programs.
      tell: called in another thread with a hook that has ended.
      event: creates an Event about a pod, with a reason, a message and a field of the pod.
    """

    def __init__(
        self,
        lab: Lab,
        known: Known,
        programs: PodPrograms,
        tell: Callable[[HookEnded], object],
        event: Callable[[Object, str, str, str], object],
    ) -> None:
        self._lab, self._known, self._programs, self._event = lab, known, programs, event
        self._hooks = Hooks(self._execute, self._ask, tell)
        self._states = Containers(self._start, self._start_hook, self._hook_failed)
        self._keys: dict[str, Key] = {}

    def expect(self, touched: Iterable[Object]) -> None:
        """Look at pods before the lab has them: those with programs are not ready, and deleted ones start none."""
        for pod in touched:
            uid = pod["metadata"]["uid"]
            if has_to_end(pod):
                if not self._known.is_cut_off(pod):
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
            self._hooks.forget(uid)
        for pod in touched:
            uid, key = pod["metadata"]["uid"], key_of(pod)
            if uid in self._states or not is_alive(pod) or "/".join(key) not in self._lab.cluster.by_ref:
                continue
            # The tokens of a pod that runs nothing are not needed, and may take long.
            if self._programs.any_in(pod):
                containers = self._containers(pod)
                self._keys[uid] = key
                before = {one["name"]: one for field in _STATUSES for one in pod.get("status", {}).get(field) or ()}
                grace = pod["spec"].get("terminationGracePeriodSeconds")
                self._states.begin(uid, containers, before, _GRACE if grace is None else float(grace))
                self._changed(uid)

    def take(self, ended: ProgramEnded) -> None:
        """Note that a program has ended."""
        if ended.uid in self._states:
            self._states.ended(*ended)
            self._changed(ended.uid)

    def take_hook(self, ended: HookEnded) -> None:
        """Note that a hook has ended."""
        self._hooks.drop(ended.number)
        if self._states.hooked(ended):
            self._changed(ended.uid)

    def turn(self) -> None:
        """Start again what waits and is due."""
        self._hooks.turn()
        for uid in self._states.turn():
            self._changed(uid)

    def kill(self, uid: str) -> None:
        """Kill the programs of a pod whose time is over."""
        self._states.kill(uid)

    def restart(self, failed: ProbeFailed) -> None:
        """Let a container start anew, as its probe says."""
        self._states.restart(failed.uid, failed.name)

    @property
    def with_hooks(self) -> Containers:
        """The containers, for ``Ending``."""
        return self._states

    def with_programs(self, uid: str) -> list[str]:
        """Return the containers of a pod that run programs."""
        return self._states.running(uid)

    def since(self, uid: str, container: str) -> float | None:
        """Return when a container was started that runs, None for another one; a pod without programs runs since 0."""
        return self._states.since(uid, container)

    @property
    def waiting(self) -> bool:
        """Whether a container waits for the time of its next start or end, or for a hook."""
        return self._states.waiting or self._hooks.waiting

    def programs(self, uid: str) -> Programs | None:
        """Return what the programs of a pod say of it, None for a pod without programs."""
        shown = self._states.shown(uid)
        if shown is None:
            return None
        return Programs(self._states.phase(uid), self._states.initialized(uid), shown)

    def runs(self, pod: Mapping[str, Any], container: str) -> bool:
        """Return whether a container runs or will run; one of a pod without programs does until the pod has ended."""
        uid = pod["metadata"]["uid"]
        now = self._known.find(POD, key_of(pod))
        if now is None or now["metadata"]["uid"] != uid or not (is_alive(now) or has_to_end(now)):
            return False
        shown = self._states.shown(uid)
        return shown is None or (container in shown and shown[container].state.kind != "terminated")

    def _changed(self, uid: str) -> None:
        key = self._keys[uid]
        self._known.hold(uid, key, PROGRAMS, on=not self._states.ready(uid))
        self._known.touch([key])

    def _is(self, uid: str) -> bool:
        pod = self._known.find(POD, self._keys[uid])
        return pod is not None and pod["metadata"]["uid"] == uid

    def _containers(
        self, pod: Mapping[str, Any], services: Iterable[Object] = (), only: str = ""
    ) -> Sequence[Container]:
        endpoint = self._lab.cluster.by_ref["/".join(key_of(pod))]
        node = self._lab.cluster.node(pod["spec"]["nodeName"])
        return self._programs.containers(
            pod, [str(one) for one in endpoint.addresses], [str(one) for one in node.addresses], services, only
        )

    def _pod(self, uid: str) -> Object:
        key = self._keys[uid]
        pod = self._known.find(POD, key)
        if pod is None or "/".join(key) not in self._lab.cluster.by_ref:
            raise UsageError(f"pod {'/'.join(key)} is gone")
        return pod

    def _start_hook(self, uid: str, name: str, hook: Hook, number: int, seconds: float) -> None:
        self._hooks.start(uid, name, hook, number, seconds)

    def _execute(self, uid: str, name: str, argv: Sequence[str], ended: Callable[[str], object]) -> Program:
        return self._programs.hook(self._lab, self._pod(uid), name, argv, ended)

    def _ask(self, uid: str, hook: Hook, seconds: float) -> Answer:
        return ask_pod(self._lab, self._keys.get(uid), hook.port, seconds, hook.question)

    def _hook_failed(self, uid: str, name: str, kind: str) -> None:
        pod = self._known.find(POD, self._keys[uid])
        if pod is not None:
            what = "PostStartHook" if kind == POST_START else "PreStopHook"
            # As a kubelet does, it says no more: the output of a command may be a secret.
            self._event(pod, f"Failed{what}", f"{what} failed", _field(pod, name))

    def _start(self, uid: str, container: Container) -> Program:
        ref = "/".join(self._keys[uid])
        pod = self._pod(uid)
        # Read anew: a ConfigMap may be there by now. The Services are those of this moment.
        now = next(iter(self._containers(pod, self._known.all(SERVICE), container.name)), container)
        return self._programs.start(self._lab, ref, uid, now)


def _field(pod: Mapping[str, Any], name: str) -> str:
    """Return the path of a container in its pod, as Events name it."""
    of = "containers" if any(one["name"] == name for one in pod["spec"]["containers"]) else "initContainers"
    return f"spec.{of}{{{name}}}"
