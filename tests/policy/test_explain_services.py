"""The text of ``netlab explain`` about a Service: the whole way, each endpoint, and rules that name the Service."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from builders import cluster, flow, meta, peer, pod, policy, rule, source, topology

from netlab.cluster import Cluster
from netlab.cluster.find import find_service
from netlab.cluster.flows import service_flow
from netlab.objects.services import Service, ServicePort
from netlab.policy.explain import explain

DB = Service(
    meta("shop/db"),
    {"app": "db"},
    (ServicePort(5432, "sql", name="pg", node_port=30432),),
    (ip_address("10.96.0.20"),),
    "NodePort",
    source(7, "shop.yaml"),
)


def lab(*extra: object) -> Cluster:
    return cluster(
        topology(["a", "b"], mode="overlay", hosts={"client": ["192.0.2.10"]}),
        pod("shop/web", "app=web", node="a"),
        pod("shop/db-0", "app=db", node="a", ports=["sql=15432"]),
        pod("shop/db-1", "app=db,closed=yes", node="b", ports=["sql=15432"]),
        DB,
        policy("shop/closed", "closed=yes", ingress=[rule(peer("app=web"), ports=["5432", "pg"])]),
        *extra,
    )


def told(of: Cluster, port: int = 5432) -> str:
    return str(explain(of, service_flow(of.by_ref["shop/web"], find_service(of, "shop/db"), "TCP", port, 4)))


def test_the_whole_way_to_a_service() -> None:
    """Its name, its address, the node that translates, the endpoints, and the port that policies see."""
    assert """\
shop/web -> service:shop/db 5432/TCP, IPv4: some
  from  shop/web, 10.244.0.3, on a, labels app=web
  to    Service shop/db (shop.yaml:7), its ClusterIP 10.96.0.20
""" in told(lab())
    assert """
Way to Service shop/db
  name      db.shop.svc.cluster.local, which DNS answers with 10.96.0.20
  address   10.96.0.20 on 5432/TCP, its ClusterIP
  node      node:a translates it and keeps the source address
  endpoints shop/db-0 (10.244.0.2), shop/db-1 (10.244.1.2)
  port      15432/TCP is what policies see, and not 5432
""" in told(lab())


def test_each_endpoint_has_its_verdict_and_its_rules() -> None:
    text = told(lab())

    assert "By endpoint shop/db-0, 10.244.0.2 on 15432/TCP: allow" in text
    assert "By endpoint shop/db-1, 10.244.1.2 on 15432/TCP: deny" in text
    assert "spec.ingress[0] does not match: port: 5432/TCP or pg/TCP" in text


def test_a_rule_for_the_services_port_or_address_matches_nothing() -> None:
    """The text says what to write."""
    out = policy("shop/out", "app=web", egress=[rule(peer(cidr="10.96.0.0/16"))])
    text = told(lab(out))

    assert (
        """
Rules for the Service that match nothing, as policies see its endpoints
  NetworkPolicy shop/out spec.egress[0].to[0].ipBlock: 10.96.0.0/16 holds the ClusterIP 10.96.0.20, and policies see\
 the endpoint's address: it matches no packet to the Service
  NetworkPolicy shop/closed spec.ingress[0].ports[0]: port 5432 is the port of Service shop/db, and policies see\
 15432/TCP: write 15432
  NetworkPolicy shop/closed spec.ingress[0].ports[1]: 'pg' is a port name of Service shop/db, and policies see\
 15432/TCP: write 15432
"""
        in text
    )


def test_the_nodeport_of_a_node() -> None:
    text = str(explain(of := lab(), flow(of, "host:client", "node:b", "30432/TCP")))

    assert "to    node:b, 100.64.0.2: Service shop/db (shop.yaml:7), its nodePort at 100.64.0.2 of node:b" in text
    assert "node      node:b translates it and masquerades after policy: endpoints see the node" in text


def test_without_a_ready_endpoint() -> None:
    """No policy denies."""
    of = cluster(pod("shop/web"), DB)
    text = told(of)

    assert "endpoints none" in text
    assert "no pod of namespace 'shop' with an IPv4 address has app=db and a TCP port named 'sql'" in text
    assert "No NetworkPolicy can allow it" in text


def test_endpoints_that_the_node_does_not_choose_are_counted_with_the_reason() -> None:
    """They are not ready, or a traffic policy leaves them to other nodes."""
    unready = replace(pod("shop/db-2", "app=db", node="a", ports=["sql=15432"]), ready=False)
    of = replace(DB, internal_traffic_policy="Local")
    found = cluster(
        topology(["a", "b"], mode="overlay"),
        pod("shop/web", "app=web", node="a"),
        pod("shop/db-0", "app=db", node="a", ports=["sql=15432"]),
        pod("shop/db-1", "app=db", node="b", ports=["sql=15432"]),
        unready,
        of,
    )

    assert "endpoints shop/db-0 (10.244.0.2); 1 more is not ready; 1 more is not for this node\n" in told(found)
