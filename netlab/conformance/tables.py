"""Truth tables as JSON: the expected verdicts of the suite, to which users add the verdicts of another CNI.

One object ``{"apiVersion": "netlab/v1alpha1", "kind": "ConformanceTable", "cases": [...]}``. An item of ``cases`` is
one stage of a case: ``case`` and ``stage`` name it, ``objects`` has its Kubernetes objects, and ``rows`` are those of a
Reachability: ``source``, ``destination``, ``family``, ``protocol``, ``port`` (null for ICMP) and ``expected``. Users
add ``measured`` (``allow``, ``deny`` or ``inconclusive``) to each row. netlab reads the names, the first five fields of
a row and ``measured``; it ignores ``objects``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.disagreements import Disagreement
from netlab.conformance.judges import cluster_of, evaluator, flow_of
from netlab.conformance.run import CaseResult
from netlab.conformance.under_profile import Deviation, UnderProfile
from netlab.errors import UsageError

KIND = "ConformanceTable"
_MEASURED = ("allow", "deny", "inconclusive")

Measured = Mapping[tuple[str, str], Mapping[Cell, str]]
"""The measured verdicts of cells, by the names of case and stage."""


def export(cases: Iterable[Case]) -> Iterator[str]:
    """Yield the lines of the table of cases; if a case states no verdict, the evaluator's is in the table."""
    head = {"apiVersion": "netlab/v1alpha1", "kind": KIND}
    yield json.dumps(head)[:-1] + ', "cases": ['
    comma = ""
    for case in cases:
        for stage in case.stages if not case.refusal else ():
            yield comma + json.dumps(_item(case, stage))
            comma = ","
    yield "]}"


def _item(case: Case, stage: Stage) -> dict[str, Any]:
    stated = list(stage.table.values())
    if None in stated:
        cluster = cluster_of(stage.documents)
        found = evaluator(stage.documents, cluster, [flow_of(cluster, cell) for cell in stage.table])
    else:
        found = [str(verdict) for verdict in stated]
    rows = [cell._asdict() | {"expected": verdict} for cell, verdict in zip(stage.table, found, strict=True)]
    objects = [dict(document.data) for document in stage.documents if document.kind != "Topology"]
    return {"case": case.name, "stage": stage.name, "objects": objects, "rows": rows}


def read(file: str) -> dict[tuple[str, str], dict[Cell, str]]:
    """Return the measured verdicts of a file; rows without ``measured`` are left out.

    Raises:
      UsageError: when the file cannot be read or is not a table.
    """
    try:
        with open(file, encoding="utf-8") as text:
            data = json.load(text)
        if data.get("kind") != KIND:
            raise ValueError(f"kind is {data.get('kind')!r}, not {KIND!r}")
        found = {
            (item["case"], item["stage"]): {_cell(row): _verdict(row) for row in item["rows"] if "measured" in row}
            for item in data["cases"]
        }
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: not a truth table of --export: {_what(error)}") from error
    if not any(found.values()):
        raise UsageError(f'{file}: no row has "measured"; add a measured verdict to the rows: {", ".join(_MEASURED)}')
    return found


def _what(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) if isinstance(error, ValueError) else "its form is another"


def _cell(row: Mapping[str, Any]) -> Cell:
    return Cell(row["source"], row["destination"], row["protocol"], row["port"], row.get("family", 4))


def _verdict(row: Mapping[str, Any]) -> str:
    if row["measured"] not in _MEASURED:
        raise ValueError(f"measured is {row['measured']!r}, not one of {', '.join(_MEASURED)}")
    return str(row["measured"])


def against(cases: Iterable[Case], measured: Measured, profile: UnderProfile | None = None) -> Iterator[CaseResult]:
    """Compare measured verdicts with the cases; a case without measured verdicts is left out.

    With a profile, its declared deviations from the cases are right too, and the result has them.

    Raises:
      UsageError: after all cases, when the table has a stage that no case has.
    """
    left = set(measured)
    for case in cases:
        found: list[Disagreement] = []
        seen: list[Deviation] = []
        count = unseen = 0
        for stage in case.stages if not case.refusal else ():
            rows = measured.get((case.name, stage.name), {})
            left.discard((case.name, stage.name))
            declared = {one.cell: one for one in profile.deviations(stage)} if profile is not None and rows else {}
            for row in _item(case, stage)["rows"] if rows else ():
                cell = _cell(row)
                if cell not in rows:
                    continue
                count += 1
                deviation = declared.get(cell)
                if deviation is not None and rows[cell] == deviation.verdict:
                    seen.append(deviation)
                elif rows[cell] != row["expected"]:
                    found.append(Disagreement(stage.name, cell, row["expected"], {"measured": rows[cell]}))
                elif deviation is not None:
                    unseen += 1
        if count:
            yield CaseResult(case.name, case.feature, count, tuple(found), deviations=tuple(seen), unseen=unseen)
    if left:
        raise UsageError(f"no such case: {', '.join(' / '.join(names) for names in sorted(left))}")
