//! Words about tokens that a platform issues and that die.

catalogue! { "token";
    TOKEN_EXPIRED = "The token's life is over.", "令牌已过期。";
    TOKEN_EXPIRED_DO = "`r` fetches one.", "按 r 重新获取。";
    TOKEN_REJECTED = "The platform refuses this token before its time.", "平台提前拒绝了该令牌。";
    TOKEN_REJECTED_DO = "`r` asks for another.", "按 r 重新获取。";
    TOKEN_REJECTED_AGAIN = "The platform refuses even the token that it has just issued.", "平台连刚签发的令牌也拒绝。";
    TOKEN_REJECTED_AGAIN_DO = "In the platform's console: check that app, secret and base URL belong together.", "在平台控制台核对应用、密钥与基础网址是否对应。";
    ADDRESS_NOT_TRUSTED = "The token is good, but the platform does not trust the address {ip}.", "令牌有效，但平台不信任地址 {ip}。";
    ADDRESS_NOT_TRUSTED_DO = "In the platform's console: add {ip} to the app's trusted IPs.", "在平台控制台将 {ip} 加入应用的可信 IP。";
    WRONG_APP = "The token belongs to another app than this one.", "令牌属于另一个应用。";
    WRONG_APP_DO = "In config.toml: check the app's id against its secret.", "在 config.toml 中核对应用 ID 与密钥。";
    APP_DISABLED = "The app is switched off on the platform.", "应用已在平台停用。";
    APP_DISABLED_DO = "In the platform's console: enable the app.", "在平台控制台启用该应用。";
    QUOTA_USED = "The platform allows no more forced renewals now ({raw}).", "平台现在不再允许强制更新（{raw}）。";
    ROTATE_BY_HAND = "Only a new Secret, made in the platform's console, replaces a living token.", "只有在平台控制台重置 Secret 才能更换有效令牌。";
    ROTATE_BY_HAND_DO = "`m s` guides through it and takes the new Secret.", "按 m s 按步骤操作并填入新 Secret。";
    TOKEN_STORM = "Somebody else holds this secret or a client loops: {n} fetches in 10 min.", "有他人持有该密钥或客户端在循环：10 分钟内获取 {n} 次。";
    TOKEN_STORM_DO = "Let clients take the token from `pairdeck token {target}`.", "让客户端改用 pairdeck token {target} 取令牌。";
    LEASE_TIMEOUT = "{holder} holds the lease and did not finish in time.", "{holder} 持有租约，未能及时完成。";
    LEASE_TIMEOUT_DO = "Try again; the lease ends by itself.", "请重试；租约会自行结束。";
    LEASE_LOST = "Another holder took over meanwhile; nothing was overwritten.", "其间已被他人接管；未覆盖任何内容。";
    NOTHING_CACHED = "Nothing is cached, and fetching was ruled out.", "没有缓存，且禁止获取。";
    NOTHING_CACHED_DO = "Leave out --no-fetch.", "去掉 --no-fetch。";
    LIFE_TOO_SHORT = "It lives {left} s more; {wanted} s were demanded, and the platform gives no longer one.", "剩余 {left} 秒，要求 {wanted} 秒，平台不会给更长的。";
    LIFE_TOO_SHORT_DO = "Leave out --strict to take it all the same.", "去掉 --strict 即可使用。";
    SHARED_DOWN = "The shared store does not answer: {why}.", "共享存储无响应：{why}。";
    SHARED_DOWN_DO = "Check Redis at [shared] in config.toml; this host goes on by itself.", "检查 config.toml 的 [shared]；本机独立继续。";
    STATE_NOT_REPORTED = "Loaded; its server does not report whether it is connected.", "已加载；服务器不报告是否已连接。";
    UNCLAIMED = "Nobody has claimed this server: whoever opens it first owns it.", "该服务器尚未被认领：谁先打开谁就拥有。";
    UNCLAIMED_DO = "In a browser: open it and set the first user now.", "立即在浏览器中打开并设置首个用户。";
    EVICTED_BY_SUBSCRIBER = "Another client subscribed with this secret and took its place.", "另一个客户端用此密钥订阅并顶替了它。";
    EVICTED_BY_SUBSCRIBER_DO = "Stop one of the two.", "停掉其中一个。";
}
