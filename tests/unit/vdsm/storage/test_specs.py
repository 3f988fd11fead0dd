# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of mount points, and what a connection may be."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vdsm.storage import specs
from vdsm.storage.specs import BadConnection


@pytest.mark.parametrize(
    ("connection", "spec", "name"),
    [
        ("server:/export/data", "server:/export/data", "server:_export_data"),
        ("server:/export/data/", "server:/export/data", "server:_export_data"),
        ("server://export//data", "server:/export/data", "server:_export_data"),
        ("server:/my_data", "server:/my_data", "server:_my__data"),
        ("server:/", "server:/", "server:_"),
        ("[2001:db8::1]:/export", "[2001:db8::1]:/export", "[2001:db8::1]:_export"),
        ("server:6789:/ceph/", "server:6789:/ceph", "server:6789:_ceph"),
        ("/data/images/", "/data/images", "_data_images"),
        ("//data", "/data", "_data"),
        ("/dev/loop0", "/dev/loop0", "_dev_loop0"),
    ],
)
def test_ovirts_names(connection: str, spec: str, name: str) -> None:
    assert specs.normalize(connection) == spec
    assert specs.directory_name(spec) == name
    assert specs.mount_point(spec) == Path("/rhev/data-center/mnt") / name


@pytest.mark.parametrize(
    "connection",
    [
        "",
        " ",
        "server:",
        "server:/a\n",
        "server:/a\0b",
        "server:/a\x1b[31m",
        "server:/a/../b",
        "../a",
        "..",
        ".",
        "/a/..",
        "server:..",
        "-o remount",
        " server:/a",
        "server:/\ud800",
        "server:/\u202e",
        "server:/" + "a" * 1000,
        "server:/" + "a" * 300,
    ],
)
def test_a_connection_that_is_refused(connection: str) -> None:
    with pytest.raises(BadConnection):
        specs.directory_name(specs.normalize(connection))


@given(st.text(max_size=1200))
def test_any_text_becomes_a_name_below_the_directory_or_is_refused(connection: str) -> None:
    try:
        spec = specs.normalize(connection)
        place = specs.mount_point(spec)
    except BadConnection:
        return
    assert place.parent == Path("/rhev/data-center/mnt")
    assert os.path.normpath(place) == str(place)
    assert place.name.isprintable()
    assert 0 < len(os.fsencode(place.name)) <= 255
    assert specs.normalize(spec) == spec, "normalizing twice is normalizing once"


@given(st.from_regex(re.compile(r"[a-z0-9_./:-]{1,60}", re.ASCII), fullmatch=True))
def test_plausible_text_too(connection: str) -> None:
    test_any_text_becomes_a_name_below_the_directory_or_is_refused.hypothesis.inner_test(  # type: ignore[attr-defined]
        connection
    )


_component = st.from_regex(re.compile(r"[a-z0-9-]{1,10}", re.ASCII), fullmatch=True)


@given(st.lists(_component, min_size=1, max_size=5), st.lists(_component, min_size=1, max_size=5))
def test_different_paths_without_underscores_have_different_names(
    one: list[str], other: list[str]
) -> None:
    assume(one != other)
    names = {specs.directory_name("server:/" + "/".join(parts)) for parts in (one, other)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("server:/a", True), ("[::1]:/a", True), ("/a", False), ("server:a", False), ("a", False)],
)
def test_what_an_nfs_export_looks_like(spec: str, expected: bool) -> None:
    assert specs.is_export(spec) is expected
