# shellcheck shell=bash
# Shared by tests/all and tests/steps/*.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Downloads and unpacked toolchains outlive the clone.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bare-sendfile
mkdir -p "$cache"
export CARGO_TERM_COLOR=never

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# processors WHAT...: the CPUs of tests/tools/processors.list of which WHAT runs.
processors() { awk -v what=" $* " '!/^#/ && index(what, " " $6 " ") {print $1}' tests/tools/processors.list; }

# processor CPU: sets what tests/tools/processors.list has of it: target, emulates (QEMU's name), debian_arch, tools (GNU's prefix), image
# (the package of Debian's kernel).
# shellcheck disable=SC2034 # for the caller
processor() {
    read -r target emulates debian_arch tools image < <(awk -v cpu="$1" '$1 == cpu {print $2, $3, $4, $5, $7}' tests/tools/processors.list) ||
        die "tests/tools/processors.list has no $1"
}

# target_of CPU: Rust's name of it.
target_of() { local target emulates debian_arch tools image; processor "$1"; printf '%s\n' "$target"; }

# cargo_tool NAME [OPTION...]: puts a program of crates.io first in PATH. It is not optimised, as it runs for seconds, unless there are options.
cargo_tool() {
    local name=$1 options=(--debug)
    shift
    if (($#)); then options=("$@"); fi
    PATH=$cache/$name/bin:$PATH
    (
        flock 9
        command -v "$name" >/dev/null || cargo install --quiet --locked "${options[@]}" --root "$cache/$name" "$name" </dev/null
    ) 9>"$cache/$name.lock"
}

# hack COMMAND...: runs cargo's COMMAND with every combination of the crate's features.
hack() {
    cargo_tool cargo-hack
    cargo hack --feature-powerset --exclude-features default "$@"
}

# hack_std COMMAND...: with and without `std`, which changes types, and each with none and with all of the others, which only add: what
# compiles with none and with all of them compiles with some.
hack_std() { hack --group-features macos-raw-syscalls,rustix,syscalls "$@"; }

# The exhaustive scripts of the simulations take minutes. A run that differs from another in the processor or in features alone leaves them
# out, and makes random connections (tests/promise.rs) for as long as an emulated machine does.
without_scripts=(--skip every_answer_of_every_length --skip every_errno --skip every_pair_of_faults)
few_connections() { export PROMISE_SECONDS=${PROMISE_SECONDS-2}; }

# test_suite [cargo test arguments]: everything, as a user has it by default and with every feature.
# Arguments replace the two runs by one: tests/steps/cross-aarch64 --test limits
# Each program, under the target's runner if there is one, is ended when it takes too long: tests/tools/limit.
test_suite() {
    local status=0 target name words run
    target=${CARGO_BUILD_TARGET-$(rustc -vV | sed -n 's/^host: //p')}
    name=${target^^}
    name=CARGO_TARGET_${name//-/_}_RUNNER
    read -ra words <<<"${!name-}"
    run=(cargo test --config "target.$target.runner = [$(printf "'%s', " "$PWD/tests/tools/limit" "${words[@]}")]")
    if (($#)); then "${run[@]}" "$@"; return; fi
    say "default features"
    "${run[@]}" --locked --no-fail-fast || status=1
    say "all features"
    (few_connections; "${run[@]}" --locked --no-fail-fast --all-features -- "${without_scripts[@]}") || status=1
    return $status
}

# totals LOG: how many tests passed, failed and were skipped, by libtest's closing lines. Those that could not check what they
# are there for (not_checked of tests/common) have passed for libtest, not here. A program that tests/tools/limit ended is one failure.
totals() { awk '/^test result: / {p += $4; f += $6; i += $8} /^limit: / {f++} /not checked: / {n++} END {print p - n, f + 0, i + n}' "$1"; }

# skipped LOG: which they were, and why.
skipped() {
    sed -n 's/^test \(.*\) \.\.\. ignored\(, \)\{0,1\}/    ignored: \1: /p; s/^.*\(not checked: \)/    \1/p' "$1"
}

# need PACKAGE...: installs the Debian packages that are missing.
need() {
    local package missing=()
    for package; do
        [[ $(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    # The lists of packages have a lock for which apt does not wait.
    local lock
    exec {lock}>"$cache/apt.lock"
    flock "$lock"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    if ((EUID)); then apt=(sudo -n "${apt[@]}"); fi
    "${apt[@]}" update
    "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null
    exec {lock}>&-
}

# rustup_adds target|component NAME: one at a time, which rustup does not see to.
rustup_adds() { flock "$cache/rustup.lock" timeout 120 rustup "$1" add "$2" </dev/null; }

# rust_for TARGET: puts a compiler with TARGET's standard library first in PATH: rustup's if it has or gets that
# library, else Debian's. RUST=debian or RUST=rustup insists on one.
rust_for() {
    local sysroot
    # The crate `syscalls` asks for a feature of the compiler there.
    case $1 in s390x-* | powerpc64le-*) export RUSTC_BOOTSTRAP=syscalls ;; esac
    if [[ ${RUST-} != debian ]]; then
        sysroot=$(rustc --print sysroot)
        if [[ -d $sysroot/lib/rustlib/$1/lib ]] || rustup_adds target "$1"; then
            rustc --version
            return
        fi
        [[ ${RUST-} != rustup ]] || die "rustup has no $1"
    fi
    # shellcheck source=tests/tools/debian_rust.sh
    source tests/tools/debian_rust.sh
    case $1 in
        # Together they would be fetched again by who has the three.
        armv7-* | i686-* | s390x-* | powerpc64le-*) debian_rust "rust-newest-${1%%-*}" '' "$1" ;;
        *) debian_rust rust-newest '' {x86_64,aarch64,riscv64gc}-unknown-linux-gnu ;;
    esac
}

# std_for TARGET...: a compiler with a standard library for each TARGET, built from source (-Zbuild-std) and kept, for
# systems that have no prebuilt one; `library_of TARGET` is then where it is.
std_for() {
    local target root flags
    rustc_with_source
    for target; do
        root=$(library_of "$target")
        (
            flock 9
            if [[ -d $root ]]; then exit; fi
            say "building the standard library for $target"
            rm -rf "$root.new"
            mkdir -p "$root.new/package/src" "$root.new/lib/rustlib/$target/lib"
            printf '[package]\nname = "empty"\nedition = "2024"\n[workspace]\n' >"$root.new/package/Cargo.toml"
            : >"$root.new/package/src/lib.rs"
            cd "$root.new/package"
            # `mem`: those of its functions that a C library would have, for programs that are linked with none.
            # `test`: for the test programs, which are looked at and not run.
            # Of loongarch64 the vectors are left out, which the emulator has from version 8.2 on.
            flags=
            if [[ $target == loongarch64-* ]]; then flags=-Ctarget-feature=-lsx; fi
            RUSTFLAGS=$flags RUSTC_BOOTSTRAP=1 cargo build --quiet --release -Zbuild-std=std,panic_abort,test \
                -Zbuild-std-features=compiler-builtins-mem --target "$target" </dev/null
            mv target/"$target"/release/deps/*.rlib "$root.new/lib/rustlib/$target/lib"
            rm -r "$root.new/package"
            mv "$root.new" "$root"
        ) 9>"$root.lock"
    done
}

# Named for the exact compiler, which accepts no other's libraries.
library_of() { printf '%s/std-test-%s-%s\n' "$cache" "$(rustc --version | md5sum | cut -c1-8)" "$1"; }

# rustc_with_source: puts a compiler that has the source of its standard library first in PATH: rustup's or Debian's.
rustc_with_source() {
    if [[ ${RUST-} != debian ]]; then
        if [[ -d $(rustc --print sysroot)/lib/rustlib/src/rust/library ]] || rustup_adds component rust-src; then
            return
        fi
        [[ ${RUST-} != rustup ]] || die "rustup has no rust-src"
    fi
    # shellcheck source=tests/tools/debian_rust.sh
    source tests/tools/debian_rust.sh
    debian_packages+=(rust-web-src)
    debian_rust rust-source '' "$(uname -m)-unknown-linux-gnu"
}

# emulator: sets `emulator` to a Python that has unicorn, the emulated processors, and lief, which reads programs.
emulator() {
    local venv=$cache/abi
    (
        flock 9
        if "$venv/bin/python" -c 'import lief, unicorn' 2>/dev/null; then exit; fi
        python3 -m venv --clear "$venv" || { need python3-venv; python3 -m venv --clear "$venv"; }
        "$venv/bin/pip" install --quiet 'lief==1.*' 'unicorn==2.1.*' </dev/null
    ) 9>"$venv.lock"
    # shellcheck disable=SC2034 # for the caller
    emulator=$venv/bin/python
    export PYTHONDONTWRITEBYTECODE=1
}

# cross CPU: the environment in which `cargo test` builds for CPU and runs the result under qemu-user.
cross() {
    # shellcheck disable=SC2034 # set by processor
    local cpu=$1 name target emulates debian_arch tools image
    processor "$cpu"
    need qemu-user "gcc-$tools" "libc6-dev-$debian_arch-cross"
    rust_for "$target"
    name=${target^^}
    name=CARGO_TARGET_${name//-/_}
    export "${name}_LINKER=$tools-gcc"
    export "${name}_RUNNER=qemu-$emulates -L /usr/$tools"
    # In a folder of its own, where no other step's build is waited for.
    export CARGO_BUILD_TARGET=$target CARGO_TARGET_DIR=$PWD/target/cross-$cpu
    # Before version 8 the emulator takes memory in slices, whose locks a child of an emulated program can inherit held.
    export G_SLICE=always-malloc
    # What an emulated kernel cannot do is reported as ignored, with the reason.
    export RUSTFLAGS='--cfg qemu_user' RUSTDOCFLAGS='--cfg qemu_user'
    few_connections
}
