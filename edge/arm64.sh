#!/bin/sh
# Builds the wheel for aarch64 and proves it in a clean arm64 Debian under qemu-user.
# Usage: edge/arm64.sh wheel|root|prove|all [--quick]
#   wheel   dist/jamliquor-*-manylinux_2_28_aarch64.whl, linked by zig (a wheel of PyPI)
#   root    a Debian 12 for arm64 with Python alone, and the wheel installed in a virtual environment
#   prove   doctor, the public chains and vectors from the installed wheel (--quick: doctor, one chain)
# Needs: mmdebstrap proot qemu-user-static (Debian packages), the Rust target aarch64-unknown-linux-gnu.
set -eu
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/jamliquor/arm64
root=$cache/root
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
wanted=${1:-all}
quick=${2:-}

need() {
    command -v "$1" >/dev/null 2>&1 || { echo "edge: $1 is missing: sudo apt-get install -y $2" >&2; exit 3; }
}

# Runs a program of the arm64 root. Folders that it needs are bound under their own names, because an
# old proot does not translate the paths of the newest system calls.
inside() {
    vectors=${JAM_VECTORS:+-b $JAM_VECTORS}
    # shellcheck disable=SC2086
    env -i PATH=/opt/jamliquor/bin:/usr/bin HOME=/root LANG=C.UTF-8 JAM_VECTORS="${JAM_VECTORS:-}" \
        PYTHONDONTWRITEBYTECODE=1 "$(command -v proot)" \
        -q "$(command -v qemu-aarch64-static) -cpu cortex-a53" \
        -r "$root" -b /proc -b /dev $vectors -b "$PWD/tests:/opt/proof/tests" -w "${at:-/}" "$@"
}

build_root() {
    need mmdebstrap mmdebstrap
    need proot proot
    need qemu-aarch64-static qemu-user-static
    if [ ! -x "$root/opt/jamliquor/bin/python" ]; then
        rm -rf "$root"
        mkdir -p "$cache"
        mmdebstrap --quiet --variant=extract --architectures=arm64 \
            --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
            --include=python3,python3-venv,ca-certificates bookworm "$root" "$mirror"
        mkdir -p "$root/opt/proof" "$root/root"
        inside /usr/bin/python3.11 -m venv /opt/jamliquor
    fi
    rm -rf "$root/opt/wheels"
    # The newest wheel; older ones of other versions may lie beside it.
    newest=$(ls -t dist/*-manylinux*_aarch64.whl | head -n 1)
    .venv/bin/pip download --quiet --disable-pip-version-check --dest "$root/opt/wheels" \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 --python-version 3.11 --only-binary=:all: \
        "$newest" pytest pytest-timeout hypothesis pynacl
    inside /opt/jamliquor/bin/python -m pip install --quiet --disable-pip-version-check --no-index \
        --find-links /opt/wheels --force-reinstall jamliquor pytest pytest-timeout hypothesis pynacl
}

prove() {
    inside /opt/jamliquor/bin/jamliquor --version
    inside /opt/jamliquor/bin/jamliquor doctor
    [ -n "${JAM_VECTORS:-}" ] || { echo "edge: JAM_VECTORS is not set: no chains, no vectors"; return; }
    traces=$JAM_VECTORS/jam-test-vectors-0.7.2/traces
    if [ "$quick" = --quick ]; then
        inside /opt/jamliquor/bin/jamliquor import "$traces/fallback"
        return
    fi
    inside /opt/jamliquor/bin/jamliquor demo --quiet
    for chain in "$traces"/*/genesis.bin; do
        inside /opt/jamliquor/bin/jamliquor import "$(dirname "$chain")"
    done
    at=/opt/proof inside /opt/jamliquor/bin/python -m pytest -q -p no:cacheprovider --timeout 3000 tests/vectors
}

case $wanted in
    wheel) scripts/wheels.sh aarch64-gnu ;;
    root) build_root ;;
    prove) prove ;;
    all) scripts/wheels.sh aarch64-gnu; build_root; prove ;;
    *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
