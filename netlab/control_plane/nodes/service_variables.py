"""The variables by which programs of a pod find Services, as a kubelet makes them.

Source: Kubernetes, Service, environment variables; the kubelet's getServiceEnvVarMap (pkg/kubelet/envvars).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

_API = ("default", "kubernetes")


def service_variables(services: Iterable[Mapping[str, Any]], namespace: str, *, links: bool) -> dict[str, str]:
    """Return the variables of a pod's programs.

    Args:
      services: Services of all namespaces.
      namespace: the pod's.
      links: whether the pod has those of its namespace too (``enableServiceLinks``), beside the API server's.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    for one in services:
        metadata = one["metadata"]
        of = metadata.get("namespace", "")
        if one["spec"].get("clusterIP") in (None, "", "None"):
            continue
        if links and of == namespace:
            chosen[metadata["name"]] = one
        elif (of, metadata["name"]) == _API:
            chosen.setdefault(metadata["name"], one)
    return {name: text for service in chosen.values() for name, text in _of_service(service)}


def _of_service(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    prefix, address = _name(service["metadata"]["name"]), service["spec"]["clusterIP"]
    ports = service["spec"].get("ports") or ()
    host = f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    yield f"{prefix}_SERVICE_HOST", address
    for number, one in enumerate(ports):
        port, protocol = str(one["port"]), one.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{host}:{port}"
        if number == 0:
            yield f"{prefix}_SERVICE_PORT", port
            yield f"{prefix}_PORT", url
        if one.get("name"):
            yield f"{prefix}_SERVICE_PORT_{_name(one['name'])}", port
        link = f"{prefix}_PORT_{port}_{protocol.upper()}"
        yield link, url
        yield f"{link}_PROTO", protocol.lower()
        yield f"{link}_PORT", port
        yield f"{link}_ADDR", address


def _name(text: str) -> str:
    return text.upper().replace("-", "_")
