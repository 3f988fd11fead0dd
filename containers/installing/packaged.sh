# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Part of containers/install: a vdsm that was installed from packages, and taking its place.
# See docs/migration.md.

# Units of those packages that would undo our work, or hold our port.
packaged_units="vdsmd.service supervdsmd.service vdsm-network.service vdsm-network-init.service
    mom-vdsm.service"

# Sets "packaged" to those that are there and could start.
find_packaged() {
    packaged=
    for unit in $packaged_units; do
        case $(systemctl is-enabled "$unit" 2>/dev/null) in
        '' | not-found | masked) ;;
        *) packaged="$packaged $unit" ;;
        esac
    done
    if [ -n "$packaged" ] && [ "$take_over" = no ]; then
        say "vdsm is installed from packages:$packaged"
        fail "stop and mask these units, or let it be done by --take-over; networks, certificates" \
            "and ids are used in either case, see docs/migration.md"
    fi
}

take_over_packaged() {
    fit --ignore "other vdsm" --ignore "port 54321" ||
        fail "this host is not fit; the vdsm from packages runs on. --force goes on in spite of it"
    enabled=
    active=
    for unit in $packaged; do
        if systemctl is-enabled --quiet "$unit" 2>/dev/null; then enabled="$enabled $unit"; fi
        if systemctl is-active --quiet "$unit"; then active="$active $unit"; fi
    done
    say "stopping and masking$packaged"
    # shellcheck disable=SC2086  # names of units
    systemctl disable --quiet --now $packaged || give_back
    # shellcheck disable=SC2086
    systemctl mask --quiet $packaged || give_back
    # Now the port must be free.
    fit || give_back
}

give_back() {
    say "giving this host back to the vdsm from packages"
    # shellcheck disable=SC2086
    {
        systemctl unmask --quiet $packaged
        if [ -n "$enabled" ]; then systemctl enable --quiet $enabled; fi
        if [ -n "$active" ]; then systemctl start $active; fi
    }
    fail "the vdsm from packages was not replaced, see above"
}
