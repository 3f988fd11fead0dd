# SPDX-License-Identifier: GPL-2.0-or-later
"""Shaping on this machine's kernel, whether it has HFSC or not; tests/vm/test_qos.py has frames."""

import errno
import json
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import Namespace, run
from supervdsm.network.apply.qos import set_qos
from supervdsm.network.kernel import classes
from supervdsm.network.kernel.socket import KernelError, NetlinkSocket
from supervdsm.network.qos import device_qos
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

ASKED: Final = tuple(
    DeviceQos(HostQos(QosClass(ls=QosCurve(m2=weight), ul=QosCurve(m2=weight * 8000))), vlan)
    for vlan, weight in ((-1, 10), (7, 20), (4094, 30))
)


class Nic:
    """A device of a namespace."""

    def __init__(self, namespace: Namespace, call: Call) -> None:
        self.namespace = namespace
        self.call = call

    def shape(self, *asked: DeviceQos) -> None:
        def shape() -> None:
            with NetlinkSocket() as kernel:
                set_qos(kernel, socket.if_nametoindex("nic0"), asked)

        self.call(shape)

    def shaped(self) -> tuple[DeviceQos, ...]:
        def read() -> list[memoryview]:
            with NetlinkSocket() as kernel:
                of_nic = classes.of(socket.if_nametoindex("nic0"))
                return kernel.dump(classes.RTM_GETTCLASS, of_nic)

        decoded = map(classes.decode, self.call(read))
        return device_qos(cls for cls in decoded if cls is not None)

    def qdiscs(self) -> list[str]:
        command = ("tc", "-n", self.namespace.name, "-j", "qdisc", "show", "dev", "nic0")
        found: list[dict[str, Any]] = json.loads(run(*command))
        return [one["kind"] for one in found]

    def tc(self, command: str) -> None:
        run("tc", "-n", self.namespace.name, *command.split())


@pytest.fixture
def nic(namespace: Namespace) -> Iterator[Nic]:
    namespace.batch("link add nic0 type veth peer name other", "link set nic0 up")
    with inside(namespace.name) as call:
        yield Nic(namespace, call)


def has_hfsc(nic: Nic) -> bool:
    try:
        nic.tc("qdisc add dev nic0 root handle 1389: hfsc default 1388")
    except AssertionError:
        return False
    nic.tc("qdisc del dev nic0 root")
    return True


def test_what_is_set_is_read(nic: Nic) -> None:
    if not has_hfsc(nic):
        pytest.skip("this kernel has no HFSC")
    before = nic.qdiscs()
    nic.shape(*ASKED)
    assert nic.shaped() == ASKED
    nic.shape()
    assert (nic.shaped(), nic.qdiscs()) == ((), before)


def test_a_kernel_without_hfsc_says_so_and_has_its_default_qdisc(nic: Nic) -> None:
    if has_hfsc(nic):
        pytest.skip("this kernel has HFSC")
    before = nic.qdiscs()
    with pytest.raises(KernelError) as refused:
        nic.shape(*ASKED)
    assert refused.value.errno == errno.ENOENT
    assert nic.qdiscs() == before


def test_no_shaping_leaves_the_qdisc_of_somebody_else(nic: Nic) -> None:
    nic.tc("qdisc add dev nic0 root handle 7: tbf rate 1gbit burst 1m latency 50ms")
    nic.shape()
    assert nic.qdiscs() == ["tbf"]


def test_no_shaping_of_what_has_none_is_no_error(nic: Nic) -> None:
    before = nic.qdiscs()
    nic.shape()
    assert nic.qdiscs() == before


def test_a_device_that_is_not_there_is_an_error(nic: Nic) -> None:
    def shape() -> None:
        with NetlinkSocket() as kernel:
            set_qos(kernel, 4711, ASKED)

    with pytest.raises(KernelError) as refused:
        nic.call(shape)
    assert refused.value.errno == errno.ENODEV
