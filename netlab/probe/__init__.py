"""Sends packets between the endpoints of a running lab, and says which arrive."""

from netlab.probe.engine import Run, measure
from netlab.probe.verdicts import Measurement

__all__ = ["Measurement", "Run", "measure"]
