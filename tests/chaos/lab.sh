#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run at each boot of the test host, before the pair: file systems that can be filled, NICs that are
# nobody else's, and a DHCP server with leases so short that they are renewed each minute.
set -eu

# Loop devices are nodes of this host's own; the kernel's next free one may lack a node.
mounted() { mountpoint -q "$2" || mount -o loop "$1" "$2"; }
mounted /srv/chaos-state.img /var/lib/vdsm
mkdir -p /srv/chaos-domain
mounted /srv/chaos-domain.img /srv/chaos-domain

number=0
for nic in $(cat /opt/chaos/nics); do
    hex=$(printf %02x "$number")
    ip link add "$nic" address "02:00:00:00:c0:$hex" type veth \
        peer name "far$number" address "02:00:00:00:c1:$hex"
    ip link set "far$number" up
    ip link set "$nic" up
    number=$((number + 1))
done

ip netns add dhcp-server
ip link add veth_dhcp address 02:00:00:00:d0:00 type veth \
    peer name far address 02:00:00:00:d1:00 netns dhcp-server
ip link set veth_dhcp up
ip -n dhcp-server link set lo up
ip -n dhcp-server link set far up
ip -n dhcp-server address add 198.51.100.1/24 dev far
ip netns exec dhcp-server dnsmasq --port=0 --no-resolv --no-ping --user=root --bind-interfaces \
    --interface=far --dhcp-authoritative --pid-file=/run/dhcp-server.pid \
    --dhcp-range=198.51.100.10,198.51.100.20,2m --dhcp-leasefile=/srv/dhcp-server.leases
