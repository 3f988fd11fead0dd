# SPDX-License-Identifier: GPL-2.0-or-later
"""Port mirroring: copy every frame of a network's bridge to a VM's tap.

The bridge gets a clsact qdisc (tc(8)), which holds filters for both ways and leaves its root qdisc
alone, and in it two filters for each target: for what the bridge takes in and for what the host
sends by it. While there are any, the bridge is promiscuous, so that what it only passes on
between its ports is taken in too. A filter carries the target's name, because taps go away
before their mirroring is ended. Each step may be done again: nothing is left of a change that was
interrupted once it is asked for again.
"""

import errno
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from supervdsm.network.apply import tc
from supervdsm.network.config import Configuration
from supervdsm.network.kernel import links, socket
from supervdsm.network.kernel.model import Link
from supervdsm.network.kernel.socket import KernelError, NetlinkSocket
from vdsm_contract.errors import DeviceUnavailable, NetlinkFailed

_WAYS: Final = (tc.INGRESS, tc.EGRESS)
_PRIORITIES: Final = frozenset(range(1, 0x1000))
"""Before the filters of others, as most of those end the search for the next one."""
_TARGET_KINDS: Final = frozenset({"tun", "veth", "dummy"})
"""What may get the copies: taps of VMs and what leads to a namespace. Any other device would put
them on a wire or back into a bridge."""

_CLSACT: Final = "clsact"
_IFF_PROMISC: Final = 0x100
_NONE: Final = 0
"""No device has this index."""

_changing = threading.Lock()
"""Whether a filter is the last one of a bridge must still hold when its qdisc is removed."""


def set_port_mirroring(network: str, target: str, running: Configuration) -> None:
    """Copy the frames of the bridge `network` to `target`, beside what is copied already.

    Raises DeviceUnavailable and NetlinkFailed.
    """
    with _connected() as kernel:
        devices = _links(kernel)
        bridge = _bridge(network, devices, running)
        _check_target(target, devices)
        with _undone_on_failure(kernel, bridge.index, target):
            _make_room(kernel, bridge.index)
            for way in _WAYS:
                _copy(kernel, bridge.index, way, devices[target])
            _set_promiscuous(kernel, bridge.index, on=True)


def unset_port_mirroring(network: str, target: str, running: Configuration) -> None:
    """End what `set_port_mirroring` began. It is no error when there was nothing to end, or when
    `target` is gone.

    Raises DeviceUnavailable and NetlinkFailed.
    """
    with _connected() as kernel:
        devices = _links(kernel)
        _unset(kernel, _bridge(network, devices, running).index, target)


def _copy(kernel: NetlinkSocket, bridge: int, way: int, target: Link) -> None:
    """Have one filter of one way to the target. Its name may have been another tap's before."""
    filters = _filters(kernel, bridge)
    ours = [one for one in tc.mirrors(filters) if (one.parent, one.target) == (way, target.name)]
    _delete(kernel, bridge, (one for one in ours if one.target_index != target.index))
    if not any(one.target_index == target.index for one in ours):
        priority = min(_PRIORITIES - tc.priorities(filters))
        kernel.request(tc.mirror(bridge, tc.Mirror(way, priority, target.name, target.index)))


def _unset(kernel: NetlinkSocket, bridge: int, target: str) -> None:
    present = list(tc.mirrors(_filters(kernel, bridge)))
    _delete(kernel, bridge, (one for one in present if one.target == target))
    if any(one.target != target for one in present):
        return
    empty = not _filters(kernel, bridge) and _room(kernel, bridge) == _CLSACT
    if present or empty:
        _set_promiscuous(kernel, bridge, on=False)
    if empty:
        # At last: as long as it is there, an end that was cut short can be told from none.
        _tolerate(kernel, tc.delete_clsact(bridge), errno.ENOENT)


def leads_back(target: Link, devices: Iterable[Link]) -> bool:
    """Tell whether what is sent to a veth comes out below a bridge of this host, which may be the
    mirrored one or a way to it: frames would run in circles.
    """
    known = list(devices)
    reached = {target.lower} - {_NONE}
    while True:
        above = {
            up
            for link in known
            for down, up in ((link.index, link.master), (link.lower, link.index))
            if up and down in reached and up != target.index and up not in reached
        }
        if not above:
            break
        reached |= above
    return any(link.index in reached and link.kind in {"bridge", "openvswitch"} for link in known)


def _bridge(network: str, devices: dict[str, Link], running: Configuration) -> Link:
    configured = running.networks.get(network)
    if configured is None or not configured.bridged:
        raise DeviceUnavailable(network, "is not the bridge of a network")
    bridge = devices.get(network)
    if bridge is None or bridge.kind != "bridge":
        raise DeviceUnavailable(network, "there is no such bridge")
    return bridge


def _check_target(target: str, devices: dict[str, Link]) -> None:
    link = devices.get(target)
    if link is None:
        raise DeviceUnavailable(target, "there is no such device")
    if link.kind not in _TARGET_KINDS:
        raise DeviceUnavailable(target, f"is no tap but a {link.kind or 'NIC'}")
    if link.kind == "veth" and leads_back(link, devices.values()):
        raise DeviceUnavailable(target, "leads to a bridge of this host: frames would come back")


def _links(kernel: NetlinkSocket) -> dict[str, Link]:
    dump = kernel.dump(links.RTM_GETLINK, links.ALL, links.WITHOUT_COUNTERS)
    return {link.name: link for link in map(links.decode, dump)}


def _make_room(kernel: NetlinkSocket, bridge: int) -> None:
    """Give the bridge a clsact qdisc if it has none. One of kind `ingress` takes filters for what
    goes out, too, without a word, and shows them what comes in.
    """
    kind = _room(kernel, bridge)
    if not kind:
        kernel.request(tc.clsact(bridge))
    elif kind != _CLSACT:
        raise KernelError(errno.EEXIST, f"the bridge has a qdisc of kind {kind} already")


def _room(kernel: NetlinkSocket, bridge: int) -> str:
    return tc.filter_room(bridge, kernel.dump(tc.RTM_GETQDISC, tc.HEADER.pack(0, bridge, 0, 0, 0)))


def _filters(kernel: NetlinkSocket, bridge: int) -> list[memoryview]:
    """Return the filters of both ways."""
    return [
        message
        for way in _WAYS
        for message in kernel.dump(tc.RTM_GETTFILTER, tc.filters_of(bridge, way))
    ]


def _delete(kernel: NetlinkSocket, bridge: int, found: Iterable[tc.Mirror]) -> None:
    for one in found:
        _tolerate(kernel, tc.delete_mirror(bridge, one), errno.ENOENT)


def _set_promiscuous(kernel: NetlinkSocket, bridge: int, *, on: bool) -> None:
    flags = _IFF_PROMISC if on else 0
    header = links.HEADER.pack(0, 0, bridge, flags, _IFF_PROMISC)
    kernel.request(socket.message(links.RTM_NEWLINK, 0, header))


def _tolerate(kernel: NetlinkSocket, request: bytes, *codes: int) -> None:
    try:
        kernel.request(request)
    except KernelError as error:
        if error.errno not in codes:
            raise


@contextmanager
def _undone_on_failure(kernel: NetlinkSocket, bridge: int, target: str) -> Iterator[None]:
    try:
        yield
    except KernelError:
        _unset(kernel, bridge, target)
        raise


@contextmanager
def _connected() -> Iterator[NetlinkSocket]:
    try:
        with _changing, NetlinkSocket() as kernel:
            yield kernel
    except OSError as error:
        raise NetlinkFailed(error.errno or 0, error.strerror or str(error)) from error
