"""Scenarios: steps and expectations. Each scenario runs in a lab of its own (``netlab.scenario.run``)."""

from netlab.scenario.dry_run import DryRun, dry_run
from netlab.scenario.results import Failure, ProgramFailure, ScenarioResult, StepResult

__all__ = ["DryRun", "Failure", "ProgramFailure", "ScenarioResult", "StepResult", "dry_run"]
