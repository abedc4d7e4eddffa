"""The configuration of nginx: no host, path or name changes its structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders import meta, pod, topology
from hypothesis import given
from hypothesis import strategies as st
from ingresses import cluster, ingress, service

from netlab.cluster import Cluster
from netlab.objects.ingresses import TlsSecret
from netlab.programs.nginx_conf import configuration, file_name, quoted

PODS = [pod(f"shop/{name}-0", f"app={name}") for name in "ab"]
SERVICES = [service(f"shop/{name}") for name in "ab"]
BAD = (";", "}", "{", "\n", "\r", "$host", '"', "'", "\\", "#", " ", "\t", "\x00", "../", '\\";}', "é", "\udcff", "%0a")


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a configuration, and whether each was quoted, as nginx's ngx_conf_read_token reads them."""
    word, quote, at = "", "", 0
    while at < len(text):
        one = text[at]
        at += 1
        if quote:
            if one == "\\" and text[at] in "\"'\\":
                word += text[at]
                at += 1
            elif one == quote:
                yield word, True
                word = quote = ""
            else:
                word += one
        elif one in " \n;{}":
            if word:
                yield word, False
            word = ""
            if one in ";{}":
                yield one, False
        elif one in "\"'" and not word:
            quote = one
        else:
            word += one
    assert not quote


def _tree(text: str) -> list[Any]:
    """Return a configuration as directives: lists of words, with the directives of a block at the end."""
    stack: list[list[Any]] = [[]]
    line: list[Any] = []
    for word, is_quoted in _words(text):
        if is_quoted or word not in (";", "{", "}"):
            line.append(word)
        elif word == ";":
            stack[-1].append(line)
            line = []
        elif word == "{":
            stack.append([])
            stack[-2].append([*line, stack[-1]])
            line = []
        else:
            assert not line
            stack.pop()
    assert (1, []) == (len(stack), line)
    return stack[0]


def _servers(lab: Cluster) -> list[list[Any]]:
    (http,) = [one[-1] for one in _tree(configuration(lab, "/d", [4]).text) if one[0] == "http"]
    return [one[-1] for one in http if one[0] == "server"]


def _locations(server: list[Any]) -> list[tuple[str, ...]]:
    return [(*one[1:-1], " ".join(one[-1][0])) for one in server if one[0] == "location"]


def test_a_prefix_has_two_locations_and_an_exact_path_one() -> None:
    """A path that ends in a slash has one more, or nginx would redirect the path without it."""
    paths = ["^/a/ a:80", "=/b b:80", "=/c/ b:80", "=/a b:80"]
    _, _, server = _servers(cluster(*PODS, *SERVICES, ingress("shop/i", [("x.example", paths)])))

    assert [
        ("=", "/b", "proxy_pass http://u0"),
        ("=", "/c/", "proxy_pass http://u0"),
        ("=", "/a", "proxy_pass http://u0"),
        ("^~", "/a/", "proxy_pass http://u1"),
        ("=", "/c", "return 404"),
        ("/", "return 404"),
    ] == sorted(_locations(server), key=lambda one: ["/b", "/c/", "/a", "/a/", "/c", "/"].index(one[-2]))


def test_a_wildcard_is_a_regular_expression_for_one_label() -> None:
    """nginx's own wildcards match several labels."""
    *_, server = _servers(cluster(ingress("shop/i", [("*.foo.com", ["^/ a:80"])])))

    assert ["server_name", r"~^[^.]+\.foo\.com$"] in server


def test_what_no_ingress_names_is_404_and_without_endpoints_503() -> None:
    """This holds for every host."""
    first, *_ = _servers(cluster(ingress("shop/i", [("x.example", ["^/ a:80"])])))
    *_, last = _servers(cluster(*SERVICES, ingress("shop/i", [("x.example", ["^/ a:80"])])))

    assert ([("/", "return 404")], [("/", "return 503")]) == (_locations(first), _locations(last))


def test_an_upstream_has_the_ready_endpoints_of_the_families_of_the_controller() -> None:
    """IPv6 addresses are in brackets; a backend of several paths is one upstream."""
    lab = cluster(
        topology(["n"], cidrs=["10.244.0.0/16", "fd00:10:244::/56"]),
        pod("shop/a-0", "app=a"),
        replace(service("shop/a"), ip_family_policy="RequireDualStack"),
        ingress("shop/i", [("x.example", ["^/ a:80", "^/x a:http"])]),
    )
    (of,) = [one.addresses for one in lab.pods if one.namespace == "shop"]
    text = configuration(lab, "/d", [4, 6]).text

    assert 1 == text.count("upstream u")
    assert f"server {of[0]}:8080 max_fails=0;" in text
    assert f"server [{of[1]}]:8080 max_fails=0;" in text
    assert "[fd" not in configuration(lab, "/d", [4]).text


def test_a_certificate_is_a_file_of_its_own() -> None:
    """The configuration has no key, and leaves out a Secret that cannot be used."""
    tls = [(["x.example"], "cert")]
    secret = TlsSecret(meta("shop/cert"), "CERTIFICATE", "KEY")
    lab = cluster(secret, ingress("shop/i", [("x.example", ["^/ a:80"])], tls=tls))
    made = configuration(lab, "/d", [4])

    name = file_name(secret)
    assert ((f"{name}.crt", "CERTIFICATE"), (f"{name}.key", "KEY")) == made.secrets
    assert "KEY" not in made.text
    assert f"ssl_certificate_key {name}.key;" in made.text
    without = configuration(lab, "/d", [4], without=["shop/cert"])
    assert (False, ()) == ("ssl_certificate" in without.text, without.secrets)


@given(st.lists(st.sampled_from((*BAD, "a", "/", "location / { return 200; }")), max_size=8).map("".join))
def test_no_path_changes_the_structure(path: str) -> None:
    """It is one word of one location, or the location is left out."""
    paths = [f"~/{path} a:80", "=/known b:80"]
    servers = _servers(cluster(*PODS, *SERVICES, ingress("shop/i", [("x.example", paths)])))

    assert 3 == len(servers)
    allowed = {"listen", "server_name", "location"}
    assert allowed == {one[0] for one in servers[-1]}
    for *_, action in _locations(servers[-1]):
        assert action in ("proxy_pass http://u0", "proxy_pass http://u1", "return 404")


@given(st.lists(st.sampled_from((*BAD, "a", ".", "*", "~^", "server{}")), max_size=8).map("".join))
def test_no_host_name_or_port_changes_the_structure(text: str) -> None:
    """A host is a DNS name, or it has no server; names of Services and Secrets are in no configuration."""
    lab = cluster(
        *PODS,
        *SERVICES,
        TlsSecret(meta(f"shop/{text}"), "c", "k"),
        ingress(f"shop/{text}", [(text, ["^/ a:80"]), ("y.example", [f"^/ {text}:80"])], tls=[((), text)]),
    )
    servers = _servers(lab)

    names = [one[1] for server in servers for one in server if one[0] == "server_name"]
    assert len(servers) == len(names) + 1
    assert all(name in ("", "y.example") or set(name) <= set("a.*~^[]+$\\") for name in names)


def test_a_control_character_is_no_word() -> None:
    """``quoted`` itself refuses it."""
    with pytest.raises(ValueError, match="control character"):
        quoted("a\nb")
