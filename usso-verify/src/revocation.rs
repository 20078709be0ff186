//! Calling tokens back before they expire.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// Says which verified tokens are no longer good.
///
/// It is asked for every token, also for one that was verified a moment ago, so it must answer from
/// memory in constant time. [`RevocationList`] is one that can be fed.
pub trait Revocation: Send + Sync {
    /// Says whether the token was called back. `now` is in seconds since the epoch.
    fn is_revoked(&self, token: &Revocable<'_>, now: u64) -> bool;
}

/// What a token can be called back by. All of it was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocable<'t> {
    /// The issuer.
    pub issuer: &'t str,
    /// The subject.
    pub subject: &'t str,
    /// When the token was issued, seconds since the epoch.
    pub issued_at: Option<u64>,
    /// The name of the token.
    pub jti: Option<&'t str>,
    /// The session it belongs to.
    pub session_id: Option<&'t str>,
    /// The name of the key that signed it.
    pub kid: Option<&'t str>,
}

/// What to call back: every token of one issuer that this describes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revoked {
    /// The one token of this `jti`.
    Token(String),
    /// Every token of this session.
    Session(String),
    /// Every token of this subject that was issued before this time (seconds since the epoch), or
    /// that does not say when. An issuer whose clock is ahead dates its tokens into the future: add
    /// the leeway.
    Subject(String, u64),
    /// Every token signed by this key.
    Key(String),
}

/// A list in memory of what was called back.
///
/// # Security
///
/// An entry must outlive the tokens it is about: give it the latest time at which one of them could
/// still be accepted, leeway included. The list never drops an entry before that; when it is full
/// it refuses new ones and says so.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use usso_verify::{RevocationList, Revoked};
///
/// let revoked = Arc::new(RevocationList::new(100_000));
/// // … and `Verifier::builder().revocation(Arc::clone(&revoked))`.
/// let (now, token_life) = (1_750_000_000, 900);
/// revoked.add("https://sso.example", Revoked::Session("ses_1".into()), now + token_life, now)?;
/// # Ok::<(), usso_verify::RevocationListFull>(())
/// ```
pub struct RevocationList {
    capacity: usize,
    /// How many entries there are, readable without the lock.
    len: AtomicUsize,
    /// When a full list was last looked through.
    purged: AtomicU64,
    entries: RwLock<HashMap<Mark, Until>>,
}

/// Issuer, kind and name.
#[derive(PartialEq, Eq, Hash)]
struct Mark(Box<str>);

#[derive(Clone, Copy)]
struct Until {
    /// The entry's end.
    end: u64,
    /// For a subject, the time before which tokens are called back.
    before: u64,
}

impl RevocationList {
    /// Makes an empty list of at most so many entries.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            len: AtomicUsize::new(0),
            purged: AtomicU64::new(0),
            entries: RwLock::default(),
        }
    }

    /// Calls tokens of `issuer` back until `until`. A second entry for the same thing extends the
    /// first one. Times are in seconds since the epoch.
    ///
    /// # Errors
    ///
    /// [`RevocationListFull`] if the list holds as many entries as it may, none of which has ended.
    pub fn add(
        &self,
        issuer: &str,
        revoked: Revoked,
        until: u64,
        now: u64,
    ) -> Result<(), RevocationListFull> {
        let (kind, name, before) = match revoked {
            Revoked::Token(jti) => (JTI, jti, 0),
            Revoked::Session(session) => (SESSION, session, 0),
            Revoked::Subject(subject, before) => (SUBJECT, subject, before),
            Revoked::Key(kid) => (KID, kid, 0),
        };
        let mark = Mark::new(issuer, kind, &name);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity && !entries.contains_key(&mark) {
            // At most once a second: everybody who verifies waits meanwhile.
            if self.purged.swap(now, Ordering::Relaxed) != now {
                entries.retain(|_, entry| entry.end > now);
            }
            if entries.len() >= self.capacity {
                return Err(RevocationListFull);
            }
        }
        let entry = entries.entry(mark).or_insert(Until { end: until, before });
        *entry = Until { end: entry.end.max(until), before: entry.before.max(before) };
        self.len.store(entries.len(), Ordering::Release);
        Ok(())
    }

    /// Drops the entries that have ended.
    pub fn purge(&self, now: u64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| entry.end > now);
        self.len.store(entries.len(), Ordering::Release);
    }

    /// Counts the entries, ended ones that were not dropped yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Says whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Revocation for RevocationList {
    fn is_revoked(&self, token: &Revocable<'_>, now: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let holds = |kind: &str, name: Option<&str>| {
            let mark = Mark::new(token.issuer, kind, name?);
            entries.get(&mark).filter(|entry| entry.end > now)
        };
        holds(JTI, token.jti).is_some()
            || holds(SESSION, token.session_id).is_some()
            || holds(KID, token.kid).is_some()
            || holds(SUBJECT, Some(token.subject))
                .is_some_and(|entry| token.issued_at.is_none_or(|issued| issued < entry.before))
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Mark {
    /// The length of the issuer keeps two pairs of names from running into one.
    fn new(issuer: &str, kind: &str, name: &str) -> Self {
        Self(format!("{}{kind}{issuer}{name}", issuer.len()).into())
    }
}

/// A revocation list has no room: nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RevocationListFull;

impl fmt::Display for RevocationListFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the revocation list is full")
    }
}

impl std::error::Error for RevocationListFull {}

const JTI: &str = "t";
const SESSION: &str = "s";
const SUBJECT: &str = "u";
const KID: &str = "k";

#[cfg(test)]
mod tests {
    use super::{Revocable, Revocation, RevocationList, RevocationListFull, Revoked};

    const TOKEN: Revocable<'_> = Revocable {
        issuer: "https://a",
        subject: "user:1",
        issued_at: Some(100),
        jti: Some("t1"),
        session_id: Some("s1"),
        kid: Some("k1"),
    };

    fn with(revoked: Revoked) -> RevocationList {
        let list = RevocationList::new(10);
        list.add("https://a", revoked, 500, 100).unwrap();
        list
    }

    #[test]
    fn a_token_is_called_back_by_its_name_session_key_or_subject() {
        for revoked in [
            Revoked::Token("t1".into()),
            Revoked::Session("s1".into()),
            Revoked::Key("k1".into()),
            Revoked::Subject("user:1".into(), 101),
        ] {
            let list = with(revoked.clone());
            assert!(list.is_revoked(&TOKEN, 499), "{revoked:?}");
            assert!(!list.is_revoked(&TOKEN, 500), "{revoked:?}");
            let other = Revocable { issuer: "https://b", ..TOKEN };
            assert!(!list.is_revoked(&other, 499), "{revoked:?}");
        }
    }

    #[test]
    fn the_kinds_of_names_do_not_mix() {
        for revoked in [Revoked::Token("s1".into()), Revoked::Session("t1".into())]
            .into_iter()
            .chain([Revoked::Key("user:1".into()), Revoked::Subject("k1".into(), 999)])
        {
            assert!(!with(revoked.clone()).is_revoked(&TOKEN, 200), "{revoked:?}");
        }
        let list = RevocationList::new(10);
        list.add("https://a1", Revoked::Token("t".into()), 500, 100).unwrap();
        let shifted = Revocable { issuer: "https://a", jti: Some("1t"), ..TOKEN };
        assert!(!list.is_revoked(&shifted, 200));
    }

    #[test]
    fn a_subjects_tokens_issued_since_stay_good_and_undated_ones_do_not() {
        let list = with(Revoked::Subject("user:1".into(), 100));
        assert!(!list.is_revoked(&TOKEN, 200));
        assert!(list.is_revoked(&Revocable { issued_at: Some(99), ..TOKEN }, 200));
        assert!(list.is_revoked(&Revocable { issued_at: None, ..TOKEN }, 200));
    }

    #[test]
    fn a_second_entry_never_shortens_the_first() {
        let list = with(Revoked::Subject("user:1".into(), 150));
        list.add("https://a", Revoked::Subject("user:1".into(), 50), 200, 100).unwrap();
        assert!(list.is_revoked(&TOKEN, 499));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn a_full_list_refuses_instead_of_forgetting() {
        let list = RevocationList::new(1);
        list.add("i", Revoked::Token("a".into()), 500, 100).unwrap();
        let again = list.add("i", Revoked::Token("b".into()), 500, 100);
        assert_eq!(again, Err(RevocationListFull));
        assert!(list.add("i", Revoked::Token("a".into()), 600, 100).is_ok());
        assert!(list.add("i", Revoked::Token("b".into()), 900, 600).is_ok());
        list.purge(900);
        assert!(list.is_empty());
    }
}
