//! Choices out of bytes: what is generated is a function of them, so that fewer and smaller bytes are a smaller case.
//!
//! A byte of 0, and a byte that is not there any more, choose the first and simplest.

/// Bytes that are used up one by one.
#[derive(Debug)]
pub struct Draw<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Draw<'a> {
    pub fn new(bytes: &'a [u8]) -> Draw<'a> {
        Draw { bytes: bytes.iter() }
    }

    fn next(&mut self) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or(0))
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.next() * end / 256
    }

    /// The same as a tag of a value.
    pub fn tag(&mut self, end: u8) -> u8 {
        u8::try_from(self.below(usize::from(end))).expect("below a small number")
    }

    /// True in this many of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.next() * 100 / 256 >= 100 - percent
    }

    /// One of these, each as often as its weight says.
    pub fn pick<T: Copy>(&mut self, from: &[(usize, T)]) -> T {
        let mut left = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in from {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        panic!("BUG: the weights are no sum of themselves")
    }
}
