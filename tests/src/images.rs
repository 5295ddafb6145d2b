//! File systems in files: what a copy of such a file holds is what a power cut leaves.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program}: is it there?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said} (mounting wants root)");
    Ok(())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A file system in an image, which is mounted as long as this lives.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// Makes one of 256 MiB in a file, and mounts it.
    ///
    /// # Errors
    /// When that cannot be done, for want of rights perhaps.
    pub fn make(image: &Path, at: PathBuf) -> anyhow::Result<Mounted> {
        std::fs::File::create(image)?.set_len(256 << 20)?;
        run("mkfs.ext4", &["-q", "-F", text(image)])?;
        Self::mount(image, at)
    }

    /// Mounts one that is in a file.
    ///
    /// # Errors
    /// When that cannot be done, for want of rights perhaps.
    pub fn mount(image: &Path, at: PathBuf) -> anyhow::Result<Mounted> {
        std::fs::create_dir_all(&at)?;
        run("mount", &["-o", "loop", text(image), text(&at)])?;
        Ok(Mounted(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What still has it open ends with the test.
        let _unmounted = run("umount", &["--lazy", text(&self.0)]);
    }
}
