"""``-f cluster:CONTEXT`` reads a live cluster: what is asked, what becomes of it, what a user may not list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from sources.api_server import CILIUM, MINE, ApiServer, Object, serving

# A forked process has it then, and does not import it for each test.
import netlab.kernel.kube_library  # noqa: F401
from netlab.objects import read_input
from netlab.sources import SOURCES
from netlab.sources.cluster_kinds import Resource, cluster_role

# The server has threads, and Python 3.12 warns of a fork beside them. The process that netlab forks needs none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
Call = Callable[..., Result]
SHOP = Path(__file__).parents[2] / "examples" / "shop"
DOCS = Path(__file__).parents[2] / "docs" / "tasks" / "live-cluster.md"


def one(kind: str, name: str, namespace: str = "", version: str = "v1", **more: object) -> Object:
    metadata: Object = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}  # type: ignore[dict-item]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def pod(name: str, namespace: str, owner: str = "", **labels: str) -> Object:
    metadata: Object = {"labels": labels}
    if owner:
        kind, of = owner.split()
        metadata["ownerReferences"] = [{"kind": kind, "name": of, "controller": True, "apiVersion": "apps/v1"}]
    containers = [{"name": "c", "ports": [{"containerPort": 80}]}]
    return one("Pod", name, namespace, metadata=metadata, spec={"containers": containers}, status={"phase": "Running"})


def policy(namespace: str) -> Object:
    return one("NetworkPolicy", "deny", namespace, "networking.k8s.io/v1", spec={"podSelector": {}})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Run a server with two namespaces, a pod in each, and a policy in ``a``; the kubeconfig names it."""
    found = ApiServer(
        [one("Namespace", "a"), one("Namespace", "b"), pod("x", "a", app="x"), pod("y", "b", app="y"), policy("a")]
    )
    with serving(found, tmp_path) as path:
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found


def rows(done: Result) -> dict[tuple[str, str], str]:
    assert 0 == done.exit_code, done.stderr
    return {(row["source"], row["destination"]): row["expected"] for row in json.loads(done.stdout)["rows"]}


# --- what is read ---------------------------------------------------------------------------------------------------


def test_the_objects_of_a_cluster_are_those_of_files(server: ApiServer, netlab: Call, tmp_path: Path) -> None:
    """Each row of ``reach`` is the same, and ``diff`` finds no difference."""
    server.objects = [o for file in sorted(SHOP.glob("*.yaml")) for o in yaml.safe_load_all(file.read_text()) if o]
    server.objects = [{**o, "metadata": {"namespace": "default", **o["metadata"]}} for o in server.objects]
    kept = [o for o in server.objects if o["kind"] in ("Namespace", "Pod", "NetworkPolicy", "Service")]
    kept += [
        pod(f"{o['metadata']['name']}-0", o["metadata"]["namespace"], **o["spec"]["template"]["metadata"]["labels"])
        for o in server.objects
        if "template" in o.get("spec", {})
    ]
    server.objects = kept
    files = tmp_path / "all.yaml"
    files.write_text(yaml.safe_dump_all(kept))
    read = netlab("reach", "-f", "cluster:prod", "-o", "json")

    assert len(rows(read)) > 10
    assert rows(netlab("reach", "-f", files, "-o", "json")) == rows(read)
    assert 0 == netlab("diff", files, "cluster:prod").exit_code


def test_only_what_netlab_reads_is_asked_for(server: ApiServer) -> None:
    """Each kind once, by GET. Of workloads none, as no pod has one; of Endpoints none, as there are EndpointSlices."""
    read_input(["cluster:"], sources=SOURCES)

    assert {"GET"} == {method for method, _, _ in server.requests}
    assert [
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/api/v1/pods",
        "/api/v1/services",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "/apis/networking.k8s.io/v1/ingressclasses",
        "/apis/networking.k8s.io/v1/ingresses",
        "/apis/networking.k8s.io/v1/networkpolicies",
        "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies",
        "/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies",
        "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies",
    ] == sorted(server.paths())
    assert "Bearer secret-token" == server.headers["Authorization"]


def test_objects_have_the_context_as_their_file(server: ApiServer, netlab: Call) -> None:
    """The current context by its name; no message has a line."""
    server.objects.append(one("NetworkPolicy", "bad", "b", "networking.k8s.io/v1", spec={"podSelector": {}, "x": 1}))
    done = netlab("check", "-f", "cluster:")

    assert 2 == done.exit_code
    assert done.stderr.startswith("cluster:prod: NetworkPolicy b/bad: spec.x: ")
    server.objects.pop()
    for command in (
        ("check", "-f", "cluster:"),
        ("explain", "b/y", "a/x", "-f", "cluster:"),
        ("lint", "-f", "cluster:"),
        ("lint", "-f", "cluster:", "-o", "markdown"),
        ("reach", "-f", "cluster:", "-o", "markdown"),
        ("selects", "a/x", "-f", "cluster:"),
        ("exposure", "-f", "cluster:"),
        ("graph", "reach", "-f", "cluster:"),
        ("check", "-f", "cluster:", "-f", "cluster:prod"),
    ):
        printed = netlab(*command)

        assert printed.exit_code in (0, 1), printed.output
        assert not re.search(r"cluster:(prod)?:\d", printed.output), (command, printed.output)


def test_the_version_that_a_server_has_is_read(server: ApiServer) -> None:
    """A retired one, if there is no newer; by discovery as servers before 1.27 have it."""
    old = Resource("batch/v1beta1", "CronJob", "cronjobs", True)
    slices = Resource("discovery.k8s.io/v1beta1", "EndpointSlice", "endpointslices", True)
    server.kinds = [old, slices, *(r for r in MINE if r.kind not in ("CronJob", "EndpointSlice"))]
    server.aggregated = False
    found = read_input(["cluster:"], sources=SOURCES)

    assert ["x", "y"] == [one.meta.name for one in found.objects.pods]
    assert "/apis/discovery.k8s.io/v1beta1/endpointslices" in server.paths()


def test_pods_are_those_that_exist(server: ApiServer) -> None:
    """A workload of a pod is read for its name. One without pods makes none, as a finished Job has none."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}
    spec: Object = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    owner = [{"kind": "Deployment", "name": "web", "controller": True, "apiVersion": "apps/v1"}]
    server.objects += [
        pod("web-1-abc", "a", "ReplicaSet web-1", app="web"),
        one("ReplicaSet", "web-1", "a", "apps/v1", metadata={"ownerReferences": owner}, spec=spec),
        one("ReplicaSet", "web-0", "a", "apps/v1", metadata={"ownerReferences": owner}, spec=spec),
        one("Deployment", "web", "a", "apps/v1", spec=spec),
        one("Deployment", "without-pods", "a", "apps/v1", spec=spec),
        one("Job", "finished", "a", "batch/v1", spec={"template": template}),
    ]
    found = read_input(["cluster:"], sources=SOURCES).objects

    assert ["web", "web-1"] == sorted(workload.meta.name for workload in found.workloads)
    assert "/apis/batch/v1/jobs" not in server.paths()


def test_secrets_are_those_for_tls_that_an_ingress_names(server: ApiServer, netlab: Call) -> None:
    """Each is asked for by name; one of another type is dropped. Nothing of them is printed."""
    server.objects += [
        one(
            "Secret", "tls", "a", type="kubernetes.io/tls", data={"tls.crt": "LS0tLS1CRUdJTg==", "tls.key": "c2VjcmV0"}
        ),
        one("Secret", "opaque", "a", type="Opaque", data={"tls.crt": "c2VjcmV0", "tls.key": "c2VjcmV0"}),
        one("Secret", "unnamed", "a", type="kubernetes.io/tls", data={"tls.crt": "c2VjcmV0", "tls.key": "c2VjcmV0"}),
        one(
            "Ingress",
            "web",
            "a",
            "networking.k8s.io/v1",
            spec={
                "ingressClassName": "nginx",
                "tls": [{"secretName": "tls"}, {"secretName": "opaque"}, {"secretName": "gone"}],
                "rules": [{"host": "web.example"}],
            },
        ),
    ]
    found = read_input(["cluster:"], sources=SOURCES)
    checked = netlab("check", "-f", "cluster:")

    secrets = [path for path in server.paths() if "secrets" in path]
    assert [f"/api/v1/namespaces/a/secrets/{name}" for name in ("gone", "opaque", "tls")] == sorted(set(secrets))
    assert ["tls"] == [secret.meta.name for secret in found.objects.tls_secrets]
    assert "c2VjcmV0" not in checked.output
    assert "secret-token" not in checked.output


def test_a_list_comes_in_pages(server: ApiServer) -> None:
    """Each has at most 500 objects."""
    server.objects += [pod(f"p{number}", "a") for number in range(1_200)]
    found = read_input(["cluster:"], sources=SOURCES)
    pages = [query for _, path, query in server.requests if path == "/api/v1/pods"]

    assert 1_202 == len(found.objects.pods)
    assert [{"limit": ["500"]}, *({"limit": ["500"], "continue": [at]} for at in ("500", "1000"))] == pages


def test_what_the_server_adds_is_not_kept(server: ApiServer) -> None:
    """Fields of managers, and the last applied configuration, which may hold secrets."""
    server.objects.append(
        one(
            "Pod",
            "z",
            "a",
            metadata={
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "netlab/network": "blue"},
            },
            spec={},
        )
    )
    found = read_input(["cluster:"], sources=SOURCES).objects.documents[-1].data

    kept = next(
        d.data for d in read_input(["cluster:"], sources=SOURCES).objects.documents if d.data["metadata"]["name"] == "z"
    )
    assert {"name": "z", "namespace": "a", "annotations": {"netlab/network": "blue"}} == kept["metadata"]
    assert found


# --- what may not be listed -----------------------------------------------------------------------------------------


def test_policies_that_may_not_be_listed_make_verdicts_unknown(server: ApiServer, netlab: Call) -> None:
    """Of the namespaces where they may not; the others are listed by namespace."""
    server.forbidden |= {f"/apis/networking.k8s.io/v1{part}/networkpolicies" for part in ("", "/namespaces/b")}
    done = netlab("reach", "-f", "cluster:", "-o", "json")

    assert {("a/x", "b/y"): "unknown", ("b/y", "a/x"): "deny"} == rows(done)
    assert (
        "Warning: cluster:prod: UnlistedNetworkPolicies b/networkpolicies: the input lacks the NetworkPolicies of this"
        " namespace, so verdicts of its pods are unknown"
    ) in done.stderr


def test_a_user_of_one_namespace_reads_that_of_the_context(server: ApiServer, netlab: Call) -> None:
    """One line for each kind that the user may not list there either."""
    server.forbidden |= {one.path() for one in MINE}
    server.forbidden |= {"/api/v1/namespaces/a", "/api/v1/namespaces/a/services"}
    done = netlab("reach", "-f", "cluster:team/a@prod", "--self", "-o", "json")
    wanted = [line for line in done.stderr.splitlines() if "not be listed" in line or "only a" in line]

    assert {("a/x", "a/x"): "allow"} == rows(done)
    assert [
        "Warning: cluster:team/a@prod: namespaces may not be listed: only a is read, the context's namespace, and what"
        " is in none",
        "Warning: cluster:team/a@prod: nodes may not be listed (forbidden): the input lacks them",
        "Warning: cluster:team/a@prod: services may not be listed in a (forbidden): the input lacks them",
        "Warning: cluster:team/a@prod: ingressclasses.networking.k8s.io may not be listed (forbidden): the input lacks"
        " them",
    ] == wanted


def test_secrets_that_may_not_be_read_are_named(server: ApiServer, netlab: Call) -> None:
    """One line for all of them."""
    spec = {"tls": [{"secretName": "one"}, {"secretName": "two"}], "rules": [{"host": "web.example"}]}
    server.objects.append(one("Ingress", "web", "a", "networking.k8s.io/v1", spec=spec))
    server.forbidden |= {"/api/v1/namespaces/a/secrets/one", "/api/v1/namespaces/a/secrets/two"}

    done = netlab("check", "-f", "cluster:")
    assert "Secrets of Ingresses may not be read: a/one, a/two: a lab has no certificate for them" in done.stderr


def test_cluster_wide_policies_that_may_not_be_listed_make_verdicts_unknown(server: ApiServer, netlab: Call) -> None:
    """One of the tier Admin could allow or deny any pair."""
    server.forbidden.add("/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies")
    done = netlab("reach", "-f", "cluster:", "-o", "json")

    assert {"unknown"} == set(rows(done).values())
    assert "the input lacks the clusternetworkpolicies.policy.networking.k8s.io" in done.stderr


@pytest.mark.parametrize("how", ["forbidden", "down"])
def test_policies_of_other_kinds(server: ApiServer, netlab: Call, how: str) -> None:
    """They are read; where they cannot be listed, verdicts are unknown, and the server may be down."""
    server.kinds.append(CILIUM)
    assert "deny" in rows(netlab("reach", "-f", "cluster:", "-o", "json")).values()
    if how == "forbidden":
        server.forbidden |= {CILIUM.path(), CILIUM.path("a"), CILIUM.path("b")}
    else:
        server.before = lambda path, query: (503, {"Retry_After": "0"}, b"down") if CILIUM.path() in path else None
    done = netlab("reach", "-f", "cluster:", "-o", "json")

    assert {"unknown"} == set(rows(done).values())
    assert "the input lacks the ciliumnetworkpolicies.cilium.io" in done.stderr


def test_objects_that_calico_serves_twice_are_read_once(server: ApiServer) -> None:
    """Its own API server has the custom resources too."""
    own, crd = (
        Resource(f"{g}/v3", "NetworkPolicy", "networkpolicies", True)
        for g in ("projectcalico.org", "crd.projectcalico.org")
    )
    server.kinds += [own, crd]
    read_input(["cluster:"], sources=SOURCES)

    assert own.path() in server.paths()
    assert crd.path() not in server.paths()


def test_the_role_of_the_page_is_that_of_the_kinds() -> None:
    """It lists, and does nothing else; no Secret is in it."""
    role = yaml.safe_load(cluster_role())

    assert f"```yaml\n{cluster_role()}```" in DOCS.read_text()
    assert {"list"} == {verb for rule in role["rules"] for verb in rule["verbs"]}
    assert "secrets" not in {name for rule in role["rules"] for name in rule["resources"]}
    assert {one.plural for one in MINE} - {"secrets"} <= {name for rule in role["rules"] for name in rule["resources"]}


# --- which text it is -----------------------------------------------------------------------------------------------


def test_a_file_of_the_name_has_precedence(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``cluster:prod`` is the file if there is one."""
    monkeypatch.chdir(tmp_path)
    Path("cluster:prod").write_text("{apiVersion: v1, kind: Pod, metadata: {name: c}}\n")

    assert ["c"] == [pod.meta.name for pod in read_input(["cluster:prod"], sources=SOURCES).objects.pods]
    assert [] == server.requests


def test_every_other_text_with_a_colon_is_another_form() -> None:
    """A branch named ``cluster`` is ``heads/cluster:PATH``."""
    claimed = {text: next(s.form for s in SOURCES if s.claims(text)) for text in ("cluster:a:b/c@d", "heads/cluster:x")}

    assert {"cluster:a:b/c@d": "cluster:CONTEXT", "heads/cluster:x": "REV:PATH"} == claimed
