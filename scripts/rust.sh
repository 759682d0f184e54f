# Sourced by what calls cargo. A rustup shim looks for its toolchains below HOME; under another HOME
# they still lie beside the shim.
if command -v cargo >/dev/null 2>&1 && ! cargo --version >/dev/null 2>&1; then
    RUSTUP_HOME=$(dirname "$(dirname "$(dirname "$(command -v cargo)")")")/.rustup
    export RUSTUP_HOME
fi
