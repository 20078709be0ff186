//! Any headers of a request: which credential is taken from them, and the answer to a refusal.

#![no_main]

use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use usso_verify::guard::{Authenticator, Guard, Head, Headers, Refusal};
use usso_verify::{BoxFuture, Presented, Principal};

/// Lines of `name: value`, after one of method and target.
struct Lines<'d>(Vec<(&'d str, &'d [u8])>);

impl Headers for &Lines<'_> {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| *value)
    }
}

/// Writes down what is presented.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Authenticator for Recorder {
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> BoxFuture<'a, Result<Principal, Refusal>> {
        self.0.lock().unwrap().push(presented.token().to_owned());
        Box::pin(async { Err(Refusal::Unavailable) })
    }

    fn now(&self) -> u64 {
        0
    }
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or((first, "/"));
    let headers = Lines(
        lines
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                Some((std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
            })
            .collect(),
    );
    let recorder = Recorder::default();
    let guard = Guard::builder(recorder.clone()).cookie("t").allow_origin("https://app.example");
    let guard = guard.build().unwrap();
    let head = Head::new(method, target, &headers);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let future = std::pin::pin!(guard.authenticate(&head));
    let std::task::Poll::Ready(verdict) = future.poll(&mut context) else { panic!("waits") };
    let taken = recorder.0.lock().unwrap().clone();
    let count = |name: &str| headers.0.iter().filter(|(own, _)| *own == name).count();
    match taken.as_slice() {
        [] => assert_ne!(verdict, Err(Refusal::Unavailable)),
        [token] => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert!(!token.is_empty() && token.bytes().all(allowed));
            let source = if count("authorization") > 0 {
                "authorization"
            } else if has_cookie(&headers, token) {
                "cookie"
            } else {
                "x-api-key"
            };
            assert!(has(&headers, source, token));
            assert!(source == "cookie" || count(source) == 1);
            let changes =
                !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE") || count("upgrade") > 0;
            if source == "cookie" && changes {
                assert!(count("origin") == 1 || count("sec-fetch-site") == 1);
            }
        }
        _ => panic!("one request, one credential"),
    }
    if let Err(refusal) = verdict {
        let answer = guard.answer(&refusal, &head);
        for (_, value) in &answer.headers {
            assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
        let grpc = answer.headers.iter().any(|(name, _)| *name == "grpc-status");
        assert!(grpc || serde_json::from_str::<serde_json::Value>(&answer.body).is_ok());
    }
});

fn has_cookie(headers: &Lines<'_>, token: &str) -> bool {
    let cookie = format!("t={token}");
    let lines = headers.0.iter().filter(|(name, _)| *name == "cookie");
    let mut pairs = lines.flat_map(|(_, line)| line.split(|byte| *byte == b';'));
    pairs.any(|pair| pair.trim_ascii() == cookie.as_bytes())
}

fn has(headers: &Lines<'_>, name: &str, token: &str) -> bool {
    let mut values = headers.0.iter().filter(|(own, _)| *own == name);
    values.any(|(_, value)| value.windows(token.len()).any(|part| part == token.as_bytes()))
}
