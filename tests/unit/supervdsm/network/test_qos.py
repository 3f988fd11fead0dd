# SPDX-License-Identifier: GPL-2.0-or-later
"""HFSC classes as oVirt's QoS."""

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network import qos
from supervdsm.network.qos import Curve, HfscClass
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

LS = Curve(m1=0, d=0, m2=1000)


def test_the_kernels_bytes_are_ovirts_bits_and_its_link_share_a_weight() -> None:
    cls = HfscClass(
        handle=0x1389_0064, ls=LS, ul=Curve(0, 0, 2000), rt=Curve(m1=500, d=10_000, m2=250)
    )
    expected = QosClass(
        ls=QosCurve(m2=1000), ul=QosCurve(m2=16000), rt=QosCurve(m1=4000, d=10_000, m2=2000)
    )
    assert qos.device_qos([cls]) == (DeviceQos(HostQos(expected), vlan=100),)


def test_the_network_without_a_tag_has_vlan_minus_one() -> None:
    (found,) = qos.device_qos([HfscClass(handle=0x1389_1388, ls=LS)])
    assert found.vlan == -1


def test_the_root_class_and_those_of_no_network_and_of_others_are_left_out() -> None:
    root, foreign = HfscClass(0x1389_0000, ls=LS), HfscClass(0x0001_0064, ls=LS)
    nobody = HfscClass(qos.ROOT_HANDLE << 16 | qos.OTHERS_CLASS, ls=LS)
    assert qos.device_qos([root, foreign, nobody, HfscClass(0x1389_0064)]) == ()


def test_vlan_0_is_not_the_root_class() -> None:
    (cls,) = qos.hfsc_classes([DeviceQos(HostQos(QosClass(ls=QosCurve(m2=1))), vlan=0)])
    assert cls.handle & 0xFFFF != 0
    assert [found.vlan for found in qos.device_qos([cls])] == [0]


@given(st.sets(st.integers(1, 4094)))
def test_each_vlan_has_its_class(vlans: set[int]) -> None:
    classes = [HfscClass(qos.ROOT_HANDLE << 16 | vlan, ls=LS) for vlan in vlans]
    assert [found.vlan for found in qos.device_qos(classes)] == sorted(vlans)


rates = st.integers(1, qos.MAX_RATE // 8).map(lambda number: number * 8)
shares = st.integers(1, qos.MAX_SHARE)
durations = st.integers(0, 2**32 - 1)
weights = st.builds(QosCurve, m2=shares, m1=shares, d=durations)
curves = st.builds(QosCurve, m2=rates, m1=rates, d=durations)


@given(st.integers(-1, 4094), weights, curves, curves)
def test_what_the_kernel_can_hold_is_read_as_it_was_asked_for(
    vlan: int, ls: QosCurve, ul: QosCurve, rt: QosCurve
) -> None:
    asked = (DeviceQos(HostQos(QosClass(ls=ls, ul=ul, rt=rt)), vlan),)
    assert qos.as_kernel_has_it(asked) == asked


anything = st.integers(0, 2**63 - 1)
any_curve = st.builds(QosCurve, m2=anything, m1=anything, d=anything)


@given(any_curve, any_curve, any_curve)
def test_what_is_read_back_is_read_back_the_same_again(
    ls: QosCurve, ul: QosCurve, rt: QosCurve
) -> None:
    once = qos.as_kernel_has_it([DeviceQos(HostQos(QosClass(ls=ls, ul=ul, rt=rt)), 7)])
    assert qos.as_kernel_has_it(once) == once


def test_a_rate_that_is_no_number_of_bytes_is_rounded_down_but_not_to_nothing() -> None:
    asked = QosClass(ls=QosCurve(m2=3), ul=QosCurve(m2=1_000_007), rt=QosCurve(m2=5))
    (found,) = qos.as_kernel_has_it([DeviceQos(HostQos(asked), -1)])
    expected = QosClass(ls=QosCurve(m2=3), ul=QosCurve(m2=1_000_000), rt=QosCurve(m2=8))
    assert found.hostQos.out == expected
