# SPDX-License-Identifier: GPL-2.0-or-later
"""What sanlock prints of leases, and which parts of which files it may be asked for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from supervdsm.storage import sanlock_direct
from vdsm_contract.errors import InvalidArgument, SanlockDumpFailed
from vdsm_contract.types import SanlockLease

MIB = 1 << 20
DOMAIN = "11111111-1111-4111-8111-111111111111"
HEAD = f"{'offset':>8} {'lockspace':>36} {'resource':>48} {'timestamp':>10}  own  gen lver\n"


def line(lease: SanlockLease) -> str:
    """sanlock's own format."""
    numbers = f"{lease.timestamp:010} {lease.own:04} {lease.gen:04}"
    tail = "" if lease.lver is UNSET else f" {lease.lver}"
    return f"{lease.offset:08} {lease.lockspace:>36} {lease.resource:>48} {numbers}{tail}\n"


names = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=48).map(str.strip)
counts = st.integers(0, 2**64 - 1)
leases = st.builds(
    SanlockLease,
    offset=counts,
    lockspace=names,
    resource=names,
    timestamp=counts,
    own=counts,
    gen=counts,
    lver=st.one_of(counts, st.just(UNSET)),
)


@given(st.lists(leases, max_size=5))
def test_what_sanlock_prints_is_read(found: list[SanlockLease]) -> None:
    text = HEAD + "".join(map(line, found))
    assert sanlock_direct.parse(text.strip(), "x") == found


@given(leases, st.integers(1, 100))
def test_a_line_that_was_cut_is_refused(lease: SanlockLease, length: int) -> None:
    with pytest.raises(SanlockDumpFailed, match="not understood"):
        sanlock_direct.parse(HEAD + line(lease)[:length], "x")


@given(st.text(st.characters(exclude_categories=["Nd"]), min_size=1).filter(str.splitlines))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SanlockDumpFailed, match="not understood"):
        sanlock_direct.parse(HEAD + text, "x")


def test_the_owners_of_a_shared_lease_are_left_out() -> None:
    lease = SanlockLease(MIB, DOMAIN, "SDM", 0, 0, 0, 3)
    text = HEAD + line(lease) + " " * 106 + "0001 0001 SH\n"
    assert sanlock_direct.parse(text, "x") == [lease]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"offset": -MIB}, "offset"),
        ({"offset": 512}, "offset"),
        ({"offset": 1 << 62}, "offset"),
        ({"size": 0}, "size"),
        ({"size": -1}, "size"),
        ({"size": 1000}, "size"),
        ({"size": 1 << 40}, "size"),
        ({"block_size": 1024}, "blockSize"),
        ({"alignment": 3 * MIB}, "alignment"),
        ({"alignment": 0}, "alignment"),
        ({"path": "/etc/shadow"}, "path"),
        ({"path": "ids"}, "path"),
        ({"path": "/rhev/data-center/../../etc/shadow"}, "path"),
        ({"path": "/rhev/data-center/mnt/x\n"}, "path"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], field: str
) -> None:
    monkeypatch.setattr(sanlock_direct.command, "run", lambda *_, **__: pytest.fail("it ran"))
    arguments = {
        "path": "/rhev/data-center/mnt/x/ids",
        "offset": 0,
        "size": MIB,
        "block_size": 512,
        "alignment": MIB,
    }
    arguments.update(change)
    with pytest.raises(InvalidArgument) as caught:
        sanlock_direct.dump(**arguments, data_center=Path("/rhev/data-center"))  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["a\x1cb", "a\u2028b", "a\x85b", "a\rb"])
def test_a_name_with_what_others_take_for_the_end_of_a_line(name: str) -> None:
    lease = SanlockLease(MIB, DOMAIN, name, 1, 2, 3, 4)
    assert sanlock_direct.parse(HEAD + line(lease), "x") == [lease]


def test_a_number_without_end_is_refused() -> None:
    text = line(SanlockLease(MIB, DOMAIN, "SDM", 1, 2, 3, 4)).replace(" 4\n", " " + "4" * 5000)
    with pytest.raises(SanlockDumpFailed, match="not understood"):
        sanlock_direct.parse(HEAD + text, "x")
