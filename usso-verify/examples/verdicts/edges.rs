//! Signatures at the edges of what their numbers may be, in whole tokens.

use usso_verify::Algorithm;

use crate::keys::{KID, b64, unb64};

/// Signs a message, always with the key of one algorithm.
pub(crate) type Sign<'s> = &'s dyn Fn(&[u8]) -> Vec<u8>;

/// Makes tokens out of good ones. `modulus` is that of an RSA key.
pub(crate) fn tokens(algorithm: Algorithm, modulus: Option<&str>, sign: Sign<'_>) -> Vec<String> {
    let good = |number: u32| {
        let message = message(algorithm, number);
        let signature = sign(message.as_bytes());
        (message, signature)
    };
    let mut tokens = Vec::new();
    let (message, signature) = good(0);
    for changed in resized(&signature).into_iter().chain([signature.clone()]) {
        tokens.push(compact(&message, &changed));
    }
    match (algorithm, modulus) {
        (Algorithm::Es256 | Algorithm::Es384, _) => {
            let order = if algorithm == Algorithm::Es256 { P256 } else { P384 };
            let order = hex(order);
            tokens.extend(numbers(&signature, &order).iter().map(|them| compact(&message, them)));
        }
        (_, Some(modulus)) => {
            let more = (1..10_000).map(good).find_map(|(message, signature)| {
                Some((message, sum(&signature, &unb64(modulus))?))
            });
            let (message, more) = more.unwrap();
            tokens.push(compact(&message, &more));
        }
        _ => {}
    }
    // Every 128th or 256th signature starts with a zero: as it is, and without it.
    let (message, signature) =
        (1..10_000).map(good).find(|(_, signature)| signature[0] == 0).unwrap();
    tokens.push(compact(&message, &signature));
    tokens.push(compact(&message, &signature[1..]));
    tokens.push(compact(&message, &[&signature[1..], &[0]].concat()));
    tokens
}

fn message(algorithm: Algorithm, number: u32) -> String {
    let alg = algorithm.as_str();
    let header = format!(r#"{{"alg":"{alg}","kid":"{KID}","typ":"at+jwt"}}"#);
    let claims = format!(
        r#"{{"iss":"https://sso.example","sub":"user:1","aud":"api","exp":4000000000,{}"jti":"e{number}"}}"#,
        r#""iat":1750000000,"token_type":"access","#,
    );
    format!("{}.{}", b64(header), b64(claims))
}

fn compact(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", b64(signature))
}

/// Shorter and longer ones, with zeros and without.
fn resized(signature: &[u8]) -> Vec<Vec<u8>> {
    let half = signature.len() / 2;
    vec![
        [&[0], signature].concat(),
        [&[0, 0], signature].concat(),
        [signature, &[0]].concat(),
        [signature, signature].concat(),
        [&[0], &signature[..half], &[0], &signature[half..]].concat(),
        signature[1..].to_vec(),
        signature[..half].to_vec(),
        signature[..1].to_vec(),
        vec![0],
        vec![0; 2048],
        vec![0xff; signature.len()],
    ]
}

/// The two numbers of an ECDSA signature, zero, one, the order of the group and next to it.
fn numbers(signature: &[u8], order: &[u8]) -> Vec<Vec<u8>> {
    let size = order.len();
    let (r, s) = signature.split_at(size);
    let small = |number: u8| [&vec![0; size - 1][..], &[number]].concat();
    let mut below = order.to_vec();
    below[size - 1] -= 1;
    let odd = [r.to_vec(), s.to_vec(), small(0), small(1), order.to_vec(), below, vec![0xff; size]];
    let pairs = odd.iter().flat_map(|r| odd.iter().map(move |s| [&r[..], s].concat()));
    pairs.collect()
}

/// The sum of two big-endian numbers of one length; nothing if it does not fit.
fn sum(number: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0;
    let mut sum: Vec<u8> = number
        .iter()
        .zip(other)
        .rev()
        .map(|(one, two)| {
            carry = (carry >> 8) + u16::from(*one) + u16::from(*two);
            carry.to_le_bytes()[0]
        })
        .collect();
    sum.reverse();
    (carry < 0x100 && number.len() == other.len()).then_some(sum)
}

fn hex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

const P256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P384: &str = "ffffffffffffffffffffffffffffffffffffffffffffffff\
                    c7634d81f4372ddf581a0db248b0a77aecec196accc52973";
