//! One token as the engine mints it, verified from its signature on.

use usso_verify::TokenCache;

use super::{
    ALGORITHMS, budget, peers, table,
    tokens::{self, Tokens},
};

/// Prints the tables.
pub(super) async fn run() {
    let usso = tokens::engine().await;
    for algorithm in ALGORITHMS {
        let tokens = Tokens::engine(&usso, algorithm).await;
        let mut rivals = vec![peers::usso(&tokens, TokenCache::off())];
        rivals.extend(peers::libraries(&tokens));
        let title = format!("cold {}, {} characters", algorithm.as_str(), tokens.all[0].len());
        table(&title, &tokens, rivals, |times, base| {
            budget("1.05 x raw", times.p10 <= 1.05 * base)
        });
    }
}
