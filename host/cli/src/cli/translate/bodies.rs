//! Request bodies as they would be sent, and how to send them by hand.

use crate::cli::offline::{Configuration, taken_at};
use crate::cli::words::Counted;
use anyhow::{Context as _, bail};
use preamp_config::SigV4;
use preamp_contract::{Batch, Header, Request};
use preamp_wasm::Component;
use std::fs::File;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

/// One body on standard output, or any number of them in a folder.
pub(super) struct Bodies {
    folder: Option<PathBuf>,
    count: u64,
    /// The last body; the only one, without a folder.
    last: Option<Batch>,
}

impl Bodies {
    /// Makes the folder, if there is none yet.
    pub(super) fn new(folder: Option<&Path>) -> anyhow::Result<Bodies> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        Ok(Bodies { folder: folder.map(Path::to_owned), count: 0, last: None })
    }

    /// Takes the next body. Numbers in file names give the order to send them in.
    pub(super) fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.count += 1;
        match &self.folder {
            Some(folder) => {
                let path = folder.join(format!("{:06}.snappy", self.count));
                let written = File::create_new(&path).and_then(|mut file| file.write_all(&batch.body));
                written.with_context(|| {
                    format!("{}: cannot be written; name another folder with --output", path.display())
                })?;
            }
            None if self.count > 1 => bail!(
                "the capture makes more than one request body: name a folder with --output, and each \
                 gets a file of its own"
            ),
            None => {}
        }
        self.last = Some(batch);
        Ok(())
    }

    /// Writes what was held back, and says how to send it.
    pub(super) async fn finish(
        self,
        configuration: &Configuration,
        component: &Component,
    ) -> anyhow::Result<String> {
        let Some(batch) = self.last else { return Ok(String::new()) };
        let command = curl(&batch, configuration, component).await?;
        match &self.folder {
            Some(folder) => Ok(format!(
                "{} in {}; to send them in order:\nfor body in {}/*.snappy; do\n  {command} --data-binary @\"$body\"\ndone\n",
                Counted(self.count, "request body"),
                folder.display(),
                quoted(&folder.display().to_string()),
            )),
            None => {
                stdout().write_all(&batch.body)?;
                stdout().flush()?;
                Ok(format!("to send the file written:\n  {command} --data-binary @FILE\n"))
            }
        }
    }
}

/// A command that sends a body with the header fields that the exporter would set. Those of the
/// configuration are left out: they may be secret.
async fn curl(batch: &Batch, configuration: &Configuration, component: &Component) -> anyhow::Result<String> {
    let exporter = configuration.public().open(component, taken_at(None))?;
    let Request { method, url, headers } = exporter.head(batch).await?;
    let mut command = format!("curl --fail-with-body --request {method} {}", quoted(&url));
    for Header { name, value } in headers.iter().filter(|header| header.name != "host") {
        command += &format!(" \\\n    --header {}", quoted(&format!("{name}: {value}")));
    }
    if let Some(SigV4 { region, service, .. }) = configuration.signed_for() {
        command += &format!(
            " \\\n    --aws-sigv4 {} --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" \\\n    \
             --header \"x-amz-security-token: $AWS_SESSION_TOKEN\"",
            quoted(&format!("aws:amz:{region}:{service}"))
        );
    }
    Ok(command + " \\\n   ")
}

/// A word of a shell command.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
