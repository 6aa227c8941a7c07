//! Words of the command line.

catalogue! { "command";
    HEAD_GATEWAY = "GATEWAY", "网关";
    HEAD_ACCOUNT = "ACCOUNT", "账号";
    HEAD_KIND = "KIND", "类型";
    HEAD_STATE = "STATE", "状态";
    HEAD_SINCE = "SINCE", "时长";
    HEAD_REASON = "REASON", "原因";
    HEAD_CLOCK = "CLOCK", "时钟";
    HEAD_OFFSET = "OFFSET", "偏差";
    HEAD_WHEN = "WHEN (UTC)", "时间（UTC）";
    HEAD_TARGET = "TARGET", "目标";
    HEAD_WHAT = "WHAT", "事件";
    NOTHING_LISTED = "no gateway is configured; `pairdeck add` adds one", "未配置网关；用 pairdeck add 添加";
    NO_HISTORY = "nothing happened yet", "暂无记录";
    NO_GATEWAY = "no gateway was asked, so the clocks are not known", "未询问任何网关，时钟未知";

    STATE_LINE = "{name}  {state} since {since}", "{name}  {state}，已 {since}";
    STATE_LINE_BARE = "{name}  {state}", "{name}  {state}";
    WITNESS_LINE = "  {source}  {says}  {age} ago", "  {source}  {says}  {age}前";
    IDENTITY_LINE = "  identity  {identity}", "  标识  {identity}";
    TOKEN_LINE = "  token  fp {fp} · {length} characters", "  令牌  fp {fp} · {length} 个字符";
    FACT_LINE = "  {label}  {value}", "  {label}  {value}";
    REASON_LINE = "  {reason}", "  {reason}";
    REMEDY_LINE = "  do: {remedy}", "  处理：{remedy}";

    CHANGE = "{from} → {to}  {reason}", "{from} → {to}  {reason}";
    ATTEMPT = "pairing {outcome} in {took} s, clock {verdict}, old codes discarded {discarded}", "配对 {outcome}，{took} 秒，时钟{verdict}，丢弃旧码 {discarded} 个";
    ATTEMPT_OVERRIDDEN = "pairing {outcome} in {took} s, clock {verdict} (overridden), old codes discarded {discarded}", "配对 {outcome}，{took} 秒，时钟{verdict}（已越过），丢弃旧码 {discarded} 个";
    AUDIT = "{action} by {who}: {outcome}", "{who} 执行 {action}：{outcome}";

    PAIR_WAITING = "{reason}", "{reason}";
    PAIR_CLOCK = "clock {verdict}: {gateway} {figures}", "时钟{verdict}：{gateway} {figures}";
    PAIR_DISCARDED = "old code discarded; waiting for a fresh one", "已丢弃旧码；等待新码";
    PAIR_CODE = "code {n}  {code}  dies {time} ({left} s)", "配对码 {n}  {code}  {time} 失效（{left} 秒）";
    PAIR_QR = "QR {n}  dies {time} ({left} s)", "二维码 {n}  {time} 失效（{left} 秒）";
    PAIR_UNPROVEN = "nothing proves that this one is new; a phone may refuse it", "无法证明这是新码；手机可能拒绝";
    PAIR_OVERRIDDEN = "a wrong clock was overridden for this attempt", "本次已越过时钟拦截";
    PAIR_CLOCK_UNKNOWN = "the clock is not verified", "时钟未经核实";
    PAIR_EXPIRED = "number {n} expired", "第 {n} 个已失效";
    PAIR_HIDDEN = "held back: {reason}", "暂不显示：{reason}";
    PAIR_BLOCKED = "a clock is too far off; nothing was shown", "时钟偏差过大，未显示任何码";
    PAIR_SCANNED = "number {n} reached the phone; waiting for the link", "手机已收到第 {n} 个；等待连接";
    PAIR_LINKED = "paired  {name}  in {took} s", "已配对  {name}  用时 {took} 秒";
    PAIR_FAILED = "not paired: {reason}", "未配对：{reason}";
    PAIR_PHONE = "phone: {step}", "手机：{step}";
    PAIR_RETRY = "try {n} of {of} begins in {delay} s", "第 {n}/{of} 次将在 {delay} 秒后开始";
    PAIR_PNG = "written to {path}, readable by the owner only", "已写入 {path}，仅所有者可读";

    PAIR_ENTER_SHOWS = "Enter shows it all the same", "按 Enter 仍可显示";
    PAIR_WIPE_SPOILT = "the session must be wiped first: --wipe-spoilt does that", "须先清除会话：--wipe-spoilt 可执行";
    STEP = "step {n} of {of}: {step}", "第 {n}/{of} 步：{step}";
    STEP_AGAIN = "trying again: {reason}", "重试：{reason}";
    TAKING_BACK = "taking it back", "正在撤销";
    VERB_UNKNOWN = "{verb} is no verb here; known: {verbs}", "{verb} 不是可用操作；可用：{verbs}";

    ASK_REMOVE = "Forget {name} here, with its sealed key and its cached rows? Nothing changes on its server. Type yes: ", "在此移除 {name} 及其封存密钥和缓存？服务器不受影响。输入 yes：";
    REMOVED = "{name} is forgotten here; its server was not told", "已在此移除 {name}；服务器未受影响";
    SANDBOX_CONTROL = "control  {url}", "控制接口  {url}";
    SANDBOX_ENDS = "ctrl-c ends it", "按 ctrl-c 结束";
    SANDBOX_FAILED = "the sandbox does not start: {why}", "沙盒无法启动：{why}";

    ASK_ACT = "{action} {target}? This loses: {lost}. Type yes: ", "{action} {target}？将失去：{lost}。输入 yes：";
    ASK_ACT_PLAIN = "{action} {target}? Type yes: ", "{action} {target}？输入 yes：";
    ASK_PASSPHRASE = "passphrase of the vault", "保管库口令";
    ASK_NEW_PASSPHRASE = "passphrase for a new vault", "新保管库的口令";
    ASK_URL = "base URL: ", "基础 URL：";
    ASK_KEY = "key", "密钥";
    URL_NEEDED = "a URL is needed: --url https://…", "需要 URL：--url https://…";
    KIND_UNKNOWN = "{kind} is no kind of gateway; known: {kinds}", "{kind} 不是网关类型；已知：{kinds}";
    GATEWAY_FAILED = "{gateway}: {reason}", "{gateway}：{reason}";
    SECRET_KEPT = "the key of {name} is sealed", "{name} 的密钥已封存";
    SECRET_FORGOTTEN = "the key of {name} is erased", "{name} 的密钥已清除";
    VAULT_MADE = "the vault is made, its key lives in: {source}", "保管库已建立，钥匙位于：{source}";
    CHECK_VAULT = "open, key from: {source}", "已打开，钥匙来自：{source}";
    CHECK_VAULT_ABSENT = "not made yet: the first secret makes it", "尚未建立：首个密钥会建立它";
    CHECK_STORE = "{path}", "{path}";
    CHECK_GATEWAY = "{kind} {version}, key ok", "{kind} {version}，密钥有效";
    CHECK_CONFIG = "{path}: {n} gateways", "{path}：{n} 个网关";
    ASK_SECRET = "{question}: ", "{question}：";
    NOT_ASKED = "not on a terminal: add --yes to go on without a question", "非终端环境：加 --yes 可不经询问继续";
    NOT_AGREED = "nothing was changed", "未做任何更改";
    SECRET_EMPTY = "an empty secret was given", "提供的密钥为空";
    SECRET_UNREADABLE = "{path} cannot be read: {why}", "无法读取 {path}：{why}";
    SECRET_TOO_LONG = "a secret has at most {max} bytes", "密钥最多 {max} 字节";
    SECRET_NO_TERMINAL = "not on a terminal: give the secret with a file or - for stdin", "非终端环境：用文件或 - 从标准输入提供密钥";

    VAULT_LOCKED_DO = "Unlock the keyring, or run it on a terminal to type the passphrase; where no vault is yet, `pairdeck secret init` makes one, with --insecure-key-file also where there is no keyring.", "请解锁密钥环，或在终端运行以输入口令；尚无保管库时用 pairdeck secret init 建立，没有密钥环时可加 --insecure-key-file。";
    SPOILT_DO = "`pairdeck pair --wipe-spoilt` wipes it and starts again.", "pairdeck pair --wipe-spoilt 会清除会话并重新开始。";
    REFUSED_DO = "`pairdeck status` shows how it stands; `pairdeck do restart` often helps.", "pairdeck status 显示其状态；pairdeck do restart 常有用。";
    CLOCK_DO = "`pairdeck clock` shows which clock and what to do.", "pairdeck clock 显示是哪个时钟及处理办法。";
    AGAIN_DO = "`pairdeck pair` starts a new attempt; --retries does so by itself.", "pairdeck pair 重新开始；--retries 可自动重试。";
    BUSY_DO = "Wait for it; `pairdeck history` shows who acts.", "请等待；pairdeck history 显示操作者。";
    LOOK_DO = "`pairdeck status` and `pairdeck history` show what was found; decide, then start anew.", "用 pairdeck status 和 pairdeck history 查看，决定后重新开始。";
    CREATE_DO = "`pairdeck do create GATEWAY:NAME` creates it.", "pairdeck do create 网关:名称 可创建。";
    LEFT_DONE = "{action} of {target}, left by a process that ended: finished now", "上一进程遗留的 {target} {action}：现已完成";
    LEFT_CANCELLED = "{action} of {target}, left by a process that ended: nothing had been done, taken back", "上一进程遗留的 {target} {action}：尚未执行，已撤回";
    LEFT_FAILED = "{action} of {target}, left by a process that ended: {reason}", "上一进程遗留的 {target} {action}：{reason}";
    LEFT_AMBIGUOUS = "{action} of {target} is not finished: what the server did is not known: {reason}", "{target} 的 {action} 未完成：服务器是否执行未知：{reason}";
    DONE = "{action} of {target} done", "{target} 的 {action} 已完成";
    DONE_NEW = "{action} of {target} done, new token fp {fp}", "{target} 的 {action} 已完成，新令牌 fp {fp}";
    UNCHANGED = "{target} is unchanged: the platform gave the same token", "{target} 未变：平台返回同一令牌";
    FAILED = "{action} of {target} failed: {reason}", "{target} 的 {action} 失败：{reason}";
    AMBIGUOUS = "{action} of {target}: what the server did is not known: {reason}", "{target} 的 {action}：服务器是否执行未知：{reason}";
    LOST = "lost: {what}", "已失去：{what}";

    CHECK_OK = "ok", "正常";
    CHECK_WARN = "warn", "警告";
    CHECK_FAIL = "fail", "失败";
    CHECK_SKIPPED = "skipped", "跳过";
    CHECK_DO = "do: {remedy}", "处理：{remedy}";
    CHECK_SUM = "{ok} ok, {warn} warnings, {fail} failed", "{ok} 项正常，{warn} 项警告，{fail} 项失败";
    CHECK_TERMINAL = "{size}, {colour}, {charset}", "{size}，{colour}，{charset}";
    CHECK_NO_TERMINAL = "not a terminal", "不是终端";
    CHECK_COLOUR = "colour", "彩色";
    CHECK_NO_COLOUR = "no colour", "无色";
    CHECK_SMALL = "at least 40x10 is needed", "至少需要 40x10";
    CHECK_SMALL_DO = "Enlarge the terminal.", "请放大终端。";

    CONFIG_FINE = "{path} is fine: {n} gateways", "{path} 无误：{n} 个网关";
    CONFIG_ABSENT = "{path} is not there yet; `pairdeck config example` shows one", "{path} 尚不存在；用 pairdeck config example 查看示例";
    NAME_BROKEN = "{name}: a percent sign must be followed by two hex digits", "{name}：百分号后须有两位十六进制数";
    NAME_UNKNOWN = "{name} is not known here", "此处没有 {name}";
    NAME_AMBIGUOUS = "{name} means several: {candidates}", "{name} 有多个含义：{candidates}";
    NO_TERMINAL = "the deck needs a terminal; `pairdeck list` and the other commands do not", "面板需要终端；pairdeck list 等命令不需要";
    STORE_BROKEN = "{why}", "{why}";
    OPENING = "opening; press it again in a moment", "正在打开，请稍后再按";
}
