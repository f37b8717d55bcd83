//! Grants, for files in memory.

mod programs;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::SecretSource;
use hookctl_core::template::Template;

/// Files in memory: programs and others by real path, and links.
#[derive(Clone, Default)]
struct Files {
    files: BTreeMap<PathBuf, (bool, &'static str)>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Files {
    fn program(mut self, path: &str, content: &'static str) -> Self {
        self.files.insert(path.into(), (true, content));
        self
    }

    fn file(mut self, path: &str, content: &'static str) -> Self {
        self.files.insert(path.into(), (false, content));
        self
    }

    fn link(mut self, path: &str, to: &str) -> Self {
        self.links.insert(path.into(), to.into());
        self
    }
}

impl FileSystem for Files {
    fn real(&self, path: &Path) -> Option<PathBuf> {
        let mut real = path.to_owned();
        for (link, to) in &self.links {
            if let Ok(rest) = real.clone().strip_prefix(link) {
                real = to.join(rest).components().collect();
            }
        }
        let mut all = self.files.keys();
        all.any(|file| file.starts_with(&real)).then_some(real)
    }

    fn is_program(&self, path: &Path) -> bool {
        let real = self.real(path);
        real.and_then(|real| self.files.get(&real))
            .is_some_and(|(is_program, _)| *is_program)
    }

    fn content(&self, path: &Path) -> io::Result<Content> {
        Ok(match self.files.get(path) {
            Some((_, content)) => Content::Bytes(*blake3::hash(content.as_bytes()).as_bytes()),
            None => Content::Other,
        })
    }

    fn is_folder(&self, path: &Path) -> bool {
        let real = self.real(path);
        real.is_some_and(|real| !self.files.contains_key(&real))
    }

    fn entries(&self, folder: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
        let all = self.files.keys().chain(self.links.keys());
        let below = all.filter_map(|path| path.strip_prefix(folder).ok()?.components().next());
        let below: BTreeSet<PathBuf> = below.map(|name| folder.join(name)).collect();
        Ok(below.into_iter().take(most).collect())
    }

    fn length(&self, path: &Path) -> u64 {
        let file = self.files.get(path);
        file.map_or(0, |(_, content)| content.len() as u64)
    }

    fn is_of_the_system(&self, path: &Path) -> bool {
        ["/usr", "/bin"]
            .iter()
            .any(|folder| path.starts_with(folder))
    }
}

/// Returns a machine with two programs, and a repository with a script.
fn machine() -> Files {
    Files::default()
        .program("/usr/bin/op", "op")
        .program("/bin/sh", "sh")
        .program("/repo/bin/token", "#!/bin/sh\n")
        .file("/repo/webhooks.d/all.yaml", "")
        .file("/repo/script.sh", "one")
}

fn checkout() -> Checkout {
    Checkout::new("/repo".into(), [])
}

fn command(words: &[&str]) -> SecretSource {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    SecretSource::Command {
        program: words[0].clone(),
        arguments: words[1..].to_vec(),
        directory: "/repo/webhooks.d".into(),
    }
}

fn env(name: &str) -> SecretSource {
    SecretSource::Env { name: name.into() }
}

/// Parses the source of a secret in hookctl.yaml.
fn text(text: &str) -> SecretSource {
    SecretSource::Text {
        template: Template::parse(text).unwrap(),
    }
}

fn file(path: &str, confined_to: Option<&str>) -> SecretSource {
    SecretSource::File {
        path: path.into(),
        written: path.into(),
        confined_to: confined_to.map(PathBuf::from),
    }
}

fn of_tokens(sources: &[SecretSource], files: &Files, path: &str) -> Authority {
    let needs = Needs {
        tokens: sources.iter().map(|source| (source, None)).collect(),
        ..Needs::default()
    };
    gather(&needs, &checkout(), Some(path.as_ref()), files).unwrap()
}

fn asked(authority: &Authority) -> Vec<String> {
    let grants = authority.grants().iter();
    grants.map(|grant| grant.what().to_string()).collect()
}

const PATH: &str = "/usr/bin:/bin";

#[test]
fn a_program_is_asked_for_where_it_is_with_all_its_arguments() {
    let authority = of_tokens(
        &[
            command(&["op", "read", "it's", ""]),
            command(&["/repo/bin/token"]),
            env("TOKEN"),
            file("/run/secrets/x", None),
        ],
        &machine(),
        PATH,
    );
    assert_eq!(
        asked(&authority),
        [
            r"run /usr/bin/op read 'it'\''s' '' in /repo/webhooks.d for a token",
            "run /repo/bin/token in /repo/webhooks.d for a token",
        ]
    );
    let linked = of_tokens(
        &[command(&["op", "-v"])],
        &machine()
            .program("/opt/op", "")
            .link("/usr/bin/op", "/opt/op"),
        PATH,
    );
    assert_eq!(
        asked(&linked),
        ["run /usr/bin/op -v in /repo/webhooks.d for a token (/usr/bin/op is a link to /opt/op)"]
    );
    let What::Program(run) = authority.grants()[1].what() else {
        panic!();
    };
    assert_eq!(run.contents.len(), 1);
}

#[test]
fn neither_relative_folders_of_path_nor_those_of_the_checkout_are_searched() {
    let files = machine()
        .program("/repo/op", "evil")
        .program("/repo/bin/op", "evil")
        .program("/repo/webhooks.d/op", "evil")
        .link("/outside", "/repo/bin");
    for path in [
        "",
        ".",
        ":",
        "bin:./bin:../bin",
        "/repo/bin:/repo",
        "/repo/webhooks.d/../bin",
        "/usr/../repo/bin",
        "/outside",
    ] {
        let authority = of_tokens(&[command(&["op"])], &files, path);
        assert_eq!(asked(&authority), [""; 0], "{path}");
        assert_eq!(authority.missing().len(), 1, "{path}");
        assert!(
            !authority
                .trusted_by_caller()
                .permits()
                .cover(&command(&["op"]))
        );

        let authority = of_tokens(&[command(&["op"])], &files, &format!("{path}:/usr/bin"));
        assert_eq!(
            asked(&authority),
            ["run /usr/bin/op in /repo/webhooks.d for a token"],
            "{path}"
        );
    }
}

#[test]
fn whatever_decides_what_runs_makes_another_grant() {
    let digest = |source: &SecretSource, files: &Files| {
        of_tokens(std::slice::from_ref(source), files, PATH).digest()
    };
    let script = command(&["sh", "../script.sh"]);
    let before = digest(&script, &machine());
    assert_eq!(before, digest(&script, &machine()), "nothing changed");

    let elsewhere = Checkout::new("/moved".into(), []);
    let needs = Needs {
        tokens: vec![(&script, None)],
        ..Needs::default()
    };
    let moved = gather(&needs, &elsewhere, Some(PATH.as_ref()), &machine()).unwrap();
    let other_folder = SecretSource::Command {
        program: "sh".into(),
        arguments: vec!["../script.sh".into()],
        directory: "/repo/bin".into(),
    };
    let changed = [
        moved.digest(),
        digest(&script, &machine().file("/repo/script.sh", "two")),
        digest(&command(&["sh", "../script.sh", "x"]), &machine()),
        digest(&command(&["sh", "../script.sh "]), &machine()),
        digest(&other_folder, &machine()),
        digest(&script, &machine().program("/usr/bin/sh", "sh")),
        digest(
            &script,
            &machine()
                .file("/repo/other.sh", "one")
                .link("/repo/script.sh", "/repo/other.sh"),
        ),
        digest(&script, &machine().link("/bin/sh", "/usr/bin/op")),
    ];
    for (index, other) in changed.iter().enumerate() {
        assert_ne!(before, *other, "{index}");
        assert!(!changed[..index].contains(other), "{index}");
    }
}

/// Returns the grants for an API whose URL and key come from a file.
fn of_api(url: &str, key: &SecretSource) -> Vec<String> {
    of_api_given(url, key, false, false)
}

fn of_api_given(
    url: &str,
    key: &SecretSource,
    url_is_given: bool,
    key_is_given: bool,
) -> Vec<String> {
    let url = ApiBaseUrl::parse(url).unwrap();
    let needs = Needs {
        api: Some(ApiNeeds {
            url: &url,
            url_is_given,
            url_place: None,
            key,
            key_is_given,
            key_place: None,
            fingerprint_key: None,
        }),
        ..Needs::default()
    };
    asked(&gather(&needs, &checkout(), Some(PATH.as_ref()), &machine()).unwrap())
}

const API: &str = "https://api-prod.interactly.ai";

#[test]
fn the_key_goes_to_the_api_and_comes_from_its_own_variables_without_consent() {
    for key in [
        env("INTERACTLY_API_KEY"),
        env("HOOKCTL_KEY"),
        text("${INTERACTLY_QA_KEY}"),
        text("${HOOKCTL_A:-${INTERACTLY_B}}"),
        file("/repo/key", Some("/repo")),
    ] {
        for url in [API, "http://localhost:1", "http://127.0.0.1"] {
            assert_eq!(of_api(url, &key), [""; 0], "{url} {key:?}");
        }
    }
}

#[test]
fn another_host_or_another_place_of_the_key_is_asked_for() {
    let key = env("INTERACTLY_API_KEY");
    let sent = "send the API key from the variable INTERACTLY_API_KEY, and the tokens, to https://api.example.com";
    assert_eq!(of_api("https://api.example.com/x", &key), [sent]);
    assert_eq!(
        of_api_given("https://api.example.com", &key, true, false),
        [""; 0]
    );
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "INTERACTLY",
        "interactly_x",
        "MY_INTERACTLY_KEY",
    ] {
        let variable = format!("take the API key from the variable {name}");
        assert_eq!(of_api(API, &env(name)), [variable.as_str()]);
        for form in [
            format!("${{{name}}}"),
            format!("a${{HOOKCTL_X:-${{{name}:-}}}}"),
        ] {
            assert_eq!(of_api(API, &text(&form)), [variable.as_str()], "{form}");
        }
        assert_eq!(of_api_given(API, &env(name), true, false), [variable]);
        assert_eq!(of_api_given(API, &env(name), false, true), [""; 0]);
    }
    assert_eq!(
        of_api(API, &file("/run/secrets/key", None)),
        ["take the API key from the file /run/secrets/key"]
    );
    assert_eq!(
        of_api(API, &command(&["sh", "-c", "cat /x"])),
        ["run /bin/sh -c 'cat /x' in /repo/webhooks.d for the API key"]
    );
}

#[test]
fn consent_to_a_host_is_for_one_source_of_the_key() {
    let digests = |key: &SecretSource, url: &str| {
        let url = ApiBaseUrl::parse(url).unwrap();
        let needs = Needs {
            api: Some(ApiNeeds {
                url: &url,
                url_is_given: false,
                url_place: None,
                key,
                key_is_given: false,
                key_place: None,
                fingerprint_key: None,
            }),
            ..Needs::default()
        };
        let authority = gather(&needs, &checkout(), Some(PATH.as_ref()), &machine()).unwrap();
        let mut grants = authority.grants().iter();
        let host = grants.find(|grant| matches!(grant.what(), What::Host { .. }));
        host.unwrap().digest()
    };
    let all = [
        digests(&env("INTERACTLY_A"), "https://a.example"),
        digests(&env("INTERACTLY_B"), "https://a.example"),
        digests(&env("INTERACTLY_A"), "https://b.example"),
        digests(&env("INTERACTLY_A"), "https://a.example:444"),
        digests(&env("INTERACTLY_A"), "http://a.example"),
        digests(&text("${INTERACTLY_A}${INTERACTLY_B}"), "https://a.example"),
        digests(&file("/repo/a", Some("/repo")), "https://a.example"),
        digests(&command(&["op", "read"]), "https://a.example"),
        digests(&command(&["op", "list"]), "https://a.example"),
    ];
    for (index, digest) in all.iter().enumerate() {
        assert!(!all[..index].contains(digest), "{index}");
    }
    let same = digests(&env("INTERACTLY_A"), "https://A.example:443/path");
    assert_eq!(same, all[0], "who receives it is the same");
}

#[test]
fn a_host_that_is_not_allowed_is_refused_wherever_it_is_named() {
    let hosts = AllowedHosts::parse("*.interactly.ai").unwrap();
    let key = env("INTERACTLY_API_KEY");
    for (url, is_allowed) in [
        (API, true),
        ("http://localhost", false),
        ("https://a.example", false),
    ] {
        let url = ApiBaseUrl::parse(url).unwrap();
        let needs = Needs {
            api: Some(ApiNeeds {
                url: &url,
                url_is_given: true,
                url_place: None,
                key: &key,
                key_is_given: true,
                key_place: None,
                fingerprint_key: None,
            }),
            hosts: Some(&hosts),
            ..Needs::default()
        };
        let gathered = gather(&needs, &checkout(), None, &machine());
        assert_eq!(gathered.is_ok(), is_allowed, "{url}");
    }
}

#[test]
fn a_key_of_fingerprints_is_never_a_file_of_the_checkout() {
    let files = machine()
        .file("/home/me/key", "")
        .link("/home/me/link", "/repo/script.sh");
    let url = ApiBaseUrl::parse(API).unwrap();
    let key = env("INTERACTLY_API_KEY");
    let gathered = |source: &SecretSource| {
        let needs = Needs {
            api: Some(ApiNeeds {
                url: &url,
                url_is_given: false,
                url_place: None,
                key: &key,
                key_is_given: false,
                key_place: None,
                fingerprint_key: Some((source, None)),
            }),
            ..Needs::default()
        };
        gather(&needs, &checkout(), Some(PATH.as_ref()), &files)
    };
    let outside = gathered(&file("/home/me/key", None)).unwrap();
    assert_eq!(
        asked(&outside),
        ["take the fingerprint key from the file /home/me/key"]
    );
    for free in ["INTERACTLY_FINGERPRINT_KEY", "HOOKCTL_PLAN_KEY"] {
        assert_eq!(asked(&gathered(&env(free)).unwrap()), [""; 0]);
    }
    for name in [
        "HOME",
        "GITHUB_REPOSITORY",
        "HOOKCTL_API_URL",
        "HOOKCTL_VAR_MY_KEY",
        "INTERACTLY_TEAM",
    ] {
        let variable = format!("take the fingerprint key from the variable {name}");
        assert_eq!(asked(&gathered(&env(name)).unwrap()), [variable.as_str()]);
        let text = text(&format!("${{{name}}}"));
        assert_eq!(asked(&gathered(&text).unwrap()), [variable]);
    }
    assert_eq!(
        asked(&gathered(&command(&["op"])).unwrap()),
        ["run /usr/bin/op in /repo/webhooks.d for the fingerprint key"]
    );
    for inside in ["/repo/script.sh", "/home/me/link"] {
        let error = gathered(&file(inside, None)).unwrap_err();
        assert!(
            matches!(error, GatherError::FingerprintKeyInside { .. }),
            "{inside}"
        );
    }
}

#[test]
fn consent_is_whole_or_none_and_a_part_permits_its_own_programs_alone() {
    let sources = [command(&["op", "a"]), command(&["op", "b"])];
    let authority = of_tokens(&sources, &machine(), PATH);
    let first = authority.grants()[0].digest();
    let lacking = authority.consent(|digest| digest == first).unwrap_err();
    assert_eq!(lacking, [&authority.grants()[1]]);
    let permits = authority.permits(|digest| digest == first);
    assert!(permits.cover(&sources[0]) && !permits.cover(&sources[1]));
    let consent = authority.consent(|_| true).unwrap();
    assert!(sources.iter().all(|source| consent.permits().cover(source)));
    assert_eq!(consent.access(), None);
}

#[test]
fn one_grant_for_one_program_with_all_its_places() {
    let source = command(&["op"]);
    let place = |line| hookctl_core::location::Location {
        path: PathBuf::from("a.yaml").into(),
        line,
        column: 1,
    };
    let needs = Needs {
        tokens: (1..=3).map(|line| (&source, Some(place(line)))).collect(),
        ..Needs::default()
    };
    let authority = gather(&needs, &checkout(), Some(PATH.as_ref()), &machine()).unwrap();
    assert_eq!(authority.grants().len(), 1);
    assert_eq!(
        authority.grants()[0].places(),
        [place(1), place(2), place(3)]
    );
    let alone = of_tokens(std::slice::from_ref(&source), &machine(), PATH);
    assert_eq!(alone.digest(), authority.digest(), "places are for people");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[a-z ./'=-]{0,8}").unwrap()
    }

    proptest! {
        #[test]
        fn the_digest_tells_any_two_lists_of_arguments_apart(
            one in prop::collection::vec(word(), 0..4), other in prop::collection::vec(word(), 0..4),
        ) {
            let of = |arguments: &[String]| {
                let mut words = vec!["op"];
                words.extend(arguments.iter().map(String::as_str));
                of_tokens(&[command(&words)], &machine(), PATH).digest()
            };
            prop_assert_eq!(of(&one) == of(&other), one == other);
        }

        #[test]
        fn the_digest_does_not_depend_on_the_order_of_the_grants(
            mut names in prop::collection::vec("[a-z]{1,3}", 1..6), seed: u64,
        ) {
            let of = |names: &[String]| {
                let sources: Vec<_> = names.iter().map(|name| command(&["op", name])).collect();
                of_tokens(&sources, &machine(), PATH).digest()
            };
            let before = of(&names);
            let middle = usize::try_from(seed % names.len() as u64).unwrap();
            names.rotate_left(middle);
            prop_assert_eq!(before, of(&names));
        }

        #[test]
        fn nothing_is_found_in_the_checkout_by_name(folders in prop::collection::vec("(/repo|/repo/bin|\\.|bin|/x/\\.\\./repo|)", 0..5)) {
            let files = machine().program("/repo/op2", "").program("/repo/bin/op2", "");
            let authority = of_tokens(&[command(&["op2"])], &files, &folders.join(":"));
            prop_assert!(authority.grants().is_empty());
        }
    }
}
