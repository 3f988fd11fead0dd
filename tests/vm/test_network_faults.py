# SPDX-License-Identifier: GPL-2.0-or-later
"""A change that takes away the network it came by, and processes killed in the middle of one."""

import random
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from machines import Report
from vm.engine import Lost, Refused
from vm.kernel import Kernel
from vm.site import STATE, Site

ADDRESS: Final = "10.1.0.2"
BOND: Final = {
    "bond0": {
        "nics": ["eth1", "eth2"],
        "options": "mode=1 miimon=100",
        "hwaddr": "52:54:00:12:34:01",
    }
}
JOURNAL: Final = f"{STATE}/supervdsm/network.journal"
LOST_CONNECTION: Final = 10


def mgmt(**more: Any) -> dict[str, Any]:
    base = {"bonding": "bond0", "vlan": 100, "ipaddr": ADDRESS, "netmask": "255.255.255.0"}
    return {"mgmt": {**base, "gateway": "10.1.0.1", "defaultRoute": True, **more}}


def plain(number: int, **more: Any) -> dict[str, Any]:
    return {"bonding": "bond0", "vlan": number, **more}


@pytest.fixture
def managed(site: Site) -> Iterator[Site]:
    """The network that an engine in the peer's namespace talks through."""
    site.peer.vlan(100, "10.1.0.1/24")
    site.setup(mgmt(), BOND)
    yield site
    site.peer.vlan(100, "10.1.0.1/24")
    site.clear()
    site.peer.no_vlan(100)


def wait_for(site: Site, condition: str, seconds: float = 60) -> None:
    site.shell(f"until {condition}; do sleep 0.1; done", timeout=seconds)


def has_ended(site: Site) -> None:
    """Wait until no change is under way."""
    wait_for(site, f"[ ! -e {JOURNAL} ]", 120)


def vlan_stored(site: Site) -> str:
    return site.shell(f"grep -o '\"vlan\": [0-9]*' {STATE}/staging/netconf/nets/mgmt").split()[1]


# --- connectivity -------------------------------------------------------------------------------


def test_an_engine_that_was_cut_off_confirms_once_it_is_back(managed: Site, report: Report) -> None:
    """The other end follows to another VLAN only after a while."""
    with managed.engine.through(ADDRESS) as asking, managed.engine.through(ADDRESS) as polling:
        assert polling.call("Host.ping2") is True
        began = time.monotonic()
        change = asking.start_setup(
            mgmt(vlan=150), connectivityCheck="true", connectivityTimeout=120
        )
        wait_for(managed, "[ -e /sys/class/net/bond0.150 ]")
        poll = polling.start("Host.confirmConnectivity", timeout=90)
        assert managed.peer.lost(ADDRESS)
        assert not change.done()
        assert vlan_stored(managed) == "100"
        managed.peer.no_vlan(100)
        managed.peer.vlan(150, "10.1.0.1/24")
        assert poll.result() is True
        assert change.result() is True
    report(f"cut off and back: confirmed after {time.monotonic() - began:.1f} s")
    assert managed.peer.reaches(ADDRESS)
    assert vlan_stored(managed) == "150"
    caps = managed.engine.caps()
    assert (caps["networks"]["mgmt"]["vlanid"], caps["netConfigDirty"]) == (150, "True")
    managed.peer.no_vlan(150)


def test_an_engine_that_stays_cut_off_finds_the_old_network_again(
    managed: Site, report: Report
) -> None:
    before = managed.kernel()
    with managed.engine.through(ADDRESS) as asking:
        with managed.peer.watching(ADDRESS) as watch:
            answer = asking.setup(mgmt(vlan=150), connectivityCheck="true", connectivityTimeout=5)
        # By the same connection, over the network that came back.
        assert isinstance(answer, Refused), answer
        assert answer.code == LOST_CONNECTION
        assert asking.call("Host.ping2") is True
    assert not managed.kernel().unlike(before)
    assert vlan_stored(managed) == "100"
    report(f"a change that nobody confirmed for 5 s: silent for {watch.silence:.1f} s")


def test_a_client_on_another_network_confirms_as_well(managed: Site) -> None:
    """As upstream: whoever reaches vdsm proves that it can be reached."""
    with managed.engine.through(ADDRESS) as asking:
        change = asking.start_setup(
            mgmt(mtu=1400), connectivityCheck="true", connectivityTimeout=60
        )
        while not change.done():
            assert managed.engine.call("Host.ping2") is True
            time.sleep(0.3)
        assert change.result() is True


# --- killed -------------------------------------------------------------------------------------

BUSY: Final = {
    **mgmt(vlan=150, mtu=1400),
    **{f"n{number}": plain(number, mtu=1400) for number in range(201, 207)},
}
OTHER_BOND: Final = {"bond0": {"nics": ["eth2"], "options": "mode=balance-xor miimon=200"}}


def restarted(site: Site, unit: str, old: int) -> int:
    return site.vm.wait_for_restart(unit, old, timeout=180)


def recoveries(site: Site) -> list[str]:
    """Lines of supervdsm's journal of this boot: recoveries and starts."""
    text = site.shell("journalctl -b -o cat -u supervdsm.service --no-pager")
    return [one for one in text.splitlines() if "recovery: " in one or one.startswith("Started ")]


def test_supervdsm_killed_at_any_moment_leaves_the_old_networks_or_the_new(
    managed: Site, report: Report
) -> None:
    old = managed.kernel()
    began = time.monotonic()
    managed.setup(BUSY, OTHER_BOND)
    took = time.monotonic() - began
    new = managed.kernel()
    back = {**mgmt(), **{name: {"remove": True} for name in BUSY if name != "mgmt"}}
    managed.setup(back, BOND)
    assert not managed.kernel().unlike(old)
    pid, outcomes = managed.vm.pid("supervdsm"), {"old": 0, "new": 0}
    moments = [random.uniform(0.15, 1.0) * took for _ in range(2)]
    for moment in moments:
        logged = len(recoveries(managed))
        change = managed.engine.session().start_setup(BUSY, OTHER_BOND)
        managed.shell(f"sleep {moment:.3f}; kill -KILL {pid}")
        pid = restarted(managed, "supervdsm", pid)
        found = outcome(managed, old, new)
        outcomes[found] += 1
        answer = change.result()
        assert answer is True or isinstance(answer, Refused | Lost), answer
        told = recoveries(managed)[logged:]
        if found == "new":
            managed.setup(back, BOND)
        elif told[:-1]:  # it had begun
            assert "rolled back" in told[-2], told
            assert told[-1].startswith("Started "), told
    report(
        f"a change of {took:.1f} s killed after {', '.join(f'{m:.2f}' for m in moments)} s: "
        f"{outcomes['old']} times the old networks, {outcomes['new']} times the new"
    )
    assert not managed.kernel().unlike(old)


def outcome(site: Site, old: Kernel, new: Kernel) -> str:
    """Which of the two it is; nothing between will do."""
    found = site.kernel()
    if not (unlike_old := found.unlike(old)):
        assert site.stored()["staging"] == ["mgmt"]
        return "old"
    unlike_new = found.unlike(new)
    assert not unlike_new, unlike_old
    assert site.stored()["staging"] == sorted(BUSY)
    return "new"


def test_supervdsm_killed_while_it_waits_for_the_engine(managed: Site) -> None:
    before, pid = managed.kernel(), managed.vm.pid("supervdsm")
    change = managed.engine.session().start_setup(
        {**BUSY}, OTHER_BOND, connectivityCheck=True, connectivityTimeout=100
    )
    wait_for(managed, "[ -e /sys/class/net/n206 ]")
    managed.shell(f"kill -KILL {pid}")
    restarted(managed, "supervdsm", pid)
    assert not managed.kernel().unlike(before)
    assert managed.stored()["staging"] == ["mgmt"]
    told = recoveries(managed)
    assert "rolled back" in told[-2]
    assert told[-1].startswith("Started ")
    assert isinstance(change.result(), Refused)


@pytest.mark.parametrize("confirmed", [True, False])
def test_vdsm_killed_while_a_change_waits_for_the_engine(managed: Site, confirmed: bool) -> None:
    """The change is supervdsm's: the next vdsm confirms it, or nobody does."""
    before, pid = managed.kernel(), managed.vm.pid("vdsm")
    change = managed.engine.session().start_setup(
        {"red": plain(300)}, connectivityCheck=True, connectivityTimeout=100 if confirmed else 8
    )
    wait_for(managed, "[ -e /sys/class/net/red ]")
    managed.shell(f"kill -KILL {pid}")
    assert isinstance(change.result(), Lost)
    if confirmed:
        # The socket is systemd's: the call waits for the next vdsm.
        assert managed.engine.session().call("Host.ping2") is True
    has_ended(managed)
    restarted(managed, "vdsm", pid)
    managed.engine.reconnect()
    assert managed.stored()["staging"] == (["mgmt", "red"] if confirmed else ["mgmt"])
    assert ("red" in managed.engine.caps()["networks"]) is confirmed
    if not confirmed:
        assert not managed.kernel().unlike(before)
