# SPDX-License-Identifier: GPL-2.0-or-later
"""Mount propagation, the port, the certificates: as the kernel's files tell them."""

from pathlib import Path

import pytest

from vdsm_tool.finding import Level
from vdsm_tool.fitness import places
from vdsm_tool.host import Host

LISTENING = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid  inode\n"
    "   0: 00000000000000000000000000000000:D431 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
)


def test_a_shared_root_is_well(host: Host) -> None:
    assert places.propagation(host).level is Level.OK


def test_a_private_root_is_a_failure(host: Host) -> None:
    mounts = host.proc / "1/mountinfo"
    mounts.write_text(mounts.read_text().replace("shared:1 ", ""))
    finding = places.propagation(host)
    assert finding.level is Level.FAIL
    assert "make-rshared /" in finding.way_out


def test_the_nearest_mount_counts(host: Host) -> None:
    with (host.proc / "1/mountinfo").open("a") as mounts:
        mounts.write("40 22 254:1 / /rhev rw - ext4 /dev/vdb rw\n")
    finding = places.propagation(host)
    assert finding.level is Level.FAIL
    assert "/rhev is private" in finding.detail


def hold_port(host: Host, pid: str, comm: str) -> None:
    (host.proc / "1/net").mkdir(parents=True, exist_ok=True)
    (host.proc / "1/net/tcp6").write_text(LISTENING)
    process = host.proc / pid
    (process / "fd").mkdir(parents=True, exist_ok=True)
    (process / "comm").write_text(f"{comm}\n")
    (process / "fd/3").symlink_to("socket:[4711]")


def test_a_free_port_is_well(host: Host) -> None:
    assert places.port(host).detail == "free"


def test_a_port_that_systemd_holds_is_well(host: Host) -> None:
    hold_port(host, "1", "systemd")
    assert places.port(host).level is Level.OK


def test_a_port_of_another_program_is_a_failure(host: Host) -> None:
    hold_port(host, "4242", "qemu")
    finding = places.port(host)
    assert finding.level is Level.FAIL
    assert "qemu (pid 4242)" in finding.detail


def test_a_port_of_nobody_to_be_seen_is_unknown(host: Host) -> None:
    hold_port(host, "4242", "qemu")
    (host.proc / "4242/fd/3").unlink()
    assert places.port(host).level is Level.UNKNOWN


def test_no_certificates_yet_is_a_warning(host: Host, tmp_path: Path) -> None:
    assert places.certificates(host, tmp_path / "pki").level is Level.WARN


def test_half_of_the_certificates_is_a_failure(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "pki/certs/cacert.pem"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert places.certificates(host, tmp_path / "pki").level is Level.FAIL


@pytest.mark.parametrize(("state", "level"), [(0, Level.OK), (5, Level.WARN), (-1, Level.UNKNOWN)])
def test_the_clock(host: Host, monkeypatch: pytest.MonkeyPatch, state: int, level: Level) -> None:
    class Libc:
        def adjtimex(self, _buffer: object) -> int:
            return state

    monkeypatch.setattr("ctypes.CDLL", lambda *_args, **_options: Libc())
    assert places.clock(host).level is level
