//! Labels of the form that adds a gateway.

catalogue! { "add";
    URL = "url", "地址";
    KEY = "key", "密钥";
    SECRET = "secret", "Secret";
    CORP = "corp id", "企业 ID";
    ACCOUNT = "account", "账号";
    AGENT = "agent id", "应用 ID";
    APP = "app id", "AppID";
    BOT = "bot id", "机器人";
    USER = "user", "用户";
    PASSWORD_OR_KEY = "password", "密码";
    HINT_USER = "With a user: that user's password, QR codes too. Without: an API key (lbk_…).", "填用户：其登录密码，可扫码。不填：API 密钥（lbk_…）。";
    TRIED = "the platform gives a token for it", "平台已为其签发令牌";
    ID_TRIED = "its id is that of the app {app}", "其 ID 对应应用 {app}";
    ID_UNTRIED = "its id could not be tried: {why}", "其 ID 无法验证：{why}";
    ID_NONE = "without an id only the secret was tried", "没有 ID，仅验证了 Secret";
    UNTRIED = "not tried: trying it would end the bot's own connection", "未验证：验证会断开机器人自身的连接";
}
