# SPDX-License-Identifier: GPL-2.0-or-later
"""Only oVirt's own users and groups can be asked about, and never root."""

import pytest

from supervdsm.policy.users import Identity, identity
from vdsm_contract.errors import InvalidArgument


def test_the_users_that_ovirt_checks_have_ovirts_numbers() -> None:
    assert identity("vdsm", ["kvm"]) == Identity(36, 36, (36,))
    assert identity("qemu", ["qemu", "sanlock"]) == Identity(107, 107, (107, 179))
    assert identity("vdsm", []) == Identity(36, 36, ())
    assert identity("vdsm", ["kvm", "kvm"]).groups == (36,)


@pytest.mark.parametrize("user", ["root", "0", "", "36", "nobody", "sanlock", "vdsm\n"])
def test_another_user_is_refused(user: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        identity(user, [])
    assert caught.value.field == "user"


@pytest.mark.parametrize("group", ["root", "disk", "0", "", "wheel", "vdsm"])
def test_another_group_is_refused(group: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        identity("vdsm", ["kvm", group])
    assert caught.value.field == "groups"
