"""Verdicts and problems as tables, JSON, YAML and JUnit: pure functions of rows."""
