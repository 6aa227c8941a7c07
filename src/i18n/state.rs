//! States as one noun or participle (≤ 12 cells; Chinese ≤ 4 characters).

use super::Words;
use crate::domain::State;

catalogue! { "state";
    ONLINE = "online", "在线";
    READY = "ready", "可用";
    SEEN = "seen", "有活动";
    LOADED = "loaded", "已加载";
    CONNECTING = "connecting", "连接中";
    PAIRING = "pairing", "配对中";
    OFFLINE = "offline", "离线";
    DISABLED = "disabled", "已停用";
    LOGGED_OUT = "logged out", "已退出";
    CONFLICT = "conflict", "冲突";
    EXPIRED = "expired", "已过期";
    REFUSED = "refused", "被拒绝";
    UNREACHABLE = "unreachable", "无法连接";
    UNKNOWN = "unknown", "未知";
    DIFFERS = "differs", "说法不一";
    EXPIRING = "expiring", "将过期";
    STALE = "stale", "旧数据";
}

/// The word for a state.
pub fn word(state: State) -> &'static Words {
    match state {
        State::Online => &ONLINE,
        State::Ready => &READY,
        State::Seen => &SEEN,
        State::Loaded => &LOADED,
        State::Connecting => &CONNECTING,
        State::Pairing => &PAIRING,
        State::Offline => &OFFLINE,
        State::Disabled => &DISABLED,
        State::LoggedOut => &LOGGED_OUT,
        State::Conflict => &CONFLICT,
        State::Expired => &EXPIRED,
        State::Refused => &REFUSED,
        State::Unreachable => &UNREACHABLE,
        State::Unknown => &UNKNOWN,
    }
}
