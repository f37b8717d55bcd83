//! The names in arguments: every part that a program could treat as a path.

use std::collections::BTreeSet;

/// The most names in the arguments of one program.
pub(super) const MOST_NAMES: usize = 1_000;
/// The most parts of one text, including repetitions.
const MOST_PARTS: usize = 16_000;
/// The longest path of any system, in bytes.
const LONGEST_PATH: usize = 32 * 1024;
/// How deeply nested texts are split: `sh -c "sh -c './a b'"`.
const NESTED: usize = 3;
/// The most letters of short options before a value: `-xvf./a`.
const MOST_LETTERS: usize = 16;
/// The characters before a value: `--file=./a`, `@./a`, `if=./a`, `./a:ro`, `!./a`.
const BEFORE_VALUES: [char; 5] = ['=', '@', ':', ',', '!'];
/// The characters that a shell expands, so that the resulting names differ from the written ones.
const EXPANDED: &str = "$`*?[~{";
const SHELLS: [&str; 9] = [
    "sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "busybox",
];
const INTERPRETERS: [&str; 12] = [
    "python",
    "pypy",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "pwsh",
    "osascript",
];
/// Programs that read files not named by their arguments: build files, modules, hooks, aliases, search results, or
/// files of other programs that they run.
const READS_MORE: [&str; 50] = [
    "ant",
    "awk",
    "cargo",
    "chroot",
    "cmake",
    "composer",
    "dart",
    "direnv",
    "docker",
    "dotnet",
    "doas",
    "env",
    "find",
    "flock",
    "gawk",
    "git",
    "gmake",
    "go",
    "gradle",
    "gradlew",
    "ionice",
    "java",
    "julia",
    "just",
    "make",
    "mawk",
    "mvn",
    "nawk",
    "nice",
    "ninja",
    "nix",
    "nohup",
    "npm",
    "npx",
    "pip",
    "pnpm",
    "pnpx",
    "podman",
    "powershell",
    "rake",
    "setsid",
    "stdbuf",
    "sudo",
    "tclsh",
    "time",
    "timeout",
    "tsx",
    "uv",
    "xargs",
    "yarn",
];
/// The options by which other interpreters take a script as an argument.
const TAKES_TEXT: [&str; 8] = ["-c", "-e", "-E", "-p", "-r", "--eval", "-Command", "eval"];

/// The names in the arguments of a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Whole arguments, and values in them.
    pub(super) values: BTreeSet<String>,
    /// Words of scripts and other texts.
    pub(super) words: BTreeSet<String>,
    /// Whether the nesting limit was reached.
    pub(super) is_cut: bool,
}

impl Names {
    /// Finds the names in arguments. Returns `None` if there are more than [`MOST_NAMES`].
    pub(super) fn of(arguments: &[String]) -> Option<Self> {
        let mut names = Self::default();
        for argument in arguments {
            names.values.insert(argument.clone());
            values(argument, &mut names.values)?;
            names.words(argument, NESTED)?;
        }
        let is_path =
            |name: &String| !name.is_empty() && !name.contains('\0') && name.len() <= LONGEST_PATH;
        names.values.retain(is_path);
        names.words.retain(is_path);
        Some(names)
    }

    /// Iterates over all names, each with whether it is a word.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, bool)> {
        let values = self.values.iter().map(|name| (name.as_str(), false));
        let words = self.words.difference(&self.values);
        values.chain(words.map(|name| (name.as_str(), true)))
    }

    fn words(&mut self, text: &str, nested: usize) -> Option<()> {
        let separates =
            |character: char| character.is_whitespace() || ";|&()<>{}'\"`$=@,:".contains(character);
        if text.split(separates).nth(MOST_PARTS).is_some() {
            return None;
        }
        let parts = text.split(separates).map(str::to_owned);
        for word in parts.chain(shell_words(text)) {
            if word.is_empty() || !self.words.insert(word.clone()) {
                continue;
            }
            if self.words.len() > MOST_NAMES {
                return None;
            }
            values(&word, &mut self.words)?;
            let is_text =
                word != text && word.contains([' ', '\t', '\n', '\'', '"', '\\', ';', '|', '&']);
            match nested.checked_sub(1) {
                Some(nested) if is_text => self.words(&word, nested)?,
                None if is_text => self.is_cut = true,
                Some(_) | None => {}
            }
        }
        Some(())
    }
}

/// Adds the values that follow option letters or separators.
fn values(text: &str, values: &mut BTreeSet<String>) -> Option<()> {
    let mut add = |value: &str| {
        // A longer text is not a path.
        if value.len() <= LONGEST_PATH {
            values.insert(value.to_owned());
        }
        (values.len() <= MOST_NAMES).then_some(())
    };
    for (at, sign) in text.match_indices(BEFORE_VALUES) {
        add(text.get(at + sign.len()..).unwrap_or_default())?;
    }
    if text.starts_with('-') && !text.starts_with("--") {
        let letters = text.char_indices().skip(2).take(MOST_LETTERS);
        for (at, _) in letters {
            add(text.get(at..).unwrap_or_default())?;
        }
    }
    Some(())
}

/// Splits a text as a shell does, and removes quotes.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let ends =
            quote.is_none() && (character.is_whitespace() || ";|&()<>{}`".contains(character));
        if ends {
            words.push(String::new());
            continue;
        }
        let taken = match (character, quote) {
            // A backslash before a line break joins the lines.
            ('\\', None | Some('"')) => characters.next().filter(|next| *next != '\n'),
            ('\'' | '"', None) => {
                quote = Some(character);
                None
            }
            (_, Some(open)) if open == character => {
                quote = None;
                None
            }
            _ => Some(character),
        };
        if let Some(word) = words.last_mut() {
            word.extend(taken);
        }
    }
    words
}

/// Returns whether a program, by one of its names, reads files that no argument names.
pub(super) fn reads_more(programs: &[&str]) -> bool {
    let known = || SHELLS.iter().chain(&INTERPRETERS).chain(&READS_MORE);
    programs
        .iter()
        .any(|program| known().any(|name| *name == base_name(program)))
}

/// Returns whether an argument is a script whose files are unknown: one in which a shell expands something, or one in
/// another language.
pub(super) fn runs_a_text_that_hides_names(programs: &[&str], arguments: &[String]) -> bool {
    let words: Vec<String> = programs
        .iter()
        .map(ToString::to_string)
        .chain(arguments.iter().flat_map(|argument| shell_words(argument)))
        .collect();
    let after = |names: &[&str]| {
        let is_one = |word: &String| names.contains(&base_name(word));
        let at = words.iter().position(is_one);
        at.and_then(|at| words.get(at + 1..)).unwrap_or_default()
    };
    let is_letters = |word: &String| {
        word.starts_with(['-', '+']) && !word.starts_with("--") && word.contains('c')
    };
    let is_expanded = |argument: &String| argument.contains(|sign| EXPANDED.contains(sign));
    (after(&SHELLS).iter().any(is_letters) && arguments.iter().any(is_expanded))
        || after(&INTERPRETERS)
            .iter()
            .any(|word| TAKES_TEXT.contains(&word.as_str()))
}

/// Returns the name of a program without folders and version.
fn base_name(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    [".exe", ".cmd", ".bat"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
        .trim_end_matches(|character: char| character.is_ascii_digit() || character == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Option<Names> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Names::of(&arguments)
    }

    #[test]
    fn a_path_is_found_wherever_an_argument_may_hold_it() {
        for (argument, path) in [
            ("./a.sh", "./a.sh"),
            ("-f./a.sh", "./a.sh"),
            ("-xvf./a.sh", "./a.sh"),
            ("-Fa.sh", "a.sh"),
            ("--file=./a.sh", "./a.sh"),
            ("--file=./a b,c.sh", "./a b,c.sh"),
            ("@a.json", "a.json"),
            ("data=@a.json", "a.json"),
            ("if=a.bin", "a.bin"),
            ("/x:./a.sh:ro", "./a.sh"),
            ("a,b", "b"),
            ("alias.x=!./a.sh", "./a.sh"),
            ("./a:b,c=d", "./a:b,c=d"),
            ("cat ./a.sh", "./a.sh"),
            ("cat './a b.sh'", "./a b.sh"),
            ("cat ./a\\ b.sh", "./a b.sh"),
            ("cat ./a\\\n.sh", "./a.sh"),
            ("cat \"./a\\\n.sh\"", "./a.sh"),
            ("sh -c 'cat ./a\\\n.sh'", "./a.sh"),
            ("cat \"./a\"' b'.sh", "./a b.sh"),
            ("cat ./a''.sh", "./a.sh"),
            ("cat \"a\\\"b\"", "a\"b"),
            ("x=$(./a.sh)", "./a.sh"),
            ("cd x;./a.sh&&true", "./a.sh"),
            ("tool --file=./a.sh <b", "./a.sh"),
            ("tool -f./a.sh", "./a.sh"),
            ("sh -c \"cat './a b.sh'\"", "./a b.sh"),
            ("env -S 'sh -c \"cat ./a\\\\ b.sh\"'", "./a b.sh"),
        ] {
            let found = names(&[argument]).unwrap();
            let mut all = found.all();
            assert!(all.any(|(name, _)| name == path), "{argument}: {found:?}");
        }
    }

    #[test]
    fn a_text_that_is_too_deep_inside_others_is_reported() {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = "cat './a b.sh'".to_owned();
        for is_cut in [false, false, false, true] {
            let found = names(&[&text]).unwrap();
            assert_eq!(found.is_cut, is_cut, "{text}");
            let mut all = found.all();
            assert!(is_cut || all.any(|(name, _)| name == "./a b.sh"), "{text}");
            text = format!("sh -c \"{}\"", quoted(&text));
        }
    }

    #[test]
    fn an_interpreter_and_a_build_tool_read_more_than_their_arguments() {
        for program in [
            "sh",
            "/bin/bash",
            "python3.12",
            "node",
            "ruby",
            "perl",
            "make",
            "just",
            "npm",
            "npx.cmd",
            "yarn",
            "pnpm",
            "deno",
            "bun",
            "php8.3",
            "env",
            "/usr/bin/git",
            "cargo",
            "go",
            "java",
            "docker",
            "find",
            "xargs",
            "awk",
            "gawk",
            "tclsh8.6",
            "lua5.4",
            "pwsh.exe",
        ] {
            assert!(reads_more(&[program]), "{program}");
            assert!(reads_more(&["tool", program]), "{program}");
        }
        assert!(!reads_more(&["op", "/usr/bin/vault", "/repo/makefile"]));
    }

    #[test]
    fn whole_arguments_and_values_are_distinguished_from_words() {
        let found = names(&["-C.", "--in=..", "cd /x"]).unwrap();
        for value in [".", "..", "cd /x"] {
            assert!(found.all().any(|one| one == (value, false)), "{value}");
        }
        assert!(found.all().any(|one| one == ("/x", true)));
    }

    #[test]
    fn more_names_than_are_looked_at_are_none_rather_than_some() {
        let many = |separator: &str| {
            (0..2_000)
                .map(|n| n.to_string())
                .collect::<Vec<_>>()
                .join(separator)
        };
        for separator in [" ", ":", "=", ";", "\n", "' '"] {
            assert_eq!(names(&[&many(separator)]), None, "{separator:?}");
        }
        let one: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
        let one: Vec<&str> = one.iter().map(String::as_str).collect();
        assert_eq!(names(&one), None);
        // Long names need neither time nor memory.
        for sign in [":", "= ", "a ", "' "] {
            assert_eq!(names(&[&sign.repeat(1 << 20)]), None, "{sign:?}");
        }
        assert!(names(&[&"a".repeat(1 << 20)]).unwrap().values.is_empty());
    }

    #[test]
    fn a_text_hides_names_where_a_shell_replaces_something_or_the_language_is_another() {
        let hides = |words: &[&str]| {
            let arguments: Vec<String> = words[1..].iter().map(ToString::to_string).collect();
            runs_a_text_that_hides_names(&words[..1], &arguments)
        };
        for words in [
            &["/bin/sh", "-c", "cat $X"][..],
            &["bash", "-ec", "cat *.sh"],
            &["/usr/bin/env", "bash", "-c", "cat `x`"],
            &["env", "-S", "sh -c 'cat ~/x'"],
            &["nice", "-n", "5", "zsh", "-c", "cat a?"],
            &["busybox", "sh", "-c", "cat [ab]"],
            &["python3.12", "-c", "1"],
            &["env", "perl", "-e", "1"],
            &["node", "--eval", "1"],
        ] {
            assert!(hides(words), "{words:?}");
        }
        for words in [
            &["sh", "-c", "cat ./a"][..],
            &["sh", "./a.sh", "$X"],
            &["op", "read", "$X"],
            &["python3", "./a.py"],
            &["op", "-c", "x*"],
        ] {
            assert!(!hides(words), "{words:?}");
        }
    }
}
