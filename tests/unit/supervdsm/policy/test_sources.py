# SPDX-License-Identifier: GPL-2.0-or-later
"""Sources have the form of their kind, and can not be taken for an option of mount(8)."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.policy import sources
from vdsm_contract.errors import InvalidArgument

CHECKS = [sources.nfs_export, sources.device_path, sources.host_directory]


@pytest.mark.parametrize(
    "spec",
    [
        "server:/",
        "server.example.com:/export/data",
        "storage_1:/export",
        "192.0.2.1:/export/with space",
        "[2001:db8::1]:/export",
        "[fe80::1%eth0]:/export",
    ],
)
def test_an_export_is_taken(spec: str) -> None:
    assert sources.nfs_export(spec) == spec


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "server",
        "server:",
        "server:export",
        ":/export",
        "/export",
        "-o:/export",
        "-server:/export",
        "server-:/export",
        "a b:/export",
        "a,b:/export",
        "2001:db8::1:/export",
        "[::1:/export",
        "[]:/x",
        "server:/a/../b",
        "server:/a\nb",
        "server:/a\0",
        "$(id):/x",
        "x" * 254 + ":/x",
        "server:/" + "x" * 1024,
        "sérver:/x",
    ],
)
def test_what_is_no_export_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        sources.nfs_export(spec)
    assert caught.value.field == "fsSpec"


@pytest.mark.parametrize(
    "spec",
    [
        *(
            "/dev",
            "/dev/",
            "/dev/../etc/passwd",
            "/etc/passwd",
            "dev/sda",
            "-/dev/sda",
            "/dev//sda",
        ),
        *(
            "/dev/fd/3",
            "/dev/shm/image",
            "/dev/pts/0",
            "LABEL=root",
            "UUID=1",
            "/rhev/data-center/x",
        ),
    ],
)
def test_what_is_no_path_of_a_device_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument):
        sources.device_path(spec)


def test_the_path_of_a_device_is_taken() -> None:
    for spec in ("/dev/sda1", "/dev/mapper/36001405-part1", "/dev/disk/by-id/wwn-0x5000"):
        assert sources.device_path(spec) == spec


@pytest.mark.parametrize(
    "spec",
    [
        *("/", "//", "", "data", "/data/../etc", "/data//x", "/./data", "-/data", "/data\n"),
        *(
            "/etc",
            "/etc/",
            "/etc/pki/vdsm",
            "/proc/1/root",
            "/sys",
            "/dev/shm",
            "/run/vdsm",
            "/usr/x",
        ),
        *("/boot", "/root/x", "/rhev/data-center/mnt/x", "/bin", "/lib64/x", "/var/run/vdsm"),
        *("/var/lib/vdsm/storage", "/var/lib/containers/x", "/var/log"),
    ],
)
def test_a_system_tree_of_the_host_is_refused(spec: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        sources.host_directory(spec)
    assert caught.value.field == "fsSpec"


def test_a_directory_for_data_is_taken_relative_to_the_hosts_root() -> None:
    assert sources.host_directory("/data/images/") == "data/images"
    assert sources.host_directory("/var/lib/exports/iso") == "var/lib/exports/iso"
    assert sources.host_directory("/etcetera") == "etcetera"


@given(st.text() | st.from_regex(re.compile(r"[-\[a-z0-9.:]{1,9}:?/.{0,9}")))
@pytest.mark.parametrize("check", CHECKS)
def test_any_text_is_refused_or_is_no_option_and_printable(
    check: Callable[[str], str], text: str
) -> None:
    with suppress(InvalidArgument):
        check(text)
        assert text.isprintable()
        assert not text.startswith("-")
        assert ".." not in text.split("/")
