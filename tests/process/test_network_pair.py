# SPDX-License-Identifier: GPL-2.0-or-later
"""A network change all the way: engine, TLS, vdsm, contract, supervdsm, kernel, and back."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from process.network_site import ENGINE, HOST, Site, running

MANAGEMENT = {
    "nic": "nic0",
    "bridged": "true",
    "ipaddr": HOST,
    "netmask": "255.255.255.0",
    "gateway": ENGINE,
    "defaultRoute": True,
    "stp": "no",
}
RED = {"nic": "nic1", "mtu": "1400"}


@pytest.fixture
def site() -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("needs root for network namespaces")
    with tempfile.TemporaryDirectory(prefix="vdsm-test-") as name, running(Path(name)) as site:
        yield site


def checked(timeout: int) -> dict[str, Any]:
    return {"connectivityCheck": "true", "connectivityTimeout": str(timeout)}


def test_a_change_that_the_engine_confirms_stays(site: Site) -> None:
    seen = site.ask(networks={"ovirtmgmt": MANAGEMENT}, options=checked(30), confirm=HOST)
    assert seen["change"] == {"result": True}, site.log("supervdsm")
    assert site.stored() == {"ovirtmgmt"}
    (bridge,) = site.host.ip_json("addr show dev ovirtmgmt")
    assert HOST in {address["local"] for address in bridge["addr_info"]}


def test_ping2_confirms_as_well(site: Site) -> None:
    seen = site.ask(
        networks={"red": RED}, options=checked(30), confirm=HOST, confirm_by="Host.ping2"
    )
    assert seen["change"] == {"result": True}


def test_without_a_confirmation_the_old_network_comes_back(site: Site) -> None:
    before = site.kernel()
    seen = site.ask(networks={"ovirtmgmt": MANAGEMENT}, options=checked(2))
    assert seen["change"]["code"] == 10, seen
    assert site.changed_since(before) == []
    assert site.stored() == set()


def test_another_change_meanwhile_is_refused_and_nothing_else_waits(site: Site) -> None:
    reads = ["Host.getCapabilities", "Host.getStats", "Host.getVMList"]
    asking = site.begin(networks={"red": RED}, options=checked(60))
    site.wait(lambda: site.has("red"))
    meanwhile = site.ask(calls=reads, networks={"blue": {"vlan": 5, "nic": "nic1"}})
    assert meanwhile["change"]["code"] == 40, meanwhile
    assert all(isinstance(answer, dict | list) for answer in meanwhile["calls"]), meanwhile
    assert asking.poll() is None, "the first change has not waited"
    site.ask(calls=["Host.ping2"])
    assert site.wait_for(asking)["change"] == {"result": True}


def test_vdsm_killed_during_a_change_the_next_one_confirms_it(site: Site) -> None:
    asking = site.begin(networks={"red": RED}, options=checked(60))
    site.wait(lambda: site.has("red"))
    site.kill("vdsm")
    assert "lost" in site.wait_for(asking)["change"]
    site.start_vdsm()
    site.ask(calls=["Host.ping2"])
    site.wait(lambda: site.stored() == {"red"})


def test_supervdsm_killed_during_a_change_puts_the_old_network_back(site: Site) -> None:
    before = site.kernel()
    asking = site.begin(networks={"red": RED}, options=checked(60))
    site.wait(lambda: site.has("red"))
    site.kill("supervdsm")
    error = site.wait_for(asking)["change"]
    assert (error["code"], error["data"]["error"]) == (100, "SupervdsmDied")
    site.start_supervdsm()
    assert site.changed_since(before) == []
    assert site.stored() == set()


def test_a_hook_that_fails_keeps_the_change_from_being_made(site: Site) -> None:
    before = site.kernel()
    hook = site.directory / "hooks/before_network_setup/50_no"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 2\n")
    hook.chmod(0o755)
    error = site.ask(networks={"red": RED})["change"]
    assert error["code"] == 78
    assert "not today" in error["message"]
    assert site.changed_since(before) == []


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"red": {**RED, "vlan": "5000"}}, 26, "networks.red.vlan"),
    ({"red": {**RED, "nonsense": 1}}, 21, "networks.red.nonsense"),
    ({"red": {"nic": "none9"}}, 23, "networks.red.nic"),
    ({"red": 5}, 21, "networks.red"),
]


def test_what_is_wrong_has_its_code_names_its_field_and_touches_nothing(site: Site) -> None:
    before = site.kernel()
    for networks, code, field in WRONG:
        error = site.ask(networks=networks)["change"]
        assert (error["code"], error["data"]["field"]) == (code, field), error
    assert site.changed_since(before) == []


def test_links_that_go_down_are_events_also_after_supervdsm_was_another_one(site: Site) -> None:
    options = {"connectivityCheck": False}
    assert site.ask(networks={"red": RED}, options=options)["change"] == {"result": True}
    with site.events() as next_event:
        site.host.ip("link set far1 down")
        event = next_event()
        assert event["method"] == "|net|host_conn|no_id"
        assert set(event["params"]) == {"notify_time"}
        site.kill("supervdsm")
        site.host.ip("link set far1 up")
        site.start_supervdsm()
        assert next_event()["params"]["notify_time"] > event["params"]["notify_time"]


def test_neither_daemon_s_end_waits_for_the_links_that_are_watched(site: Site) -> None:
    site.wait(lambda: "WatchLinks" in site.log("supervdsm"))  # the first answer; the next one waits
    assert site.kill("supervdsm", signal.SIGTERM) == 0
    site.start_supervdsm()
    assert site.kill("vdsm", signal.SIGTERM) == 0
    assert "left behind" not in site.log("vdsm") + site.log("supervdsm")


def test_vdsm_tool_shows_plans_and_restores(site: Site) -> None:
    before = site.kernel()
    request = json.dumps({"networks": {"red": RED}})
    plan = site.tool("plan", "--text", "-", text=request)
    assert "create bridge red" in plan.stdout, plan.stderr
    assert site.changed_since(before) == []
    wrong = site.tool("plan", "-", text='{"networks": {"red": {"nic": "nic1", "vlan": 5000}}}')
    assert wrong.returncode == 1
    assert "networks.red.vlan" in wrong.stderr
    options = {"connectivityCheck": False, "commitOnSuccess": True}
    assert site.ask(networks={"red": RED}, options=options)["change"] == {"result": True}
    state = ("--state-dir", str(site.directory / "state"))
    shown = json.loads(site.tool("show", *state).stdout)
    assert (shown["dirty"], shown["networks"][0]["device"]["name"]) == (False, "red")
    assert "└─ nic nic1" in site.tool("show", "--text", *state).stdout
    site.host.ip("link del red")
    assert "already" in site.tool("restore", "--text").stdout
    assert site.tool("restore", "--text", "--force").stdout == "restored red\n"
    assert site.has("red")
