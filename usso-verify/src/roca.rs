//! The fingerprint of RSA keys made by a broken generator (ROCA, CVE-2017-15361).
//!
//! The generator drew primes of the form k·M + (65537^a mod M), where M is a product of the first
//! primes. Such a modulus is a power of 65537 modulo every prime that divides M; that of a sound
//! generator is, for all of them at once, with probability 2^-30.
//!
//! # Security
//!
//! A key of that form can be factored from its public half alone.

/// Says whether a modulus, big-endian, bears the fingerprint.
pub(crate) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| is_power_of_f4(remainder(modulus, prime), prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, &byte| (rest << 8 | u32::from(byte)) % prime)
}

/// Walks once through the powers of 65537 modulo `prime`: at most `prime - 1` of them.
fn is_power_of_f4(rest: u32, prime: u32) -> bool {
    let next = |power: u32| power * (65_537 % prime) % prime;
    let later = std::iter::successors(Some(next(1)), |&power| Some(next(power)));
    rest == 1 || later.take_while(|&power| power != 1).any(|power| power == rest)
}

/// The odd primes that divide M for the shortest keys; M for longer keys has them, too.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

#[cfg(test)]
mod tests {
    use super::{PRIMES, has_fingerprint, is_power_of_f4, remainder};

    /// 65537^exponent, big-endian: a power of 65537 modulo every prime there is.
    fn power(exponent: usize) -> Vec<u8> {
        let mut little = vec![1_u8];
        for _ in 0..exponent {
            let shifted = [&[0, 0], little.as_slice()].concat();
            let (mut sum, mut carry) = (Vec::new(), 0);
            for (at, byte) in shifted.iter().enumerate() {
                carry += u16::from(*byte) + u16::from(*little.get(at).unwrap_or(&0));
                sum.push(carry.to_le_bytes()[0]);
                carry >>= 8;
            }
            little = sum;
        }
        little.into_iter().rev().collect()
    }

    #[test]
    fn every_power_of_65537_bears_the_fingerprint() {
        assert_eq!(power(2), [1, 0, 2, 0, 1]);
        for exponent in (0..16).chain([128, 129, 200, 255]) {
            assert!(has_fingerprint(&power(exponent)), "{exponent}");
        }
    }

    #[test]
    fn a_modulus_beside_a_power_of_65537_does_not_bear_it() {
        for exponent in 128..192 {
            let mut modulus = power(exponent);
            *modulus.last_mut().unwrap() ^= 2;
            assert!(!has_fingerprint(&modulus), "{exponent}");
        }
    }

    #[test]
    fn one_prime_that_does_not_fit_is_enough() {
        let fits = |number: u32| -> usize {
            let bytes = number.to_be_bytes();
            PRIMES.iter().filter(|&&prime| is_power_of_f4(remainder(&bytes, prime), prime)).count()
        };
        let best = (65_538..70_000).map(fits).max().unwrap();
        assert!((20..PRIMES.len()).contains(&best), "{best}");
    }

    #[test]
    fn a_remainder_is_that_of_the_whole_number() {
        for prime in PRIMES {
            for number in [0, 1, 166, 167, 65_537, u32::MAX] {
                assert_eq!(remainder(&number.to_be_bytes(), prime), number % prime);
            }
        }
    }

    #[test]
    fn the_powers_of_65537_are_a_subgroup() {
        let powers = |prime| (0..prime).filter(|&rest| is_power_of_f4(rest, prime)).count();
        assert_eq!([3, 5, 11, 13, 37].map(powers), [2, 4, 2, 6, 3]);
        for prime in PRIMES {
            assert_eq!((prime as usize - 1) % powers(prime), 0, "{prime}");
        }
    }
}
