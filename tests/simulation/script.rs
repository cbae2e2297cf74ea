//! A case of any size and a script for it, both read from bytes: random ones in the simulation, the fuzzer's in fuzz/.

use std::sync::LazyLock;

use bare_sendfile::{Count, Errno, Error, IoSlice, Step};

use crate::model::{Answer, Case, Sink, World};

/// Reads bytes as choices; 0 without end after the last.
pub(crate) struct Choices<'b>(pub(crate) &'b [u8]);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte.into()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() % of.len()]
    }

    /// A number up to `most`; small ones, large ones and those between.
    fn up_to(&mut self, most: usize) -> usize {
        match self.next() {
            0 => most,
            byte @ 1..=127 => byte.min(most),
            byte @ 128..=191 => most.saturating_sub(byte - 128),
            byte => (most as u128 * (byte as u128 - 191) / 65) as usize,
        }
    }

    fn errno(&mut self) -> Errno {
        const USUAL: [Errno; 8] = [
            Errno::EAGAIN,
            Errno::EINTR,
            Errno::EINVAL,
            Errno::ENOSYS,
            Errno::EPERM,
            Errno::ESPIPE,
            Errno::EPIPE,
            Errno::EIO,
        ];
        match self.next() {
            byte @ 0..=127 => USUAL[byte % USUAL.len()],
            byte => Errno::from_raw_os_error((byte << 8 | self.next()) as i32 % 4095 + 1).unwrap(),
        }
    }

    /// Slices whose bytes follow from their place in the list.
    fn list(&mut self) -> Vec<IoSlice<'static>> {
        static DATA: LazyLock<Vec<u8>> =
            LazyLock::new(|| (0..9 * 4000_u32).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect());
        let slices = self.one(&[0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 9, 1025, 2050]);
        let pattern = [self.len(), self.len(), self.len()];
        let mut at = 0;
        (0..slices)
            .map(|i| {
                let len = if slices > 1000 { pattern[i % 3] % 4 } else { pattern[i % 3] };
                at += len;
                IoSlice::new(&DATA[at - len..at])
            })
            .collect()
    }

    fn len(&mut self) -> usize {
        self.one(&[0, 1, 3, 100, 1460, 4000])
    }
}

/// Every length and offset that somewhere is a limit.
pub(crate) const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    100,
    4095,
    4096,
    8 << 10,
    (8 << 10) + 1,
    // pages of the file that fill a segment, with the lists and without
    13 << 12,
    14 << 12,
    15 << 12,
    16 << 12,
    17 << 12,
    2 << 20,
    (2 << 20) + 1,
    0x7fff_f000,
    0x7fff_f001,
    5 << 30,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
];

/// Reads a case and runs it; the number of steps.
pub(crate) fn run(bytes: &[u8]) -> u32 {
    let mut choices = Choices(bytes);
    let headers = choices.list();
    let trailers = choices.list();
    let start = choices.one(&NUMBERS);
    let body = choices.one(&NUMBERS);
    let count = match choices.next() {
        0..=63 => Count::ToEnd,
        64..=127 => Count::Bytes(body.saturating_sub(1)),
        128..=191 => Count::Bytes(body),
        _ => Count::Bytes(choices.one(&[body + 1, body + 5000, u64::MAX])),
    };
    let output = choices.one(&Sink::ALL);
    let file = start.saturating_add(body).min(i64::MAX as u64);
    let case = Case {
        headers: &headers,
        file,
        stated: match choices.next() {
            0..=191 => file,
            192..=223 => 0,
            _ => choices.one(&NUMBERS).min(file),
        },
        trailers: &trailers,
        start,
        at_position: choices.next() % 4 == 3,
        count,
        cap: choices.one(&NUMBERS) as usize,
        small: choices.one(&NUMBERS) as usize,
        lent: choices.one(&NUMBERS) as usize,
        copying: choices.next() % 4 == 3,
        output,
        known: choices.next() % 4 == 3,
    };
    drive(&case, choices, bytes.len() as u32 + 20)
}

/// Runs a case; the number of steps. When the script is at its end all goes well, but a file of 8 EiB is not waited for.
pub(crate) fn drive(case: &Case<'_>, mut choices: Choices<'_>, most_steps: u32) -> u32 {
    let mut world = World::new(case);
    for steps in 0..most_steps {
        let step = match world.next() {
            Ok(Some(step)) => step,
            Ok(None) => {
                world.leave();
                return steps;
            }
            Err(Error::NotAStream(_)) => {
                world.leave();
                return steps;
            }
            Err(_) => {
                world.lend(usize::MAX);
                continue;
            }
        };
        let most = world.most(&step);
        let answer = match choices.next() {
            0..=79 if World::moves(&step) => Answer::Moves(most),
            80..=159 if most > 0 => Answer::Moves(choices.up_to(most - 1) + 1),
            160..=191 => Answer::Fails(0, choices.errno()),
            192..=219 => Answer::Fails(choices.up_to(most), choices.errno()),
            220..=225 if World::moves(&step) => Answer::Moves(0),
            220..=225 if matches!(step, Step::Identify) => Answer::NotAStream(choices.one(&[0, 2, 3, 5])),
            226..=239 => {
                world.leave();
                continue;
            }
            240..=244 => {
                world.turn_cork();
                continue;
            }
            245..=255 => {
                world.lend(choices.one(&NUMBERS) as usize);
                continue;
            }
            _ if World::moves(&step) => Answer::Moves(most),
            _ => Answer::Honest,
        };
        match world.perform(&step, answer) {
            Err(Error::Truncated { .. } | Error::Stuck) if choices.0.is_empty() => {
                world.leave();
                return steps;
            }
            // (That of a read is the input's.)
            Err(Error::Errno(Errno::EAGAIN)) if !matches!(step, Step::AtEnd { .. }) && choices.next() % 2 == 1 => {
                world.leave_full();
            }
            Err(_) if choices.next() % 2 == 1 => world.leave(),
            _ => {}
        }
    }
    world.leave();
    most_steps
}
