"""Which rule of which Ingress answers a request, and which Ingresses get warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from builders import meta, pod
from ingresses import FURTHER, OFFICIAL, Case, cluster, ingress, ingress_class, service

from netlab.cluster import Cluster
from netlab.objects.ingresses import TlsSecret
from netlab.objects.services import Service, ServicePort
from netlab.programs.ingress_routes import Route, plain_path, route
from netlab.programs.ingress_rules import rules, warnings

SERVICES = [service(f"shop/{name}") for name in "abcd"]
PODS = [pod(f"shop/{name}-0", f"app={name}") for name in "abcd"]


def _lab(*things: object, services: Sequence[Service] = SERVICES) -> Cluster:
    return cluster(*PODS, *services, *things)


def _service(found: Route) -> str:
    """Return the name of the Service that answers, or the status of nginx."""
    if found.status or found.location is None or found.location.backend.service is None:
        return str(found.status)
    return found.location.backend.service.meta.name


def _remarks(lab: Cluster) -> list[tuple[str, str]]:
    return [(one.rule, one.message) for one in rules(lab).remarks]


@pytest.mark.parametrize("case", [*OFFICIAL, *FURTHER], ids=str)
def test_a_path_is_matched_as_the_documentation_says(case: Case) -> None:
    """The default backend answers a path that no rule matches."""
    lab = _lab(ingress("shop/i", [("shop.example", case.paths)], default="d:80"))

    assert (case.answers or "d") == _service(route(lab, "shop.example", case.request))


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("foo.bar.com", "a"),
        ("FOO.bar.com:8080", "a"),
        ("foo.bar.com.", "a"),
        ("bar.foo.com", "b"),
        ("baz.bar.foo.com", "c"),
        ("foo.com", "c"),
        (".foo.com", "c"),
        ("", "c"),
        ("[fd00::1]:80", "c"),
        ("exact.foo.com", "d"),
    ],
)
def test_an_exact_host_counts_before_a_wildcard_and_that_before_no_host(host: str, answers: str) -> None:
    """A wildcard is for one label."""
    hosts = [
        ("*.foo.com", ["^/ b:80"]),
        ("foo.bar.com", ["^/ a:80"]),
        ("", ["^/ c:80"]),
        ("Exact.foo.com", ["^/ d:80"]),
    ]

    assert answers == _service(route(_lab(ingress("shop/i", hosts)), host, "/"))


def test_the_host_is_chosen_before_the_path() -> None:
    """As in ingress-nginx, rules for all hosts do not count for a host that has rules."""
    lab = _lab(ingress("shop/i", [("x.example", ["^/x a:80"]), ("", ["^/ b:80"])]))

    assert ("404", "b") == (_service(route(lab, "x.example", "/y")), _service(route(lab, "y.example", "/y")))


def test_ingresses_of_one_host_are_merged_and_the_first_one_wins_a_conflict() -> None:
    """It is the first of the input. The other one gets a warning."""
    first = ingress("shop/a", [("x.example", ["^/ a:80", "=/only b:80"])])
    second = ingress("shop/b", [("x.example", ["^/ c:80", "^/more d:80"])], line=9)
    lab = _lab(first, second)

    assert ["a", "b", "d"] == [_service(route(lab, "x.example", path)) for path in ("/", "/only", "/more")]
    ((rule, message),) = _remarks(lab)
    assert rule == "ingress-conflict"
    assert "Ingress shop/a (test.yaml:1) has Prefix / of host x.example already" in message


@pytest.mark.parametrize(
    ("of_class", "classes", "why"),
    [
        ("", [], ""),
        ("nginx", [], ""),
        ("other", [], "there is no IngressClass 'other'"),
        ("mine", [ingress_class("mine")], ""),
        ("edge", [ingress_class("edge", "example.com/edge")], "controller example.com/edge"),
        ("nginx", [ingress_class("nginx", "example.com/edge")], "controller example.com/edge"),
        ("nginx", [ingress_class("mine")], "there is no IngressClass 'nginx'"),
        ("", [ingress_class("edge", "example.com/edge", default=True)], "controller example.com/edge"),
        ("", [ingress_class("mine", default=True)], ""),
        ("", [ingress_class("mine")], "it names no class, and no IngressClass is the default"),
    ],
)
def test_an_ingress_of_an_unknown_class_is_not_served(of_class, classes, why) -> None:
    """The lab's nginx serves the class nginx, and each class of the controller k8s.io/ingress-nginx."""
    lab = _lab(ingress("shop/i", default="a:80", of_class=of_class), *classes)
    read = rules(lab)

    assert ("404" if why else "a") == _service(route(lab, "any", "/"))
    assert [why != ""] * len(read.unserved) == [why in text for _, text in read.unserved]
    assert bool(why) == bool(read.unserved)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("api:80", "there is no Service shop/api"),
        ("a:81", "Service shop/a has no TCP port 81; it has 80 (http)"),
        ("a:grpc", "Service shop/a has no TCP port grpc; it has 80 (http)"),
        (":", "its backend is a resource, which netlab does not serve"),
        ("outside:80", "Service shop/outside is an ExternalName, which has no endpoints"),
    ],
)
def test_a_missing_backend_is_503_with_a_warning(to: str, reason: str) -> None:
    """The warning is at the backend."""
    outside = Service(meta("shop/outside"), {}, (ServicePort(80),), type="ExternalName", external_name="x.example")
    lab = _lab(ingress("shop/i", [("x.example", [f"^/ {to}"])]), services=[*SERVICES, outside])
    found = route(lab, "x.example", "/")

    assert (503, reason) == (found.status, found.reason)
    assert [("ingress-backend", f"nginx answers 503: {reason}")] == _remarks(lab)
    assert "spec.rules[0].http.paths[0].backend" == rules(lab).remarks[0].path


def test_a_service_without_ready_endpoints_is_503() -> None:
    """It gets no warning, as its pods may come later."""
    lab = _lab(ingress("shop/i", default="none:80"), services=[service("shop/none")])
    found = route(lab, "x.example", "/")

    assert (503, "Service shop/none port 80 has no ready endpoint") == (found.status, found.reason)


def test_a_port_is_found_by_its_name() -> None:
    """The name is that of the Service's port, not of the pod's."""

    assert "a" == _service(route(_lab(ingress("shop/i", default="a:http")), "any", "/"))


def test_the_default_backend_of_an_ingress_is_for_its_hosts_first() -> None:
    """For all other hosts, that of an Ingress without rules counts first."""
    lab = _lab(
        ingress("shop/a", [("a.example", ["^/a a:80"])], default="b:80"),
        ingress("shop/z", default="c:80"),
    )

    assert ["a", "b", "c"] == [
        _service(route(lab, host, path)) for host, path in (("a.example", "/a"), ("a.example", "/"), ("other", "/"))
    ]


def test_tls_needs_a_certificate_for_the_host() -> None:
    """An item of spec.tls is for the hosts that it lists; without a list, for all hosts of its Ingress."""
    secret = TlsSecret(meta("shop/cert"), "certificate", "key")
    hosts = [(host, ["^/ a:80"]) for host in ("a.example", "b.example", "x.c.example", "d.example")]
    lab = _lab(
        ingress("shop/i", hosts, tls=[(["a.example", "*.c.example"], "cert"), (["d.example"], "none")]),
        ingress("shop/z", [("z.example", ["^/ a:80"])], tls=[((), "cert")]),
        secret,
    )
    got = [_service(route(lab, host, "/", tls=True)) for host, _ in (*hosts, ("z.example", ()), ("other", ()))]

    assert ["a", "421", "a", "421", "a", "421"] == got
    assert [("ingress-tls", "no TLS for host d.example: there is no Secret shop/none of type kubernetes.io/tls")] == (
        _remarks(lab)
    )


@pytest.mark.parametrize(
    ("certificate", "key", "what"),
    [("", "", "tls.crt and tls.key are empty"), ("c", "", "tls.key is empty"), ("", "k", "tls.crt is empty")],
)
def test_a_secret_that_is_empty(certificate: str, key: str, what: str) -> None:
    """The message says what of it is empty."""
    secret = TlsSecret(meta("shop/cert"), certificate, key)
    lab = _lab(ingress("shop/i", [("a.example", ["^/ a:80"])], tls=[(["a.example"], "cert")]), secret)

    assert "421" == _service(route(lab, "a.example", "/", tls=True))
    assert [("ingress-tls", f"no TLS for host a.example: in Secret shop/cert, {what}")] == _remarks(lab)


@pytest.mark.parametrize("host", ["a;b.example", "a.example\n", "{x}", "$host", "*.*.x", "a b", 'a"b', "*", "~^.*$"])
def test_a_host_that_is_no_dns_name_is_not_served(host: str) -> None:
    """It is not in nginx's configuration."""
    lab = _lab(ingress("shop/i", [(host, ["^/ a:80"])]))

    assert [""] == [server.host for server in rules(lab).servers]
    assert ["ingress-host"] == [rule for rule, _ in _remarks(lab)]


@pytest.mark.parametrize("path", ["/a\nb", "/a%0ab", "/a\x00", "no-slash", f"/{'x' * 1024}", "/%00"])
def test_a_path_that_nginx_cannot_have_is_not_served(path: str) -> None:
    """It has control characters, no slash at its start, or more than 1024 bytes."""
    lab = _lab(ingress("shop/i", [("x.example", [f"~{path} a:80"])]))

    assert () == rules(lab).server("x.example").locations
    assert ["ingress-path"] == [rule for rule, _ in _remarks(lab)]


def test_a_regular_expression_is_read_as_a_path() -> None:
    """ImplementationSpecific is read as Prefix; ingress-nginx may read it as a regular expression."""
    lab = _lab(ingress("shop/i", [("x.example", ["~/api(/|$)(.*) a:80"])]))

    assert ["ingress-path"] == [rule for rule, _ in _remarks(lab)]
    assert "404" == _service(route(lab, "x.example", "/api/x"))


@pytest.mark.parametrize(
    ("path", "plain"),
    [("/a/..", "/"), ("/..", None), ("a", None), ("/a/.", "/a/"), ("/a%2Fb", "/a/b"), ("//", "//"), ("/%00", None)],
)
def test_a_path_is_compared_as_nginx_does(path: str, plain: str | None) -> None:
    """It decodes escapes, then resolves dots."""

    assert plain == plain_path(path)


def test_annotations_that_nginx_would_read_are_a_warning() -> None:
    """One for each Ingress, beside the remarks about its rules; other annotations are none."""
    prefix = "nginx.ingress.kubernetes.io/"
    read = ingress("shop/read", [("a.example", ["^/ a:80"])])
    annotations = {f"{prefix}rewrite-target": "/", f"{prefix}auth-url": "x", "own": "y"}
    rules_of = ingress("shop/i", [("b.example", ["^/ nowhere:80"])])
    unread = replace(rules_of, meta=replace(meta("shop/i"), annotations=annotations))
    found = [(one.rule, one.object, one.message.partition(";")[0]) for one in warnings(_lab(read, unread))]

    assert ("ingress-annotation", "Ingress shop/i", f"netlab does not read {prefix}auth-url and 1 more") in found
    assert 1 == sum(rule == "ingress-annotation" for rule, *_ in found)
    assert any(rule != "ingress-annotation" and name == "Ingress shop/i" for rule, name, _ in found)
    assert [] == warnings(_lab())
