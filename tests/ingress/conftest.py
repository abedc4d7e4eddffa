"""The lab that the tests of this folder ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from ingress_lab import CLIENT, IngressLab, certificate, ingress, ingress_lab, pod, secret, service, topology
from ingresses import FURTHER, OFFICIAL

CERTIFIED = ("foo.bar.com", "*.tls.example")


def _shop(*names: str) -> list[dict[str, Any]]:
    """Return a client, and a pod and a Service of each name."""
    pods = [pod(f"shop/{name}-0", name, node=f"n{number % 2 + 1}") for number, name in enumerate(names)]
    return [pod(CLIENT, server=False, node="n1"), *pods, *(service(f"shop/{name}") for name in names)]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressLab]:
    """A lab that tests do not change: one host for each row of the tables, and ``d`` as default backend."""
    rows = [(f"row-{number}.example", case.paths) for number, case in enumerate((*OFFICIAL, *FURTHER))]
    with ingress_lab(f"ing-{os.getpid():x}-tables", tmp_path_factory.mktemp("ingress")) as made:
        made.up(
            [topology(), *_shop("a", "b", "c", "d"), ingress("shop/rows", rows), ingress("shop/rest", default="d:80")]
        )
        made.ready()
        yield made


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressLab]:
    """A lab that tests do not change, without a default backend: the conformance cases, and certificates."""
    directory = tmp_path_factory.mktemp("ingress")
    crt, key = certificate(directory, "one", *CERTIFIED)
    wrong, _ = certificate(directory, "other", "wrong.example")
    documents = [
        topology("10.244.0.0/16", "fd00:10:244::/56"),
        *_shop("a", "b", "c"),
        *(pod(f"shop/many-{number}", "many") for number in range(10)),
        *(service(f"shop/{name}") for name in ("many", "none")),
        secret("shop/one", crt, key),
        secret("shop/wrong", wrong, key),
        ingress("shop/exact", [("exact-path-rules", ["=/foo a:80"])]),
        ingress("shop/prefix", [("prefix-path-rules", ["^/foo a:80", "^/aaa/bbb b:80", "^/aaa c:80"])]),
        ingress("shop/mixed", [("mixed-path-rules", ["^/foo a:80", "=/foo b:80"])]),
        ingress("shop/slash", [("trailing-slash-path-rules", ["^/aaa/bbb/ a:80", "=/foo/ b:80"])]),
        ingress(
            "shop/hosts",
            [("*.foo.com", ["^/ a:http"]), ("foo.bar.com", ["^/ b:http"]), ("x.tls.example", ["^/ c:80"])],
            tls=[(["foo.bar.com", "*.tls.example"], "one")],
        ),
        ingress("shop/broken", [("wrong.example", ["^/ a:80"])], tls=[(["wrong.example"], "wrong")]),
        ingress("shop/many", [("many.example", ["^/ many:80"])]),
        ingress("shop/none", [("none.example", ["^/ none:80", "^/missing nowhere:80"])]),
        ingress("shop/class", [("class.example", ["^/ a:80"])], of_class="some-invalid-class-name"),
    ]
    with ingress_lab(f"ing-{os.getpid():x}", directory) as made:
        made.up(documents)
        made.ready()
        yield made
