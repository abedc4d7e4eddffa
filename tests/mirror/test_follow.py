"""A lab follows its cluster: what comes, changes and goes there is in force here."""

from __future__ import annotations

import base64

import pytest
from mirror.mirrors import Begin, Running, node, one, pod, policy

from netlab.mirror import mirror
from netlab.objects import Document
from netlab.objects.types import Source

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def test_the_lab_has_what_the_cluster_has(running: Running) -> None:
    """Pods with the cluster's nodes and addresses, and policies."""
    assert {"shop/a", "shop/b", "shop/deny"} == running.names()
    running.assert_mirrors()


def test_objects_come_change_and_go(running: Running) -> None:
    """A pod, a policy and a label; each is said with kubectl's word."""
    running.server.put(pod("c", "10.244.2.6", on=2))
    running.until(lambda: "shop/c" in running.names())
    running.server.put(policy("deny", policyTypes=["Egress"]))
    running.until(lambda: len(running.outcomes) == 2)
    running.server.delete(pod("a"))
    running.until(lambda: "shop/a" not in running.names())
    running.server.put(pod("b", "10.244.2.5", on=2, metadata={"labels": {"app": "b"}}))
    running.until(lambda: len(running.outcomes) == 4)

    assert [
        {("pod/shop/c", "created")},
        {("networkpolicy/shop/deny", "configured")},
        {("pod/shop/a", "deleted")},
        {("pod/shop/b", "configured")},
    ] == running.changed()
    running.assert_mirrors()


def test_a_burst_is_one_change(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that come together are in force together."""
    # A busy machine needs longer for fifty events than a mirror waits for more of them.
    monkeypatch.setattr(mirror, "BATCH_SECONDS", 2.0)
    running.mirror.step()
    running.server.put(*(policy(f"p{number}") for number in range(50)))
    running.until(lambda: "shop/p49" in running.names())

    assert 1 == len(running.outcomes)


def test_what_netlab_does_not_read_is_no_change(running: Running) -> None:
    """A heartbeat of a node, a condition of a pod."""
    heartbeat = node(1)
    heartbeat["status"]["conditions"] = [
        {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    ]
    running.until(lambda: any(path.endswith("/nodes") for path, _ in running.server.watches))
    running.server.put(heartbeat)
    running.server.put(policy("last"))
    running.until(lambda: "shop/last" in running.names())

    assert [{("networkpolicy/shop/last", "created")}] == running.changed()


def test_nodes_come_and_go(running: Running) -> None:
    """A pod whose node is gone is left out with a line, and is there again with its node."""
    running.server.delete(node(2))
    running.until(lambda: running.said("left out: cluster:prod: Pod shop/b: spec.nodeName: no node 'n2'"))
    running.until(lambda: len(running.mirror.lab.cluster.nodes) == 1)
    assert {"shop/a", "shop/deny"} == running.names()
    running.server.put(node(3), pod("d", "10.244.3.9", on=3))
    running.until(lambda: "shop/d" in running.names())
    running.server.put(node(2))
    running.until(lambda: "shop/b" in running.names())

    assert running.said("in the lab now: Pod shop/b")
    running.assert_mirrors()


def test_a_pod_without_an_address_waits(begin: Begin, running: Running) -> None:
    """Not yet placed, then placed, then with an address: only then it is in the lab, where the cluster has it."""
    running.server.put(pod("w", on=0, phase="Pending"))
    running.server.put(pod("w", on=2, phase="Pending"), policy("one"))
    running.until(lambda: "shop/one" in running.names())
    assert "shop/w" not in running.names()
    assert begin().said("1 pod without an address yet")
    running.server.put(pod("w", "10.244.2.77", on=2))
    running.until(lambda: "shop/w" in running.names())

    running.assert_mirrors()


def test_a_workload_whose_pods_all_wait_makes_none(running: Running) -> None:
    """A Deployment's pods are those that exist."""
    template = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    owner = {"ownerReferences": [{"kind": "ReplicaSet", "name": "w", "controller": True, "apiVersion": "apps/v1"}]}
    running.server.put(one("ReplicaSet", "w", "shop", "apps/v1", spec=spec))
    running.server.put(pod("w-1", on=0, phase="Pending", metadata=owner), policy("one"))
    running.until(lambda: "shop/one" in running.names())
    assert {"shop/a", "shop/b"} == {p.ref for p in running.mirror.lab.cluster.pods}
    running.server.put(pod("w-1", "10.244.1.8", metadata=owner))
    running.until(lambda: "shop/w-1" in running.names())

    assert "ReplicaSet shop/w" == next(p for p in running.mirror.lab.cluster.pods if p.name == "w-1").workload


def test_pods_of_the_hosts_network_have_the_address_of_their_node(running: Running) -> None:
    """As in the cluster."""
    running.server.put(pod("h", "172.18.0.11", spec={"hostNetwork": True}))
    running.until(lambda: "shop/h" in running.names())

    running.assert_mirrors()


def test_services_and_their_endpoints(running: Running) -> None:
    """A Service with its address, and the slices that say who answers."""
    ports = [{"port": 80, "protocol": "TCP", "name": "web"}]
    service = one(
        "Service", "web", "shop", spec={"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "ports": ports}
    )
    labels = {"labels": {"kubernetes.io/service-name": "web"}}
    ends = [{"addresses": ["10.244.1.5"], "conditions": {"ready": True}}]
    more = {"addressType": "IPv4", "endpoints": ends, "ports": ports}
    running.server.put(service, one("EndpointSlice", "web-1", "shop", "discovery.k8s.io/v1", metadata=labels, **more))
    running.until(lambda: running.mirror.lab.cluster.services and running.mirror.lab.cluster.slices)

    running.assert_mirrors()


def test_a_certificate_that_is_renewed(begin: Begin, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Secret of an Ingress is asked for by its name, again and again; no Secret is listed or watched."""
    from netlab.mirror import inventory

    def secret(text: str) -> dict[str, object]:
        data = {name: base64.b64encode(text.encode()).decode() for name in ("tls.crt", "tls.key")}
        return one("Secret", "tls", "shop", type="kubernetes.io/tls", data=data)

    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec = {"tls": [{"secretName": "tls"}], "defaultBackend": backend}
    running.server.put(secret("old"), one("Ingress", "web", "shop", "networking.k8s.io/v1", spec=spec))
    monkeypatch.setattr(inventory, "POLL_SECONDS", 0.3)
    running.until(lambda: [s.certificate for s in running.mirror.lab.cluster.tls_secrets] == ["old"])
    running.server.put(secret("new"))
    running.until(lambda: [s.certificate for s in running.mirror.lab.cluster.tls_secrets] == ["new"])

    assert {"/api/v1/namespaces/shop/secrets/tls"} == {path for path in running.server.paths() if "secrets" in path}


def test_another_address_than_the_clusters_is_said(begin: Begin) -> None:
    """One that the podCIDR of a Topology does not hold; once, and when it is over."""
    spec = {"networks": [{"name": "default", "podCIDRs": ["10.244.0.0/16"]}]}
    topology = {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": "t"}, "spec": spec}
    running = begin(extra=[Document(topology, Source("file"))])
    running.server.put(pod("far", "10.99.0.1", on=1))
    running.until(
        lambda: running.said("other addresses in the lab than in the cluster: shop/far (10.99.0.1 is 10.244.1.")
    )
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())
    assert 1 == sum("other addresses" in line for line in running.lines)
    running.server.delete(pod("far"))
    running.until(lambda: running.said("all pods have the addresses of the cluster again"))


def test_what_is_added_by_hand_stays(running: Running) -> None:
    """Under another name; what has a name of the cluster is the cluster's with the next change of it."""
    running.mirror.lab.apply(
        [Document(policy("mine"), Source("file")), Document(policy("deny", policyTypes=["Egress"]), Source("file"))]
    )
    running.server.put(policy("one"))
    running.until(lambda: "shop/one" in running.names())

    assert {"shop/mine", "shop/one", "shop/deny"} <= running.names()
    deny = next(p for p in running.mirror.lab.cluster.policies if p.meta.name == "deny")
    assert ("Ingress",) == tuple(kind.capitalize() for kind in deny.policy_types)


def test_one_namespace_alone(begin: Begin, running: Running) -> None:
    """Its objects, those in no namespace, and no watch of others."""
    running.server.put(
        one("Namespace", "other"), {**pod("x", "10.244.1.9"), "metadata": {"name": "x", "namespace": "other"}}
    )
    alone = begin("shop")
    alone.server.put(policy("one"), {**policy("two"), "metadata": {"name": "two", "namespace": "other"}})
    alone.until(lambda: "shop/one" in alone.names())

    assert {"shop/a", "shop/b", "shop/deny", "shop/one"} == alone.names()
    assert 2 == len(alone.mirror.lab.cluster.nodes)
