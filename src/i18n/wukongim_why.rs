//! Words of the diagnosis, the check and the flag plan of the wukongim room.

catalogue! { "wukongim_why";
    VALUE = "{value}", "{value}";
    NONE = "-", "-";
    SLAVE = "slave", "从";
    MASTER = "master", "主";
    LEVEL_ODD = "not 0 or 1", "非 0 或 1";

    LOG_NOTHING = "The pasted text holds no refused login; a line with `token verify fail` or `get device token err` is needed.", "粘贴的文本中没有登录被拒的日志；需要含 token verify fail 或 get device token err 的一行。";
    LOG_OTHER = "The pasted line is about another uid: {uid}.", "粘贴的日志属于另一个 uid：{uid}。";
    LOG_DIFFER = "Log, {time}: the server expected fp {expected} and got fp {given}.", "日志 {time}：服务器期望 fp {expected}，收到 fp {given}。";
    LOG_EXPECTED_EMPTY = "Log, {time}: the server expected no token at all and got fp {given}.", "日志 {time}：服务器端令牌为空，收到 fp {given}。";
    LOG_NO_ROW = "Log, {time}: the server knew no token for uid and flag {flag}.", "日志 {time}：服务器没有该 uid 在标志 {flag} 上的令牌。";
    LOG_EMPTY = "Log, {time}: the client sent an empty token.", "日志 {time}：客户端发送了空令牌。";
    LOG_BANNED = "Log, {time}: the uid is banned.", "日志 {time}：该 uid 已被封禁。";
    LOG_MANAGER = "Log, {time}: somebody logged in as the manager, not as a user.", "日志 {time}：有人以管理员身份登录，而不是用户。";
    LOG_MORE = "{n} older lines for this uid were pasted too; the newest counts.", "另粘贴了该 uid 的 {n} 行较早日志；以最新一行为准。";
    LOG_FLAG_UNTOLD = "This line does not tell the client's flag.", "该行不能说明客户端的标志。";
    LOG_NO_ZONE = "The line's time has no zone, so it is not compared with the token's.", "日志时间没有时区，未与令牌时间比较。";
    LOG_STILL = "The expected token is still the one of {device}.", "期望的令牌仍是 {device} 的当前令牌。";
    LOG_SINCE = "The token of {device} was set after this line, at {time}.", "{device} 的令牌在该日志之后设置：{time}。";
    LOG_CLOCK = "Both times are the server's own clock: the log's and the row's.", "两个时间均来自服务器自身时钟：日志与数据行。";

    CLIENT_FLAG = "The client logs in with flag {flag}.", "客户端用标志 {flag} 登录。";
    CLIENT_FLAG_SDK = "The client's library logs in with flag {flag} unless told otherwise.", "该客户端库默认用标志 {flag} 登录。";
    CLIENT_FLAG_LOG = "By the log the client logs in with flag {flag}.", "据日志，客户端用标志 {flag} 登录。";
    CLIENT_FLAG_UNKNOWN = "Which flag the client uses is not known: --flag or --sdk tells it.", "客户端使用的标志未知：用 --flag 或 --sdk 指明。";

    ROW = "{device}, {level}: fp {fp}, {length} characters, set {time}.", "{device}，{level}：fp {fp}，{length} 个字符，设置于 {time}。";
    ROW_HIDDEN = "{device}, {level}: a token is set; the server does not tell it.", "{device}，{level}：已设令牌，服务器不告知内容。";
    ROW_EMPTY = "{device}, {level}: no token since {time}.", "{device}，{level}：自 {time} 起没有令牌。";
    ROW_NONE = "{device}: no token was ever issued.", "{device}：从未签发令牌。";
    ROWS_NONE = "No device of this uid is known: `/user/token` was never called for it.", "没有该 uid 的任何设备：从未为其调用 /user/token。";
    ROWS_UNTOLD = "This version lists no devices; only a log line can tell more.", "此版本不列出设备；只有日志能提供更多信息。";

    TOKEN_SAME = "The client's token is the one of {device}.", "客户端的令牌就是 {device} 的令牌。";
    TOKEN_OTHER = "The client's token fp {fp} is the one of {device}.", "客户端的令牌 fp {fp} 属于 {device}。";
    TOKEN_NOWHERE = "The client's token fp {fp} is on no flag of this uid.", "客户端的令牌 fp {fp} 不属于该 uid 的任何标志。";
    TOKEN_ABSENT = "No token of the client was given, so none was compared.", "未提供客户端的令牌，因此没有比较。";
    ONLINE_NOW = "A client is online on {device} now: its token works.", "{device} 当前在线：其令牌有效。";
    ONLINE_UNCHECKED = "A client is online on {device} without a token there: the server checks none.", "{device} 没有令牌却在线：服务器不校验令牌。";
    CONNECTED = "Connected now: {what} from {ip}, device id {id}, for {uptime}.", "当前连接：{what}，来自 {ip}，设备 id {id}，已 {uptime}。";
    SYSTEM = "This is a system uid; it needs its token like any other.", "这是系统 uid；登录同样需要令牌。";
    VISITOR = "Uids that end in ___vstr are let in without a look at their token.", "以 ___vstr 结尾的 uid 不校验令牌即可登录。";
    V3 = "The v3 beta does not look at tokens.", "v3 测试版不校验令牌。";
    MAY_BE_BANNED = "It may be banned: no call tells; its log line would say `device is ban`.", "可能被封禁：没有接口可查；日志会写 device is ban。";
    MAY_BE_ELSEWHERE = "It may connect to another server or node: compare its address with `/route`.", "可能连到了别的服务器或节点：把地址与 /route 比较。";
    MAY_BE_LOST = "The answer to a login is lost now and then (v2): let it try again.", "v2 偶尔会丢失登录应答：让它再试一次。";

    CHECK_UID = "uid {uid}: fine.", "uid {uid}：无误。";
    CHECK_FLAG = "Flag {flag}: fine.", "标志 {flag}：无误。";
    CHECK_FLAG_SYSTEM = "Flag 99 is the server's own; no client should log in with it.", "标志 99 由服务器自用；客户端不应使用。";
    CHECK_FLAG_RESERVED = "Flag {flag} is reserved for {what}.", "标志 {flag} 已预留给 {what}。";
    CHECK_FLAG_PLAN = "Flag {flag} is planned for {platform}.", "标志 {flag} 在方案中用于 {platform}。";
    CHECK_FLAG_UNPLANNED = "Flag {flag} is in no line of the plan.", "标志 {flag} 不在方案中。";
    CHECK_LEVEL = "Level {level}: fine.", "级别 {level}：无误。";
    CHECK_LEVEL_PLAN = "The plan says {planned} for flag {flag}, not {level}.", "方案规定标志 {flag} 为{planned}，而不是{level}。";
    CHECK_TOKEN = "The token has {length} characters.", "令牌有 {length} 个字符。";
    CHECK_TOKEN_SHORT = "The token has {length} characters; 22 or more are hard to guess.", "令牌只有 {length} 个字符；22 个以上才难以猜测。";
    CHECK_TOKEN_IS_UID = "The token is the uid itself: anybody can guess it.", "令牌就是 uid 本身：任何人都能猜到。";

    HEAD_FLAG = "FLAG", "标志";
    HEAD_LEVEL = "LEVEL", "级别";
    HEAD_TOKEN = "TOKEN", "令牌";
    HEAD_DEVICES = "DEVICES", "设备";
    HEAD_PLAN = "PLAN", "方案";
    HEAD_DRIFT = "DRIFT", "偏差";
    DRIFT_TWO = "two clients", "两个客户端";
    DRIFT_UNUSED = "unused", "未使用";
    DRIFT_UNPLANNED = "not planned", "未列入方案";
    DRIFT_LEVEL = "plan: {level}", "方案：{level}";
    DRIFT_RESERVED = "reserved: {what}", "预留：{what}";
    DRIFT_SYSTEM = "server's own", "服务器自用";
    WIPED = "wiped", "已清除";

    WOULD_REFUSE = "A login on {device} is refused: it has no token.", "登录 {device} 会被拒：没有令牌。";
    WOULD_NOBODY = "A login on {device} kicks nobody.", "登录 {device} 不会踢掉任何设备。";
    WOULD_KICK = "A login on {device} kicks the one there, online for {age}.", "登录 {device} 会踢掉已在线 {age} 的设备。";
    WOULD_KICK_BARE = "A login on {device} kicks the one there.", "登录 {device} 会踢掉现有设备。";
    WOULD_STAY = "A login on {device}: both stay; with the same device id the old one goes silent.", "登录 {device}：两者并存；设备 id 相同时旧连接失声。";

    WARN_TWO = "Two clients take turns on {device}.", "两个客户端轮流占用 {device}。";
    WARN_UNSTEADY = "Login follows login on {device}: two clients, or one that drops.", "{device} 上登录接连不断：两个客户端，或一个掉线的客户端。";
    WARN_SHARED = "{platforms} share flag {flag} in the plan: each login replaces the other's token.", "方案中 {platforms} 共用标志 {flag}：每次登录都会覆盖对方令牌。";
    WARN_PLANNED_RESERVED = "The plan gives {platform} flag {flag}, which is reserved for {what}.", "方案给 {platform} 的标志 {flag} 已预留给 {what}。";
    WARN_LEVEL = "{device} is {level}; the plan says {planned}.", "{device} 为{level}；方案规定{planned}。";
    WARN_UNPLANNED = "{device} is used, but in no line of the plan.", "{device} 在用，但不在方案中。";
    WARN_RESERVED = "{device} is used, but reserved for {what}.", "{device} 在用，但已预留给 {what}。";
    WARN_DEVICES = "{n} devices have a token; at most {most} are wanted.", "{n} 个设备有令牌；上限为 {most}。";
    WARN_SLAVES = "{n} slaves have a token; at most {most} are wanted.", "{n} 个从设备有令牌；上限为 {most}。";
    WARN_QUIET = "{device}: a login with the same device id leaves the old one connected and silent.", "{device}：同一设备 id 再登录，旧连接仍在但失声。";
    SUGGEST_SPLIT = "Issue a token for flag {flag}, level {level}, and give it to one of the two on {device}.", "为标志 {flag}（{level}）签发令牌，交给 {device} 上两者之一。";
    SUGGEST_SPLIT_FOR = "Issue a token for flag {flag}, level {level}, and give it to {platform}.", "为标志 {flag}（{level}）签发令牌，交给 {platform}。";
    SUGGEST_MOVE = "Plan flag {flag} for {platform}.", "方案中把标志 {flag} 给 {platform}。";
    SUGGEST_DECLARE = "In config.toml: add a line for flag {flag} to the plan, or wipe the device.", "在 config.toml 的方案中加入标志 {flag}，或清除该设备。";
    SUGGEST_NOTHING_FREE = "No flag is free: all of 3 to 255 are used, planned or reserved.", "没有空闲标志：3 到 255 均已使用、列入方案或预留。";
}
