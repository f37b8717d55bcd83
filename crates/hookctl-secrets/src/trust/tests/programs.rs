//! The files that consent to a program covers.

use super::*;

#[test]
fn a_file_of_the_checkout_counts_in_whatever_part_of_an_argument_it_is_named() {
    for argument in [
        "../script.sh",
        "/repo/script.sh",
        "--config=../script.sh",
        "-f../script.sh",
        "@../script.sh",
        "cat x | ../script.sh -v",
        "echo $(../script.sh)",
        "'../script.sh';true",
    ] {
        let source = command(&["sh", "-c", argument]);
        let one = of_tokens(std::slice::from_ref(&source), &machine(), PATH);
        let two = machine().file("/repo/script.sh", "two");
        let two = of_tokens(std::slice::from_ref(&source), &two, PATH);
        assert_ne!(one.digest(), two.digest(), "{argument}");
    }
    // A file elsewhere does not belong to the repository.
    assert!(!covers(
        &checkout(),
        &["sh", "/etc/profile"],
        "/etc/profile"
    ));
}

/// Returns whether a change of an additional file changes the grant.
fn covers(checkout: &Checkout, words: &[&str], path: &str) -> bool {
    let source = command(words);
    let of = |content| {
        let files = machine()
            .file("/repo/other/x", "")
            .link("/repo/other/link", "/repo/linked")
            .file("/repo/linked/y", "")
            .program(path, content);
        let needs = Needs {
            tokens: vec![(&source, None)],
            ..Needs::default()
        };
        gather(&needs, checkout, Some(PATH.as_ref()), &files)
            .unwrap()
            .digest()
    };
    of("one") != of("two")
}

#[test]
fn all_files_of_a_folder_that_an_argument_names_count() {
    for (words, path) in [
        (&["sh", "../other"][..], "/repo/other/a/b.sh"),
        (&["op", "-C../other"], "/repo/other/b.sh"),
        (&["op", "--in=/repo/other"], "/repo/other/a/b.sh"),
        (&["sh", "-c", "cd ../other && ./b.sh"], "/repo/other/b.sh"),
        // The target of a link in it counts too.
        (&["op", "../other"], "/repo/linked/z/y"),
        (&["op", "."], "/repo/webhooks.d/new.yaml"),
        (&["op", ".."], "/repo/bin/new"),
        (&["op", ".."], "/repo/other/.git/x"),
        // The folder that a script changes into.
        (&["sh", "-c", "cd ..; . './a b.sh'"], "/repo/a b.sh"),
        (&["sh", "-c", "cd ../..; cd repo/bin; x y"], "/repo/bin/y"),
        (&["sh", "-c", "cd /; sh repo/x"], "/repo/x"),
        (&["op", "-C", "../bin", "../x"], "/repo/x"),
        // Git runs an alias in the root.
        (&["op", "-c", "alias.x=!./bin/x"], "/repo/bin/x"),
        (&["op", "-c", "alias.x=!cd bin; ./x"], "/repo/bin/x"),
        (&["op", "x.sh"], "/repo/conf/x.sh"),
    ] {
        let checkout = checkout().with_config("/repo/conf".into());
        assert!(covers(&checkout, words, path), "{words:?}");
    }
    let checkout = checkout().with_record("/repo/.hookctl".into());
    for (words, path) in [
        (&["op", "../other"][..], "/repo/elsewhere"),
        (&["op", ".."], "/repo/.git/index"),
        (&["op", ".."], "/repo/.hookctl/db"),
        (&["op", "/home"], "/home/me/x"),
        (&["sh", "-c", "cd .. && cat x"], "/repo/unnamed"),
        // A word that is also a folder of the root.
        (&["op", "other"], "/repo/other/b.sh"),
    ] {
        assert!(!covers(&checkout, words, path), "{words:?}");
    }
}

#[test]
fn what_a_program_reads_beside_what_is_named_is_reported() {
    for (words, expected) in [
        (&["op", "read", "x"][..], false),
        (&["sh", "../script.sh"], true),
        (&["op", "bin"], true),
        (&["op", "../bin"], false),
    ] {
        let authority = of_tokens(&[command(words)], &machine(), PATH);
        let What::Program(run) = authority.grants()[0].what() else {
            panic!();
        };
        assert_eq!(run.is_open, expected, "{words:?}");
    }
}

#[test]
fn consent_outlives_the_first_run_which_makes_the_record() {
    let checkout = checkout().with_record("/repo/.hookctl".into());
    let source = command(&["op", ".."]);
    let of = |files: &Files| {
        let needs = Needs {
            tokens: vec![(&source, None)],
            ..Needs::default()
        };
        let authority = gather(&needs, &checkout, Some(PATH.as_ref()), files).unwrap();
        authority.digest()
    };
    let before = of(&machine());
    assert_eq!(before, of(&machine().file("/repo/.hookctl/db", "")));
    assert_ne!(before, of(&machine().file("/repo/hookctl/db", "")));
}

#[test]
fn what_is_more_than_consent_can_cover_is_refused() {
    let refused = |words: &[&str], files: &Files| {
        let source = command(words);
        let needs = Needs {
            tokens: vec![(&source, None)],
            ..Needs::default()
        };
        gather(&needs, &checkout(), Some(PATH.as_ref()), files).unwrap_err()
    };
    let numbers = |count: usize| {
        (0..count)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let long = numbers(1_000);
    let error = refused(&["sh", "-c", &format!("{long} ../script.sh")], &machine());
    assert!(matches!(error, GatherError::TooManyNames { .. }), "{error}");
    let mut many = machine();
    for number in 0..4_200 {
        many = many.file(&format!("/repo/many/{number}"), "");
    }
    let error = refused(&["op", "../many"], &many);
    assert!(matches!(error, GatherError::TooLarge { .. }), "{error}");
    let mut folders = machine();
    let mut text = String::new();
    for number in 0..40 {
        folders = folders.file(&format!("/repo/f{number}/x"), "");
        text += &format!("cd ../f{number}; ");
    }
    let error = refused(&["sh", "-c", &text], &folders);
    assert!(matches!(error, GatherError::TooManyNames { .. }), "{error}");
    // Many programs take no longer than a few.
    let names = numbers(900);
    let sources: Vec<_> = (0..1_000)
        .map(|number| command(&["op", &names, &number.to_string()]))
        .collect();
    let needs = Needs {
        tokens: sources.iter().map(|source| (source, None)).collect(),
        ..Needs::default()
    };
    let error = gather(&needs, &checkout(), Some(PATH.as_ref()), &machine()).unwrap_err();
    assert!(matches!(error, GatherError::TooManyNames { .. }), "{error}");
}

#[test]
fn without_git_all_files_count_but_those_of_the_system() {
    let checkout = Checkout::new("/repo/hooks".into(), []).open_ended();
    for (words, path) in [
        (&["/repo/bin/token"][..], "/repo/bin/token"),
        (&["sh", "../script.sh"], "/repo/script.sh"),
        (&["sh", "/repo/script.sh"], "/repo/script.sh"),
        (&["sh", "-c", "cat /opt/x"], "/opt/x"),
        (&["op", "../other"], "/repo/other/b.sh"),
    ] {
        assert!(covers(&checkout, words, path), "{words:?}");
    }
    for (words, path) in [
        (&["op"][..], "/usr/bin/op"),
        (&["op", "/usr/share/x"], "/usr/share/x"),
        (&["op", "read"], "/opt/op"),
    ] {
        assert!(!covers(&checkout, words, path), "{words:?}");
    }
    // A parent folder counts as named, and not again from there.
    let (source, files) = (command(&["op", ".."]), machine().file("/x", ""));
    let above = Checkout::new("/repo/webhooks.d".into(), []).open_ended();
    let needs = Needs {
        tokens: vec![(&source, None)],
        ..Needs::default()
    };
    let authority = gather(&needs, &above, Some(PATH.as_ref()), &files).unwrap();
    let What::Program(run) = authority.grants()[0].what() else {
        panic!();
    };
    let is_covered = |path: &str| {
        run.contents
            .iter()
            .any(|(known, _)| known == Path::new(path))
    };
    assert!(is_covered("/repo/script.sh") && !is_covered("/x"));
    // If the repository is among the system's files, those count too.
    let checkout = Checkout::new("/usr/src/app".into(), []).open_ended();
    assert!(covers(&checkout, &["op", "/usr/x"], "/usr/x"));
}
