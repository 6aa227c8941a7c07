//! Reading the device rows of many accounts: by pages of the whole list where that is fewer requests, else one by one.

use super::api::{Api, Device};
use crate::domain::Reason;
use std::collections::HashMap;

/// Up to so many accounts are asked one by one.
const FEW: usize = 16;

/// A walk through the list of all devices, a page at a time.
#[derive(Debug)]
pub(super) struct Walk {
    before: Option<i64>,
    left: usize,
    got: HashMap<String, Vec<Device>>,
}

/// Where a walk stands after a page.
pub(super) enum Walked {
    /// More pages follow.
    On(Walk),
    /// All devices, by uid.
    Done(HashMap<String, Vec<Device>>),
    /// The server has many more devices than are watched: asking one by one is cheaper.
    TooLong,
}

impl Walk {
    /// For so many watched accounts; `None` when asking one by one is cheaper anyway.
    pub(super) fn new(accounts: usize) -> Option<Self> {
        (accounts > FEW).then(|| Self { before: None, left: (accounts / 100).max(4), got: HashMap::new() })
    }

    /// Reads the next page, and keeps the rows of accounts that are watched.
    ///
    /// # Errors
    /// What kept it from being told.
    pub(super) async fn page(mut self, api: &Api<'_>, watched: impl Fn(&str) -> bool) -> Result<Walked, Reason> {
        let page = api.devices_page(self.before).await?;
        for d in page.rows {
            if watched(&d.uid) {
                self.got.entry(d.uid.clone()).or_default().push(d);
            }
        }
        let on = page.last.filter(|l| page.more && Some(*l) != self.before);
        Ok(match on {
            None => {
                for rows in self.got.values_mut() {
                    rows.sort_by_key(|d| (d.flag, std::cmp::Reverse(d.updated_ns)));
                    rows.dedup_by_key(|d| d.flag);
                }
                Walked::Done(self.got)
            }
            Some(_) if self.left <= 1 => Walked::TooLong,
            Some(last) => Walked::On(Self { before: Some(last), left: self.left - 1, got: self.got }),
        })
    }
}
