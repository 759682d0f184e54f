#!/bin/sh
# Builds the wheel for aarch64 and proves it in a clean arm64 Debian under qemu-user.
# Usage: edge/arm64.sh wheel|root|prove|all|ci
#   wheel   dist/jamliquor-*-manylinux_2_28_aarch64.whl, linked by zig (a wheel of PyPI)
#   root    a Debian 12 for arm64 with Python alone, and the wheel installed in a virtual environment
#   prove   doctor, the bundled and the public chains, all vector tests, from the installed wheel
#   all     the three of them
#   ci      wheel, doctor and the bundled chain, in about two minutes; says why and ends well where
#           that cannot be had
# Needs: mmdebstrap proot qemu-user-static (Debian packages), the Rust target aarch64-unknown-linux-gnu.
set -eu
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/jamliquor/arm64
root=$cache/root
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
wanted=${1:-all}

need() {
    command -v "$1" >/dev/null 2>&1 || { echo "edge: $1 is missing: sudo apt-get install -y $2" >&2; exit 3; }
}

# Runs a program of the arm64 root. Folders that it needs are bound under their own names, because an
# old proot does not translate the paths of the newest system calls.
inside() {
    vectors=${JAM_VECTORS:+-b $JAM_VECTORS}
    # shellcheck disable=SC2086
    env -i PATH=/opt/jamliquor/bin:/usr/bin HOME=/root LANG=C.UTF-8 JAM_VECTORS="${JAM_VECTORS:-}" \
        PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="${site:-}" "$(command -v proot)" \
        -q "$(command -v qemu-aarch64-static) -cpu cortex-a53" \
        -r "$root" -b /proc -b /dev $vectors -b "$PWD/tests:/opt/proof/tests" -w "${at:-/}" "$@"
}

make_base() {
    [ ! -x "$root/opt/jamliquor/bin/python" ] || return 0
    rm -rf "$root"
    mkdir -p "$cache"
    mmdebstrap --quiet --variant=extract --architectures=arm64 \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --include=python3,python3-venv,ca-certificates bookworm "$root" "$mirror"
    mkdir -p "$root/opt/proof" "$root/root"
    inside /usr/bin/python3.11 -m venv /opt/jamliquor
}

newest_wheel() {
    # Older ones of other versions may lie beside it.
    ls -t dist/*-manylinux*_aarch64.whl | head -n 1
}

# The wheel and what it needs, with pip of this machine: ARGUMENT... are its command and destination.
fetch() {
    .venv/bin/pip "$@" --quiet --disable-pip-version-check --platform manylinux_2_28_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 --python-version 3.11 \
        --only-binary=:all: "$(newest_wheel)"
}

build_root() {
    need mmdebstrap mmdebstrap
    need proot proot
    need qemu-aarch64-static qemu-user-static
    make_base
    rm -rf "$root/opt/wheels"
    fetch download --dest "$root/opt/wheels" pytest pytest-timeout hypothesis pynacl
    inside /opt/jamliquor/bin/python -m pip install --quiet --disable-pip-version-check --no-index \
        --find-links /opt/wheels --force-reinstall jamliquor pytest pytest-timeout hypothesis pynacl
}

skip() {
    echo "arm64: skipped: $1"
    exit 0
}

# What a network or a machine may lack is skipped; a wheel that does not build or work is an error.
ci() {
    for tool in proot qemu-aarch64-static; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
    if [ ! -x "$root/opt/jamliquor/bin/python" ]; then
        command -v mmdebstrap >/dev/null || skip "there is no $root, nor mmdebstrap to make it"
        timeout 100 "$0" base >/dev/null 2>&1 || { rm -rf "$root"; skip "an arm64 Debian cannot be had now"; }
    fi
    . scripts/rust.sh
    target=aarch64-unknown-linux-gnu
    rustup target add "$target" >/dev/null 2>&1 || skip "no Rust standard library for $target"
    (cd native && cargo fetch --quiet --locked --target "$target") || skip "crates cannot be fetched"
    .venv/bin/pip install --quiet "ziglang>=0.13,<0.18" || skip "zig cannot be fetched"
    # Kept between runs, so that only what changed is built.
    built=0
    CARGO_TARGET_DIR=$cache/target timeout 150 scripts/wheels.sh aarch64-gnu || built=$?
    [ "$built" != 124 ] || skip "the wheel takes too long; the next run goes on from here"
    [ "$built" = 0 ] || exit "$built"
    rm -rf "$root/opt/ci"
    fetch install --target "$root/opt/ci" || skip "packages for arm64 cannot be fetched"
    for command in doctor "demo --quiet"; do
        # shellcheck disable=SC2086
        site=/opt/ci inside /opt/jamliquor/bin/python -m jamliquor $command
    done
}

prove() {
    inside /opt/jamliquor/bin/jamliquor --version
    inside /opt/jamliquor/bin/jamliquor doctor
    inside /opt/jamliquor/bin/jamliquor demo --quiet
    [ -n "${JAM_VECTORS:-}" ] || { echo "edge: JAM_VECTORS is not set: no chains, no vectors"; return; }
    traces=$JAM_VECTORS/jam-test-vectors-0.7.2/traces
    for chain in "$traces"/*/genesis.bin; do
        inside /opt/jamliquor/bin/jamliquor import "$(dirname "$chain")"
    done
    at=/opt/proof inside /opt/jamliquor/bin/python -m pytest -q -p no:cacheprovider --timeout 3000 tests/vectors
}

case $wanted in
    wheel) scripts/wheels.sh aarch64-gnu ;;
    root) build_root ;;
    base) make_base ;;
    prove) prove ;;
    ci) ci ;;
    all) scripts/wheels.sh aarch64-gnu; build_root; prove ;;
    *) sed -n '2,11s/^# //p' "$0"; exit 2 ;;
esac
