# SPDX-License-Identifier: GPL-2.0-or-later
"""sd_notify and the watchdog's interval."""

import resource
import socket
from pathlib import Path

import pytest

from vdsm_contract import systemd


def test_notify_reaches_the_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert systemd.notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_notify_to_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0vdsm-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@vdsm-test-notify")
        assert systemd.notify("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_no_descriptor_to_notify_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@vdsm-test-notify")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        assert not systemd.notify("WATCHDOG=1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_nobody_to_notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.notify("READY=1")


def test_watchdog_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(systemd.WATCHDOG_ENV, raising=False)
    assert systemd.watchdog_interval() is None
    monkeypatch.setenv(systemd.WATCHDOG_ENV, "1500000")
    assert systemd.watchdog_interval() == 1.5


@pytest.mark.parametrize("text", ["0", "-1", "10s"])
def test_a_wrong_interval_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(systemd.WATCHDOG_ENV, text)
    with pytest.raises(ValueError, match=text):
        systemd.watchdog_interval()


def test_no_sockets_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    assert systemd.listen_fds() == []
