//! Shamir's secret sharing over GF(2^8): any `threshold` of the shares give the secret, fewer give nothing.
//!
//! Each byte of the secret is the value at zero of a random polynomial of degree `threshold - 1`; a share has the values at one
//! point. The field is AES's (polynomial x^8 + x^4 + x^3 + x + 1). Source: A. Shamir, *How to share a secret*, 1979.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Values of the polynomials at `point`.
pub(crate) struct Points {
    /// Never zero.
    pub point: u8,
    pub values: Zeroizing<[u8; 32]>,
}

/// As many shares as `count`, at the points from 1 on. Nothing if the numbers make no sense, or there is no randomness.
pub(crate) fn split(secret: &[u8; 32], threshold: u8, count: u8) -> Option<Vec<Points>> {
    if threshold == 0 || threshold > count {
        return None;
    }
    // The coefficients above the constant one, each for all bytes.
    let mut coefficients = Vec::new();
    for _ in 1..threshold {
        let mut coefficient = Zeroizing::new([0; 32]);
        rand::fill(coefficient.as_mut()).ok()?;
        coefficients.push(coefficient);
    }
    let share = |point: u8| {
        // Horner's rule, from the highest coefficient down.
        let mut values = Zeroizing::new([0; 32]);
        for coefficient in coefficients
            .iter()
            .rev()
            .map(|coefficient| &**coefficient)
            .chain([secret])
        {
            for (value, coefficient) in values.iter_mut().zip(coefficient) {
                *value = multiply(*value, point) ^ coefficient;
            }
        }
        Points { point, values }
    };
    Some((1..=count).map(share).collect())
}

/// The secret, if these are enough shares of it; otherwise some other bytes. Nothing if a point stands twice.
pub(crate) fn join(shares: &[&Points]) -> Option<Zeroizing<[u8; 32]>> {
    let mut secret = Zeroizing::new([0; 32]);
    for share in shares {
        // Lagrange's basis polynomial of this point, at zero.
        let mut weight = 1;
        for other in shares.iter().filter(|other| !std::ptr::eq(**other, *share)) {
            let difference = other.point ^ share.point;
            if difference == 0 {
                return None;
            }
            weight = multiply(weight, multiply(other.point, invert(difference)));
        }
        for (byte, value) in secret.iter_mut().zip(share.values.iter()) {
            *byte ^= multiply(*value, weight);
        }
    }
    Some(secret)
}

/// In the field; the time depends on neither.
fn multiply(one: u8, other: u8) -> u8 {
    let (mut product, mut shifted) = (0, one);
    for bit in 0..8 {
        let mask = 0_u8.wrapping_sub((other >> bit) & 1);
        product ^= shifted & mask;
        let overflow = 0_u8.wrapping_sub(shifted >> 7);
        shifted = (shifted << 1) ^ (0x1b & overflow);
    }
    product
}

/// x^254 is 1/x.
fn invert(number: u8) -> u8 {
    let mut power = number;
    let mut inverse = 1;
    for _ in 1..8 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for number in 1..=255 {
            assert_eq!(multiply(number, invert(number)), 1);
        }
    }

    #[test]
    fn any_enough_shares_give_the_secret() {
        let secret: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
        let shares = split(&secret, 3, 5).unwrap();
        for one in 0..5 {
            for two in 0..5 {
                for three in 0..5 {
                    let chosen = [&shares[one], &shares[two], &shares[three]];
                    let joined = join(&chosen);
                    if one == two || two == three || one == three {
                        // The same share twice is one share.
                        assert!(joined.is_none_or(|joined| *joined != secret));
                    } else {
                        assert_eq!(*joined.unwrap(), secret);
                    }
                }
            }
        }
        assert_ne!(*join(&[&shares[0], &shares[1]]).unwrap(), secret);
        assert_eq!(*join(&shares.iter().collect::<Vec<_>>()).unwrap(), secret);
        assert_eq!(*join(&[&split(&secret, 1, 1).unwrap()[0]]).unwrap(), secret);
        for (threshold, count) in [(0, 3), (4, 3)] {
            assert!(split(&secret, threshold, count).is_none());
        }
    }

    #[test]
    fn fewer_shares_say_nothing() {
        // One of two shares of zeroes is as random as one of anything else.
        let ones = (0..200).map(|_| split(&[0; 32], 2, 2).unwrap()[0].values[0]);
        let different: std::collections::BTreeSet<_> = ones.collect();
        assert!(different.len() > 80, "{}", different.len());
    }
}
