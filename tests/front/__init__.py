# SPDX-License-Identifier: GPL-2.0-or-later
"""Help for the tests of vdsm's network front: a daemon with verbs that can be steered, its manager,
a certificate authority, and a client that may say anything."""
