//! Signatures that are verified while their caller does something else.
//!
//! A set of checks is filled, started once and joined once. A thread that all sets share works on it.
//! The caller who comes to join does what that thread has not begun, and after a while also what it has
//! begun: while other processes keep the cores busy, a thread may wait for its turn for long. For some
//! time after that the thread gets nothing. Verdicts do not depend on who finds them.

use std::hint;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use jamliquor_vrf::{bandersnatch, ed25519, ring};

use crate::status::{free, guard, Failure, JAM_OK};
use crate::vrf::{arrays, strings, JamRingVerifier, JAM_BAD_SIGNATURE};

/// Stack of the thread: an address range, of which only what is used becomes memory.
const STACK: usize = 1 << 20;
/// How long the caller waits for a batch that the thread has begun: some times what it takes.
const PATIENCE: Duration = Duration::from_micros(500);
const PATIENCE_FOR_RINGS: Duration = Duration::from_millis(8);
/// Rounds of idling between two looks at a finding.
const SPINS: usize = 200;
/// When the thread begins later than this, the cores are busy.
const PROMPT: Duration = Duration::from_micros(300);
/// When the thread was late, or the caller has waited in vain, some starts do without it: 2, 6, 14 and
/// 30 for as long as this goes on. Once alone says little: the node itself reads for some blocks together.
const LATEST: usize = 4;

/// Starts that are still to be made without the thread.
static PAUSED: AtomicUsize = AtomicUsize::new(0);
/// How often it was late one after the other.
static LATE: AtomicUsize = AtomicUsize::new(0);

/// Sets that may wait for the thread; beyond that it gets nothing.
const QUEUED: usize = 4;

/// What the thread is sent: work, and when that was.
type Sent = (Instant, Arc<Work>);

/// The thread, which waits for work as long as the process lives: starting one for each set takes
/// longer, and memory, for which the system may have to look. A process that was forked off does without.
static THREAD: OnceLock<Option<SyncSender<Sent>>> = OnceLock::new();

fn thread() -> Option<SyncSender<Sent>> {
    let (sender, receiver) = sync_channel(QUEUED);
    let thread = Builder::new().name("checks".into()).stack_size(STACK);
    let started = thread.spawn(move || work_on(&receiver));
    started.is_ok().then_some(sender)
}

fn work_on(sent: &Receiver<Sent>) {
    for (asked, work) in sent {
        match asked.elapsed() {
            waited if waited > PROMPT => late(),
            _ => LATE.store(0, Ordering::Relaxed),
        }
        // A panic leaves a batch without a finding, so that it happens again to the caller.
        drop(catch_unwind(AssertUnwindSafe(|| work.run())));
    }
}

/// Takes note that the thread was late.
fn late() {
    let before = LATE.fetch_add(1, Ordering::Relaxed).min(LATEST);
    PAUSED.store((2 << before) - 2, Ordering::Relaxed);
}

/// One batch of one kind, with its own copy of everything.
enum Batch {
    Vrf {
        publics: Vec<[u8; 32]>,
        inputs: Vec<Vec<u8>>,
        messages: Vec<Vec<u8>>,
        signatures: Vec<[u8; 96]>,
    },
    Ed25519 {
        publics: Vec<[u8; 32]>,
        messages: Vec<Vec<u8>>,
        signatures: Vec<[u8; 64]>,
    },
    Ring {
        verifier: Arc<ring::Verifier>,
        inputs: Vec<Vec<u8>>,
        messages: Vec<Vec<u8>>,
        proofs: Vec<[u8; 784]>,
    },
}

impl Batch {
    /// Position of the first item that does not hold, if there is one.
    fn first_bad(&self) -> Option<usize> {
        match self {
            Batch::Vrf {
                publics,
                inputs,
                messages,
                signatures,
            } => {
                let items: Vec<_> = (0..publics.len())
                    .map(|at| bandersnatch::Item {
                        public: &publics[at],
                        input: &inputs[at],
                        aux: &messages[at],
                        signature: &signatures[at],
                    })
                    .collect();
                bandersnatch::verify_batch(&items).err()
            }
            Batch::Ed25519 {
                publics,
                messages,
                signatures,
            } => {
                let items: Vec<_> = (0..publics.len())
                    .map(|at| ed25519::Item {
                        public: &publics[at],
                        message: &messages[at],
                        signature: &signatures[at],
                    })
                    .collect();
                ed25519::first_bad(&items)
            }
            Batch::Ring {
                verifier,
                inputs,
                messages,
                proofs,
            } => {
                let items: Vec<_> = (0..proofs.len())
                    .map(|at| ring::Item {
                        input: &inputs[at],
                        aux: &messages[at],
                        proof: &proofs[at],
                    })
                    .collect();
                verifier.verify(&items).err()
            }
        }
    }
}

/// What is known of a batch: nothing, or the position of the first item that does not hold.
type Finding = Option<Option<usize>>;

struct Work {
    batches: Vec<Batch>,
    /// The first batch that nobody has begun.
    next: AtomicUsize,
    findings: Mutex<Vec<Finding>>,
}

impl Work {
    fn new(batches: Vec<Batch>) -> Self {
        Work {
            next: AtomicUsize::new(0),
            findings: Mutex::new(vec![None; batches.len()]),
            batches,
        }
    }

    fn findings(&self) -> MutexGuard<'_, Vec<Finding>> {
        // Nothing panics while it holds the lock.
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on what nobody has begun.
    fn run(&self) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = self.batches.get(at) else {
                return;
            };
            let finding = batch.first_bad();
            self.findings()[at] = Some(finding);
        }
    }

    /// The finding of a batch that somebody has begun.
    fn finding(&self, at: usize) -> Option<usize> {
        let batch = &self.batches[at];
        let patience = match batch {
            Batch::Ring { .. } => PATIENCE_FOR_RINGS,
            _ => PATIENCE,
        };
        let start = Instant::now();
        // Who sleeps on a busy core gets it back late, so this waits awake.
        while start.elapsed() < patience {
            if let Some(finding) = self.findings()[at] {
                return finding;
            }
            for _ in 0..SPINS {
                hint::spin_loop();
            }
        }
        late();
        batch.first_bad()
    }
}

/// A set of checks; shared with the thread that works on it once it is started.
#[derive(Default)]
pub struct JamChecks {
    batches: Vec<Batch>,
    started: Option<Arc<Work>>,
}

impl JamChecks {
    fn start(&mut self) {
        let work = Arc::new(Work::new(std::mem::take(&mut self.batches)));
        self.started = Some(work.clone());
        let fewer = |paused: usize| paused.checked_sub(1);
        if PAUSED
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
        {
            return;
        }
        // Without the thread the work is done when it is joined.
        if let Some(thread) = THREAD.get_or_init(thread) {
            let _ = thread.try_send((Instant::now(), work));
        }
    }

    /// Batch and position of the first item that does not hold.
    fn join(&mut self) -> Result<Option<(usize, usize)>, Failure> {
        let work = self
            .started
            .take()
            .ok_or_else(|| Failure::argument("the checks were not started"))?;
        work.run();
        Ok((0..work.batches.len()).find_map(|at| Some((at, work.finding(at)?))))
    }
}

fn owned(strings: Vec<&[u8]>) -> Vec<Vec<u8>> {
    strings.into_iter().map(<[u8]>::to_vec).collect()
}

/// Adds a batch to checks that are not started.
///
/// # Safety
/// `checks` must be live and used by no other thread meanwhile.
unsafe fn add(checks: *mut JamChecks, batch: Batch) -> i32 {
    // SAFETY: live and used by nobody else, as the caller promises.
    unsafe { (*checks).batches.push(batch) };
    JAM_OK
}

/// Makes an empty set of checks.
///
/// # Safety
/// `checks` must be writable for a pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_new(checks: *mut *mut JamChecks) -> i32 {
    guard(|| {
        // SAFETY: the caller promises a writable place.
        unsafe { *checks = Box::into_raw(Box::default()) };
        Ok(JAM_OK)
    })
}

/// Destroys checks; null is allowed and does nothing. What the thread has begun it ends.
///
/// # Safety
/// `checks` must be null or live, and never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_free(checks: *mut JamChecks) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(checks) }
}

/// Adds a batch of VRF signatures, as `jam_vrf_verify_batch` takes it, which is copied.
///
/// # Safety
/// `checks` as for all; the rest as for `jam_vrf_verify_batch`.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_add_vrf(
    checks: *mut JamChecks,
    public_keys: *const u8,
    inputs: *const u8,
    input_lengths: *const u32,
    messages: *const u8,
    message_lengths: *const u32,
    signatures: *const u8,
    count: usize,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    guard(|| unsafe {
        let batch = Batch::Vrf {
            publics: arrays(public_keys, count)?.to_vec(),
            inputs: owned(strings(inputs, input_lengths, count)?),
            messages: owned(strings(messages, message_lengths, count)?),
            signatures: arrays(signatures, count)?.to_vec(),
        };
        Ok(add(checks, batch))
    })
}

/// Adds a batch of Ed25519 signatures, as `jam_ed25519_verify_batch` takes it, which is copied.
///
/// # Safety
/// `checks` as for all; the rest as for `jam_ed25519_verify_batch`.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_add_ed25519(
    checks: *mut JamChecks,
    public_keys: *const u8,
    messages: *const u8,
    lengths: *const u32,
    signatures: *const u8,
    count: usize,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    guard(|| unsafe {
        let batch = Batch::Ed25519 {
            publics: arrays(public_keys, count)?.to_vec(),
            messages: owned(strings(messages, lengths, count)?),
            signatures: arrays(signatures, count)?.to_vec(),
        };
        Ok(add(checks, batch))
    })
}

/// Adds a batch of ring proofs, as `jam_ring_verify_batch` takes it, which is copied. The verifier may
/// be freed meanwhile.
///
/// # Safety
/// `checks` as for all; the rest as for `jam_ring_verify_batch`.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_add_ring(
    checks: *mut JamChecks,
    verifier: *const JamRingVerifier,
    inputs: *const u8,
    input_lengths: *const u32,
    messages: *const u8,
    message_lengths: *const u32,
    proofs: *const u8,
    count: usize,
) -> i32 {
    // SAFETY: passed on from this function's own contract.
    guard(|| unsafe {
        let batch = Batch::Ring {
            verifier: (*verifier).0.clone(),
            inputs: owned(strings(inputs, input_lengths, count)?),
            messages: owned(strings(messages, message_lengths, count)?),
            proofs: arrays(proofs, count)?.to_vec(),
        };
        Ok(add(checks, batch))
    })
}

/// Starts to verify everything that was added, in its order, up to the first that does not hold.
///
/// # Safety
/// `checks` must be live and used by no other thread meanwhile.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_start(checks: *mut JamChecks) -> i32 {
    guard(|| {
        // SAFETY: live and used by nobody else, as the caller promises.
        unsafe { (*checks).start() };
        Ok(JAM_OK)
    })
}

/// Waits for the verdict, or does the work. With `JAM_BAD_SIGNATURE` the first bad item is told.
///
/// # Safety
/// `checks` must be live and used by no other thread meanwhile; `batch` (in the order of their
/// addition) and `position` in it must be writable for a number.
#[no_mangle]
pub unsafe extern "C" fn jam_checks_join(
    checks: *mut JamChecks,
    batch: *mut usize,
    position: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: live and used by nobody else, as the caller promises.
        let Some((bad_batch, bad_position)) = unsafe { (*checks).join() }? else {
            return Ok(JAM_OK);
        };
        // SAFETY: the caller promises writable places.
        unsafe {
            *batch = bad_batch;
            *position = bad_position;
        }
        Ok(JAM_BAD_SIGNATURE)
    })
}
