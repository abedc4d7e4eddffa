"""Inputs that once broke a property keep it now; a short run of the fuzzer finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import HARMLESS, TARGETS

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(p for name in HARMLESS for p in (CORPUS / name).glob("*"))


@pytest.mark.parametrize("file", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_an_input_of_the_corpus_keeps_its_property(file: Path) -> None:
    """The file is what the fuzzer found, as small as it can be."""
    target = TARGETS[file.parent.name]
    target.holds(target.load(file.read_bytes()))
