# SPDX-License-Identifier: GPL-2.0-or-later
"""Reverse path filters of real devices."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import Namespace
from supervdsm.network.apply.rp_filter import LOOSE, STRICT, set_rp_filter
from vdsm_contract.errors import DeviceUnavailable

PROC: Final = Path("/proc")
CONF: Final = PROC / "sys/net/ipv4/conf"


@pytest.fixture
def call(namespace: Namespace) -> Iterator[Call]:
    namespace.batch("link add nic0 type veth peer name other", "link add odd.100 type bridge")
    with inside(namespace.name) as entered:
        yield entered


@pytest.mark.parametrize("device", ["nic0", "odd.100"])
def test_the_device_s_filter_is_set_and_no_other(call: Call, device: str) -> None:
    def values() -> dict[str, str]:
        return {path.name: (path / "rp_filter").read_text() for path in CONF.iterdir()}

    before = call(values)
    for mode in (LOOSE, STRICT, LOOSE):
        call(set_rp_filter, PROC, device, mode)
        assert call(values) == before | {device: f"{mode}\n"}


@pytest.mark.parametrize(
    "device",
    ["", ".", "..", "all", "default", "gone", "../all", "nic0/", "x" * 300, "nic0\n", "a\0"],
)
def test_what_is_no_device_is_refused_by_its_name(call: Call, device: str) -> None:
    with pytest.raises(DeviceUnavailable) as refused:
        call(set_rp_filter, PROC, device, STRICT)
    assert refused.value.device == device


def test_a_device_of_another_namespace_is_not_ours(call: Call) -> None:
    with pytest.raises(DeviceUnavailable):
        call(set_rp_filter, PROC, "eth0", STRICT)
