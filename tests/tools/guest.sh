# shellcheck shell=bash
# Emulated machines with Debian's kernels. Sourced after tests/tools/lib.sh. What is downloaded stays in the cache: delete
# kernel-* and qemu there to get what Debian has today.

# apt_for FOLDER ARCH SUITE...: from now on apt uses these suites alone, from the mirror that the system uses, for ARCH.
apt_for() {
    local folder=$1 arch=$2 uri suite
    shift 2
    mkdir -p "$folder"/{lists,cache/archives}/partial
    # shellcheck disable=SC2016 # apt's own syntax
    uri=$(env -u APT_CONFIG apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 !~ /-/ && $3 == "main" {print $1; exit}')
    for suite; do
        printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$uri" "$suite"
    done >"$folder/sources.list"
    cat >"$folder/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
Debug::NoLocking "1";
END
    export APT_CONFIG=$folder/apt.conf
    apt-get -qq update
}

# once FOLDER COMMAND...: the first time, fills FOLDER by COMMAND with a folder to fill as its last argument.
once() {
    local folder=$1
    shift
    (
        flock 9
        [[ ! -e $folder ]] || return 0
        rm -rf "$folder.new"
        mkdir -p "$folder.new"
        "$@" "$folder.new" && mv "$folder.new" "$folder"
    ) 9>"$folder.lock" >&2
}

# kernel CPU SUITE: prints the path of the kernel that Debian's SUITE has, whatever it is called today. Fails if it has none.
kernel() {
    # shellcheck disable=SC2154 # of tests/tools/lib.sh
    once "$cache/kernel-$1-$2" fetch_kernel "$1" "$2" && echo "$cache/kernel-$1-$2"/vmlinu*
}

# modules CPU SUITE: prints the folder of its modules as far as they are not built in: for a disk and its file system, for
# overlayfs, and for every kind of stream that it has. After kernel.
modules() { echo "$cache/kernel-$1-$2/modules"; }

fetch_kernel() {
    local suite=$2 folder=$3 root=$3/apt/root meta name target emulates debian_arch tools image packages module
    processor "$1"
    meta=linux-image-$image
    say "fetching $meta of $suite"
    need kmod xz-utils
    # A mirror or a proxy can have lists that do not fit the suite's signature, and under the suite's other name some that do.
    for name in "$suite" testing stable oldstable; do
        rm -rf "$folder/apt"
        apt_for "$folder/apt" "$debian_arch" "$name" && grep -q "^Codename: $suite$" "$folder"/apt/lists/*Release && break
    done || return
    image=$(apt-cache depends "$meta" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p')
    [[ -n $image ]] || return
    # Since Linux 7 the kernel itself, its modules and the list of those built in are packages on which the image depends.
    mapfile -t packages < <(apt-cache depends "$image" | sed -n 's/^ *Depends: \(linux-[a-z]*-[0-9].*\)/\1/p')
    (cd "$folder/apt" && apt-get -qq download "$image" "${packages[@]}" &&
        for package in ./*.deb; do dpkg -x "$package" root || exit; done) || return
    image=${image#linux-image-}
    mv "$(find "$root" -name 'vmlinu[xz]*' -type f)" "$folder/vmlinuz-$image" || return

    # Each with those that it needs. The kernel is not asked to decompress them: 6.1 cannot.
    [[ -e $root/lib ]] || ln -s usr/lib "$root/lib"
    PATH=$PATH:/sbin depmod --basedir "$root" "$image" && mkdir "$folder/modules" || return
    case $1 in s390x) module=virtio_blk ;; *) module=nvme ;; esac
    for module in "$module" ext4 overlay; do
        PATH=$PATH:/sbin modprobe --dirname "$root" --set-version "$image" --show-depends "$module" >>"$folder/needed" || return
    done
    # Nobody in a guest loads what a socket asks for: the ciphers of kTLS and the hashes of SCTP are named here. A kernel that has
    # not all of them has fewer kinds of streams, which its tests report.
    for module in tls gcm ctr ghash-generic aes_generic sctp hmac md5 sha1_generic sha256_generic vsock_loopback veth sch_netem; do
        PATH=$PATH:/sbin modprobe --dirname "$root" --set-version "$image" --show-depends "$module" >>"$folder/needed" || continue
    done
    sed -n 's/^insmod //p' "$folder/needed" | while read -r module; do
        cp "$module" "$folder/modules" || exit
    done || return
    find "$folder/modules" -name '*.xz' -exec xz --decompress {} + && rm -r "$folder/apt" "$folder/needed"
}

# qemu CPU: prints the folder with its emulator. QEMU 7.2 loses the flags of an emulated x86_64 now and then, so that one boot
# in seven ends in a double fault; its successor in Debian 12's backports does not.
qemu() {
    local version
    need qemu-system-x86 qemu-system-arm qemu-system-misc >&2
    case $1 in
        # Of one or the other package, and without that fault.
        s390x | powerpc64le)
            case $1 in
                s390x) [[ $(command -v qemu-system-s390x) ]] || need qemu-system-s390x >&2 ;;
                *) need qemu-system-ppc >&2 ;;
            esac
            echo /usr/bin
            return
            ;;
    esac
    version=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
    if ((version > 7)); then
        dirname "$(command -v qemu-system-x86_64)"
    else
        once "$cache/qemu" from_backports qemu-system-{x86,arm,riscv} && echo "$cache/qemu/usr/bin"
    fi
}

# from_backports PACKAGE... FOLDER: unpacks the newer ones that the system's backports have, with what they need and the system lacks.
from_backports() {
    local packages=("${@:1:$#-1}") folder=${!#} suite deb
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    say "fetching ${packages[*]} of $suite-backports"
    apt_for "$folder/apt" "$(dpkg --print-architecture)" "$suite" "$suite-backports" || return
    # Nothing is installed. apt only knows what is lacking.
    apt-get -qq install --download-only --no-install-recommends -t "$suite-backports" "${packages[@]}" </dev/null || return
    for deb in "$folder"/apt/cache/archives/*.deb; do dpkg -x "$deb" "$folder" || return; done
    rm -r "$folder/apt"
}

# initramfs FOLDER: an archive of the folder, which has a folder dev, to standard output.
initramfs() {
    (cd "$1" && find . | cpio --quiet --create --format newc --owner 0:0)
    # A second archive with /dev/console, character device 5:1: made by hand, so that nobody needs to be root.
    # Padded, so that another one may follow.
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08Xdev/console\0\0\0' \
        1 $((8#20600)) 0 0 1 0 0 0 0 5 1 12 0
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08XTRAILER!!!\0\0\0\0' 0 0 0 0 1 0 0 0 0 0 0 11 0
}

# boot CPU KERNEL INITRAMFS LOG [DISK]: one life of a machine. Its console goes to LOG. DISK is an image, of which the machine
# has a copy as /dev/nvme0n1 or /dev/vda. Fails if the machine did not end by itself within SECONDS_TO_LIVE (1800, since other things run
# here as well). CPU_MODEL is another model of the processor.
boot() {
    # shellcheck disable=SC2034 # set by processor
    local kernel=$2 initramfs=$3 log=$4 disk=${5-} machine console=ttyS0 device=nvme,drive=disk,serial=disk options='' bin target emulates debian_arch tools image
    processor "$1"
    case $1 in
        x86_64 | i686) machine=(-M q35 -cpu max) ;; # Without RDRAND getrandom(2) would block.
        # Without page tables of the kernel's own, whose exchange at each system call takes half of an emulated processor's time.
        aarch64) machine=(-M virt -cpu "${CPU_MODEL:-cortex-a72}") console=ttyAMA0 options='mitigations=off kpti=0' ;;
        armv7) machine=(-M virt -cpu cortex-a15) console=ttyAMA0 ;;
        riscv64) machine=(-M virt -cpu "${CPU_MODEL:-rv64}") ;;
        s390x) machine=(-M s390-ccw-virtio -cpu max) console=ttysclp0 device=virtio-blk-ccw,drive=disk ;;
        powerpc64le) machine=(-M pseries -cpu power9) emulates=ppc64 console=hvc0 ;;
    esac
    bin=$(qemu "$1") || return
    if [[ $disk ]]; then
        # shellcheck disable=SC2054 # the commas are QEMU's
        machine+=(-drive "file=$disk,format=raw,if=none,id=disk,snapshot=on" -device "$device")
    fi
    # Its clock counts its instructions: no time limit in there runs out because this computer is busy. It takes of the
    # memory what it uses.
    timeout --foreground "${SECONDS_TO_LIVE:-1800}" "$bin/qemu-system-$emulates" -L "$bin/../share/seabios" -L "$bin/../share/qemu" \
        "${machine[@]}" -accel tcg -icount shift=1 -m 2048 -smp 1 -nographic -nodefaults -serial stdio -monitor none -no-reboot \
        -kernel "$kernel" -initrd "$initramfs" \
        -append "console=$console panic=-1 quiet $options ${GUEST_ENVIRONMENT-PROMISE_SECONDS=2 STREAMS_SHARE=0.1}" </dev/null 2>&1 | sed -u 's/\r//g' >"$log"
}

# off LOG: it was init that turned the power off, and no panic.
off() { grep -q '^\(\[ *[0-9.]*\] \)\?reboot: Power down' "$1"; }
