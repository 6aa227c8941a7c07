//! `/api/v1/user`: claiming the instance, logging in, a fresh JWT.

use super::{Inner, reply::Reply, settings::Owner};
use serde_json::{Value, json};

impl Inner {
    pub(crate) fn init_status(&self) -> Reply {
        let claimed = self.knobs().owner.is_some();
        Reply::ok(json!({ "initialized": claimed }))
    }

    /// Open to anybody until somebody has done it.
    pub(crate) fn init(&self, body: &Value) -> Reply {
        if self.knobs().owner.is_some() {
            return Reply::fail(200, 1, "System already initialized");
        }
        // The source reads the fields without looking: a missing one is an exception.
        let (Some(user), Some(password)) = (body["user"].as_str(), body["password"].as_str()) else { return Reply::internal(self) };
        self.knobs().owner = Some(Owner { user: user.to_owned(), password: password.to_owned() });
        self.tell(&json!({ "event": "claimed" }));
        Reply::ok(Value::Null)
    }

    /// A failed login is HTTP 200 with code 1 (recording 04).
    pub(crate) fn login(&self, body: &Value) -> Reply {
        let (Some(user), Some(password)) = (body["user"].as_str(), body["password"].as_str()) else {
            return Reply::fail(400, -1, "Invalid request parameters");
        };
        let owner = self.knobs().owner.clone();
        let Some(owner) = owner.filter(|o| o.user.eq_ignore_ascii_case(user.trim())) else {
            return Reply::fail(200, 1, "Resource not found");
        };
        if owner.password != password {
            return Reply::fail(200, 1, "Invalid username or password");
        }
        if let Some(code) = &self.settings.totp {
            match body["totp_code"].as_str().or_else(|| body["code"].as_str()).filter(|c| !c.is_empty()) {
                None => {
                    let challenge = self.lock().chance.base64(24);
                    let data = json!({ "challenge_token": challenge });
                    return Reply::json(401, &json!({ "code": "totp_required", "msg": "A TOTP second factor is required", "data": data }));
                }
                Some(c) if c != code => return Reply::fail(401, "totp_invalid_code", "Invalid TOTP or recovery code"),
                Some(_) => {}
            }
        }
        Reply::ok(json!({ "token": self.new_jwt() }))
    }

    pub(crate) fn check_token(&self) -> Reply {
        Reply::ok(json!({ "token": self.new_jwt() }))
    }
}
