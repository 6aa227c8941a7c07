//! A connection with a key that is not logged in yet: made, used for one login, closed before the key is handed to anybody.

use super::{
    fail,
    mtproto::{App, AuthKey, Connection, Error, Network, Options, answer_password, create_key, tl},
    operator::measured,
};
use crate::{
    clock::sample::Interval,
    domain::{Clean, Reason, ReasonCode, Secret},
    providers::Cx,
};
use tl::{enums, functions as f, types};

/// One login under way.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) conn: Connection,
    pub(super) key: AuthKey,
    pub(super) salt: i64,
    pub(super) dc: i32,
    clock: Interval,
}

/// What a step of a login came to.
#[derive(Debug)]
pub(super) enum Step {
    /// Logged in.
    In(Box<types::User>),
    /// The second factor is missing.
    Password,
    /// A token that waits for somebody to accept it: what it is, and the second of the server's clock at which it dies.
    Token(Vec<u8>, i64),
    /// It was accepted, and goes on at another data centre with that token.
    Move(i32, Vec<u8>),
}

impl Door {
    /// Makes a key with a data centre and connects with it.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn make(cx: &Cx, net: &Network, app: &App, dc: Option<i32>) -> Result<Self, Error> {
        let to = dc.map_or_else(|| net.start(), |dc| net.address(dc)).ok_or(Error::Exchange("no such data centre"))?;
        let made = create_key(net, to).await?;
        measured(cx, made.clock.offset, "server_time");
        Self::with(net, app, to.dc, made.key, made.salt, made.clock.offset).await
    }

    /// Connects with a key that was made before.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn with(net: &Network, app: &App, dc: i32, key: AuthKey, salt: i64, clock: Interval) -> Result<Self, Error> {
        let to = net.address(dc).ok_or(Error::Exchange("no such data centre"))?;
        let conn = Connection::open(net, to, key.clone(), Options { app: app.clone(), salt, clock }).await?;
        Ok(Self { conn, key, salt, dc, clock })
    }

    /// The same key on a new connection.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn again(self, net: &Network, app: &App) -> Result<Self, Error> {
        let Self { conn, key, salt, dc, clock } = self;
        conn.close().await;
        Self::with(net, app, dc, key, salt, clock).await
    }

    /// Exports a token, or hears what became of the last one.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn export(&self, app: &App, except: &[i64]) -> Result<Step, Error> {
        let call = f::auth::ExportLoginToken { api_id: app.id, api_hash: app.hash.expose().to_owned(), except_ids: except.to_vec() };
        ended(self.conn.invoke(&call).await)
    }

    /// Takes a token over that was accepted for a key of another data centre.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn import(&self, token: Vec<u8>) -> Result<Step, Error> {
        ended(self.conn.invoke(&f::auth::ImportLoginToken { token }).await)
    }

    /// Logs a bot in.
    ///
    /// # Errors
    /// [`Error`], one that names its data centre among them.
    pub(super) async fn bot(&self, app: &App, token: &Secret) -> Result<Step, Error> {
        let call = f::auth::ImportBotAuthorization {
            flags: 0,
            api_id: app.id,
            api_hash: app.hash.expose().to_owned(),
            bot_auth_token: token.expose().to_owned(),
        };
        entered(self.conn.invoke(&call).await)
    }

    /// Sends a code to the account's other devices; gives its name.
    ///
    /// # Errors
    /// [`Error`], one that names the account's data centre among them.
    pub(super) async fn send_code(&self, app: &App, phone: &str) -> Result<String, Error> {
        let call = f::auth::SendCode {
            phone_number: phone.to_owned(),
            api_id: app.id,
            api_hash: app.hash.expose().to_owned(),
            settings: enums::CodeSettings::Settings(types::CodeSettings {
                allow_flashcall: false,
                current_number: false,
                allow_app_hash: false,
                allow_missed_call: false,
                allow_firebase: false,
                unknown_number: false,
                logout_tokens: None,
                token: None,
                app_sandbox: None,
            }),
        };
        match self.conn.invoke(&call).await? {
            enums::auth::SentCode::Code(c) => Ok(c.phone_code_hash),
            _ => Err(Error::Unreadable),
        }
    }

    /// Signs in with a code.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn sign_in(&self, phone: &str, hash: &str, code: &str) -> Result<Step, Error> {
        let call = f::auth::SignIn {
            phone_number: phone.to_owned(),
            phone_code_hash: hash.to_owned(),
            phone_code: Some(code.to_owned()),
            email_verification: None,
        };
        entered(self.conn.invoke(&call).await)
    }

    /// The hint that the owner gave for the second factor.
    pub(super) async fn hint(&self) -> Option<Clean> {
        let enums::account::Password::Password(p) = self.conn.invoke(&f::account::GetPassword {}).await.ok()?;
        p.hint.map(|h| Clean::new(&h))
    }

    /// Gives the second factor. The parameters are good for one try, so they are fetched for each.
    ///
    /// # Errors
    /// [`Error`]; `PASSWORD_HASH_INVALID` for a wrong one.
    pub(super) async fn password(&self, password: &Secret) -> Result<Step, Error> {
        let mut told = self.check(password).await;
        if matches!(&told, Err(e) if e.name() == Some("SRP_ID_INVALID")) {
            // Somebody else asked for parameters in between.
            told = self.check(password).await;
        }
        entered(told)
    }

    async fn check(&self, password: &Secret) -> Result<enums::auth::Authorization, Error> {
        let asked = self.conn.invoke(&f::account::GetPassword {}).await?;
        let password = answer_password(asked, password).await?;
        self.conn.invoke(&f::auth::CheckPassword { password }).await
    }

    /// Ends the session of this key, if it has one, and the connection. False: whether it is ended is not known.
    pub(super) async fn leave(self) -> bool {
        // Bounded by the call's own limit of time.
        let told = self.conn.invoke_within(&f::auth::LogOut {}, std::time::Duration::from_secs(5)).await;
        self.conn.close().await;
        told.map_or_else(|e| e.verdict().is_some(), |_| true)
    }
}

fn entered(told: Result<enums::auth::Authorization, Error>) -> Result<Step, Error> {
    match told {
        Ok(enums::auth::Authorization::Authorization(a)) => match a.user {
            enums::User::User(u) => Ok(Step::In(Box::new(u))),
            enums::User::Empty(_) => Err(Error::Unreadable),
        },
        // Nobody is registered from here.
        Ok(enums::auth::Authorization::SignUpRequired(_)) => Err(Error::Rpc { code: 400, name: Clean::new("PHONE_NUMBER_UNOCCUPIED") }),
        Err(e) if e.name() == Some("SESSION_PASSWORD_NEEDED") => Ok(Step::Password),
        Err(e) => Err(e),
    }
}

fn ended(told: Result<enums::auth::LoginToken, Error>) -> Result<Step, Error> {
    match told {
        Ok(enums::auth::LoginToken::Token(t)) => Ok(Step::Token(t.token, i64::from(t.expires))),
        Ok(enums::auth::LoginToken::Success(s)) => entered(Ok(s.authorization)),
        Ok(enums::auth::LoginToken::MigrateTo(to)) => Ok(Step::Move(to.dc_id, to.token)),
        Err(e) if e.name() == Some("SESSION_PASSWORD_NEEDED") => Ok(Step::Password),
        Err(e) => Err(e),
    }
}

/// How people know an account.
pub(super) fn label(user: &types::User) -> Clean {
    let parts = [user.first_name.as_deref(), user.last_name.as_deref()];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Clean::new(if name.is_empty() { user.username.as_deref().unwrap_or_default() } else { &name })
}

/// A reason for an error of a login.
pub(super) fn why(cx: &Cx, error: &Error) -> Reason {
    match error.name() {
        Some("SESSION_PASSWORD_NEEDED") => Reason::new(ReasonCode::PersonNeeded),
        _ => fail::at(cx, error),
    }
}
