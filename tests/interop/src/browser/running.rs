//! A headless browser as a child process, with its own profile that is removed afterwards.
//!
//! Starts processes and creates folders. The file of each browser holds its switches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::Program;

/// A running browser.
pub(super) struct Browser {
    // Dropped, and thereby ended, before its profile.
    pub(super) program: Program,
    _profile: Profile,
}

/// A folder for the files of a browser.
pub(super) struct Profile(PathBuf);

impl Browser {
    /// Starts the browser with a profile.
    pub(super) fn start(command: &mut Command, profile: Profile) -> Result<Self, String> {
        Ok(Self { program: Program::start(command)?, _profile: profile })
    }
}

impl Profile {
    /// An empty profile for the browser of this name.
    pub(super) fn new(browser: &str) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("interop-{browser}-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Processes that are still ending may write again; those files remain in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
