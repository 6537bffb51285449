//! A cache of the service's keys, which fetches them as seldom as possible.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attestation_token::KeySet;

/// Keys older than this are fetched anew, so that withdrawn ones do not live on.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// An unknown key is a reason to fetch once in this time: whoever makes up names of keys must not make us ask the service
/// for each.
const MIN_AGE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// With the time when they were asked for.
    fetched: Option<(Arc<KeySet>, Instant)>,
    /// When the service was last asked, whatever it answered.
    asked: Option<Instant>,
}

/// Why keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Any that are recent.
    Recent,
    /// A token names a key that the ones at hand do not have.
    UnknownKey,
}

impl KeyCache {
    /// The keys at hand, if they are recent enough for what is needed; otherwise those that `fetch` gets. Threads that come
    /// meanwhile wait for the same answer.
    pub(crate) fn keys<E>(
        &self,
        need: Need,
        now: Instant,
        fetch: impl FnOnce() -> Result<KeySet, E>,
    ) -> Result<Arc<KeySet>, E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_within = |limit, at: Instant| now.saturating_duration_since(at) < limit;
        if let Some((keys, at)) = &state.fetched {
            let is_enough = match need {
                Need::Recent => is_within(MAX_AGE, *at),
                Need::UnknownKey => state.asked.is_some_and(|at| is_within(MIN_AGE, at)),
            };
            if is_enough {
                return Ok(Arc::clone(keys));
            }
        }
        state.asked = Some(now);
        let keys = Arc::new(fetch()?);
        state.fetched = Some((Arc::clone(&keys), now));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often keys are fetched, for requests at these seconds.
    fn fetches(requests: &[(Need, u64)]) -> usize {
        let (cache, start) = (KeyCache::default(), Instant::now());
        let mut count = 0;
        for (need, second) in requests {
            let now = start + Duration::from_secs(*second);
            let keys = cache.keys(*need, now, || {
                count += 1;
                Ok::<_, ()>(KeySet::default())
            });
            assert!(keys.is_ok());
        }
        count
    }

    #[test]
    fn fetched_once_an_hour_and_for_unknown_keys_once_a_minute() {
        use Need::{Recent, UnknownKey};
        assert_eq!(fetches(&[(Recent, 0), (Recent, 1), (Recent, 3599)]), 1);
        assert_eq!(fetches(&[(Recent, 0), (Recent, 3600)]), 2);
        assert_eq!(fetches(&[(Recent, 0), (UnknownKey, 1), (UnknownKey, 59)]), 1);
        assert_eq!(fetches(&[(Recent, 0), (UnknownKey, 60), (UnknownKey, 61)]), 2);
        assert_eq!(fetches(&[(UnknownKey, 0), (Recent, 3599), (Recent, 3600)]), 2);
    }

    #[test]
    fn a_failure_is_not_kept() {
        let (cache, now) = (KeyCache::default(), Instant::now());
        let failed = cache.keys(Need::Recent, now, || Err("not there"));
        assert_eq!(failed.map(drop), Err("not there"));
        assert!(
            cache
                .keys(Need::Recent, now, || Ok::<_, ()>(KeySet::default()))
                .is_ok()
        );
    }

    /// A service that is down is not asked for every unknown key, either.
    #[test]
    fn failures_count_as_questions() {
        let (cache, start) = (KeyCache::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let found = cache.keys(Need::Recent, at(0), || Ok::<_, ()>(KeySet::default()));
        assert!(found.is_ok());
        let down = || Err("not there");
        assert!(cache.keys(Need::UnknownKey, at(60), down).is_err());
        assert!(cache.keys(Need::UnknownKey, at(61), down).is_ok());
        assert!(cache.keys(Need::UnknownKey, at(120), down).is_err());
    }
}
