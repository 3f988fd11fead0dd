# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes onto a host beside the units: users, directories, the seccomp profile, commands."""

import json
import runpy
from pathlib import Path

import pytest

from unitfiles import PROJECT, QUADLET
from vdsm_contract import paths

PROFILE = json.loads((PROJECT / "containers/seccomp/vdsm.json").read_text())

FORBIDDEN = {
    "add_key", "bpf", "chroot", "clone3", "delete_module", "finit_module", "fsmount",
    "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_file_load",
    "kexec_load", "keyctl", "mknod", "mknodat", "mount", "move_mount", "open_by_handle_at",
    "open_tree", "perf_event_open", "pivot_root", "process_vm_readv", "process_vm_writev",
    "ptrace", "reboot", "request_key", "setns", "umount2", "unshare", "userfaultfd",
}  # fmt: skip


def sysusers(*files: Path) -> dict[tuple[str, str], str]:
    """Return (type, name) to id."""
    found = {}
    for file in files:
        for line in file.read_text().splitlines():
            match line.split():
                case ["g" | "u" as kind, name, number, *_]:
                    found[kind, name] = number
    return found


def test_users_have_the_numbers_of_the_contract() -> None:
    host = sysusers(QUADLET / "sysusers.d/vdsm.conf")
    assert host == {
        ("g", "kvm"): str(paths.KVM_GID),
        ("u", "vdsm"): f"{paths.VDSM_UID}:{paths.KVM_GID}",
    }
    image = sysusers(PROJECT / "containers/base/storage-users.conf")
    assert image["u", "qemu"].split(":")[0] == str(paths.QEMU_UID)
    assert image["g", "sanlock"] == str(paths.SANLOCK_UID)


def test_vdsm_owns_no_directory_that_holds_what_is_root_s() -> None:
    owners = {}
    for line in (QUADLET / "tmpfiles.d/vdsm.conf").read_text().splitlines():
        if line.startswith("d "):
            _, path, _, user, _, _ = line.split()
            owners[Path(path)] = user
    for path, user in owners.items():
        if user == "root":
            assert owners.get(path.parent, "root") == "root"
    assert owners[paths.RUN_DIR] == "root"
    assert owners[paths.STATE_DIR] == "root"
    for name in ("staging", "persistence", "supervdsm"):
        assert owners[paths.STATE_DIR / name] == "root"
    assert owners[paths.MOUNT_DIR] == str(paths.VDSM_UID)


def actions(name: str) -> list[str]:
    return [rule["action"] for rule in PROFILE["syscalls"] if name in rule["names"]]


def test_the_profile_is_an_allow_list() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_the_profile_forbids(name: str) -> None:
    assert actions(name) == ["SCMP_ACT_ERRNO"]


def test_no_call_is_named_twice_without_a_condition() -> None:
    names = [name for rule in PROFILE["syscalls"] if "args" not in rule for name in rule["names"]]
    assert sorted(names) == sorted(set(names))
    conditional = {name for rule in PROFILE["syscalls"] if "args" in rule for name in rule["names"]}
    assert conditional == {"clone", "socket"}
    assert conditional.isdisjoint(names)


def test_everything_in_quadlet_is_installed_from_where_it_is() -> None:
    sources, targets = [], []
    for line in (PROJECT / "containers/install-files").read_text().splitlines():
        if line and not line.startswith("#"):
            mode, source, target = line.split()
            assert (PROJECT / source).is_file()
            assert bool(int(mode, 8) & 0o111) == bool((PROJECT / source).stat().st_mode & 0o111)
            sources.append(source)
            targets.append(target)
    units = {str(path.relative_to(PROJECT)) for path in QUADLET.rglob("*") if path.is_file()}
    assert units <= set(sources)
    assert len(set(targets)) == len(targets)
    profile = targets[sources.index("containers/seccomp/vdsm.json")]
    assert f"SeccompProfile={profile}\n" in (QUADLET / "vdsm.container").read_text()


@pytest.fixture
def accounts(tmp_path: Path) -> dict[str, object]:
    """The script add-users, on account files of its own."""
    script = runpy.run_path(str(PROJECT / "containers/base/add-users"))
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "group").write_text("root:x:0:\n")
    main = script["main"]
    main.__globals__["PASSWD"] = tmp_path / "passwd"
    main.__globals__["GROUP"] = tmp_path / "group"
    return script


def test_the_images_make_the_same_users(accounts: dict[str, object], tmp_path: Path) -> None:
    main = accounts["main"]
    assert callable(main)
    main(
        [str(QUADLET / "sysusers.d/vdsm.conf"), str(PROJECT / "containers/base/storage-users.conf")]
    )
    users = (tmp_path / "passwd").read_text().splitlines()
    assert users[1] == ("vdsm:x:36:36:Node Virtualization Manager:/var/lib/vdsm:/usr/sbin/nologin")
    assert "kvm:x:36:qemu,sanlock" in (tmp_path / "group").read_text().splitlines()


def test_a_taken_number_stops_the_build(accounts: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "group").write_text("other:x:36:\n")
    main = accounts["main"]
    assert callable(main)
    with pytest.raises(SystemExit, match="kvm 36 is taken by other 36"):
        main([str(QUADLET / "sysusers.d/vdsm.conf")])
