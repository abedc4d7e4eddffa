"""Encryption between machines: refused with a reason, and never left out silently."""

from __future__ import annotations

import pytest

from netlab.errors import HostError
from netlab.lab.encryption import refuse
from netlab.testing import FakeKernel


def test_encryption_is_refused_with_what_would_do_instead(kernel):
    """The exit status is 3, as for all that the host lacks."""
    with pytest.raises(HostError, match=r"wireguard|does not encrypt") as caught:
        refuse(kernel)

    assert "leave out --encrypt" in caught.value.fix


def test_a_kernel_with_wireguard_is_refused_too():
    """A machine that can make the device does not send in the clear what should be encrypted."""
    with pytest.raises(HostError, match="does not encrypt"):
        refuse(FakeKernel())
