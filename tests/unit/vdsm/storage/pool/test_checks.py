# SPDX-License-Identifier: GPL-2.0-or-later
"""What an engine, or somebody else, may send about pools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.model import MAX_DOMAINS_IN_POOL, DomainStatus
from vdsm.storage.pool import checks, vms

UUID = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9e01"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("value", [1, 2000, "250"])
def test_host_ids(value: JSON) -> None:
    assert checks.host_id(value) == int(str(value))


@pytest.mark.parametrize("value", [0, -1, 2001, "x", True, 1.5, None, [], "1" * 5000])
def test_what_is_no_host_id(value: JSON) -> None:
    with pytest.raises(errors.InvalidParameter, match="hostID"):
        checks.host_id(value)


def test_domains_and_their_states_in_any_case() -> None:
    found = checks.domain_map({UUID.upper(): "active"})
    assert found == {UUID: DomainStatus.ACTIVE}
    assert checks.domain_list([UUID, UUID]) == (UUID,)


@pytest.mark.parametrize("value", [{UUID: "gone"}, {"../x": "active"}, {UUID: 3}, [UUID], "x"])
def test_what_is_no_map_of_domains(value: JSON) -> None:
    with pytest.raises(errors.InvalidParameter, match="domainDict"):
        checks.domain_map(value)


def test_too_many_domains() -> None:
    with pytest.raises(errors.TooManyDomainsInPool):
        checks.domain_list([UUID] * (MAX_DOMAINS_IN_POOL + 1))


def test_names() -> None:
    assert checks.name("Zürich", "name") == "Zürich"
    with pytest.raises(errors.StoragePoolDescriptionTooLong):
        checks.name("x" * 51, "name")
    with pytest.raises(errors.InvalidParameter):
        checks.name("a\nPOOL_SPM_ID=1", "name")


def test_lease_parameters_name_the_one_that_is_wrong() -> None:
    with pytest.raises(errors.InvalidParameter, match="leaseTimeSec"):
        checks.lease_parameters({"lockRenewalIntervalSec": 5, "leaseTimeSec": -60})


def test_machines() -> None:
    [machine] = vms.machines([{"vm": UUID, "ovf": "<x/>", "imglist": ""}])
    assert (machine.uuid, machine.ovf) == (UUID, "<x/>")
    for wrong in ([{"vm": "../../x", "ovf": ""}], [{"vm": UUID}], [None], "x"):
        with pytest.raises(errors.InvalidParameter, match="vmList"):
            vms.machines(wrong)


@given(anything)
def test_anything_is_read_or_refused_with_an_error_of_storage(value: JSON) -> None:
    for check in (
        checks.host_id,
        checks.master_version,
        checks.domain_list,
        checks.domain_map,
        vms.machines,
        lambda one: checks.name(one, "name"),
        lambda one: checks.version(one, "version"),
    ):
        try:
            check(value)
        except errors.StorageError:
            continue
