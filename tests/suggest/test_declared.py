"""Declared needs: what env, args, commands, ConfigMaps, Ingresses and Services say."""

from __future__ import annotations

import pytest
from suggest_manifests import config_map, needs_of, read, service, workload

API = (workload("shop/api", ports=[9090]), service("shop/api", 8080, "p9090"))
DB = (workload("data/db", ports=[5432], kind="StatefulSet"), service("data/db", 5432, clusterIP="None"))
TO_API = {"shop/web -> shop/api 9090/TCP"}
TO_DB = {"shop/web -> data/db 5432/TCP"}


def env(**variables: str) -> str:
    """Return the env of a container."""
    items = "".join(f"- {{name: {name}, value: '{value}'}}\n" for name, value in variables.items())
    return f"env:\n{items}"


@pytest.mark.parametrize(
    "variables",
    [
        {"API": "http://api:8080/v1"},
        {"API": "http://user:secret@api:8080"},
        {"API": "api:8080"},
        {"API": "api.shop:8080"},
        {"API": "http://api.shop.svc.cluster.local.:8080/"},
        {"API_HOST": "api", "API_PORT": "8080"},
        {"API_ADDR": "api"},
        {"API_URL": "http://$(NAME):8080", "NAME": "api"},
        {"BROKERS": "other.example:1,api:8080"},
    ],
)
def test_a_variable_names_a_service(variables: dict[str, str]) -> None:
    """The port of the need is that of the pods behind the Service."""

    assert TO_API == needs_of(workload("shop/web", env(**variables)), *API)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user@db.data.svc/shop",
        "db.data.svc:5432",
        "db.data.svc",
        "db-0.db.data.svc.cluster.local:5432",
        "jdbc:postgresql://db.data/shop",
        "user:pw@tcp(db.data:5432)/shop",
    ],
)
def test_a_text_names_a_service_of_another_namespace(text: str) -> None:
    """A URL without port has the port of its scheme, a name without port all ports of the Service."""

    assert TO_DB == needs_of(workload("shop/web", env(DSN=text)), *DB)


@pytest.mark.parametrize("text", ["http://svc:80", "http://svc.shop:80", "http://svc.shop.svc.cluster.local:80"])
def test_a_service_may_have_the_name_svc(text: str) -> None:
    """The word is a part of the names of all Services."""
    own = (workload("shop/svc", ports=[80]), service("shop/svc", 80, "p80"))

    assert {"shop/web -> shop/svc 80/TCP"} == needs_of(workload("shop/web", env(API=text)), *own)


@pytest.mark.parametrize(
    "text", ["http://svc.cluster.local:80", "http://a.cluster.local", "http://a-1.pod.cluster.local"]
)
def test_a_name_of_the_cluster_that_is_no_service_is_no_need(text: str) -> None:
    """Only names below svc are those of Services."""
    own = (workload("shop/a", ports=[80]), service("shop/a", 80, "p80"))

    assert set() == needs_of(workload("shop/web", env(API=text)), *own)


@pytest.mark.parametrize(
    "words",
    [
        '["--api=http://api:8080"]',
        '["--api-host", "api", "--api-port", "8080"]',
        '["sh", "-c", "curl http://api:8080"]',
    ],
)
@pytest.mark.parametrize("field", ["args", "command"])
def test_words_of_a_command_line_name_a_service(field: str, words: str) -> None:
    """A flag and its value are one word or two."""

    assert TO_API == needs_of(workload("shop/web", f"{field}: {words}\n"), *API)


@pytest.mark.parametrize(
    "variables",
    [
        {"LOG_LEVEL": "api"},
        {"IMAGE": "registry.example/api"},
        {"API_HOST": "localhost"},
        {"API": "http://127.0.0.1:8080"},
        {"IMAGE": "api:latest"},
    ],
)
def test_a_word_that_is_no_host_is_no_need(variables: dict[str, str]) -> None:
    """A Service may have the name of anything."""

    assert set() == needs_of(workload("shop/web", env(**variables)), *API)


@pytest.mark.parametrize(
    ("container", "spec"),
    [
        ("envFrom: [{configMapRef: {name: c}}]\n", ""),
        ("env: [{name: API_URL, valueFrom: {configMapKeyRef: {name: c, key: URL}}}]\n", ""),
        ("", "volumes: [{name: v, configMap: {name: c}}]\n"),
        ("", "volumes: [{name: v, projected: {sources: [{configMap: {name: c}}]}}]\n"),
    ],
)
def test_a_config_map_that_a_pod_names_is_read(container: str, spec: str) -> None:
    """By envFrom, valueFrom and volumes."""

    assert TO_API == needs_of(
        workload("shop/web", container, spec=spec), config_map("shop/c", URL="http://api:8080"), *API
    )


def test_a_config_map_that_no_pod_names_is_not_read() -> None:
    """It declares no need of anything."""

    assert set() == needs_of(workload("shop/web"), config_map("shop/c", URL="http://api:8080"), *API)


def test_a_file_of_settings_has_a_host_beside_its_port() -> None:
    """Keys of a file that end with host and port belong together."""
    file = config_map("shop/c", **{"app.properties": "log.level=info\napi.host=api\napi.port=8080\n"})

    assert TO_API == needs_of(workload("shop/web", "envFrom: [{configMapRef: {name: c}}]\n"), file, *API)


def test_an_init_container_has_needs_too() -> None:
    """It may wait for a Service."""
    spec = "initContainers: [{name: wait, command: [nc, -z, 'api:8080']}]\n"

    assert TO_API == needs_of(workload("shop/web", spec=spec), *API)


def test_a_container_that_names_a_host_gets_dns() -> None:
    """Others get none."""
    _, found = read(workload("shop/web", env(API="http://api:8080")), *API)

    assert {"shop/web -> kube-system/kube-dns 53/UDP", "shop/web -> kube-system/kube-dns 53/TCP"} == {
        str(one) for one in found.needed if "kube-dns" in one.destination
    }
    assert {"shop"} == {draft.namespace for draft in found.drafts}
    (rule,) = [one for draft in found.drafts for one in draft.egress if one.ports[0].port == 53]
    assert ["kube-system/kube-dns 53/UDP, 53/TCP"] == [comment.partition(": ")[0] for comment in rule.comments]


INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  defaultBackend: {service: {name: api, port: {number: 8080}}}
"""


def test_a_backend_of_an_ingress_is_needed_by_its_controller() -> None:
    """The controller's own namespace is left alone."""
    _, found = read(*API, INGRESS)

    assert ["ingress-nginx/controller -> shop/api 9090/TCP"] == [str(one) for one in found.needed]
    assert {"shop"} == {draft.namespace for draft in found.drafts}
    assert found.proof.holds


def test_a_load_balancer_is_needed_from_outside() -> None:
    """All addresses but those of pods; the range of pods is that of the lab."""
    _, found = read(workload("shop/api", ports=[9090]), service("shop/api", 80, 9090, type="LoadBalancer"))
    (rule,) = [rule for draft in found.drafts for rule in draft.ingress]

    assert ["0.0.0.0/0 except 10.244.0.0/16"] == [
        f"{peer.ip_block.cidr} except {', '.join(map(str, peer.ip_block.excepts))}"
        for peer in rule.peers
        if peer.ip_block
    ]
    assert found.proof.holds


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (env(PAY="https://api.pay.example"), "names api.pay.example:443: it is outside of the cluster"),
        (env(API="http://api:81"), "names api:81: Service shop/api has no port 81"),
        (env(API="http://apj:8080"), "names apj:8080: no Service apj in namespace shop"),
        (env(API="cart.shop.svc:80"), "names cart.shop.svc:80: Service shop/cart is not in the input"),
        ("envFrom: [{secretRef: {name: s}}]\n", "container main uses Secret shop/s, which netlab does not read"),
        ("envFrom: [{configMapRef: {name: c}}]\n", "ConfigMap shop/c is not in the input"),
    ],
)
def test_what_may_be_a_need_is_unknown(container: str, message: str) -> None:
    """It is in the list with its place."""
    _, found = read(workload("shop/web", container), *API)

    assert [message] == [message for one in found.unknown if message in one.message]
    assert all(one.place.startswith("shop.yaml:") for one in found.unknown)


def test_a_host_of_the_topology_has_its_exact_address() -> None:
    """By the name that its lab's DNS answers."""
    topology = (
        "apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {name: t}\n"
        "spec: {hosts: [{name: pay, addresses: [192.0.2.80], hostnames: [api.pay.example]}]}\n"
    )

    assert {"shop/web -> host:pay api.pay.example (192.0.2.80/32) 443/TCP"} == needs_of(
        topology, workload("shop/web", env(PAY="https://api.pay.example")), service("shop/web", 80)
    )


def test_each_rule_says_which_need_it_serves() -> None:
    """With the variable, the container and the line."""
    _, found = read(workload("shop/web", env(API="http://api:8080")), *API)
    comments = [comment for draft in found.drafts for rule in draft.ingress for comment in rule.comments]

    assert ["shop/web 9090/TCP: env API of container main of shop/web names api:8080 (shop.yaml:13)"] == comments


def test_a_namespace_with_neither_needs_nor_policies_is_left_alone() -> None:
    """The other one gets a default deny."""
    _, found = read(workload("shop/web", env(API="http://api:8080")), *API, workload("other/tool"))

    assert {"shop"} == {draft.namespace for draft in found.drafts}
    assert [("default-deny", ("ingress", "egress"))] == [
        (draft.name, draft.types) for draft in found.drafts if not (draft.ingress or draft.egress)
    ]


def test_a_need_that_policies_deny_is_missing_and_passes_afterwards() -> None:
    """The suggestion stands in place of them."""
    deny = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\n"
        "spec: {podSelector: {matchLabels: {app: api}}}\n"
    )
    _, found = read(workload("shop/web", env(API="http://api:8080")), *API, deny)

    assert ["shop/web -> shop/api 9090/TCP"] == [str(one) for one in found.missing]
    assert ("shop/deny",) == found.replaced
    assert found.proof.holds


def test_what_is_allowed_and_not_needed_is_listed() -> None:
    """The other direction of a connection is not needed."""
    _, found = read(workload("shop/web", env(API="http://api:8080"), ports=[80]), *API)

    assert {("shop/api-0", "shop/web-0")} == {(one.source.ref, one.destination.ref) for one in found.not_needed}


def test_pods_with_the_same_needs_and_a_label_of_their_own_share_a_policy() -> None:
    """Its name is the label's value."""
    pods = [
        "apiVersion: v1\nkind: Pod\n"
        f"metadata: {{name: {name}, namespace: shop, labels: {{app: {name}, tier: front}}}}\n"
        "spec: {containers: [{name: c, env: [{name: U, value: 'http://api:8080'}]}]}\n"
        for name in ("a", "b")
    ]
    _, found = read(*pods, *API)

    assert [("front", "tier=front")] == [
        (draft.name, str(draft.selector)) for draft in found.drafts if draft.egress and draft.name != "allow-dns"
    ]
    assert ["tier=front"] == [
        str(peer.pod_selector) for draft in found.drafts for r in draft.ingress for peer in r.peers
    ]


TWO_NODES = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: two}
spec:
  nodes: [{name: n1}, {name: n2}]
  networks: [{name: default, mode: overlay, wiring: {remoteNodeSource: tunnel}}]
"""


def test_a_host_network_pod_has_needs_as_its_node() -> None:
    """Pods of the other node see the address of the tunnel."""
    spec = "hostNetwork: true\nnodeName: n1\n"
    web = workload("shop/web", env(API="http://api:8080"), spec=spec)
    _, found = read(TWO_NODES, web, workload("shop/api", ports=[9090], spec="nodeName: n2\n"), API[1])
    blocks = {str(peer.ip_block.cidr) for d in found.drafts for r in d.ingress for peer in r.peers if peer.ip_block}

    assert {"100.64.0.1/32", "10.244.0.0/32"} == blocks
    assert found.proof.holds
    assert [] == found.missing


def test_a_load_balancer_lets_in_the_nodes_that_pass_connections_on() -> None:
    """With externalTrafficPolicy Local the client's address arrives, so they are not needed."""
    pods = workload("shop/api", ports=[9090])
    for policy, number in (("Cluster", 3), ("Local", 1)):
        balancer = service("shop/api", 80, 9090, type="LoadBalancer", externalTrafficPolicy=policy)
        _, found = read(TWO_NODES, pods, balancer)

        assert [number] == [len(rule.peers) for draft in found.drafts for rule in draft.ingress]


def test_pods_that_share_a_label_and_a_rule_share_the_rule() -> None:
    """Each has a policy of its own for the rest."""
    pods = [
        "apiVersion: v1\nkind: Pod\n"
        f"metadata: {{name: {name}, namespace: shop, labels: {{app: {name}, tier: front}}}}\n"
        f"spec: {{containers: [{{name: c, args: {args}}}]}}\n"
        for name, args in (("a", "['http://api:8080']"), ("b", "['http://api:8080', 'http://192.0.2.80:443']"))
    ]
    _, found = read(*pods, *API)

    assert [("tier=front", 1), ("app=b", 1)] == [
        (str(draft.selector), len(draft.egress)) for draft in found.drafts if draft.egress and draft.name != "allow-dns"
    ]
    assert found.proof.holds


def test_a_range_of_pods_that_nobody_wrote_has_a_note() -> None:
    """The cluster's own range may be another one."""
    door = service("shop/api", 8080, "p9090", type="LoadBalancer")
    written = (
        "apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {name: lab}\n"
        "spec: {networks: [{name: default, podCIDRs: [10.42.0.0/16]}]}\n"
    )

    _, assumed = read(API[0], door)
    _, stated = read(API[0], door, written)

    assert ["note: except 10.244.0.0/16: netlab takes this range for pods"] == [
        note.partition(" if")[0] for note in assumed.notes
    ]
    assert () == stated.notes
