# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools on real mounts, by real worker processes: each test has a mount namespace of its own."""

from process.vdsm.storage.domain.conftest import pytest_pyfunc_call, site

__all__ = ["pytest_pyfunc_call", "site"]
