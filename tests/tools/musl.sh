# shellcheck shell=bash
# Static programs for musl, which zig brings along for every processor. Sourced after tests/tools/lib.sh.

# musl_of CPU: Rust's name of it with musl.
musl_of() { local target; target=$(target_of "$1"); printf '%s\n' "${target/-gnu/-musl}"; }

mapfile -t musl_targets < <(for cpu in $(processors all); do musl_of "$cpu"; done)

# zig: fetches zig, which has a C compiler and musl for every processor (python-zig in PATH), and cargo-zigbuild.
zig() {
    # shellcheck disable=SC2154 # of tests/tools/lib.sh
    local venv=$cache/zig
    (
        flock 9
        if "$venv/bin/cargo-zigbuild" --version >/dev/null 2>&1; then exit; fi
        python3 -m venv --clear "$venv" || { need python3-venv; python3 -m venv --clear "$venv"; }
        "$venv/bin/pip" install --quiet ziglang cargo-zigbuild </dev/null
    ) 9>"$venv.lock"
    export PATH=$venv/bin:$PATH
}

# zig_target CPU: zig's name of it with musl. Of ARM it is Debian's armhf, of which Rust's target has the instructions as well.
zig_target() { printf '%s-linux-musl%s\n' "${1/armv7/arm}" "$([[ $1 != armv7 ]] || echo eabihf)"; }

# musl: fetches what musl_cargo takes: zig, and a standard library for each of musl_targets.
musl() {
    zig
    std_for "${musl_targets[@]}"
}

# musl_cargo TARGET ARGUMENT...: cargo build for TARGET, static.
musl_cargo() {
    local target=$1
    shift
    # Debian's targets for musl are dynamic unless told otherwise; the C library and its start-up files are zig's.
    RUSTFLAGS="--sysroot $(library_of "$target") -Ctarget-feature=+crt-static -Clink-self-contained=no" \
        cargo-zigbuild zigbuild --locked --release --target "$target" --target-dir target/musl "$@"
}

# static ELF
static() {
    local headers
    headers=$(readelf --wide --file-header --program-headers --dynamic "$1")
    [[ $headers == *"EXEC (Executable file)"* || $headers == *"DYN (Position-Independent Executable file)"* ]] || die "$1 is no program"
    [[ $headers != *INTERP* && $headers != *NEEDED* ]] || die "$1 is not static"
}
