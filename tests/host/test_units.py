# SPDX-License-Identifier: GPL-2.0-or-later
"""The units on a real host: what systemd and podman make of them, and what the kernel says."""

import shlex
import time

import pytest

from machines import Machine, active
from unitfiles import read_unit, seconds
from vdsm_contract import paths

CONTAINERS = ("vdsm", "supervdsm")
LEASES = ("vdsm-sanlock", "vdsm-wdmd")
SOCKETS = ("vdsm.socket", "supervdsm.socket")
CAP_SYS_RESOURCE = 24
"""capabilities(7): sanlock lifts its limits with it."""
PYTHON = "/opt/venv/bin/python"
MOUNT_POINT = "/rhev/data-center/mnt/test-units"

# Tries system calls by number and creates sockets; prints one line of each: NAME ok|ERRNO.
PROBE = """
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "mount": 165, "umount2": 166, "unshare": 272, "setns": 308, "pivot_root": 155, "chroot": 161,
    "bpf": 321, "ptrace": 101, "keyctl": 250, "add_key": 248, "perf_event_open": 298,
    "userfaultfd": 323, "io_uring_setup": 425, "init_module": 175, "finit_module": 313,
    "kexec_load": 246, "open_by_handle_at": 304, "fsopen": 430, "mknod": 133, "chown": 92,
    "setuid": 105, "getpid": 39,
}
for name, number in NUMBERS.items():
    ctypes.set_errno(0)
    ok = libc.syscall(number, 0, 0, 0, 0, 0) >= 0
    print(name, "ok" if ok else errno.errorcode[ctypes.get_errno()])
for flag in ("NEWNS", "NEWUSER", "NEWNET", "NEWPID"):
    bits = {"NEWNS": 0x20000, "NEWUSER": 0x10000000, "NEWNET": 0x40000000, "NEWPID": 0x20000000}
    ctypes.set_errno(0)
    libc.syscall(56, bits[flag] | 17, 0, 0, 0, 0)
    print("clone-" + flag, errno.errorcode[ctypes.get_errno()])
for family in ("UNIX", "INET", "INET6", "NETLINK", "PACKET", "ALG", "VSOCK"):
    try:
        socket.socket(getattr(socket, "AF_" + family), socket.SOCK_DGRAM).close()
        print("AF_" + family, "ok")
    except OSError as error:
        print("AF_" + family, errno.errorcode[error.errno])
"""


def status_of(host: Machine, unit: str) -> dict[str, list[str]]:
    """Return /proc/PID/status of a container's first process, as the host sees it."""
    text = host.sh(f"cat /proc/{host.pid(unit)}/status")
    return {
        key: value.split() for key, _, value in (line.partition(":") for line in text.splitlines())
    }


def in_vdsm(host: Machine, command: str) -> str:
    return host.sh(f"podman exec vdsm sh -c {shlex.quote(command)}")


@pytest.mark.parametrize("name", [*CONTAINERS, *LEASES, "vdsm-lldpd", "vdsm-dhcp@"])
def test_quadlet_makes_of_each_line_what_it_says(host: Machine, name: str) -> None:
    cat = host.sh(f"systemctl cat {name}{'nic0' if name.endswith('@') else ''}.service")
    (start,) = [line for line in cat.splitlines() if line.startswith("ExecStart=")]
    for expectation in read_unit(f"{name}.container").expectations:
        image, _, tag = expectation.removeprefix("localhost/").partition(":")
        if tag == "latest":  # the pins say which one that is
            expectation = host.sh(f"sed -n s/^Image=//p /etc/vdsm/pins/current/{image}.conf")
            assert len(expectation) == 64
        assert f" {expectation} " in start + " "


def test_systemd_finds_no_fault_in_the_units(host: Machine) -> None:
    services = ("vdsm.service", "supervdsm.service", "vdsm-lldpd.service", "vdsm-dhcp@nic0.service")
    leases = [f"{name}.service" for name in LEASES]
    units = " ".join([*SOCKETS, "vdsm.target", *services, *leases])
    assert host.sh(f"systemd-analyze verify --generators=yes --man=no {units} 2>&1").strip() == ""


def test_a_host_that_cannot_run_sanlock_does_without(host: Machine) -> None:
    """The vm ring has one that can."""
    bounding = int(host.sh("sed -n 's/^CapBnd:[[:space:]]*//p' /proc/1/status"), 16)
    sanlock = "active" if bounding & 1 << CAP_SYS_RESOURCE else "inactive"
    assert host.show("vdsm-sanlock.service", "ActiveState") == sanlock
    assert host.show("vdsm-wdmd.service", "ActiveState") == "inactive"
    refused = host.run("systemctl", "restart", "vdsm-sanlock.service", check=False)
    assert "refuse" in refused.stderr


def test_vdsm_has_no_privilege(host: Machine) -> None:
    status = status_of(host, "vdsm")
    assert status["Uid"] == [str(paths.VDSM_UID)] * 4
    assert status["Gid"] == [str(paths.KVM_GID)] * 4
    assert status["Groups"] == [str(paths.KVM_GID), str(paths.SANLOCK_UID)]
    for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[which][0], 16) == 0
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]


def test_vdsm_s_root_is_read_only(host: Machine) -> None:
    root = host.sh(f"awk '$5 == \"/\" {{ print $6 }}' /proc/{host.pid('vdsm')}/mountinfo")
    assert root.split(",")[0] == "ro"
    for path in ("/", "/etc/vdsm", "/etc/pki/vdsm", "/run/vdsm", "/var/lib/vdsm", "/opt/venv"):
        assert in_vdsm(host, f"touch {path}/x 2>/dev/null || echo refused").strip() == "refused"


def test_vdsm_s_only_network_device_is_lo(host: Machine) -> None:
    devices = host.sh(f"nsenter --net=/proc/{host.pid('vdsm')}/ns/net ip -o link")
    assert [line.split(":")[1].strip() for line in devices.splitlines()] == ["lo"]


def test_the_seccomp_profile_refuses(host: Machine) -> None:
    probe = host.run("podman", "exec", "--interactive", "vdsm", PYTHON, "-", stdin=PROBE.encode())
    results = dict(line.split() for line in probe.stdout.splitlines())
    assert results.pop("getpid") == "ok"
    assert results.pop("AF_UNIX") == "ok"
    families = {name: result for name, result in results.items() if name.startswith("AF_")}
    assert set(families.values()) == {"EAFNOSUPPORT"}
    clones = {name: result for name, result in results.items() if name.startswith("clone-")}
    assert set(clones.values()) == {"ENOSYS"}
    others = results.keys() - families.keys() - clones.keys()
    assert {results[name] for name in others} == {"EPERM"}
    assert len(others) == 21


def test_the_seccomp_profile_allows_nothing_that_podman_s_own_refuses(host: Machine) -> None:
    # Without a capability, podman's default is the list of rules that name none.
    program = """
import json
def allowed(path):
    rules = json.load(open(path))["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"
            and not rule.get("includes", {}).get("caps") for name in rule["names"]}
ours = allowed("/usr/share/vdsm/seccomp/vdsm.json")
default = allowed("/usr/share/containers/seccomp.json")
print(sorted(ours - default), len(default - ours) > 100)
"""
    assert host.run("python3", "-c", program).stdout.strip() == "[] True"


def test_supervdsm_has_the_host_s_namespaces(host: Machine) -> None:
    pid = host.pid("supervdsm")
    for namespace in ("net", "pid", "ipc", "user", "cgroup"):
        theirs, ours = host.sh(
            f"readlink /proc/{pid}/ns/{namespace} /proc/1/ns/{namespace}"
        ).split()
        assert theirs == ours
    assert host.sh(f"readlink /proc/{pid}/ns/mnt") != host.sh("readlink /proc/1/ns/mnt")
    assert status_of(host, "supervdsm")["Uid"] == ["0"] * 4


def test_the_socket_of_supervdsm_is_for_root_and_group_36(host: Machine) -> None:
    stat = host.sh(
        f"stat -c '%a %u %g %F' {paths.SUPERVDSM_SOCKET}; stat -c '%a %u' {paths.RUN_DIR}"
    )
    assert stat.splitlines() == ["660 0 36 socket", "755 0"]


def test_both_logs_are_in_the_journal(host: Machine) -> None:
    for name in CONTAINERS:
        command = f"journalctl --boot --quiet --lines=1 --output=cat CONTAINER_NAME={name}"
        assert host.sh(command).strip() != ""


def test_a_mount_reaches_host_and_vdsm_and_outlives_both_containers(host: Machine) -> None:
    host.sh(f"mkdir -p {MOUNT_POINT}")
    host.sh(f"podman exec supervdsm mount -t tmpfs -o mode=755 none {MOUNT_POINT}")
    try:
        host.sh(f"echo here > {MOUNT_POINT}/file")
        assert in_vdsm(host, f"cat {MOUNT_POINT}/file").strip() == "here"
        for name in CONTAINERS:
            old = host.pid(name)
            host.sh(f"kill -KILL {old}")
            host.wait_for_restart(name, old)
            assert host.sh(f"cat {MOUNT_POINT}/file").strip() == "here"
            assert in_vdsm(host, f"cat {MOUNT_POINT}/file").strip() == "here"
    finally:
        host.sh(f"podman exec supervdsm umount {MOUNT_POINT}")
    left = host.sh(f"findmnt {MOUNT_POINT} || echo none; podman exec vdsm ls {MOUNT_POINT}")
    assert left.strip() == "none"
    host.sh(f"rmdir {MOUNT_POINT}")


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_crash_stops_neither_socket_nor_the_other(host: Machine, name: str) -> None:
    (other,) = set(CONTAINERS) - {name}
    old, kept = host.pid(name), host.pid(other)
    since = {socket: host.show(socket, "ActiveEnterTimestampMonotonic") for socket in SOCKETS}
    host.sh(f"kill -KILL {old}")
    host.wait_for_restart(name, old)
    assert host.pid(other) == kept
    for socket in SOCKETS:
        assert host.show(socket, "ActiveEnterTimestampMonotonic") == since[socket]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_hung_daemon_is_killed_by_the_watchdog(host: Machine, name: str) -> None:
    unit = read_unit(f"{name}.container")
    old = host.pid(name)
    started = time.monotonic()
    host.sh(f"kill -STOP {old}")
    host.wait_for_restart(name, old)
    took = time.monotonic() - started
    print(f"{name}: served again {took:.1f} s after it hung")
    limit = seconds(unit.value("Service", "WatchdogSec"))
    # Not StopTimeout= on top: a hung container is not asked to end.
    assert took < limit + 0.8 * seconds(unit.value("Container", "StopTimeout"))
    journal = host.sh(f"journalctl --boot --unit={name}.service --output=cat --lines=200")
    assert "Watchdog timeout" in journal


def test_the_target_stops_and_starts_everything(host: Machine) -> None:
    units = [*SOCKETS, *(f"{name}.service" for name in CONTAINERS), "vdsm-lldpd.service"]
    host.sh("systemctl stop vdsm.target")
    for unit in units:
        host.wait(f"[ $(systemctl is-active {unit}) = inactive ]")
    # sanlock goes on, where it can run.
    names = host.sh("podman ps --all --format '{{.Names}}'").split()
    assert set(names) <= set(LEASES)
    assert host.sh("ss -Hltn 'sport = :54321'").strip() == ""
    host.sh("systemctl start vdsm.target")
    host.wait(active(*units))


# Stands in for vdsm.target, without what takes seconds: the containers. In which order systemd
# works on units that have none differs from one daemon-reload to the next.
RESTARTS = """
    cd /run/systemd/system
    printf '[Unit]\\nWants=vdsm.socket supervdsm.socket\\nStartLimitIntervalSec=0\\n' >again.target
    for one in vdsm supervdsm; do
        mkdir -p $one.socket.d
        printf '[Unit]\\nPartOf=again.target\\n' >$one.socket.d/target.conf
    done
    for round in $(seq 60); do
        if [ $((round % 4)) = 1 ]; then systemctl daemon-reload; fi
        systemctl restart again.target
        [ "$(ss -Hltn sport = :54321)" ] || echo "round $round: no port"
        [ "$(ss -Hlx src /run/vdsm/svdsm.sock)" ] || echo "round $round: no svdsm.sock"
    done
"""
NO_RESTARTS = """
    cd /run/systemd/system
    rm -rf again.target vdsm.socket.d/target.conf supervdsm.socket.d/target.conf
    systemctl daemon-reload
    systemctl start vdsm.target
"""


def test_both_sockets_are_back_after_each_restart_of_their_target(host: Machine) -> None:
    host.sh("systemctl stop vdsm.target vdsm.service supervdsm.service")
    try:
        assert host.sh(RESTARTS) == ""
    finally:
        host.sh(NO_RESTARTS)
    assert host.client("Host", "echo", "message=back") == "back"


def test_the_target_is_started_at_boot(host: Machine) -> None:
    assert host.sh("systemctl is-enabled vdsm.target").strip() == "enabled"


def test_installing_again_changes_nothing(host: Machine) -> None:
    before = [host.pid(name) for name in CONTAINERS]
    host.sh("/opt/vdsm-pair/containers/install")
    assert [host.pid(name) for name in CONTAINERS] == before
