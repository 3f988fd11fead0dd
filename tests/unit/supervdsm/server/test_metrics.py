# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemctl says about restarts."""

from supervdsm.server.metrics import restarts_of


def test_restarts_are_read_by_unit() -> None:
    text = "Id=vdsm.service\nNRestarts=3\n\nNRestarts=12\nId=supervdsm.service\n"
    assert restarts_of(text) == {"vdsm": 3, "supervdsm": 12}


def test_what_systemctl_does_not_tell_is_left_out() -> None:
    assert restarts_of("") == {}
    assert restarts_of("Failed to connect to bus\n") == {}
    assert (
        restarts_of("Id=vdsm.service\nNRestarts=[not set]\n\nId=other.service\nNRestarts=1") == {}
    )
