#!/bin/sh
# Counts instructions on aarch64 under qemu-user: those of OpenSSL's routines, an octet, and those of the
# edge benchmark's yardsticks, a call. The second list belongs into
# jamliquor/node/edge/instructions.toml, the first into the profiles (docs/edge.md tells how).
# Needs: edge/arm64.sh wheel and root; qemu-user, gcc (Debian packages; the static qemu has no plug-ins).
set -eu
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/jamliquor/arm64
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gcc -O2 -Wall -shared -fPIC -o "$scratch/count.so" edge/calibration/count.c

# Instructions of a Python program in the arm64 root, from its start to its end.
count() {
    OPENSSL_armcap=0 qemu-aarch64 -cpu cortex-a53 -E PYTHONHASHSEED=0 -E PYTHONDONTWRITEBYTECODE=1 \
        -E PYTHONPATH="$cache/root/opt/jamliquor/lib/python3.11/site-packages" \
        -plugin "$scratch/count.so" -L "$cache/root" "$cache/root/usr/bin/python3.11" "$@" 2>&1 |
        sed -n 's/^instructions //p'
}

# Of 1 and of 11 times, the difference by ten: start and preparation cancel out.
each() {
    few=$(count "$@" 1)
    many=$(count "$@" 11)
    echo $(((many - few) / 10))
}

for name in poly1305 sha512 sha3_256; do
    total=$(each edge/calibration/routines.py "$name")
    echo "$name: $(awk -v total="$total" 'BEGIN { printf "%.3f", total / 16384 }') an octet"
done
for name in ring vrf ed25519 guest trie python; do
    echo "$name = $(each -m jamliquor.node.edge.yardsticks "$name")"
done
