//! Truncated, zeroed, flipped, deleted, and rolled-back databases, and those of a killed process.

use super::*;

#[test]
fn damage_is_found_or_harmless_and_never_wrong() {
    let original = tempfile::tempdir().unwrap();
    filled(original.path(), 20);
    let size = fs::metadata(original.path().join("db/db")).unwrap().len();
    let mut found = 0;
    for trial in 0..48_u64 {
        let copy = folder::copy(original.path()).unwrap();
        let path = copy.path().join("db/db");
        let mut content = fs::read(&path).unwrap();
        let used = content.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        // Spread over the part in use by a fixed, odd step.
        let at = usize::try_from(trial * 7919 % used.min(size)).unwrap();
        match trial % 4 {
            0 => content[at] ^= 1,
            1 => content.truncate(at),
            2 => content
                .iter_mut()
                .skip(at)
                .take(4096)
                .for_each(|byte| *byte = 0),
            _ => content
                .iter_mut()
                .skip(at)
                .take(64)
                .for_each(|byte| *byte = !*byte),
        }
        fs::write(&path, content).unwrap();
        let read = Opened::open(&options(copy.path()), account())
            .and_then(|cache| Ok(cache.load()?.remembered.last_applied));
        match read {
            Ok(records) => assert_eq!(records, expected(20), "trial {trial}"),
            Err(_) => found += 1,
        }
    }
    assert!(found > 20, "only {found} of 48 damages were found");
}

#[test]
fn what_a_killed_process_left_half_made_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 3);
    // The second opening makes the snapshot.
    drop(Opened::open(&options(folder.path()), account()).unwrap());
    let database = folder.path().join("db");
    let snapshot = fs::read_dir(&database)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("snap."))
        .unwrap();
    let content = fs::read(&snapshot).unwrap();
    for length in [0, 5, content.len() / 2, content.len()] {
        let unnamed = database.join("snap.7FFFFFFFFFFFFFFF.generating");
        fs::write(&unnamed, &content[..length]).unwrap();
        let reader = Copied::open(&options(folder.path()), account());
        assert_eq!(
            reader
                .unwrap()
                .unwrap()
                .load()
                .unwrap()
                .remembered
                .last_applied,
            expected(3)
        );
        let cache = Opened::open(&options(folder.path()), account()).unwrap();
        assert_eq!(cache.load().unwrap().remembered.last_applied, expected(3));
    }
}

#[test]
fn a_process_that_was_killed_while_it_made_the_record_is_no_damage() {
    let whole = tempfile::tempdir().unwrap();
    drop(Opened::open(&options(whole.path()), account()).unwrap());
    let settings = fs::read(whole.path().join("db/conf")).unwrap();
    let moments: [&[(&str, usize)]; 4] = [
        &[],
        &[("conf", 0)],
        &[("conf", settings.len() - 4)],
        &[("conf", settings.len()), ("db", 0)],
    ];
    for files in moments {
        let folder = tempfile::tempdir().unwrap();
        let making = folder.path().join("db.making");
        fs::create_dir_all(making.join("blobs")).unwrap();
        for (name, length) in files {
            fs::write(making.join(name), &settings[..*length]).unwrap();
        }
        let cache = Opened::open(&options(folder.path()), account()).unwrap();
        assert_eq!(
            cache.load().unwrap().remembered.last_applied,
            LastApplied::default()
        );
        cache.close().unwrap();
        assert!(!making.exists());
        filled(folder.path(), 1);
    }
}

/// Damage to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flipped(usize),
    Truncated(usize),
    Zeroed,
    Deleted,
    Folder,
}

impl Damage {
    fn to(self, path: &Path) {
        let mut content = fs::read(path).unwrap();
        match self {
            Self::Flipped(at) => content[at] ^= 0x11,
            Self::Truncated(length) => content.truncate(length),
            Self::Zeroed => content.fill(0),
            Self::Deleted => return fs::remove_file(path).unwrap(),
            Self::Folder => {
                fs::remove_file(path).unwrap();
                return fs::create_dir(path).unwrap();
            }
        }
        fs::write(path, content).unwrap();
    }

    fn all(length: usize) -> Vec<Self> {
        let step = (length / 6).max(1);
        let flips = (0..length).step_by(step).map(Self::Flipped);
        let cuts = (0..length).step_by(step).map(Self::Truncated);
        let whole = [Self::Zeroed, Self::Deleted, Self::Folder];
        flips.chain(cuts).chain(whole).collect()
    }
}

#[test]
fn whatever_file_is_damaged_a_repair_ends_with_a_record_that_opens() {
    let original = tempfile::tempdir().unwrap();
    filled(original.path(), 3);
    // The second opening makes the snapshot.
    drop(Opened::open(&options(original.path()), account()).unwrap());
    let files: Vec<_> = listing(original.path()).into_keys().collect();
    for file in files {
        let name = file.strip_prefix(original.path()).unwrap();
        if matches!(name.to_str(), Some("lock" | ".gitignore")) {
            continue;
        }
        let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        // The log is empty beyond it.
        for damage in Damage::all(length.min(4_096)) {
            let copy = folder::copy(original.path()).unwrap();
            damage.to(&copy.path().join(name));
            let options = options(copy.path());
            let read = Opened::open(&options, account())
                .and_then(|cache| Ok(cache.load()?.remembered.last_applied));
            match read {
                Ok(records) => assert_eq!(records, expected(3), "{}, {damage:?}", name.display()),
                Err(error) => {
                    assert!(error.is_damage(), "{}, {damage:?}: {error}", name.display());
                    set_aside(&options, "damaged").unwrap();
                    filled(copy.path(), 1);
                }
            }
        }
    }
}

/// Returns the expected and the found generation of a record that was rolled back.
fn rolled_back(folder: &Path) -> (u64, u64) {
    let refused = Opened::open(&options(folder), account()).err().unwrap();
    let SledError::RolledBack {
        expected, found, ..
    } = refused
    else {
        panic!("{refused}");
    };
    (expected, found)
}

#[test]
fn an_older_state_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    let older = folder::copy(folder.path()).unwrap();
    filled(folder.path(), 3);
    fs::copy(older.path().join("db/db"), folder.path().join("db/db")).unwrap();
    assert_eq!(rolled_back(folder.path()), (5, 2));
}

#[test]
fn a_deleted_database_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    assert_eq!(rolled_back(folder.path()), (2, 0));
}
