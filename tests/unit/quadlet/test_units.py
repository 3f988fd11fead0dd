# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit files in quadlet/, as text: what each must say, and that the contract says the same."""

import re

import pytest

from supervdsm.main import DRAIN_SECONDS
from unitfiles import QUADLET, UnitFile, read_unit, seconds
from vdsm_contract import paths
from vdsm_contract.systemd import WATCHDOG_ENV
from vdsm_tool.fitness.containers import MIN_PODMAN

CONTAINERS = ("vdsm.container", "supervdsm.container")
SOCKETS = ("vdsm.socket", "supervdsm.socket")
DAEMONS = ("vdsm-dhcp@.container", "vdsm-lldpd.container")
"""Beside supervdsm, out of its image: test_daemons.py."""
LEASES = ("vdsm-sanlock.container", "vdsm-wdmd.container")
"""They hold the host's leases: test_lease_units.py."""
UPGRADE = ("vdsm-upgrade.service", "vdsm-upgrade-resume.service")
"""They swap images: test_upgrade_units.py."""
METRICS = ("vdsm-metrics.socket", "supervdsm-metrics.socket")
"""Off until they are enabled: test_metrics_units.py."""
UNITS = (
    *CONTAINERS, *SOCKETS, *DAEMONS, *LEASES, *UPGRADE, *METRICS, "vdsm-run.volume", "vdsm.target",
)  # fmt: skip

# Of podman-systemd.unit(5): those that we use. Quadlet makes no service of a file with another one.
KEYS = {
    "Container": {
        "AddCapability", "AddDevice", "ContainerName", "DropCapability", "Entrypoint", "Exec",
        "Group", "GroupAdd", "HostName", "Image", "LogDriver", "Network", "NoNewPrivileges",
        "Notify", "PodmanArgs", "Pull", "ReadOnly", "SeccompProfile", "StopTimeout", "Ulimit",
        "User", "Volume",
    },
    "Volume": {"Device", "Options", "Type", "VolumeName"},
    "Quadlet": {"DefaultDependencies"},
}  # fmt: skip

SINCE = {"GroupAdd": (5, 1), "DefaultDependencies": (5, 3)}
"""The podman that brought a key; 5.0 has the others."""


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest) -> UnitFile:
    return read_unit(request.param)


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest) -> UnitFile:
    return read_unit(request.param)


def test_every_unit_file_is_tested() -> None:
    assert {path.name for path in QUADLET.iterdir() if path.is_file()} == set(UNITS)


def test_a_comment_explains_every_line(unit: UnitFile) -> None:
    assert [line for line in unit.lines if not line.explained] == []


def test_the_oldest_podman_that_the_check_lets_pass_knows_every_key() -> None:
    used = {(line.section, line.key) for name in UNITS for line in read_unit(name).lines}
    known = {(section, key) for section, keys in KEYS.items() for key in keys}
    assert {(section, key) for section, key in used if section in KEYS} == known
    newest = max(SINCE.get(key, (5, 0)) for _, key in known)
    assert newest == MIN_PODMAN


def test_nothing_waits_for_the_network() -> None:
    for name in (*CONTAINERS, *DAEMONS, *LEASES, "vdsm-run.volume"):
        assert read_unit(name).value("Quadlet", "DefaultDependencies") == "false"


def test_what_needs_the_network_waits_for_networks_to_be_restored() -> None:
    unit = read_unit("supervdsm.container")
    before = unit.words("Unit", "Before")
    assert before == ["network.target", "network-online.target"]
    assert "network.target" in unit.words("Unit", "Wants")
    # Only order: none of the host's own network services is started for us.
    pulled = {*unit.words("Unit", "Wants"), *unit.words("Unit", "Requires")}
    assert pulled == {"network.target", "supervdsm.socket"}
    assert not set(before) & set(unit.words("Unit", "After"))


def test_no_crash_is_the_last(container: UnitFile) -> None:
    assert container.value("Service", "Restart") == "always"
    assert container.value("Service", "RestartSec") == "100ms"
    assert container.value("Unit", "StartLimitIntervalSec") == "0"


@pytest.mark.parametrize("name", SOCKETS)
def test_no_crash_stops_a_socket(name: str) -> None:
    socket = read_unit(name)
    assert socket.value("Socket", "TriggerLimitIntervalSec") == "0"
    assert socket.value("Socket", "PollLimitIntervalSec") == "0"
    assert socket.value("Socket", "Accept") == "no"


@pytest.mark.parametrize("name", SOCKETS)
def test_no_number_of_restarts_stops_a_socket(name: str) -> None:
    assert read_unit(name).value("Unit", "StartLimitIntervalSec") == "0"


def test_nothing_holds_the_port_open_while_a_restart_of_both_sockets_binds_it_again() -> None:
    assert "supervdsm.socket" in read_unit("vdsm.socket").words("Unit", "After")
    assert read_unit("supervdsm.socket").words("Unit", "After") == []


def test_neither_service_depends_on_the_other(container: UnitFile) -> None:
    for key in ("Requires", "Wants", "BindsTo", "PartOf", "After", "Before", "Upholds"):
        assert not {"vdsm.service", "supervdsm.service"} & set(container.words("Unit", key))


def test_each_service_gets_its_socket(container: UnitFile) -> None:
    socket = container.name.replace(".container", ".socket")
    assert container.value("Service", "Sockets") == socket
    assert socket in container.words("Unit", "Requires")
    assert socket in container.words("Unit", "After")


@pytest.mark.parametrize("name", [*CONTAINERS, *SOCKETS])
def test_the_target_starts_and_stops_it(name: str) -> None:
    wanted = read_unit("vdsm.target").words("Unit", "Wants")
    assert name.replace(".container", ".service") in wanted
    assert read_unit(name).value("Unit", "PartOf") == "vdsm.target"


def test_podman_ends_a_container_before_systemd_ends_podman(container: UnitFile) -> None:
    grace = seconds(container.value("Container", "StopTimeout"))
    assert grace < seconds(container.value("Service", "TimeoutStopSec"))


def test_supervdsm_has_ended_before_podman_stops_all_that_its_calls_have_started() -> None:
    unit = read_unit("supervdsm.container")
    assert "--pid=host" in unit.words("Container", "PodmanArgs")  # so podman signals them all
    # Quadlet adds podman's stop after this one. "$$": systemd hands "$" on.
    found = re.fullmatch(
        r"-/bin/sh -c '\{ podman kill --signal=TERM supervdsm && "
        r"timeout (\d+) podman wait --ignore supervdsm; "
        r'\[ "\$\$\?" != 124 \] \|\| podman kill --signal=KILL supervdsm; \} >/dev/null\'',
        unit.value("Service", "ExecStop"),
    )
    assert found
    assert DRAIN_SECONDS < float(found[1]) < seconds(unit.value("Service", "TimeoutStopSec"))


def test_the_daemon_learns_the_watchdog_interval_from_the_unit(container: UnitFile) -> None:
    assert container.value("Container", "Notify") == "true"
    assert seconds(container.value("Service", "WatchdogSec")) > 0
    argument = f"--env {WATCHDOG_ENV}=${{WATCHDOG_USEC}}"
    assert argument in container.values("Container", "PodmanArgs")


def test_the_images_are_the_pair_s_own_and_never_pulled(container: UnitFile) -> None:
    name = container.name.removesuffix(".container")
    assert container.value("Container", "Image") == f"localhost/{name}:latest"
    assert container.value("Container", "ContainerName") == name
    assert container.value("Container", "Pull") == "never"


def test_the_log_is_the_journal(container: UnitFile) -> None:
    assert container.value("Container", "LogDriver") == "journald"


def test_sockets_are_where_the_contract_says() -> None:
    port = read_unit("vdsm.socket")
    assert port.value("Socket", "ListenStream") == str(paths.MANAGEMENT_PORT)
    door = read_unit("supervdsm.socket")
    assert door.value("Socket", "ListenStream") == str(paths.SUPERVDSM_SOCKET)
    assert door.value("Socket", "SocketUser") == "root"
    assert door.value("Socket", "SocketGroup") == str(paths.KVM_GID)
    assert door.value("Socket", "SocketMode") == "0660"


def test_the_shared_volume_is_the_directory_of_the_socket() -> None:
    volume = read_unit("vdsm-run.volume")
    assert volume.value("Volume", "Device") == str(paths.RUN_DIR)
    assert volume.value("Volume", "Options") == "bind"
    for name in CONTAINERS:
        mounts = read_unit(name).values("Container", "Volume")
        (shared,) = [mount for mount in mounts if mount.startswith("vdsm-run.volume:")]
        assert shared.split(":")[1] == str(paths.RUN_DIR)


def test_vdsm_has_no_privilege() -> None:
    unit = read_unit("vdsm.container")
    assert unit.value("Container", "User") == str(paths.VDSM_UID)
    assert unit.value("Container", "Group") == str(paths.KVM_GID)
    assert unit.value("Container", "DropCapability") == "all"
    assert unit.value("Container", "NoNewPrivileges") == "true"
    assert unit.value("Container", "ReadOnly") == "true"
    assert unit.value("Container", "Network") == "none"
    assert unit.value("Container", "SeccompProfile") == "/usr/share/vdsm/seccomp/vdsm.json"
    assert len(unit.values("Container", "PodmanArgs")) == 1  # the watchdog's


def test_vdsm_can_write_only_to_storage_and_state() -> None:
    mounts = read_unit("vdsm.container").values("Container", "Volume")
    writable = {mount.split(":")[1] for mount in mounts if "ro" not in mount.split(":")[2:]}
    links = str(paths.PREPARED_DIR)
    assert writable == {str(paths.DATA_CENTER.parent), str(paths.STATE_DIR), links}


def test_mounts_reach_the_host_and_vdsm() -> None:
    top = str(paths.DATA_CENTER.parent)
    assert f"{top}:{top}:rshared" in read_unit("supervdsm.container").values("Container", "Volume")
    assert f"{top}:{top}:rslave" in read_unit("vdsm.container").values("Container", "Volume")


def test_supervdsm_sees_the_host() -> None:
    unit = read_unit("supervdsm.container")
    assert unit.value("Container", "Network") == "host"
    assert {"--privileged", "--pid=host", "--ipc=host", "--cgroupns=host"} <= set(
        unit.words("Container", "PodmanArgs")
    )
    assert f"/:{paths.HOST_ROOT}:rslave" in unit.values("Container", "Volume")


def test_every_mounted_directory_is_made_or_always_there(container: UnitFile) -> None:
    made = set()
    for line in (QUADLET / "tmpfiles.d/vdsm.conf").read_text().splitlines():
        if line.startswith("d "):
            made.add(line.split()[1])
    always = {"/", "/dev", "/sys", "/etc/os-release"}
    for mount in container.values("Container", "Volume"):
        source = mount.split(":")[0]
        assert source in made | always or source == "vdsm-run.volume"


def test_every_line_about_podman_says_what_it_becomes(container: UnitFile) -> None:
    keys = [line.key for line in container.lines if line.section == "Container"]
    assert len(container.expectations) == len(keys) - keys.count("Group")
