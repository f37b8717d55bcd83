//! Finds the values that hold together.

/// Returns a largest part of the values that holds together, and each of the others with its reason. `check` is called
/// once if all hold, and about twice the logarithm of their number for each one that does not.
pub(super) fn largest<T: Clone, R>(
    values: Vec<T>,
    check: &mut impl FnMut(&[T]) -> Result<(), R>,
) -> (Vec<T>, Vec<(T, R)>) {
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    take(values, check, &mut kept, &mut refused);
    (kept, refused)
}

fn take<T: Clone, R>(
    mut values: Vec<T>,
    check: &mut impl FnMut(&[T]) -> Result<(), R>,
    kept: &mut Vec<T>,
    refused: &mut Vec<(T, R)>,
) {
    if values.is_empty() {
        return;
    }
    let before = kept.len();
    kept.extend(values.iter().cloned());
    let Err(reason) = check(kept) else {
        return;
    };
    kept.truncate(before);
    if values.len() == 1 {
        refused.extend(values.pop().map(|value| (value, reason)));
        return;
    }
    let second = values.split_off(values.len() / 2);
    take(values, check, kept, refused);
    take(second, check, kept, refused);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_hold_are_kept_with_few_checks() {
        let mut checks = 0;
        let mut check = |values: &[usize]| {
            checks += 1;
            match values.iter().find(|value| **value % 400 == 7) {
                Some(value) => Err(*value),
                None => Ok(()),
            }
        };
        let (kept, refused) = largest((0..1_000).collect(), &mut check);
        assert_eq!(refused, [(7, 7), (407, 407), (807, 807)]);
        assert_eq!(kept.len(), 997);
        assert!(checks < 70, "{checks}");
        let (kept, refused) = largest(vec![1, 2], &mut |_| Ok::<_, ()>(()));
        assert_eq!((kept, refused), (vec![1, 2], vec![]));
    }
}
