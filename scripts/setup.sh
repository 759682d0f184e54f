#!/bin/sh
# Prepares .venv with the package, its compiled core and the development tools.
# Usage: scripts/setup.sh [--runtime]   (--runtime leaves the development tools out)
set -eu
cd "$(dirname "$0")/.."

extras="[dev]"
[ "${1:-}" = "--runtime" ] && extras=""

fail() {
    printf 'setup: %s\n       install it with: %s\n' "$1" "$2" >&2
    exit 1
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null 2>&1 ||
    fail "python3 is missing" "sudo apt-get install -y python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old, 3.11 or newer is needed" "sudo apt-get install -y python3.11 python3.11-venv (then PYTHON=python3.11 make setup)"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is missing" "sudo apt-get install -y python3-venv"
command -v cc >/dev/null 2>&1 || fail "a C compiler is missing" "sudo apt-get install -y build-essential"

rust_hint="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
command -v cargo >/dev/null 2>&1 || fail "Rust is missing" "$rust_hint"
. scripts/rust.sh
rustc --version >/dev/null 2>&1 || fail "rustc does not run: $(rustc --version 2>&1 | head -n 1)" "rustup default stable"
wanted=$(sed -n 's/^rust-version = "\([0-9.]*\)"/\1/p' native/Cargo.toml)
rustc --version | awk -v wanted="$wanted" '{ split($2, have, "."); split(wanted, want, ".");
    exit !(have[1] > want[1] || (have[1] == want[1] && have[2] >= want[2])) }' ||
    fail "$(rustc --version) is too old, $wanted or newer is needed" "rustup update stable"

# An interrupted creation leaves a folder without pip, so its presence is what counts.
[ -x .venv/bin/pip ] || "$python" -m venv --clear .venv
echo "setup: installing jamliquor and building its core (the first time takes a few minutes)"
.venv/bin/pip install --quiet --disable-pip-version-check --editable ".$extras"
echo "setup: ready"
