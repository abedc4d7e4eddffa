"""A comment silences a rule that does not exist."""

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


RULE = Rule(
    "ignores-unknown-rule",
    "warning",
    "a comment silences a rule that does not exist",
    what="A comment `# netlab: ignore=RULE`, or the annotation `netlab/ignore`, names a rule that does not exist.",
    why="It silences nothing. The name is misspelt, or the rule has gone.",
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
    find=_find,
)
