# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors go over the wire and come back as themselves, for every error of the closed set."""

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_contract.errors import BY_NAME, NetworkChangeFailed, NetworkConfigError, VerbError
from vdsm_contract.wire import OutgoingError, Response

_VALUES = {
    str: st.text(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
}


@pytest.mark.parametrize("kind", BY_NAME.values())
@given(data=st.data())
def test_round_trip(kind: type[VerbError], data: st.DataObject) -> None:
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    error = kind(**{field.name: data.draw(_VALUES[field.type]) for field in fields})  # type: ignore[index]
    sent = msgspec.json.encode(OutgoingError(error.name, error))
    response = msgspec.json.decode(sent, type=Response)
    back = msgspec.json.decode(response.parameters, type=BY_NAME[response.error])
    assert vars(back) == vars(error)
    assert str(back) == str(error)
    assert isinstance(back.code, int)


def test_a_refused_network_request_has_ovirt_s_number_of_what_was_wrong_with_it() -> None:
    assert NetworkConfigError(26, "networks.red.vlan", "out of range").api_code() == 26


@pytest.mark.parametrize(("rolled_back", "end"), [(True, "is as it was"), (False, "is NOT as it")])
def test_a_failed_network_change_says_whether_the_old_state_is_back(
    rolled_back: bool, end: str
) -> None:
    assert end in str(NetworkChangeFailed("add VLAN red", 17, "File exists", rolled_back))
