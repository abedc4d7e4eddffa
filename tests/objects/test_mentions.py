"""Texts of containers: which are read, and that wrong ones, and many, do no harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.objects import mentions as module
from netlab.objects.mentions import Mention, NotRead, mentions
from netlab.objects.types import Document, Source

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("name", "value", "valueFrom", "configMapKeyRef", "configMapRef", "secretRef", "key", "prefix"),
                    *("items", "configMap", "projected", "sources", "optional"),
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def pod(spec: Any, name: str = "a") -> Document:
    """Return a pod, and with a file of its own a place for its fields."""
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    return Document(data, Source("a.yaml", {"": 1}))


def config_map(data: Any) -> Document:
    return Document({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}, Source())


def texts(*documents: Document) -> list[str]:
    return [one.text if isinstance(one, Mention) else one.message for one in mentions(documents)]


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", **fields}]}


@given(VALUES, st.sampled_from(["env", "envFrom", "args", "command"]), VALUES, VALUES)
def test_fields_of_any_type_are_read_or_passed_by(value: Any, field: str, volumes: Any, data: Any) -> None:
    """Kubernetes would refuse them, and netlab checks only the fields of the network."""
    texts(pod({**container(**{field: value}), "volumes": volumes}), config_map(data))
    texts(pod({"containers": value, "volumes": value}), config_map(data))
    texts(pod(value))


def test_variables_are_replaced_in_texts() -> None:
    """As Kubernetes does; unknown ones stay."""
    env = [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)-$(C)-$("}]

    assert ["x", "x-$(C)-$("] == texts(pod(container(env=env)))


def test_of_two_documents_of_one_object_the_last_counts() -> None:
    """As everywhere."""
    first, second = (pod(container(env=[{"name": "A", "value": value}])) for value in ("1", "2"))

    assert ["2"] == texts(first, second)


def test_no_secret_is_read() -> None:
    """Its name is said, as it may name hosts."""
    secret = Document(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"U": "http://hidden"}},
        Source(),
    )
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "U"}}}]

    assert ["container main uses Secret default/s, which netlab does not read"] == texts(
        pod(container(env=env)), secret
    )


def test_an_optional_config_map_may_be_missing() -> None:
    """Others are unknown."""
    reference = {"configMapRef": {"name": "c"}}
    optional = {"configMapRef": {"name": "c", "optional": True}}

    assert ["ConfigMap default/c is not in the input"] == texts(pod(container(envFrom=[reference])))
    assert [] == texts(pod(container(envFrom=[optional])))


def test_only_the_items_of_a_volume_are_read() -> None:
    """The container sees no other key."""
    volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "a"}]}}

    assert ["1"] == texts(pod({**container(), "volumes": [volume]}), config_map({"a": "1", "b": "2"}))


def test_the_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text is cut, and after too many texts the rest is unknown."""
    env = [{"name": f"A{n}", "value": "x" * 100} for n in range(10)]
    monkeypatch.setattr(module, "_MOST_OF_TEXT", 50)
    monkeypatch.setattr(module, "_MOST", 120)
    found = list(mentions([pod(container(env=env))]))

    assert [50, 50] == [len(one.text) for one in found if isinstance(one, Mention)]
    assert [
        "env A0 of container main is too long: the rest is not read",
        "env A1 of container main is too long: the rest is not read",
        "too many texts: the rest is not read",
    ] == [one.message for one in found if isinstance(one, NotRead)]
