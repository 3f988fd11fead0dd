# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Part of containers/install and install-vendor: oVirt's users, below "root".

# Group kvm must be number 36, on shared storage too. Debian gives it any free number.
check_kvm_group() {
    owner=$(awk -F: '$3 == 36 { print $1 }' "$root/etc/group")
    if [ -n "$owner" ] && [ "$owner" != kvm ]; then
        fail "gid 36 belongs to group $owner; oVirt needs it for kvm: give $owner another one"
    fi
}

# By its name the file is found below /etc or /usr/lib of that root.
make_users() {
    gid=$(awk -F: '$1 == "kvm" { print $3 }' "$root/etc/group")
    if [ -n "$gid" ] && [ "$gid" != 36 ]; then
        say "changing group kvm from $gid to 36, as everywhere in oVirt"
        if [ -n "$root" ]; then
            # groupmod --prefix would ask the accounts of this host whether the number is free.
            sed -i "s/^\(kvm:[^:]*\):$gid:/\1:36:/" "$root/etc/group"
        else
            groupmod --gid 36 kvm
            if [ -e /dev/kvm ]; then chgrp 36 /dev/kvm; fi
        fi
    fi
    systemd-sysusers ${root:+--root="$root"} vdsm.conf
}
