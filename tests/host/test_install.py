# SPDX-License-Identifier: GPL-2.0-or-later
"""containers/install and containers/uninstall on a host that has nothing of the pair."""

import os
import re
from collections.abc import Iterator

import pytest

from host.installing import (
    PLACE,
    UNITS,
    bare_host,
    install,
    installed,
    setup_networks,
    uninstalled,
    write,
)
from machines import Machine

NAMES = ("vdsm", "supervdsm")
TRACES = f"""
find {UNITS} /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d /usr/local/bin \
    /usr/share/vdsm /etc/vdsm /etc/pki /var/lib/vdsm /run/vdsm 2>/dev/null |
    grep vdsm | grep -v -e 10-test-nics -e supervdsm.container.d$ | sort || true
"""
DHCP = """
ip netns add server
ip link add veth_dhcp type veth peer name far netns server
ip link set veth_dhcp up
ip -n server link set far up
ip -n server address add 198.51.100.1/24 dev far
ip netns exec server dnsmasq --port=0 --no-resolv --no-ping --user=root --bind-interfaces \
  --interface=far --dhcp-authoritative --dhcp-range=198.51.100.10,198.51.100.20,2m \
  --pid-file=/run/server.pid --dhcp-leasefile=/run/server.leases
"""


@pytest.fixture(scope="module")
def fresh() -> Iterator[Machine]:
    """A host of this module's own, in the state that the test before left it in."""
    with bare_host(f"install{os.getpid()}") as machine:
        yield machine


@pytest.fixture
def bare(fresh: Machine) -> Machine:
    """The host without the pair."""
    uninstalled(fresh, "--purge")
    return fresh


@pytest.fixture
def host(fresh: Machine) -> Machine:
    """The host with the pair."""
    installed(fresh)
    return fresh


def image_ids(machine: Machine) -> list[str]:
    return machine.sh("podman inspect -f '{{.Image}}' vdsm supervdsm").split()


def pinned(machine: Machine) -> list[str]:
    files = " ".join(f"/etc/vdsm/pins/current/{name}.conf" for name in NAMES)
    return machine.sh(f"sed -n 's/^Image=//p' {files}").split()


def other_images(machine: Machine, *, version: str = "") -> None:
    """Give `latest` to images that differ from those before by their labels alone."""
    label = f'org.opencontainers.image.version="{version}"' if version else "test.other=1"
    for name in NAMES:
        text = f"FROM localhost/{name}:latest\nLABEL {label}\n"
        words = ("podman", "build", "--quiet", "--pull=never", f"--tag=localhost/{name}:latest")
        machine.run(*words, "-", stdin=text.encode())


def test_a_bare_host_serves_after_one_command(bare: Machine) -> None:
    bare.sh("groupmod --gid 993 kvm")
    said = installed(bare)
    assert "changing group kvm from 993 to 36" in said
    assert bare.client("Host", "echo", "message=installed") == "installed"
    assert image_ids(bare) == pinned(bare)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in pinned(bare))
    assert bare.sh("systemctl is-enabled vdsm.target podman.socket").split() == ["enabled"] * 2
    assert bare.run("vdsm-tool", "status").returncode == 0


def test_again_nothing_changes(host: Machine) -> None:
    look = f"{{ {TRACES} }} | xargs stat --format '%n %Y %i' | grep -v /run/vdsm"
    before = host.sh(look), [host.pid(name) for name in NAMES]
    said = installed(host)
    assert "restarting" not in said
    assert "upgrading" not in said
    assert (host.sh(look), [host.pid(name) for name in NAMES]) == before


def test_a_changed_unit_restarts_the_pair(host: Machine) -> None:
    before = host.pid("vdsm")
    host.sh(f"echo '# changed' >>{PLACE}/quadlet/vdsm.container")
    assert "restarting vdsm.target" in installed(host)
    assert host.pid("vdsm") != before


def test_configuration_and_certificates_are_kept(host: Machine) -> None:
    write(host, "/etc/vdsm/vdsm.conf.d/10-ours.conf", "[rpc]\nworker_threads = 4\n")
    look = "find /etc/vdsm/vdsm.conf.d /etc/pki/vdsm -type f | sort | xargs sha256sum"
    before = host.sh(look)
    uninstalled(host)
    assert host.sh(look) == before
    installed(host)
    assert host.sh(look) == before
    assert host.client("Host", "echo", "message=kept") == "kept"


def test_a_wrong_configuration_stops_it_before_anything_is_touched(bare: Machine) -> None:
    write(bare, "/etc/vdsm/vdsm.conf", "[rpc]\nworker_threads = many\n")
    done = install(bare)
    assert done.returncode == 1
    assert "vdsm.conf" in done.stderr
    assert "worker_threads" in done.stderr
    assert bare.sh(TRACES).split() == ["/etc/vdsm", "/etc/vdsm/vdsm.conf"]


def test_an_unfit_host_is_not_touched_unless_forced(bare: Machine) -> None:
    listen = "import socket; s = socket.create_server(('', 54321)); print('on', flush=True); "
    with bare.start("python3", "-c", listen + "s.accept()") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"on\n"
        try:
            groups = bare.sh("cat /etc/group")
            done = install(bare)
            assert done.returncode == 1
            assert "port 54321" in done.stderr
            assert "in use by python3" in done.stderr
            assert bare.sh(TRACES) == ""
            assert bare.sh("cat /etc/group") == groups
            installed(bare, "--force", "--no-start")
            assert bare.sh("systemctl is-active vdsm.service || true") == "inactive"
        finally:
            other.kill()
    installed(bare)


def test_other_images_come_by_an_upgrade(host: Machine) -> None:
    before = image_ids(host)
    other_images(host)
    said = installed(host)
    assert "upgrading it" in said
    assert not set(image_ids(host)) & set(before)
    assert image_ids(host) == pinned(host)
    assert host.client("Host", "echo", "message=new") == "new"
    assert "upgrade" in host.sh("vdsm-tool history --text").splitlines()[-3]


def test_images_that_fail_leave_the_pair_and_its_units_as_they_were(host: Machine) -> None:
    before = image_ids(host)
    units = host.sh(f"sha256sum {UNITS}/*.container")
    host.sh(f"echo '# newer' >>{PLACE}/quadlet/vdsm.container")
    other_images(host, version="9.9.9")
    done = install(host)
    try:
        assert done.returncode == 1
        assert "the files of before are back" in done.stderr
        assert image_ids(host) == before
        assert host.sh(f"sha256sum {UNITS}/*.container") == units
        assert host.client("Host", "echo", "message=old") == "old"
    finally:
        host.sh(
            "for n in vdsm supervdsm; do"
            " podman tag $(podman inspect -f '{{.Image}}' $n) localhost/$n:latest; done"
        )


def test_pinned_images_that_are_gone_are_replaced(host: Machine) -> None:
    """As on a test host whose images were built anew while it was off."""
    host.sh("sed -i 's/^Image=./Image=0/' /etc/vdsm/pins/current/vdsm.conf")
    host.sh("systemctl daemon-reload; systemctl restart --no-block vdsm.service")
    installed(host)
    assert image_ids(host) == pinned(host)
    assert host.client("Host", "echo", "message=found") == "found"


def test_uninstalled_the_networks_and_mounts_go_on(host: Machine) -> None:
    host.sh(DHCP + "ip link add veth_red type veth peer name far_red; ip link set far_red up")
    red = '"red": {"nic": "veth_red", "ipaddr": "203.0.113.2", "netmask": "255.255.255.0"}'
    blue = '"blue": {"nic": "veth_dhcp", "bootproto": "dhcp"}'
    setup_networks(host, f"{{{red}, {blue}}}")
    host.wait("ip -4 -o address show dev blue | grep -q 198.51.100")
    host.sh("mkdir /rhev/data-center/mnt/kept && mount -t tmpfs kept /rhev/data-center/mnt/kept")
    look = "ip -o address | sed 's/ *valid_lft.*//; s/dynamic //'; ip route; ip rule; bridge link"
    host.wait('[ -z "$(ip -6 address show tentative)" ] && ! bridge link | grep -q "state l"')
    before = host.sh(look)

    said = uninstalled(host)

    assert host.sh(look) == before
    assert "blue keeps 198.51.100." in said
    assert host.sh("ip -o address show dev blue scope global dynamic") == ""
    assert host.sh("ip -o address show dev blue | grep 198.51.100 | grep -c forever") == "1"
    assert "kept" in host.sh("findmnt -rn /rhev/data-center/mnt/kept")
    left = host.sh(TRACES).splitlines()
    places = ("/etc/pki/vdsm", "/etc/vdsm", "/var/lib/vdsm")
    assert [one for one in left if not one.startswith(places)] == []
    assert "pins" not in " ".join(left)
    assert host.sh("podman ps --all --quiet; podman volume ls --quiet") == ""
    assert host.sh("systemctl --failed --no-legend") == ""

    installed(host)
    assert {"red", "blue"} <= set(host.client("Host", "getNetworkCapabilities")["networks"])
    assert host.sh("systemctl is-active vdsm-dhcp@blue.service") == "active"
    setup_networks(host, '{"red": {"remove": true}, "blue": {"remove": true}}')
    host.sh("umount /rhev/data-center/mnt/kept; kill $(cat /run/server.pid); ip netns del server")


def test_purged_nothing_is_left(host: Machine) -> None:
    uninstalled(host, "--purge")
    assert host.sh(TRACES) == ""
    # Those of the read-only store are not the host's own.
    assert host.sh("podman images --format '{{.R_O}}' | grep -v true || true") == ""


@pytest.fixture
def archive(host: Machine) -> Iterator[str]:
    """A signed archive of the pair; beside it a damaged copy, and the public key."""
    place = "/var/tmp/archive"
    minisign = (
        f"podman run --rm --network=none --volume={place}:{place} --entrypoint=/usr/bin/minisign "
        "localhost/supervdsm:latest"
    )
    host.sh(
        f"mkdir -p {place} && cd {place} &&"
        f" {minisign} -G -W -p {place}/key.pub -s {place}/key >/dev/null &&"
        " vdsm-tool archive create --sign key pair.tar &&"
        " cp pair.tar bad.tar && size=$(stat -c %s bad.tar) &&"
        " printf X | dd of=bad.tar bs=1 seek=$((size / 2)) conv=notrunc status=none"
    )
    yield place
    host.sh(f"rm -rf {place} /etc/vdsm/upgrade.pub")


def test_the_pair_judges_an_archive_before_it_is_loaded(host: Machine, archive: str) -> None:
    before = [host.pid(name) for name in NAMES]
    host.sh(f"cp {archive}/key.pub /etc/vdsm/upgrade.pub")
    assert "restarting" not in installed(host, "--images-from", f"{archive}/pair.tar")
    done = install(host, "--images-from", f"{archive}/bad.tar")
    assert done.returncode == 1
    assert "is refused" in done.stderr
    assert [host.pid(name) for name in NAMES] == before


def test_an_archive_is_judged_where_there_is_no_pair_yet(host: Machine, archive: str) -> None:
    uninstalled(host, "--purge")
    done = install(host, "--images-from", f"{archive}/bad.tar")
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    write(host, "/etc/vdsm/upgrade.pub", host.sh(f"cat {archive}/key.pub") + "\n")
    done = install(host, "--images-from", f"{archive}/pair.tar")
    assert done.returncode == 1
    assert "minisign" in done.stderr  # the host has none
    host.sh("rm /etc/vdsm/upgrade.pub")
    installed(host, "--images-from", f"{archive}/pair.tar")
    assert host.client("Host", "echo", "message=unpacked") == "unpacked"
