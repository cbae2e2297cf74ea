//! What a file is, by its name.

const TYPES: &[(&[u8], &[u8])] = &[
    (b"avif", b"image/avif"),
    (b"css", b"text/css; charset=utf-8"),
    (b"gif", b"image/gif"),
    (b"gz", b"application/gzip"),
    (b"htm", b"text/html; charset=utf-8"),
    (b"html", b"text/html; charset=utf-8"),
    (b"ico", b"image/x-icon"),
    (b"jpeg", b"image/jpeg"),
    (b"jpg", b"image/jpeg"),
    (b"js", b"text/javascript; charset=utf-8"),
    (b"json", b"application/json"),
    (b"md", b"text/markdown; charset=utf-8"),
    (b"mjs", b"text/javascript; charset=utf-8"),
    (b"mp3", b"audio/mpeg"),
    (b"mp4", b"video/mp4"),
    (b"ogg", b"audio/ogg"),
    (b"pdf", b"application/pdf"),
    (b"png", b"image/png"),
    (b"svg", b"image/svg+xml"),
    (b"txt", b"text/plain; charset=utf-8"),
    (b"wasm", b"application/wasm"),
    (b"webm", b"video/webm"),
    (b"webp", b"image/webp"),
    (b"woff2", b"font/woff2"),
    (b"xml", b"application/xml"),
    (b"zip", b"application/zip"),
];

/// The type for a file's name; that of mere bytes if nothing is known.
pub fn of(name: &[u8]) -> &'static [u8] {
    let extension = name.iter().rposition(|&byte| byte == b'.').and_then(|dot| name.get(dot + 1..)).unwrap_or(&[]);
    let known = TYPES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.map_or(b"application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        assert_eq!(of(b"a.b.HTML"), b"text/html; charset=utf-8");
        assert_eq!(of(b".png"), b"image/png");
        for unknown in ["", "png", "a.", "a.png.xyz"] {
            assert_eq!(of(unknown.as_bytes()), b"application/octet-stream");
        }
    }
}
