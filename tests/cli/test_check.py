"""``netlab check``: it prints every problem as a line, with the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
"""
TOPOLOGY = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: two}
spec:
"""
NODE = "---\napiVersion: v1\nkind: Node\nmetadata: {name: here}\n"
Call = Callable[..., Any]


def test_valid_input_is_one_line(netlab: Call) -> None:
    """Standard output has the counts of the lab; standard error is empty."""
    done = netlab("check", "-f", "examples/shop")

    assert (0, "") == (done.exit_code, done.stderr)
    assert done.stdout.endswith(": 0 errors, 0 warnings\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", "1: not YAML: "),
        ("", " no object in it"),
        ("- 1\n", "1: must be an object (a mapping), not a list"),
        ("kind: Pod\nmetadata: {name: p}\n", "1: apiVersion: Required value"),
        (f"{POLICY}  ingres: []\n", "6: NetworkPolicy shop/p: spec.ingres: unknown field"),
        (
            f"{POLICY}  ingress: [{{ports: [{{port: 99999}}]}}]\n",
            "6: NetworkPolicy shop/p: spec.ingress[0].ports[0].port: ",
        ),
        (f"{POLICY}  policyTypes: [Ingres]\n", "6: NetworkPolicy shop/p: spec.policyTypes[0]: Unsupported value"),
        (POLICY.replace("networking.k8s.io/v1", "extensions/v1beta1"), "1: NetworkPolicy shop/p: apiVersion: "),
        (f"{POD}spec: {{nodeName: moon}}\n{NODE}", "4: Pod shop/web: spec.nodeName: "),
        (POD.replace("labels", "annotations: {netlab/network: blue}, labels"), "3: Pod shop/web: metadata.annotations"),
        (
            f"{TOPOLOGY}  networks: [{{name: net, mode: vlan}}]\n",
            "5: Topology two: spec.networks[0].mode: Unsupported value",
        ),
        (
            f"{TOPOLOGY}  networks: [{{podCIDRs: [10.0.0.0/8, 10.1.0.0/16]}}]\n",
            "5: Topology two: spec.networks[0].podCIDRs",
        ),
        (
            f"{TOPOLOGY}  networks: [{{podCIDRs: [10.0.0.0/8]}}]\n  hosts: [{{name: h, addresses: [10.244.0.9]}}]\n",
            "6: Topology two: spec.hosts[0].addresses[0]: ",
        ),
        (f"{TOPOLOGY}  nodes: [{{name: a}}, {{name: a}}]\n", "5: Topology two: spec.nodes[1].name: Duplicate value"),
    ],
    ids=[
        *("no yaml", "empty", "a list", "no version", "unknown field", "port", "policy type", "retired group", "node"),
        *("network", "unknown mode", "two CIDRs", "host in CIDR", "two nodes"),
    ],
)
def test_broken_input(netlab: Call, tmp_path: Path, text: str, line: str) -> None:
    """FILE:LINE, the object, the field and what is wrong with it; exit code 2 and no traceback."""
    file = tmp_path / "x.yaml"
    file.write_text(text)
    done = netlab("check", "-f", file)

    assert 2 == done.exit_code
    assert any(printed.startswith(f"{file}:{line}") for printed in done.stderr.splitlines()), done.stderr
    assert "Traceback" not in done.output


def test_all_problems_of_all_files_are_reported(netlab: Call, tmp_path: Path) -> None:
    """Not only the first one."""
    (tmp_path / "a.yaml").write_text(f"{POLICY}  ingres: []\n  egres: []\n")
    (tmp_path / "b.json").write_text("{")
    done = netlab("check", "-f", tmp_path, "-f", tmp_path / "gone.yaml")

    assert 2 == done.exit_code
    assert ["a.yaml:6", "a.yaml:7", "b.json:1", "gone.yaml"] == sorted(
        line.removeprefix(f"{tmp_path}/").split(": ")[0] for line in done.stderr.splitlines()
    )
    assert "4 errors, 0 warnings\n" == done.stdout


BROKEN_POLICY = f"---\n{POLICY}  policyTypes: [Foo]\n"
PUBLISHED = "spec: {containers: [{ports: [{containerPort: 80, hostPort: 80}]}]}\n"
OTHER = POD.replace("name: web", "name: other")
TWO_NODES = f"---\n{TOPOLOGY}  nodes: [{{name: a}}, {{name: b}}]\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            f"{POD}spec: {{nodeName: nowhere}}\n{BROKEN_POLICY}{NODE}",
            ["4: Pod shop/web: spec.nodeName", "11: NetworkPolicy shop/p: spec.policyTypes[0]"],
        ),
        (
            f"{POD.replace('labels', 'annotations: {netlab/network: blue}, labels')}{BROKEN_POLICY}",
            ["3: Pod shop/web: metadata.annotations", "10: NetworkPolicy shop/p"],
        ),
        (
            f"{POD}spec: {{nodeSelector: {{zone: z}}}}\n{BROKEN_POLICY}{NODE}",
            ["4: Pod shop/web: spec.nodeSelector", "11: NetworkPolicy shop/p"],
        ),
        (
            f"{POD}{PUBLISHED}---\n{OTHER}{PUBLISHED}{BROKEN_POLICY}{NODE}",
            ["4: Pod shop/web: spec.containers[0].ports[0].hostPort", "16: NetworkPolicy shop/p"],
        ),
        (
            f"{POD}spec: {{nodeName: nowhere}}\n{TWO_NODES}  networks: [{{podCIDRs: [10.0.0.0/8, 10.1.0.0/16]}}]\n",
            ["4: Pod shop/web: spec.nodeName", "11: Topology two: spec.networks[0].podCIDRs[1]"],
        ),
        (
            f"{POD}spec: {{nodeName: nowhere}}\n---\n{OTHER}spec: {{nodeName: 5}}\n{NODE}",
            ["4: Pod shop/web: spec.nodeName", "9: Pod shop/other: spec.nodeName"],
        ),
        (
            f"{POD.replace('app: web', 'app: 1')}spec: {{nodeName: nowhere}}\n{NODE}",
            ["3: Pod shop/web: metadata.labels.app", "4: Pod shop/web: spec.nodeName"],
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: many\n  template:\n"
            f"    metadata: {{annotations: {{netlab/network: blue}}}}\n    spec: {{nodeName: nowhere}}\n{NODE}",
            [
                "5: Deployment default/d: spec.replicas",
                "7: Deployment default/d: spec.template.metadata.annotations",
                "8: Deployment default/d: spec.template.spec.nodeName",
            ],
        ),
    ],
    ids=[
        *("node", "network", "selector", "host port", "behind overlapping podCIDRs", "another pod's", "its own"),
        "a workload's own",
    ],
)
def test_errors_between_objects_show_beside_errors_in_fields(
    netlab: Call, tmp_path: Path, text: str, wrong: list[str]
) -> None:
    """An error in a field hides none of the problems that show when objects are seen together; all are by line."""
    file = tmp_path / "x.yaml"
    file.write_text(text)
    for command in ("check", "reach", "up", "verify"):
        done = netlab(command, "-f", file)
        printed = [line for line in done.stderr.splitlines() if not line.startswith("Warning: ")]

        assert 2 == done.exit_code
        assert len(wrong) == len(printed), done.stderr
        assert all(t.startswith(f"{file}:{w}") for w, t in zip(wrong, printed, strict=True)), done.stderr


@pytest.mark.parametrize(
    "text",
    [
        f"{POD}spec: {{nodeName: a}}\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: a, labels: {{b: 1}}}}\n",
        f"{POD}spec: {{nodeName: a}}\n---\n{TOPOLOGY}  nodes: [{{nmae: a}}]\n",
        f"{POD}spec: {{nodeName: a}}\n{TWO_NODES.replace('kind: Topology', 'kind: Topolgy')}",
        f"{POD}spec: {{nodeName: a}}\n---\nkind: Node\nmetadata: {{name: a}}\n",
        f"{POD.replace('labels', 'annotations: {netlab/network: net}, labels')}"
        f"---\n{TOPOLOGY}  networks: [{{nmae: n}}]\n",
        f"{POD}{PUBLISHED}---\n{OTHER.replace('web', '5')}{PUBLISHED}{TWO_NODES}",
        f"{POD}spec: {{hostNetwork: 1, containers: [{{ports: [{{containerPort: 80, hostPort: 8080}}]}}]}}\n"
        f"---\n{OTHER}spec: {{containers: [{{ports: [{{containerPort: 80, hostPort: 8080}}]}}]}}\n",
        f"{POD}spec: {{nodeName: 1, nodeSelector: {{kubernetes.io/os: linux}}}}\n",
    ],
    ids=[
        *("a node's labels", "a node's name", "a misspelt kind", "no version", "a network's name", "a pod"),
        *("its host network", "its node"),
    ],
)
def test_an_error_in_a_field_causes_no_other_problems(netlab: Call, tmp_path: Path, text: str) -> None:
    """No problem is reported that might vanish when the first one is fixed."""
    file = tmp_path / "x.yaml"
    file.write_text(text)
    done = netlab("check", "-f", file)

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines())), done.stderr


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)], ids=["", "strict"])
def test_warnings_change_the_exit_code_only_with_strict(
    netlab: Call, tmp_path: Path, options: list[str], code: int
) -> None:
    """They are printed with and without ``--strict``."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{POD}---\n{POLICY.replace('app: web', 'app: wbe')}")
    done = netlab("check", "-f", file, *options)

    assert code == done.exit_code
    assert [
        f"Warning: {file}:9: NetworkPolicy shop/p: spec.podSelector: app=wbe matches no pod of namespace 'shop';"
        " shop/web almost matches: app=wbe, found app=web"
    ] == (done.stderr.splitlines())


def test_one_fact_is_one_warning(netlab: Call, tmp_path: Path) -> None:
    """Rules without their policyType have no effect, and no second warning says so."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{POD}---\n{POLICY}  policyTypes: [Egress]\n  egress: [{{}}]\n  ingress: [{{}}]\n")
    done = netlab("check", "-f", file)

    assert [
        f"Warning: {file}:12: NetworkPolicy shop/p: spec.ingress: rules have no effect: policyTypes has no Ingress;"
        " add it, or remove the rules"
    ] == done.stderr.splitlines()


def test_a_daemon_set_without_nodes_is_a_warning(netlab: Call, tmp_path: Path) -> None:
    """It is legal, and has no pods."""
    file = tmp_path / "x.yaml"
    daemons = (
        "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: {0}}}\n"
        "spec: {{template: {{spec: {{nodeSelector: {{{1}}}}}}}}}\n"
    )
    file.write_text(
        POD + daemons.format("here", "kubernetes.io/os: linux") + daemons.format("idle", "kubernetes.io/os: windows")
    )
    done = netlab("check", "-f", file)

    assert [
        f"Warning: {file}:13: DaemonSet default/idle: spec.template.spec.nodeSelector:"
        " no node has the labels kubernetes.io/os=windows: it has no pods"
    ] == done.stderr.splitlines()


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 2)], ids=["", "strict"])
def test_kinds_that_are_not_read(netlab: Call, tmp_path: Path, options: list[str], code: int) -> None:
    """They are counted by kind in one line, and strictly they are errors."""
    file = tmp_path / "x.yaml"
    others = [f"---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n" for kind in ("Role", "ConfigMap", "Role")]
    file.write_text(POD + "".join(others))
    done = netlab("check", "-f", file, *options)

    assert code == done.exit_code
    if options:
        assert 3 == len([line for line in done.stderr.splitlines() if "netlab does not read" in line])
    else:
        assert "skipped 3 objects that netlab does not read: 1 ConfigMap, 2 Role\n" == done.stderr


def test_one_kind_that_is_not_read_is_one_object(netlab: Call, tmp_path: Path) -> None:
    """The word is singular."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{POD}---\napiVersion: v1\nkind: Role\nmetadata: {{name: x}}\n")

    assert "skipped 1 object that netlab does not read: 1 Role\n" == netlab("check", "-f", file).stderr


def test_json_has_errors_and_warnings(netlab: Call, tmp_path: Path) -> None:
    """The document is printed whatever the exit code, and nothing else is."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{POD}---\n{POD}spec: {{nodeName: moon}}\n{NODE}")
    done = netlab("check", "-f", file, "-o", "json")
    document = json.loads(done.stdout)

    assert (2, "") == (done.exit_code, done.stderr)
    assert "Problems" == document["kind"]
    assert {"file", "line", "path", "object", "message", "severity", "rule"} == set(document["problems"][0])
    assert {"warning"} == {p["severity"] for p in document["problems"] if "defined twice" in p["message"]}


def test_check_makes_a_dry_run_of_a_scenario(netlab: Call, tmp_path: Path) -> None:
    """A name that does not exist is an error of ``check``."""
    (tmp_path / "pod.yaml").write_text(POD)
    file = tmp_path / "s.yaml"
    file.write_text(
        "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  resources: [pod.yaml]\n"
        '  steps: [{expect: [{from: shop/web, to: "host:*", verdict: allow}]}]\n'
    )
    done = netlab("check", "-f", file)

    assert 2 == done.exit_code
    assert f"{file}:6: Scenario s: spec.steps[0].expect[0]: matches no pair: 'host:*' matches nothing" in done.stderr


def test_the_dry_run_of_a_scenario_with_errors(netlab: Call, tmp_path: Path) -> None:
    """Names that do not exist show together with errors in fields, in the scenario's own and in what it loads."""
    (tmp_path / "pod.yaml").write_text(POD + BROKEN_POLICY)
    file = tmp_path / "s.yaml"
    file.write_text(
        "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  resources: [pod.yaml]\n"
        "  steps:\n  - expect:\n    - {from: shop/nobody, to: shop/web, verdict: alow}\n"
        '    - {from: "host:zz", to: "node:zz", verdict: deny}\n'
        "  - label: [{pod: shop/gone, labels: {a: b}}]\n    delete: [{kind: Pod, namespace: shop, name: gone}]\n"
        "    expect: [{from: shop/web, to: shop/none, verdict: deny}]\n"
    )
    for command in (("check", "-f"), ("test",)):
        done = netlab(*command, file)

        assert 2 == done.exit_code
        assert [
            "s.yaml:8: Scenario s: spec.steps[0].expect[0].verdict",
            "s.yaml:8: Scenario s: spec.steps[0].expect[0]",
            "s.yaml:9: Scenario s: spec.steps[0].expect[1]",
            "s.yaml:9: Scenario s: spec.steps[0].expect[1]",
            "s.yaml:10: Scenario s: spec.steps[1].label[0]",
            "s.yaml:11: Scenario s: spec.steps[1].delete[0]",
            "s.yaml:12: Scenario s: spec.steps[1].expect[0]",
            "pod.yaml:10: NetworkPolicy shop/p: spec.policyTypes[0]",
        ] == [": ".join(t.removeprefix(f"{tmp_path}/").split(": ")[:3]) for t in done.stderr.splitlines()], done.stderr


@pytest.mark.parametrize(
    ("resources", "steps"),
    [
        ("[gone.yaml]", "expect: [{from: shop/web, to: shop/a, verdict: deny}]"),
        ("[pod.yaml]", "aply: [more.yaml], expect: [{from: shop/web, to: shop/a, verdict: deny}]"),
        (
            "[pod.yaml]",
            "apply: [{apiVersion: v1, kind: Pod, metadata: {namespace: shop, labels: {}}}],"
            " expect: [{from: shop/web, to: shop/a, verdict: deny}]",
        ),
        ("[pod.yaml]", "label: [{pod: shop/web}], expect: [{from: shop/web, to: shop/web, verdict: deny}]"),
    ],
    ids=["a file", "an unknown field", "a name", "a change"],
)
def test_an_error_in_a_scenario_causes_no_other_problems(
    netlab: Call, tmp_path: Path, resources: str, steps: str
) -> None:
    """The named endpoint may exist when the error is fixed."""
    (tmp_path / "pod.yaml").write_text(POD)
    file = tmp_path / "s.yaml"
    file.write_text(
        "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n"
        f"spec: {{resources: {resources}, steps: [{{{steps}}}]}}\n"
    )
    done = netlab("check", "-f", file)

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines())), done.stderr


def test_check_without_files_is_an_error(netlab: Call) -> None:
    """Without -f there is an error, and no empty lab."""
    done = netlab("check")

    assert (2, "Error: nothing to read: name files with -f FILE\n") == (done.exit_code, done.stderr)


def test_standard_input_is_a_file(netlab: Call) -> None:
    """``-f -`` reads it."""
    done = netlab("check", "-f", "-", input=f"{POLICY}  ingres: []\n")

    assert done.stderr.startswith("<stdin>:6: NetworkPolicy shop/p: spec.ingres: ")


def test_the_summary_counts_services_and_ingresses_of_the_input(netlab: Call) -> None:
    """If there are any; those that netlab adds do not count."""
    done = netlab("check", *(word for name in ("ingress", "services", "shop") for word in ("-f", f"examples/{name}")))

    assert (
        "lab default: 1 node, 5 pods, 3 Services, 1 Ingress, 5 NetworkPolicies: 0 errors, 0 warnings\n" == done.stdout
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("", "the name of a file is empty"),
        (
            "http://x/a.yaml",
            "http://x/a.yaml: netlab reads no URLs; fetch it first: curl -fsSL URL | netlab check -f -",
        ),
    ],
)
def test_what_is_no_file_is_said(netlab: Call, file: str, message: str) -> None:
    """A revision of git and a running lab are named with a colon, too: a URL is neither."""
    done = netlab("check", "-f", file)

    assert (2, message) == (done.exit_code, done.stderr.splitlines()[0])
