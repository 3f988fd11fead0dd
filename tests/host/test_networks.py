# SPDX-License-Identifier: GPL-2.0-or-later
"""Network changes through the whole path: a STOMP client over TLS, on the NIC that it changes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machines import ROOT, Machine

ENGINE = ROOT / "tests/front/engine.py"
ADDRESS, MOVED, PEER = "192.0.2.2", "192.0.2.3", "192.0.2.1"
HOOKS = "/usr/libexec/vdsm/hooks"
STATE = "/var/lib/vdsm"
DUMP = "ip -j -d link; ip -j addr; ip -j -4 route show table all; ip -j rule; bridge -j link"
# Counters and lifetimes go on by themselves.
VOLATILE = frozenset({"stats64", "stats", "valid_life_time", "preferred_life_time", "gc_timer"})


def kernel(host: Machine) -> list[list[str]]:
    """The kernel's network, without what changes by itself, and in no order."""

    def still(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: still(v) for k, v in value.items() if k not in VOLATILE}
        return [still(one) for one in value] if isinstance(value, list) else value

    lines = host.sh(DUMP).splitlines()
    return [sorted(repr(still(one)) for one in json.loads(line or "[]")) for line in lines]


def changed_since(host: Machine, before: list[list[str]]) -> list[str]:
    """What is other than in an earlier `kernel()`; nothing when all is equal."""
    pairs = zip(before, kernel(host), strict=True)
    return [line for old, new in pairs for line in sorted(set(old) ^ set(new))]


def stored(host: Machine) -> dict[str, Any]:
    """The names of the networks of both configurations."""
    found = {}
    for which in ("staging", "persistence"):
        files = f"cd {STATE}/{which}/netconf/nets 2>/dev/null && ls || true"
        found[which] = sorted(host.sh(files).split())
    return found


def setup(host: Machine, request: dict[str, Any], *, check: bool = True) -> Any:
    """Host.setupNetworks from inside of the host, over the loopback."""
    words = ["vdsm-client", "-f", "-", "Host", "setupNetworks"]
    full = {"networks": {}, "bondings": {}, "options": {"connectivityCheck": False}, **request}
    done = host.run(*words, stdin=json.dumps(full).encode(), check=check)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def begin(host: Machine, request: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Begin a change that makes `red`, and wait until it waits to be confirmed."""
    asking = host.start("vdsm-client", "-f", "-", "Host", "setupNetworks")
    assert asking.stdin is not None
    asking.stdin.write(json.dumps({"bondings": {}, **request}).encode())
    asking.stdin.close()
    host.wait("[ -e /sys/class/net/red ]")
    return asking


@pytest.fixture(autouse=True)
def network(host: Machine) -> Iterator[None]:
    """The host as it was made, with one more NIC, and again as it was made after the test."""
    host.sh(
        # Link-local addresses are there at once, and stay as they are.
        "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0; "
        "ip link show veth_n >/dev/null 2>&1 || ip link add veth_n type veth peer name far; "
        "ip link set veth_n up; ip link set far up; "
        f"ip addr replace {ADDRESS}/24 brd + dev eth0"
    )
    assert stored(host)["staging"] == []
    yield
    host.sh("systemctl start vdsm.target")
    host.sh(f"rm -rf {HOOKS}")
    names = stored(host)["staging"]
    try:
        if names:
            options = {"connectivityCheck": False, "commitOnSuccess": True}
            removal = {name: {"remove": True} for name in names}
            setup(host, {"networks": removal, "options": options})
    finally:
        host.sh(
            f"ip addr replace {ADDRESS}/24 brd + dev eth0; ip link set eth0 up; "
            f"ip route replace default via {PEER}; ip link del veth_n"
        )
    assert stored(host) == {"staging": [], "persistence": []}


@pytest.fixture(scope="session")
def pki(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host's certificates, as an engine that enrolled it would hold them."""
    directory = tmp_path_factory.mktemp("engine")
    host.copy_out("/etc/pki/vdsm", directory / "pki")
    return directory / "pki"


class Engine:
    """An engine beside the host."""

    def __init__(self, host: Machine, pki: Path) -> None:
        self._host = host
        self._pki = pki

    def __call__(self, **scenario: Any) -> dict[str, Any]:
        words = ["env", f"PYTHONPATH={ROOT / 'src'}", sys.executable, str(ENGINE)]
        words += [str(self._pki), ADDRESS, json.dumps({"at": ADDRESS, **scenario})]
        out = self._host.tool_run("exec", "--peer", self._host.name, "--", *words, timeout=400)
        seen: dict[str, Any] = json.loads(out.stdout)
        return seen


@pytest.fixture
def engine(host: Machine, pki: Path) -> Engine:
    return Engine(host, pki)


def over_eth0(address: str = ADDRESS) -> dict[str, Any]:
    """The management network over the NIC that the client talks through."""
    return {
        "ovirtmgmt": {
            "nic": "eth0",
            "bridged": "true",
            "ipaddr": address,
            "netmask": "255.255.255.0",
            "gateway": PEER,
            "defaultRoute": True,
            "stp": "no",
            "mtu": 1500,
        }
    }


def checked(timeout: int) -> dict[str, Any]:
    return {"connectivityCheck": "true", "connectivityTimeout": timeout}


def test_a_change_that_the_client_confirms_stays(host: Machine, engine: Engine) -> None:
    seen = engine(networks=over_eth0(), options=checked(40), confirm=ADDRESS)
    assert seen["change"].get("result") is True or "lost" in seen["change"], seen["change"]
    caps = host.client("Host", "getCapabilities")
    assert caps["networks"]["ovirtmgmt"]["addr"] == ADDRESS
    assert caps["networks"]["ovirtmgmt"]["ports"] == ["eth0"]
    assert caps["networks"]["ovirtmgmt"]["ipv4defaultroute"] is True
    assert caps["netConfigDirty"] == "True"
    assert stored(host) == {"staging": ["ovirtmgmt"], "persistence": []}


def test_a_client_that_loses_its_connection_confirms_by_a_new_one(
    host: Machine, engine: Engine
) -> None:
    """The address moves, so that the connection that asked for the change cannot live."""
    seen = engine(networks=over_eth0(MOVED), options=checked(40), confirm=MOVED, patience=15)
    assert "lost" in seen["change"], seen["change"]
    host.wait(f"[ -e {STATE}/staging/netconf/nets/ovirtmgmt ]")
    caps = host.client("Host", "getCapabilities")
    assert caps["networks"]["ovirtmgmt"]["addr"] == MOVED


def test_without_a_confirmation_the_old_network_comes_back(host: Machine, engine: Engine) -> None:
    before = kernel(host)
    seen = engine(networks=over_eth0(), options=checked(3))
    assert seen["change"]["code"] == 10, seen["change"]
    assert changed_since(host, before) == []
    assert stored(host) == {"staging": [], "persistence": []}


def test_the_engine_s_walk_for_adding_a_host(host: Machine, engine: Engine) -> None:
    seen = engine(
        calls=["Host.ping2", "Host.getCapabilities", "Host.getHardwareInfo"],
        networks=over_eth0(),
        options=checked(60),
        confirm=ADDRESS,
        then=["Host.getCapabilities", "Host.setSafeNetworkConfig", "Host.getCapabilities"],
    )
    ping, before, hardware = seen["calls"]
    after, safe, kept = seen["then"]
    assert (ping, safe) == (True, True)
    assert before["lastClientIface"] == "eth0"
    assert hardware is None or "systemUUID" in hardware, "a test host may have no DMI"
    assert seen["change"].get("result") is True or "lost" in seen["change"], seen["change"]
    assert after["lastClientIface"] == "ovirtmgmt"
    assert (after["netConfigDirty"], kept["netConfigDirty"]) == ("True", "False")
    assert after["networks"]["ovirtmgmt"]["bridged"] is True
    assert after["bridges"]["ovirtmgmt"]["ports"] == ["eth0"]
    assert stored(host) == {"staging": ["ovirtmgmt"], "persistence": ["ovirtmgmt"]}
    host.wait_for_restart("supervdsm", host.kill("supervdsm"))
    caps = host.client("Host", "getCapabilities")
    assert caps["networks"]["ovirtmgmt"] == kept["networks"]["ovirtmgmt"]


def test_a_second_change_is_refused_at_once_and_nothing_else_waits(
    host: Machine, engine: Engine
) -> None:
    asking = begin(host, {"networks": {"red": {"nic": "veth_n"}}, "options": checked(60)})
    seen = engine(
        calls=["Host.getCapabilities", "Host.getStats", "Host.getVMList"],
        networks={"blue": {"nic": "veth_n", "bridged": False}},
    )
    assert seen["change"]["code"] == 40
    assert all(isinstance(answer, dict | list) for answer in seen["calls"])
    assert asking.poll() is None, "the first change has not waited"
    engine(calls=["Host.ping2"])
    assert asking.wait(60) == 0


def test_a_hook_that_fails_keeps_the_change_from_being_made(host: Machine) -> None:
    before = kernel(host)
    host.sh(
        f"mkdir -p {HOOKS}/before_network_setup && cd {HOOKS}/before_network_setup && "
        "printf '#!/bin/sh\\necho not today >&2\\nexit 2\\n' >50_no && chmod 755 50_no"
    )
    answer = setup(host, {"networks": {"red": {"nic": "veth_n"}}}, check=False)
    assert "78" in answer
    assert "not today" in answer
    assert changed_since(host, before) == []
    assert stored(host)["staging"] == []


def test_hooks_see_the_request(host: Machine) -> None:
    host.sh(
        f"mkdir -p {HOOKS}/after_network_setup && cd {HOOKS}/after_network_setup && "
        "printf '#!/bin/sh\\ncp \"$_hook_json\" /run/hook-saw\\n' >50_copy && chmod 755 50_copy"
    )
    assert setup(host, {"networks": {"red": {"nic": "veth_n", "mtu": "1400"}}}) is True
    request = json.loads(host.sh("cat /run/hook-saw; rm /run/hook-saw"))["request"]
    assert request["networks"]["red"]["nic"] == "veth_n"


def test_vdsm_killed_during_a_change_the_next_one_confirms_it(host: Machine) -> None:
    asking = begin(host, {"networks": {"red": {"nic": "veth_n"}}, "options": checked(60)})
    host.wait_for_restart("vdsm", host.kill("vdsm"))
    asking.wait(60)
    assert host.client("Host", "ping2") is True
    host.wait(f"[ -e {STATE}/staging/netconf/nets/red ]")
    assert "red" in host.client("Host", "getCapabilities")["networks"]


def test_supervdsm_killed_during_a_change_puts_the_old_network_back(host: Machine) -> None:
    before = kernel(host)
    asking = begin(host, {"networks": {"red": {"nic": "veth_n"}}, "options": checked(60)})
    host.wait_for_restart("supervdsm", host.kill("supervdsm"))
    assert changed_since(host, before) == []
    assert stored(host)["staging"] == []
    assert asking.wait(60) == 1


BAD: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    ({"red": {"nic": "veth_n", "vlan": 4095}}, {}, 26, "networks.red.vlan"),
    ({"red": {"nic": "none9"}}, {}, 23, "networks.red.nic"),
    ({"red": {"bonding": "bond7"}}, {}, 25, "networks.red.bonding"),
    ({"red": {"nic": "veth_n", "ipaddr": "192.0.2.300", "netmask": "255.0.0.0"}}, {}, 22, ""),
    ({"red": {"nic": "veth_n", "ipv6addr": "fe80::1%eth0/64"}}, {}, 22, ""),
    ({"red": {"nic": "veth_n", "nonsense": 1}}, {}, 21, "networks.red.nonsense"),
    ({"red": {"nic": ["veth_n"]}}, {}, 23, "networks.red.nic"),
    ({"red": {"nic": "veth_n", "mtu": "large"}}, {}, 21, "networks.red.mtu"),
    ({"red": 5}, {}, 21, "networks.red"),
    ({"re\nd": {"nic": "veth_n"}}, {}, 27, ""),
    ({"a" * 16: {"nic": "veth_n"}}, {}, 27, ""),
    ({"red": {"remove": "true"}}, {}, 27, ""),
    ({"red": {"nic": "veth_n"}, "blue": {"nic": "veth_n"}}, {}, 21, ""),
    ({}, {"bond1": {"nics": []}}, 21, "bondings.bond1.nics"),
    ({}, {"bond1": {"nics": ["none9"]}}, 23, "bondings.bond1.nics"),
    ({}, {"bond1": {"nics": ["veth_n"], "options": "mode=99"}}, 25, "bondings.bond1.options"),
    ({}, {"nobond": {"nics": ["veth_n"]}}, 25, ""),
]


def test_what_is_wrong_has_its_code_names_its_field_and_touches_nothing(
    host: Machine, engine: Engine
) -> None:
    before = kernel(host)
    for networks, bondings, code, field in BAD:
        error = engine(networks=networks, bondings=bondings)["change"]
        assert error.get("code") == code, (networks, bondings, error)
        assert error["data"]["field"].startswith(field or ("networks", "bondings"))
    assert changed_since(host, before) == []
    assert stored(host) == {"staging": [], "persistence": []}


def test_a_link_of_a_network_that_goes_down_is_an_event(host: Machine, pki: Path) -> None:
    assert setup(host, {"networks": {"red": {"nic": "veth_n"}}}) is True
    listener = [
        "env", f"PYTHONPATH={ROOT / 'src'}:{ROOT / 'tests'}", sys.executable,
        str(ROOT / "tests/front/event_listener.py"), ADDRESS, str(pki),
    ]  # fmt: skip
    host.sh("sleep 2")  # what setupNetworks has set off
    with subprocess.Popen(
        [str(host.tool), "exec", "--peer", host.name, "--", *listener],
        stdout=subprocess.PIPE,
        text=True,
    ) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "subscribed\n"
        host.sh("ip link set far down")
        event = json.loads(listening.stdout.readline())
        listening.kill()
    assert event["method"] == "|net|host_conn|no_id"
    assert set(event["params"]) == {"notify_time"}


def test_lldp_and_virtual_functions_by_their_whole_way(host: Machine) -> None:
    lldp = host.client("Host", "getLldp", 'filter={"devices": ["eth0", "none9"]}')
    assert set(lldp) == {"eth0", "none9"}
    assert lldp["none9"] == {"enabled": False, "tlvs": []}
    assert isinstance(lldp["eth0"]["enabled"], bool)
    words = ["Host", "hostdevChangeNumvfs", "deviceName=pci_0000_ff_1f_7", "numvfs=2"]
    assert "0000:ff:1f.7: there is no such PCI device" in host.client(*words, check=False)


# --- vdsm-tool net ------------------------------------------------------------------------------


def test_net_show_tells_what_a_boot_would_change(host: Machine) -> None:
    assert setup(host, {"networks": {"red": {"nic": "veth_n", "mtu": 1400}}}) is True
    shown = json.loads(host.run("vdsm-tool", "net", "show").stdout)
    assert shown["dirty"] is True
    (red,) = shown["networks"]
    assert (red["name"], red["mtu"], red["device"]["kind"]) == ("red", "1400", "bridge")
    assert [low["name"] for low in red["device"]["lower"]] == ["veth_n"]
    text = host.run("vdsm-tool", "net", "show", "--text").stdout
    assert "a boot forgets it" in text
    assert "└─ nic veth_n" in text


def test_net_plan_reads_a_file_of_the_host_and_touches_nothing(host: Machine) -> None:
    before = kernel(host)
    request = json.dumps({"networks": {"red": {"nic": "veth_n"}}})
    host.sh(f"mkdir -p /root/plans && echo '{request}' >/root/plans/a.json")
    host.sh("ln -sf /root/plans/a.json /root/plans/link")
    plans = [
        host.sh("cd /root/plans && vdsm-tool net plan a.json --text"),
        host.sh("cd / && vdsm-tool net plan --text /root/plans/link"),
        host.sh("vdsm-tool net plan --text - </root/plans/a.json"),
    ]
    assert plans[0] == plans[1] == plans[2]
    assert "create bridge red" in plans[0]
    assert changed_since(host, before) == []
    wrong = host.run("vdsm-tool", "net", "plan", "-", stdin=b'{"networks": {"red": {"vlan": 5}}}',
                     check=False)  # fmt: skip
    assert wrong.returncode == 1
    assert "networks.red" in wrong.stderr


def test_net_restore_brings_the_persistent_networks_back(host: Machine) -> None:
    options = {"connectivityCheck": False, "commitOnSuccess": True}
    assert setup(host, {"networks": {"red": {"nic": "veth_n"}}, "options": options}) is True
    skipped = json.loads(host.run("vdsm-tool", "net", "restore").stdout)
    assert skipped == {"skipped": True, "restored": [], "dropped": {}, "reduced": []}
    host.sh("ip link del red")
    report = json.loads(host.run("vdsm-tool", "net", "restore", "--force").stdout)
    assert report["restored"] == ["red"]
    assert "red" in host.client("Host", "getCapabilities")["networks"]
