//! Work on a few independent items, spread over the processor's cores for the length of a call.
//!
//! Only for work of many milliseconds: while other processes keep the cores busy, a new thread waits a
//! scheduler's slice for its turn, and the call with it.

use std::sync::OnceLock;
use std::thread;

/// More workers than this gain nothing on what a block holds.
const MOST_WORKERS: usize = 4;

/// Workers that a call may use, the calling thread among them; asked of the system once.
pub fn workers() -> usize {
    static WORKERS: OnceLock<usize> = OnceLock::new();
    *WORKERS.get_or_init(|| {
        thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
    })
}

/// `work` of every item, in order. The calling thread takes its share.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = items.len().min(workers());
    if workers < 2 {
        return items.iter().map(work).collect();
    }
    let start = |worker: usize| items.len() * worker / workers;
    let run = |worker: usize| -> Vec<R> {
        items[start(worker)..start(worker + 1)]
            .iter()
            .map(&work)
            .collect()
    };
    thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = (1..workers)
            .map(|worker| scope.spawn(move || run(worker)))
            .collect();
        let mut results = run(0);
        for other in others {
            match other.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_items() {
        for count in 0..20u32 {
            let items: Vec<u32> = (0..count).collect();
            assert_eq!(
                super::map(&items, |item| item * 2),
                (0..count).map(|i| i * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    #[should_panic(expected = "item 3")]
    fn a_panic_reaches_the_caller() {
        super::map(&[1, 2, 3], |item| assert!(*item != 3, "item 3"));
    }
}
