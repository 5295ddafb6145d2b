//! What a folder takes of a disk, and a file system in memory that can be full.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

/// Bytes that the files of a folder take on the disk, as `du` counts them.
///
/// # Errors
/// When the folder or a file in it cannot be looked at.
pub fn disk_usage(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let (path, about) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        bytes += about.blocks() * 512 + if about.is_dir() { disk_usage(&path)? } else { 0 };
    }
    Ok(bytes)
}

/// A file system in memory, which is mounted as long as this lives.
pub struct MemoryDisk(PathBuf);

impl MemoryDisk {
    /// Mounts one of a size at a folder, which is made.
    ///
    /// # Errors
    /// When that cannot be: it wants root.
    pub fn mount(folder: &Path, size_mib: u64) -> anyhow::Result<MemoryDisk> {
        std::fs::create_dir_all(folder)?;
        let size = format!("size={size_mib}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).status()?;
        ensure!(mount.success(), "mounting wants root");
        Ok(MemoryDisk(folder.to_owned()))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves no room on it.
    ///
    /// # Errors
    /// When nothing can be written to it at all.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.others())?;
        while file.write_all(&[1; 1 << 16]).is_ok() {}
        Ok(())
    }

    /// Gives that room back.
    ///
    /// # Errors
    /// When it was not taken.
    pub fn free(&self) -> std::io::Result<()> {
        std::fs::remove_file(self.others())
    }

    /// What is not of the queue.
    fn others(&self) -> PathBuf {
        self.0.join("others")
    }
}

impl Drop for MemoryDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
