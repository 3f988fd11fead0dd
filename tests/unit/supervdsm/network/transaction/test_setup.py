# SPDX-License-Identifier: GPL-2.0-or-later
"""setupNetworks from request to answer: its order, its hooks, its wait for the engine."""

import threading
import time
from pathlib import Path

import pytest

from supervdsm.common.call import serving
from supervdsm.network.config import Configuration
from supervdsm.network.transaction.connectivity import Confirmation
from supervdsm.network.transaction.hooks import Hooks, Request
from supervdsm.network.transaction.setup import Setup
from unit.supervdsm.network.transaction.fakes import Site
from vdsm_contract.errors import HookFailed, NetworkConfigError, TimedOut

UNCHECKED: dict[str, object] = {"connectivityCheck": "false"}


class Served:
    """A room's setup, and scripts as its hooks, which write to `log`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "hooks").mkdir(mode=0o755)
        (directory / "run").mkdir()
        self.site = Site.at(directory / "state")
        self.confirmation = Confirmation()
        hooks = Hooks(directory / "hooks", root=None, run_dir=directory / "run")
        self.setup = Setup(self.site.changer, self.site.recovery, hooks, self.confirmation)

    def hook(self, point: str, script: str) -> None:
        file = self.directory / "hooks" / point / "hook"
        file.parent.mkdir(mode=0o755)
        file.write_text(f"#!/bin/sh\n{script}\ncat $_hook_json >> {self.directory}/log\n")
        file.chmod(0o755)

    def log(self) -> str:
        log = self.directory / "log"
        return log.read_text() if log.exists() else ""


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def request(options: dict[str, object] | None = None, **networks: object) -> Request:
    return Request(networks, {}, UNCHECKED if options is None else options)


def test_a_network_is_set_up_and_removed(served: Served) -> None:
    served.setup.setup(request(net={"nic": "eth0", "vlan": "5"}))
    assert {"net", "eth0.5"} <= served.site.kernel.state.devices.keys()
    assert served.site.store.running().networks["net"].vlan == 5
    served.setup.setup(request(net={"remove": "true"}))
    assert served.site.kernel.state.devices.keys() == {"eth0", "eth1", "eth2"}
    assert served.site.store.running() == Configuration()


def test_persistent_only_on_demand(served: Served) -> None:
    served.setup.setup(request(net={"nic": "eth0"}))
    assert served.site.store.persistent() == Configuration()
    served.setup.persist()
    assert served.site.store.persistent() == served.site.store.running() != Configuration()
    served.setup.setup(request({**UNCHECKED, "commitOnSuccess": True}, net={"remove": True}))
    assert served.site.store.persistent() == Configuration()


def test_a_plan_says_what_would_be_done_and_does_nothing(served: Served) -> None:
    served.hook("before_network_setup", "")
    before = served.site.kernel.state
    planned = served.setup.plan(request(net={"nic": "eth0"}))
    assert (served.site.kernel.state, served.site.kernel.done, served.log()) == (before, [], "")
    assert not (served.directory / "state").exists()
    served.setup.setup(request(net={"nic": "eth0"}))
    assert [str(operation) for operation in served.site.kernel.done] == planned


@pytest.mark.parametrize(
    "bad",
    [
        request(net={"nic": "eth9"}),
        request({"connectivityTimeout": "soon"}, net={"nic": "eth0"}),
        request(net=[]),
    ],
)
def test_a_bad_request_touches_nothing(served: Served, bad: Request) -> None:
    before = served.site.kernel.state
    with pytest.raises(NetworkConfigError):
        served.setup.setup(bad)
    assert (served.site.kernel.state, served.site.kernel.done) == (before, [])
    assert served.site.journal.read() is None


def test_a_hook_may_rewrite_the_request(served: Served) -> None:
    served.hook("before_network_setup", "sed -i s/eth0/eth1/ $_hook_json")
    served.setup.setup(request(net={"nic": "eth0"}))
    assert served.site.store.running().networks["net"].nic == "eth1"
    # It gets what oVirt's hooks know: every attribute, in its canonical form.
    assert '"bridged":true' in served.log()


def test_what_a_hook_makes_of_the_request_is_checked(served: Served) -> None:
    served.hook("before_network_setup", "sed -i s/eth0/eth9/ $_hook_json")
    with pytest.raises(NetworkConfigError, match="eth9"):
        served.setup.setup(request(net={"nic": "eth0"}))
    assert served.site.kernel.done == []


def test_a_hook_that_fails_prevents_the_change(served: Served) -> None:
    served.hook("before_network_setup", "exit 2")
    served.hook("after_network_setup_fail", "echo failed >&2")
    with pytest.raises(HookFailed):
        served.setup.setup(request(net={"nic": "eth0"}))
    assert served.site.kernel.done == []
    assert '"nic":"eth0"' in served.log()


@pytest.mark.parametrize("nic", ["eth0", "eth9"])
def test_one_of_two_hooks_runs_after_the_change(served: Served, nic: str) -> None:
    served.hook("after_network_setup", f"echo ended >> {served.directory}/log")
    served.hook("after_network_setup_fail", f"echo failed >> {served.directory}/log")
    try:
        served.setup.setup(request(net={"nic": nic}))
    except NetworkConfigError:
        assert served.log().startswith("failed")
    else:
        assert served.log().startswith("ended")


def test_the_engine_s_sign_ends_the_wait(served: Served) -> None:
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(0.005):
            served.confirmation.confirm(time.monotonic())

    engine = threading.Thread(target=poll)
    engine.start()
    try:
        with serving("SetupNetworks", 50):
            served.setup.setup(request({"connectivityTimeout": 100}, net={"nic": "eth0"}))
    finally:
        ended.set()
        engine.join()
    assert set(served.site.store.running().networks) == {"net"}


def test_without_a_sign_everything_is_as_before(served: Served) -> None:
    before = served.site.kernel.state
    served.confirmation.confirm(time.monotonic())
    with pytest.raises(NetworkConfigError) as caught:
        served.setup.setup(request({"connectivityTimeout": 0}, net={"nic": "eth0"}))
    assert caught.value.errCode == 10
    assert served.site.kernel.state == before
    assert served.site.store.running() == Configuration()


def test_the_call_s_limit_ends_the_wait(served: Served) -> None:
    before = served.site.kernel.state
    with serving("SetupNetworks", 0.3), pytest.raises(TimedOut):
        served.setup.setup(request({"connectivityTimeout": 100}, net={"nic": "eth0"}))
    assert served.site.kernel.state == before
