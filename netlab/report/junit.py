"""Scenarios as JUnit XML: a test suite each, a test case each step.

The elements are those that JUnit's own schema has and CI systems agree on (pytest's ``xunit2``): testsuites,
testsuite, testcase, failure, error, skipped. A wrong verdict is a failure, a lab that could not be built an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from netlab.report.scenarios import row
from netlab.scenario.results import ScenarioResult, StepResult

# What XML 1.0 has no way to write, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Sequence[ScenarioResult]) -> str:
    """Return the XML document; steps that were never reached are skipped test cases."""
    suites = Element("testsuites", name="netlab")
    for result in results:
        suites.append(_suite(result))
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.attrib[name]) for suite in suites)))
    suites.set("time", f"{sum(r.seconds for r in results):.3f}")
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(result: ScenarioResult) -> Element:
    suite = Element("testsuite", name=_text(result.name))
    for step in result.steps:
        _step(suite, result, step)
    left = result.planned[len(result.steps) :]
    for number, name in enumerate(left):
        case = _case(suite, result, name)
        if number == 0 and result.error:
            SubElement(case, "error", message=_text(result.error.split("\n")[0])).text = _text(result.error)
        else:
            SubElement(case, "skipped", message="an earlier step could not be carried out")
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", f"{result.seconds:.3f}")
    suite.set("timestamp", result.started.isoformat(timespec="seconds"))
    return suite


def _step(suite: Element, result: ScenarioResult, step: StepResult) -> None:
    case = _case(suite, result, step.name, step.seconds)
    if not step.failures:
        return
    lines = []
    for failure in step.failures:
        of = row(failure)
        lines.append(
            f"{failure.file}:{failure.line}: {of.source} -> {of.destination} {of.service} IPv{of.family}:"
            f" expected {of.expected}, measured {of.measured}: {of.reason}"
        )
    wrong = f"{len(lines)} wrong verdict{'' if len(lines) == 1 else 's'}"
    SubElement(case, "failure", message=wrong, type="verdict").text = _text("\n".join(lines))


def _case(suite: Element, result: ScenarioResult, name: str, seconds: float = 0.0) -> Element:
    return SubElement(suite, "testcase", classname=_text(result.name), name=_text(name), time=f"{seconds:.3f}")


def _text(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
