"""The action's last step: write the summary under the pull request, or update the comment of an earlier run.

A comment is this job's if it begins with the job's mark and is by the login that the token writes as: anyone can write
the mark. A failure to write is a warning and a line of the summary. It does not fail the job.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

import workflow
from github_api import PullRequest, RefusedError, UnansweredError

# GitHub's limit is 65,536 characters.
MOST = 60_000
_CUT = "\n\nThe report is too long for a comment. The summary of the job has all of it.\n"


def mark() -> str:
    """Return the hidden first line of the comment, which differs for each job."""
    # Jobs of a matrix have one name. The names of their artifacts differ.
    job = "\n".join(os.environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB", "INPUT_ARTIFACT"))
    return f"<!-- netlab {hashlib.sha256(job.encode()).hexdigest()[:16]} -->"


def body(summary: str) -> str:
    """Return the text of the comment; of a summary that is too long only the table of commands."""
    text = f"{mark()}\n{summary}"
    if len(text) <= MOST:
        return text
    # The parts of the commands begin with a mark too.
    first = text.partition("\n<!-- netlab ")[0]
    return (first if len(first) <= MOST else f"{mark()}\n# netlab\n") + _CUT


def pull_request() -> PullRequest | None:
    """Return the pull request of the event, None if the event is of another kind."""
    number = (workflow.event().get("pull_request") or {}).get("number")
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not isinstance(number, int) or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        return None
    api = os.environ.get("GITHUB_API_URL", "").rstrip("/")
    return PullRequest(api, repository, number, workflow.text("token"))


def is_fork() -> bool:
    """Say whether the branch of the pull request is in another repository."""
    head = (workflow.event().get("pull_request") or {}).get("head") or {}
    return (head.get("repo") or {}).get("full_name") != os.environ.get("GITHUB_REPOSITORY")


def write(under: PullRequest, text: str, *, may_create: bool) -> str:
    """Update the job's comment, or create it; return what was done.

    Raises:
      RefusedError: when the token may not write.
      UnansweredError: when the API does not answer.
    """
    author, first = workflow.text("comment-author"), mark()
    for one in under.comments():
        user = one.get("user") or {}
        if (
            str(one.get("body", "")).startswith(first)
            and user.get("login") == author
            and isinstance(one.get("id"), int)
        ):
            under.update(one["id"], text)
            return "updated"
    if not may_create:
        return "left out"
    under.create(text)
    return "created"


def main() -> int:
    """Run the step; return its exit code."""
    try:
        when = workflow.choice("comment", "yes", "failures", "no")
    except workflow.WrongInputError as error:
        workflow.annotate("error", str(error))
        return 2
    under = pull_request()
    if under is None:
        return 0
    summary = (Path(os.environ["NETLAB_REPORTS"]) / "summary.md").read_text(encoding="utf-8")
    failed = os.environ.get("NETLAB_FAILED") == "true"
    try:
        done = write(under, body(summary), may_create=when == "yes" or failed)
    except RefusedError:
        _not_written(
            "The token of a fork's pull request can only read, so there is no comment. This summary has the same text."
            if is_fork()
            else "The token may not write comments. Give the job `permissions: {pull-requests: write}`."
        )
    except UnansweredError as error:
        _not_written(f"GitHub did not take the comment ({error}). This summary has the same text.")
    else:
        sys.stdout.write(f"comment {done}\n")
    return 0


def _not_written(why: str) -> None:
    workflow.annotate("warning", why)
    workflow.summary(["", why])


if __name__ == "__main__":
    sys.exit(main())
