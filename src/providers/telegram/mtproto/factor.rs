//! The two prime factors of the number that a server sends to be factored. It comes unauthenticated, from anybody who answers on the
//! port: grammers-crypto 0.11 factors for ever when it is small (9) and panics after five tries when it is a square, so that it is
//! not asked.

/// Steps of one try. A factor below 2^32 is met after some 2^16.
const STEPS: u32 = 1 << 19;
/// Steps whose differences are looked at together.
const BATCH: u32 = 128;
/// Tries, each with another sequence.
const TRIES: u64 = 8;

/// The factors, the smaller one first; `None` when it is not the product of two different odd primes below 2^32.
pub(super) fn factors(pq: u64) -> Option<(u64, u64)> {
    // A square has no second factor to find, and a prime none at all: either would be looked for in vain.
    if pq < 15 || pq.is_multiple_of(2) || pq >= 1 << 63 || pq.isqrt().pow(2) == pq || prime(pq) {
        return None;
    }
    let p = (1..=TRIES).find_map(|c| rho(pq, c))?;
    let (p, q) = (p.min(pq / p), p.max(pq / p));
    (q < 1 << 32 && prime(p) && prime(q)).then_some((p, q))
}

/// Pollard's rho with `x² + c` and Floyd's cycle; differences are multiplied up, so that a gcd is needed once a batch.
fn rho(n: u64, c: u64) -> Option<u64> {
    let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let next = |x: u64| ((u128::from(x) * u128::from(x) + u128::from(c)) % u128::from(n)) as u64;
    let (mut slow, mut fast) = (2, 2);
    for _ in 0..STEPS / BATCH {
        let began = (slow, fast);
        let mut product = 1;
        for _ in 0..BATCH {
            (slow, fast) = (next(slow), next(next(fast)));
            product = mul(product, slow.abs_diff(fast));
        }
        if gcd(product, n) == 1 {
            continue;
        }
        // It lies in this batch: step by step, so that two factors met in one batch are told apart.
        (slow, fast) = began;
        for _ in 0..BATCH {
            (slow, fast) = (next(slow), next(next(fast)));
            match gcd(slow.abs_diff(fast), n) {
                1 => {}
                found => return (found != n).then_some(found),
            }
        }
    }
    None
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// True for a prime (Miller-Rabin with bases that decide every 64-bit number).
fn prime(n: u64) -> bool {
    let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let pow = |mut base: u64, mut e: u64| {
        let mut out = 1;
        while e > 0 {
            if e & 1 == 1 {
                out = mul(out, base);
            }
            base = mul(base, base);
            e >>= 1;
        }
        out
    };
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|b| n.is_multiple_of(*b)) {
        return BASES.contains(&n);
    }
    let (s, d) = ((n - 1).trailing_zeros(), (n - 1) >> (n - 1).trailing_zeros());
    BASES.iter().all(|b| {
        let mut x = pow(*b, d);
        if x == 1 || x == n - 1 {
            return true;
        }
        (1..s).any(|_| {
            x = mul(x, x);
            x == n - 1
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_told_from_products() {
        for p in [2u64, 3, 37, 41, 65_537, 4_294_967_291, 18_446_744_073_709_551_557] {
            assert!(prime(p), "{p}");
        }
        for c in [1u64, 4, 1369, 561, 3_215_031_751, 4_294_967_291 * 3, 0x1546_9f94_2a11_278d] {
            assert!(!prime(c), "{c}");
        }
    }

    #[test]
    fn the_numbers_that_telegram_sends_are_factored() {
        // core.telegram.org/mtproto/samples-auth_key, and the one that grammers recorded.
        assert_eq!(factors(0x17ed_4894_1a08_f981), Some((0x494c_553b, 0x5391_1073)));
        assert_eq!(factors(0x1954_6f94_2a11_278d), Some((0x44b2_e50d, 0x5e63_ac81)));
    }

    #[test]
    fn any_two_primes_below_2_to_32_are_found() {
        let primes: Vec<u64> = (1u64 << 30..).step_by(99_991 * 3).map(|n| (n | 1..).step_by(2).find(|n| prime(*n)).unwrap()).take(40).collect();
        for pair in primes.windows(2) {
            assert_eq!(factors(pair[0] * pair[1]), Some((pair[0], pair[1])));
        }
    }

    #[test]
    fn a_number_that_cannot_be_a_servers_is_refused_and_not_factored_for_ever() {
        let p = 2_147_483_647;
        for n in [0, 1, 3, 4, 9, 25, 49, p, p * p, 1 << 62, u64::MAX, 3 * 5 * 7, (1 << 63) - 25, 4_294_967_311 * 3] {
            assert_eq!(factors(n), None, "{n}");
        }
    }
}
