//! Salts: each is valid for its life, the next from half of it on.

use super::{
    crypto::sha1,
    world::{Key, World},
};

impl World {
    /// The number of a key's present salt, counted from its making.
    fn turn(&self, key: &Key) -> i64 {
        let half = (self.settings.salt_life.as_secs() / 2).max(1) as i64;
        ((self.now_s() - key.made_s) / half).max(0)
    }

    fn salt(key: &Key, turn: i64) -> i64 {
        if turn == 0 {
            return key.first_salt;
        }
        let sha = sha1(&[&key.bytes[..], &turn.to_le_bytes()]);
        let mut eight = [0; 8];
        eight.copy_from_slice(&sha[..8]);
        i64::from_le_bytes(eight)
    }

    /// Salts from now on: since, until, salt.
    pub(super) fn salts(&self, key: &Key, count: usize) -> Vec<(i32, i32, i64)> {
        let (turn, half) = (self.turn(key), (self.settings.salt_life.as_secs() / 2).max(1) as i64);
        let one = |n: i64| {
            let since = key.made_s + n * half;
            (since as i32, (since + 2 * half) as i32, Self::salt(key, n))
        };
        (turn..turn + count.clamp(1, 64) as i64).map(one).collect()
    }

    /// True for a salt that may be used now.
    pub(super) fn salt_fits(&self, key: &Key, salt: i64) -> bool {
        let turn = self.turn(key);
        salt == Self::salt(key, turn) || turn > 0 && salt == Self::salt(key, turn - 1)
    }
}
