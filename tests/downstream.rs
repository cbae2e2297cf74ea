//! Tests a crate that uses this one (tests/packages/downstream) and implements `AsFd` for its own types, with and without `std`.

use std::path::Path;
use std::process::Command;

/// Offline: its lock file asks for nothing that was not fetched for this very test.
fn cargo_test(features: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/downstream"))
        .args(["test", "--offline", "--locked", "--lib", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("downstream"))
        .args(features)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}{stderr}");
}

#[test]
fn without_std() {
    cargo_test(&[]);
}

#[test]
fn with_std() {
    cargo_test(&["--features", "std"]);
}
