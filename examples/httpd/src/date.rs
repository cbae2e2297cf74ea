//! Dates as HTTP writes them, `Sun, 06 Nov 1994 08:49:37 GMT`, and as it reads them: in two obsolete forms as well,
//! `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
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

/// The seconds since 1970 of a date in any of the three forms. The words count, not what stands between them.
///
/// A year of two digits is the last one with these digits that is no more than 50 years after `now`.
pub fn parse(text: &[u8], now: u64) -> Option<u64> {
    let mut words = [[].as_slice(); 7];
    let all = text.split(|byte| b" ,-".contains(byte)).filter(|word| !word.is_empty());
    for (place, word) in words.iter_mut().zip(all) {
        *place = word;
    }
    let (name, day, month, year, time) = match words {
        [name, day, month, year, time, b"GMT", b""] => (name, day, month, year, time),
        [name, month, day, time, year, b"", b""] => (name, day, month, year, time),
        _ => return None,
    };
    let mut parts = time.split(|&byte| byte == b':').map(number);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let month = MONTHS.iter().position(|name| month == *name)? as u64 + 1;
    let (day, digits) = (number(day)?, number(year)?);
    let last = civil(now / 86_400).0 + 50;
    let year = if year.len() == 2 { last - (last + 100 - digits) % 100 } else { digits };
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 || year < 1970 || day == 0 {
        return None;
    }
    let days = days(year, month, day);
    let weekday = DAYS.get(days as usize % 7)?;
    // A day that its month does not have is one of the next month.
    let right = civil(days) == (year, month, day) && name.starts_with(*weekday);
    right.then_some(days * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

fn number(digits: &[u8]) -> Option<u64> {
    if !matches!(digits.len(), 1..=4) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
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
            assert_eq!(parse(text.as_bytes(), 0), Some(seconds));
        }
        assert_eq!(format(u64::MAX), format(MAX));
    }

    #[test]
    fn obsolete_forms() {
        let now = 1_767_225_600; // the first second of 2026
        for text in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"] {
            assert_eq!(parse(text.as_bytes(), now), Some(784_111_777), "{text}");
        }
        for (text, year) in [
            ("Wednesday, 01-Jan-76 00:00:00 GMT", 2076),
            ("Saturday, 01-Jan-77 00:00:00 GMT", 1977),
            ("Saturday, 01-Jan-00 00:00:00 GMT", 2000),
            ("Friday, 01-Jan-99 00:00:00 GMT", 1999),
        ] {
            assert_eq!(parse(text.as_bytes(), now), Some(days(year, 1, 1) * 86_400), "{text}");
        }
        // From the year 1999, the year 05 is soon.
        assert_eq!(parse(b"Saturday, 01-Jan-05 00:00:00 GMT", 915_148_800), Some(days(2005, 1, 1) * 86_400));
    }

    #[test]
    fn not_dates() {
        for text in [
            "",
            "GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 08:49:+7 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
            "Monday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994 x",
            "Sun Nov  6 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Wed, 30 Feb 2000 00:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse(text.as_bytes(), 0), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn back_and_forth(seconds in 0..=MAX) {
            prop_assert_eq!(parse(&format(seconds), 0), Some(seconds));
        }

        #[test]
        fn any_words(
            text in "(Sun|Mon|Friday)?[ ,][0-9a]{1,4}[ -](Feb|Dec|06)[ -][0-9]{2,4} [0-9]{1,2}:[0-9:]{1,5} (GMT|[0-9]{2,4})?",
            now: u64,
        ) {
            if let Some(seconds) = parse(text.as_bytes(), now) {
                prop_assert_eq!(parse(&format(seconds), 0), Some(seconds));
            }
        }
    }
}
