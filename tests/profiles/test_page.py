"""``docs/cnis.md`` is what the evaluator answers; ``test_probes.py`` holds that packets answer the same."""

from __future__ import annotations

from pathlib import Path

from netlab.cli.cnis import page

PAGE = Path(__file__).parents[2] / "docs" / "cnis.md"


def test_the_page_is_what_the_evaluator_answers() -> None:
    """``python -m netlab.cli.cnis > docs/cnis.md`` writes it."""

    assert PAGE.read_text().splitlines() == "\n".join(page()).split("\n")
