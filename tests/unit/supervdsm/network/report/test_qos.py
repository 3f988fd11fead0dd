# SPDX-License-Identifier: GPL-2.0-or-later
"""HFSC classes as oVirt's QoS."""

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.report import qos
from supervdsm.network.report.qos import Curve, HfscClass
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

LS = Curve(m1=0, d=0, m2=1000)


def test_the_kernels_bytes_are_ovirts_bits() -> None:
    cls = HfscClass(
        handle=0x1389_0064, ls=LS, ul=Curve(0, 0, 2000), rt=Curve(m1=500, d=10_000, m2=250)
    )
    expected = QosClass(
        ls=QosCurve(m2=8000), ul=QosCurve(m2=16000), rt=QosCurve(m1=4000, d=10_000, m2=2000)
    )
    assert qos.device_qos([cls]) == (DeviceQos(HostQos(expected), vlan=100),)


def test_the_network_without_a_tag_has_vlan_minus_one() -> None:
    (found,) = qos.device_qos([HfscClass(handle=0x1389_1388, ls=LS)])
    assert found.vlan == -1


def test_the_root_class_and_those_of_others_are_left_out() -> None:
    root, foreign = HfscClass(0x1389_0000, ls=LS), HfscClass(0x0001_0064, ls=LS)
    assert qos.device_qos([root, foreign, HfscClass(0x1389_0064)]) == ()


@given(st.sets(st.integers(1, 4094)))
def test_each_vlan_has_its_class(vlans: set[int]) -> None:
    classes = [HfscClass(qos.ROOT_HANDLE << 16 | vlan, ls=LS) for vlan in vlans]
    assert [found.vlan for found in qos.device_qos(classes)] == sorted(vlans)
