# SPDX-License-Identifier: GPL-2.0-or-later
"""Name servers of the host."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.report import resolver

TEXT = """\
# made by NetworkManager
search example.com lab.example.com
nameserver 192.0.2.53
nameserver\t2001:db8::53 # second
nameserver fe80::1%eth0
;nameserver 198.51.100.1
nameserver not.an.address
nameserver
options edns0
"""


def test_only_nameservers_in_their_order() -> None:
    assert resolver.parse(TEXT) == ["192.0.2.53", "2001:db8::53", "fe80::1%eth0"]


def test_the_hosts_link_is_followed_in_the_host(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "run/systemd/resolve/stub-resolv.conf").write_text("nameserver 127.0.0.53\n")
    (tmp_path / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    assert resolver.nameservers(tmp_path) == ["127.0.0.53"]


def test_a_host_tree_without_resolv_conf_gives_our_own(tmp_path: Path) -> None:
    assert resolver.nameservers(tmp_path) == resolver.nameservers(Path("/"))


@given(st.text())
def test_any_text_is_borne(text: str) -> None:
    assert all(server in text for server in resolver.parse(text))
