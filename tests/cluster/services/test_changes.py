"""Which Services a change touches, and what the next cluster keeps."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from builders import meta, objects, pod, topology

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.cluster.services.changes import changed_services
from netlab.cluster.services.endpoints import endpoints
from netlab.objects.all_objects import Objects
from netlab.objects.services import EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort
from netlab.objects.types import Pod

PODS = [pod(f"x/{name}", f"app={name},of=x", ports=["http=80"]) for name in "abc"] + [pod("y/a", "app=a")]
SERVICES = [Service(meta(f"x/{name}"), {"app": name}, (ServicePort(80),)) for name in "abc"] + [
    Service(meta("x/all"), {"of": "x"}, (ServicePort(80),)),
    Service(meta("x/own"), {}, (ServicePort(80),)),
]
SLICE = EndpointSlice(meta("x/own-1"), 4, (SliceEndpoint((ip_address("192.0.2.1"),)),), (SlicePort(80),), "own")


def before() -> Objects:
    return objects(topology(["n1", "n2"]), *PODS, *SERVICES, slices=[SLICE])


def changed(old: Objects, kind: type, index: int, *new: Any) -> Objects:
    """Return objects with one replaced or removed."""
    of = list(old.found[kind])
    of[index : index + 1] = new
    return replace_found(old, kind, of)


def replace_found(old: Objects, kind: type, of: list[Any]) -> Objects:
    return Objects(found={**old.found, kind: tuple(of)})


def touched(new: Objects, old: Objects | None = None) -> set[str]:
    old = old or before()
    cluster = resolve(old)
    keep = {one.ref: Placement(one.node, one.addresses) for one in cluster.pods}
    services = {one.meta.key: one for one in cluster.services}
    after = resolve_change(cluster, old, new) or resolve(new, keep, services)
    # A full resolve makes all values anew.
    return changed_services(cluster, after)


def test_no_change_touches_none() -> None:
    """The same objects."""
    old = before()

    assert set() == touched(old, old)


@pytest.mark.parametrize(
    ("kind", "index", "new", "keys"),
    [
        (Pod, 0, [pod("x/a", "app=b,of=x", ports=["http=80"])], {"x/a", "x/b", "x/all"}),
        (Pod, 0, [pod("x/a", "app=a", ports=["http=80"])], {"x/a", "x/all"}),
        (Pod, 0, [], {"x/a", "x/all"}),
        (Pod, 3, [pod("y/a", "app=b")], set()),
        (Service, 0, [replace(SERVICES[0], ports=(ServicePort(81),))], {"x/a"}),
        (Service, 0, [], {"x/a"}),
        (Service, 4, [SERVICES[4], Service(meta("x/new"), {}, (ServicePort(80),))], {"x/new"}),
        (EndpointSlice, 0, [replace(SLICE, ports=(SlicePort(81),))], {"x/own"}),
        (EndpointSlice, 0, [], {"x/own"}),
    ],
)
def test_a_change_touches_the_services_that_it_is_about(kind: type, index: int, new: Any, keys: set[str]) -> None:
    """And no other."""
    old = before()

    assert keys == touched(changed(old, kind, index, *new), old)


def test_a_pod_whose_address_a_slice_states_touches_that_service() -> None:
    """The slice's endpoint gets another name."""
    base = resolve(before())
    stated = SliceEndpoint(base.by_ref["x/a"].addresses)
    old = replace_found(before(), EndpointSlice, [replace(SLICE, endpoints=(stated,))])

    assert {"x/a", "x/all", "x/own"} == touched(changed(old, Pod, 0), old)


def another(one: Any, random: Random) -> Any:
    """Return an object with other labels, selector, type or port."""
    app = random.choice("abc")
    if isinstance(one, Pod):
        return replace(one, meta=meta(one.meta.key, f"app={app}{random.choice(['', ',of=x'])}"))
    if isinstance(one, EndpointSlice):
        return replace(one, ports=(SlicePort(random.randrange(80, 83)),))
    kind = random.choice(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])
    return replace(one, selector={"app": app} if one.selector else {}, type=kind)


def test_random_changes_keep_what_is_right() -> None:
    """After each change, endpoints and allocations are those of a cluster that is resolved anew."""
    random = Random(7)  # noqa: S311
    old = before()
    cluster = resolve(old)
    for step in range(60):
        for one in cluster.services:
            for port in one.ports:
                endpoints(cluster, one, port, 4)
        kind = random.choice([Pod, Service, EndpointSlice])
        index = random.randrange(len(old.found[kind]))
        one = old.found[kind][index]
        fresh = another(one, random)
        new = changed(old, kind, index, fresh)
        keep = {p.ref: Placement(p.node, p.addresses) for p in cluster.pods}
        expected = resolve(new, keep, {one.meta.key: one for one in cluster.services})
        found = resolve_change(cluster, old, new)

        assert found == expected, step
        for one in found.services:
            for port in one.ports:
                assert endpoints(expected, stored(expected, one), port, 4) == endpoints(found, one, port, 4), step
        old, cluster = new, found


def stored(of: Cluster, service: Service) -> Service:
    return next(one for one in of.services if one.meta.key == service.meta.key)
