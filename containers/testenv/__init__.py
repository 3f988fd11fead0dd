# SPDX-License-Identifier: GPL-2.0-or-later
"""Disposable machines for trying and testing the pair: containers/testhost and containers/testvm.

Standard library only: this runs before any virtual environment exists. Nothing here touches the
root network namespace, the mount table or the services of the machine that it runs on.
"""
