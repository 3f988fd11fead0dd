# SPDX-License-Identifier: GPL-2.0-or-later
"""From vdsm of packages to the pair: docs/migration.md on a host as those packages leave one.

The packages are no part of this test: their units are stand-ins that hold what the real ones hold
(the port, the socket), their files are laid out as upstream's are.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from host.installing import bare_host, install, installed, write
from machines import SERVES, Machine

UUID = "4C4C4544-0046-3310-8051-B4C04F573332"
ADDRESS = "192.0.2.2"
NETS: dict[str, dict[str, Any]] = {
    "ovirtmgmt": {
        "nic": "eth0",
        "bridged": True,
        "stp": False,
        "mtu": 1500,
        "defaultRoute": True,
        "switch": "legacy",
        "bootproto": "none",
        "dhcpv6": False,
        "ipv6autoconf": False,
        "ipaddr": ADDRESS,
        "netmask": "255.255.255.0",
        "gateway": "192.0.2.1",
        "nameservers": [],
    },
    # Its NIC was pulled out long ago: upstream leaves such a network out, and so do we.
    "gone": {
        "nic": "eth9",
        "bridged": True,
        "stp": False,
        "mtu": 1500,
        "defaultRoute": False,
        "switch": "legacy",
        "bootproto": "none",
        "dhcpv6": False,
        "ipv6autoconf": False,
        "nameservers": [],
    },
}
LISTEN = """
import signal, socket
door = socket.socket(socket.AF_INET6)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
door.bind(("::", 54321))
door.listen()
print("on", flush=True)
signal.pause()
"""
SERVICES = {
    "vdsmd": "ExecStart=/usr/bin/python3 /root/listen.py",
    "supervdsmd": "ExecStart=/bin/sleep infinity",
    "vdsm-network": "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true",
    "mom-vdsm": "ExecStart=/bin/sleep infinity",
}
OLD = " ".join(f"{name}.service" for name in SERVICES)
KEPT = """
find /etc/pki/vdsm /etc/vdsm/vdsm.id /etc/vdsm/vdsm.conf /var/lib/vdsm/persistence -type f |
    sort | xargs sha256sum
"""
MAKE_CERTIFICATES = """
mkdir -p /etc/pki/vdsm
podman run --rm --network=host --volume=/etc/pki/vdsm:/etc/pki/vdsm \
    --entrypoint=/opt/venv/bin/vdsm-tool localhost/supervdsm:latest pki init >/dev/null
# The authority's key is the engine's.
rm -r /etc/pki/vdsm/ca
mkdir /etc/pki/vdsm/libvirt-spice
cp /etc/pki/vdsm/certs/vdsmcert.pem /etc/pki/vdsm/libvirt-spice/server-cert.pem
"""
MAKE_STATE = """
groupmod --gid 36 kvm
useradd --system --uid 36 --gid 36 --home-dir /var/lib/vdsm --shell /sbin/nologin \
    --comment "Node Virtualization Manager" vdsm
install -d -o vdsm -g kvm /var/lib/vdsm /var/lib/vdsm/staging /var/lib/vdsm/persistence /run/vdsm
for kind in staging persistence; do
    tree=/var/lib/vdsm/$kind/netconf.q8Hx2LpZ
    mkdir -p $tree/nets $tree/bonds $tree/devices
    cp /root/nets/* $tree/nets/
    ln -s $tree /var/lib/vdsm/$kind/netconf
done
touch /run/vdsm/nets_restored
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/vdsm/svdsm.sock")'
"""
MAKE_NETWORKS = f"""
ip link add ovirtmgmt type bridge
ip link set ovirtmgmt address $(cat /sys/class/net/eth0/address)
ip address flush dev eth0
ip link set eth0 master ovirtmgmt
ip link set ovirtmgmt up
ip address add {ADDRESS}/24 dev ovirtmgmt
ip route add default via 192.0.2.1 dev ovirtmgmt
"""
SETTLED = '[ -z "$(ip -6 address show tentative)" ] && ! bridge link | grep -q "state l"'
"""No address waits for its duplicate, no port for the bridge."""

SERVED = """
python3 -c "import ssl; print(ssl.get_server_certificate(('localhost', 54321)), end='')"
"""


@pytest.fixture
def packaged() -> Iterator[Machine]:
    """A host on which upstream vdsm runs."""
    with bare_host(f"migration{os.getpid()}") as machine:
        for name, attributes in NETS.items():
            write(machine, f"/root/nets/{name}", json.dumps(attributes, indent=4))
        machine.sh(MAKE_STATE + MAKE_CERTIFICATES + MAKE_NETWORKS)
        machine.wait(SETTLED)
        machine.sh("chown -R vdsm:kvm /etc/pki/vdsm/keys")
        write(machine, "/etc/vdsm/vdsm.id", UUID + "\n")
        conf = "[vars]\nssl = true\nssl_excludes = OP_NO_TLSv1\n\n[addresses]\n"
        write(machine, "/etc/vdsm/vdsm.conf", conf + "management_port = 54321\n")
        write(machine, "/root/listen.py", LISTEN)
        for name, service in SERVICES.items():
            text = f"[Service]\n{service}\n[Install]\nWantedBy=multi-user.target\n"
            write(machine, f"/usr/lib/systemd/system/{name}.service", text)
        machine.sh(f"systemctl daemon-reload; systemctl enable --quiet --now {OLD}")
        machine.wait("ss -Hltn 'sport = :54321' | grep -q LISTEN")
        yield machine


def states(machine: Machine, what: str) -> set[str]:
    return set(machine.sh(f"systemctl {what} {OLD} || true").split())


def assert_old_vdsm_serves(machine: Machine) -> None:
    assert states(machine, "is-active") == {"active"}
    assert states(machine, "is-enabled") == {"enabled"}
    assert machine.sh("ls /etc/containers/systemd /etc/systemd/system | grep ^vdsm || true") == ""


def capabilities(machine: Machine) -> dict[str, Any]:
    caps: dict[str, Any] = machine.client("Host", "getCapabilities")
    return caps


def assert_the_same_host(machine: Machine) -> None:
    caps = capabilities(machine)
    assert caps["uuid"] == UUID
    assert list(caps["networks"]) == ["ovirtmgmt"]
    network = caps["networks"]["ovirtmgmt"]
    assert (network["addr"], network["gateway"]) == (ADDRESS, "192.0.2.1")
    assert network["ports"] == ["eth0"]
    assert machine.sh("ip -4 -o address show dev eth0") == ""


def test_a_host_moves_from_packages(packaged: Machine) -> None:
    kept = packaged.sh(KEPT)
    networks = packaged.sh("ip -o address; ip route; bridge link")

    refused = install(packaged)
    assert refused.returncode == 1
    assert "vdsmd.service supervdsmd.service vdsm-network.service mom-vdsm" in refused.stderr
    assert "--take-over" in refused.stderr
    assert_old_vdsm_serves(packaged)

    installed(packaged, "--take-over")
    assert states(packaged, "is-active") == {"inactive"}
    assert states(packaged, "is-enabled") == {"masked"}
    assert packaged.sh(KEPT) == kept
    assert packaged.sh("ip -o address; ip route; bridge link") == networks
    assert_the_same_host(packaged)
    assert packaged.sh(SERVED) == packaged.sh("cat /etc/pki/vdsm/certs/vdsmcert.pem")
    assert packaged.sh("stat -c '%a %U:%G' /etc/pki/vdsm/keys/vdsmkey.pem") == "440 vdsm:kvm"
    assert packaged.run("vdsm-tool", "check").returncode == 0

    # What the boot brings back comes from the files that vdsm of packages wrote.
    packaged.tool_run("reboot", packaged.name)
    packaged.wait(SERVES)
    assert_the_same_host(packaged)
    assert packaged.sh(KEPT) == kept

    # Again, as after an upgrade of the sources.
    assert "masking" not in installed(packaged)


def test_an_unfit_host_goes_on_with_packages(packaged: Machine) -> None:
    """NetworkManager is no part of a test host: what it says of itself is."""
    state = "/run/NetworkManager/devices/$(cat /sys/class/net/eth0/ifindex)"
    packaged.sh(
        "mkdir -p /run/NetworkManager/devices; cp /bin/sleep /usr/local/sbin/NetworkManager;"
        f" printf '[device]\nmanaged=true\n' >{state};"
        " systemd-run --quiet --unit=NetworkManager /usr/local/sbin/NetworkManager infinity"
    )
    refused = install(packaged, "--take-over")
    assert refused.returncode == 1
    assert "also owns vdsm's eth0" in refused.stderr
    assert "unmanaged-devices=interface-name:eth0" in refused.stderr
    assert_old_vdsm_serves(packaged)
    packaged.sh(f"printf '[device]\nmanaged=false\n' >{state}")

    with packaged.start("python3", "/root/listen.py") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"on\n"
        refused = install(packaged, "--take-over")
        other.kill()
    assert refused.returncode == 1
    assert "port 54321" in refused.stderr
    assert "giving this host back" in refused.stderr
    assert_old_vdsm_serves(packaged)

    installed(packaged, "--take-over")
    assert_the_same_host(packaged)
