# SPDX-License-Identifier: GPL-2.0-or-later
"""The order in which a qdisc is built: the kernel and whoever dies half way count on it."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.apply import qos, tc
from supervdsm.network.kernel import attributes, socket
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

INDEX: Final = 7
ROOT: Final = 0x1389_0000


def device_qos(vlan: int, weight: int = 10) -> DeviceQos:
    return DeviceQos(HostQos(QosClass(ls=QosCurve(m2=weight))), vlan)


class Request:
    """One of the requests, as the kernel would take it apart."""

    def __init__(self, packed: bytes) -> None:
        length, self.type, *_ = socket.HEADER.unpack_from(packed)
        assert length == len(packed)
        header = tc.HEADER.unpack_from(packed, socket.HEADER.size)
        _, self.index, self.handle, self.parent, self.info = header
        told = attributes.table(packed, socket.HEADER.size + tc.HEADER.size)
        self.kind = attributes.string(told[1])
        self.options = told.get(2, memoryview(b""))

    @property
    def classid(self) -> int:
        """The class that a flower filter leads to."""
        return attributes.number(attributes.table(self.options)[1])


def built(*wanted: DeviceQos) -> list[Request]:
    return [Request(request) for request in qos.requests(INDEX, wanted)]


def test_the_qdisc_comes_first_and_then_the_class_for_what_no_filter_takes() -> None:
    root, first, queue, *_ = built(device_qos(100), device_qos(-1), device_qos(200))
    assert (root.kind, root.handle, root.parent) == ("hfsc", ROOT, tc.ROOT)
    assert attributes.number(root.options) == 5000
    assert (first.type, first.handle, first.parent) == (tc.RTM_NEWTCLASS, ROOT | 5000, ROOT)
    assert (queue.kind, queue.parent) == ("fq_codel", ROOT | 5000)


def test_without_a_network_without_tag_the_class_for_the_rest_is_nobodys() -> None:
    root, first, *_ = built(device_qos(100, 30), device_qos(200, 70))
    assert attributes.number(root.options) == 5001
    assert first.handle == ROOT | 5001
    _, _, share = (attributes.number(first.options[4 + at : 8 + at]) for at in (0, 4, 8))
    assert share == 70


vlans = st.lists(st.integers(-1, 4094), unique=True, min_size=1, max_size=40)


@given(vlans)
def test_each_class_has_a_queue_at_once_and_its_filter_before(wanted: list[int]) -> None:
    requests = built(*(device_qos(vlan) for vlan in wanted))
    classes = [at for at, one in enumerate(requests) if one.type == tc.RTM_NEWTCLASS]
    filters = {one.classid: at for at, one in enumerate(requests) if one.type == tc.RTM_NEWTFILTER}
    for at in classes:
        queue = requests[at + 1]
        assert (queue.kind, queue.parent) == ("fq_codel", requests[at].handle)
    default, *others = classes
    assert default == 1
    assert all(filters.pop(requests[at].handle) < at for at in others)
    assert filters == {}
    assert {one.index for one in requests} == {INDEX}


@pytest.mark.parametrize("vlan", [0, 1, 4094])
def test_a_vlan_is_told_by_its_tag(vlan: int) -> None:
    (found,) = (one for one in built(device_qos(vlan)) if one.type == tc.RTM_NEWTFILTER)
    told = attributes.table(found.options)
    assert bytes(told[8]) == b"\x81\x00"
    assert attributes.number(told[23]) == vlan
    assert found.classid & 0xFFFF != 0
