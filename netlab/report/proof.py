"""The proof of invariants: what was judged, by which netlab, and each rule's result.

Only ``time`` differs from run to run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import netlab
from netlab.report.documents import API_VERSION
from netlab.report.scenarios import row_data

if TYPE_CHECKING:
    from netlab.objects.invariants import InvariantRule
    from netlab.objects.types import Document
    from netlab.policy.rule_results import FamilyResult, RuleResult
    from netlab.scenario.invariants import JudgedRules
    from netlab.scenario.results import ScenarioResult, StepResult

KIND = "InvariantsProof"


def proof_of(results: Sequence[ScenarioResult]) -> dict[str, Any]:
    """Return the proof of the invariants among some results."""
    found = [(result, result.judged) for result in results if result.judged is not None]
    steps = [step for result, _ in found for step in result.steps]
    began = min((result.started for result, _ in found), default=None)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "netlab": netlab.__version__,
        "invariants": [_of(result, judged) for result, judged in found],
        "summary": {
            "invariants": len(found),
            "rules": len(steps),
            "passed": sum(not step.failures for step in steps),
            "failed": sum(bool(step.failures) for step in steps),
            "errors": sum(bool(result.error) for result, _ in found),
        },
        "time": {
            "started": began.isoformat(timespec="seconds") if began is not None else None,
            "seconds": round(sum(result.seconds for result, _ in found), 3),
        },
    }


def canonical_hash(documents: Iterable[Document]) -> str:
    """Return the SHA-256 of objects as JSON: in the order of reading, with sorted keys and without spaces.

    So it does not depend on comments, on the layout, or on how files are named.
    """
    data = [document.data for document in documents]
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _of(result: ScenarioResult, judged: JudgedRules) -> dict[str, Any]:
    ready = judged.ready
    invariants, cluster = ready.invariants, ready.cluster
    written = [invariants.written] if invariants.written is not None else []
    return {
        "name": result.name,
        "file": result.file,
        "passed": result.outcome == "passed",
        **({"error": result.error} if result.error else {}),
        "profile": cluster.profile.name if cluster.profile is not None else "kubernetes",
        "input": {"sha256": canonical_hash(invariants.resources), "objects": len(invariants.resources)},
        "rulesSha256": canonical_hash(written),
        "cluster": {
            "namespaces": len(cluster.namespaces),
            "pods": len(cluster.pods),
            "nodes": len(cluster.nodes),
            "hosts": len(cluster.hosts),
            "services": len(cluster.services),
            "policies": len(cluster.policies),
            "unreadPolicies": len(cluster.unread),
            "families": list(cluster.families),
        },
        "packets": None if judged.packets is None else {"pairs": judged.packets, "leftOut": judged.left_out},
        "rules": [{**_rule(one), **_measured(step)} for one, step in zip(judged.results, result.steps, strict=False)],
    }


def _rule(result: RuleResult) -> dict[str, Any]:
    rule = result.rule
    return {
        "name": rule.name,
        "line": rule.line,
        **_written(rule),
        "result": result.outcome,
        "passed": result.passed,
        **({"why": result.nothing} if result.nothing else {}),
        "families": [_family(one) for one in result.families],
    }


def _measured(step: StepResult) -> dict[str, Any]:
    """Return the pairs whose packets had another verdict than expected; they make the rule fail."""
    wrong = [row_data(one) for one in step.failures if hasattr(one, "flow")]
    return {"passed": False, "packetsDiffer": wrong} if wrong else {}


def _written(rule: InvariantRule) -> dict[str, Any]:
    """Return what a rule says, with every default."""
    ends = {name: str(end) for name, end in (("from", rule.source), ("to", rule.destination)) if end is not None}
    ports = list(map(str, rule.ports))
    if rule.only is None:
        return {**ends, "verdict": rule.verdict, "ports": ports, "vacuousAllowed": rule.vacuous}
    only = [{"end": str(one.end), "ports": list(map(str, one.ports))} for one in rule.only]
    return {**ends, "only": only, "ports": ports, "vacuousAllowed": rule.vacuous}


def _family(result: FamilyResult) -> dict[str, Any]:
    breaches = [
        {
            "verdict": breach.verdict,
            "pairs": breach.pairs,
            "ports": list(map(str, breach.ports)),
            "example": {
                "source": breach.example.flow.source.ref,
                "destination": breach.example.flow.target,
                "protocol": breach.example.flow.protocol,
                "port": breach.example.flow.port,
                "reason": breach.example.reason,
            },
        }
        for breach in result.breaches
    ]
    return {
        "family": result.family,
        "pairs": result.pairs,
        "result": result.outcome,
        **({"why": result.nothing} if result.nothing else {}),
        "breaches": breaches,
        "moreBreaches": result.more,
    }
