"""``-f cluster:CONTEXT`` with a real API server: what it reads, with which rights, and what it leaves alone."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from control_plane.control_plane import ControlPlane, Object, environment, path_of
from waiting import eventually

from netlab.cluster import resolve_input
from netlab.conformance import random_cases
from netlab.objects import Document, load, read_input
from netlab.objects.input import input_of
from netlab.sources import SOURCES
from netlab.sources.cluster_kinds import cluster_role

Call = Callable[..., Result]
Inputs = list[Object]
REPOSITORY = Path(__file__).parents[2]
SCENARIOS = sorted((REPOSITORY / "scenarios").glob("*.yaml"))
EXAMPLES = [REPOSITORY / "examples" / name for name in ("shop", "ingress", "services", "suggest/store.yaml")]
RANDOM = 20
STRANGER: Object = {"as": "stranger", "as-groups": ["a"]}
ADMIN: Object = {"token": "admin"}
_SENT = ("Namespace", "Service", "NetworkPolicy", "IngressClass", "Ingress", "Secret")


def every_input() -> dict[str, list[Document]]:
    """Return the documents of examples, scenarios and random cases, without Topologies, which no cluster has."""
    found = {path.name: load([str(path)])[0].documents for path in EXAMPLES}
    for path in SCENARIOS:
        for one in load([str(path)])[0].scenarios:
            found[path.name] = tuple(one.resources)
    for case in random_cases.cases(RANDOM, seed=14):
        found[case.name] = case.stages[0].documents
    return {name: [d for d in documents if d.kind != "Topology"] for name, documents in found.items()}


INPUTS = every_input()


def as_cluster(documents: Iterable[Document]) -> Inputs:
    """Return what a cluster with the objects has: its pods run, each with its address."""
    given = [*documents]
    cluster, _ = resolve_input(input_of(given))
    objects: Inputs = [_stated(dict(d.data)) for d in given if d.kind in _SENT]
    stated = {o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"}
    used = {pod.namespace for pod in cluster.pods if not pod.system}
    used |= {o["metadata"]["namespace"] for o in objects if o["metadata"].get("namespace")}
    objects = [_object("Namespace", name) for name in sorted(used - stated)] + objects
    objects += [_object("Node", node.name) for node in cluster.nodes]
    for pod in cluster.pods:
        if pod.system:
            continue
        # Ports of two containers may have one name, those of one may not.
        ports = [
            {"containerPort": p.port, "protocol": p.protocol, **({"name": p.name} if p.name else {})} for p in pod.ports
        ]
        containers = [
            {"name": f"c{number}", "image": "example.invalid/none", "ports": of}
            for number, of in enumerate([[port] for port in ports] or [[]])
        ]
        spec: Object = {"containers": containers, "nodeName": pod.node, "hostNetwork": pod.host_network}
        status: Object = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        if pod.addresses and not pod.host_network:
            status |= {"podIP": str(pod.addresses[0]), "podIPs": [{"ip": str(one)} for one in pod.addresses]}
        one = _object("Pod", pod.name, pod.namespace, spec=spec, status=status)
        one["metadata"]["labels"] = dict(pod.labels)
        objects.append(one)
    return sorted(objects, key=lambda o: o["kind"] not in ("Namespace", "IngressClass"))


def _object(kind: str, name: str, namespace: str = "", **more: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        **more,
    }


def _stated(one: Object) -> Object:
    metadata = dict(one["metadata"])
    if one["kind"] not in ("Namespace", "IngressClass"):
        metadata.setdefault("namespace", "default")
    return {**one, "metadata": metadata}


def listed(objects: Inputs) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def rows(done: Result) -> dict[tuple[str, ...], str]:
    assert 0 == done.exit_code, done.output
    return {
        (row["source"], row["destination"], str(row.get("port")), str(row.get("family"))): row["expected"]
        for row in json.loads(done.stdout)["rows"]
    }


def apply(plane: ControlPlane, objects: Inputs) -> None:
    for one in objects:
        plane.create(one)


SHOP = as_cluster(INPUTS["shop"])


@pytest.fixture
def shop(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """Return the API server with the example shop; the administrator's kubeconfig is in the environment."""
    apply(plane, SHOP)
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    return plane


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INPUTS)
def test_a_cluster_has_the_verdicts_of_its_files(
    plane: ControlPlane, netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Row by row; the server adds defaults, addresses and fields of its own."""
    objects = as_cluster(INPUTS[name])
    apply(plane, objects)
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    files = tmp_path / "objects.json"
    files.write_text(listed(objects))
    read = rows(netlab("reach", "-f", "cluster:admin", "-o", "json"))

    assert rows(netlab("reach", "-f", files, "-o", "json")) == read


def test_each_command_takes_it(shop: ControlPlane, netlab: Call, tmp_path: Path) -> None:
    """The place of an object is the context."""
    files = tmp_path / "objects.json"
    files.write_text(listed(SHOP))
    for command in ("check", "lint", "exposure"):
        done = netlab(command, "-f", "cluster:")
        assert done.exit_code in (0, 1), done.output
        assert ":0" not in done.output.replace("cluster:admin", ""), done.output
    assert '"file": "cluster:admin"' in netlab("lint", "-f", "cluster:", "-o", "json").stdout
    assert 0 == netlab("diff", files, "cluster:admin").exit_code
    changed = netlab("reach", "-f", "cluster:admin", "--without", "netpol/shop/default-deny", "-o", "json")
    assert 0 == changed.exit_code, changed.output


def test_1200_pods_come_in_three_pages(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them."""
    plane.create(_object("Namespace", "many"))
    pods = [
        _object("Pod", f"p{number:04}", "many", spec={"containers": [{"name": "c", "image": "example.invalid/none"}]})
        for number in range(1_200)
    ]
    before = len(plane.audited())
    workers = [ControlPlane(plane.folder, plane.port) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda at: [workers[at].create(one) for one in pods[at::4]], range(4)))
    for worker in workers:
        worker.close()
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    found = read_input(["cluster:"], sources=SOURCES).objects
    asked = [e["requestURI"] for e in plane.audited()[before:] if e["requestURI"].startswith("/api/v1/pods")]

    assert 1_200 == len(found.pods)
    assert 3 == len(asked)
    assert all("limit=500" in uri for uri in asked)


# --- rights ---------------------------------------------------------------------------------------------------------


REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


_grants = itertools.count()
# By user and namespace, the resource that only the last grant allows: it tells which one the API server knows.
_marks: dict[tuple[str, str], str] = {}


def grant(plane: ControlPlane, user: str, rules: list[Object], namespace: str = "") -> None:
    """Replace a user's rights, in a namespace or in all; return when the API server has them and not those before."""
    kind = "Role" if namespace else "ClusterRole"
    version = "rbac.authorization.k8s.io/v1"
    metadata = {"name": f"of-{user}", **({"namespace": namespace} if namespace else {})}
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": kind, "name": f"of-{user}", "apiGroup": "rbac.authorization.k8s.io"}
    before, mark = _marks.get((user, namespace)), f"grant-{next(_grants)}"
    _marks[user, namespace] = mark
    marked = [*rules, {"apiGroups": ["marks"], "resources": [mark], "verbs": ["list"]}]
    for one in (
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": marked},
        {"apiVersion": version, "kind": f"{kind}Binding", "metadata": metadata, "subjects": [subject], "roleRef": ref},
    ):
        plane.call("DELETE", f"{path_of(one)}/of-{user}")
        plane.create(one)

    def may(resource: str) -> bool:
        what = {"group": "marks", "resource": resource, "verb": "list", "namespace": namespace}
        review = {"user": user, "resourceAttributes": what}
        asked = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": review}
        return bool(plane.call("POST", REVIEWS, asked)[1]["status"]["allowed"])

    eventually(lambda: may(mark) and not (before and may(before)))


def test_the_printed_role_suffices(shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with it reads what the administrator reads, and no warning is added."""
    grant(shop, "reader", yaml.safe_load(cluster_role())["rules"])
    admin = netlab("reach", "-f", "cluster:", "-o", "json")
    monkeypatch.setenv("KUBECONFIG", str(shop.kubeconfig("reader")))
    reader = netlab("reach", "-f", "cluster:", "-o", "json")

    assert rows(admin) == rows(reader)
    assert admin.stderr.replace("admin", "reader") == reader.stderr


def test_a_user_without_policies_gets_unknown_verdicts(
    shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they may not be listed by namespace either."""
    rules = [r for r in yaml.safe_load(cluster_role())["rules"] if r["apiGroups"] != ["networking.k8s.io"]]
    grant(shop, "reader", rules)
    everywhere = rows(netlab("reach", "-f", "cluster:", "-o", "json"))
    monkeypatch.setenv("KUBECONFIG", str(shop.kubeconfig("reader")))
    none = netlab("reach", "-f", "cluster:", "-o", "json")
    policies = [{"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list"]}]
    for namespace in shop.namespaces():
        grant(shop, "reader", policies, namespace)
    some = netlab("reach", "-f", "cluster:", "-o", "json")

    assert {"unknown"} == set(rows(none).values())
    assert "UnlistedNetworkPolicies shop/networkpolicies" in none.stderr or "and" in none.stderr
    assert everywhere == rows(some)


def test_a_user_of_one_namespace(shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context's namespace is read, and what is missing is said."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies", "ingresses"], "verbs": ["list"]},
    ]
    grant(shop, "tenant", rules, "shop")
    everywhere = rows(netlab("reach", "-f", "cluster:", "-o", "json"))
    monkeypatch.setenv("KUBECONFIG", str(shop.kubeconfig("tenant", "shop")))
    own = netlab("reach", "-f", "cluster:", "-o", "json")

    assert {k: v for k, v in everywhere.items() if k[0].startswith("shop/") and k[1].startswith("shop/")} == rows(own)
    assert "namespaces may not be listed: only shop is read" in own.stderr
    assert "nodes may not be listed (forbidden)" in own.stderr


def test_a_user_without_rights_reads_nothing(shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error, and no empty table."""
    monkeypatch.setenv("KUBECONFIG", str(shop.kubeconfig("stranger")))
    done = netlab("reach", "-f", "cluster:")

    assert 2 == done.exit_code
    assert "cluster:stranger: the user may list nothing that netlab reads" in done.stderr
    assert "pods may not be listed" in done.stderr


# --- credentials ----------------------------------------------------------------------------------------------------


def test_a_kubeconfig_that_kubectl_wrote(shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With certificates inside, a client certificate, a context with every character, and no current context."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    certificate, key = shop.client_certificate("root", "system:masters")
    path = shop.folder / "kubectl.kubeconfig"
    context = "arn:aws:eks:eu-west-1:1:cluster/prod@me"
    for words in (
        ("set-cluster", "real", f"--server={shop.url}", f"--certificate-authority={shop.certificate}", "--embed-certs"),
        ("set-credentials", "root", f"--client-certificate={certificate}", f"--client-key={key}", "--embed-certs"),
        ("set-context", context, "--cluster=real", "--user=root", "--namespace=shop"),
    ):
        subprocess.run(["kubectl", "config", *words], env=environment(path), check=True, capture_output=True)
    monkeypatch.setenv("KUBECONFIG", str(path))
    found = netlab("reach", "-f", f"cluster:{context}", "-o", "json")
    unnamed = netlab("reach", "-f", "cluster:")

    assert rows(found)
    assert 2 == unnamed.exit_code
    assert f"cluster:: the kubeconfig has no current context; name one; there are {context}" == unnamed.stderr.strip()


def test_credentials_that_do_not_count(shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with exit code 3: a wrong token, an expired certificate, a server that is not trusted."""
    certificate, key = shop.client_certificate("old", "system:masters", days=0)
    pair: Object = {"client-certificate": str(certificate), "client-key": str(key)}
    not_trusted = shop.folder / "clients.crt"
    cases = {
        "wrong": (shop.kubeconfig("wrong"), "the credentials of context wrong are not accepted"),
        "old": (
            shop.kubeconfig("old", **pair),
            "the credentials of context old are not accepted",
        ),
        "other": (
            shop.kubeconfig("other", cluster={"server": shop.url, "certificate-authority": str(not_trusted)}, **ADMIN),
            "its certificate is not trusted",
        ),
    }
    for name, (path, message) in cases.items():
        monkeypatch.setenv("KUBECONFIG", str(path))
        done = netlab("reach", "-f", f"cluster:{name}")

        assert (3, 1) == (done.exit_code, len(done.stderr.splitlines())), done.stderr
        assert message in done.stderr


def test_a_server_that_is_not_verified_and_a_name_of_its_certificate(
    shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``insecure-skip-tls-verify`` and ``tls-server-name`` count."""
    at = {"server": shop.url.replace("127.0.0.1", "localhost"), "certificate-authority": str(shop.certificate)}
    named = shop.kubeconfig("named", cluster={**at, "tls-server-name": "127.0.0.1"}, **ADMIN)
    not_verified: Object = {"server": shop.url, "insecure-skip-tls-verify": True}
    open_ = shop.kubeconfig("open", cluster=not_verified, **ADMIN)
    for name, path in (("named", named), ("open", open_)):
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert rows(netlab("reach", "-f", f"cluster:{name}", "-o", "json"))


def test_another_user_that_a_kubeconfig_acts_as(
    shop: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``as`` takes the rights of the other user, and no more."""
    monkeypatch.setenv("KUBECONFIG", str(shop.kubeconfig("acting", **ADMIN, **STRANGER)))
    done = netlab("reach", "-f", "cluster:")

    assert 2 == done.exit_code
    assert "pods may not be listed" in done.stderr


# --- what is left alone ---------------------------------------------------------------------------------------------


def test_no_secret_is_read_but_those_of_ingresses(
    plane: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each by its name; none is listed."""
    for name, kind in (("tls", "kubernetes.io/tls"), ("other", "kubernetes.io/tls"), ("opaque", "Opaque")):
        data = {"tls.crt": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "tls.key": "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"}
        plane.create(_object("Secret", name, "default", type=kind, data=data))
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = _object(
        "Ingress",
        "web",
        "default",
        spec={
            "tls": [{"secretName": "tls"}, {"secretName": "opaque"}],
            "defaultBackend": backend,
        },
    )
    plane.create({**ingress, "apiVersion": "networking.k8s.io/v1"})
    before = len(plane.audited())
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    found = read_input(["cluster:"], sources=SOURCES).objects
    asked = [event for event in plane.audited()[before:] if event.get("objectRef", {}).get("resource") == "secrets"]

    assert ["tls"] == [one.meta.name for one in found.tls_secrets]
    assert {("get", "tls"), ("get", "opaque")} == {(one["verb"], one["objectRef"]["name"]) for one in asked}


def test_netlab_wrote_nothing(control_plane: ControlPlane, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all tests before this one, as the server's audit log has it: lists, watches, and Secrets by name."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig("admin")))
    netlab("check", "-f", "cluster:")
    events = control_plane.audited()
    written = [event for event in events if event["verb"] not in ("get", "list", "watch")]
    got = {event["objectRef"]["resource"] for event in events if event["verb"] == "get" and "objectRef" in event}

    assert events
    assert [] == written
    assert got <= {"secrets", "namespaces"}
