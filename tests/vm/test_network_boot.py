# SPDX-License-Identifier: GPL-2.0-or-later
"""What a boot brings back: the pair (flow 7 of the map), and the networks that were saved, before
anything that needs the network.
"""

import json
from collections.abc import Iterator
from typing import Final

import pytest

from vm.boot import Witness, reboot, up_again
from vm.kernel import Kernel
from vm.site import STATE, Site

BOND: Final = {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100 primary=eth2"}}
SAVED: Final = {
    "red": {
        "bonding": "bond0", "vlan": 100, "mtu": 9000, "stp": True, "defaultRoute": True,
        "ipaddr": "10.1.0.2", "netmask": "255.255.255.0", "gateway": "10.1.0.1",
        "ipv6addr": "2001:db8:1::2/64", "ipv6gateway": "2001:db8:1::1",
        "custom": {"bridge_opts": "forward_delay=200"},
    },
    "blue": {
        "bonding": "bond0", "vlan": 200, "bridged": False,
        "ipaddr": "10.2.0.2", "netmask": "255.255.255.0", "gateway": "10.2.0.1",
    },
}  # fmt: skip
UNSAVED: Final = {"green": {"bonding": "bond0", "vlan": 300, "ipaddr": "10.3.0.2", "prefix": "24"}}
DEVICES: Final = ("eth1", "eth2", "bond0", "bond0.100", "bond0.200", "red")

# Hardware that is gone: the driver lets go of eth2 before supervdsm starts.
_NO_ETH2: Final = """
[Unit]
DefaultDependencies=no
After=systemd-udev-settle.service systemd-udevd.service
Before=supervdsm.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -c 'cd /sys/class/net/eth2; basename "$(readlink device)" >device/driver/unbind'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def saved(site: Site) -> Iterator[Site]:
    """Two networks that were saved by setSafeNetworkConfig, and one that was not."""
    Witness(site.shell).place()
    site.setup(SAVED, BOND)
    assert site.engine.call("Host.setSafeNetworkConfig") is True
    site.setup(UNSAVED)
    yield site
    site.shell(
        "systemctl disable -q no-eth2.service 2>/dev/null || true;"
        "rm -f /etc/systemd/system/no-eth2.service;"
        "for one in /sys/bus/virtio/devices/*; do [ -e $one/driver ] ||"
        " basename $one >/sys/bus/virtio/drivers/virtio_net/bind; done;"
        "until [ -e /sys/class/net/eth2 ]; do sleep 0.1; done"
    )
    Witness(site.shell).dismiss()


def assert_saved(found: Kernel, before: Kernel, *devices: str) -> None:
    for name in devices:
        assert found.links[name] == before.links[name]
        assert found.global_addresses(name) == before.global_addresses(name)
    for name in ("red", "bond0.200"):
        assert found.routes_of(name) == before.routes_of(name)
    assert found.rules == before.rules


@pytest.fixture(scope="module")
def before(saved: Site) -> Kernel:
    """The kernel's state with the saved networks; the one that was not saved is left out."""
    return saved.kernel()


def boot_id(site: Site) -> str:
    return site.shell("cat /proc/sys/kernel/random/boot_id")


def assert_pair_is_back(site: Site, boot: str) -> None:
    """In another boot than that one, it serves those on the host and those beside it."""
    assert boot_id(site) != boot
    assert site.vm.client("Host", "echo", "message=back") == "back"
    assert "eth0" in site.engine.caps()["nics"]


def test_7_a_reboot_brings_the_saved_networks_back_before_the_network_is_needed(
    saved: Site, before: Kernel
) -> None:
    assert {"green", "bond0.300"} <= before.links.keys()
    boot = boot_id(saved)
    reboot(saved)
    assert_pair_is_back(saved, boot)
    found = saved.kernel()
    assert_saved(found, before, *DEVICES)
    assert not {"green", "bond0.300"} & found.links.keys()
    assert saved.stored() == {"staging": ["blue", "red"], "persistence": ["blue", "red"]}
    witness = Witness(saved.shell)
    online = witness.addresses()
    assert online["red"] == {"10.1.0.2", "2001:db8:1::2"}
    assert online["bond0.200"] == {"10.2.0.2"}
    witness.assert_restored_before()
    caps = saved.engine.caps()
    assert caps["netConfigDirty"] == "False"
    assert caps["networks"].keys() == {"red", "blue"}
    saved.peer.build()
    saved.peer.vlan(100, "10.1.0.1/24")
    assert saved.peer.reaches("10.1.0.2", mtu=9000)


def test_7_after_a_power_cut_in_a_change_without_a_nic_the_rest_is_back(
    saved: Site, before: Kernel
) -> None:
    lost = json.dumps({"nic": "eth9", "bridged": True, "mtu": 1500, "switch": "legacy"})
    saved.shell(
        f"cat >/etc/systemd/system/no-eth2.service <<'end'{_NO_ETH2}end\n"
        "systemctl daemon-reload; systemctl enable -q no-eth2.service\n"
        f"echo '{lost}' >{STATE}/persistence/netconf/nets/lost\n"
        "sync"
    )
    saved.engine.session().start_setup(
        {"red": {"remove": True}, **UNSAVED}, connectivityCheck=True, connectivityTimeout=200,
        commitOnSuccess=True,
    )  # fmt: skip
    saved.shell(
        "until [ -e /sys/class/net/green ] && [ ! -e /sys/class/net/red ]; do sleep 0.1; done"
    )
    boot = boot_id(saved)
    saved.vm.tool_run("power-cut", saved.vm.name)
    assert saved.vm.run("true", check=False).returncode == 1
    saved.vm.tool_run("boot", saved.vm.name, timeout=900)
    up_again(saved)
    assert_pair_is_back(saved, boot)
    found = saved.kernel()
    assert "eth2" not in found.links
    assert "green" not in found.links
    for name in ("bond0.100", "bond0.200", "red"):
        assert found.global_addresses(name) == before.global_addresses(name)
        assert found.data(name) == before.data(name)
    assert (found.routes_of("red"), found.rules) == (before.routes_of("red"), before.rules)
    caps = saved.engine.caps()
    assert caps["bondings"]["bond0"]["slaves"] == ["eth1"]
    assert caps["networks"].keys() == {"red", "blue"}
    log = saved.shell("journalctl -b -o cat -u supervdsm.service --no-pager")
    assert 'restore: "lost" is NOT restored: "its NIC eth9 is not there"' in log
    assert 'restore: "bond0" is restored without "eth2"' in log
    assert "forgotten, for the host was booted since" in log
    assert Witness(saved.shell).addresses()["red"] == {"10.1.0.2", "2001:db8:1::2"}
