# SPDX-License-Identifier: GPL-2.0-or-later
"""resolv.conf in a tree that stands for the host's."""

import os
import stat
from pathlib import Path

import pytest

from supervdsm.network.apply import resolv_conf

STUB = "/run/systemd/resolve/stub-resolv.conf"
KEPT = "etc/resolv.conf.before-ovirt"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Make a host's tree."""
    root = tmp_path / "host"
    for directory in ("etc", "run/systemd/resolve", "srv"):
        (root / directory).mkdir(parents=True)
    return root


def nameservers_and_more(host: Path) -> list[str]:
    """Return the lines of the host's file that are no comments."""
    lines = (host / "etc/resolv.conf").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def files(host: Path) -> set[str]:
    return {path.name for path in (host / "etc").iterdir()}


def stub(host: Path, servers: str = "nameserver 127.0.0.53\n") -> None:
    """Have the host's systemd-resolved write its file."""
    text = f"# managed by systemd-resolved\n{servers}options edns0 trust-ad\nsearch example.org\n"
    (host / STUB.lstrip("/")).write_text(text)
    (host / "etc/resolv.conf").symlink_to(STUB)


def test_all_but_the_name_servers_stays(host: Path) -> None:
    old = "# mine\nsearch example.org\nnameserver 192.0.2.1\noptions rotate\nnameserver 192.0.2.2\n"
    (host / "etc/resolv.conf").write_text(old)
    resolv_conf.write(host, ["2001:db8::1", "192.0.2.3"])
    assert (host / "etc/resolv.conf").read_text().splitlines() == [
        "# mine",
        "search example.org",
        "options rotate",
        "nameserver 2001:db8::1",
        "nameserver 192.0.2.3",
    ]
    assert files(host) == {"resolv.conf"}


def test_without_any_the_lines_go(host: Path) -> None:
    (host / "etc/resolv.conf").write_text("nameserver 192.0.2.1\nsearch example.org\n")
    resolv_conf.write(host, [])
    assert nameservers_and_more(host) == ["search example.org"]


def test_a_missing_file_is_made_for_all_to_read(host: Path) -> None:
    old = os.umask(0o077)
    try:
        resolv_conf.write(host, ["192.0.2.1"])
    finally:
        os.umask(old)
    assert nameservers_and_more(host) == ["nameserver 192.0.2.1"]
    assert stat.S_IMODE((host / "etc/resolv.conf").stat().st_mode) == 0o644


def test_the_file_keeps_its_mode(host: Path) -> None:
    (host / "etc/resolv.conf").touch(0o600)
    resolv_conf.write(host, ["192.0.2.1"])
    assert stat.S_IMODE((host / "etc/resolv.conf").stat().st_mode) == 0o600


def test_the_file_is_another_one_so_that_no_reader_finds_half_of_it(host: Path) -> None:
    path = host / "etc/resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    with path.open() as reader:
        resolv_conf.write(host, ["192.0.2.2"])
        assert reader.read() == "nameserver 192.0.2.1\n"


def test_what_a_killed_one_left_beside_is_no_hindrance(host: Path) -> None:
    (host / "etc/.resolv.conf.ovirt-new").symlink_to("/etc/passwd")
    resolv_conf.write(host, ["192.0.2.1"])
    assert files(host) == {"resolv.conf"}


def test_a_link_to_a_file_of_the_administrator_s_leads_there_as_before(host: Path) -> None:
    (host / "srv/resolv.conf").write_text("search example.org\nnameserver 192.0.2.1\n")
    (host / "etc/resolv.conf").symlink_to("/srv/resolv.conf")
    resolv_conf.write(host, ["192.0.2.2"])
    assert (host / "etc/resolv.conf").readlink() == Path("/srv/resolv.conf")
    assert (host / "srv/resolv.conf").read_text() == "search example.org\nnameserver 192.0.2.2\n"


def test_a_daemon_s_link_is_replaced_and_kept_and_the_file_says_so(host: Path) -> None:
    stub(host)
    resolv_conf.write(host, ["192.0.2.1"])
    assert not (host / "etc/resolv.conf").is_symlink()
    assert nameservers_and_more(host) == [
        "options edns0",
        "search example.org",
        "nameserver 192.0.2.1",
    ]
    text = (host / "etc/resolv.conf").read_text()
    assert STUB in text
    assert "/etc/resolv.conf.before-ovirt" in text
    assert (host / KEPT).readlink() == Path(STUB)
    assert "127.0.0.53" in (host / STUB.lstrip("/")).read_text()


def test_the_daemon_s_link_comes_back_with_its_servers(host: Path) -> None:
    stub(host)
    resolv_conf.write(host, ["192.0.2.1"])
    resolv_conf.write(host, ["192.0.2.2"])
    resolv_conf.write(host, ["127.0.0.53"])
    assert (host / "etc/resolv.conf").readlink() == Path(STUB)
    assert files(host) == {"resolv.conf"}


def test_a_kept_link_that_leads_elsewhere_by_now_stays_kept(host: Path) -> None:
    stub(host)
    resolv_conf.write(host, ["192.0.2.1"])
    (host / STUB.lstrip("/")).unlink()
    resolv_conf.write(host, ["127.0.0.53"])
    assert nameservers_and_more(host)[-1] == "nameserver 127.0.0.53"
    assert (host / KEPT).is_symlink()


def test_a_kept_link_does_not_replace_a_file_of_the_administrator_s(host: Path) -> None:
    stub(host)
    resolv_conf.write(host, ["192.0.2.1"])
    (host / "etc/resolv.conf").write_text("# mine\n")
    resolv_conf.write(host, ["127.0.0.53"])
    assert (host / "etc/resolv.conf").read_text() == "# mine\nnameserver 127.0.0.53\n"


@pytest.mark.parametrize("target", ["/nowhere", "../run", "resolv.conf", "/../../outside"])
def test_a_link_to_no_plain_file_is_replaced(host: Path, target: str) -> None:
    (host.parent / "outside.d").mkdir()
    (host / "etc/resolv.conf").symlink_to(target)
    resolv_conf.write(host, ["192.0.2.1"])
    assert nameservers_and_more(host) == ["nameserver 192.0.2.1"]
    assert not (host.parent / "outside").exists()


def test_a_link_does_not_lead_out_of_the_host_s_tree(host: Path) -> None:
    outside = host.parent / "outside"
    outside.write_text("nameserver 192.0.2.1\n")
    (host / "etc/resolv.conf").symlink_to(outside)
    resolv_conf.write(host, ["192.0.2.2"])
    assert outside.read_text() == "nameserver 192.0.2.1\n"
    assert nameservers_and_more(host) == ["nameserver 192.0.2.2"]
