"""Packets sent between the endpoints of a running lab, and what became of them."""

from netlab.probe.engine import Run, measure
from netlab.probe.verdicts import Measurement

__all__ = ["Measurement", "Run", "measure"]
