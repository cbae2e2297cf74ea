//! Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`.
//!
//! # References
//! - [RFC 9110, section 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"]; // from 1 January 1970 on
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// The last second of the year 9999.
const MAX: u64 = 253_402_300_799;

/// The date of a number of seconds since 1970; of the year 9999 at the latest.
pub fn format(seconds: u64) -> [u8; 29] {
    let seconds = seconds.min(MAX);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let name = DAYS.get(days as usize % 7).copied().unwrap_or(b"Thu");
    text[..3].copy_from_slice(name);
    two(&mut text, 5, day);
    text[8..11].copy_from_slice(MONTHS.get(month as usize - 1).copied().unwrap_or(b"Jan"));
    two(&mut text, 12, year / 100);
    two(&mut text, 14, year % 100);
    two(&mut text, 17, time / 3600);
    two(&mut text, 20, time / 60 % 60);
    two(&mut text, 23, time % 60);
    text
}

fn two(text: &mut [u8; 29], at: usize, number: u64) {
    text[at] = b'0' + (number / 10) as u8;
    text[at + 1] = b'0' + (number % 10) as u8;
}

/// The seconds since 1970 of a date in just this form. The two obsolete forms are not read: who sends them gets the file.
pub fn parse(text: &[u8]) -> Option<u64> {
    let number = |at: usize, len: usize| {
        text.get(at..at + len)?
            .iter()
            .try_fold(0, |number: u64, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
    };
    let month = MONTHS.iter().position(|name| text.get(8..11) == Some(name.as_slice()))? as u64 + 1;
    let (day, year) = (number(5, 2)?, number(12, 4)?);
    let (hours, minutes, seconds) = (number(17, 2)?, number(20, 2)?, number(23, 2)?);
    if year < 1970 || day == 0 || hours > 23 || minutes > 59 {
        return None;
    }
    let time = (days(year, month, day) * 24 + hours) * 3600 + minutes * 60 + seconds;
    // All that was not looked at: the day's name, the punctuation, and numbers out of their range.
    (format(time) == text).then_some(time)
}

/// Days from 1 January 1970 on to year, month, day. The year starts in March, so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 1 March of the year 0
    let (era, day) = (days / 146_097, days % 146_097); // of 400 years
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The inverse, for years from 1970 on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let month = (month + 9) % 12;
    let (era, year) = (year / 400, year % 400);
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(format(seconds), text.as_bytes());
            assert_eq!(parse(text.as_bytes()), Some(seconds));
        }
        assert_eq!(format(u64::MAX), format(MAX));
    }

    #[test]
    fn not_dates() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Wed, 30 Feb 2000 00:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn back_and_forth(seconds in 0..=MAX) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn any_bytes(text: [u8; 29]) {
            if let Some(seconds) = parse(&text) {
                prop_assert_eq!(format(seconds), text);
            }
        }
    }
}
