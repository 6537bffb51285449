//! Arguments of calls as words: how a call's fields cross the boundary, and come back as types.

use core::slice::{Iter, IterMut};

use crate::{Acceptance, EpollOperation, HostFd, MessageKind, PageRange, Protection, Queue, Wait, Wanted};

/// Words that the arguments of a call have room for.
pub(crate) const ARGUMENT_WORDS: usize = 6;

/// A field of a call.
pub(crate) trait Argument: Copy {
    /// How many words it takes.
    const WORDS: usize;

    /// Writes its words. The table of calls checks at compile time that there is room for them.
    fn put(self, words: &mut IterMut<'_, u64>);

    /// Reads its words; `None` when they mean nothing.
    fn take(words: &mut Iter<'_, u64>) -> Option<Self>;
}

/// A field that is one word.
trait Word: Copy {
    fn to_word(self) -> u64;

    fn from_word(word: u64) -> Option<Self>;
}

impl<T: Word> Argument for T {
    const WORDS: usize = 1;

    fn put(self, words: &mut IterMut<'_, u64>) {
        if let Some(place) = words.next() {
            *place = self.to_word();
        }
    }

    fn take(words: &mut Iter<'_, u64>) -> Option<Self> {
        words.next().copied().and_then(Self::from_word)
    }
}

impl Argument for PageRange {
    const WORDS: usize = 2;

    fn put(self, words: &mut IterMut<'_, u64>) {
        self.start().put(words);
        self.len().put(words);
    }

    fn take(words: &mut Iter<'_, u64>) -> Option<Self> {
        Self::new(u64::take(words)?, u64::take(words)?)
    }
}

impl Word for u64 {
    fn to_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(word)
    }
}

impl Word for u32 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for u16 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for u8 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for usize {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for bool {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        match word {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Word for HostFd {
    fn to_word(self) -> u64 {
        self.raw().into()
    }

    fn from_word(word: u64) -> Option<Self> {
        Self::from_raw(word)
    }
}

impl Word for Wait {
    fn to_word(self) -> u64 {
        self.raw()
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(Self::nanoseconds(word))
    }
}

impl Word for Protection {
    fn to_word(self) -> u64 {
        self.bits().into()
    }

    fn from_word(word: u64) -> Option<Self> {
        Self::from_bits(word)
    }
}

impl Word for Acceptance {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        Self::from_raw(word)
    }
}

impl Word for MessageKind {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u64 == word)
    }
}

impl Word for EpollOperation {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        [Self::Add, Self::Delete, Self::Modify]
            .into_iter()
            .find(|&operation| operation as u64 == word)
    }
}

impl Word for Queue {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        [Self::Unread, Self::Unsent, Self::AtMark]
            .into_iter()
            .find(|&queue| queue as u64 == word)
    }
}

impl Word for Wanted {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Option<Self> {
        [Self::Data, Self::Message, Self::Control]
            .into_iter()
            .find(|&wanted| wanted as u64 == word)
    }
}
