//! Answers as the platforms write them: always HTTP 200, the result in `errcode`, keys in a fixed order.

use super::{Inner, Platform};
use crate::sandbox::json::{Json, map};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};

/// An answer before it has headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: Json,
    /// A page instead of the body.
    pub(crate) page: Option<&'static str>,
}

impl Reply {
    pub(crate) fn json(body: Json) -> Self {
        Self { status: 200, kind: "application/json; charset=UTF-8", body, page: None }
    }

    /// `{"errcode":0,"errmsg":"ok", …}`.
    pub(crate) fn ok(more: Vec<(&str, Json)>) -> Self {
        let head = [("errcode".to_owned(), Json::Int(0)), ("errmsg".to_owned(), "ok".into())];
        Self::json(Json::Map(head.into_iter().chain(more.into_iter().map(|(k, v)| (k.to_owned(), v))).collect()))
    }

    /// What is outside of `/cgi-bin`: the balancer's page.
    pub(crate) fn not_found() -> Self {
        Self { status: 404, kind: "text/html", body: Json::Null, page: Some(crate::sandbox::broken::PROXY_404) }
    }

    /// The value of `errcode`; 0 where the answer has none.
    pub(crate) fn code(&self) -> i64 {
        match self.body.get("errcode") {
            Some(Json::Int(n)) => *n,
            _ => 0,
        }
    }

    /// `errcode` as a string, which some gateways in front of the platform make of it.
    pub(crate) fn with_string_code(mut self) -> Self {
        if let Json::Map(pairs) = &mut self.body {
            match pairs.iter_mut().find(|(k, _)| k == "errcode") {
                Some((_, v)) => {
                    if let Json::Int(n) = *v {
                        *v = n.to_string().into();
                    }
                }
                None => pairs.push(("errcode".to_owned(), "0".into())),
            }
        }
        self
    }
}

/// The platform's words for a code (wecom-langbot §1 and the threads it names; texts marked there as unverified are its meaning).
fn words(platform: Platform, code: i64) -> &'static str {
    let oa = platform == Platform::WechatOa;
    match code {
        -1 if oa => "system error",
        -1 => "system busy",
        40001 => "invalid credential",
        40002 => "invalid grant_type",
        40003 => "invalid userid",
        40004 => "invalid media type",
        40007 => "invalid media_id",
        40008 => "invalid message type",
        40013 if oa => "invalid appid",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40056 => "invalid agentid",
        40066 => "invalid url",
        40125 => "invalid appsecret",
        41001 => "access_token missing",
        41002 if oa => "appid missing",
        41002 => "corpid missing",
        41004 if oa => "appsecret missing",
        41004 => "corpsecret missing",
        41005 => "missing media",
        41009 => "userid missing",
        41011 => "agentid missing",
        42001 => "access_token expired",
        43002 => "require POST method",
        44004 => "empty content",
        45009 if oa => "reach max api daily quota limit",
        45009 => "api freq out of limit",
        45011 => "api minute-quota reach limit mustslower retry next minute",
        45033 => "api concurrent out of limit",
        47001 => "data format error",
        48002 => "api forbidden",
        50001 => "redirect_url domain name unsafe",
        50003 => "app is disabled",
        60011 => "no privilege to access/modify contact/party/agent",
        60020 => "not allow to access from your ip",
        81013 => "user & party & tag all invalid",
        // The full stop before the comma is the platform's own (jxxghp/MoviePilot#479).
        301_002 => "not allow operate another agent with this accesstoken.",
        _ => "unknown error",
    }
}

impl Inner {
    /// An error as the platform writes it to somebody at `ip`.
    pub(crate) fn error(&self, code: i64, ip: &str) -> Reply {
        let said = words(self.settings.platform, code);
        self.error_text(code, said, ip)
    }

    /// An error in other words than its code's.
    pub(crate) fn error_text(&self, code: i64, said: &str, ip: &str) -> Reply {
        let now_s = self.now_ms().div_euclid(1000);
        let n = self.lock().chance.next();
        let errmsg = match self.settings.platform {
            // `hint: [1754461450424274146823225]`: ten digits of seconds and fifteen more (langbot-app/LangBot#1599).
            Platform::Wecom => format!(
                "{said}, hint: [{now_s}{:015}], from ip: {ip}, more info at https://open.work.weixin.qq.com/devtool/query?e={code}",
                n % 1_000_000_000_000_000
            ),
            // 40164 names both forms of the address.
            Platform::WechatOa if code == 40164 => format!("invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist rid: {}", rid(now_s, n)),
            // `rid: 608780e2-4b5d9662-035705c2` (wechatpy/wechatpy#643).
            Platform::WechatOa => format!("{said} rid: {}", rid(now_s, n)),
        };
        Reply::json(map! { "errcode" => code, "errmsg" => errmsg })
    }

    /// The whole answer.
    pub(crate) fn finish(&self, r: Reply) -> Response<Body> {
        let body = r.page.map_or_else(|| r.body.to_string(), str::to_owned);
        let length = body.len();
        let mut out = Response::new(Body::from(body));
        *out.status_mut() = StatusCode::from_u16(r.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let date = self.date_header();
        let age = self.counted();
        let h = out.headers_mut();
        h.insert(header::SERVER, HeaderValue::from_static("nginx"));
        h.insert(header::CONTENT_TYPE, HeaderValue::from_static(r.kind));
        h.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(v) = date.and_then(|d| HeaderValue::from_str(&d).ok()) {
            h.insert(header::DATE, v);
        }
        if let Some(age) = age {
            h.insert(header::AGE, HeaderValue::from(age));
        }
        out
    }
}

fn rid(now_s: i64, n: u64) -> String {
    format!("{now_s:08x}-{:08x}-{:08x}", n >> 32, n & 0xffff_ffff)
}
