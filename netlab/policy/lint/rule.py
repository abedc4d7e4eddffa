"""What a rule of ``netlab lint`` is: its texts, its severity, its examples and the function that finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from netlab.frozen import frozen
from netlab.objects.types import Source

if TYPE_CHECKING:
    from netlab.cluster.types import Pod
    from netlab.policy.lint.given import Given

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""All severities, the worst first."""


class _Named(Protocol):
    @property
    def key(self) -> str: ...


class _Object(Protocol):
    """An object of the input: a policy, a Service, a pod."""

    @property
    def source(self) -> Source: ...

    @property
    def meta(self) -> _Named: ...


@frozen
class Found:
    """What a rule found: its place, the object (``KIND NAMESPACE/NAME``), and what is wrong.

    ``fix`` is a hint in one line for this finding; "" stands for the hint of the rule.
    """

    file: str
    line: int
    path: str
    object: str
    message: str
    fix: str = ""


def _nothing(given: Given) -> Iterable[Found]:
    return ()


def _no_hint(given: Given, found: Found) -> str:
    return ""


@frozen
class Rule:
    """One rule of ``netlab lint``.

    Attributes:
      id: the name of the rule, in lower case with hyphens. It does not change between versions.
      severity: ``error`` where what is written has no effect or breaks something for certain, ``warning`` where it is
        probably not meant, ``info`` where it is good to know.
      title: what is wrong, in a few words.
      what: what the rule finds.
      why: why it matters.
      fix: what to do, in one line.
      objects: the objects that both examples share, as YAML; "" if there are none.
      fires: an example in which the rule finds something.
      clean: the same, repaired.
      checks: the warnings of ``netlab check`` that are findings of the rule, by name (``Problem.rule``).
      hint: returns a hint for one of these findings that is better than ``fix``, "" for none.
      find: returns what the rule finds beside them.
    """

    id: str
    severity: Severity
    title: str
    what: str
    why: str
    fix: str
    objects: str
    fires: str
    clean: str
    checks: tuple[str, ...] = ()
    hint: Callable[[Given, Found], str] = _no_hint
    find: Callable[[Given], Iterable[Found]] = _nothing

    def findings(self, given: Given) -> Iterator[Found]:
        """Yield everything that the rule finds."""
        for name in self.checks:
            for one in given.warnings(name):
                found = Found(one.file, one.line, one.path, one.object, one.message)
                better = self.hint(given, found)
                yield replace(found, fix=better) if better else found
        yield from self.find(given)

    def examples(self) -> tuple[str, str]:
        """Return both examples as whole inputs: the one in which the rule finds something, and the repaired one."""
        shared = f"{self.objects}---\n" if self.objects else ""
        return shared + self.fires, shared + self.clean

    def page(self) -> tuple[str, ...]:
        """Return what the documentation says about the rule, as paragraphs of Markdown."""
        shared = f"```yaml\n{self.objects}```"
        return (
            self.what,
            f"**Why.** {self.why}",
            f"**Fix.** {sentence(self.fix)}",
            *(["The examples have these objects:", shared] if self.objects else ()),
            "The rule finds something here:",
            f"```yaml\n{self.fires}```",
            "It finds nothing here:",
            f"```yaml\n{self.clean}```",
        )


def sentence(text: str) -> str:
    """Return a title or a fix as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def without_marks(text: str) -> str:
    """Return a text of a rule without the marks of code that Markdown has."""
    return text.replace("`", "")


def found(of: _Object, path: str, message: str, fix: str = "", kind: str = "NetworkPolicy") -> Found:
    """Return a finding about one field of an object; by default the object is a NetworkPolicy."""
    return Found(of.source.file, of.source.line(path), path, f"{kind} {of.meta.key}", message, fix)


def found_at_pod(pod: Pod, message: str) -> Found:
    """Return a finding about a pod of the cluster; its object is the workload, if it has one."""
    path = "metadata.name"
    return Found(pod.source.file, pod.source.line(path), path, pod.workload or f"Pod {pod.ref}", message)
