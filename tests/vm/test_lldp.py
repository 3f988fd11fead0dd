# SPDX-License-Identifier: GPL-2.0-or-later
"""LLDP of real NICs, as the engine asks for it; tests/host/test_lldp.py looks at every TLV."""

from typing import Any

from vm.site import Site

FRAME = """
import socket, struct
def tlv(kind, value):
    return struct.pack("!H", kind << 9 | len(value)) + value
source = bytes.fromhex("02005e005301")
frame = bytes.fromhex("0180c200000e") + source + b"\\x88\\xcc" + b"".join([
    tlv(1, b"\\x04" + source), tlv(2, b"\\x05Ethernet1/7"), tlv(3, struct.pack("!H", 120)),
    tlv(5, b"switch1"), tlv(0, b"")])
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("eth3", 0))
    wire.send(frame)
"""


def heard(site: Site, *devices: str) -> Any:
    answer = site.engine.call("Host.getLldp", filter={"devices": list(devices)})
    assert isinstance(answer, dict), answer
    return answer


def test_a_port_of_a_bond_hears_its_switch(clean: Site) -> None:
    clean.setup({}, {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100"}})
    known = "podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket -f json0 show"
    clean.shell(f"until {known} interfaces | grep -q eth1; do sleep 0.2; done")
    clean.shell(f"cat >/run/frame.py <<'end'\n{FRAME}end")
    clean.peer.run("python3 /run/frame.py")
    clean.shell(f"until {known} neighbors | grep -q switch1; do sleep 0.2; done")
    everyone = heard(clean)
    assert {"eth0", "eth1", "eth2"} <= everyone.keys()
    assert "bond0" not in everyone
    assert all(nic["enabled"] for nic in everyone.values())
    names = {tlv["name"]: tlv["properties"] for tlv in everyone["eth1"]["tlvs"]}
    assert names == {
        "Chassis ID": {"chassis ID subtype": "MAC", "chassis ID": "02:00:5e:00:53:01"},
        "Port ID": {"port ID subtype": "Ifname", "port ID": "Ethernet1/7"},
        "Time to Live": {"time to live": "120"},
        "System Name": {"system name": "switch1"},
    }
    assert heard(clean, "eth2") == {"eth2": {"enabled": True, "tlvs": []}}
