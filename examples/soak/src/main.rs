//! The soak test, which is Linux's: it injects faults by seccomp. See linux.rs.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("soak runs on Linux");
    std::process::exit(2);
}
