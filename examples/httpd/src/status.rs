//! Status codes.

/// A status code and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16, pub &'static str);

impl Status {
    pub const OK: Self = Self(200, "OK");
    pub const PARTIAL_CONTENT: Self = Self(206, "Partial Content");
    pub const MOVED_PERMANENTLY: Self = Self(301, "Moved Permanently");
    pub const NOT_MODIFIED: Self = Self(304, "Not Modified");
    pub const BAD_REQUEST: Self = Self(400, "Bad Request");
    pub const FORBIDDEN: Self = Self(403, "Forbidden");
    pub const NOT_FOUND: Self = Self(404, "Not Found");
    pub const METHOD_NOT_ALLOWED: Self = Self(405, "Method Not Allowed");
    pub const PRECONDITION_FAILED: Self = Self(412, "Precondition Failed");
    pub const URI_TOO_LONG: Self = Self(414, "URI Too Long");
    pub const RANGE_NOT_SATISFIABLE: Self = Self(416, "Range Not Satisfiable");
    pub const HEAD_TOO_LARGE: Self = Self(431, "Request Header Fields Too Large");
    pub const INTERNAL: Self = Self(500, "Internal Server Error");
    pub const NOT_IMPLEMENTED: Self = Self(501, "Not Implemented");
    pub const UNAVAILABLE: Self = Self(503, "Service Unavailable");
    pub const VERSION_NOT_SUPPORTED: Self = Self(505, "HTTP Version Not Supported");
}
