//! What a run is called, and what is surely no run: only what bears such a name is ever removed with all that is in it.

/// A new run id, unique on this machine: time, scenario, repeat, and a random tail.
pub fn new_run_id(scenario: &str, repeat: u32) -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = scenario.chars().map(plain).take(40).collect();
    let tail: u32 = rand::random();
    format!("{now}-{name}-{repeat}-{:06x}", tail & 0xff_ffff)
}

/// Whether a name has the form of a run id.
pub(super) fn is_run_id(name: &str) -> bool {
    let digits =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut front = name.splitn(3, '-');
    let (Some(day), Some(time), Some(rest)) = (front.next(), front.next(), front.next()) else {
        return false;
    };
    // From the back, because the scenario's name in the middle may have hyphens itself.
    let mut back = rest.rsplitn(3, '-');
    let (Some(tail), Some(repeat), Some(scenario)) = (back.next(), back.next(), back.next()) else {
        return false;
    };
    digits(day, 8)
        && digits(time, 6)
        && scenario
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && repeat.parse::<u32>().is_ok()
        && tail.len() == 6
        && tail.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_run_id_has_the_form_of_one(scenario: String, repeat: u32) {
            prop_assert!(is_run_id(&new_run_id(&scenario, repeat)));
        }
    }

    #[test]
    fn what_people_call_their_folders_does_not() {
        for name in [
            "photos",
            "2026-11-25",
            "20261125-103000",
            "20261125-103000-backup",
            "20261125-103000-backup-1-a/../b",
            "20261125-103000-my notes-1-abcdef",
        ] {
            assert!(!is_run_id(name), "{name}");
        }
    }
}
