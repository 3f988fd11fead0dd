# SPDX-License-Identifier: GPL-2.0-or-later
"""Record how a real kernel tells of bonds, VLANs and HFSC: makes debian13.json beside this file.

Only the standard library, to run in the test VM, in a namespace of its own:

    containers/testvm exec -- sh -c 'modprobe -a bonding 8021q dummy sch_hfsc;
        unshare -n -m sh -c "mount -t sysfs none /sys && exec python3 -"' \\
        < record.py > debian13.json
"""

import base64
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

RTM_GETLINK = 18
RTM_GETTCLASS = 42
NLM_F_DUMP_REQUEST = 0x301
NLMSG_ERROR = 2
NLMSG_DONE = 3

SETUP = """
ip link add dummy_1 address 02:00:00:00:00:01 type dummy
ip link add dummy_2 address 02:00:00:00:00:02 type dummy
ip link add dummy_3 address 02:00:00:00:00:03 type dummy
ip link add dummy_4 address 02:00:00:00:00:04 type dummy
ip link add dummy_5 address 02:00:00:00:00:05 type dummy
ip link add bond0 type bond mode 802.3ad miimon 150 lacp_rate fast xmit_hash_policy layer3+4
ip link add bond1 type bond mode active-backup arp_interval 1000 arp_ip_target 192.0.2.1,192.0.2.2
ip link set dummy_1 master bond0
ip link set dummy_2 master bond0
ip link set dummy_3 master bond1
ip link set dummy_4 master bond1
ip link set bond1 type bond primary dummy_4
ip link set bond0 up
ip link set bond1 up
ip link set dummy_5 up
ip link add link bond0 name bond0.100 type vlan id 100
ip link set bond0.100 up
tc qdisc add dev dummy_5 root handle 1389: hfsc default 1388
tc class add dev dummy_5 parent 1389: classid 1389:1388 hfsc ls m2 8000kbit
tc class add dev dummy_5 parent 1389: classid 1389:64 hfsc rt m1 4000kbit d 10ms m2 2000kbit \
ls m2 16000kbit ul m2 32000kbit
"""


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def dump(kind: int, body: bytes) -> list[str]:
    """Return the messages of a dump, each in base64."""
    messages: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
        sock.bind((0, 0))
        sock.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_DUMP_REQUEST, 1, 0) + body)
        while True:
            data = sock.recv(65536)
            while data:
                length, reply = struct.unpack_from("=IH", data)
                if reply == NLMSG_DONE:
                    return messages
                if reply == NLMSG_ERROR:
                    sys.exit(f"the kernel refused request {kind}")
                messages.append(base64.b64encode(data[:length]).decode())
                data = data[(length + 3) & ~3 :]


def bonding(name: str) -> dict[str, str]:
    directory = Path("/sys/class/net", name, "bonding")
    return {file.name: file.read_text().strip() for file in sorted(directory.iterdir())}


def fresh(mode: int) -> dict[str, str]:
    """Return the files of a bond that nobody has configured."""
    run(f"ip link add fresh type bond mode {mode}")
    try:
        return bonding("fresh")
    finally:
        run("ip link del fresh")


def main() -> None:
    recorded: dict[str, object] = {
        "kernel": os.uname().release,
        "fresh": {str(mode): fresh(mode) for mode in range(7)},
    }
    for command in SETUP.strip().splitlines():
        run(command)
    shaped = socket.if_nametoindex("dummy_5")
    recorded["links"] = dump(RTM_GETLINK, bytes(16))
    recorded["classes"] = dump(RTM_GETTCLASS, struct.pack("=BxxxiIII", 0, shaped, 0, 0, 0))
    recorded["bonding"] = {name: bonding(name) for name in ("bond0", "bond1")}
    json.dump(recorded, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
