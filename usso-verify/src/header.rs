//! HTTP fields that may be sent once only.

/// How often a field was sent.
pub(crate) enum Sent<'h> {
    Never,
    Once(&'h [u8]),
    Repeatedly,
}

impl<'h> Sent<'h> {
    /// Looks at no more than two of the values.
    pub(crate) fn of<V>(values: impl IntoIterator<Item = &'h V>) -> Self
    where
        V: AsRef<[u8]> + ?Sized + 'h,
    {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Never,
            (Some(value), None) => Self::Once(value.as_ref()),
            (Some(_), Some(_)) => Self::Repeatedly,
        }
    }
}
