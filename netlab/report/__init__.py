"""Verdicts and problems as tables, JSON, YAML and JUnit: pure functions of rows."""

from netlab.report.rows import Row, Tally, row_of

__all__ = ["Row", "Tally", "row_of"]
