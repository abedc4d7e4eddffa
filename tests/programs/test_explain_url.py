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
