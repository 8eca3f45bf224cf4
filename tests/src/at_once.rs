//! Many of the same at a time, but not all of them.

use tokio::task::JoinSet;

/// Does this with each, with at most so many at the same time; what came of them, in no order.
pub async fn at_once<C, T, F>(most: usize, cases: Vec<C>, does: impl Fn(C) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for case in cases {
        if running.len() == most {
            done.extend(running.join_next().await.map(Result::unwrap));
        }
        running.spawn(does(case));
    }
    done.extend(running.join_all().await);
    done
}
