# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# Part of containers/install: the images, from --images-from into podman's store.

public_key=/etc/vdsm/upgrade.pub

image_id() { podman image inspect --format '{{.Id}}' "localhost/$1:latest"; }

pinned() { sed -n 's/^Image=//p' "/etc/vdsm/pins/current/$1.conf" 2>/dev/null || true; }

# Whether the pinned images are in the store: another one may have been given to this host.
pinned_exist() {
    for name in $names; do
        id=$(pinned "$name")
        [ -n "$id" ] && podman image exists "$id" || return 1
    done
}

load_images() {
    if [ -n "$images_from" ]; then
        [ -e "$images_from" ] || fail "there is no $images_from"
        say "loading the images from $images_from"
        if [ -d "$images_from" ]; then
            load_graph_root
        elif tar -tf "$images_from" 2>/dev/null | grep -qx images.tar; then
            load_archive
        else
            [ ! -e "$public_key" ] ||
                fail "$public_key is there, so images must come in a signed archive;" \
                    "$images_from is none: make one with vdsm-tool archive create"
            podman load --quiet --input "$images_from" >/dev/null
        fi
    fi
    for name in $names; do
        podman image exists "localhost/$name:latest" ||
            fail "podman has no image localhost/$name:latest; build it (containers/images)" \
                "and give --images-from PATH"
    done
}

load_graph_root() {
    store="[overlay@$(readlink -f "$images_from")+/run/vdsm-install]"
    for name in $names; do
        podman pull --quiet "containers-storage:${store}localhost/$name:latest" >/dev/null
    done
}

# An archive of "vdsm-tool archive create".
load_archive() {
    manifest=$work/manifest.json
    tar -xOf "$images_from" manifest.json >"$manifest"
    if pinned_exist && [ -x /usr/local/bin/vdsm-tool ]; then
        /usr/local/bin/vdsm-tool archive verify --text "$images_from" >&2 ||
            fail "$images_from is refused, see above; nothing was changed"
    else
        verify_archive
    fi
    tar -xOf "$images_from" images.tar | podman load --quiet >/dev/null
    for name in $names; do
        podman tag "$(from_manifest "$name" '')" "localhost/$name:latest"
    done
}

# What vdsm-tool does, where no image of ours is there that could: the images in the archive are no
# judges of themselves.
verify_archive() {
    if [ -e "$public_key" ]; then
        command -v minisign >/dev/null ||
            fail "$public_key is there, but no minisign to verify with (apt-get install minisign)"
        tar -xOf "$images_from" manifest.json.minisig >"$manifest.minisig" 2>/dev/null ||
            fail "$images_from has no signature, and $public_key asks for one"
        minisign -Vqm "$manifest" -p "$public_key" ||
            fail "the signature of $images_from is not by $public_key"
    fi
    digest=$(tar -xOf "$images_from" images.tar | sha256sum | cut -d ' ' -f 1)
    [ "$digest" = "$(from_manifest images.tar '"sha256": *')" ] ||
        fail "$images_from is damaged: its images are not those of its manifest"
}

# The 64 hexadecimal digits after a key; the manifest has one line or many.
from_manifest() {
    tr -d '\n' <"$manifest" | sed -E "s/.*\"$1\": *[{]? *$2\"(sha256:)?([0-9a-f]{64})\".*/\\2/"
}
