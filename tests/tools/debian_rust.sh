# shellcheck shell=bash
# Debian's rustc-web with the standard libraries of other architectures, for machines where rustup cannot bring them.
# Nothing is installed: the packages are unpacked side by side in the cache, so the system keeps the versions that it
# has, and the compiler always belongs to the libraries beside it. Sourced after tests/tools/lib.sh.
shopt -s extglob

# What is unpacked, all of one version.
debian_packages=(rustc-web cargo-web libstd-rust-web-dev rust-web-clippy)

# debian_rust NAME RELEASE TARGET...: puts RELEASE (a prefix such as 1.85; empty for the newest) with the libraries of
# TARGETs first in PATH, from the cache's folder NAME, which is filled at first use and again when it does not work.
debian_rust() {
    # shellcheck disable=SC2154 # of tests/tools/lib.sh
    local root=$cache/$1 release=$2
    shift 2
    (
        flock 9
        if ! works "$root" "$release" "$@"; then
            say "fetching Debian's Rust" "$release" for "$@"
            rm -rf "$root" "$root.new"
            mkdir "$root.new"
            unpack "$root.new" "$release" "$@"
            wrap "$root.new"
            mv "$root.new" "$root"
            works "$root" "$release" "$@" || die "$root: the compiler and the standard libraries do not fit together"
        fi
    ) 9>"$root.lock"
    export PATH="$root/bin:$PATH"
    rustc --version
}

# works ROOT RELEASE TARGET...: the programs start, the compiler is the wanted release and accepts the library of every target.
# rustc refuses libraries of any other version than its own: a program that compiles proves that they are one.
works() {
    local root=$1 release=$2 target
    shift 2
    [[ $("$root/bin/rustc" --version 2>/dev/null) == "rustc $release"* ]] || return 1
    "$root/bin/cargo" --version >/dev/null && "$root/bin/cargo-clippy" --version >/dev/null || return 1
    for target; do
        # Into a folder of its own: rustc renames its output into place, and as root would replace even /dev/null.
        "$root/bin/rustc" --target "$target" --emit=metadata --out-dir "$root/probe" - <<<'fn main() {}' || return 1
    done
}

# wrap ROOT: programs in ROOT/bin that find their libraries and their sysroot in ROOT and not in /usr.
wrap() {
    local program sysroot
    mkdir "$1/bin"
    for program in cargo cargo-clippy rustc rustdoc; do
        sysroot=
        # shellcheck disable=SC2016 # expanded by the program written here
        if [[ $program == rust* ]]; then sysroot='--sysroot "$SYSROOT"'; fi
        cat >"$1/bin/$program" <<END
#!/bin/sh
root=\${0%/bin/*}
export SYSROOT="\$root/usr"
export LD_LIBRARY_PATH="\$root/usr/lib/$(uname -m)-linux-gnu:\$root/lib/$(uname -m)-linux-gnu"
exec "\$SYSROOT/bin/$program" $sysroot "\$@"
END
        chmod +x "$1/bin/$program"
    done
}

# unpack ROOT RELEASE TARGET...
unpack() {
    local root=$1 release=$2 host target arch arches=() version deb
    shift 2
    host=$(dpkg --print-architecture)
    for target; do
        case $target in
            x86_64-*) arch=amd64 ;;
            aarch64-*) arch=arm64 ;;
            riscv64*) arch=riscv64 ;;
            armv7-*) arch=armhf ;;
            i686-*) arch=i386 ;;
            s390x-*) arch=s390x ;;
            powerpc64le-*) arch=ppc64el ;;
        esac
        if [[ $arch != "$host" ]]; then arches+=("$arch"); fi
    done

    mkdir "$root/debs"
    private_apt "$root/apt" "$host" "${arches[@]}"
    version=$(newest "$release" "$host" "${arches[@]}")
    # apt's resolver, not a list of names, knows what this compiler needs and this system lacks.
    apt-get -qq install --download-only --reinstall --allow-downgrades --no-install-recommends \
        -o Debug::NoLocking=1 -o Dir::Cache::archives="$root/debs" \
        "${debian_packages[@]/%/=$version}" </dev/null
    for arch in "${arches[@]}"; do
        version=$(newest "${version%%+*}" "$arch")
        (cd "$root/debs" && apt-get -qq download "libstd-rust-web-dev:$arch=$version")
    done
    for deb in "$root"/debs/*.deb; do dpkg -x "$deb" "$root"; done
    rm -r "$root/debs" "$root/apt"
}

# private_apt FOLDER HOST ARCH...: an apt of our own, from the mirrors that the system uses. riscv64 has been a part of
# Debian since trixie, and trixie has the newest libraries of the smaller architectures; the packages are only unpacked, so they need not fit this system.
private_apt() {
    local folder=$1 arch arches uri codename component key=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
    shift
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    # shellcheck disable=SC2016 # apt's own syntax
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' | sort -u >"$folder/system"
    while read -r uri codename component; do
        arches=
        for arch; do
            if [[ $arch == @(riscv64|armhf|i386|s390x|ppc64el) ]]; then
                printf 'deb [arch=%s %s] %s %s %s\n' "$arch" "$key" "$uri" "trixie${codename##+([^-])}" "$component"
            else
                arches+=${arches:+,}$arch
            fi
        done
        printf 'deb [arch=%s %s] %s %s %s\n' "$arches" "$key" "$uri" "$codename" "$component"
    done <"$folder/system" >"$folder/sources.list"
    {
        printf 'APT::Architectures { "%s"; };\n' "$@"
        cat <<END
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "root";
END
    } >"$folder/apt.conf"
    export APT_CONFIG=$folder/apt.conf
    # A mirror in the middle of an update can lack one index; the others may do.
    apt-get -qq update || say "some package lists are missing"
}

# newest RELEASE ARCH...: the newest version of the first ARCH whose release every ARCH has.
newest() {
    local release=$1 first=$2 arch version
    shift 2
    for version in $(versions "$first" "$release"); do
        for arch; do
            [[ -n $(versions "$arch" "${version%%+*}+") ]] || continue 2
        done
        printf '%s\n' "$version"
        return
    done
    die "Debian has no Rust $release for $first $*"
}

# versions ARCH PREFIX: newest first.
versions() {
    apt-cache show -a "libstd-rust-web-dev:$1" | sed -n "s/^Version: \($2.*\)/\1/p" | sort -Vru
}
