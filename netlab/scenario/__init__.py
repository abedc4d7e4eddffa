"""Scenarios: steps and expectations, each scenario in a lab of its own (``netlab.scenario.run``)."""

from netlab.scenario.rehearse import Rehearsal, rehearse
from netlab.scenario.results import Failure, ScenarioResult, StepResult

__all__ = ["Failure", "Rehearsal", "ScenarioResult", "StepResult", "rehearse"]
