"""Label classes: pods that labels cannot tell apart, and selectors that select exactly some of them."""

from __future__ import annotations

from random import Random

import pytest
from builders import cluster, pod, workload

from netlab.policy.suggest.label_classes import LabelClasses


def test_labels_of_controllers_do_not_count() -> None:
    """The pods of a StatefulSet are one class, although each has its name as a label."""
    found = LabelClasses(cluster(workload("StatefulSet", "x/db", 3, "app=db"), pod("x/host", "app=db", host=True)))

    assert [("x/db", {"app": "db"}, 3)] == [(one.ref, one.labels, len(one.pods)) for one in found.all]


@pytest.mark.parametrize(
    ("others", "selector"),
    [
        (("app=b", "app=c"), "app=a"),
        (("app=b,version=2",), "app=a"),
        (("app=a,version=2",), "app=a,version=1"),
        (("app=a,version=1,canary=yes",), "app=a,version=1,!canary"),
        (("app=b,version=1",), "app=a"),
    ],
)
def test_a_class_is_selected_by_the_fewest_labels(others: tuple[str, ...], selector: str) -> None:
    """Labels that change with a release come last; a label that only others have must be absent."""
    found = LabelClasses(
        cluster(pod("x/a", "app=a,version=1"), *(pod(f"x/o{n}", text) for n, text in enumerate(others)))
    )

    assert selector == str(found.only(0))


def test_classes_with_a_label_of_their_own_have_one_selector() -> None:
    """Else the values of one label, else each class by itself."""
    pods = [pod("x/a", "app=a,tier=f"), pod("x/b", "app=b,tier=f"), pod("x/c", "app=c"), pod("y/d", "app=a")]
    found = LabelClasses(cluster(*pods))

    assert ["tier=f"] == [str(one) for one in found.selectors(0b0011)]
    assert ["app in (a,c)"] == [str(one) for one in found.selectors(0b0101)]


@pytest.mark.parametrize("seed", range(30))
def test_selectors_of_random_pods_select_exactly_them(seed: int) -> None:
    """Each class alone, and each set of classes of a namespace."""
    rng = Random(seed)  # noqa: S311
    keys, values = ("app", "tier", "version", "x"), ("1", "2")
    pods = [
        pod(f"{rng.choice('xy')}/p{n}", ",".join(f"{k}={rng.choice(values)}" for k in keys if rng.random() < 0.6))
        for n in range(10)
    ]
    one = cluster(*pods)
    found = LabelClasses(one)
    for namespace in "xy":
        inside = [of for of in found.all if of.namespace == namespace]
        for chosen in (*([of] for of in inside), rng.sample(inside, len(inside) // 2)):
            if chosen:
                selectors = found.selectors(sum(1 << of.number for of in chosen))
                selected = {
                    p.ref
                    for p in one.pods
                    if p.namespace == namespace and any(selector.matches(p.labels) for selector in selectors)
                }

                assert {p.ref for of in chosen for p in of.pods} == selected
