# SPDX-License-Identifier: GPL-2.0-or-later
"""StorageDomain.create's parameters: what engines send, and what is refused by its own code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.domain_site import DOMAIN
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.storage import errors
from vdsm.storage.domain import create_params
from vdsm.storage.domain.create_params import NewDomain
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import MIB, DomainClass, DomainMetadata, Role

# As an engine sends them: numbers, the path alone.
PARAMS: dict[str, JSON] = {
    "storagedomainID": DOMAIN,
    "domainType": 1,
    "typeArgs": "server:/export",
    "name": "data",
    "domainClass": 1,
    "version": 5,
}


def parse(**changes: Any) -> NewDomain:
    return create_params.parse({**PARAMS, **changes})


def test_what_an_engine_sends_is_taken() -> None:
    assert parse() == NewDomain(
        uuid=DOMAIN,
        kind=DomainType.NFS,
        remote_path="server:/export",
        name="data",
        domain_class=DomainClass.DATA,
        version=5,
        block_size=512,
        max_hosts=2000,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"domainClass": "Iso"}, {"domain_class": DomainClass.ISO}),
        ({"domainClass": "3"}, {"domain_class": DomainClass.BACKUP}),
        ({"domainType": "NFS"}, {"kind": DomainType.NFS}),
        ({"typeArgs": {"remotePath": "server:/a//b/"}}, {"remote_path": "server:/a/b"}),
        ({"storagedomainID": DOMAIN.upper()}, {"uuid": DOMAIN}),
        ({"version": 3}, {"version": 3}),
        ({"name": "mein Müll"}, {"name": "mein Müll"}),
        ({"maxHosts": 1}, {"max_hosts": 1}),
        (
            {"domainType": 4, "typeArgs": "/data", "blockSize": 0},
            {"kind": DomainType.LOCALFS, "block_size": 0},
        ),
        ({"domainType": 6, "typeArgs": "ceph:/path"}, {"kind": DomainType.SHAREDFS}),
    ],
)
def test_other_spellings_are_taken(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    new = parse(**changes)
    assert {name: getattr(new, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"storagedomainID": "../etc"}, errors.InvalidParameter),
        ({"storagedomainID": "00000000-0000-0000-0000-000000000000"}, errors.InvalidParameter),
        ({"domainType": 3}, errors.StorageDomainTypeError),
        ({"domainType": 7}, errors.StorageDomainTypeError),
        ({"domainType": 0}, errors.StorageDomainTypeError),
        ({"domainType": "FLOPPY"}, VdsmError),
        ({"domainClass": 0}, errors.StorageDomainClassError),
        ({"domainClass": "Unknown"}, errors.StorageDomainClassError),
        ({"domainClass": True}, errors.StorageDomainClassError),
        ({"version": 0}, errors.UnsupportedDomainVersion),
        ({"version": 2}, errors.UnsupportedDomainVersion),
        ({"version": 6}, errors.UnsupportedDomainVersion),
        ({"version": -1}, errors.UnsupportedDomainVersion),
        ({"typeArgs": ""}, errors.IllegalRemotePath),
        ({"typeArgs": "/data"}, errors.IllegalRemotePath),
        ({"typeArgs": "server:/a/../b"}, errors.IllegalRemotePath),
        ({"typeArgs": "-o evil:/"}, errors.IllegalRemotePath),
        ({"typeArgs": {"vgUUID": "x"}}, errors.InvalidParameter),
        ({"domainType": 4, "typeArgs": "data"}, errors.IllegalRemotePath),
        ({"domainType": 4, "typeArgs": "server:/data"}, errors.IllegalRemotePath),
        ({"name": "n" * 51}, errors.StorageDomainDescriptionTooLong),
        ({"name": "two\nlines"}, errors.InvalidParameter),
        ({"name": "\ud800"}, errors.InvalidParameter),
        ({"blockSize": 4096}, errors.InvalidParameter),
        ({"blockSize": 0}, errors.InvalidParameter),
        ({"blockSize": -512}, errors.InvalidParameter),
        ({"blockSize": 1 << 62}, errors.InvalidParameter),
        (
            {"domainType": 4, "typeArgs": "/d", "blockSize": 4096, "version": 4},
            errors.InvalidParameter,
        ),
        ({"maxHosts": 0}, errors.InvalidParameter),
        ({"maxHosts": -1}, errors.InvalidParameter),
        ({"maxHosts": 2001}, errors.InvalidParameter),
        ({"maxHosts": 1 << 80}, errors.InvalidParameter),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict[str, Any], error: type[VdsmError]) -> None:
    with pytest.raises(error):
        parse(**changes)


def test_a_version_that_is_left_out_is_the_oldest_and_refused() -> None:
    with pytest.raises(errors.UnsupportedDomainVersion):
        create_params.parse({key: value for key, value in PARAMS.items() if key != "version"})


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=60) | st.floats()


@given(st.fixed_dictionaries(dict.fromkeys(PARAMS, scalars)))
def test_hostile_parameters_never_end_in_another_error(params: dict[str, JSON]) -> None:
    with pytest.raises(VdsmError):
        create_params.parse(params)


@given(st.text(min_size=51))
def test_a_long_name_is_refused(name: str) -> None:
    with pytest.raises((errors.StorageDomainDescriptionTooLong, errors.InvalidParameter)):
        parse(name=name)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=50))
def test_a_name_is_any_text_of_one_line(name: str) -> None:
    assert parse(name=name).name == name
    metadata = DomainMetadata(
        uuid=DOMAIN,
        version=5,
        kind=DomainType.NFS,
        role=Role.REGULAR,
        domain_class=DomainClass.DATA,
        description=name,
        remote_path="",
    )
    assert domain_metadata.decode(domain_metadata.encode(metadata), "") == metadata


@pytest.mark.parametrize(
    ("block_size", "max_hosts", "alignment"),
    [
        (512, 1, 1),
        (512, 2000, 1),
        (4096, 250, 1),
        (4096, 251, 2),
        (4096, 500, 2),
        (4096, 501, 4),
        (4096, 1000, 4),
        (4096, 1001, 8),
        (4096, 2000, 8),
    ],
)
def test_leases_are_aligned_for_the_hosts_they_have_to_hold(
    block_size: int, max_hosts: int, alignment: int
) -> None:
    assert create_params.alignment(block_size, max_hosts) == alignment * MIB
