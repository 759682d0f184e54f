#!/bin/sh
# Counts instructions on aarch64 under qemu-user. Usage: edge/calibrate.sh routines|blocks
#   routines  OpenSSL's, an octet, for the profiles (docs/edge.md tells how); and how many of the
#             instructions of a kind of work are multiplications
#   blocks    every block of the public chains in JAM_VECTORS, by kind of work, and the yardsticks and
#             operations of the edge benchmark, a call, into edge/calibration/blocks.json, for
#             jamliquor bench edge --counts; prints jamliquor/node/edge/instructions.toml
# Needs: edge/arm64.sh wheel and root; qemu-user, gcc (Debian packages; the static qemu has no plug-ins).
set -eu
cd "$(dirname "$0")/.."

here=$PWD
cache=${XDG_CACHE_HOME:-$HOME/.cache}/jamliquor/arm64
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gcc -O2 -Wall -shared -fPIC -o "$scratch/count.so" edge/calibration/count.c

# A Python program in the arm64 root; the first argument is for the plug-in. Not run in the checkout,
# whose package would hide the installed one.
emulated() {
    option=$1
    shift
    cd "$scratch"
    OPENSSL_armcap=0 qemu-aarch64 -cpu cortex-a53 -E PYTHONHASHSEED=0 -E PYTHONDONTWRITEBYTECODE=1 \
        -E PYTHONPATH="$cache/root/opt/jamliquor/lib/python3.11/site-packages" \
        -plugin "$scratch/count.so$option" -L "$cache/root" "$cache/root/usr/bin/python3.11" "$@"
}

# Of 1 and of 101 times, the difference by a hundred: start and preparation cancel out.
each() {
    emulated "" "$@" 1 2>"$scratch/few" >"$scratch/out"
    emulated "" "$@" 101 2>"$scratch/many" >"$scratch/out"
    cat "$scratch/few" "$scratch/many" | awk -v per="$per" '
        $1 == "instructions" { total = $2 - total }
        $1 == "multiplications" { product = $2 - product }
        END { printf "%.3f, %.0f %% of them multiplications\n", total / per / 100, 100 * product / total }'
}

routines() {
    per=1048576
    for name in poly1305 sha512; do
        echo "$name, an octet: $(each "$here/edge/calibration/routines.py" "$name")"
    done
    per=1
    for name in ring vrf ed25519; do
        echo "$name, a call: $(each -m jamliquor.node.edge.yardsticks "$name")"
    done
}

blocks() {
    [ -n "${JAM_VECTORS:-}" ] || { echo "calibrate: JAM_VECTORS is not set" >&2; exit 3; }
    traces=$JAM_VECTORS/jam-test-vectors-0.7.2/traces
    set --
    for genesis in "$traces"/*/genesis.bin; do
        set -- "$@" "$(dirname "$genesis")"
    done
    emulated ",page=$scratch/page" -m jamliquor.node.edge.blocks 2 "$@" --page "$scratch/page" \
        >"$scratch/blocks.json" 2>"$scratch/said" || { cat "$scratch/said" >&2; exit 1; }
    mkdir "$scratch/first"
    cp "$traces/storage/genesis.bin" "$traces/storage/00000001.bin" "$scratch/first"
    start=$(emulated "" -m jamliquor import "$scratch/first" --quiet 2>&1 | sed -n 's/^instructions //p')
    mv "$scratch/blocks.json" "$here/edge/calibration/blocks.json"
    "$here/.venv/bin/python" - "$here/edge/calibration/blocks.json" "$start" <<'END'
import json, sys

found = json.load(open(sys.argv[1]))
print(f"start = {sys.argv[2]}")
for table, name in (("yardsticks", "instructions"), ("operations", "operations")):
    print(f"\n[{name}]")
    for call, count in found[table].items():
        print(f"{call} = {count:.0f}")
END
}

case ${1:-} in
    routines) routines ;;
    blocks) blocks ;;
    *) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
esac
