"""What a dependency costs: time, crates and lines to compile, bytes in a static program."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from common import ROOT, ratio, run, spread

ROUNDS = int(os.environ.get("ROUNDS", "5"))
LIBRARIES = {
    "bare-sendfile": f'bare-sendfile = {{ path = "{ROOT}" }}',
    "rustix": 'rustix = { version = "1", default-features = false, features = ["fs"] }',
    "nix": 'nix = { version = "0.31", default-features = false, features = ["zerocopy"] }',
    "bitflags": 'bitflags = { version = "2", default-features = false }',
}
# The same program with each: standard input to standard output.
CALLS = {
    "bare-sendfile": "bare_sendfile::sendfile(std::io::stdout(), std::io::stdin(), None, 1 << 20)",
    "rustix": "rustix::fs::sendfile(std::io::stdout(), std::io::stdin(), None, 1 << 20)",
    "nix": "nix::sys::sendfile::sendfile(std::io::stdout(), std::io::stdin(), None, 1 << 20)",
}
STD = {"bare-sendfile": "bare-sendfile/std", "rustix": "rustix/std"}


def lines(manifest):
    """Crates below a package, and lines of Rust in them."""
    metadata = json.loads(run("cargo", "metadata", "--format-version=1", "--manifest-path", manifest))
    # Without those that are for other platforms or for optional features.
    tree = run("cargo", "tree", "--manifest-path", manifest, "--edges=normal,build", "--prefix=none", "--format={p}")
    used = {tuple(line.split()[:2]) for line in tree.splitlines()}
    total = 0
    for package in metadata["packages"]:
        if (package["name"], f"v{package['version']}") in used and package["name"] != "weight":
            folder = Path(package["manifest_path"]).parent
            for part in ("src", "arch"):
                total += sum(len(path.read_bytes().splitlines()) for path in (folder / part).rglob("*.rs"))
    return len(used) - 1, total


def package(folder, dependency):
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").write_text("#![no_std]\n")
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "weight"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n{dependency}\n'
    )
    run("cargo", "fetch", "--manifest-path", folder / "Cargo.toml")


def static_bytes(folder, name):
    """The size of the program, with std and the C library in it."""
    (folder / "src" / "main.rs").write_text(f"fn main() {{ while {CALLS[name]}.unwrap() > 0 {{}} }}\n")
    settings = {"OPT_LEVEL": "s", "LTO": "true", "PANIC": "abort", "STRIP": "symbols", "CODEGEN_UNITS": "1"}
    env = os.environ | {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in settings.items()}
    env["RUSTFLAGS"] = "-Ctarget-feature=+crt-static"
    features = [f"--features={STD[name]}"] if name in STD else []
    run("cargo", "build", "--quiet", "--release", "--offline", "--manifest-path", folder / "Cargo.toml", *features, env=env)
    return (folder / "target" / "release" / "weight").stat().st_size


def report(report):
    report.section(
        "Weight",
        f"A clean `cargo build --release -j1` of an empty no_std library with nothing but the dependency, {ROUNDS} times by turns: "
        "seconds of CPU, and relative to rustix in the same turn. Crates and lines are those that are compiled. Bytes are "
        "those of a static program with std (glibc, LTO, optimised for size, stripped) that sends standard input to standard output "
        "by it; examples/tiny/sizes has programs without std.",
    )
    with tempfile.TemporaryDirectory() as folder:
        seconds = {name: [] for name in LIBRARIES}
        for name, dependency in LIBRARIES.items():
            package(Path(folder) / name, dependency)
        for _ in range(ROUNDS):
            for name in LIBRARIES:
                manifest = Path(folder) / name / "Cargo.toml"
                shutil.rmtree(Path(folder) / name / "target", ignore_errors=True)
                before = os.times()
                run("cargo", "build", "--quiet", "--release", "-j1", "--offline", "--manifest-path", manifest)
                after = os.times()
                seconds[name].append(after.children_user + after.children_system - before.children_user - before.children_system)
        rows = []
        for name in LIBRARIES:
            crates, code = lines(Path(folder) / name / "Cargo.toml")
            relative = ratio([a / b for a, b in zip(seconds[name], seconds["rustix"])])
            size = static_bytes(Path(folder) / name, name) if name in CALLS else "–"
            rows.append([name, f"{spread(seconds[name])[0]:.2f}", relative, crates, code, size])
    report.table("weight", ["library", "CPU s", "beside rustix", "crates", "lines", "bytes of a static program"], rows)
