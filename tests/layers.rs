//! Compares the table of the layers in src/lib.rs with the code: no file names a layer above its own. Also what else only the sources show.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of each layer, from the top on, by the beginning of their path; the first that fits.
const LAYERS: [(&str, &[&str]); 6] = [
    ("stream", &["src/stream"]),
    ("drive", &["src/drive"]),
    // The second form of the kernels that have it is a function of the crate, in the folder of those systems.
    ("sendfile", &["src/sendfile.rs", "src/sigpipe.rs", "src/sys/bsd/native.rs"]),
    ("transfer", &["src/transfer"]),
    ("sys", &["src/sys"]),
    ("vocabulary", &["src/errno.rs", "src/fd.rs", "src/flags.rs", "src/iovec.rs", "src/with_rustix.rs"]),
];
/// What is above all layers.
const CRATE: [&str; 2] = ["src/lib.rs", "src/misuse.rs"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The layer of a path, 0 for the top.
fn layer(path: &str) -> Option<usize> {
    let fitting =
        |(_, beginnings): &(_, &[&str])| beginnings.iter().map(|b| path.starts_with(b).then_some(b.len())).max();
    (0..LAYERS.len()).filter(|&i| fitting(&LAYERS[i]) > Some(None)).max_by_key(|&i| fitting(&LAYERS[i]))
}

/// The modules that code names from the root of the crate on. Comments name what they like.
fn named(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.map(|line| line.split("; //").next().unwrap()).collect::<Vec<_>>().join("\n");
    let mut names: Vec<String> = Vec::new();
    for start in ["crate::", "super::super::super::", "super::super::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let path = &code[at + start.len()..];
            names.push(path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn no_file_names_a_layer_above_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    let mut looked_at = 0;
    for file in found {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        if CRATE.contains(&path) {
            continue;
        }
        let own = layer(path).unwrap_or_else(|| panic!("{path} is in no layer"));
        for name in named(&fs::read_to_string(&file).unwrap()) {
            // A name of the crate's root is a file or a folder there, or it is one of the folder's own, which has been looked at.
            let modules = [format!("src/{name}.rs"), format!("src/{name}/mod.rs")];
            let Some(module) = modules.iter().find(|module| root.join(module).exists()) else { continue };
            looked_at += 1;
            let other = layer(module).unwrap();
            assert!(own <= other, "{path}, of {}, names {name}, of {}", LAYERS[own].0, LAYERS[other].0);
        }
    }
    assert!(looked_at > 50, "{looked_at}: the names were not found");
}

#[test]
fn the_table_has_these_layers() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let section = lib.split("//! # The layers\n").nth(1).unwrap().split("//! # ").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("//! | ")?.split(' ').next());
    let names: Vec<&str> = names.skip(1).collect();
    let mut layers: Vec<&str> = LAYERS.iter().map(|&(name, _)| name).collect();
    layers.push("arch");
    assert_eq!(names, layers);
}

/// The trap is the only code below `sys`, and knows nothing of the crate.
#[test]
fn arch_names_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("arch"), &mut found);
    for file in found.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let code = fs::read_to_string(file).unwrap();
        assert_eq!(named(&code), [""; 0], "{}", file.display());
        assert!(!code.contains("target_os"), "{}: the folder is the system", file.display());
    }
}

/// What depends on the system stands in its folder: elsewhere `target_os` is said only of what is public on some, and in the gate.
#[test]
fn systems_are_told_apart_in_their_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    for file in found {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        if path.starts_with("src/sys/") || path == "src/lib.rs" {
            continue;
        }
        let code = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = code.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if line.contains("target_os") && !line.trim_start().starts_with("//") {
                let next = lines[i + 1].trim_start();
                let public = ["pub fn", "pub use", "pub const", "mod pipe;", "impl", "#[cfg"]
                    .iter()
                    .any(|b| next.starts_with(b));
                assert!(public, "{path}: {next}");
            }
        }
    }
}

/// A1: each processor's table has the same numbers, all of them compared with what other crates know.
#[test]
fn a1_no_number_is_left_out() {
    let linux = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/linux");
    let mut tables = Vec::new();
    files(&linux.join("nr"), &mut tables);
    tables.retain(|path| !path.ends_with("mod.rs"));
    assert!(tables.len() > 5, "{tables:?}");
    let (tests, pins) = (fs::read_to_string(linux.join("tests.rs")), fs::read_to_string(linux.join("pins.rs")));
    let (tests, pins) = (tests.unwrap(), pins.unwrap());
    let compared = tests.split("&numbers! {").nth(1).unwrap().split('}').next().unwrap();
    let names = compared.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let compared: Vec<&str> = names.collect();
    for path in tables {
        let source = fs::read_to_string(&path).unwrap();
        let numbers = source.lines().filter_map(|line| line.strip_prefix("pub(crate) const "));
        let names: Vec<&str> = numbers.map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, compared, "{}", path.display());
    }
    for name in compared {
        assert!(pins.contains(&format!("    {name} __NR")), "{name} is not pinned");
    }
}
