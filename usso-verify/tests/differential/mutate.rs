//! Good tokens and what can be done to them. Everything follows from the seed.

use usso_verify::Algorithm;

use super::keys::{ALGORITHMS, KID, Signers, b64, unb64};

pub(crate) const NOW: u64 = 1_750_000_000;
pub(crate) const ISSUER: &str = "https://sso.example";
pub(crate) const AUDIENCE: &str = "api";

/// A token to compare verdicts on, and the algorithm of the key it is judged with.
pub(crate) struct Mutant {
    pub(crate) token: String,
    pub(crate) algorithm: Algorithm,
}

impl Mutant {
    /// Says whether a peer in plain Rust takes long over it.
    pub(crate) fn slow(&self) -> bool {
        self.algorithm != Algorithm::EdDsa
    }
}

/// JSON members in order: names and values as they are spelt.
type Members = Vec<(String, String)>;

pub(crate) struct Mutator {
    random: u64,
    signers: Signers,
    good: [String; 3],
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        let signers = Signers::new();
        let good = ALGORITHMS.map(|algorithm| {
            let (header, claims) = (b64(object(&header(algorithm))), b64(object(&claims())));
            sign(&signers, algorithm, &format!("{header}.{claims}"))
        });
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, signers, good }
    }

    /// Makes the next token.
    pub(crate) fn next(&mut self) -> Mutant {
        let place = [0, 0, 0, 0, 0, 1, 1, 2][self.below(8)];
        let algorithm = ALGORITHMS[place];
        let token = match self.below(12) {
            0..8 => self.signed(algorithm),
            8..10 => self.respelt(place),
            10 => self.rearranged(place),
            _ => self.forged(place),
        };
        Mutant { token, algorithm }
    }

    /// Changes header and claims, then signs them well.
    fn signed(&mut self, algorithm: Algorithm) -> String {
        let (mut header, mut claims) = (header(algorithm), claims());
        let kind = self.below(16);
        if matches!(kind, 1..5 | 11) {
            self.edit(&mut header, &HEADER);
        }
        if matches!(kind, 5..12) {
            self.edit(&mut claims, &CLAIMS);
        }
        if kind == 10 {
            self.edit(&mut claims, &CLAIMS);
        }
        let (mut header, mut claims) = (object(&header), object(&claims));
        match kind {
            12 => self.damage(&mut header),
            13 | 14 => self.damage(&mut claims),
            15 if self.below(4) == 0 => header = HEADER_LISTS[self.below(2)].into(),
            15 if self.below(3) == 0 => claims = CLAIMS_LISTS[self.below(2)].into(),
            _ => {}
        }
        sign(&self.signers, algorithm, &format!("{}.{}", b64(header), b64(claims)))
    }

    /// Sets, removes, repeats or respells one member.
    fn edit(&mut self, members: &mut Members, pool: &Pool) {
        let (name, values) = pool[self.below(pool.len())];
        let values = if self.below(4) == 0 { &ANY } else { values };
        let value = values[self.below(values.len())].to_owned();
        let at = members.iter().position(|(is, _)| is == name);
        match (self.below(12), at) {
            (0, Some(at)) => drop(members.remove(at)),
            (1, Some(at)) => members.insert(at, (name.to_owned(), value)),
            (3, Some(at)) => members[at].0 = escaped(name),
            (4, Some(at)) => members.push((escaped(name), members[at].1.clone())),
            (5, Some(at)) => members[at].0 = name.to_uppercase(),
            (2, _) | (_, None) => members.push((name.to_owned(), value)),
            (_, Some(at)) => members[at].1 = value,
        }
    }

    /// Changes a JSON text without regard to its grammar, or adds something to it.
    fn damage(&mut self, json: &mut Vec<u8>) {
        let at = self.below(json.len());
        match self.below(12) {
            0 => json[at] ^= 1 << self.below(8),
            1 => drop(json.remove(at)),
            2 => json.insert(at, b" \t\n\r\0\x0b\"{}[],:\\-.e0"[self.below(18)]),
            3 => json.truncate(at),
            4 => *json = [b" \n\t", json.as_slice(), b"\r\n "].concat(),
            5 => *json = [b"\xef\xbb\xbf", json.as_slice()].concat(),
            6 => json.extend_from_slice([&b"{}"[..], b",", b"null", b"\0", b"//"][self.below(5)]),
            7 => json[at] = [0xff, 0xc0, 0x80, 0xed][self.below(4)],
            8 => {
                let depth = [1, 15, 30, 31, 32, 33, 64, 100, 126, 127, 128][self.below(11)];
                let (open, close) = [("[", "]"), (r#"{"a":"#, "}")][self.below(2)];
                append(json, &format!(r#","x":{}1{}}}"#, open.repeat(depth), close.repeat(depth)));
            }
            9 => {
                let long = [100, 3700, 4000, 4200, 5700, 6500][self.below(6)];
                append(json, &format!(r#","x":"{}"}}"#, "x".repeat(long)));
            }
            _ => append(json, ENDINGS[self.below(ENDINGS.len())]),
        }
    }

    /// Spells base64url otherwise: in a segment that is signed as it is, or in any afterwards.
    fn respelt(&mut self, place: usize) -> String {
        let good = self.good[place].clone();
        let mut segments: Vec<String> = good.split('.').map(str::to_owned).collect();
        let signed = self.below(2) == 0;
        let which = self.below(if signed { 2 } else { 3 });
        self.respell(&mut segments[which]);
        if signed {
            return sign(&self.signers, ALGORITHMS[place], &segments[..2].join("."));
        }
        segments.join(".")
    }

    fn respell(&mut self, segment: &mut String) {
        let at = self.below(segment.len() + 1);
        match self.below(8) {
            0 => segment.push_str(["=", "==", "===", "A", "AA", "AAA", "A==="][self.below(7)]),
            1 => segment.insert_str(at, [" ", "\n", "\r\n", "\t", "\0", "%20", "é"][self.below(7)]),
            2 => *segment = segment.replace('-', "+").replace('_', "/"),
            3 => segment.insert(at, ['+', '/', '=', '~', '.'][self.below(5)]),
            4 => *segment = format!("{segment}{}", "=".repeat((4 - segment.len() % 4) % 4)),
            5 => *segment = segment.to_lowercase(),
            _ => {
                // Any other last character: the bits that no byte has must be zero.
                segment.pop();
                let last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                segment.push(char::from(last[self.below(64)]));
            }
        }
    }

    /// Rearranges the segments, cuts the token or hits one character.
    fn rearranged(&mut self, place: usize) -> String {
        let good = self.good[place].clone();
        let other = self.good[self.below(3)].clone();
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("three segments") };
        let at = self.below(good.len());
        match self.below(18) {
            0 => format!("{claims}.{header}.{signature}"),
            1 => format!("{header}.{signature}.{claims}"),
            2 => format!("{header}.{claims}"),
            3 => format!("{header}.{claims}."),
            4 => format!("{header}..{signature}"),
            5 => format!(".{claims}.{signature}"),
            6 => format!("{good}."),
            7 => format!("{good}.{signature}"),
            8 => format!("{header}.{claims}.{claims}.{claims}.{signature}"),
            9 => [" ", "\n", "Bearer ", "\"", "."][self.below(5)].to_owned() + &good,
            10 => good + [" ", "\n", "\"", "\0", "#"][self.below(5)],
            11 => good[..at].to_owned(),
            12 => good[at..].to_owned(),
            13 => [&good[..at], &good[at + 1..]].concat(),
            14 => [&good[..at], ".", &good[at..]].concat(),
            15 => other,
            16 => format!("{header}.{claims}.{}", other.rsplit('.').next().unwrap()),
            _ => {
                let mut bytes = good.into_bytes();
                bytes[at] ^= 1 << self.below(7);
                String::from_utf8(bytes).unwrap()
            }
        }
    }

    /// Gives a good token another signature, or other headers with its signature.
    fn forged(&mut self, place: usize) -> String {
        let good = self.good[place].clone();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let mut bytes = unb64(signature);
        let (length, half) = (bytes.len(), bytes.len() / 2);
        match self.below(14) {
            0 => bytes = vec![0; length],
            1 => bytes = vec![0xff; length],
            2 => bytes.clear(),
            3 => bytes.truncate(self.below(length)),
            4 => bytes.push(0),
            5 => bytes.insert(0, 0),
            6 => bytes.rotate_left(half),
            7 => bytes.reverse(),
            8 => bytes[..half].fill(0),
            9 => bytes[half..].fill(0),
            10 => bytes[self.below(length)] ^= 1 << self.below(8),
            11 if place == 0 => add(&mut bytes[half..], &ED25519_ORDER),
            11 if place == 1 => negate(&mut bytes[half..], &P256_ORDER),
            12 if place == 1 => bytes = der(&bytes),
            _ => {
                let mut header = header(ALGORITHMS[place]);
                self.edit(&mut header, &HEADER[..1]);
                let (_, claims) = signed.split_once('.').unwrap();
                return format!("{}.{claims}.{signature}", b64(object(&header)));
            }
        }
        format!("{signed}.{}", b64(bytes))
    }

    /// A number below `bound`, by xorshift.
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from((self.random >> 16) % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn sign(signers: &Signers, algorithm: Algorithm, signed: &str) -> String {
    format!("{signed}.{}", b64(signers.sign(algorithm, signed.as_bytes())))
}

fn members<const N: usize>(members: [(&str, &str); N]) -> Members {
    members.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn header(algorithm: Algorithm) -> Members {
    let alg = format!("\"{}\"", algorithm.as_str());
    members([("alg", &alg), ("kid", &format!("\"{KID}\"")), ("typ", r#""at+jwt""#)])
}

fn claims() -> Members {
    members([
        ("iss", r#""https://sso.example""#),
        ("sub", r#""user:1""#),
        ("aud", r#""api""#),
        ("exp", "4000000000"),
        ("nbf", "1750000000"),
        ("iat", "1750000000"),
        ("jti", r#""t1""#),
        ("token_type", r#""access""#),
        ("scopes", r#"["read:files"]"#),
    ])
}

fn object(members: &Members) -> Vec<u8> {
    let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
}

/// Puts something in the place of the closing brace.
fn append(json: &mut Vec<u8>, text: &str) {
    json.pop();
    json.extend_from_slice(text.as_bytes());
}

/// The name with its first letter spelt as an escape.
fn escaped(name: &str) -> String {
    format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..])
}

/// Adds a little-endian number.
fn add(number: &mut [u8], other: &[u8; 32]) {
    let mut carry = 0;
    for (byte, more) in number.iter_mut().zip(other) {
        carry += u16::from(*byte) + u16::from(*more);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
}

/// Subtracts a big-endian number from `order`.
fn negate(number: &mut [u8], order: &[u8; 32]) {
    let mut borrow = 0;
    for (byte, from) in number.iter_mut().zip(order).rev() {
        let difference = i16::from(*from) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.to_le_bytes()[0];
    }
}

/// Two numbers of 32 bytes as ASN.1.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let digits = &number[number.iter().take_while(|&&byte| byte == 0).count()..];
        let sign = if digits[0] < 0x80 { &[][..] } else { &[0] };
        let length = u8::try_from(sign.len() + digits.len()).unwrap();
        [&[2, length], sign, digits].concat()
    };
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(numbers.len()).unwrap()][..], &numbers].concat()
}

const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Values for any member.
const ANY: [&str; 16] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e300",
    "\"\"",
    "\"x\"",
    "\"\\u0061\\u0070i\"",
    "[]",
    "[\"x\"]",
    "[1]",
    "[null]",
    "{}",
    "{\"a\":1}",
    "18446744073709551616",
];

/// Times on both sides of every limit.
const TIMES: &[&str] = &[
    "0",
    "1",
    "1749999969",
    "1749999970",
    "1749999971",
    "1750000000",
    "1750000030",
    "1750000031",
    "4000000000",
    "4000000000.9",
    "4e9",
    "1749999970.5",
    "1750000030.5",
    "4294967296",
    "253402300799",
    "253402300799.5",
    "253402300800",
    "18446744073709551615",
    "-0.0",
    "-0.5",
    "\"4000000000\"",
    "1e-400",
];

/// The times at which a verdict changes.
const EDGES: &[&str] = &[
    "1749999969",
    "1749999970",
    "1749999971",
    "1750000030",
    "1750000031",
    "253402300799",
    "253402300800",
];

const TEXTS: &[&str] = &["\"\"", "\"a\"", "\"\\ud83d\\ude00\"", "\"t1\""];
const LISTS: &[&str] = &["[]", "[\"a\"]", "[\"a\",\"a\"]", "[\"a\",1]", "\"a b\"", "\" \""];

type Pool = [(&'static str, &'static [&'static str])];

const HEADER: [(&str, &[&str]); 18] = [
    (
        "alg",
        &[
            "\"none\"",
            "\"None\"",
            "\"HS256\"",
            "\"EdDSA\"",
            // Repeated, so that a short run draws it often enough.
            "\"Ed25519\"",
            "\"Ed25519\"",
            "\"Ed25519\"",
            "\"Ed25519\"",
            "\"ES256\"",
            "\"RS256\"",
            "\"PS256\"",
            "\"ES384\"",
            "\"eddsa\"",
            "\"RS256 \"",
            "\"\\u0045dDSA\"",
        ],
    ),
    ("typ", &["\"JWT\"", "\"AT+JWT\"", "\"application/at+jwt\"", "\"at+jwt \"", "\"logout+jwt\""]),
    ("kid", &["null", "null", "\"k2\"", "\"K1\"", "\"\\u006b1\"", "\"k1\\u0000\"", "\"../k1\""]),
    ("crit", &["[]", "[\"exp\"]", "[\"b64\"]", "[\"x\",\"x\"]", "null"]),
    ("b64", &["false", "true", "null"]),
    (
        "jwk",
        &["{\"kty\":\"oct\",\"k\":\"AAAA\"}", "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"],
    ),
    ("jku", TEXTS),
    ("x5u", TEXTS),
    ("x5c", &["[]", "[\"AAAA\"]", "[\"?\"]"]),
    ("x5t", TEXTS),
    ("x5t#S256", TEXTS),
    ("cty", &["\"JWT\"", "\"at+jwt\""]),
    ("zip", &["\"DEF\"", "\"x\""]),
    ("enc", &["\"A256GCM\"", "\"x\""]),
    ("url", TEXTS),
    ("nonce", TEXTS),
    ("salt", &["\"AAAA\"", "\"?\"", "\"\""]),
    ("x", TEXTS),
];

const CLAIMS: [(&str, &[&str]); 25] = [
    (
        "iss",
        &["\"https://sso.example/\"", "\"https:\\/\\/sso.example\"", "[\"https://sso.example\"]"],
    ),
    ("sub", TEXTS),
    ("aud", &["[\"api\"]", "[\"x\",\"api\"]", "[\"api\",\"api\"]", "[\"api\",1]", "\"API\"", "[]"]),
    ("exp", TIMES),
    ("exp", EDGES),
    ("nbf", TIMES),
    ("nbf", EDGES),
    ("iat", TIMES),
    ("iat", EDGES),
    ("jti", TEXTS),
    ("client_id", TEXTS),
    ("token_type", &["\"refresh\"", "\"Access\"", "[\"access\"]"]),
    ("session_id", TEXTS),
    ("tenant_id", TEXTS),
    ("workspace_id", TEXTS),
    ("roles", LISTS),
    ("scopes", LISTS),
    ("scope", LISTS),
    ("acr", TEXTS),
    ("amr", LISTS),
    ("auth_time", TIMES),
    ("signing_level", TEXTS),
    ("nonce", TEXTS),
    ("kid", TEXTS),
    ("x", LISTS),
];

/// What may stand in the place of a closing brace.
const ENDINGS: [&str; 16] = [
    r#","x":"\ud83d\ude00"}"#,
    r#","x":"\ud800"}"#,
    r#","x":"\udc00\ud800"}"#,
    r#","x":1e400}"#,
    r#","x":-0}"#,
    r#","x":123456789012345678901234567890}"#,
    r#","x":01}"#,
    r#","\u0000":0}"#,
    r#","":{"":{"":0}}}"#,
    r#","x":{"a":1,"a":2}}"#,
    r#","x":[{"a":1,"b":2},{"a":1}]}"#,
    r#","__proto__":{"sub":"x"}}"#,
    ",}",
    r#","x":NaN}"#,
    ",\"x\":\"\n\"}",
    r#","x":"\x41"}"#,
];

/// Lists in the order of the fields of a structure, which some readers take for the object.
const HEADER_LISTS: [&str; 2] = [
    r#"["EdDSA",null,"k1","at+jwt",null,null,null,null,null,null,null,null]"#,
    r#"["at+jwt","EdDSA"]"#,
];
const CLAIMS_LISTS: [&str; 2] = [
    r#"[4000000000,1750000000,"user:1","https://sso.example","api"]"#,
    r#"["https://sso.example"]"#,
];
