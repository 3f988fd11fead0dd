# SPDX-License-Identifier: GPL-2.0-or-later
"""A supervdsm with one more room, whose verbs fail on purpose: for the tests of the crash flows.

Used by the process ring as `python -m faults.daemon`, and by the host ring inside the real
container, with this folder mounted into it. It is in no image.
"""
