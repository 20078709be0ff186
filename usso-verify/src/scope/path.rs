//! Paths of resources, and the two ways in which a granted one is laid on a requested one.

use super::glob::Budget;
use super::pattern::Pattern;
use super::{MAX_LENGTH, MAX_SEGMENTS, ScopeError};

/// How a granted path is laid on a requested one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matching {
    /// From the left, segment by segment, to the end of both. `*` is one segment; as the last
    /// segment it is one or more. So `media` grants `media` alone, `media/*` all below it, `*`
    /// everything. A granted path with an empty segment grants nothing.
    Anchored,
    /// From the right, as the published packages do: what one path has more than the other, on its
    /// left, does not count. `files` grants `media/files`, and `media/files` grants `files`.
    ///
    /// 1. Segments are compared pairwise from the right, as far as both go.
    /// 2. A longer request is granted.
    /// 3. A longer grant is granted too, unless one of the compared segments has a `*`: then all
    ///    that it has more must be `*`.
    ///
    /// # Security
    ///
    /// Text that a user chose and that has a `/` shifts the path; where a request is built from
    /// such text, [`Anchored`](Self::Anchored) is the safe choice.
    #[default]
    Suffix,
}

/// The path of a granted scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    segments: Vec<Segment>,
    /// One of the segments is empty.
    gap: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Segment {
    pattern: Pattern,
    /// Counts as a wildcard for the rule about longer grants.
    wild: bool,
}

impl Path {
    /// Reads a granted path. An empty segment stands for any text; `gap_is_wild` says whether it
    /// counts as a written `*`.
    pub(super) fn parse(text: &str, gap_is_wild: bool) -> Result<Self, ScopeError> {
        limit(text)?;
        if text.split('/').all(str::is_empty) {
            return Err(ScopeError::PathEmpty);
        }
        if !text.split('/').all(is_plain) {
            return Err(ScopeError::PathSegment);
        }
        let read = |segment: &str| {
            if segment.is_empty() {
                return Segment { pattern: Pattern::ANY, wild: gap_is_wild };
            }
            let pattern = Pattern::parse(segment);
            Segment { wild: pattern.has_star(), pattern }
        };
        let segments: Vec<_> = text.split('/').map(read).collect();
        if segments.iter().any(|segment| segment.pattern.is_excessive()) {
            return Err(ScopeError::TooManyWildcards);
        }
        Ok(Self { segments, gap: text.split('/').any(str::is_empty) })
    }

    pub(super) fn matches(
        &self,
        requested: &Requested<'_>,
        matching: Matching,
        budget: &Budget,
    ) -> bool {
        match matching {
            Matching::Anchored => self.matches_anchored(&requested.0, budget),
            Matching::Suffix => self.matches_suffix(&requested.0, budget),
        }
    }

    fn matches_anchored(&self, requested: &[&str], budget: &Budget) -> bool {
        let (granted, asked) = (self.segments.len(), requested.len());
        let fits = if self.is_open() { granted <= asked } else { granted == asked };
        let pairs = self.segments.iter().zip(requested);
        let mut pairs = pairs.map(|(segment, text)| segment.pattern.matches_within(text, budget));
        !self.gap && fits && pairs.all(|met| met)
    }

    fn matches_suffix(&self, requested: &[&str], budget: &Budget) -> bool {
        let mut pairs = self.segments.iter().rev().zip(requested.iter().rev());
        pairs.all(|(segment, text)| segment.pattern.matches_within(text, budget))
            && self.reach().includes(requested.len())
    }

    /// Says that every request `child` matches is matched by `self`. It may miss this, it never
    /// claims it wrongly.
    pub(super) fn covers(&self, child: &Self, matching: Matching, budget: &Budget) -> bool {
        match matching {
            Matching::Anchored => self.covers_anchored(child, budget),
            Matching::Suffix => self.covers_suffix(child, budget),
        }
    }

    fn covers_anchored(&self, child: &Self, budget: &Budget) -> bool {
        let (own, its) = (self.segments.len(), child.segments.len());
        let fits = if self.is_open() { own <= its } else { own == its };
        let mut pairs = self.segments.iter().zip(&child.segments);
        !self.gap && !child.gap && fits && pairs.all(|(a, b)| a.pattern.covers(&b.pattern, budget))
    }

    /// 1. Where both have a segment, the child's is covered; where only the parent has one, the
    ///    child allows any text, and so must the parent.
    /// 2. A request shorter than both that the child reaches, the parent reaches.
    fn covers_suffix(&self, child: &Self, budget: &Budget) -> bool {
        let mut theirs = child.segments.iter().rev();
        let segments = self.segments.iter().rev().all(|own| match theirs.next() {
            Some(its) => own.pattern.covers(&its.pattern, budget),
            None => own.pattern.is_any(),
        });
        let shorter = self.segments.len().min(child.segments.len());
        let (reach, its) = (self.reach(), child.reach());
        segments && (1..shorter).all(|length| reach.includes(length) || !its.includes(length))
    }

    /// Says whether the last segment takes in all that follows.
    fn is_open(&self) -> bool {
        self.segments.last().is_some_and(|segment| segment.pattern.is_any())
    }

    fn reach(&self) -> Reach {
        let stars = self.segments.iter().take_while(|one| one.wild && one.pattern.is_any()).count();
        let plain = self.segments.iter().rev().take_while(|segment| !segment.wild).count();
        Reach { all_below: plain, all_above: self.segments.len().saturating_sub(stars) }
    }
}

/// How long a request must be for its length not to matter, in suffix matching.
struct Reach {
    /// Up to here no wildcard is compared.
    all_below: usize,
    /// From here on, all that the grant has more is `*`, or it has no more.
    all_above: usize,
}

impl Reach {
    const fn includes(&self, length: usize) -> bool {
        length <= self.all_below || length >= self.all_above
    }
}

/// A requested path. Its segments are plain text, in which a `*` is a `*`.
pub(super) struct Requested<'a>(Vec<&'a str>);

impl<'a> Requested<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, ScopeError> {
        limit(text)?;
        if text.is_empty() {
            return Err(ScopeError::PathEmpty);
        }
        if !text.split('/').all(|segment| !segment.is_empty() && is_plain(segment)) {
            return Err(ScopeError::PathSegment);
        }
        Ok(Self(text.split('/').collect()))
    }
}

fn limit(text: &str) -> Result<(), ScopeError> {
    if text.len() > MAX_LENGTH {
        return Err(ScopeError::TooLong);
    }
    let segments = text.split('/').count();
    if segments > MAX_SEGMENTS { Err(ScopeError::TooManySegments) } else { Ok(()) }
}

/// Says whether a segment cannot be taken for a step through a tree of files, by anything that
/// reads the path later, decoded or not.
fn is_plain(segment: &str) -> bool {
    let dots = segment == "." || segment == "..";
    let escaped = segment.as_bytes().windows(3).any(|escape| {
        matches!(escape, [b'%', b'2', b'e' | b'E' | b'f' | b'F'] | [b'%', b'5', b'c' | b'C'])
    });
    !dots && !escaped && !segment.chars().any(|c| c == '\\' || c.is_control())
}
