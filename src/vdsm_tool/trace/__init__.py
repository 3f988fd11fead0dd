# SPDX-License-Identifier: GPL-2.0-or-later
"""One flow, from the client's request to what the kernel was asked for, out of both journals."""
