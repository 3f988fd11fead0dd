# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.conf: libvirt's grammar, and no way to guess its secrets."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.host import qemu_conf
from vdsm_contract.errors import InvalidArgument

CONF = """\
# Master configuration file
#vnc_tls = 0
  vnc_tls = 1   # with a comment
vnc_listen="0.0.0.0"
vnc_sasl_dir = '/etc/sasl2 # not a comment'
vnc_tls = 0
negative=-7
empty = ""
cgroup_controllers = [ "cpu", # first
    'devices',

    "memory", ]
none = []
banner = \"\"\"two
"lines" \"\"\"
last = "no newline"\
"""


def host_with(root: Path, text: str) -> Path:
    (root / "etc/libvirt").mkdir(parents=True)
    (root / "etc/libvirt/qemu.conf").write_text(text)
    return root


def test_the_whole_grammar() -> None:
    assert qemu_conf.parse(CONF) == {
        "vnc_tls": ("1",),
        "vnc_listen": ("0.0.0.0",),
        "vnc_sasl_dir": ("/etc/sasl2 # not a comment",),
        "negative": ("-7",),
        "empty": ("",),
        "cgroup_controllers": ("cpu", "devices", "memory"),
        "none": (),
        "banner": ('two\n"lines" ',),
        "last": ("no newline",),
    }


@pytest.mark.parametrize(
    ("key", "value", "contains"),
    [
        ("vnc_tls", "1", True),
        ("vnc_tls", "0", False),
        ("vnc_listen", "0.0.0.0", True),
        ("vnc_listen", '"0.0.0.0"', False),
        ("cgroup_controllers", "devices", True),
        ("cgroup_controllers", "blkio", False),
        ("none", "", False),
        ("empty", "", True),
        ("vnc_sasl", "1", False),
    ],
)
def test_contains(tmp_path: Path, key: str, value: str, contains: bool) -> None:
    assert qemu_conf.contains(host_with(tmp_path, CONF), key, value) is contains


def test_without_libvirt_nothing_is_contained(tmp_path: Path) -> None:
    assert qemu_conf.contains(tmp_path, "vnc_tls", "1") is False


def test_a_fifo_in_its_place_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "etc/libvirt").mkdir(parents=True)
    os.mkfifo(tmp_path / "etc/libvirt/qemu.conf")
    assert qemu_conf.contains(tmp_path, "vnc_tls", "1") is False
    assert "not a regular file" in caplog.text


def test_an_absolute_link_is_the_hosts_own(tmp_path: Path) -> None:
    root = host_with(tmp_path, "vnc_tls = 1\n")
    (root / "etc/libvirt/qemu.conf").rename(root / "etc/real.conf")
    (root / "etc/libvirt/qemu.conf").symlink_to("/etc/real.conf")
    assert qemu_conf.contains(root, "vnc_tls", "1") is True


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("vnc_tls 1\n", 1),
        ("a = 1\nvnc_tls = \n", 2),
        ("a = 1\n\nb = 'open\n", 3),
        ("a = 1 2\n", 1),
        ("a = [1, 2\n", 2),
        ("a = [1 2]\n", 1),
        ("a = yes\n", 1),
    ],
)
def test_a_file_that_libvirt_would_refuse_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int
) -> None:
    with caplog.at_level(logging.WARNING):
        assert qemu_conf.contains(host_with(tmp_path, text), "a", "1") is False
    assert f"line {line}:" in caplog.text


@pytest.mark.parametrize("key", ["", "a b", "a=", "a\n", "é", "x" * 65, "1a"])
def test_a_strange_key_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidArgument, match="key"):
        qemu_conf.contains(tmp_path, key, "1")


@pytest.mark.parametrize("key", ["vnc_password", "spice_password", "vnc_tls_x509_secret_uuid"])
def test_a_secret_cannot_be_guessed(tmp_path: Path, key: str) -> None:
    root = host_with(tmp_path, f'{key} = "hunter2"\n')
    with pytest.raises(InvalidArgument, match="secret"):
        qemu_conf.contains(root, key, "hunter2")


def test_a_huge_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="value"):
        qemu_conf.contains(tmp_path, "vnc_tls", "1" * 1025)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        settings = qemu_conf.parse(text)
    except qemu_conf.SyntaxFault:
        return
    assert all(key in text for key in settings)


KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters='"\n'))
SPACE = st.sampled_from(["", " ", "\t", "  "])


@given(st.dictionaries(KEYS, STRINGS | st.lists(STRINGS) | st.integers()), SPACE)
def test_what_is_written_is_read(settings: dict[str, str | list[str] | int], space: str) -> None:
    lines = []
    expected: dict[str, tuple[str, ...]] = {}
    for key, value in settings.items():
        if isinstance(value, int):
            text, expected[key] = str(value), (str(value),)
        elif isinstance(value, str):
            text, expected[key] = f'"{value}"', (value,)
        else:
            items = (",\n" + space).join(f'"{item}"' for item in value)
            text, expected[key] = f"[{space}{items}{space}]", tuple(value)
        lines.append(f"{space}{key}{space}={space}{text}{space}# comment\n")
    assert qemu_conf.parse("".join(lines)) == expected
