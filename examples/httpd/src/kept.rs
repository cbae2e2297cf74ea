//! Where a connection puts aside what it keeps from one event to the next.

use core::ops::Range;

use crate::{head, request};

/// The bytes that connection `id` has among those of all, and uses only if it has to.
///
/// They are whole pages of `page` bytes: the kernel takes back whole pages, and none may hold what another connection keeps.
/// At their start are bytes that came in and are not parsed yet. At their end is a head that is not sent yet. A query is in
/// one of the two.
pub fn pages(id: u32, page: usize) -> Range<usize> {
    let size = (request::MAX_HEAD + head::MAX_PLAIN).next_multiple_of(page);
    let start = id as usize * size;
    start..start + size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_is_shared() {
        for page in [4096, 16 << 10, 64 << 10, 256 << 10] {
            let mut end = 0;
            for id in 0..100 {
                let pages = pages(id, page);
                assert_eq!((pages.start % page, pages.end % page), (0, 0), "{id}, {page}");
                assert_eq!(pages.start, end, "{id}, {page}");
                assert!(pages.len() >= request::MAX_HEAD + head::MAX_PLAIN);
                end = pages.end;
            }
        }
    }
}
