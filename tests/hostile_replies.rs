//! A server that answers at random out of 38 hostile ways, seeded, to every provider that speaks HTTP: nothing panics, memory
//! stays bounded, a redirect is never followed, and the key that was sent is in no error, however the server echoes it.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod hostile {
    mod far;
    mod house;
    mod replies;
    mod socket;
    mod words;
}
