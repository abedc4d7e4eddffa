"""Names of profiles: variants, versions, another spelling, and names that no profile has."""

from __future__ import annotations

import pytest

from netlab import profiles
from netlab.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("flannel", "flannel"),
        ("flannel+netpol", "flannel-netpol"),
        ("cilium-1.20", "cilium-1.20"),
        ("cilium-1.20.2", "cilium-1.20"),
        ("cilium-v1.19.4", "cilium-1.19"),
        ("cilium-1.18", "cilium-1.16"),
        ("cilium-2", "cilium-1.20"),
        ("calico-3.34", "calico"),
        ("calico-vxlan-v3.34.1", "calico-vxlan"),
        ("kube-router-2.11.0", "kube-router"),
    ],
)
def test_a_name_with_a_version_is_the_newest_variant_that_is_not_newer(asked: str, found: str) -> None:
    """A ``+`` is a ``-``. Without variants by version it is the profile, if its facts are of that version."""
    assert found == profiles.named(asked).name


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("ciliun", "no profile 'ciliun': did you mean cilium"),
        ("nothing", "no profile 'nothing'; `netlab profiles` lists all"),
        ("cilium-1.2", "no profile cilium-1.2: the oldest is cilium-1.15"),
        ("calico-3.30", "no profile calico-3.30: calico has no variants by version; its facts are of v3.34"),
        ("cilium-1.2.3.4.5", "no profile 'cilium-1.2.3.4.5'"),
        ("../flannel", "no profile '../flannel'"),
        ("", "no profile ''"),
        ("a" * 200_000, "no profile 'aaaa"),
    ],
    ids=lambda text: text[:20],
)
def test_a_name_that_no_profile_has_is_an_error(asked: str, said: str) -> None:
    """It names similar ones, and is short."""
    with pytest.raises(UsageError) as error:
        profiles.named(asked)

    assert str(error.value).startswith(said)
    assert len(str(error.value)) < 250
