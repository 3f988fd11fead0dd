# SPDX-License-Identifier: GPL-2.0-or-later
"""Wishes of DHCP clients: files, and the names of what runs the clients."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.wishes import NOTHING, Wish, Wishes, instance_name

BOTH = Dhcp(ipv4=True, ipv6=True, default_route=True)
WISH = Wish("ovirtmgmt", BOTH)

# What the kernel takes (dev_valid_name): no slash, colon or white space, 15 bytes at most.
device_names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters="/:"),
    min_size=1,
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 15)


@pytest.mark.parametrize("device", ["ovirtmgmt", "bond0.100", "br-int", "dummy_1", "enp3s0f0np0"])
def test_a_usual_name_is_the_instance_s(device: str) -> None:
    assert instance_name(device) == device


@pytest.mark.parametrize(
    ("device", "instance"),
    [("a+b", "a_x2bb"), ("eth0@if3", "eth0_x40if3"), ("a_x2bb", "a_x5fx2bb"), ("ö", "_xc3_xb6")],
)
def test_an_unusual_name_is_escaped(device: str, instance: str) -> None:
    assert instance_name(device) == instance


@given(device_names)
def test_every_instance_can_be_part_of_a_unit_s_a_file_s_and_a_container_s_name(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", instance_name(name))


@given(device_names, device_names)
def test_no_two_devices_share_an_instance(one: str, other: str) -> None:
    assert (instance_name(one) == instance_name(other)) == (one == other)


def test_a_wish_is_read_as_it_was_written(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path / "new")
    wishes.write("ovirtmgmt", WISH)
    assert wishes.read("ovirtmgmt") == WISH
    assert wishes.all() == {"ovirtmgmt": WISH}
    assert wishes.exists("ovirtmgmt")


def test_a_client_that_leaves_has_no_wish_and_is_not_forgotten(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    wishes.write("ovirtmgmt", WISH)
    wishes.leave("ovirtmgmt")
    assert not wishes.exists("ovirtmgmt")
    assert wishes.all() == {"ovirtmgmt": Wish("ovirtmgmt", NOTHING)}
    wishes.leave("ovirtmgmt")
    wishes.forget("ovirtmgmt")
    assert wishes.all() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_new_wish_calls_a_leaving_client_back(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    wishes.write("ovirtmgmt", Wish("ovirtmgmt", NOTHING))
    wishes.leave("ovirtmgmt")
    wishes.write("ovirtmgmt", WISH)
    assert wishes.all() == {"ovirtmgmt": WISH}


def test_no_directory_is_no_wishes(tmp_path: Path) -> None:
    assert Wishes(tmp_path / "gone").all() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"device": "x"}', '{"device": 1, "dhcp": {}}'])
def test_a_file_that_is_none_of_ours_is_no_wish(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    wishes = Wishes(tmp_path)
    wishes.write("good", WISH)
    (tmp_path / "bad.json").write_text(text)
    assert wishes.all() == {"good": WISH}
    assert "bad.json" in caplog.text
    with pytest.raises(ValueError, match=r".+"):
        wishes.read("bad")
