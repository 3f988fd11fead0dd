# SPDX-License-Identifier: GPL-2.0-or-later
"""Shape a device's outbound traffic: one HFSC class for each network on it (tc-hfsc(7)).

The qdisc is always replaced as a whole, with few system calls. Its layout is oVirt's
(`network/qos.py`), with fair queues (fq_codel) below the classes. What is left of a supervdsm that
was killed between two of those calls lacks a class, so that who reads it sees that it is not what
was asked for, and has it done again.
"""

import errno
from collections.abc import Sequence
from typing import Final

from supervdsm.network.apply import tc
from supervdsm.network.kernel.socket import KernelError, NetlinkSocket
from supervdsm.network.qos import (
    NO_VLAN,
    OTHERS_CLASS,
    ROOT_HANDLE,
    UNTAGGED_CLASS,
    Curve,
    HfscClass,
    hfsc_classes,
)
from vdsm_contract.types import DeviceQos

_GONE: Final = frozenset({errno.ENOENT, errno.EINVAL})
_LAST_CLASS: Final = 2
"""A class and its queue."""


def set_qos(kernel: NetlinkSocket, index: int, qos: Sequence[DeviceQos]) -> None:
    """Give the device `index` these classes and no others; without any, its default qdisc.

    Raises KernelError; the device has its default qdisc then.
    """
    if not qos:
        _remove(kernel, index)
        return
    default, *rest = requests(index, qos)
    removed, *refusals = kernel.send_batch([tc.delete_root(index), default])
    if removed is not None and removed.errno != errno.ENOENT:
        raise KernelError(removed.errno, removed.reason)
    refusals += kernel.send_batch(rest[:-_LAST_CLASS])
    # With one system call: nobody finds the last class without its queue.
    refusals += kernel.send_batch(rest[-_LAST_CLASS:])
    refused = next((refusal for refusal in refusals if refusal is not None), None)
    if refused is not None:
        _remove(kernel, index)
        raise KernelError(refused.errno, refused.reason)


def requests(index: int, qos: Sequence[DeviceQos]) -> list[bytes]:
    """Return what builds the qdisc: itself, the class of what has no other, filters, classes.

    Frames that no class takes are dropped, so the class for them comes first. Filters come before
    the classes that they lead to: the kernel looks these up when a frame comes.
    """
    classes = dict(zip((one.vlan for one in qos), hfsc_classes(qos), strict=True))
    if NO_VLAN in classes:
        default, first = UNTAGGED_CLASS, classes.pop(NO_VLAN)
    else:
        default, first = OTHERS_CLASS, _for_others(list(classes.values()))
    built = [tc.hfsc(index, ROOT_HANDLE, default)]
    queued = [_with_queue(index, cls) for cls in (first, *classes.values())]
    built += queued[0]
    built += [tc.vlan_filter(index, vlan, cls.handle) for vlan, cls in classes.items()]
    return built + [request for pair in queued[1:] for request in pair]


def _with_queue(index: int, cls: HfscClass) -> tuple[bytes, bytes]:
    return tc.hfsc_class(index, cls), tc.fq_codel(index, cls.handle)


def _for_others(classes: Sequence[HfscClass]) -> HfscClass:
    """Return a class with the largest share of the others: nobody's traffic is starved."""
    shares = [max(cls.ls.m1, cls.ls.m2) for cls in classes if cls.ls is not None]
    share = Curve(m1=0, d=0, m2=max(shares, default=1))
    return HfscClass(handle=ROOT_HANDLE << 16 | OTHERS_CLASS, ls=share)


def _remove(kernel: NetlinkSocket, index: int) -> None:
    """Put the default qdisc back in the place of ours; another one stays."""
    try:
        kernel.request(tc.delete_hfsc(index, ROOT_HANDLE))
    except KernelError as error:
        if error.errno not in _GONE:
            raise
