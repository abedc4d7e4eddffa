"""Rules between Ingresses, IngressClasses and TLS Secrets.

Source: Kubernetes, admission plugin DefaultIngressClass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from netlab.errors import Problem
from netlab.objects.ingresses import Ingress, IngressClass, TlsSecret
from netlab.objects.meta import DEFAULT_CLASS, INGRESS_CLASS
from netlab.objects.tls_secrets import WITHOUT_CERTIFICATE


def with_default_class(
    ingresses: Iterable[Ingress], classes: Iterable[IngressClass]
) -> tuple[tuple[Ingress, ...], list[Problem]]:
    """Return the Ingresses with the default class filled in; and a problem for each if several classes are the default.

    An Ingress with a class, or with the annotation that names one, stays as it is.
    """
    defaults = [ingress_class.meta.name for ingress_class in classes if ingress_class.default]
    filled: list[Ingress] = []
    problems: list[Problem] = []
    for ingress in ingresses:
        if ingress.class_name or INGRESS_CLASS in ingress.meta.annotations or not defaults:
            filled.append(ingress)
        elif len(defaults) == 1:
            filled.append(replace(ingress, class_name=defaults[0]))
        else:
            message = f"Forbidden: {len(defaults)} default IngressClasses were found, only 1 allowed"
            problems.append(_problem(ingress, "spec.ingressClassName", message, "error"))
            filled.append(ingress)
    return tuple(filled), problems


def link_warnings(of: Mapping[type, list[Any]]) -> list[Problem]:
    """Return warnings about a second default IngressClass and about missing TLS Secrets; ``of`` has objects by type."""
    secrets = {secret.meta.key for secret in of.get(TlsSecret, [])}
    defaults = [ingress_class for ingress_class in of.get(IngressClass, []) if ingress_class.default]
    problems = [_second_default(defaults[0], other) for other in defaults[1:]]
    ingresses: list[Ingress] = of.get(Ingress, [])
    for ingress in ingresses:
        for tls in ingress.tls:
            if tls.secret and f"{ingress.meta.namespace}/{tls.secret}" not in secrets:
                message = (
                    f"no Secret {ingress.meta.namespace}/{tls.secret} of type kubernetes.io/tls in the input: "
                    "give it together with the Ingress, as netlab keeps no Secret that no Ingress names"
                )
                problems.append(_problem(ingress, f"{tls.place}.secretName", message, rule=WITHOUT_CERTIFICATE))
    return problems


def _second_default(first: IngressClass, other: IngressClass) -> Problem:
    path = f"metadata.annotations.{DEFAULT_CLASS}"
    message = f"a second default IngressClass beside {first.meta.name}"
    return _problem(other, path, message, rule="default-classes")


def _problem(of: Any, path: str, message: str, severity: Any = "warning", *, rule: str = "") -> Problem:
    kind = type(of).__name__
    return Problem(of.source.file, of.source.line(path), path, f"{kind} {of.meta.key}", message, severity, rule)
