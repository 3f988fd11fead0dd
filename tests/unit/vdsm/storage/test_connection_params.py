# SPDX-License-Identifier: GPL-2.0-or-later
"""ConnectionRefParameters: NFS options, defaults, and values that are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.storage import connection_params, domain_types
from vdsm.storage.connection_params import Reference
from vdsm.storage.domain_types import DomainType
from vdsm.storage.specs import BadConnection

_BASE = "soft,nosharecache,timeo=100,retrans=3"


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, f"{_BASE},nfsvers=3,nolock"),
        ({"protocol_version": "3"}, f"{_BASE},nfsvers=3,nolock"),
        ({"protocol_version": "auto"}, f"{_BASE},nolock"),
        ({"protocol_version": "4"}, f"{_BASE},nfsvers=4"),
        ({"protocol_version": 4}, f"{_BASE},nfsvers=4"),
        ({"protocol_version": "4.1"}, f"{_BASE},nfsvers=4,minorversion=1"),
        ({"protocol_version": "4.2"}, f"{_BASE},nfsvers=4,minorversion=2"),
        ({"mnt_options": "lock"}, f"{_BASE},nfsvers=3,lock"),
        ({"mnt_options": "nolock,ro"}, f"{_BASE},nfsvers=3,nolock,ro"),
        ({"mnt_options": "ro, noatime,,"}, f"{_BASE},nfsvers=3,ro,noatime,nolock"),
        (
            {"timeout": "600", "retrans": 6, "protocol_version": "4"},
            "soft,nosharecache,timeo=600,retrans=6,nfsvers=4",
        ),
        ({"timeout": None, "retrans": None, "mnt_options": None}, f"{_BASE},nfsvers=3,nolock"),
    ],
)
def test_nfs_options(params: dict[str, JSON], options: str) -> None:
    assert connection_params.nfs_options(params) == options


@pytest.mark.parametrize(
    "params",
    [
        {"protocol_version": "2"},
        {"protocol_version": "3.1"},
        {"protocol_version": "4.1.2"},
        {"protocol_version": "4,exec"},
        {"protocol_version": True},
        {"protocol_version": []},
        {"timeout": 0},
        {"timeout": "6001"},
        {"timeout": "1,suid"},
        {"timeout": "٣"},
        {"timeout": True},
        {"timeout": 1.5},
        {"retrans": -1},
        {"retrans": 99999},
        {"mnt_options": 7},
        {"mnt_options": "ro\nsuid"},
        {"mnt_options": "a" * 1001},
    ],
)
def test_nfs_parameters_that_are_refused(params: dict[str, JSON]) -> None:
    with pytest.raises(BadConnection):
        connection_params.nfs_options(params)


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


@given(
    st.fixed_dictionaries(
        {}, optional={"protocol_version": _scalars, "timeout": _scalars, "retrans": _scalars}
    )
)
def test_no_parameter_smuggles_an_option(params: dict[str, JSON]) -> None:
    try:
        options = connection_params.nfs_options(params).split(",")
    except BadConnection:
        return
    names = {option.partition("=")[0] for option in options}
    allowed = {"soft", "nosharecache", "timeo", "retrans", "nfsvers", "minorversion", "nolock"}
    assert names <= allowed
    assert len(names) == len(options)


def _mount(kind: DomainType, connection: str, **params: JSON) -> connection_params.Mount:
    return connection_params.mount(kind, Reference("id", connection, params), Path("/mnt"))


def test_local_storage_is_a_bind_mount() -> None:
    mount = _mount(DomainType.LOCALFS, "/data/images/")
    assert (mount.spec, mount.vfs_type, mount.options) == ("/data/images", "none", "bind")
    assert mount.target == Path("/mnt/_data_images")
    assert mount.local
    with pytest.raises(BadConnection):
        _mount(DomainType.LOCALFS, "data")


def test_posixfs_takes_what_it_is_told() -> None:
    mount = _mount(DomainType.SHAREDFS, "/dev/loop0", vfs_type="ext4", mnt_options="noatime")
    assert (mount.spec, mount.vfs_type, mount.options) == ("/dev/loop0", "ext4", "noatime")
    mount = _mount(DomainType.SHAREDFS, "server:/a", vfs_type="")
    assert (mount.vfs_type, mount.options) == (None, None)
    refused: list[JSON] = ["-t", "ext4 -o suid", "EXT4", 4, ["ext4"]]
    for bad in refused:
        with pytest.raises(BadConnection):
            _mount(DomainType.SHAREDFS, "/dev/loop0", vfs_type=bad)


def test_nfs_wants_an_export() -> None:
    assert _mount(DomainType.NFS, "server:/a").vfs_type == "nfs"
    for bad in ("/a", "server:a", "server"):
        with pytest.raises(BadConnection):
            _mount(DomainType.NFS, bad)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "connectionParams"),
        ({}, "connectionParams"),
        (["x"], "connectionParams[0]"),
        ([{"connection": "s:/a"}], "connectionParams[0].id"),
        ([{"id": 7, "connection": "s:/a"}], "connectionParams[0].id"),
        ([{"id": "a" * 101, "connection": "s:/a"}], "connectionParams[0].id"),
        (
            [{"id": "a", "connection": "s:/a"}, {"id": "b", "connection": None}],
            "connectionParams[1].connection",
        ),
        ([{"id": "a", "connection": ["s:/a"]}], "connectionParams[0].connection"),
    ],
)
def test_a_frame_that_is_wrong_names_the_field(value: JSON, field: str) -> None:
    with pytest.raises(VdsmError) as raised:
        connection_params.references(value)
    assert raised.value.code == Code.INVALID_PARAMS
    assert raised.value.message.startswith(f"{field}:")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("NFS", DomainType.NFS),
        (1, DomainType.NFS),
        ("1", DomainType.NFS),
        ("SHAREDFS", DomainType.SHAREDFS),
        (6, DomainType.SHAREDFS),
        (4, DomainType.LOCALFS),
        (0, DomainType.UNKNOWN),
    ],
)
def test_domain_types_by_name_and_number(value: JSON, kind: DomainType) -> None:
    assert domain_types.parse(value, "domainType") is kind


@pytest.mark.parametrize("value", [None, "", "nfs", "01", "12", 8, -1, True, 1.0, [], "NFS\n"])
def test_domain_types_that_are_none(value: JSON) -> None:
    with pytest.raises(VdsmError, match="domainType") as raised:
        domain_types.parse(value, "domainType")
    assert raised.value.code == Code.INVALID_PARAMS
