# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks around a real change, and in the mount namespace of the host's first process."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.kernel_dump import difference
from faults.network_host import Host, network_host
from supervdsm.network.transaction.hooks import NSENTER, Hooks, Request
from vdsm_contract.errors import HookFailed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")


@pytest.fixture
def host() -> Iterator[Host]:
    with network_host() as made:
        made.start()
        yield made


def hook(directory: Path, point: str, script: str) -> None:
    file = directory / point / "50_hook"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_a_hook_changes_the_request_and_another_sees_the_network(host: Host) -> None:
    log = host.directory / "seen"
    hook(host.directory / "hooks", "before_network_setup", "sed -i s/nic0/nic1/ $_hook_json")
    hook(host.directory / "hooks", "after_network_setup", f"ip -o link show dev net > {log}")
    host.setup({"net": {"nic": "nic0"}})
    assert host.dump()["links"]["nic1"]["master"] == "net"
    assert " net: " in log.read_text()


def test_a_hook_that_fails_leaves_the_kernel_as_it_is(host: Host) -> None:
    log = host.directory / "seen"
    hook(host.directory / "hooks", "before_network_setup", "echo no >&2; exit 1")
    hook(host.directory / "hooks", "after_network_setup_fail", f"cat $_hook_json > {log}")
    before = host.dump()
    with pytest.raises(HookFailed) as caught:
        host.setup({"net": {"nic": "nic0"}})
    assert (caught.value.api_code(), caught.value.stderr) == (78, "no")
    assert difference(before, host.dump()) == []
    assert json.loads(log.read_text())["request"]["networks"] == {"net": {"nic": "nic0"}}


def test_a_hook_runs_in_the_host_s_mount_namespace(tmp_path: Path) -> None:
    # The host's first process is not ours to enter: another one with a namespace stands for it.
    first = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", "echo ready; exec sleep 1000"], stdout=subprocess.PIPE
    )
    try:
        assert first.stdout is not None
        first.stdout.readline()
        theirs = Path(f"/proc/{first.pid}/ns/mnt").readlink()
        assert theirs != Path("/proc/self/ns/mnt").readlink()
        seen = tmp_path / "seen"
        hook(tmp_path / "hooks", "after_network_setup", f"readlink /proc/self/ns/mnt > {seen}")
        hooks = Hooks(
            tmp_path / "hooks",
            root=Path(f"/proc/{first.pid}/root"),
            run_dir=tmp_path,
            enter=tuple(str(first.pid) if word == "1" else word for word in NSENTER),
        )
        hooks.after(Request({}, {}, {}), failed=False)
        assert seen.read_text().strip() == str(theirs)
    finally:
        first.kill()
        first.communicate()
