"""Runs the plugins of one network on one node, in the order that the CNI specification says.

Source: SPEC.md 1.1.0, section 3. ADD and CHECK run the plugins in order, DEL in reverse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from netlab.cni.conflist import Conflist, has_check, has_gc, select
from netlab.cni.types import CniError, Code, Json, Result
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel.machine import Machine
from netlab.objects.types import Prefix

SECONDS = 30.0
"""The time that a plugin has."""

_NOT_SUPPORTED = "operation not supported"
_LONGEST = 300


@frozen
class Container:
    """What the plugins get about a pod: its container ID, its reference, its namespace, and capability arguments."""

    ident: str
    ref: str
    netns: str
    capabilities: Mapping[str, Any]

    def variables(self, machine: Machine) -> dict[str, str]:
        """Return the environment that names the pod."""
        space, _, name = self.ref.partition("/")
        arguments = ("IgnoreUnknown=1", f"K8S_POD_NAMESPACE={space}", f"K8S_POD_NAME={name}")
        found = {
            "CNI_CONTAINERID": self.ident,
            "CNI_IFNAME": names.POD_DEVICE,
            "CNI_ARGS": ";".join((*arguments, f"K8S_POD_INFRA_CONTAINER_ID={self.ident}")),
        }
        return {**found, "CNI_NETNS": str(machine.path(self.netns))} if machine.exists(self.netns) else found


class PluginRunner:
    """The plugins of a list on a node.

    ``space`` is the node's namespace, ``state`` the folder of the plugins' state, ``ranges`` are those of its pods.
    """

    def __init__(
        self, machine: Machine, conflist: Conflist, version: str, space: str, state: Path, ranges: Sequence[Prefix]
    ) -> None:
        self._machine, self._conflist, self.version = machine, conflist, version
        self._space, self._state, self._ranges = space, state, ranges

    def add(self, pod: Container, addresses: Sequence[str] = ()) -> Result:
        """Attach a pod; return the last plugin's result. ``addresses`` are those that the pod should have.

        Raises:
          HostError: for the first plugin that fails. The caller detaches the pod.
        """
        result: Result | None = None
        for index, one in enumerate(self._conflist.plugins):
            config = self._config(index, pod, result, addresses)
            output = self._run(one["type"], "ADD", pod, config)
            try:
                result = Result.read(json.loads(output))
            except (ValueError, RecursionError) as error:
                raise HostError(f"CNI plugin {one['type']}: the result of ADD for pod {pod.ref}: {error}") from error
        if result is None:
            raise HostError(f"CNI network {self._conflist.name} has no plugin")
        return result

    def check(self, pod: Container, result: Result, without: Sequence[str] = ()) -> dict[str, str]:
        """Return, by plugin, what CHECK finds wrong; older versions have no CHECK. ``without``: plugins left out.

        The MACs of interfaces on the node are not compared. A bridge without an address of its own has the lowest MAC
        of its ports (net/bridge/br_stp_if.c), so it has another one when more pods are attached.
        """
        found: dict[str, str] = {}
        interfaces = tuple(one if one.sandbox else replace(one, mac="") for one in result.interfaces)
        result = replace(result, interfaces=interfaces)
        if has_check(self.version) and self._conflist.checks:
            for index, one in enumerate(self._conflist.plugins):
                if one["type"] not in without:
                    try:
                        self._run(one["type"], "CHECK", pod, self._config(index, pod, result))
                    except HostError as error:
                        found.setdefault(one["type"], str(error))
        return found

    def delete(self, pod: Container, result: Result | None) -> list[str]:
        """Detach a pod, by every plugin; return what failed."""
        failed = []
        for index, one in reversed([*enumerate(self._conflist.plugins)]):
            try:
                self._run(one["type"], "DEL", pod, self._config(index, pod, result))
            except HostError as error:
                failed.append(str(error))
        return failed

    def collect(self, valid: Sequence[Container]) -> list[str]:
        """Let the plugins remove what belongs to no attachment of ``valid``; return what failed."""
        failed: list[str] = []
        if not has_gc(self.version) or not self._conflist.collects:
            return failed
        pairs = [(one.ident, names.POD_DEVICE) for one in valid]
        for index, one in enumerate(self._conflist.plugins):
            config = self._conflist.request(index, self.version, ranges=self._ranges, valid=pairs)
            try:
                self._run(one["type"], "GC", None, config)
            except HostError as error:
                failed.append(str(error))
        return failed

    def ask_status(self) -> None:
        """Raise HostError where a plugin says that it cannot attach pods; older versions cannot say it."""
        if has_gc(self.version):
            for index, one in enumerate(self._conflist.plugins):
                self._run(one["type"], "STATUS", None, self._config(index, None, None))

    def _config(self, index: int, pod: Container | None, result: Result | None, addresses: Sequence[str] = ()) -> Json:
        offered = pod.capabilities if pod is not None else {}
        return self._conflist.request(
            index, self.version, ranges=self._ranges, capabilities=offered, result=result, addresses=addresses
        )

    def _run(self, kind: str, command: str, pod: Container | None, config: Json) -> str:
        # The node may be gone while its pods are detached: then the plugins release what they keep in files.
        space = self._space if self._machine.exists(self._space) else ""
        variables = {"CNI_COMMAND": command, **(pod.variables(self._machine) if pod is not None else {})}
        return run(self._machine, space, kind, variables, config, self._state, pod.ref if pod is not None else "")


def run(
    machine: Machine, space: str, kind: str, variables: Mapping[str, str], config: Json, state: Path | None, ref: str
) -> str:
    """Run one plugin and return its output; raises HostError with the plugin's error in one line."""
    what = f"CNI plugin {kind}: {variables['CNI_COMMAND']}" + (f" of pod {ref}" if ref else "")
    found = machine.plugin(space, kind, variables, json.dumps(config).encode(), state, SECONDS)
    if found.status is None:
        raise HostError(f"{what}: it did not end in {SECONDS:g} seconds and was killed")
    if found.status == 0:
        return found.stdout
    error = _error(found.stdout)
    if error is None:
        said = (found.stderr or found.stdout).strip().split("\n")[0][:_LONGEST]
        raise HostError(f"{what}: it ended with status {found.status}" + (f": {said}" if said else ""))
    raise PluginError(what, kind, error)


class PluginError(HostError):
    """A plugin reported an error; ``code`` is its CNI error code."""

    def __init__(self, what: str, kind: str, error: CniError) -> None:
        self.code = error.code
        text = " ".join(str(error).split())[:_LONGEST]
        lacks = _NOT_SUPPORTED in text
        hint = f"this kernel may lack the module {kind}: sudo modprobe {kind}" if lacks else ""
        super().__init__(f"{what}: {text} (CNI error {error.code})", hint)


def _error(output: str) -> CniError | None:
    try:
        return CniError.read(json.loads(output))
    except (ValueError, RecursionError):
        return None


def version_of(machine: Machine, conflist: Conflist) -> str:
    """Return the version to speak with the plugins of a list; raises HostError where one is missing."""
    for kind in conflist.programs:
        machine.find_plugin(kind)
    if len(conflist.versions) == 1:
        return conflist.versions[0]
    supported = [_supported(machine, one["type"], conflist.versions[-1]) for one in conflist.plugins]
    return select(conflist.versions, supported)


def _supported(machine: Machine, kind: str, version: str) -> tuple[str, ...]:
    """Return the versions that a plugin says to support; one that does not know the question supports the first."""
    try:
        data = json.loads(run(machine, "", kind, {"CNI_COMMAND": "VERSION"}, {"cniVersion": version}, None, ""))
        return tuple(str(one) for one in data["supportedVersions"])
    except PluginError as error:
        if error.code == Code.INVALID_ENVIRONMENT:
            return ("0.1.0",)
        raise
    except (ValueError, LookupError, TypeError) as error:
        raise HostError(f"CNI plugin {kind}: VERSION: it printed no versions") from error
