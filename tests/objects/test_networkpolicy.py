"""NetworkPolicy: defaults, and every rule of the API server's validation with its path and its message."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from name_messages import SUBDOMAIN

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector, Requirement

Read = Callable[[str], tuple[Objects, list[Problem]]]
Problems = Callable[[str], list[str]]

HEAD = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\n"


def policy(spec: str) -> str:
    """Return a policy whose spec is the text, which begins in line 5."""
    return f"{HEAD}spec:\n{textwrap.indent(textwrap.dedent(spec), '  ')}"


@pytest.fixture
def policy_of(read_text: Read) -> Callable[[str], NetworkPolicy]:
    def decoded(spec: str) -> NetworkPolicy:
        objects, problems = read_text(policy(spec))

        assert [] == [str(p) for p in problems if p.severity == "error"]
        return objects.policies[0]

    return decoded


# --- validation -----------------------------------------------------------------------------------------------------

KEY = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
RANGE = "must be between 1 and 65535, inclusive"
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
SUBSET = "must be a strict subset of `cidr`"

PORTS = [
    ("protocol", "protocol: ICMP", 'protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'),
    ("protocol case", "protocol: tcp", 'protocol: Unsupported value: "tcp": supported values: "TCP", "UDP", "SCTP"'),
    ("port 0", "port: 0", f"port: Invalid value: 0: {RANGE}"),
    ("port too large", "port: 65536", f"port: Invalid value: 65536: {RANGE}"),
    ("port negative", "port: -1", f"port: Invalid value: -1: {RANGE}"),
    ("quoted number", "port: '80'", 'port: Invalid value: "80": must contain at least one letter (a-z)'),
    (
        "name too long",
        "port: http-and-more-80",
        'port: Invalid value: "http-and-more-80": must be no more than 15 characters',
    ),
    (
        "name in upper case",
        "port: Http",
        'port: Invalid value: "Http": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ),
    ("hyphens", "port: a--b", 'port: Invalid value: "a--b": must not contain consecutive hyphens'),
    ("hyphen first", "port: -a", 'port: Invalid value: "-a": must not begin or end with a hyphen'),
    (
        "endPort below port",
        "port: 80, endPort: 79",
        "endPort: Invalid value: 79: must be greater than or equal to `port`",
    ),
    ("endPort too large", "port: 80, endPort: 65536", f"endPort: Invalid value: 65536: {RANGE}"),
    (
        "endPort of a name",
        "port: http, endPort: 90",
        "endPort: Invalid value: 90: may not be specified when `port` is non-numeric",
    ),
    ("endPort alone", "endPort: 90", "endPort: Invalid value: 90: may not be specified when `port` is not specified"),
    ("port a list", "port: [80]", "port: Invalid value: [80]: must be an integer or a string"),
    ("port a fraction", "port: 80.5", "port: Invalid value: 80.5: must be an integer or a string"),
    ("port a boolean", "port: yes", "port: Invalid value: true: must be an integer or a string"),
    ("unknown field", "prot: TCP", 'prot: unknown field "prot"; did you mean "port"?'),
]
KUBERNETES_1_35 = """
---
{apiVersion: netlab/v1alpha1, kind: Topology, spec: {kubernetesVersion: "1.35"}}
"""
PEERS = [
    ("empty", "{}", ": Required value: must specify a peer"),
    ("null selector only", "{podSelector: }", ": Required value: must specify a peer"),
    (
        "ipBlock and selector",
        "{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}",
        ": Forbidden: may not specify both ipBlock and another peer",
    ),
    (
        "ipBlock and namespaces",
        "{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}",
        ": Forbidden: may not specify both ipBlock and another peer",
    ),
    ("no cidr", "{ipBlock: {}}", ".ipBlock.cidr: Required value"),
    ("empty cidr", "{ipBlock: {cidr: ''}}", ".ipBlock.cidr: Required value"),
    ("bad cidr", "{ipBlock: {cidr: here}}", f'.ipBlock.cidr: Invalid value: "here": {CIDR}'),
    ("address as cidr", "{ipBlock: {cidr: 10.0.0.1}}", f'.ipBlock.cidr: Invalid value: "10.0.0.1": {CIDR}'),
    (
        "bad except",
        "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.1]}}",
        f'.ipBlock.except[0]: Invalid value: "10.0.0.1": {CIDR}',
    ),
    (
        "except is cidr",
        "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}",
        f'.ipBlock.except[0]: Invalid value: "10.0.0.0/8": {SUBSET}',
    ),
    (
        "except outside",
        "{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 11.0.0.0/16]}}",
        f'.ipBlock.except[1]: Invalid value: "11.0.0.0/16": {SUBSET}',
    ),
    (
        "except wider",
        "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/7]}}",
        f'.ipBlock.except[0]: Invalid value: "10.0.0.0/7": {SUBSET}',
    ),
    (
        "except of the other family",
        "{ipBlock: {cidr: 0.0.0.0/0, except: ['fd00::/64']}}",
        f'.ipBlock.except[0]: Invalid value: "fd00::/64": {SUBSET}',
    ),
    (
        "unknown field",
        "{podSelector: {}, podSelectors: {}}",
        '.podSelectors: unknown field "podSelectors"; did you mean "podSelector"?',
    ),
    ("a string", "web", ': Invalid value: "web": must be a mapping'),
]
SELECTORS = [
    (
        "In without values",
        "{matchExpressions: [{key: a, operator: In}]}",
        "matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ),
    (
        "NotIn without values",
        "{matchExpressions: [{key: a, operator: NotIn, values: []}]}",
        "matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ),
    (
        "Exists with values",
        "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
        "matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    ),
    (
        "DoesNotExist with values",
        "{matchExpressions: [{key: a, operator: DoesNotExist, values: [b]}]}",
        "matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    ),
    (
        "operator",
        "{matchExpressions: [{key: a, operator: in, values: [b]}]}",
        'matchExpressions[0].operator: Invalid value: "in": not a valid selector operator',
    ),
    (
        "no operator",
        "{matchExpressions: [{key: a}]}",
        'matchExpressions[0].operator: Invalid value: "": not a valid selector operator',
    ),
    (
        "expression's key",
        "{matchExpressions: [{key: -a, operator: Exists}]}",
        f'matchExpressions[0].key: Invalid value: "-a": name part {KEY}',
    ),
    (
        "expression's value",
        "{matchExpressions: [{key: a, operator: In, values: [b, 'c d']}]}",
        f'matchExpressions[0].values[1]: Invalid value: "c d": {VALUE}',
    ),
    ("key", "{matchLabels: {-a: b}}", f'matchLabels: Invalid value: "-a": name part {KEY}'),
    ("prefix", "{matchLabels: {A/a: b}}", f'matchLabels: Invalid value: "A/a": prefix part {SUBDOMAIN}'),
    ("empty prefix", "{matchLabels: {/a: b}}", 'matchLabels: Invalid value: "/a": prefix part must be non-empty'),
    (
        "long key",
        f"{{matchLabels: {{{'a' * 64}: b}}}}",
        f'matchLabels: Invalid value: "{"a" * 64}": name part must be no more than 63 bytes',
    ),
    ("value", "{matchLabels: {a: b/c}}", f'matchLabels: Invalid value: "b/c": {VALUE}'),
    (
        "long value",
        f"{{matchLabels: {{a: {'b' * 64}}}}}",
        f'matchLabels: Invalid value: "{"b" * 64}": must be no more than 63 bytes',
    ),
    ("number as value", "{matchLabels: {a: 1}}", "matchLabels.a: Invalid value: 1: must be a string; put it in quotes"),
    (
        "yes as value",
        "{matchLabels: {a: yes}}",
        "matchLabels.a: Invalid value: true: must be a string; put it in quotes"
        " (without them y, n, yes, no, on and off are booleans in YAML)",
    ),
    ("unknown field", "{matchLabel: {}}", 'matchLabel: unknown field "matchLabel"; did you mean "matchLabels"?'),
]
SPECS = [
    (
        "unknown type",
        "policyTypes: [Ingress, Egres]",
        'spec.policyTypes[1]: Unsupported value: "Egres": supported values: "Ingress", "Egress"',
    ),
    (
        "three types",
        "policyTypes: [Ingress, Egress, Foo]",
        'spec.policyTypes: Invalid value: ["Ingress","Egress","Foo"]: may not specify more than two policyTypes',
    ),
    ("types no list", "policyTypes: Ingress", 'spec.policyTypes: Invalid value: "Ingress": must be a list'),
    ("unknown field", "ingres: []", 'spec.ingres: unknown field "ingres"; did you mean "ingress"?'),
    ("to in ingress", "ingress: [{to: []}]", 'spec.ingress[0].to: unknown field "to"'),
    ("from in egress", "egress: [{from: []}]", 'spec.egress[0].from: unknown field "from"'),
    ("duplicate field", "ingress: []\ningress: []", "spec.ingress: duplicate field"),
    (
        "duplicate label",
        "podSelector: {matchLabels: {a: b, a: c}}",
        "spec.podSelector.matchLabels.a: duplicate field",
    ),
    ("ingress no list", "ingress: {}", "spec.ingress: Invalid value: {}: must be a list"),
    ("selector no mapping", "podSelector: web", 'spec.podSelector: Invalid value: "web": must be a mapping'),
]
METADATA = [
    ("no name", "{namespace: shop}", "metadata.name: Required value: name or generateName is required"),
    ("generated name", "{generateName: A-}", f'metadata.generateName: Invalid value: "A-": {SUBDOMAIN}'),
    ("name", "{name: A}", f'metadata.name: Invalid value: "A": {SUBDOMAIN}'),
    (
        "long name",
        f"{{name: {'a' * 254}}}",
        f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 characters',
    ),
    ("namespace", "{name: a, namespace: b.c}", 'metadata.namespace: Invalid value: "b.c": must not contain dots'),
    ("label", "{name: a, labels: {b: c/d}}", f'metadata.labels: Invalid value: "c/d": {VALUE}'),
    ("annotation", "{name: a, annotations: {-b: c}}", f'metadata.annotations: Invalid value: "-b": name part {KEY}'),
    ("name a number", "{name: 1}", "metadata.name: Invalid value: 1: must be a string; put it in quotes"),
    (
        "unknown field",
        "{name: a, namespaces: b}",
        'metadata.namespaces: unknown field "namespaces"; did you mean "namespace"?',
    ),
]
RULES = [
    *[
        (f"port: {n}", policy(f"ingress: [{{ports: [{{}}, {{{t}}}]}}]"), f"spec.ingress[0].ports[1].{m}")
        for n, t, m in PORTS
    ],
    (
        "port: egress",
        policy("egress: [{}, {ports: [{port: 0}]}]"),
        f"spec.egress[1].ports[0].port: Invalid value: 0: {RANGE}",
    ),
    *[(f"peer: {n}", policy(f"ingress: [{{from: [{t}]}}]"), f"spec.ingress[0].from[0]{m}") for n, t, m in PEERS],
    ("peer: egress", policy("egress: [{to: [{}]}]"), "spec.egress[0].to[0]: Required value: must specify a peer"),
    *[(f"selector: {n}", policy(f"podSelector: {t}"), f"spec.podSelector.{m}") for n, t, m in SELECTORS],
    *[
        (
            f"selector: {where}",
            policy(f"egress: [{{to: [{{{where}: {{matchLabels: {{a: b/c}}}}}}]}}]"),
            f'spec.egress[0].to[0].{where}.matchLabels: Invalid value: "b/c": {VALUE}',
        )
        for where in ("podSelector", "namespaceSelector")
    ],
    *[(f"spec: {n}", policy(t), m) for n, t, m in SPECS],
    *[(f"metadata: {n}", f"{HEAD.splitlines()[0]}\nkind: NetworkPolicy\nmetadata: {t}\n", m) for n, t, m in METADATA],
    ("root: unknown field", f"{HEAD}specs: {{}}\n", 'specs: unknown field "specs"; did you mean "spec"?'),
]


@pytest.mark.parametrize(("text", "message"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_what_the_api_server_refuses_is_refused_in_its_words(problems: Problems, text: str, message: str) -> None:
    """Each rule has its field path and its message, and there is no further problem."""
    assert [message] == [found for found in problems(text) if "not supported yet" not in found]


def test_several_rules_can_be_broken_at_once(problems: Problems) -> None:
    """All are reported, also several of one value."""
    found = problems(policy("ingress: [{from: [{}], ports: [{port: 70000, endPort: 0, protocol: X}]}]"))

    assert [
        'spec.ingress[0].ports[0].protocol: Unsupported value: "X": supported values: "TCP", "UDP", "SCTP"',
        f"spec.ingress[0].ports[0].port: Invalid value: 70000: {RANGE}",
        "spec.ingress[0].ports[0].endPort: Invalid value: 0: must be greater than or equal to `port`",
        f"spec.ingress[0].ports[0].endPort: Invalid value: 0: {RANGE}",
        "spec.ingress[0].from[0]: Required value: must specify a peer",
    ] == [message for message in found if "not supported yet" not in message]


def test_a_problem_names_file_line_and_object(read_text: Read) -> None:
    """One line: file, the field's own line, the object, the path, what is wrong."""
    text = policy("""\
        podSelector:
          matchLabels:
            app: web
            tier: "a b"
        ingress:
        - from:
          - podSelector: {}
            ipBlock:
              cidr: 10.0.0.0/8
        """)
    problems = [str(p) for p in read_text(text)[1]]

    assert [
        f'x.yaml:8: NetworkPolicy shop/p: spec.podSelector.matchLabels: Invalid value: "a b": {VALUE}',
        "x.yaml:11: NetworkPolicy shop/p: spec.ingress[0].from[0]: Forbidden: "
        "may not specify both ipBlock and another peer",
    ] == problems


@pytest.mark.parametrize(
    "version",
    [
        *("extensions/v1beta1", "networking.k8s.io/v1beta1", "v1", "networking/v1", "networkingk8s.io/v1"),
        *("network.k8s.io/v1", "networking.kubernetes.io/v1", "policy.networking.k8s.io/v1alpha1"),
    ],
)
def test_a_policy_of_a_retired_or_misspelt_group_is_an_error(problems: Problems, version: str) -> None:
    """To skip it would let more traffic through than intended."""
    assert [
        f'apiVersion: Invalid value: "{version}": no NetworkPolicy that netlab reads; write "networking.k8s.io/v1"'
    ] == problems(f"apiVersion: {version}\nkind: NetworkPolicy\nmetadata: {{name: a}}\n")


# --- what is accepted, and what it means ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        "podSelector: {}",
        "policyTypes: [Ingress, Ingress]",
        "policyTypes: []",
        "ingress: [{from: [], ports: []}]",
        "ingress: [{from: , ports: }]",
        "ingress: [{from: [{ipBlock: {cidr: '::/0', except: ['fd00::/8']}}]}]",
        "egress: [{ports: [{port: 53, protocol: UDP}, {port: 53, protocol: UDP}]}]",
        "ingress: [{from: [{podSelector: {matchLabels: {a: ''}}}]}]",
        "ingress: [{from: [{podSelector: {matchLabels: {a: }}}]}]",
    ],
)
def test_what_the_api_server_accepts_is_accepted(problems: Problems, spec: str) -> None:
    """Unusual, but valid."""
    assert [] == problems(policy(spec))


def test_an_exported_policy_is_accepted(problems: Problems) -> None:
    """With all fields that `kubectl get -o yaml` adds, and the status of some versions."""
    text = f"""\
{HEAD.replace("shop}", "shop, uid: x, resourceVersion: '1', generation: 1, creationTimestamp: 2024-01-01T00:00:00Z}")}\
spec: {{podSelector: {{}}, policyTypes: [Ingress]}}
status: {{}}
"""

    assert [] == problems(text)


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ("{}", {"ingress"}),
        ("policyTypes: []", {"ingress"}),
        ("egress: []", {"ingress"}),
        ("egress: [{}]", {"ingress", "egress"}),
        ("policyTypes: [Egress]", {"egress"}),
        ("policyTypes: [Egress]\ningress: [{}]", {"egress"}),
        ("policyTypes: [Ingress]\negress: [{}]", {"ingress"}),
        ("policyTypes: [Ingress, Egress]", {"ingress", "egress"}),
    ],
)
def test_policy_types_default(policy_of: Callable[[str], NetworkPolicy], spec: str, types: set[str]) -> None:
    """Without policyTypes a policy isolates ingress, and with an egress rule egress too."""
    assert types == policy_of(spec).policy_types


def test_rules_without_effect_have_a_warning(read_text: Read) -> None:
    """They are valid, and probably a mistake."""
    _, problems = read_text(policy("policyTypes: [Ingress]\negress: [{}]"))

    message = "rules have no effect: policyTypes has no Egress; add it, or remove the rules"
    assert [("warning", "spec.egress", 6, message)] == [(p.severity, p.path, p.line, p.message) for p in problems]


NULLS = [
    ("ingress: [{from: }]", "ingress[0].from", "every source"),
    ("egress: [{to: }]", "egress[0].to", "every destination"),
    ("ingress: [{ports: }]", "ingress[0].ports", "every port of every protocol"),
    ("ingress: [{ports: [{port: }]}]", "ingress[0].ports[0].port", "every TCP port"),
    ("ingress: [{ports: [{port: , protocol: UDP}]}]", "ingress[0].ports[0].port", "every UDP port"),
    ("ingress: [{ports: [null]}]", "ingress[0].ports[0]", "every TCP port"),
    ("ingress: [null]", "ingress[0]", "a rule for every peer and port"),
    ("podSelector: ", "podSelector", "every pod of the namespace"),
    ("podSelector: {matchLabels: }", "podSelector.matchLabels", "every pod of the namespace"),
    ("podSelector: {matchExpressions: }", "podSelector.matchExpressions", "every pod of the namespace"),
    ("ingress: [{from: [{podSelector: {matchLabels: }}]}]", "ingress[0].from[0].podSelector.matchLabels", "every pod"),
    (
        "ingress: [{from: [{namespaceSelector: {matchLabels: }}]}]",
        "ingress[0].from[0].namespaceSelector.matchLabels",
        "every namespace",
    ),
    (
        "ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}, podSelector: }]}]",
        "ingress[0].from[0].podSelector",
        "every pod of the namespaces",
    ),
]


@pytest.mark.parametrize(("spec", "path", "meaning"), NULLS, ids=[path for _, path, _ in NULLS])
def test_a_null_that_selects_everything_has_a_warning(read_text: Read, spec: str, path: str, meaning: str) -> None:
    """A template prints null for a value that is not set, and the policy then allows more than intended."""
    _, problems = read_text(policy(spec))

    message = f"null means {meaning}: give it a value, or leave it out if that is intended"
    assert [("warning", f"spec.{path}", message, "null-means-all")] == [
        (p.severity, p.path, p.message, p.rule) for p in problems
    ]


@pytest.mark.parametrize(
    "spec",
    [
        "{ingress: , egress: , policyTypes: }",
        "ingress: [{from: [], ports: []}]",
        "ingress: [{from: [{podSelector: {}}], ports: [{port: 80, protocol: , endPort: }]}]",
        "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: }}]}]",
        "ingress: [{from: [{podSelector: {matchLabels: {a: }}, namespaceSelector: }]}]",
        "podSelector: {matchLabels: {a: b}, matchExpressions: }",
    ],
)
def test_a_null_that_allows_nothing_has_no_warning(read_text: Read, spec: str) -> None:
    """An explicit empty value is intended. Other nulls are defaults, or select less than everything."""
    assert [] == [str(p) for p in read_text(policy(spec))[1]]


def test_host_bits_are_masked_with_a_warning(read_text: Read) -> None:
    """As in the API server of Kubernetes 1.35, with its message."""
    objects, problems = read_text(
        policy("ingress: [{from: [{ipBlock: {cidr: 10.161.0.0/8, except: [10.1.2.3/16]}}]}]") + KUBERNETES_1_35
    )
    block = objects.policies[0].ingress[0].peers[0].ip_block

    assert IPBlock(ip_network("10.0.0.0/8"), (ip_network("10.1.0.0/16"),)) == block
    assert [
        (
            "warning",
            "spec.ingress[0].from[0].ipBlock.cidr",
            'CIDR value "10.161.0.0/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.161.0.0/32"?)',
        ),
        (
            "warning",
            "spec.ingress[0].from[0].ipBlock.except[0]",
            'CIDR value "10.1.2.3/16" is ambiguous in this context (should be "10.1.0.0/16" or "10.1.2.3/32"?)',
        ),
    ] == [(p.severity, p.path, p.message) for p in problems]


def test_an_ipv4_mapped_block_matches_ipv4_addresses(read_text: Read) -> None:
    """The legacy parser reads it as the IPv4 block."""
    text = policy("ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}]") + KUBERNETES_1_35
    block = read_text(text)[0].policies[0].ingress[0].peers[0].ip_block

    assert block is not None
    assert block.contains(ip_address("10.1.2.3"))
    assert not block.contains(ip_address("11.0.0.1"))


def test_rules_are_decoded_in_order(policy_of: Callable[[str], NetworkPolicy]) -> None:
    """Peers, ports, paths and lines."""
    found = policy_of("""\
        podSelector: {matchLabels: {b: x, a: "y"}}
        ingress:
        - from:
          - podSelector: {matchExpressions: [{key: k, operator: NotIn, values: [z, "y", z]}]}
            namespaceSelector: {}
          - namespaceSelector: {matchLabels: {team: a}}
          ports:
          - {}
          - {port: 53, protocol: UDP}
          - {port: http}
          - {protocol: UDP}
        - {}
        """)
    first, second = found.ingress

    assert LabelSelector((("a", "y"), ("b", "x"))) == found.pod_selector
    assert (
        Peer(LabelSelector((), (Requirement("k", "NotIn", ("y", "z")),)), LabelSelector()),
        Peer(None, LabelSelector((("team", "a"),))),
    ) == first.peers
    assert (PolicyPort(), PolicyPort("UDP", 53), PolicyPort("TCP", "http"), PolicyPort("UDP")) == first.ports
    assert ("spec.ingress[0]", 7) == (first.path, first.line)
    assert ((), (), "spec.ingress[1]", 16) == (second.peers, second.ports, second.path, second.line)


def test_a_null_rule_is_an_empty_rule(policy_of: Callable[[str], NetworkPolicy]) -> None:
    """The API server reads a null item as an empty rule, which allows everything."""
    (rule,) = policy_of("ingress: [null]").ingress

    assert ((), ()) == (rule.peers, rule.ports)
