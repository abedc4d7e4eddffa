"""Which kinds an API server serves, from its answers to discovery.

Source: aggregated discovery (apidiscovery.k8s.io), and APIVersions, APIGroupList and APIResourceList of older servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.sources.cluster_kinds import Resource


def versions(value: dict[str, Any]) -> Iterator[str]:
    """Yield the versions of an APIVersions or an APIGroupList, the preferred one of a group first."""
    own = value.get("versions")
    yield from (one for one in (own if isinstance(own, list) else ()) if isinstance(one, str))
    for group in dicts(value.get("groups")):
        every = [_dict(group.get("preferredVersion")), *dicts(group.get("versions"))]
        names = (one.get("groupVersion") for one in every)
        yield from dict.fromkeys(name for name in names if isinstance(name, str))


def aggregated(value: dict[str, Any]) -> Iterator[Resource]:
    """Yield the kinds of an APIGroupDiscoveryList."""
    for group in dicts(value.get("items")):
        name = _dict(group.get("metadata")).get("name") or ""
        for version in dicts(group.get("versions")):
            full = f"{name}/{version.get('version')}" if name else str(version.get("version"))
            for one in dicts(version.get("resources")):
                kind = _dict(one.get("responseKind")).get("kind")
                yield from resource(full, kind, one.get("resource"), one.get("scope") == "Namespaced", one.get("verbs"))


def resource(version: str, kind: object, plural: object, namespaced: object, verbs: object) -> Iterator[Resource]:
    """Yield a kind that the server states; the parts of a path come from it, so only words are taken."""
    if not (isinstance(kind, str) and isinstance(plural, str) and _is_word(plural) and kind):
        return
    if all(map(_is_word, version.split("/"))) and version.count("/") <= 1:
        listed = frozenset(map(str, verbs)) if isinstance(verbs, list) else frozenset()
        yield Resource(version, kind, plural, bool(namespaced), listed)


def _is_word(text: str) -> bool:
    # A subresource has a slash: pods/log.
    return text.isascii() and text.replace("-", "").replace(".", "").isalnum()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dicts(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; none if it is no list."""
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())
