//! Lists that come in pages, followed to their end.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::batch::{Get, Reads};
use super::batch_answer::Body;
use super::failure::Failure;
use super::parse_bytes;
use crate::model::ObjectId;

/// How many pages in a row may bring nothing new. Empty pages are legal; a list that goes on with them has no end.
const IDLE_PAGES: usize = 10;

/// An entry of a list.
pub(super) trait Entry: DeserializeOwned + Send {
    /// Its object id.
    fn id(&self) -> &ObjectId;
}

/// Entries by id, each once however often it was listed.
pub(super) type Entries<T> = BTreeMap<ObjectId, T>;

impl Reads {
    /// Reads a list, one request for each page. Pages of a long list can be large, too large to share a batch.
    pub(super) async fn list<T: Entry>(&self, first: Get) -> Result<Entries<T>, Failure> {
        self.list_up_to(first, usize::MAX).await
    }

    /// Reads a list, but no more than so many pages of it.
    pub(super) async fn list_up_to<T: Entry>(
        &self,
        first: Get,
        most_pages: usize,
    ) -> Result<Entries<T>, Failure> {
        let mut reading = Reading::new(first);
        for _ in 0..most_pages {
            let Some(next) = &reading.next else { break };
            let answer = self.get(next).await?;
            reading.take(parse_bytes(&answer.body)?, self)?;
        }
        Ok(reading.entries)
    }

    /// Reads many lists at once, a page of each in turn, 20 pages in a batch. The results come in the order of what was asked.
    pub(super) async fn list_all<T: Entry>(
        &self,
        firsts: Vec<Get>,
    ) -> Vec<Result<Entries<T>, Failure>> {
        let (lists, _) = self.list_all_beside(firsts, &[]).await;
        lists
    }

    /// The same, with other things read in the batches of the first pages.
    pub(super) async fn list_all_beside<T: Entry>(
        &self,
        firsts: Vec<Get>,
        others: &[Get],
    ) -> (Vec<Result<Entries<T>, Failure>>, Vec<Result<Body, Failure>>) {
        let mut readings: Vec<Reading<T>> = firsts.into_iter().map(Reading::new).collect();
        let mut others = others.to_vec();
        let mut read = Vec::new();
        loop {
            let (open, gets): (Vec<&mut Reading<T>>, Vec<Get>) = readings
                .iter_mut()
                .filter_map(|reading| {
                    let next = reading.next.clone()?;
                    Some((reading, next))
                })
                .unzip();
            let together: Vec<Get> = gets.into_iter().chain(others.drain(..)).collect();
            if together.is_empty() {
                break;
            }
            let mut answers = self.get_all(&together).await;
            read.extend(answers.drain(open.len()..));
            for (reading, answer) in open.into_iter().zip(answers) {
                let taken = answer
                    .and_then(|body| body.parse())
                    .and_then(|page| reading.take(page, self));
                if let Err(failure) = taken {
                    reading.next = None;
                    reading.failure = Some(failure);
                }
            }
        }
        let lists = readings.into_iter().map(|reading| match reading.failure {
            Some(failure) => Err(failure),
            None => Ok(reading.entries),
        });
        (lists.collect(), read)
    }
}

/// A list while it is read.
struct Reading<T> {
    entries: Entries<T>,
    next: Option<Get>,
    links: BTreeSet<String>,
    idle_pages: usize,
    failure: Option<Failure>,
}

impl<T: Entry> Reading<T> {
    fn new(first: Get) -> Self {
        Self {
            entries: Entries::new(),
            links: BTreeSet::from([first.path.clone()]),
            next: Some(first),
            idle_pages: 0,
            failure: None,
        }
    }

    fn take(&mut self, page: Page<T>, reads: &Reads) -> Result<(), Failure> {
        let before = self.entries.len();
        self.entries.extend(
            page.value
                .into_iter()
                .map(|entry| (entry.id().clone(), entry)),
        );
        self.idle_pages = if self.entries.len() > before {
            0
        } else {
            self.idle_pages + 1
        };
        let read = self.next.take();
        let (Some(link), Some(read)) = (page.next_link, read) else {
            return Ok(());
        };
        let list = read.path.split('?').next().unwrap_or_default();
        let next = reads.next_page(&link, &read)?;
        if !self.links.insert(next.path.clone()) {
            return Err(Failure::Garbled(format!(
                "the pages of {list} go round in a circle"
            )));
        }
        if self.idle_pages >= IDLE_PAGES {
            return Err(Failure::Garbled(format!(
                "{IDLE_PAGES} pages of {list} in a row brought nothing new, and there is no end"
            )));
        }
        self.next = Some(next);
        Ok(())
    }
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) value: Vec<T>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<String>,
}
