//! A request.

use usso_verify::guard::Headers;

/// The header lines of a request: names and values by turns, each closed by a line feed, which is
/// part of neither (RFC 9110 §5.5). The names are in lower case.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'r>(pub(crate) &'r str);

impl Headers for Lines<'_> {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let mut parts = self.0.split_terminator('\n');
        let pairs = std::iter::from_fn(move || Some((parts.next()?, parts.next()?)));
        pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value.as_bytes())
    }
}
