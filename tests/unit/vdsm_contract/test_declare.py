# SPDX-License-Identifier: GPL-2.0-or-later
"""Declarations: names, parameters, and what must fail when it is declared."""

import msgspec
import pytest

from vdsm_contract.declare import Interface, LockMode, camel, exclusive, per_path, verb
from vdsm_contract.errors import BY_NAME, VerbError
from vdsm_contract.interfaces import ALL, Storage


def test_names_are_ovirt_s_in_varlink_spelling() -> None:
    mount = Storage.VERBS["mount"]
    assert mount.method == "org.ovirt.supervdsm.storage.Mount"
    names = [field.encode_name for field in msgspec.structs.fields(mount.parameters)]
    assert names == ["fsSpec", "fsFile", "mntOpts", "vfsType", "flowId"]


def test_every_verb_promises_a_limit_and_says_what_it_touches() -> None:
    for interface in ALL:
        for declared in interface.VERBS.values():
            assert 0 < declared.promise.limit <= 900, declared.method
            assert declared.promise.touches, declared.method
            assert declared.doc, declared.method


def test_a_verb_of_many_minutes_lets_no_second_call_wait_behind_it() -> None:
    for interface in ALL:
        for declared in interface.VERBS.values():
            refuses = declared.promise.lock.mode is LockMode.REFUSE
            assert declared.promise.limit <= 180 or refuses, declared.method


def test_every_declared_error_belongs_to_the_closed_set() -> None:
    for interface in ALL:
        for declared in interface.VERBS.values():
            for error in declared.promise.errors:
                assert BY_NAME[error.name] is error


def test_error_names_are_unique_and_of_our_interfaces() -> None:
    interfaces = {interface.INTERFACE for interface in ALL}
    for name, error in BY_NAME.items():
        assert name.rpartition(".")[0] in interfaces
        assert name.rpartition(".")[2] == error.__name__
        assert issubclass(error, VerbError)


def test_a_secret_must_name_an_argument() -> None:
    with pytest.raises(TypeError, match="secret"):

        class Wrong(Interface, name="org.test.wrong"):
            @verb(limit=1, secret=("passwrd",), touches="nothing")
            def login(self, password: str) -> None: ...


def test_camel() -> None:
    assert [camel(name) for name in ("fs_file", "count", "a_b_c")] == ["fsFile", "count", "aBC"]


def test_locks_print_as_one_reads_them() -> None:
    assert str(exclusive("network")) == "network"
    assert str(per_path("fs_file")) == "path[fs_file]"
