# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of the daemons beside supervdsm: DHCP clients and LLDP."""

import pytest

from supervdsm.network.services import dhcp, dhcp_client, leases, lldp, wishes
from unitfiles import QUADLET, UnitFile, read_unit, seconds
from vdsm_contract import paths

DHCP = "vdsm-dhcp@.container"
LLDP = "vdsm-lldpd.container"


@pytest.fixture(params=[DHCP, LLDP])
def unit(request: pytest.FixtureRequest) -> UnitFile:
    return read_unit(request.param)


@pytest.fixture
def client() -> UnitFile:
    return read_unit(DHCP)


def mounts(unit: UnitFile) -> dict[str, str]:
    """Return what is mounted by its place in the container, with `:ro`."""
    found = {}
    for value in unit.values("Container", "Volume"):
        source, target, *options = value.split(":")
        found[target] = ":".join([source, *options])
    return found


def test_the_image_is_supervdsm_s(unit: UnitFile) -> None:
    image = read_unit("supervdsm.container").value("Container", "Image")
    assert unit.value("Container", "Image") == image
    assert unit.value("Container", "Pull") == "never"


def test_no_crash_is_the_last(unit: UnitFile) -> None:
    assert unit.value("Service", "Restart") == "always"
    assert unit.value("Unit", "StartLimitIntervalSec") == "0"
    assert seconds(unit.value("Service", "RestartSec")) < 1
    # Where it cannot run it shall not eat the host's time.
    assert seconds(unit.value("Service", "RestartMaxDelaySec")) >= 30
    assert int(unit.value("Service", "RestartSteps")) > 1


def test_it_has_few_privileges(unit: UnitFile) -> None:
    assert unit.value("Container", "DropCapability") == "all"
    assert unit.value("Container", "NoNewPrivileges") == "true"
    assert unit.value("Container", "ReadOnly") == "true"
    assert unit.value("Container", "Network") == "host"
    assert unit.values("Container", "PodmanArgs") == []
    needless = {"SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "MKNOD", "SETPCAP"}
    assert needless.isdisjoint(unit.words("Container", "AddCapability"))


def test_it_sees_nothing_of_the_host_but_its_own_directories(unit: UnitFile) -> None:
    for source in mounts(unit).values():
        assert source.startswith((f"{paths.RUN_DIR}/", f"{paths.STATE_DIR}/"))


def test_its_directories_are_made_and_are_root_s(unit: UnitFile) -> None:
    made = {}
    for line in (QUADLET / "tmpfiles.d/vdsm.conf").read_text().splitlines():
        if line.startswith("d "):
            _, path, _, owner, group, _ = line.split()
            made[path] = (owner, group)
    for source in mounts(unit).values():
        assert made[source.partition(":")[0]] == ("root", "root")


def test_podman_ends_the_container_before_systemd_ends_podman(unit: UnitFile) -> None:
    grace = seconds(unit.value("Container", "StopTimeout"))
    assert grace < seconds(unit.value("Service", "TimeoutStopSec"))


def test_every_line_about_podman_says_what_it_becomes(unit: UnitFile) -> None:
    keys = [line.key for line in unit.lines if line.section == "Container"]
    assert len(unit.expectations) == len(keys) - keys.count("Exec")


def test_a_client_finds_its_directories_where_its_program_looks(client: UnitFile) -> None:
    assert mounts(client) == {
        str(wishes.DIRECTORY): f"{wishes.DIRECTORY}:ro",
        str(leases.DIRECTORY): str(leases.DIRECTORY),
        "/var/lib/dhcpcd": str(dhcp.STATE),
    }
    program = client.value("Container", "Entrypoint")
    assert program.rpartition("/")[0] == str(dhcp_client.HOOK.parent)
    assert client.value("Container", "Exec") == "%i"


def test_a_client_runs_only_with_a_wish(client: UnitFile) -> None:
    wish = f"{wishes.DIRECTORY}/%i.json"
    assert client.value("Unit", "ConditionPathExists") == wish
    assert "Install" not in {line.section for line in client.lines}


def test_a_client_gives_its_lease_back_only_when_its_wish_is_gone(client: UnitFile) -> None:
    stop = client.value("Service", "ExecStop")
    assert f"test -e {wishes.DIRECTORY}/%i.json || " in stop
    assert "--signal=ALRM" in stop
    name = client.value("Container", "ContainerName")
    assert stop.count(name) == 2


def test_a_client_says_itself_that_it_is_ready(client: UnitFile) -> None:
    assert client.value("Container", "Notify") == "true"


def test_networks_stay_when_vdsm_stops(client: UnitFile) -> None:
    for key in ("PartOf", "Requires", "Wants", "BindsTo", "After"):
        assert client.values("Unit", key) == []


def test_a_client_ends_after_those_who_need_the_network(client: UnitFile) -> None:
    assert client.value("Unit", "Before") == "network.target"


def test_lldp_runs_with_the_pair_and_is_not_needed_by_it() -> None:
    assert read_unit(LLDP).value("Unit", "PartOf") == "vdsm.target"
    target = read_unit("vdsm.target")
    assert lldp.UNIT in target.words("Unit", "Wants")
    assert target.words("Unit", "Requires") == []


def test_lldp_hears_where_supervdsm_asks_and_says_nothing() -> None:
    words = read_unit(LLDP).value("Container", "Exec").split()
    assert "-r" in words
    assert words[words.index("-u") + 1] == str(lldp.SOCKET)
    assert mounts(read_unit(LLDP)) == {str(lldp.SOCKET.parent): str(lldp.SOCKET.parent)}
