"""JUnit XML, which CI systems read.

The elements are those of JUnit's schema on which CI systems agree (``xunit2`` of pytest): testsuites, testsuite,
testcase, failure, error, skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from netlab.errors import printable
from netlab.report.formats import Page
from netlab.report.suites import Case, Suite, Suites

# Characters that XML 1.0 cannot write, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Judged(Protocol):
    """A result with test cases."""

    def suites(self) -> Suites: ...


def lines(result: Judged, page: Page) -> Iterator[str]:
    """Yield the XML document."""
    found = result.suites()
    root = Element("testsuites", name=_text(found.name))
    for suite in found.suites:
        root.append(_suite(suite))
    for name in found.totals:
        root.set(name, str(sum(int(suite.attrib[name]) for suite in root)))
    if found.timed:
        root.set("time", f"{sum(suite.seconds for suite in found.suites):.3f}")
    indent(root)
    yield tostring(root, encoding="unicode", xml_declaration=True)


def _suite(found: Suite) -> Element:
    suite = Element("testsuite", name=_text(found.name))
    for case in found.cases:
        _case(suite, found, case)
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", f"{found.seconds:.3f}")
    if found.started is not None:
        suite.set("timestamp", found.started.isoformat(timespec="seconds"))
    return suite


def _case(suite: Element, of: Suite, found: Case) -> None:
    seconds = f"{found.seconds:.3f}"
    case = SubElement(suite, "testcase", classname=_text(of.name), name=_text(found.name), time=seconds)
    if found.failure is not None:
        message, text = found.failure
        SubElement(case, "failure", message=_text(message), type="verdict").text = _text(text)
    if found.error is not None:
        message, text = found.error
        SubElement(case, "error", message=_text(message)).text = _text(text)
    if found.skipped:
        SubElement(case, "skipped", message=_text(found.skipped))


def _text(text: str) -> str:
    """Return a text of lines as CI systems can show it: marks of text direction would turn its words around."""
    return "\n".join(map(printable, _UNWRITABLE.sub("\ufffd", text).split("\n")))
