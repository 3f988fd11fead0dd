# SPDX-License-Identifier: GPL-2.0-or-later
"""Options are taken from the list or refused, and the forced ones always come last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.policy.mount_options import FORCED, VfsType, mount_options, vfs_type
from vdsm_contract.errors import InvalidArgument

OVIRT_DEFAULT = "soft,nosharecache,timeo=100,retrans=3,nolock,nfsvers=4,minorversion=1"

EVERY = [
    *("suid", "dev", "exec", "remount", "bind", "rbind", "move", "loop", "loop=/dev/loop0", "user"),
    *("users", "owner", "group", "nouser", "user=root", "uid=0", "gid=0", "mode=4755", "auto"),
    *("bg", "errors=panic", "logdev=/dev/sda", "rtdev=/dev/sda", "journal_path=/dev/sda"),
    *(
        "journal_dev=0x801",
        "usrjquota=/etc/shadow",
        "addr=10.0.0.1",
        "mounthost=other",
        "clientaddr=::",
    ),
    *("X-mount.mkdir", "X-mount.subdir=/etc", "x-systemd.automount", "helper=x", "offset=512"),
    *(
        "context=system_u:object_r:etc_t:s0",
        "private",
        "shared",
        "make-rshared",
        "verity.hashdevice=/x",
    ),
    *("SUID", "ro ", " ro", "ro\n", "ro\0", "-o", "--", "ro=1", "=", "=x", "'ro'", '"ro'),
    *("timeo", "timeo=", "timeo=1x", "timeo=-1", "timeo=1 2", "vers=5", "sec=evil", "proto=unix"),
    *("timeo=\u0661", "commit=1\n"),
]


@pytest.mark.parametrize("vfs", [each for each in VfsType if each is not VfsType.NONE])
@pytest.mark.parametrize("option", EVERY)
def test_what_gives_power_or_is_unknown_is_refused(option: str, vfs: VfsType) -> None:
    with pytest.raises(InvalidArgument) as caught:
        mount_options(f"ro,{option}", vfs)
    assert caught.value.field == "mntOpts"
    name = option.partition("=")[0]
    assert repr(name) in caught.value.reason or "number 2" in caught.value.reason


@pytest.mark.parametrize("vfs", VfsType)
@pytest.mark.parametrize(
    "text", ["{}", "password=a,{}", "ro={}", "timeo={}", "sec={}", " {}", "{}=1"]
)
def test_a_refusal_tells_nothing_of_what_may_be_a_secret(text: str, vfs: VfsType) -> None:
    with pytest.raises(InvalidArgument) as caught:
        mount_options(text.format("hunter2"), vfs)
    assert "hunter2" not in str(caught.value)


def test_a_refusal_names_the_option_that_is_known() -> None:
    with pytest.raises(InvalidArgument, match="option 'suid' is not allowed for nfs"):
        mount_options("ro,suid", VfsType.NFS)
    with pytest.raises(InvalidArgument, match="option number 3 is not allowed for nfs"):
        mount_options("ro,soft,xyzzy", VfsType.NFS)


def test_a_bind_mount_takes_no_option_of_a_file_system() -> None:
    assert mount_options("bind,ro", VfsType.NONE) == ("bind", "ro", *FORCED)
    for option in ("rbind", "remount", "soft", "discard", "shared", "suid", "move"):
        with pytest.raises(InvalidArgument, match=option):
            mount_options(option, VfsType.NONE)


def test_the_options_of_ovirts_nfs_mounts_are_taken_as_they_are() -> None:
    for vfs in (VfsType.NFS, VfsType.NFS4):
        assert mount_options(OVIRT_DEFAULT, vfs) == (*OVIRT_DEFAULT.split(","), *FORCED)


@pytest.mark.parametrize(
    ("vfs", "text"),
    [
        (
            VfsType.NFS,
            "proto=tcp6,sec=krb5p:sys,actimeo=0,lookupcache=none,local_lock=all,vers=4.2",
        ),
        (
            VfsType.EXT4,
            "noatime,errors=remount-ro,data=ordered,barrier=1,barrier,commit=30,discard",
        ),
        (VfsType.XFS, "nouuid,inode64,allocsize=64m,logbufs=8,discard"),
    ],
)
def test_options_of_the_manual_pages_are_taken(vfs: VfsType, text: str) -> None:
    assert mount_options(text, vfs)[: -len(FORCED)] == tuple(text.split(","))


def test_the_forced_options_come_last_also_when_defaults_or_nothing_is_asked() -> None:
    for text in (None, "", ",", "defaults", "_netdev,defaults", "nosuid,noexec"):
        assert mount_options(text, VfsType.EXT4) == FORCED


def test_of_an_option_given_twice_the_last_place_counts() -> None:
    assert mount_options("ro,sync,ro", VfsType.XFS) == ("sync", "ro", *FORCED)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="longer"):
        mount_options("ro," * 1000, VfsType.NFS)


@given(st.text() | st.lists(st.sampled_from(["ro", "soft", "timeo=3", "x", ""])).map(",".join))
def test_any_text_is_taken_or_refused_and_never_loses_the_forced_ones(text: str) -> None:
    for vfs in VfsType:
        match _outcome(text, vfs):
            case InvalidArgument(field=field, reason=reason):
                assert (field, reason.isascii()) == ("mntOpts", True)
            case options:
                assert options[-3:] == FORCED
                assert set(options[:-3]) <= set(text.split(","))
                assert not {"suid", "dev", "exec"} & set(options)


def _outcome(text: str, vfs: VfsType) -> InvalidArgument | tuple[str, ...]:
    try:
        return mount_options(text, vfs)
    except InvalidArgument as error:
        return error


def test_file_systems_are_from_the_list() -> None:
    assert vfs_type("xfs", "/dev/sda") is VfsType.XFS
    assert vfs_type("none", "/data") is VfsType.NONE
    assert vfs_type(None, "server:/export") is VfsType.NFS
    for name in (
        "",
        "auto",
        "tmpfs",
        "proc",
        "overlay",
        "fuse.sshfs",
        "EXT4",
        "ext4,xfs",
        "noext4",
    ):
        with pytest.raises(InvalidArgument) as caught:
            vfs_type(name, "server:/export")
        assert caught.value.field == "vfsType"
    for spec in ("/dev/sda", "/a:/b", "tmpfs"):
        with pytest.raises(InvalidArgument):
            vfs_type(None, spec)
