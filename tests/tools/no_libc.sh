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

# begins COMMAND...: the program tests/packages/no_libc/src/begins.rs has its arguments and its environment, copies memory as it should, exits with
# its own code, and says where it panics.
begins() {
    local program=("$(command -v "$1")" "${@:2}") code=0 found
    found=$(env -i 'A=two words' "${program[@]}" one '' 'three words') || code=$?
    [[ $code == 7 && $found == "${program[-1]}"$'\none\n\nthree words\nA=two words' ]] || { echo "exit code $code: $found"; return 1; }
    code=0
    found=$("${program[@]}" panic 2>&1 >/dev/null) || code=$?
    [[ $code == 134 && $found =~ ^'panicked at src/begins.rs:'[0-9]+:[0-9]+:$'\nas asked: 2'$ ]] ||
        { echo "exit code $code: $found"; return 1; }
}
