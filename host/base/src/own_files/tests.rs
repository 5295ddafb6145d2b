use super::*;
use std::os::unix::fs::{chown, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

/// A file that is not ours, and must stay as it is.
const ANOTHER: &[u8] = b"of somebody else";
const NAME: &str = "name";

/// A directory of ours, and another file beside it.
fn directory() -> (TempDir, PathBuf, OwnDirectory, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (own, another) = (folder.path().join("own"), folder.path().join("another"));
    fs::create_dir(&own).unwrap();
    fs::write(&another, ANOTHER).unwrap();
    let directory = OwnDirectory::open(&own).unwrap();
    (folder, own.join(NAME), directory, another)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// What is said when the name is locked, created, written to, read and looked at.
fn refusals(directory: &OwnDirectory) -> Vec<String> {
    let name = NAME.as_ref();
    let opened =
        [Purpose::Look, Purpose::Read, Purpose::Write].map(|purpose| directory.open_file(name, purpose));
    let locked = directory.lock(name).map_err(|error| match error {
        LockError::System(error) => error,
        LockError::Held(holder) => panic!("{holder}"),
    });
    let made = directory.create(name);
    [locked, made].into_iter().chain(opened).filter_map(|result| Some(result.err()?.to_string())).collect()
}

#[test]
fn nothing_is_opened_in_the_place_of_a_file() {
    type Put = fn(&Path, &Path);
    let kinds: [(&str, Put); 6] = [
        ("a symbolic link", |path, another| symlink(another, path).unwrap()),
        ("a symbolic link", |path, _| symlink("nowhere", path).unwrap()),
        ("a FIFO", |path, _| rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::RWXU).unwrap()),
        ("a directory", |path, _| fs::create_dir(path).unwrap()),
        ("a socket", |path, _| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
        ("a device", |path, _| {
            let null = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(rustix::fs::CWD, path, FileType::CharacterDevice, Mode::RWXU, null).unwrap();
        }),
    ];
    for (kind, put) in kinds {
        let (_folder, path, directory, another) = directory();
        put(&path, &another);
        let said = refusals(&directory);
        assert_eq!(said.len(), 5, "{kind}: {said:?}");
        for said in said {
            assert!(said.starts_with(&format!("`name` is {kind}, not a file, and is left alone")), "{said}");
        }
        assert!(fs::symlink_metadata(&path).is_ok(), "{kind} is still there");
        assert_eq!(fs::read(&another).unwrap(), ANOTHER);
    }
}

#[test]
fn a_file_with_another_name_elsewhere_is_not_written_to() {
    let (_folder, path, directory, another) = directory();
    fs::hard_link(&another, &path).unwrap();
    let said = refusals(&directory);
    assert_eq!(said.len(), 3, "to look and to read is harmless: {said:?}");
    assert!(said.iter().all(|said| said.contains("a file with 2 names (hard links)")), "{said:?}");
    assert!(!directory.close_to_others(NAME.as_ref()).unwrap(), "its permissions are another's business");
    assert_eq!((fs::read(&another).unwrap(), mode(&another)), (ANOTHER.to_vec(), 0o644));
}

#[test]
fn a_file_of_another_user_is_not_taken_for_ours() {
    let (_folder, path, directory, _) = directory();
    fs::write(&path, ANOTHER).unwrap();
    chown(&path, Some(65534), None).expect("the tests run as root");
    let said = refusals(&directory);
    assert_eq!(said.len(), 4, "root may look: {said:?}");
    assert!(
        said[0].contains("belongs to user 65534, and this process to user 0: run it as user 65534"),
        "{said:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), ANOTHER);
    // Whoever has the directory can put there what they want anyway.
    chown(path.parent().unwrap(), Some(65534), None).unwrap();
    assert_eq!(refusals(&directory), [""; 0]);
}

#[test]
fn what_an_earlier_version_left_open_is_closed() {
    let (_folder, path, directory, _) = directory();
    let name = NAME.as_ref();
    fs::write(&path, ANOTHER).unwrap();
    assert!(directory.close_to_others(name).unwrap() && !directory.close_to_others(name).unwrap());
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (ANOTHER.to_vec(), 0o600));
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let lock = directory.lock(name).unwrap();
    assert_eq!(
        (fs::read(&path).unwrap(), mode(&path)),
        (ANOTHER.to_vec(), 0o600),
        "nothing of it is emptied"
    );
    let Err(LockError::Held(holder)) = directory.lock(name) else { panic!("locked twice") };
    let own = format!("process {} (", std::process::id());
    assert!(holder.to_string().starts_with(&own) && holder.to_string().ends_with(" of user 0)"), "{holder}");
    drop(lock);
    assert!(directory.lock(name).is_ok());
}

#[test]
fn a_new_file_is_not_one_that_somebody_has_open() {
    let (_folder, path, directory, _) = directory();
    fs::write(&path, ANOTHER).unwrap();
    let open = File::open(&path).unwrap();
    let new = directory.create(NAME.as_ref()).unwrap();
    assert_eq!((new.metadata().unwrap().len(), mode(&path)), (0, 0o600));
    assert_ne!(new.metadata().unwrap().ino(), open.metadata().unwrap().ino());
}

#[test]
fn directories_are_made_with_their_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    fs::create_dir(&there).unwrap();
    let before = mode(&there);
    // The operator's own links are followed.
    symlink(&there, folder.path().join("link")).unwrap();
    make_directories(&folder.path().join("link/a/b"), 0o2770).unwrap();
    assert_eq!((mode(&there.join("a")), mode(&there.join("a/b"))), (0o2770, 0o2770));
    make_directories(&there.join("a/b"), 0o700).unwrap();
    assert_eq!((mode(&there), mode(&there.join("a/b"))), (before, 0o2770), "what is there stays as it is");
    fs::write(there.join("file"), ANOTHER).unwrap();
    assert!(make_directories(&there.join("file/a"), 0o700).is_err());
}

#[test]
fn only_a_directory_can_be_opened_and_it_says_who_writes_there() {
    let (_folder, path, directory, another) = directory();
    assert!(OwnDirectory::open(&another).is_err());
    assert!(!directory.is_written_by_others().unwrap());
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o1777)).unwrap();
    assert!(directory.is_written_by_others().unwrap());
    fs::write(&path, "").unwrap();
    assert_eq!(directory.list().unwrap(), [NAME]);
}
