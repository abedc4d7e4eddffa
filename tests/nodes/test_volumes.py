"""The volumes of containers: what they have, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import Container, containers_of
from netlab.control_plane.nodes.volumes import Config, Token, shared_volumes
from netlab.errors import UsageError
from netlab.kernel.pod_volumes import Mount

CONFIG = {"data": {"a.conf": "one", "b.conf": "two"}, "binaryData": {"c": "dGhyZWU="}}


def of(volume: dict[str, Any], **mount: Any) -> Container:
    """Return a container with one volume, at /v."""
    spec = {
        "nodeName": "n1",
        "volumes": [{"name": "v", **volume}],
        "containers": [
            {"name": "c", "image": "agnhost", "volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]},
        ],
    }
    metadata = {"name": "a", "namespace": "shop", "uid": "u", "labels": {"app": "web", "b": "c"}}
    pod = {"metadata": metadata, "spec": spec}
    return containers_of(pod, ["10.0.0.1"], [], "none", lambda name: CONFIG if name == "config" else None)[0]


@pytest.mark.parametrize(
    ("volume", "mount", "found"),
    [
        ({"emptyDir": {}}, {}, Mount("/v", "v")),
        ({"configMap": {"name": "config"}}, {}, Mount("/v", "", {"a.conf": "one", "b.conf": "two", "c": "three"})),
        ({"configMap": {"name": "config", "items": [{"key": "c", "path": "d/e"}]}}, {},
         Mount("/v", "", {"d/e": "three"})),
        ({"configMap": {"name": "config"}}, {"subPath": "a.conf"}, Mount("/v", "", {"": "one"})),
        ({"configMap": {"name": "none", "optional": True}}, {}, Mount("/v")),
        ({"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}, {},
         Mount("/v", "", {"name": "a", "labels": 'app="web"\nb="c"'})),
        ({"projected": {"sources": [{"configMap": {"name": "config", "items": [{"key": "c", "path": "c"}]}}]}}, {},
         Mount("/v", "", {"c": "three"})),
    ],
    ids=["empty", "config", "items", "sub-path", "optional", "fields", "projected"],
)  # fmt: skip
def test_a_volume_is_a_folder_or_files(volume, mount, found):
    """Files have the text of the container's start."""
    container = of(volume, **mount)

    assert ("", (found,)) == (container.problem, container.mounts)


@pytest.mark.parametrize(
    ("volume", "mount", "why"),
    [
        ({"secret": {"secretName": "s"}}, {}, "volume v: netlab keeps no Secrets"),
        ({"hostPath": {"path": "/etc"}}, {}, "volume v: netlab has no volumes of the kind hostPath"),
        ({"persistentVolumeClaim": {"claimName": "p"}}, {}, "netlab has no volumes of the kind persistentVolumeClaim"),
        ({"configMap": {"name": "none"}}, {}, 'configmap "none" not found'),
        ({"configMap": {"name": "config", "items": [{"key": "x", "path": "x"}]}}, {}, '"config" has no key x'),
        ({"configMap": {"name": "config", "items": [{"key": "c", "path": "../c"}]}}, {}, "../c is no path of a file"),
        ({"emptyDir": {}}, {"subPath": "a"}, "netlab has no subPath of an emptyDir"),
        ({"emptyDir": {}}, {"mountPath": "v"}, "netlab mounts at absolute paths only"),
    ],
    ids=["secret", "host", "claim", "missing", "key", "outside", "sub-path", "relative"],
)  # fmt: skip
def test_a_volume_that_netlab_does_not_have_stops_the_container(volume, mount, why):
    """The reason is that of its failure to start."""
    assert why in of(volume, **mount).problem


ACCOUNT = {
    "sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
}


def with_account(
    image: str, token: Token, config: Config = lambda name: {"data": {"ca.crt": "authority"}}
) -> Container:
    """Return a container as the API server makes it, with a volume of its account and another one."""
    mounts = [{"name": "account", "mountPath": "/account"}, {"name": "a", "mountPath": "/a"}]
    volumes = [{"name": "account", "projected": ACCOUNT}, {"name": "a", "emptyDir": {}}]
    spec = {"volumes": volumes, "containers": [{"name": "c", "image": image, "volumeMounts": mounts}]}
    return containers_of({"metadata": {"name": "a", "namespace": "shop"}, "spec": spec}, [], [], "none", config, token)[
        0
    ]


def test_the_volume_of_a_service_account_has_token_authority_and_namespace():
    """The API server adds it to every pod, and clients inside of a cluster look for these files."""
    container = with_account("agnhost", lambda source: f"for {source['expirationSeconds']}")
    files = {"token": "for 3607", "ca.crt": "authority", "namespace": "shop"}

    assert ("", (Mount("/account", "", files), Mount("/a", "a"))) == (container.problem, container.mounts)


def test_a_container_that_runs_nothing_has_the_volume_of_its_account_only():
    """For programs of `kubectl exec`."""
    container = with_account("nginx", lambda source: "t")

    assert ["/account"] == [one.path for one in container.mounts]


def test_without_a_token_the_container_does_not_start():
    """As it would not in a cluster."""

    def refused(source: Any) -> str:
        raise UsageError("no token")

    assert "no token" == with_account("agnhost", refused).problem


def test_a_pod_has_a_few_tokens_only():
    """Each is a request for which all other pods wait. One that is too many stops the container before any."""
    asked: list[str] = []

    def token(source: Any) -> str:
        asked.append(source["audience"])
        return "t"

    def pod(number: int) -> Container:
        sources = [{"serviceAccountToken": {"path": f"{one}", "audience": f"{one}"}} for one in range(number)]
        spec = {
            "volumes": [{"name": "v", "projected": {"sources": sources}}],
            "containers": [{"name": "c", "image": "agnhost", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        }
        one = {"metadata": {"name": "a", "namespace": "shop"}, "spec": spec}
        return containers_of(one, [], [], "none", token=token)[0]

    assert ("", 32) == (pod(32).problem, len(asked))
    assert ("the pod has more than 32 tokens of service accounts", 32) == (pod(33).problem, len(asked))


def test_one_container_is_made_without_the_others_of_its_pod():
    """So the start of hundreds of containers reads the files of each once."""
    read: list[str] = []

    def config(name: str) -> Any:
        read.append(name)
        return {"data": {"a": "b"}}

    names = ["a", "b", "c"]
    containers = [
        {"name": name, "image": "agnhost", "envFrom": [{"configMapRef": {"name": f"of-{name}"}}]} for name in names
    ]
    pod = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"containers": containers}}
    (found,) = containers_of(pod, [], [], "none", config, only="b")

    assert ("b", ["of-b"]) == (found.name, read)


def test_the_volumes_of_a_pod_are_one_for_all_of_its_containers():
    """Those of files are not."""
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}]

    assert ("a",) == shared_volumes({"spec": {"volumes": volumes}})


@pytest.mark.parametrize(
    ("written", "found", "why"),
    [
        ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "a.conf"}}}]}, "one", ""),
        ({"envFrom": [{"prefix": "A_", "configMapRef": {"name": "config"}}],
          "env": [{"name": "A", "value": "$(A_b.conf)"}]}, "two", ""),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, None, "no Secrets"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": 1}}}]}, None, ""),
        ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "x"}}}]}, None, "no key x"),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}, None, "not read"),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, None, "no Secrets"),
    ],
    ids=["key", "all", "secret", "optional", "no-key", "resource", "secrets"],
)  # fmt: skip
def test_variables_come_from_config_maps_and_not_from_secrets(written, found, why):
    """One that is optional is left away."""
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "agnhost", **written}]}
    pod = {"metadata": {"name": "a", "namespace": "shop"}, "spec": spec}
    container = containers_of(pod, [], [], "none", lambda name: CONFIG if name == "config" else None)[0]

    assert found == container.environment.get("A")
    assert why in container.problem
    assert bool(why) == bool(container.problem)
