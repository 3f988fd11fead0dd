# SPDX-License-Identifier: GPL-2.0-or-later
"""supervdsms that fail on purpose, for the tests of what holds when one does.

`python -m faults.daemon` has one more room, whose verbs fail: for the process ring, and for the
host ring inside the real container, with this folder mounted into it. `python -m faults.network`
dies at any step of a network change: `network_host` starts it in a namespace, `sweep` takes all
steps. It is in no image.
"""
