//! Numbers from a printed seed, so that a round can be run again.

/// SplitMix64 (Steele, Lea, Flood 2014): every seed is a good one.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// From `ENACT_KILL_SEED`, else from the clock; gives the seed too, to be printed.
    pub fn seeded() -> (u64, Random) {
        let given =
            std::env::var("ENACT_KILL_SEED").ok().map(|text| text.parse().expect("ENACT_KILL_SEED is a number"));
        let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
        let seed = given.unwrap_or_else(clock);
        (seed, Random::new(seed))
    }

    /// The numbers of one round: they do not depend on how many the rounds before it took.
    pub fn round(&self, round: u64) -> Random {
        let mut random = Random(self.0 ^ round.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("a small number")]
    }
}
