"""A comment that silences nothing."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.objects.meta import key_of
from netlab.objects.similar_names import did_you_mean, similar
from netlab.policy.lint.given import Given
from netlab.policy.lint.places import ignored_by
from netlab.policy.lint.rule import Found, Rule


def _find(given: Given) -> Iterator[Found]:
    from netlab.policy.lint import ids

    known = ids()
    for document in given.objects.documents:
        for name in sorted(ignored_by(document).difference(known))[:10]:
            shown = name[:100]
            message = f"no rule {shown!r}{did_you_mean(similar(shown, known))}"
            source = document.source
            yield Found(source.file, source.line(), "", str(key_of(document)), message)


def _at_the_head(given: Given, found: Found) -> str:
    return "move the comment to the line above the first line of the object"


RULE = Rule(
    "ignores-unknown-rule",
    "warning",
    "a comment that silences nothing",
    what="A comment `# netlab: ignore=RULE`, or the annotation `netlab/ignore`, names a rule that does not exist. Or"
    " the comment is neither on the first line of an object nor directly above it: beside a field it does not count.",
    why="It silences nothing. The name is misspelt, the rule has gone, or the comment is at the wrong place.",
    fix="write the id of a rule, as netlab lint --list prints it",
    objects="",
    fires="""\
# netlab: ignore=selects-nothin
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
""",
    clean="""\
# netlab: ignore=selects-nothing
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
""",
    checks=("comment-in-vain",),
    hint=_at_the_head,
    find=_find,
)
