"""Measures flows of a lab on several machines: one coordinator judges, a participant on each machine sends and watches.

``tests/probe/machines`` proves that verdicts and reasons are those of one machine.
"""
