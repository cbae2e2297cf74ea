# shellcheck shell=bash
# What tests/packages/no_libc does wherever it is run. Sourced after tests/tools/lib.sh.

# copies COMMAND...: the program, as it is to be started, calls all of the crate and makes of a file what it should.
copies() {
    local folder
    folder=$(mktemp -d)
    if ! "$@" <Cargo.lock >"$folder/copy" || ! expected | cmp - "$folder/copy"; then
        rm -r "$folder"
        return 1
    fi
    rm -r "$folder"
}

# What each part of the program writes of its input.
expected() {
    cat Cargo.lock
    printf '<'
    cat Cargo.lock
    printf '>'
    cat Cargo.lock Cargo.lock Cargo.lock Cargo.lock Cargo.lock Cargo.lock
    tail -c +6 Cargo.lock # The first 5 bytes were taken by position.
}
