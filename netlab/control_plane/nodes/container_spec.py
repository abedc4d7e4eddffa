"""What a pod's containers run: the stand-in for agnhost, a program of this host, or nothing.

Source: core/v1 Container; Kubernetes, "Define Dependent Environment Variables", "Define a Command and Arguments".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from netlab.control_plane.nodes.hooks import POST_START, PRE_STOP, Hook, hook_of
from netlab.control_plane.nodes.runtime_process import AGNHOST
from netlab.control_plane.nodes.volumes import Config, Token, mounts_of, no_token, shared_volumes
from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.kernel.pod_volumes import Mount

RUN, HOST = "netlab/run", "host"
"""The annotation of a pod whose containers run programs of this host."""
NONE, ASKED, ALL = "none", "asked", "all"
"""Which pods may run programs of this host: no pod, those with the annotation, all."""
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
# Characters of one variable or argument, and of all of a container. An order to the process that forks has 512 KiB.
_MOST_VARIABLES, _MOST_OF_ALL = 64 << 10, 512 << 10
_TOO_LONG = "arguments and variables are too long"
_Text = TypeVar("_Text", str, "str | None")


@frozen
class Container:
    """A container of a pod.

    - ``argv``: its program and arguments; empty for one that only waits.
    - ``environment``: the variables of its program, and of programs that run beside it.
    - ``folder``: where its programs start.
    - ``mounts``: what it has besides the files of the host; ``volumes``: the volumes of its pod.
    - ``problem``: why it cannot start.
    - ``init``: it comes before the others: it is an init container, or a sidecar among them.
    - ``restarts``: ``Always``, ``OnFailure`` or ``Never``.
    - ``post_start``, ``pre_stop``: its hooks.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str = "/"
    init: bool = False
    restarts: str = "Always"
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[str, ...] = ()
    problem: str = ""
    post_start: Hook | None = None
    pre_stop: Hook | None = None

    @property
    def first(self) -> bool:
        """Whether the next container waits for its end."""
        return self.init and self.restarts != "Always"


def containers_of(
    pod: Mapping[str, Any],
    addresses: Sequence[str],
    node: Sequence[str],
    allowed: str,
    config: Config = lambda name: None,
    token: Token = no_token,
    services: Mapping[str, str] | None = None,
    only: str = "",
) -> list[Container]:
    """Return the init containers and then the containers of a pod.

    Args:
      pod: the Pod.
      addresses: the pod's.
      node: those of its node.
      allowed: which pods may run programs of this host.
      config: reads a ConfigMap of the pod's namespace.
      token: returns a token of the pod's service account.
      services: the variables of Services.
      only: the name of the one container to make; "" for all.
    """
    spec = pod["spec"]
    policy = spec.get("restartPolicy") or "Always"
    make = _Maker(pod, _fields(pod, addresses, node), config, token, services or {}, _may_run(pod, allowed))
    found = []
    for one in _named(spec.get("initContainers"), only):
        always = one.get("restartPolicy") == "Always"
        # Where a pod always restarts, its init containers end all the same.
        restarts = "Always" if always else "Never" if policy == "Never" else "OnFailure"
        found.append(make.container(one, init=True, restarts=restarts))
    found += [make.container(one, init=False, restarts=policy) for one in _named(spec.get("containers"), only)]
    return found


def _named(containers: Sequence[Mapping[str, Any]] | None, name: str) -> list[Mapping[str, Any]]:
    return [one for one in containers or () if not name or one["name"] == name]


def any_acts(pod: Mapping[str, Any], allowed: str) -> bool:
    """Return whether a container of a pod has a program or a hook; ``allowed``: which may run those of this host."""
    spec, may = pod["spec"], _may_run(pod, allowed)
    return any(_acts(one, may) for kind in ("initContainers", "containers") for one in spec.get(kind) or ())


def _acts(one: Mapping[str, Any], may_run: bool) -> bool:
    command = _command(one)
    runs = _runs(command, may_run)
    may = may_run or command[:1] == [AGNHOST]
    return runs or any(hook_of(one, kind, runs=may, has_program=runs) for kind in (POST_START, PRE_STOP))


def _may_run(pod: Mapping[str, Any], allowed: str) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    return allowed == ALL or (allowed == ASKED and annotations.get(RUN) == HOST)


def _runs(command: Sequence[str], may_run: bool) -> bool:
    return bool(command) and (may_run or command[0] == AGNHOST)


class _Maker:
    """Makes the containers of a pod."""

    def __init__(
        self,
        pod: Mapping[str, Any],
        fields: Mapping[str, str],
        config: Config,
        token: Token,
        services: Mapping[str, str],
        may_run: bool,
    ) -> None:
        self._pod, self._fields, self._config, self._token = pod, fields, config, token
        self._services, self._may_run = services, may_run

    def container(self, one: Mapping[str, Any], *, init: bool, restarts: str) -> Container:
        """Return a container; what is wrong with it is a problem of its start."""
        environment: dict[str, str] = {}
        mounts: tuple[Mount, ...] = ()
        problem = ""
        command = _command(one)
        may_run = self._may_run or command[:1] == [AGNHOST]
        runs = _runs(command, self._may_run)
        argv = tuple(command) if runs else ()
        try:
            environment = self._environment(one)
            mounts = mounts_of(self._pod, one, self._fields, self._config, self._token, runs=runs)
            argv = tuple(_bounded(_expanded(word, environment) for word in argv))
        except UsageError as error:
            problem = str(error)
        folder, volumes = one.get("workingDir") or "/", shared_volumes(self._pod)
        after, before = (hook_of(one, kind, runs=may_run, has_program=runs) for kind in (POST_START, PRE_STOP))
        return Container(
            one["name"], argv, environment, folder, init, restarts, mounts, volumes, problem, after, before
        )

    def _environment(self, one: Mapping[str, Any]) -> dict[str, str]:
        found = dict(self._services)
        for source in one.get("envFrom") or ():
            reference = source.get("configMapRef") or source.get("secretRef") or {}
            prefix = source.get("prefix") or ""
            found |= {prefix + key: text for key, text in self._data(reference, secret="secretRef" in source).items()}
        variables = one.get("env") or ()
        for variable, value in zip(variables, _bounded(self._value(each, found) for each in variables), strict=True):
            if value is not None:
                found[variable["name"]] = value
        return found

    def _value(self, variable: Mapping[str, Any], before: Mapping[str, str]) -> str | None:
        source = variable.get("valueFrom")
        if not source:
            return _expanded(variable.get("value") or "", before)
        if field := source.get("fieldRef"):
            return self._fields.get(field.get("fieldPath") or "", "")
        reference = source.get("configMapKeyRef") or source.get("secretKeyRef")
        if reference is None:
            raise UsageError(f"variable {variable['name']}: netlab does not read {next(iter(source))}")
        value = self._data(reference, secret="secretKeyRef" in source).get(reference["key"])
        if value is None and not reference.get("optional"):
            raise UsageError(f"variable {variable['name']}: {reference.get('name')} has no key {reference['key']}")
        return value

    def _data(self, reference: Mapping[str, Any], *, secret: bool) -> Mapping[str, str]:
        name = reference.get("name") or ""
        one = None if secret else self._config(name)
        if one is None and not reference.get("optional"):
            raise UsageError("netlab keeps no Secrets" if secret else f'configmap "{name}" not found')
        return dict((one or {}).get("data") or {})


def _command(one: Mapping[str, Any]) -> Sequence[str]:
    """Return a container's command, [] where only its image knows it."""
    command, arguments = one.get("command") or [], one.get("args") or []
    if command:
        return [*command, *arguments]
    return [AGNHOST, *(arguments or ["pause"])] if is_agnhost(one.get("image") or "") else []


def is_agnhost(image: str) -> bool:
    """Return whether an image is agnhost, of any registry and version."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0] == "agnhost"


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by a variable; an unknown one stays, and ``$$`` is one ``$``.

    Raises:
      UsageError: for more than a program can have; references to references grow without end.
    """
    found, size, at = [], 0, 0
    for match in _REFERENCE.finditer(text):
        value = "$" if match[1] is None else variables.get(match[1], match[0])
        found += [text[at : match.start()], value]
        size += match.start() - at + len(value)
        if size > _MOST_VARIABLES:
            raise UsageError(_TOO_LONG)
        at = match.end()
    return "".join([*found, text[at:]])


def _bounded(texts: Iterable[_Text]) -> Iterator[_Text]:
    """Yield texts; raise UsageError where they are more than a program can have."""
    size = 0
    for text in texts:
        size += len(text or "")
        if size > _MOST_OF_ALL:
            raise UsageError(_TOO_LONG)
        yield text


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
