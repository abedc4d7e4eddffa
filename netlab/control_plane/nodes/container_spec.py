"""What a pod's containers run: the stand-in for agnhost, a program of this host, or nothing.

Source: core/v1 Container; Kubernetes, "Define Dependent Environment Variables", "Define a Command and Arguments".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netlab.control_plane.nodes.runtime_process import AGNHOST
from netlab.frozen import frozen

RUN, HOST = "netlab/run", "host"
"""The annotation of a pod whose containers run programs of this host."""
NONE, ASKED, ALL = "none", "asked", "all"
"""Which pods may run programs of this host: no pod, those with the annotation, all."""
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_MOST_VARIABLES = 64 << 10


@frozen
class Container:
    """A container of a pod.

    - ``argv``: its program and arguments; empty for one that only waits.
    - ``environment``: the variables of its program, and of programs that run beside it.
    - ``folder``: where its programs start.
    - ``init``: it comes before the others: it is an init container, or a sidecar among them.
    - ``restarts``: ``Always``, ``OnFailure`` or ``Never``.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str = "/"
    init: bool = False
    restarts: str = "Always"

    @property
    def first(self) -> bool:
        """Whether the next container waits for its end."""
        return self.init and self.restarts != "Always"


def containers_of(
    pod: Mapping[str, Any], addresses: Sequence[str], node: Sequence[str], allowed: str
) -> list[Container]:
    """Return the init containers and then the containers of a pod.

    Args:
      pod: the Pod.
      addresses: the pod's.
      node: those of its node.
      allowed: which pods may run programs of this host.
    """
    spec = pod["spec"]
    annotations = pod["metadata"].get("annotations") or {}
    runs = allowed == ALL or (allowed == ASKED and annotations.get(RUN) == HOST)
    policy = spec.get("restartPolicy") or "Always"
    fields = _fields(pod, addresses, node)
    found = []
    for one in spec.get("initContainers") or ():
        always = one.get("restartPolicy") == "Always"
        # Where a pod always restarts, its init containers end all the same.
        restarts = "Always" if always else "Never" if policy == "Never" else "OnFailure"
        found.append(_container(one, fields, runs, init=True, restarts=restarts))
    found += [_container(one, fields, runs, init=False, restarts=policy) for one in spec.get("containers") or ()]
    return found


def _container(
    one: Mapping[str, Any], fields: Mapping[str, str], runs: bool, *, init: bool, restarts: str
) -> Container:
    environment = dict(_environment(one.get("env") or (), fields))
    argv = tuple(_expanded(word, environment) for word in _command(one))
    if argv and not (runs or argv[0] == AGNHOST):
        argv = ()
    return Container(one["name"], argv, environment, one.get("workingDir") or "/", init, restarts)


def _command(one: Mapping[str, Any]) -> Sequence[str]:
    """Return a container's command, [] where only its image knows it."""
    command, arguments = one.get("command") or [], one.get("args") or []
    if command:
        return [*command, *arguments]
    return [AGNHOST, *(arguments or ["pause"])] if is_agnhost(one.get("image") or "") else []


def is_agnhost(image: str) -> bool:
    """Return whether an image is agnhost, of any registry and version."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0] == "agnhost"


def _environment(written: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    for one in written:
        source = (one.get("valueFrom") or {}).get("fieldRef")
        if source is not None:
            found[one["name"]] = fields.get(source.get("fieldPath") or "", "")
        elif "valueFrom" not in one:
            found[one["name"]] = _expanded(one.get("value") or "", found)
    return iter(found.items())


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by a variable; an unknown one stays, and ``$$`` is one ``$``."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else variables.get(match[1], match[0])

    return _REFERENCE.sub(value, text)[:_MOST_VARIABLES]


def _fields(pod: Mapping[str, Any], addresses: Sequence[str], node: Sequence[str]) -> dict[str, str]:
    """Return the fields of a pod that variables may name, by their paths."""
    metadata, spec = pod["metadata"], pod["spec"]
    found = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": next(iter(addresses), ""),
        "status.podIPs": ",".join(addresses),
        "status.hostIP": next(iter(node), ""),
        "status.hostIPs": ",".join(node),
    }
    for kind in ("labels", "annotations"):
        found |= {f"metadata.{kind}['{key}']": value for key, value in (metadata.get(kind) or {}).items()}
    return found
