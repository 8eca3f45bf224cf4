//! Revocation lists that are fetched: those that are missing, damaged, ended or due are brought up to date before anything
//! is sent. Without a newer one the last good one counts as long as it lives.

use std::{
    sync::Arc,
    thread::{self, ScopedJoinHandle},
    time::{Duration, SystemTime},
};

use config::{ClientSettings, network::ClientLine, reader::HttpUrl};
use pki::{
    crl_cache::CrlCache,
    fetch::{Connect, FetchFault, fetch_over},
    trust::{Trust, TrustFault},
};
use protocol::moment::Moment;

use crate::{error::OpenError, limits::LISTS_AT_ONCE, line::plain};

/// A revocation list that could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("the revocation list could not be fetched from {url}")]
pub struct ListNotFetched {
    /// From where.
    pub url: HttpUrl,
    /// Why not.
    #[source]
    pub fault: ListFault,
}

/// Why a fetched list does not count.
#[derive(Debug, thiserror::Error)]
pub enum ListFault {
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// What came is not used.
    #[error(transparent)]
    Refused(#[from] TrustFault),
    /// The thread that fetched broke down.
    #[error("the fetch ended unexpectedly")]
    ThreadLost,
}

/// What one table of the settings trusts.
pub(crate) struct Trusted<'s> {
    /// `tls` or `evidence`.
    pub section: &'static str,
    pub urls: &'s [HttpUrl],
    pub trust: Trust,
}

/// Fetches what is due, and says what failed. An authority that is without a list even then is an
/// error.
pub(crate) fn bring_up_to_date<const N: usize>(
    settings: &ClientSettings,
    mut trusted: [Trusted<'_>; N],
    now: Moment,
) -> Result<([Arc<Trust>; N], Vec<ListNotFetched>), OpenError> {
    let cache = CrlCache::below(&settings.storage.data);
    let (mut failed, fetch_max) = (Vec::new(), settings.crl.fetch_max);
    for (url, fetched) in fetch_all(&settings.line, &due(settings, &trusted, &cache, now), fetch_max) {
        let taken = fetched.and_then(|bytes| Ok(take_up(&mut trusted, &url, &bytes, &cache, now)?));
        if let Err(fault) = taken {
            failed.push(ListNotFetched { url, fault });
        }
    }
    for Trusted { section, urls, trust } in &trusted {
        if let Some(issuer) = trust.missing().first() {
            let issuer = (*issuer).to_owned();
            let of_section = failed.iter().position(|failed| urls.contains(&failed.url));
            let why = of_section.map(|at| Box::new(failed.swap_remove(at)));
            return Err(OpenError::ListMissing { section, issuer, why });
        }
    }
    Ok((trusted.map(|trusted| Arc::new(trusted.trust)), failed))
}

/// The addresses that are due: each once.
fn due(settings: &ClientSettings, trusted: &[Trusted<'_>], cache: &CrlCache, now: Moment) -> Vec<HttpUrl> {
    let mut due = Vec::new();
    for Trusted { urls, trust, .. } in trusted {
        let ended = trust.crls().by_end().first().is_some_and(|list| list.next_update() <= now);
        let needs_all = ended || !trust.missing().is_empty() || !trust.left_out().is_empty();
        for url in *urls {
            // A date ahead of the clock says nothing.
            let age = cache.fetched_at(url.as_str()).and_then(|at| SystemTime::now().duration_since(at).ok());
            let is_fresh = age.is_some_and(|age| age < settings.crl.refresh);
            if (needs_all || !is_fresh) && !due.contains(url) {
                due.push(url.clone());
            }
        }
    }
    due
}

/// Some at a time, all of them on the line.
fn fetch_all(
    line: &ClientLine,
    urls: &[HttpUrl],
    within: Duration,
) -> Vec<(HttpUrl, Result<Vec<u8>, ListFault>)> {
    let line = line.clone();
    let connect: Arc<Connect> = Arc::new(move |addresses, within| plain(&line, addresses, within));
    let at_once = |urls: &[HttpUrl]| {
        thread::scope(|scope| {
            let begin = |url: &HttpUrl| {
                let (owned, connect) = (url.clone(), Arc::clone(&connect));
                (url.clone(), scope.spawn(move || fetch_over(connect, owned.as_str(), within)))
            };
            let begun: Vec<_> = urls.iter().map(begin).collect();
            let end = |(url, fetching): (HttpUrl, ScopedJoinHandle<'_, Result<Vec<u8>, FetchFault>>)| {
                let ended = fetching.join().map_err(|_| ListFault::ThreadLost);
                (url, ended.and_then(|fetched| Ok(fetched?)))
            };
            begun.into_iter().map(end).collect::<Vec<_>>()
        })
    };
    urls.chunks(LISTS_AT_ONCE).flat_map(at_once).collect()
}

/// Lets what was fetched count wherever its address is named, and keeps it.
fn take_up(
    trusted: &mut [Trusted<'_>],
    url: &HttpUrl,
    bytes: &[u8],
    cache: &CrlCache,
    now: Moment,
) -> Result<(), TrustFault> {
    for Trusted { trust, .. } in trusted.iter_mut().filter(|trusted| trusted.urls.contains(url)) {
        if let Some(newer) = trust.follow(url.as_str(), bytes, now)?.trust {
            *trust = newer;
        }
    }
    if let Err(error) = cache.keep(url.as_str(), bytes) {
        // It counts all the same; the next run fetches it again.
        tracing::warn!(%url, %error, "a revocation list could not be kept");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{IpAddr, TcpListener},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Fetches on a line from a server that answers `list`; with where the fetch came from.
    fn fetched_on(line: &ClientLine) -> (Result<Vec<u8>, ListFault>, Option<IpAddr>) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a.crl", server.local_addr().unwrap());
        thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let (mut stream, peer) = server.accept().unwrap();
                let mut head = [0; 2048];
                // Whoever only knocks asks for nothing.
                if stream.read(&mut head).unwrap() > 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlist").unwrap();
                    return Some(peer.ip());
                }
                None
            });
            let mut fetched = fetch_all(line, &[HttpUrl::parse(&url).unwrap()], PATIENCE);
            let (_, result) = fetched.pop().unwrap();
            if result.is_err() {
                let address = url["http://".len()..].split('/').next().unwrap().to_owned();
                drop(std::net::TcpStream::connect(address).unwrap());
            }
            (result, serving.join().unwrap())
        })
    }

    #[test]
    fn lists_are_fetched_on_the_declared_line_and_on_no_other() {
        let local = "127.0.7.7".parse().unwrap();
        let line = ClientLine { interface: Some("lo".to_owned()), local_address: Some(local) };
        let (fetched, from) = fetched_on(&line);
        assert_eq!((fetched.unwrap(), from), (b"list".to_vec(), Some(local)));
        let away = ClientLine { interface: Some("none0".to_owned()), local_address: None };
        let (fetched, from) = fetched_on(&away);
        let fault = format!("{:?}", fetched.unwrap_err());
        assert!(fault.contains("NoSuchInterface"), "{fault}");
        assert_eq!(from, None);
    }
}
