"""The volumes of containers: emptyDir, ConfigMaps, fields of the pod, and tokens of service accounts.

netlab keeps nothing of a Secret, and has no storage: a container with such a volume does not start. The volume of a
service account, which the API server adds to every pod, has a token, the certificate of the API server's authority and
the namespace. Containers without a program have it too, for ``kubectl exec``. A container has the files of its start;
later changes of a ConfigMap are not read, and a token is not renewed.

Source: core/v1 Volume.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from netlab.errors import UsageError
from netlab.kernel.pod_volumes import Mount

Config = Callable[[str], Mapping[str, Any] | None]
"""Returns a ConfigMap of the pod's namespace by its name, None where there is none."""
Token = Callable[[Mapping[str, Any]], str]
"""Returns a token of the pod's service account, for a source of the kind ``serviceAccountToken``; raises UsageError."""
_MOST = 256 << 10
_OF_ACCOUNTS = "serviceAccountToken"
# Each token is a request to the API server, for which all pods of the lab wait.
_MOST_TOKENS = 32


def shared_volumes(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the volumes that the containers of a pod have in common."""
    return tuple(one["name"] for one in pod["spec"].get("volumes") or () if "emptyDir" in one)


def no_token(source: Mapping[str, Any]) -> str:
    """Raise UsageError, as for a pod that has no service account."""
    raise UsageError("netlab has no token for this pod")


def mounts_of(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    fields: Mapping[str, str],
    config: Config,
    token: Token = no_token,
    *,
    runs: bool = True,
) -> tuple[Mount, ...]:
    """Return the mounts of a container; of one that runs nothing, those of its service account only.

    Raises:
      UsageError: for a mount that it cannot have.
    """
    volumes = {one["name"]: one for one in pod["spec"].get("volumes") or ()}
    found = []
    for one in container.get("volumeMounts") or ():
        volume = volumes.get(one["name"]) or {}
        path = one["mountPath"]
        if not runs and not _is_account(volume):
            continue
        if _is_account(volume) and _tokens(volumes.values()) > _MOST_TOKENS:
            raise UsageError(f"the pod has more than {_MOST_TOKENS} tokens of service accounts")
        if not path.startswith("/"):
            raise UsageError(f"mountPath {path}: netlab mounts at absolute paths only")
        if "emptyDir" in volume:
            if one.get("subPath") or one.get("subPathExpr"):
                raise UsageError(f"volume {one['name']}: netlab has no subPath of an emptyDir")
            found.append(Mount(path, one["name"]))
        else:
            found += _files(one, _read(volume, fields, config, token))
    return tuple(found)


def _is_account(volume: Mapping[str, Any]) -> bool:
    return _tokens([volume]) > 0


def _tokens(volumes: Iterable[Mapping[str, Any]]) -> int:
    sources = (one for volume in volumes for one in (volume.get("projected") or {}).get("sources") or ())
    return sum(_OF_ACCOUNTS in one for one in sources)


def _files(mount: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[Mount]:
    """Yield what a container has of a volume of files: all of it, or with ``subPath`` one folder."""
    part = mount.get("subPath") or ""
    if not part:
        yield Mount(mount["mountPath"], "", files)
    elif part in files:
        yield Mount(mount["mountPath"], "", {"": files[part]})
    else:
        below = {name.removeprefix(f"{part}/"): text for name, text in files.items() if name.startswith(f"{part}/")}
        yield Mount(mount["mountPath"], "", below)


def _read(volume: Mapping[str, Any], fields: Mapping[str, str], config: Config, token: Token) -> dict[str, str]:
    """Return the files of a volume by their paths."""
    found: dict[str, str] = {}
    for source in (volume.get("projected") or {}).get("sources") or [volume]:
        if "configMap" in source:
            found |= _config_files(source["configMap"], config)
        elif "downwardAPI" in source:
            found |= dict(_field_files(source["downwardAPI"].get("items") or (), fields))
        elif _OF_ACCOUNTS in source:
            found[source[_OF_ACCOUNTS].get("path") or "token"] = token(source[_OF_ACCOUNTS])
        else:
            kind = next((name for name in source if name != "name"), "none")
            why = "netlab keeps no Secrets" if kind == "secret" else f"netlab has no volumes of the kind {kind}"
            raise UsageError(f"volume {volume.get('name', '')}: {why}")
    if sum(map(len, found.values())) > _MOST:
        raise UsageError(f"volume {volume.get('name', '')} has more than {_MOST >> 10} KiB")
    for path in found:
        if path.startswith("/") or ".." in path.split("/"):
            raise UsageError(f"volume {volume.get('name', '')}: {path} is no path of a file")
    return found


def _config_files(source: Mapping[str, Any], config: Config) -> dict[str, str]:
    name = source.get("name") or ""
    one = config(name)
    if one is None:
        if source.get("optional"):
            return {}
        raise UsageError(f'configmap "{name}" not found')
    data = dict(one.get("data") or {}) | {key: _text(value) for key, value in (one.get("binaryData") or {}).items()}
    items: Sequence[Mapping[str, str]] | None = source.get("items")
    if not items:
        return data
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise UsageError(f'configmap "{name}" has no key {missing[0]}')
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _text(value: str) -> str:
    try:
        return base64.b64decode(value).decode(errors="surrogateescape")
    except binascii.Error:
        return ""


def _field_files(items: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for item in items:
        path = (item.get("fieldRef") or {}).get("fieldPath")
        if path is None:
            raise UsageError("netlab has no fields of resources")
        if path in ("metadata.labels", "metadata.annotations"):
            lines = (
                f'{key.removeprefix(f"{path}[").strip("[]")[1:-1]}="{value}"'
                for key, value in sorted(fields.items())
                if key.startswith(f"{path}[")
            )
            yield item["path"], "\n".join(lines)
        else:
            yield item["path"], fields.get(path, "")
