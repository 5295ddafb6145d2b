//! A disk that can lose what was not synchronized, fail at any step, and be full.

use preamp_queue::durable::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes at once: a power cut leaves each of these as it was or as it was to be.
const SECTOR: usize = 512;

/// What is done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file is made.
    Create,
    /// Bytes are written.
    Write,
    /// What was written is synchronized.
    Sync,
    /// A file is removed.
    Remove,
    /// A file gets another name.
    Rename,
    /// Bytes are read.
    Read,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An input or output error.
    Io,
    /// No space is left.
    Full,
}

/// Decides what becomes of the operation that is next, which has this number.
type Plan = dyn Fn(u64, Operation) -> Option<Fault> + Send + Sync;

/// Looks at the disk before each operation.
type Watch = dyn Fn(&SimulatedDisk, u64, Operation) + Send + Sync;

/// A disk in memory.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    /// Files whose removal a power cut may undo.
    removed: Vec<(String, Arc<Mutex<Content>>)>,
    operations: u64,
    /// Which run of the system it is: a power cut begins another.
    boot: u64,
    capacity: Option<u64>,
    plan: Option<Arc<Plan>>,
    watch: Option<Arc<Watch>>,
    /// Whether synchronizing does nothing, which a test must notice.
    lies: bool,
}

/// A file: what programs see of it, and what is left of it after a power cut.
#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// What was written since it was synchronized.
    pending: Vec<(usize, Vec<u8>)>,
    /// Whether synchronizing failed once; it must not be tried again.
    sync_failed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedDisk {
    /// A disk with room for as many bytes.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        let disk = Self::default();
        lock(&disk.0).capacity = Some(bytes);
        disk
    }

    /// Has operations fail from now on as the plan says, which gets the number of each.
    pub fn fail(&self, plan: impl Fn(u64, Operation) -> Option<Fault> + Send + Sync + 'static) {
        lock(&self.0).plan = Some(Arc::new(plan));
    }

    /// Has no operation fail any more.
    pub fn heal(&self) {
        lock(&self.0).plan = None;
    }

    /// Has somebody look at the disk before each operation.
    pub fn watch(&self, watch: impl Fn(&SimulatedDisk, u64, Operation) + Send + Sync + 'static) {
        lock(&self.0).watch = Some(Arc::new(watch));
    }

    /// Makes the disk one that says it has synchronized, and has not.
    pub fn lie(&self) {
        lock(&self.0).lies = true;
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        lock(&self.0).operations
    }

    /// The disk as another process finds it when this one is killed.
    #[must_use]
    pub fn after_kill(&self) -> SimulatedDisk {
        self.image(|content| content.seen.clone(), |_| false, 0)
    }

    /// The disk as it is after a power cut at this moment: of what was not synchronized, chance decides for every
    /// sector whether it was written, and for every file that was removed whether it is there again.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64) -> SimulatedDisk {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        self.image(|content| content.after_power_cut(&mut lock(&random)), |_| lock(&random).bool(), 1)
    }

    fn image(
        &self,
        content: impl Fn(&Content) -> Vec<u8>,
        comes_back: impl Fn(&str) -> bool,
        boots: u64,
    ) -> SimulatedDisk {
        let state = lock(&self.0);
        let removed = state.removed.iter().filter(|(name, _)| comes_back(name));
        let removed = removed.map(|(name, file)| (name, file));
        // What bears a name now stands before what bore it once.
        let files = removed.chain(&state.files).map(|(name, file)| {
            let bytes = content(&lock(file));
            let content = Content { seen: bytes.clone(), kept: bytes, ..Content::default() };
            (name.clone(), Arc::new(Mutex::new(content)))
        });
        let files = files.collect();
        SimulatedDisk(Arc::new(Mutex::new(State {
            files,
            boot: state.boot + boots,
            capacity: state.capacity,
            ..State::default()
        })))
    }

    /// The names and the contents of all files.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        lock(&self.0).files.iter().map(|(name, file)| (name.clone(), lock(file).seen.clone())).collect()
    }

    /// Puts a file onto the disk.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Content { seen: bytes.clone(), kept: bytes, ..Content::default() };
        lock(&self.0).files.insert(name.to_owned(), Arc::new(Mutex::new(content)));
    }

    fn begin(&self, operation: Operation) -> io::Result<()> {
        let (number, plan, watch) = {
            let mut state = lock(&self.0);
            state.operations += 1;
            (state.operations, state.plan.clone(), state.watch.clone())
        };
        if let Some(watch) = watch {
            watch(self, number, operation);
        }
        match plan.and_then(|plan| plan(number, operation)) {
            None => Ok(()),
            Some(Fault::Io) => Err(io::Error::other("a simulated input/output error")),
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
        }
    }

    fn used(state: &State) -> u64 {
        state.files.values().map(|file| lock(file).seen.len() as u64).sum()
    }

    fn handle(&self, content: Arc<Mutex<Content>>) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile { disk: self.clone(), content })
    }
}

impl Content {
    fn after_power_cut(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.kept.clone();
        for (offset, written) in &self.pending {
            let mut at = 0;
            while at < written.len() {
                let end = ((offset + at) / SECTOR * SECTOR + SECTOR - offset).min(written.len());
                if random.bool() && offset + end <= bytes.len() {
                    bytes[offset + at..offset + end].copy_from_slice(&written[at..end]);
                }
                at = end;
            }
        }
        bytes
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).files.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        let begun = self.begin(Operation::Create);
        let mut state = lock(&self.0);
        let zeros = vec![0; if begun.is_ok() { bytes as usize } else { 0 }];
        let content = Content { seen: zeros.clone(), kept: zeros, ..Content::default() };
        let content = Arc::new(Mutex::new(content));
        let is_full = state.capacity.is_some_and(|capacity| Self::used(&state) + bytes > capacity);
        if begun.is_ok() && is_full {
            return Err(ErrorKind::StorageFull.into());
        }
        // A file may be left where making one failed.
        state.files.insert(name.to_owned(), content.clone());
        begun.map(|()| self.handle(content))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let content = lock(&self.0).files.get(name).cloned().ok_or(ErrorKind::NotFound)?;
        Ok(self.handle(content))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.begin(Operation::Remove)?;
        let mut state = lock(&self.0);
        let content = state.files.remove(name).ok_or(ErrorKind::NotFound)?;
        state.removed.push((name.to_owned(), content));
        Ok(())
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.begin(Operation::Rename)?;
        let mut state = lock(&self.0);
        let content = state.files.remove(name).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let state = lock(&self.0);
        Ok(state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(Self::used(&state))))
    }

    fn boot(&self) -> Option<String> {
        Some(lock(&self.0).boot.to_string())
    }

    fn place(&self) -> String {
        "a simulated disk".to_owned()
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    content: Arc<Mutex<Content>>,
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.content).seen.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.begin(Operation::Read)?;
        let content = lock(&self.content);
        let from = content.seen.get(offset as usize..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let begun = self.disk.begin(Operation::Write);
        // Of a write that fails, a part may be done.
        let done = if begun.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        let mut content = lock(&self.content);
        let offset = offset as usize;
        let end = offset + done.len();
        if content.seen.len() < end {
            return Err(ErrorKind::WriteZero.into());
        }
        content.seen[offset..end].copy_from_slice(done);
        content.pending.push((offset, done.to_vec()));
        begun
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.disk.begin(Operation::Sync);
        let lies = lock(&self.disk.0).lies;
        let mut content = lock(&self.content);
        assert!(!content.sync_failed, "a file was synchronized again after that had failed");
        if let Err(error) = begun {
            // As Linux does it: what could not be written counts as clean, and is lost.
            content.sync_failed = true;
            content.pending.clear();
            return Err(error);
        }
        if !lies {
            for (offset, bytes) in std::mem::take(&mut content.pending) {
                content.kept[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
        }
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut content = lock(&self.content);
        content.seen.truncate(bytes as usize);
        content.kept.truncate(bytes as usize);
        Ok(())
    }
}
