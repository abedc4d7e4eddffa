"""The cases of kubernetes-sigs/ingress-controller-conformance, and the documentation's table, with nginx and curl."""

from __future__ import annotations

import pytest
from ingress_lab import IngressLab
from ingresses import FURTHER, OFFICIAL, Case

# Host, path, and the name of the pod that answers, or the status.
PATHS = [
    ("exact-path-rules", "/foo", "a"),
    ("exact-path-rules", "/foo/", "404"),
    ("exact-path-rules", "/FOO", "404"),
    ("exact-path-rules", "/bar", "404"),
    ("prefix-path-rules", "/foo", "a"),
    ("prefix-path-rules", "/foo/", "a"),
    ("prefix-path-rules", "/FOO", "404"),
    ("prefix-path-rules", "/aaa/bbb", "b"),
    ("prefix-path-rules", "/aaa/bbb/ccc", "b"),
    ("prefix-path-rules", "/aaa/ccc", "c"),
    ("prefix-path-rules", "/aaaccc", "404"),
    ("mixed-path-rules", "/foo", "b"),
    ("trailing-slash-path-rules", "/aaa/bbb", "a"),
    ("trailing-slash-path-rules", "/aaa/bbb/", "a"),
    ("trailing-slash-path-rules", "/foo", "404"),
    ("foo.bar.com", "/", "b"),
    ("subdomain.bar.com", "/", "404"),
    ("bar.foo.com", "/", "a"),
    ("baz.bar.foo.com", "/", "404"),
    ("foo.com", "/", "404"),
    ("none.example", "/", "503"),
    ("none.example", "/missing", "503"),
]


@pytest.mark.parametrize(("number", "case"), [*enumerate((*OFFICIAL, *FURTHER))])
def test_the_documentations_table(tables: IngressLab, number: int, case: Case) -> None:
    """The default backend answers a path that no rule matches. The path arrives as it was sent."""
    got = tables.curl(f"http://row-{number}.example{case.request}", "-g")

    assert (200, case.answers or "d") == (got.status, got.pod.split("-")[0])
    assert case.request.encode() == got.seen["path"].encode("latin-1")


@pytest.mark.parametrize(("host", "path", "answers"), PATHS)
def test_hosts_and_paths(lab: IngressLab, host: str, path: str, answers: str) -> None:
    """Features path_rules and host_rules, and backends without endpoints or Service."""
    got = lab.curl(f"http://{host}{path}")

    assert answers in (got.pod.split("-")[0], str(got.status))
    assert got.status != 200 or (path, host) == (got.seen["path"], got.seen["host"])


def test_tls_by_server_name(lab: IngressLab) -> None:
    """Feature host_rules: the certificate is that of the host, and HTTP is not redirected."""
    file = str(lab.directory / "one.crt")
    got = [lab.curl(f"https://{host}/x", "--cacert", file) for host in ("foo.bar.com", "x.tls.example")]

    assert [(200, "b-0"), (200, "c-0")] == [(one.status, one.pod) for one in got]
    assert ["X-Forwarded-Proto", "https"] in got[0].seen["headers"]
    assert 200 == lab.curl("http://foo.bar.com/").status


@pytest.mark.parametrize("host", ["bar.foo.com", "other.example", "wrong.example"])
def test_a_host_without_a_certificate_has_no_tls(lab: IngressLab, host: str) -> None:
    """nginx ends the handshake (curl's exit code 35). The key of another certificate gets a warning."""

    assert (0, 35) == lab.curl(f"https://{host}/", "-k")[::4]


def test_a_request_for_another_host_in_a_tls_connection(lab: IngressLab) -> None:
    """nginx answers 421 Misdirected Request."""

    assert 421 == lab.curl("https://foo.bar.com/", "-k", "-H", "Host: bar.foo.com").status


def test_an_ingress_of_an_unknown_class_is_not_served(lab: IngressLab) -> None:
    """Feature ingress_class."""

    assert 404 == lab.curl("http://class.example/").status


def test_requests_are_spread_over_all_endpoints(lab: IngressLab) -> None:
    """Feature load_balancing: 100 requests, 10 endpoints, all of them answer."""
    got = lab.run("test/client", "curl", "-s", "--connect-to", f"::{lab.address('ingress-nginx/controller')}:",
                  "-w", "%{http_code}\n", "http://many.example/hostname?[1-100]").stdout  # fmt: skip

    assert 100 == got.count("200")
    assert {f"many-{number}" for number in range(10)} == set(got.replace("200", "").split())


@pytest.mark.parametrize(
    ("method", "host", "path"),
    [
        ("GET", "my-host", "/"),
        ("GET", "my-host", "/sub-path"),
        ("POST", "some-host", "/"),
        ("PUT", "10.0.0.1", "/resource"),
        ("DELETE", "some-host", "/resource"),
        ("PATCH", "my-host", "/resource"),
    ],
)
def test_the_default_backend(tables: IngressLab, method: str, host: str, path: str) -> None:
    """Feature default_backend: method, path, version and headers are passed on."""
    got = tables.curl(f"http://{host}{path}", "-X", method, "-A", "some agent")

    assert (200, "d-0") == (got.status, got.pod)
    assert (method, path, host) == (got.seen["method"], got.seen["path"], got.seen["host"])
    assert ["User-Agent", "some agent"] in got.seen["headers"]
    assert got.head.startswith("HTTP/1.1 200")
    names = {line.partition(":")[0].lower() for line in got.head.splitlines()}
    assert {"content-length", "content-type", "date", "server"} <= names


def test_the_host_arrives_as_it_was_sent(tables: IngressLab) -> None:
    """It keeps its case and its port. nginx chooses the server by the name alone."""
    got = tables.curl("http://row-0.example/any", "-H", "Host: ROW-0.example:8080")

    assert ("a-0", "ROW-0.example:8080") == (got.pod, got.seen["host"])


def test_the_client_is_in_a_header(tables: IngressLab) -> None:
    """A header of the client's own does not count, and the connection comes from the controller."""
    got = tables.curl("http://my-host/", "-H", "X-Forwarded-For: 1.2.3.4")
    sent = [value for name, value in got.seen["headers"] if name == "X-Forwarded-For"]

    assert [tables.address("test/client")] == sent
    assert got.seen["client"].startswith(f"{tables.address('ingress-nginx/controller')}:")
