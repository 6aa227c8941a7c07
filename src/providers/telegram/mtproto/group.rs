//! The Diffie-Hellman group: checked before it is used, for the key exchange and for the password alike.

use grammers_crypto::two_factor_auth::check_p_and_g;
use num_bigint::BigUint;

/// The prime that Telegram's servers send (core.telegram.org/mtproto/auth_key; also gotd's and TDLib's tests). A test proves it safe, so that
/// it need not be proven for each connection: that takes seconds in a debug build.
pub(super) const PRIME: [u8; 256] = hex(
    b"c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
);

/// Checks prime and generator: 2048 bits, a safe prime, and `g` generates the subgroup of order (p-1)/2. May take seconds for a
/// prime that is not [`PRIME`]: not for a runtime's thread.
pub(super) fn sound(prime: &[u8], g: i32) -> bool {
    if !(2..=7).contains(&g) || prime.len() != 256 || prime[0] & 0x80 == 0 {
        // grammers panics on another g.
        return false;
    }
    if prime == PRIME {
        // p mod 8 = 3, p mod 3 = 2, p mod 5 = 3, p mod 24 = 11, p mod 7 = 6: only 3, 4, 7 fit.
        return matches!(g, 3 | 4 | 7);
    }
    check_p_and_g(prime, &g)
}

/// True when a number of the other side lies where it may: both distances from the ends at least 2^1984.
pub(super) fn in_range(value: &BigUint, prime: &BigUint) -> bool {
    let margin = BigUint::from(1u8) << (2048 - 64);
    *value > margin && margin < *prime && *value < prime - &margin
}

const fn hex(text: &[u8; 512]) -> [u8; 256] {
    const fn digit(c: u8) -> u8 {
        if c.is_ascii_digit() { c - b'0' } else { c - b'a' + 10 }
    }
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        out[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
        i += 1;
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_known_prime_is_a_safe_one_and_fits_exactly_the_generators_that_the_shortcut_allows() {
        for g in 2..=7 {
            assert_eq!(check_p_and_g(&PRIME, &g), sound(&PRIME, g), "g = {g}");
        }
    }

    #[test]
    fn a_group_that_is_not_sound_is_refused_and_nothing_panics() {
        let mut other = PRIME;
        other[255] ^= 2;
        assert!(!sound(&other, 3), "no prime");
        assert!(!sound(&PRIME[1..], 3), "too short");
        for g in [-1, 0, 1, 8, i32::MAX] {
            assert!(!sound(&PRIME, g), "g = {g}");
        }
    }
}
