# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures of manifests, by minisign(1)."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import hostfile
from vdsm_tool.upgrade.paths import PUBLIC_KEY

MOST: Final = 4096
"""Bytes that a signature may have."""

_TIMEOUT: Final = 30
"""Seconds for a check: it is a matter of milliseconds."""


def public_key(host: Host) -> Path | None:
    """Return where the host's public key is from here; None when it has none.

    Raises ToolError when there is one that leads nowhere: that must not turn the check off.
    """
    if not os.path.lexists(host.path(PUBLIC_KEY)):
        return None
    return hostfile.existing(PUBLIC_KEY, host)


def check(content: bytes, signature: bytes | None, key: Path) -> str:
    """Check that `signature` is that of `content` by `key`; return its trusted comment.

    Raises ToolError.
    """
    if signature is None:
        raise ToolError(
            f"it is not signed, and this host wants a signature ({PUBLIC_KEY})",
            "Sign it (`vdsm-tool archive create … --sign KEY`), or take one that is signed.",
        )
    with tempfile.TemporaryDirectory(prefix="vdsm-signature-") as directory:
        signed, beside = Path(directory, "signed"), Path(directory, "signature")
        signed.write_bytes(content)
        beside.write_bytes(signature)
        words = ("-V", "-Q", "-p", str(key), "-x", str(beside), "-m", str(signed))
        done = _minisign(words, timeout=_TIMEOUT, asks=False)
    if done.returncode != 0:
        raise ToolError(
            f"its signature is wrong: {_reason(done)}",
            f"It was changed, or signed by another key than {PUBLIC_KEY}. Do not use it.",
        )
    return done.stdout.strip()


def sign(content: bytes, key: Path, comment: str) -> bytes:
    """Return the signature of `content` by the secret key in the file `key`.

    minisign asks for the password of the key, if it has one, on standard input.
    Raises ToolError.
    """
    with tempfile.TemporaryDirectory(prefix="vdsm-signature-") as directory:
        signed, beside = Path(directory, "signed"), Path(directory, "signature")
        signed.write_bytes(content)
        words = ("-S", "-s", str(key), "-x", str(beside), "-m", str(signed), "-t", comment)
        done = _minisign(words, timeout=None, asks=True)
        if done.returncode != 0:
            raise ToolError(
                f"{key} did not sign it: {_reason(done)}", "Make a key by `minisign -G`."
            )
        return beside.read_bytes()


def _minisign(
    words: Sequence[str], *, timeout: float | None, asks: bool
) -> "subprocess.CompletedProcess[str]":
    """Run minisign; when it `asks` (for a password), a person sees the question."""
    try:
        return subprocess.run(
            ("minisign", *words),
            stdin=None if asks else subprocess.DEVNULL,
            stdout=sys.stderr if asks else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise ToolError("There is no minisign here", "Install Debian's package minisign.") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"minisign did not end within {timeout:g} s") from None


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    lines = (done.stderr or done.stdout or "").strip().splitlines()
    return lines[-1] if lines else f"minisign ended with {done.returncode}"
