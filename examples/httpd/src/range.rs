//! The field `Range`.
//!
//! # References
//! - [RFC 9110, section 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)

/// Which bytes of a file are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All: the field is none that is understood, which is to be ignored, or has several ranges, which may be.
    Whole,
    /// From `start` to before `end`; at least one byte.
    Part { start: u64, end: u64 },
    /// None that the file has.
    Unsatisfiable,
}

impl Range {
    /// What `field` asks for of a file of `len` bytes.
    pub fn new(field: &[u8], len: u64) -> Self {
        Self::parse(field, len).unwrap_or(Self::Whole)
    }

    fn parse(field: &[u8], len: u64) -> Option<Self> {
        let (unit, ranges) = field.split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let ranges = ranges.trim_ascii();
        let dash = ranges.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (ranges.get(..dash)?, ranges.get(dash + 1..)?);
        let (start, end) = match (first, last) {
            (b"", last) => match number(last)? {
                // The last bytes of an empty file are all that it has.
                1.. if len == 0 => return None,
                last => (len.saturating_sub(last), len),
            },
            (first, b"") => (number(first)?, len),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                (first, last.saturating_add(1).min(len))
            }
        };
        Some(if start < end { Self::Part { start, end } } else { Self::Unsatisfiable })
    }
}

/// A number of digits only. One that is too large is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let part = |start, end| Range::Part { start, end };
        for (field, range) in [
            ("bytes=0-0", part(0, 1)),
            ("Bytes=2-5", part(2, 6)),
            ("bytes=2-", part(2, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-30", part(0, 10)),
            ("bytes=9-99999999999999999999", part(9, 10)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=99999999999999999999-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=5-2", Range::Whole),
            ("bytes=", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=1", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("lines=1-2", Range::Whole),
            ("", Range::Whole),
        ] {
            assert_eq!(Range::new(field.as_bytes(), 10), range, "{field}");
        }
        assert_eq!(Range::new(b"bytes=0-", 0), Range::Unsatisfiable);
        assert_eq!(Range::new(b"bytes=-0", 0), Range::Unsatisfiable);
        assert_eq!(Range::new(b"bytes=-1", 0), Range::Whole);
        assert_eq!(Range::new(b"bytes=0-18446744073709551615", u64::MAX), part(0, u64::MAX));
    }

    proptest! {
        #[test]
        fn within_the_file(field in "bytes=[0-9-]{0,24}", len: u64) {
            if let Range::Part { start, end } = Range::new(field.as_bytes(), len) {
                prop_assert!(start < end && end <= len);
            }
        }
    }
}
