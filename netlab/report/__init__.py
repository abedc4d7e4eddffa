"""Results of commands, and the formats that print them: tables, JSON, YAML, JUnit."""

from netlab.report.rows import Row, Tally, row_of

__all__ = ["Row", "Tally", "row_of"]
