"""Why a URL reaches pods or does not."""

from __future__ import annotations

from typing import Any

import pytest
from builders import peer, pod, policy, rule, topology
from ingresses import cluster, ingress, service

from netlab.cluster import Cluster
from netlab.errors import UsageError
from netlab.programs.explain_url import UrlExplanation, explain_url, parse_url

HOSTS = {"client": ["192.0.2.10"]}
SHOP = ingress("shop/i", [("shop.example", ["^/cart web:80", "=/pay none:80"])], line=7)


def _lab(*more: Any) -> Cluster:
    pods = [pod("shop/web-0", "app=web,n=0"), pod("shop/web-1", "app=web,n=1"), pod("shop/other")]
    return cluster(topology(["n1"], hosts=HOSTS), *pods, service("shop/web"), service("shop/none"), SHOP, *more)


def _ask(lab: Cluster, url: str = "http://shop.example/cart", client: str = "host:client") -> UrlExplanation:
    return explain_url(lab, lab.by_ref[client], parse_url(url), 4)


def test_the_rule_the_service_and_the_endpoints_are_named() -> None:
    """The text has the file and line of the path, and the address of the controller's load balancer."""
    found = _ask(_lab())
    text = str(found)

    assert "allow" == found.verdict
    assert "host:client -> http://shop.example/cart, IPv4: allow" in text
    assert "rule      Ingress shop/i: Prefix /cart of host shop.example (test.yaml:7)" in text
    assert "backend   Service shop/web port 80" in text
    assert "endpoint  shop/web-0 (10.244.0." in text
    assert "of Service ingress-nginx/controller" in text
    assert [
        "Leg 1: host:client -> ingress controller",
        *(f"Leg 2: ingress controller -> shop/web-{n}" for n in "01"),
    ] == [title for title, _ in found.legs]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/pay", "nginx answers 503: Service shop/none port 80 has no ready endpoint"),
        ("http://shop.example/", "nginx answers 404: no path of host shop.example matches"),
        ("http://other.example/", "nginx answers 404: no rule has the host other.example"),
        ("https://shop.example/cart", "nginx refuses TLS: no Ingress has a certificate for shop.example"),
    ],
)
def test_what_nginx_answers_itself_is_a_deny_with_its_reason(url: str, why: str) -> None:
    """No policy can change it."""
    found = _ask(_lab(), url)

    assert "deny" == found.verdict
    assert why in str(found)
    assert 1 == len(found.legs)


def test_policy_of_the_controller_stops_the_first_leg() -> None:
    """The second leg is explained too."""
    found = _ask(_lab(policy("ingress-nginx/closed", ingress=[])), client="shop/other")

    assert "deny" == found.verdict
    assert "why   leg 1: ingress of ingress-nginx/controller" in str(found)


@pytest.mark.parametrize(("selector", "verdict"), [("app=web", "deny"), ("n=1", "some")])
def test_policy_of_the_backend_sees_the_controller(selector: str, verdict: str) -> None:
    """A rule that allows the client does not help; one that allows ingress-nginx does."""
    client = rule(peer(cidr="192.0.2.10/32"))
    found = _ask(_lab(policy("shop/closed", selector, ingress=[client])))
    opened = policy("shop/open", selector, ingress=[rule(peer(ns="kubernetes.io/metadata.name=ingress-nginx"))])

    assert verdict == found.verdict
    assert f"for {'2' if verdict == 'deny' else '1'} of 2 endpoints: ingress of shop/web-" in str(found)
    assert "NetworkPolicy shop/closed isolates it" in str(found)
    assert "allow" == _ask(_lab(policy("shop/closed", selector, ingress=[client]), opened)).verdict


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://a@b/", "http://x:y/", "http://[x/", "https:///path"])
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    """It is a usage error."""
    with pytest.raises(UsageError, match="http"):
        parse_url(url)


def test_another_port_is_refused() -> None:
    """The controller has the ports 80 and 443 only."""
    with pytest.raises(UsageError, match="serves the ports 80 and 443, and not 8080"):
        _ask(_lab(), "http://shop.example:8080/")


def test_without_an_ingress_there_is_no_controller() -> None:
    """The message says what the input needs."""
    lab = cluster(topology(["n1"], hosts=HOSTS), pod("shop/web-0"))
    with pytest.raises(UsageError, match="the input needs an Ingress"):
        _ask(lab)


@pytest.mark.parametrize(
    ("host", "instead"),
    [
        ("web", "service:shop/web:80"),
        ("web.shop", "service:shop/web:80"),
        ("web.shop.svc.cluster.local:8080", "service:shop/web:8080"),
        ("10.244.0.4", "10.244.0.4:80"),
    ],
)
def test_a_url_of_a_service_or_of_an_address_is_no_question_about_ingress(host: str, instead: str) -> None:
    """The message has the command that explains it."""
    with pytest.raises(UsageError, match=f"use `netlab explain shop/other {instead}`$"):
        _ask(_lab(), f"http://{host}/", "shop/other")


def test_a_host_of_an_ingress_comes_before_a_name_of_a_service() -> None:
    """As for a scenario's requests; and an outside host has no names of Services."""
    lab = _lab(ingress("shop/own", [("web.shop", ["^/ web:80"])]))

    assert "allow" == _ask(lab, "http://web.shop/", "shop/other").verdict
    assert "no rule has the host web.shop" in str(_ask(_lab(), "http://web.shop/"))


def test_the_address_of_the_controller_is_a_host_of_ingress() -> None:
    """Only rules without a host match it, and its own name needs no DNS."""
    lab = _lab()
    address = next(one for one in lab.services if one.meta.key == "ingress-nginx/controller").load_balancer[0].address
    text = str(_ask(lab, f"http://{address}/", "shop/other"))

    assert f"nginx answers 404: no rule has the host {address}" in text
    assert "curl --resolve" not in text
