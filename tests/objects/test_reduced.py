"""A lab's record has the fields that netlab reads, and no other fields."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sizes import samples

from netlab.objects import Document, decode, from_record, read, to_record
from netlab.objects.document_changes import NETLAB_VERSION, POD_LABELS, STOPPED_NODE  # type: ignore[attr-defined]
from netlab.objects.documents import parse
from netlab.objects.kind import every
from netlab.objects.meta import IGNORED_KIND
from netlab.objects.reduced import reduced
from netlab.objects.system_objects import SYSTEM_OBJECTS, system_document
from netlab.objects.types import Source

REPOSITORY = Path(__file__).parents[2]

# Every field that may hold a secret has this in it.
SECRET = "hunter2"  # noqa: S105  nobody's
CONTAINER = f"""\
      - name: c
        image: registry/shop
        command: [{SECRET}]
        args: [--password={SECRET}]
        env: [{{name: PASSWORD, value: {SECRET}}}]
        envFrom: [{{secretRef: {{name: {SECRET}}}}}]
        volumeMounts: [{{name: v, mountPath: /{SECRET}}}]
        livenessProbe: {{exec: {{command: [{SECRET}]}}, httpGet: {{httpHeaders: [{{name: a, value: {SECRET}}}]}}}}
        lifecycle: {{preStop: {{exec: {{command: [{SECRET}]}}}}}}
        ports:
        - {{name: http, containerPort: 80, protocol: TCP, hostPort: 8080}}
"""
META = f"""\
  namespace: shop
  uid: {SECRET}
  labels: {{app: web}}
  ownerReferences: [{{kind: ReplicaSet, name: web-1, controller: true, apiVersion: apps/v1, uid: {SECRET}}}]
  managedFields: [{{manager: {SECRET}, fieldsV1: {{"f:{SECRET}": {{}}}}}}]
  annotations:
    netlab/network: default
    kubectl.kubernetes.io/last-applied-configuration: '{{"password": "{SECRET}"}}'
"""
POD_SPEC = f"""\
      nodeSelector: {{zone: a}}
      hostname: web-0
      subdomain: web
      dnsPolicy: None
      dnsConfig: {{nameservers: [10.0.0.1], searches: [a.b], options: [{{name: ndots, value: "2"}}]}}
      hostAliases: [{{ip: 10.0.0.9, hostnames: [a]}}]
      hostNetwork: false
      imagePullSecrets: [{{name: {SECRET}}}]
      volumes: [{{name: v, configMap: {{name: {SECRET}}}}}]
      initContainers:
      - {{name: sidecar, restartPolicy: Always, env: [{{name: A, value: {SECRET}}}], ports: [{{containerPort: 90}}]}}
      - {{name: init, args: [{SECRET}], ports: [{{containerPort: 91}}]}}
      containers:
{CONTAINER}"""


def workload(version: str, kind: str, spec: str) -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {kind.lower()}\n{META}spec:\n{spec}"


def template(indent: str = "  ") -> str:
    metadata = "\n".join(f"    {line}" for line in META.splitlines())
    text = f"  template:\n    metadata:\n{metadata}\n    spec:\n{POD_SPEC}"
    return "".join(f"{indent}{line}\n" for line in text.splitlines())


CORPUS = {
    "Pod": f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n{META}spec:\n{POD_SPEC}"
    f"status: {{phase: Running, podIPs: [{{ip: 10.244.0.9}}], podIP: 10.244.0.9, message: {SECRET}, "
    f"conditions: [{{type: Ready, status: 'True', message: {SECRET}}}]}}\n",
    **{
        kind: workload("apps/v1", kind, f"  replicas: 2\n{template('')}")
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    },
    "ReplicationController": workload(
        "v1", "ReplicationController", f"  replicas: 2\n  selector: {{app: web}}\n{template('')}"
    ),
    "Job": workload("batch/v1", "Job", f"  parallelism: 2\n{template('')}"),
    "CronJob": workload("batch/v1", "CronJob", f"  schedule: {SECRET}\n  jobTemplate:\n   spec:\n{template('  ')}"),
    "Service": workload(
        "v1",
        "Service",
        "  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 7}}\n"
        "  selector: {app: web}\n  type: ClusterIP\n  clusterIP: 10.96.0.9\n  externalName: a.example\n"
        "  ports: [{name: http, port: 80, targetPort: http, protocol: TCP, appProtocol: http}]\n"
        f"status: {{conditions: [{{message: {SECRET}}}]}}\n",
    ),
    "EndpointSlice": f"""\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: s
{META}addressType: IPv4
endpoints:
- addresses: [10.244.0.9]
  conditions: {{ready: true, serving: true, terminating: false}}
  hostname: db-0
  nodeName: worker
  zone: a
  deprecatedTopology: {{a: {SECRET}}}
  hints: {{forZones: [{{name: a}}], forNodes: [{{name: worker}}]}}
  targetRef: {{kind: Pod, namespace: shop, name: db-0, uid: {SECRET}}}
ports: [{{name: sql, port: 5432, protocol: TCP, appProtocol: sql}}]
""",
    "Endpoints": f"""\
apiVersion: v1
kind: Endpoints
metadata:
  name: s
{META}subsets:
- addresses: [{{ip: 10.244.0.9, hostname: db-0, nodeName: worker, targetRef: {{kind: Pod, name: a, uid: {SECRET}}}}}]
  notReadyAddresses: [{{ip: 10.244.0.10}}]
  ports: [{{name: sql, port: 5432, protocol: TCP}}]
""",
    "Ingress": f"""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
{META}spec:
  ingressClassName: nginx
  defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}
  tls: [{{hosts: [shop.example], secretName: cert}}]
  rules:
  - host: shop.example
    http:
      paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{name: http}}}}}}}}]
status: {{loadBalancer: {{ingress: [{{hostname: {SECRET}}}]}}}}
""",
    "IngressClass": f"""\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: nginx, annotations: {{ingressclass.kubernetes.io/is-default-class: "true", a/b: {SECRET}}}}}
spec: {{controller: k8s.io/ingress-nginx, parameters: {{kind: ConfigMap, name: a, apiGroup: {SECRET}}}}}
""",
    "StoppedNode": """\
apiVersion: netlab/v1alpha1
kind: StoppedNode
metadata: {name: worker}
starting: true
""",
    "WorkloadPods": f"""\
apiVersion: netlab/v1alpha1
kind: WorkloadPods
metadata:
  namespace: shop
  name: deployment.web
  ownerReferences: [{{kind: Deployment, name: web, controller: true, uid: {SECRET}}}]
start: 2
replaced: ["4"]
missing: ["5"]
unready: ["6"]
pods: ["5", "6"]
previous:
  pods: ["3"]
  object:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{namespace: shop, name: web}}
    spec:
      replicas: 2
      template:
        spec: {{containers: [{{image: a, env: [{{name: A, value: {SECRET}}}], ports: [{{containerPort: 80}}]}}]}}
""",
    "Namespace": f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{team: a}}, annotations: {{a/b: {SECRET}}}}}
""",
    "Node": f"""\
apiVersion: v1
kind: Node
metadata: {{name: worker, labels: {{zone: a}}}}
spec: {{podCIDRs: [10.244.0.0/24], podCIDR: 10.244.0.0/24, providerID: {SECRET}}}
status:
  addresses: [{{type: InternalIP, address: 10.1.0.1}}, {{type: Hostname, address: n}}]
  nodeInfo: {{a: {SECRET}}}
""",
    "NetworkPolicy": f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
{META}status: {{conditions: [{{message: {SECRET}}}]}}
spec:
  podSelector: {{matchLabels: {{app: web}}, matchExpressions: [{{key: a, operator: In, values: [b]}}]}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector: {{}}
      namespaceSelector: {{matchLabels: {{team: a}}}}
    - ipBlock: {{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
    ports: [{{port: 80, endPort: 90, protocol: TCP}}, {{port: http}}]
  - {{}}
  egress: [{{to: [{{podSelector: {{matchExpressions: [{{key: x, operator: Exists}}]}}}}]}}]
""",
    "ClusterNetworkPolicy": f"""\
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata:
  name: p
{META}status: {{conditions: [{{message: {SECRET}}}]}}
spec:
  tier: Baseline
  priority: 7
  subject:
    pods:
      namespaceSelector: {{matchLabels: {{team: a}}}}
      podSelector: {{matchExpressions: [{{key: a, operator: In, values: [b]}}]}}
  ingress:
  - name: first
    action: Pass
    from:
    - namespaces: {{matchLabels: {{team: b}}}}
    - pods: {{podSelector: {{}}}}
    protocols:
    - tcp: {{destinationPort: {{number: 80}}}}
    - udp: {{destinationPort: {{range: {{start: 1, end: 2}}}}}}
    - destinationNamedPort: http
  egress:
  - action: Accept
    to: [{{networks: [10.0.0.0/8, 'fd00::/8']}}, {{nodes: {{matchLabels: {{zone: a}}}}}}, {{domainNames: [a.example]}}]
    protocols: [{{sctp: {{destinationPort: {{number: 81}}}}}}]
""",
    "AdminNetworkPolicy": f"""\
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata:
  name: p
{META}status: {{conditions: [{{message: {SECRET}}}]}}
spec:
  priority: 7
  subject: {{namespaces: {{matchLabels: {{team: a}}}}}}
  ingress:
  - action: Deny
    from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: web}}}}}}}}]
    ports: [{{portNumber: {{port: 80}}}}, {{portRange: {{protocol: UDP, start: 1, end: 2}}}}, {{namedPort: http}}]
  egress:
  - {{action: Allow, to: [{{networks: [10.1.2.3/8]}}, {{nodes: {{}}}}, {{domainNames: ['*.example.com']}}]}}
""",
    "BaselineAdminNetworkPolicy": f"""\
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata:
  name: default
{META}status: {{conditions: [{{message: {SECRET}}}]}}
spec:
  subject: {{namespaces: {{}}}}
  ingress: [{{name: all, action: Deny, from: [{{namespaces: {{}}}}]}}]
  egress: [{{action: Allow, to: [{{networks: ['::/0']}}], ports: [{{portNumber: {{protocol: SCTP, port: 1}}}}]}}]
""",
    "Topology": f"""\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {{name: t, annotations: {{a/b: {SECRET}}}}}
spec:
  networks: [{{name: default, mode: routed, podCIDRs: [10.244.0.0/16]}}, {{name: blue, podCIDRs: [10.9.0.0/16]}}]
  nodes: [{{name: worker, labels: {{zone: a}}}}]
  hosts: [{{name: h, addresses: [192.0.2.1], hostnames: [a.example]}}]
  underlayCIDRs: [100.70.0.0/16]
  serviceCIDRs: [10.97.0.0/16]
  loadBalancerCIDRs: [203.0.113.0/24]
  nodePortRange: 30000-30099
  clusterDomain: lab.example
  dns: false
  policy: {{icmp: allow, deny: reject, established: reevaluate, hairpin: exempt}}
""",
    "Profile": f"""\
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {{name: mine, annotations: {{a/b: {SECRET}}}}}
spec:
  base: flannel
  system: Mine
  versions: "1.2"
  about: Mine drops SCTP.
  families: [IPv4]
  podCIDRs: [10.8.0.0/16]
  policy: {{sctp: {{value: drop, mark: DOC, source: a page, about: All SCTP is dropped.}}}}
  wiring: {{bridgeName: {{value: mine0, mark: CODE, source: a file}}, vni: {{value: 7, mark: GUESS, source: none}}}}
  clusterPolicyFields: {{ignores: [nodes], mark: DOC, source: a page, about: It fails closed.}}
  quirks: [{{text: It drops SCTP., mark: ISSUE, source: "#1", settings: [sctp]}}]
""",
    IGNORED_KIND: f"""\
apiVersion: {NETLAB_VERSION}
kind: {IGNORED_KIND}
metadata: {{name: CiliumNetworkPolicy}}
""",
    SYSTEM_OBJECTS: json.dumps(system_document().data),
    POD_LABELS: f"""\
apiVersion: {NETLAB_VERSION}
kind: {POD_LABELS}
metadata: {{name: p-0}}
labels: {{a: b, c: null}}
""",
}


def documents_of(text: str) -> list[Document]:
    found, problems = parse(text, "x.yaml")
    assert [] == problems
    return found


def through_a_record(documents: list[Document]) -> list[Document]:
    """Return documents after a round trip through a record."""
    return from_record(json.loads(json.dumps(to_record(reduced(documents)))))


def decoded(document: Document) -> Any:
    """Return the object that a document is, and its errors."""
    _, problems = decode([document])
    return document.memo["object"][1], [p for p in problems if p.severity == "error"]


def paths_in(data: Any, path: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            child = f"{path}.{name}" if path else name
            yield child
            yield from paths_in(value, child)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield f"{path}[{index}]"
            yield from paths_in(value, f"{path}[{index}]")


def test_the_examples_have_every_kind() -> None:
    """A new kind needs an example here. A Scenario is not part of a lab. A Secret is part of it by an Ingress only."""
    assert {kind.name for kind in every() if kind.of_lab} - {"Secret"} == set(CORPUS)


@pytest.mark.parametrize("kind", CORPUS)
def test_a_reduced_document_is_read_as_the_same_object(kind: str) -> None:
    """Also after a round trip through a record. Every field has its line."""
    (document,) = documents_of(CORPUS[kind])
    (back,) = through_a_record([document])

    assert (decoded(document)[0], []) == decoded(back)
    assert document.source.line() == back.source.line()
    assert [] == [p for p in paths_in(back.data) if document.source.line(p) != back.source.line(p)]


@pytest.mark.parametrize("kind", CORPUS)
def test_no_field_is_kept_that_is_not_read(kind: str) -> None:
    """No value of env, no argument, no volume, no annotation of another tool, no status message."""
    assert SECRET in CORPUS[kind] or kind in (POD_LABELS, IGNORED_KIND, SYSTEM_OBJECTS, STOPPED_NODE)
    assert SECRET not in json.dumps(to_record(reduced(documents_of(CORPUS[kind]))))


def test_the_files_of_this_repository_are_read_as_the_same_objects() -> None:
    """The examples, topologies and scenarios of this repository."""
    documents, _ = read([str(REPOSITORY / folder) for folder in ("examples", "topologies", "scenarios")])
    # A record keeps no ConfigMap: `suggest` alone reads them, from files.
    given = [d for d in documents if d.kind not in ("Scenario", "Invariants", "ConfigMap")]
    back = through_a_record(documents)

    assert len(given) == len(back) > 50
    assert [decoded(d) for d in given] == [decoded(d) for d in back]


def mutated(data: Any, rng: random.Random) -> Any:
    """Return a copy of a document in which some values are missing, null or of another type."""
    data = copy.deepcopy(data)
    for _ in range(rng.randint(1, 3)):
        places = [
            (parent, key)
            for parent in containers_in(data)
            for key in (parent if isinstance(parent, dict) else range(len(parent)))
        ]
        parent, key = rng.choice(places)
        if key in ("apiVersion", "kind"):
            continue
        if rng.random() < 0.3:
            del parent[key]
        else:
            parent[key] = rng.choice([None, "", {}, [], [None], "x", 0, 80, False, {"a": "b"}])
    return data


def containers_in(data: Any) -> Iterator[Any]:
    if isinstance(data, (dict, list)):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from containers_in(value)


@pytest.mark.parametrize("kind", CORPUS)
def test_unusual_documents_are_read_as_the_same_object(kind: str) -> None:
    """With fields that are missing, null or empty. Documents with errors are never in a lab."""
    rng, right = random.Random(kind), 0  # noqa: S311  not for secrets
    (plain,) = documents_of(CORPUS[kind])
    for _ in range(samples(300)):
        document = Document(mutated(plain.data, rng), Source("x.yaml"))
        if decoded(document)[1]:
            continue
        right += 1
        (back,) = through_a_record([document])

        assert (decoded(document)[0], []) == decoded(back), document.data
    assert right > samples(20)


def test_documents_that_netlab_does_not_read_are_left_out() -> None:
    """Skipped kinds, kinds of other APIs with a known name, and Scenarios."""
    text = (
        "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: aHVudGVyMg==}}\n---\n"
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: s}}\n---\n"
        "{apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {name: s}, spec: {steps: []}}\n---\n"
        "{apiVersion: v1, kind: Service, metadata: {name: s}}\n"
    )

    assert [("v1", "Service")] == [(d.data["apiVersion"], d.kind) for d in reduced(documents_of(text))]


def test_duplicates_are_not_kept() -> None:
    """They were reported when the document was read, and may be of fields that are left out."""
    (document,) = documents_of("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {a: 1, a: 2}\n")

    assert document.duplicates
    assert () == reduced([document])[0].duplicates


def test_an_unchanged_document_is_not_reduced_again() -> None:
    """Documents that do not change are neither decoded nor reduced again."""
    documents = documents_of(CORPUS["Pod"])
    objects, _ = decode(documents)
    once = reduced(documents)

    assert [id(d) for d in once] == [id(d) for d in reduced(documents)] == [id(d) for d in reduced(once)]
    assert objects.pods[0] is decode(once)[0].pods[0]


def test_what_is_read_back_from_a_record_is_not_reduced_again() -> None:
    """Its documents are reduced already."""
    from netlab.objects.reduced import mark_reduced

    back = [mark_reduced(document) for document in through_a_record(documents_of(CORPUS["Pod"]))]

    assert [id(d) for d in back] == [id(d) for d in reduced(back)]
