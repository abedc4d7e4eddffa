"""What SARIF 2.1.0 says about the parts of a log that netlab writes, as a JSON Schema.

Written from the standard (OASIS, sarif-v2.1.0, sections 3.13 to 3.52). It is stricter than the standard's own schema:
it knows no property that netlab does not write, so a new one is looked up before it is written.
``tests/action/test_sarif.py`` compares logs with the whole schema, which a package of npm has.
"""

from __future__ import annotations

from typing import Any

LEVEL = {"enum": ["none", "note", "warning", "error"]}
TEXT = {"type": "string", "minLength": 1}


def _all_of(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object with exactly these properties; those that end with ``_`` may be missing."""
    named = {name.rstrip("_").replace("__", "."): one for name, one in properties.items()}
    needed = [name.replace("__", ".") for name in properties if not name.endswith("_")]
    return {"type": "object", "properties": named, "required": needed, "additionalProperties": False}


def _list(item: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **more}


MESSAGE = _all_of(text=TEXT)
RULE = _all_of(
    id=TEXT,
    name=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=_all_of(text=TEXT, markdown=TEXT),
    defaultConfiguration=_all_of(level=LEVEL),
    properties=_all_of(tags=_list(TEXT, uniqueItems=True), problem__severity=TEXT, page=TEXT),
)
LOCATION = _all_of(
    physicalLocation=_all_of(
        # A relative reference, or an absolute address of a file.
        artifactLocation=_all_of(uri={"type": "string", "format": "uri-reference"}, uriBaseId_=TEXT),
        region_=_all_of(startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations_=_list(_all_of(fullyQualifiedName=TEXT, kind=TEXT), minItems=1),
)
RESULT = _all_of(
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=_list(LOCATION, minItems=1),
    partialFingerprints={"type": "object", "additionalProperties": TEXT, "minProperties": 1},
)
RUN = _all_of(
    tool=_all_of(driver=_all_of(name=TEXT, version=TEXT, rules=_list(RULE, uniqueItems=True))),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=_list(
        _all_of(
            executionSuccessful={"type": "boolean"},
            toolExecutionNotifications=_list(_all_of(level=LEVEL, message=MESSAGE)),
        )
    ),
    results=_list(RESULT),
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_all_of(version={"const": "2.1.0"}, runs=_list(RUN, minItems=1)),
}
SCHEMA["properties"] = {"$schema": TEXT, **SCHEMA["properties"]}
