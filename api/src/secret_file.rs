//! The data directory, and files of secrets in it that are created on first use.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// Creates a directory with mode 0700, or restricts an existing one.
///
/// # Errors
/// When it cannot be created.
pub fn private_directory(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return DirBuilder::new().recursive(true).mode(0o700).create(path);
    }
    // A directory of another user stays as it is.
    let _ = std::fs::set_permissions(path, Permissions::from_mode(0o700));
    Ok(())
}

/// Reads a file of a directory, or creates it with mode 0600 and this content. Processes that start at the same time
/// end up with the same content.
///
/// # Errors
/// When the file cannot be read or created.
pub fn read_or_create(dir: &Path, name: &str, content: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(name);
    if !path.exists() {
        create(dir, name, &content()?)?;
    }
    // A file of another user stays as it is.
    let _ = std::fs::set_permissions(&path, Permissions::from_mode(0o600));
    let mut text = String::new();
    File::open(&path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Writes to a temporary file and hard-links it, so that nobody reads a partial file and the first link wins.
fn create(dir: &Path, name: &str, content: &str) -> io::Result<()> {
    // Not the process id: containers that share a volume have equal ones.
    let suffix = u64::from_be_bytes(random_bytes()?);
    let draft = dir.join(format!("{name}.{suffix:016x}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content.as_bytes())?;
    // What the secret protects must not outlive it after a power failure.
    file.sync_all()?;
    // If the link fails, another process was first: its content is used.
    let _ = std::fs::hard_link(&draft, dir.join(name));
    let _ = std::fs::remove_file(&draft);
    File::open(dir)?.sync_all()
}

/// Returns random bytes of the operating system.
///
/// # Errors
/// When the operating system has none.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_private_and_keeps_its_first_content() {
        let dir = tempfile::tempdir().unwrap();
        let read = |content: &str| read_or_create(dir.path(), "secret", || Ok(content.to_owned())).unwrap();
        assert_eq!((read("one"), read("two")), ("one".to_owned(), "one".to_owned()));
        let mode = || std::fs::metadata(dir.path().join("secret")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(dir.path().join("secret"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!((read("two"), mode()), ("one".to_owned(), 0o600));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }
}
