//! The second factor: a proof that we know the password, by SRP (core.telegram.org/api/srp).

use super::{Error, group};
use crate::domain::Secret;
use grammers_crypto::two_factor_auth::calculate_2fa;
use grammers_tl_types as tl;
use num_bigint::BigUint;
use zeroize::Zeroizing;

/// What `auth.checkPassword` takes.
pub type PasswordAnswer = tl::enums::InputCheckPasswordSrp;

/// Answers the parameters that `account.getPassword` gave. They are good for one try: fetch them again after each failure. Takes
/// a second or so of one core (100,000 rounds of PBKDF2), on a thread of its own.
///
/// # Errors
/// [`Error::BadPasswordParameters`]: no password is set, or the server's numbers would give the password away.
pub async fn answer_password(asked: tl::enums::account::Password, password: &Secret) -> Result<PasswordAnswer, Error> {
    let password = password.clone();
    tokio::task::spawn_blocking(move || answer(asked, &password)).await.map_err(|_| Error::Broken)?
}

fn answer(asked: tl::enums::account::Password, password: &Secret) -> Result<PasswordAnswer, Error> {
    use tl::enums::PasswordKdfAlgo as Algo;
    let tl::enums::account::Password::Password(asked) = asked;
    let (Some(Algo::Sha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow(algo)), Some(b), Some(srp_id)) =
        (asked.current_algo, asked.srp_b, asked.srp_id)
    else {
        return Err(Error::BadPasswordParameters);
    };
    let prime = BigUint::from_bytes_be(&algo.p);
    // Longer numbers would make the padding panic; numbers out of range would prove nothing.
    let sound = b.len() <= 256 && group::sound(&algo.p, algo.g) && group::in_range(&BigUint::from_bytes_be(&b), &prime);
    if !sound {
        return Err(Error::BadPasswordParameters);
    }
    // Our own secret number. The server's `secure_random` is known to the server, so it is no secret from it.
    let mut a = Zeroizing::new([0; 256]);
    getrandom::fill(&mut *a).map_err(|_| Error::NoRandom)?;
    let (m1, g_a) = calculate_2fa(&algo.salt1, &algo.salt2, &algo.p, &algo.g, b, a.to_vec(), password.expose().as_bytes());
    Ok(PasswordAnswer::Srp(tl::types::InputCheckPasswordSrp { srp_id, a: g_a.to_vec(), m1: m1.to_vec() }))
}
