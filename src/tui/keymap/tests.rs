//! The built-in map, and what a configuration may lay over it.
#![allow(clippy::unwrap_used)]
use super::*;

fn with(act: &str, keys: &[&str]) -> Result<Keymap, KeymapError> {
    Keymap::new(&[KeyOverride { act: act.into(), keys: keys.iter().map(|k| (*k).into()).collect(), line: Some(41) }])
}

#[test]
fn the_built_in_map_has_no_clash_and_every_act_a_key() {
    let map = Keymap::new(&[]).unwrap();
    for act in Act::ALL {
        assert!(!map.keys(*act).is_empty(), "{} has no key", act.name());
    }
}

#[test]
fn a_clash_names_line_key_and_owner() {
    let e = with("regenerate", &["w"]).unwrap_err();
    assert_eq!(e.to_string(), "line 41: keys.regenerate = \"w\": that key already does `wipe`; give that one another key first");
}

#[test]
fn the_token_view_has_no_key_twice_whether_it_is_its_own_or_the_decks() {
    let e = with("token.breaker", &["w"]).unwrap_err();
    assert_eq!(e.to_string(), "line 41: keys.token.breaker = \"w\": that key already does `wipe`; give that one another key first");
    let e = with("regenerate", &["b"]).unwrap_err();
    assert_eq!(e.to_string(), "line 41: keys.regenerate = \"b\": that key already does `token.breaker`; give that one another key first");
    // A key that does nothing there is free for it.
    assert_eq!(with("token.breaker", &["t"]).unwrap().act(Mode::Token, Chord::letter('t')), Some(Act::Breaker));
}

#[test]
fn a_moved_key_leaves_its_old_place() {
    let map = with("regenerate", &["ctrl-r"]).unwrap();
    assert_eq!(map.act(Mode::Deck, Chord::letter('r')), None);
    assert_eq!(map.act(Mode::Deck, Chord::parse("ctrl-r").unwrap()), Some(Act::Regenerate));
    assert_eq!(map.changed(), [Act::Regenerate]);
}

#[test]
fn unreachable_and_unsafe_bindings_are_errors() {
    assert!(matches!(with("wipe", &["ctrl-i"]), Err(KeymapError::Key { .. })));
    assert!(matches!(with("wipe", &["esc"]), Err(KeymapError::Key { .. })));
    assert!(matches!(with("wipe", &[]), Err(KeymapError::Unreachable { .. })));
    assert!(matches!(with("wype", &["w"]), Err(KeymapError::Act { .. })));
    for easy in ["enter", "space", "y", "w", "p"] {
        assert!(matches!(with("pairing.override", &[easy]), Err(KeymapError::Key { .. })), "{easy}");
    }
}

#[test]
fn acting_keys_are_no_neighbours_and_e_is_free() {
    let map = Keymap::default();
    for c in ['e', 'd', 'D', 'x', 'X'] {
        assert_eq!(map.act(Mode::Deck, Chord::letter(c)), None, "{c}");
    }
}
