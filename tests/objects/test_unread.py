"""Policies of other APIs: their kinds, how far each is read, and what it may do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from builders import selector

from netlab.errors import UsageError, together
from netlab.objects import Document, decode
from netlab.objects.ignored import ignored_documents
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Source
from netlab.objects.unread import Subject, UnreadPolicy, warning

CILIUM = ("cilium.io/v2", "CiliumNetworkPolicy")
CLUSTERWIDE = ("cilium.io/v2", "CiliumClusterwideNetworkPolicy")
CALICO = ("projectcalico.org/v3", "NetworkPolicy")
GLOBAL = ("crd.projectcalico.org/v1", "GlobalNetworkPolicy")
ANTREA = ("crd.antrea.io/v1beta1", "NetworkPolicy")
ANTREA_CLUSTER = ("crd.antrea.io/v1beta1", "ClusterNetworkPolicy")
TIERED = ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy")
ISTIO = ("security.istio.io/v1", "AuthorizationPolicy")
SERVER = ("policy.linkerd.io/v1beta3", "Server")
MULTI = ("k8s.cni.cncf.io/v1beta1", "MultiNetworkPolicy")
FIREWALL = ("k8s.ovn.org/v1", "EgressFirewall")
OTHER = ("crd.example.org/v1", "NetworkPolicy")


def document(kind: tuple[str, str], spec: str = "{}", *, namespace: str | None = "shop", **more: Any) -> Document:
    metadata = {"name": "p", **({"namespace": namespace} if namespace else {})}
    data = {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": yaml.safe_load(spec), **more}
    return Document(data, Source("p.yaml", {"": 3}))


def read(kind: tuple[str, str], spec: str = "{}", *, namespace: str | None = "shop", **more: Any) -> UnreadPolicy:
    objects, problems = decode([document(kind, spec, namespace=namespace, **more)])
    assert ["warning"] == [problem.severity for problem in problems]
    (found,) = objects.unread
    return found


def summary(policy: UnreadPolicy) -> list[str]:
    """Return the pods that a policy may select and what it may do, a line for each."""
    return [_summary(subject) for subject in policy.subjects]


def _summary(subject: Subject) -> str:
    pods = "nodes" if subject.nodes else f"{subject.namespace or subject.namespaces} {subject.pods}"
    could = [f"{verb} {','.join(sorted(d))}" for verb, d in (("deny", subject.denies), ("allow", subject.allows)) if d]
    return f"{pods}: {'; '.join(could) or 'nothing'}"


BOTH = "deny egress,ingress; allow egress,ingress"
RULE = "ingress: [{fromEndpoints: [{}]}]"


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (CILIUM, f"{{endpointSelector: {{matchLabels: {{k8s:app: db}}}}, {RULE}}}", "shop app in (db): I"),
        (CILIUM, f"{{endpointSelector: {{matchLabels: {{any:app: db}}}}, {RULE}}}", "shop app in (db): I"),
        (CILIUM, f"{{endpointSelector: {{matchLabels: {{app: db, container:x: y}}}}, {RULE}}}", "shop app in (db): I"),
        (CILIUM, f"{{endpointSelector: {{}}, {RULE}, egress: [{{}}]}}", f"shop <all>: {BOTH}"),
        (CILIUM, "{endpointSelector: {}, ingressDeny: [{fromEntities: [all]}]}", "shop <all>: deny ingress"),
        (CILIUM, "{endpointSelector: {}}", "shop <all>: deny egress,ingress"),
        (
            CILIUM,
            f"{{endpointSelector: {{}}, {RULE}, enableDefaultDeny: {{ingress: false}}}}",
            "shop <all>: allow ingress",
        ),
        (CILIUM, "{endpointSelector: {}, enableDefaultDeny: {egress: true}}", "shop <all>: deny egress"),
        (CILIUM, "1", f"shop <all>: {BOTH}"),
        (CALICO, "{selector: all(), types: [Ingress]}", "shop <all>: deny ingress"),
        (CALICO, "{}", "shop <all>: deny ingress"),
        (CALICO, "{egress: [{action: Deny}]}", "shop <all>: deny egress"),
        (
            CALICO,
            "{ingress: [{action: Pass}], egress: [{action: Log}]}",
            "shop <all>: deny egress,ingress; allow ingress",
        ),
        (MULTI, "{podSelector: {matchLabels: {a: b}}}", "shop a in (b): deny ingress"),
        (MULTI, "{podSelector: {}, policyTypes: [Egress], egress: [{}]}", "shop <all>: deny egress"),
        (FIREWALL, "{egress: [{type: Deny, to: {cidrSelector: 0.0.0.0/0}}]}", "shop <all>: deny egress"),
        (ISTIO, "{selector: {matchLabels: {a: b}}}", "shop a in (b): deny ingress"),
        (ISTIO, "{targetRefs: [{kind: Service, name: x}]}", "shop <all>: deny ingress"),
        (SERVER, "{podSelector: {matchLabels: {a: b}}, port: 80}", "shop a in (b): deny ingress"),
        (OTHER, "{selector: all()}", f"shop <all>: {BOTH}"),
        (("networking.gke.io/v1", "NetworkPolicy"), "{}", f"shop <all>: {BOTH}"),
        (("cilium.io/v2", "ciliumnetworkpolicy "), "{}", f"shop <all>: {BOTH}"),
        (("projectcalico.org/v3", "networkpolicy"), "{}", f"shop <all>: {BOTH}"),
        (("example.org/v1", "FooNetworkPolicy"), "{}", f"shop <all>: {BOTH}"),
        (("authz.example.org/v1", "AuthorizationPolicy"), "{}", f"shop <all>: {BOTH}"),
    ],
)
def test_policies_of_a_namespace(kind: tuple[str, str], spec: str, expected: str) -> None:
    """Plain labels are read, and directions and actions as far as they are known."""
    assert [expected.replace(": I", ": deny ingress; allow ingress")] == summary(read(kind, spec))


DENY = "ingress: [{action: Deny, from: [{namespaces: {}}]}]"
ALLOW = "egress: [{action: Accept, to: [{namespaces: {}}]}]"
TEAM = "{matchLabels: {team: a}}"
CLUSTER = [
    (TIERED, f"{{subject: {{namespaces: {TEAM}}}, {DENY}}}", ["team in (a) <all>: deny ingress"]),
    (TIERED, f"{{subject: {{namespaces: {{}}}}, {ALLOW}}}", ["<all> <all>: allow egress"]),
    (TIERED, f"{{subject: {{namespaces: {{namespaceSelector: {TEAM}}}}}, {DENY}}}", ["<all> <all>: deny ingress"]),
    (TIERED, "{subject: {namespaces: {}}, ingress: [{action: Pass}]}", ["<all> <all>: nothing"]),
    (TIERED, "{subject: {namespaces: {}}, ingress: [{action: []}]}", ["<all> <all>: deny ingress; allow ingress"]),
    (TIERED, f"{{tier: Baseline, subject: {{namespaces: {{}}}}, {DENY}, {ALLOW}}}", ["<all> <all>: deny ingress"]),
    (
        TIERED,
        f"{{tier: Admin, subject: {{pods: {{namespaceSelector: {TEAM}, podSelector: {TEAM}}}}}, {DENY}}}",
        ["team in (a) team in (a): deny ingress"],
    ),
    (TIERED, f"{{tier: Baseline, subject: {{pods: {{podSelector: {{}}}}}}, {ALLOW}}}", ["<all> <all>: nothing"]),
    (TIERED, DENY.join("{}"), ["<all> <all>: deny ingress"]),
    (
        CLUSTERWIDE,
        "{endpointSelector: {matchLabels: {k8s:io.kubernetes.pod.namespace: shop}}, egress: [{}]}",
        ["kubernetes.io/metadata.name in (shop) <all>: deny egress; allow egress"],
    ),
    (
        CLUSTERWIDE,
        "{endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: a, app: b}}, egress: [{}]}",
        ["team in (a) app in (b): deny egress; allow egress"],
    ),
    (CLUSTERWIDE, "{nodeSelector: {}, ingressDeny: [{}]}", ["nodes: deny ingress"]),
    (GLOBAL, "{selector: app == 'a', types: [Ingress]}", ["<all> app in (a): deny ingress", "nodes: deny ingress"]),
    (GLOBAL, "{namespaceSelector: team == 'a', types: [Egress]}", ["team in (a) <all>: deny egress"]),
    (
        GLOBAL,
        "{namespaceSelector: projectcalico.org/name == 'a', types: [Egress]}",
        ["kubernetes.io/metadata.name in (a) <all>: deny egress"],
    ),
    (GLOBAL, "{selector: app == 'a', preDNAT: true}", [f"<all> <all>: {BOTH}", "nodes: deny ingress"]),
    (
        ANTREA_CLUSTER,
        f"{{appliedTo: [{{podSelector: {TEAM}}}, {{nodeSelector: {{}}}}, {{group: g}}], ingress: [{{action: Drop}}]}}",
        ["<all> team in (a): deny ingress", "nodes: deny ingress", "<all> <all>: deny ingress"],
    ),
    (("example.org/v1", "FooNetworkPolicy"), "{}", [f"<all> <all>: {BOTH}", f"nodes: {BOTH}"]),
    (OTHER, "{}", [f"<all> <all>: {BOTH}", f"nodes: {BOTH}"]),
]


@pytest.mark.parametrize(("kind", "spec", "expected"), CLUSTER, ids=range(len(CLUSTER)))
def test_policies_of_the_cluster(kind: tuple[str, str], spec: str, expected: list[str]) -> None:
    """Their selectors match labels of namespaces too. Some may select nodes."""
    assert expected == summary(read(kind, spec, namespace=None))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{appliedTo: [{podSelector: {}}], ingress: [{action: Allow}]}", ["shop <all>: allow ingress"]),
        ("{appliedTo: [{podSelector: {}}], egress: [{action: Reject}]}", ["shop <all>: deny egress"]),
        (
            "{tier: baseline, egress: [{action: Allow}, {action: Drop}]}",
            ["shop <all>: nothing", "shop <all>: deny egress"],
        ),
        ("{ingress: [{action: Pass}]}", []),
        (
            "{ingress: [{action: Allow, l7Protocols: [{}], appliedTo: [{podSelector: {matchLabels: {a: b}}}]}]}",
            ["shop a in (b): deny ingress; allow ingress"],
        ),
        ("{}", []),
    ],
)
def test_only_rules_of_antrea_decide(spec: str, expected: list[str]) -> None:
    """An Antrea policy does not isolate pods. Its baseline tier cannot allow what NetworkPolicy denies."""
    assert expected == summary(read(ANTREA, spec))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app == 'web'", "app in (web)"),
        ('app == "web" && tier != "db"', "app in (web),tier notin (db)"),
        ("has(app) && !has(old)", "app,!old"),
        ("app in {'a', 'b'} && zone not  in { 'c' }", "app in (a,b),zone notin (c)"),
        ("all()", ""),
        ("", ""),
        ("app == 'web' && name starts with 'x'", "app in (web)"),
        ("app == 'web' && projectcalico.org/serviceaccount == 'x'", "app in (web)"),
        ("app == 'web' || app == 'db' && tier == 'x'", ""),
        ("app == 'web' && !(tier == 'db')", ""),
        ("(app == 'web')", ""),
        ("app == 'a&&b'", "app in (a&&b)"),
        ("app ==", ""),
    ],
)
def test_calico_selectors(text: str, expected: str) -> None:
    """Terms joined by ``&&`` are read. A selector with other syntax matches every pod."""
    (subject,) = read(CALICO, json.dumps({"selector": text})).subjects

    assert LabelSelector((), selector_requirements(expected)) == subject.pods


def selector_requirements(text: str) -> tuple[Any, ...]:
    return selector(text).match_expressions


def test_a_long_calico_selector_is_read_whole() -> None:
    """Ten thousand terms."""
    text = " && ".join(f"a{i} == 'b'" for i in range(10_000))
    (subject,) = read(CALICO, json.dumps({"selector": text})).subjects

    assert 10_000 == len(subject.pods.match_expressions)


@pytest.mark.parametrize("junk", [" ", "! ", "{ ", "a in { ", '"', "a ", "has( "])
def test_a_calico_selector_that_cannot_be_read_takes_linear_time(junk: str) -> None:
    """Many blanks: a new search from each of them would take quadratic time."""
    (subject,) = read(CALICO, json.dumps({"selector": f"{junk * 100_000}?"})).subjects

    assert LabelSelector() == subject.pods


def test_rules_of_one_cilium_policy_select_each_by_itself() -> None:
    """``specs`` has several rules, with or without ``spec``."""
    rules = [{"endpointSelector": {"matchLabels": {"app": app}}, "egress": [{}]} for app in "ab"]

    assert ["shop app in (a): deny egress; allow egress", "shop app in (b): deny egress; allow egress"] == summary(
        read(CILIUM, "null", specs=rules)
    )


@pytest.mark.parametrize(
    ("kind", "spec", "protocols", "outside"),
    [
        (ISTIO, "{}", {"TCP"}, False),
        (SERVER, "{}", {"TCP"}, False),
        (FIREWALL, "{}", set(), True),
        (("network.openshift.io/v1", "EgressNetworkPolicy"), "{}", set(), True),
        (CILIUM, "{}", set(), False),
    ],
)
def test_what_a_kind_decides_about(kind: tuple[str, str], spec: str, protocols: set[str], outside: bool) -> None:
    """Service meshes decide about TCP only, an egress firewall about traffic that leaves the cluster."""
    found = read(kind, spec)

    assert (protocols, outside) == (found.protocols, found.outside)  # type: ignore[comparison-overlap]


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (("security.istio.io/v1", "PeerAuthentication"), "{mtls: {mode: STRICT}}", ["shop <all>: deny ingress"]),
        (("security.istio.io/v1", "PeerAuthentication"), "{mtls: {mode: PERMISSIVE}}", []),
        (
            ("security.istio.io/v1", "PeerAuthentication"),
            "{selector: {matchLabels: {app: db}}, portLevelMtls: {'80': {mode: STRICT}}}",
            ["shop app in (db): deny ingress"],
        ),
        (
            ("vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy"),
            "{podSelector: {matchLabels: {app: db}}}",
            ["shop app in (db): deny egress,ingress"],
        ),
        (("projectcalico.org/v3", "HostEndpoint"), "{node: a}", ["nodes: deny egress,ingress"]),
        (("crd.nsx.vmware.com/v1alpha1", "SecurityPolicy"), "{}", [f"shop <all>: {BOTH}"]),
        (("kuma.io/v1alpha1", "MeshTrafficPermission"), "{}", [f"<all> <all>: {BOTH}", f"nodes: {BOTH}"]),
        (("consul.hashicorp.com/v1alpha1", "ServiceIntentions"), "{}", [f"<all> <all>: {BOTH}", f"nodes: {BOTH}"]),
    ],
)
def test_kinds_of_meshes_and_clouds_that_decide(kind: tuple[str, str], spec: str, expected: list[str]) -> None:
    """Their names do not end with NetworkPolicy."""
    assert expected == summary(read(kind, spec))


def test_istio_policies_of_the_root_namespace_are_about_every_namespace() -> None:
    """The root namespace is istio-system by default."""
    assert ["<all> <all>: deny ingress"] == summary(read(ISTIO, namespace="istio-system"))


@pytest.mark.parametrize(
    ("kind", "spec"),
    [(ISTIO, "{action: AUDIT}"), (SERVER, "{accessPolicy: all-unauthenticated}"), (SERVER, "{accessPolicy: audit}")],
)
def test_policies_that_decide_nothing(kind: tuple[str, str], spec: str) -> None:
    """They get the warning, and make no verdict unknown."""
    assert [] == summary(read(kind, spec))


@pytest.mark.parametrize(
    "kind",
    [
        ("projectcalico.org/v3", "StagedNetworkPolicy"),
        ("crd.projectcalico.org/v1", "StagedGlobalNetworkPolicy"),
        ("projectcalico.org/v3", "StagedKubernetesNetworkPolicy"),
        ("cilium.io/v2", "CiliumEndpoint"),
        ("projectcalico.org/v3", "IPPool"),
        ("example.org/v1", "Server"),
    ],
)
def test_kinds_that_are_no_policies_are_skipped(kind: tuple[str, str]) -> None:
    """So are Calico's staged policies, which are not enforced."""
    objects, problems = decode([document(kind)])

    assert ([], (), {kind[1]: 1}) == (problems, objects.unread, objects.skipped)


@pytest.mark.parametrize("spec", ["null", "[]", "1", "{subject: 1, ingress: {a: b}, selector: [1], egress: [1, null]}"])
@pytest.mark.parametrize(
    "kind",
    [CILIUM, CLUSTERWIDE, CALICO, GLOBAL, ANTREA, ANTREA_CLUSTER, TIERED, ISTIO, SERVER, MULTI, FIREWALL, OTHER],
    ids=lambda kind: f"{kind[1]} of {kind[0]}",
)
def test_an_invalid_policy_of_another_api_is_no_error(kind: tuple[str, str], spec: str) -> None:
    """netlab does not validate policies of other APIs."""
    assert isinstance(read(kind, spec), UnreadPolicy)


@pytest.mark.parametrize(
    "written",
    [
        "{matchLabels: {app: 1}}",
        "{matchExpressions: [{key: app, operator: in, values: [a]}]}",
        "{matchExpressions: [{key: app, operator: In, values: []}, {key: b, operator: In, values: [1]}, 1]}",
        "{matchExpressions: [{key: [1], operator: Exists}, {key: c, operator: Exists, values: [d]}]}",
        "[]",
    ],
)
def test_unreadable_parts_of_a_selector_are_left_out(written: str) -> None:
    """So it matches more pods, never fewer."""
    assert ["shop <all>: deny ingress"] == summary(read(MULTI, f"{{podSelector: {written}}}"))


def test_the_warning_names_the_object_and_the_option() -> None:
    """With the group, if netlab reads a kind of that name in another group."""
    policies = [read(CILIUM), read(OTHER)]

    assert [
        "p.yaml:3: CiliumNetworkPolicy shop/p: netlab does not read CiliumNetworkPolicy of cilium.io; the verdict of"
        " a pair that such a policy could change is unknown; to leave all policies of this kind out:"
        " --ignore CiliumNetworkPolicy",
        "p.yaml:3: NetworkPolicy shop/p: netlab does not read NetworkPolicy of crd.example.org; the verdict of a pair"
        " that such a policy could change is unknown; to leave all policies of this kind out:"
        " --ignore NetworkPolicy.crd.example.org",
    ] == [str(warning(policy)) for policy in policies]


def test_several_of_one_kind_are_one_line() -> None:
    """If not all warnings are printed."""
    first, *more = together(map(warning, [read(CILIUM), read(CALICO), read(CILIUM), read(CILIUM)]))

    assert str(first).startswith("p.yaml:3: CiliumNetworkPolicy shop/p and 2 more: netlab does not read")
    assert 1 == len(more)


def test_kinds_are_printed_with_printable_characters() -> None:
    """Control characters are escaped in the warning and in reasons."""
    policy = read(("example.org/v1", "\x1b[2JNetworkPolicy"))

    assert (str(warning(policy)) + str(policy)).isprintable()


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["CiliumNetworkPolicy"], ["NetworkPolicy"]),
        (["ciliumnetworkpolicy.cilium.io"], ["NetworkPolicy"]),
        (["CiliumNetworkPolicy.example.org"], ["CiliumNetworkPolicy", "NetworkPolicy"]),
        (["NetworkPolicy"], ["CiliumNetworkPolicy"]),
        (["NetworkPolicy.crd.example.org", "CiliumNetworkPolicy"], []),
    ],
)
def test_ignored_kinds_are_skipped(ignore: list[str], left: list[str], strict: bool) -> None:
    """By kind, or by kind and group. They are counted and never an error. Kinds that netlab reads stay."""
    own = document(("networking.k8s.io/v1", "NetworkPolicy"), "{podSelector: {}}")
    objects, problems = decode([own, document(CILIUM), document(OTHER), *ignored_documents(ignore)], strict=strict)

    assert (left, 1) == ([policy.kind for policy in objects.unread], len(objects.policies))
    assert left == [problem.object.split()[0] for problem in problems]
    assert 2 - len(left) == sum(objects.skipped.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "write KIND or KIND.GROUP, as in CiliumNetworkPolicy.cilium.io"),
        ("Foo.", "write KIND or KIND.GROUP"),
        ("a/b", "write KIND or KIND.GROUP"),
        ("Pod", "netlab reads this kind, and what it reads counts"),
        ("NetworkPolicy.networking.k8s.io", "netlab reads this kind, and what it reads counts"),
    ],
)
def test_names_that_cannot_be_ignored(name: str, message: str) -> None:
    """An invalid name, and a kind that netlab reads."""
    with pytest.raises(UsageError, match=f"^--ignore .*{message}"):
        ignored_documents([name])


def test_ignored_twice_is_ignored(read_text: Callable[[str], Any]) -> None:
    """The input and a lab's record may both have it."""
    objects, problems = read_text("""\
        {apiVersion: netlab/v1alpha1, kind: IgnoredKind, metadata: {name: A}}
        ---
        {apiVersion: netlab/v1alpha1, kind: IgnoredKind, metadata: {name: A}}
        ---
        {apiVersion: netlab/v1alpha1, kind: IgnoredKind, metadata: {name: "a b"}}
        """)

    assert ["metadata.name"] == [problem.path for problem in problems]
    assert () == objects.unread
