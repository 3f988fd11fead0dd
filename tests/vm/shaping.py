# SPDX-License-Identifier: GPL-2.0-or-later
"""Shape a device's traffic with supervdsm's own code, in its container: piped to `python3 -`.

Arguments: a device, its QoS as JSON, and how many of the calls that build it are made (0: all).
Prints what the kernel has then, as it is read for reports and plans, and the errno of a refusal.
"""

import socket
import sys

import msgspec

from supervdsm.network.apply import qos, tc
from supervdsm.network.kernel import classes
from supervdsm.network.kernel.socket import KernelError, NetlinkSocket
from supervdsm.network.qos import device_qos
from vdsm_contract.types import DeviceQos


def cut_short(kernel: NetlinkSocket, index: int, wanted: list[DeviceQos], calls: int) -> None:
    """Do what a supervdsm did that is killed after so many system calls of `set_qos`."""
    root, *rest = qos.requests(index, wanted)
    for batch in ([tc.delete_root(index), root], rest[:-2], rest[-2:])[:calls]:
        kernel.send_batch(batch)


def main(device: str, text: str, calls: str) -> None:
    wanted = msgspec.json.decode(text, type=list[DeviceQos])
    index = socket.if_nametoindex(device)
    refused = 0
    with NetlinkSocket() as kernel:
        try:
            if int(calls):
                cut_short(kernel, index, wanted, int(calls))
            else:
                qos.set_qos(kernel, index, wanted)
        except KernelError as error:
            refused = error.errno or -1
        dump = kernel.dump(classes.RTM_GETTCLASS, classes.of(index))
        decoded = [cls for cls in map(classes.decode, dump) if cls is not None]
    found = {"errno": refused, "qos": device_qos(decoded)}
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
