//! Reasons and remedies. Reason: what happened, one sentence, ≤ 90 cells. Remedy: one imperative that begins with a key or
//! a place, ≤ 90 cells.

use super::Lang;
use crate::domain::{Reason, ReasonCode};

mod map;

pub use map::{remedy, text};

catalogue! { "reason";
    LOGGED_OUT = "Logged out, usually from the phone.", "已退出登录，通常是在手机上操作的。";
    LOGGED_OUT_DO = "`p` pair it again.", "按 p 重新配对。";
    WIPED = "Wiped: the session was ended through the server, from here or elsewhere.", "已清除：会话经服务器结束，由此处或他处操作。";
    FORBIDDEN = "The platform forbids this account to connect, usually a ban.", "平台禁止该账号连接，通常是被封禁。";
    FORBIDDEN_DO = "On the phone: open WhatsApp and read what it says about the account.", "在手机上打开 WhatsApp，查看账号提示。";
    REPLACED = "Another client took over this session.", "会话被另一个客户端顶替。";
    REPLACED_DO = "Stop it, then `m r` restart.", "先停掉它，再按 m r 重启。";
    TIMED_OUT = "The connection timed out.", "连接超时。";
    TIMED_OUT_DO = "`m r` restart, if it does not come back by itself.", "若未自行恢复，按 m r 重启。";
    CONNECTION_CLOSED = "The platform closed the connection.", "平台关闭了连接。";
    CONNECTION_CLOSED_DO = "`m r` restart, if it does not come back by itself.", "若未自行恢复，按 m r 重启。";
    BAD_SESSION = "The stored session is broken.", "保存的会话已损坏。";
    BAD_SESSION_DO = "`w` wipe it, then `p` pair again.", "按 w 清除，再按 p 重新配对。";
    RESTART_REQUIRED = "Restart required: a normal step after pairing.", "需要重启：配对后的正常步骤。";
    PLATFORM_UNAVAILABLE = "The platform does not answer at the moment.", "平台暂时没有响应。";
    DISCONNECTED = "Disconnected; the cause is not known.", "已断开，原因未知。";
    DISCONNECTED_DO = "`m r` restart; if that fails, `p` pair again.", "按 m r 重启；仍失败则按 p 重新配对。";
    NEVER_PAIRED = "Not paired yet.", "尚未配对。";
    NEVER_PAIRED_DO = "`p` pairs it.", "按 p 配对。";
    WITNESSES_DIFFER = "Memory and database of the server disagree.", "服务器的内存与数据库说法不一。";
    WITNESSES_DIFFER_DO = "`m r` restart, if they do not agree within a minute.", "若一分钟内未一致，按 m r 重启。";
    QR_LIMIT = "The server's QR limit was reached; this attempt is closed.", "已达服务器的二维码上限，本次配对已关闭。";
    QR_LIMIT_DO = "`p` starts a new attempt.", "按 p 重新开始。";
    STALE_CODE = "An old code was discarded; it belonged to the last session.", "已丢弃旧配对码，它属于上一次会话。";
    STALE_CODE_DO = "Wait for the new one.", "请等新码。";
    ATTEMPT_SPOILT = "The attempt ran out and spoilt the session.", "配对超时，会话已失效。";
    ATTEMPT_SPOILT_DO = "`Enter` wipes and starts again.", "按 Enter 清除并重新开始。";
    ATTEMPT_EXPIRED = "The attempt ran out.", "本次配对已超时。";
    ATTEMPT_EXPIRED_DO = "`p` starts a new attempt.", "按 p 重新开始。";
    NOT_PROVEN = "Nothing proved within 60 s that this code is new.", "60 秒内未能证明该码是新的。";
    NOT_PROVEN_DO = "`Enter` shows it with a badge; a phone may refuse it.", "按 Enter 带标记显示；手机可能拒绝。";
    MAY_BE_LINKED = "It is connecting: this may be a paired session on its way back.", "正在连接：可能是已配对的会话正在恢复。";
    MAY_BE_LINKED_DO = "`Enter` wipes it and pairs anew; or wait until it is online.", "按 Enter 清除并重新配对；或等它上线。";
    ALREADY_ONLINE = "It is online already.", "已经在线。";
    ALREADY_ONLINE_DO = "`w` wipe it first, if another phone is to be paired.", "若要换手机，先按 w 清除。";
    NUMBER_NEEDED = "A pairing code needs the phone's number.", "配对码需要手机号码。";
    NUMBER_NEEDED_DO = "Type it with its country code, digits only.", "输入含国家代码的号码，只用数字。";
    NUMBER_INVALID = "That is not a phone number with its country code.", "这不是含国家代码的手机号码。";
    NUMBER_INVALID_DO = "Type 7 to 15 digits, no leading zero, such as 5511999990001.", "输入 7 到 15 位数字，不以 0 开头，如 5511999990001。";
    SERVER_RESTARTED = "The server restarted during the attempt, which spoils it.", "配对过程中服务器重启，本次作废。";
    SERVER_RESTARTED_DO = "`Enter` wipes and starts again.", "按 Enter 清除并重新开始。";
    ASKING = "Asking the server.", "正在询问服务器。";
    WAITING_FOR_PHONE = "Waiting for the phone.", "等待手机操作。";
    ENDING_OLD_SESSION = "Ending the attempt under way, to begin anew.", "正在结束当前配对，以便重新开始。";
    CREDENTIAL_REFUSED = "The key was refused.", "密钥被拒绝。";
    CREDENTIAL_REFUSED_DO = "`pairdeck secret set {gateway}` takes the current key.", "用 pairdeck secret set {gateway} 存入当前密钥。";
    CREDENTIAL_NARROW = "This is an instance token; it sees one row only.", "这是实例令牌，只能看到一行。";
    CREDENTIAL_NARROW_DO = "`pairdeck secret set {gateway}` takes the global key.", "用 pairdeck secret set {gateway} 存入全局密钥。";
    CREDENTIAL_MISSING = "No key is stored for this gateway.", "该网关没有保存密钥。";
    CREDENTIAL_MISSING_DO = "`pairdeck secret set {gateway}` takes one.", "用 pairdeck secret set {gateway} 存入。";
    LICENSE_REQUIRED = "The server asks for a licence before it serves its API.", "服务器要求先激活许可证。";
    LICENSE_REQUIRED_DO = "On the server: register it at {url}.", "在服务器上注册：{url}。";
    SERVER_REFUSED = "The server answered, but did not do it.", "服务器有应答，但没有执行。";
    SERVER_REFUSED_DO = "`t` shows what it said; `m r` restart often helps.", "按 t 查看它的说法；m r 重启常有用。";
    SERVER_ERROR = "The server failed to answer properly.", "服务器出错。";
    SERVER_ERROR_DO = "On the server: read its log at this time.", "在服务器上查看此刻的日志。";
    RATE_LIMITED = "The server asks to slow down.", "服务器要求放慢。";
    RATE_LIMITED_DO = "Wait; the next try comes by itself.", "请等待；会自动重试。";
    NOT_FOUND = "The server knows nothing of that name.", "服务器没有这个名字。";
    NOT_FOUND_DO = "`m c` creates it.", "按 m c 创建。";
    WRONG_ADDRESS = "Something answers at this address, but not the expected server.", "此地址有应答，但不是预期的服务器。";
    WRONG_ADDRESS_DO = "In config.toml: check the url of {gateway}, path included.", "检查 config.toml 中 {gateway} 的 url，含路径。";
    WEB_PAGE = "A web page came instead of data.", "返回的是网页而不是数据。";
    WEB_PAGE_DO = "In config.toml: check the url of {gateway}; a proxy may stand in front.", "检查 config.toml 中 {gateway} 的 url；前面可能有代理。";
    UNINTELLIGIBLE = "The answer could not be understood.", "无法理解服务器的应答。";
    UNINTELLIGIBLE_DO = "On the server: check its version, and what stands in front of it.", "检查服务器版本，以及它前面的代理。";
    TOO_LARGE = "The answer is too large and was cut off.", "应答过大，已中断。";
    TOO_LARGE_DO = "In config.toml: check the url of {gateway}.", "检查 config.toml 中 {gateway} 的 url。";
    REDIRECTED = "The server redirects to {host}; keys are never sent after a redirect.", "服务器重定向到 {host}；密钥不会随之发送。";
    REDIRECTED_DO = "In config.toml: set the url of {gateway} to the final address.", "把 config.toml 中 {gateway} 的 url 改为最终地址。";
    UNREACHABLE = "The server does not answer.", "服务器没有响应。";
    UNREACHABLE_DO = "On its host: check that it runs and that the port is open.", "在其主机上检查服务是否运行、端口是否开放。";
    SLOW = "The answer took too long.", "应答超时。";
    SLOW_DO = "On its host: check its load; the next try comes by itself.", "检查其主机负载；会自动重试。";
    NAME_UNKNOWN = "The host name {host} is not known.", "主机名 {host} 无法解析。";
    NAME_UNKNOWN_DO = "In config.toml: check the url of {gateway}.", "检查 config.toml 中 {gateway} 的 url。";
    PLAINTEXT_REFUSED = "Plain http to another machine would show the key to the network.", "用明文 http 连其他主机会泄露密钥。";
    PLAINTEXT_REFUSED_DO = "In config.toml: use https, or set allow_plaintext = true for {gateway}.", "用 https，或在 config.toml 为 {gateway} 设 allow_plaintext = true。";
    TLS_EXPIRED = "The server's certificate has expired.", "服务器证书已过期。";
    TLS_EXPIRED_DO = "On the server: renew it. If it is valid, this host's clock is wrong.", "在服务器上更新证书；若未过期，则是本机时钟有误。";
    TLS_NOT_YET_VALID = "The server's certificate is not valid yet: usually a wrong clock here.", "服务器证书尚未生效：通常是本机时钟有误。";
    TLS_NOT_YET_VALID_DO = "On this host: timedatectl set-ntp true, then try again.", "在本机执行 timedatectl set-ntp true 后重试。";
    TLS_WRONG_NAME = "The server's certificate is for another name.", "服务器证书的名称不符。";
    TLS_WRONG_NAME_DO = "In config.toml: use the name in the certificate as url of {gateway}.", "把 config.toml 中 {gateway} 的 url 改为证书上的名称。";
    TLS_UNKNOWN_ISSUER = "The issuer of the server's certificate is not trusted here.", "本机不信任服务器证书的颁发者。";
    TLS_UNKNOWN_ISSUER_DO = "In config.toml: set ca_file for {gateway} to your CA's certificate.", "在 config.toml 为 {gateway} 设置 ca_file。";
    TLS_CA_ITSELF = "The server shows a self-signed CA certificate where its own should stand.", "服务器出示的是自签名 CA 证书，而非服务器证书。";
    TLS_CA_ITSELF_DO = "On the server: a certificate issued by that CA; ca_file for {gateway}: the CA's.", "服务器改用该 CA 签发的证书；{gateway} 的 ca_file 指向该 CA。";
    TLS_FAILED = "No secure connection could be made.", "无法建立安全连接。";
    TLS_FAILED_DO = "On the server: check its TLS settings; TLS 1.2 or 1.3 is needed.", "检查服务器 TLS 设置；需要 TLS 1.2 或 1.3。";
    EVENTS_LOST = "The event stream ended; states come by asking until it is back.", "事件流已断开；恢复前改为轮询。";
    CLOCK_BLOCKED = "A clock is too far off; nothing was sent.", "时钟偏差过大，未发送任何请求。";
    CLOCK_BLOCKED_DO = "`c` shows which clock and what to do.", "按 c 查看是哪个时钟及处理办法。";
    CLOCK_MOVED = "A clock was moved; the code was hidden.", "时钟被调整，配对码已隐藏。";
    CLOCK_MOVED_DO = "Wait: the gateway is asked again and a new code follows.", "请等待：会重新询问网关并给出新码。";
    CLOCK_UNKNOWN = "Nothing told the time.", "没有可用的时间来源。";
    CLOCK_UNKNOWN_DO = "`c` shows what was asked.", "按 c 查看询问过什么。";
    VAULT_LOCKED = "Keyring is locked; states are shown, secrets cannot be used.", "密钥环已锁：可看状态，不能用密钥。";
    VAULT_LOCKED_DO = "`m u` unlocks.", "按 m u 解锁。";
    VAULT_PASSPHRASE = "The vault wants its passphrase; states are shown, secrets cannot be used.", "保险库需要口令：可看状态，不能用密钥。";
    VAULT_PASSPHRASE_DO = "`m u` asks for it.", "按 m u 输入口令。";
    VAULT_PASSPHRASE_WRONG = "That passphrase does not open the vault; secrets cannot be used.", "口令不正确，密钥不可用。";
    VAULT_KEYRING_NONE = "The vault's key is in a keyring, and none answers here.", "保险库密钥在密钥环中，但此处没有密钥环应答。";
    VAULT_KEYRING_NONE_DO = "On this host: start the keyring of this session; then `m u`.", "在本机启动此会话的密钥环；然后按 m u。";
    VAULT_KEYRING_SILENT = "The keyring does not answer; states are shown, secrets cannot be used.", "密钥环没有应答：可看状态，不能用密钥。";
    VAULT_KEYRING_SILENT_DO = "On this host: restart the keyring's service; then `m u`.", "在本机重启密钥环服务；然后按 m u。";
    VAULT_KEYRING_GONE = "The keyring does not hold this vault's key.", "密钥环中没有此保险库的密钥。";
    VAULT_KEYRING_GONE_DO = "On this host: put it back into the keyring; then `m u`.", "在本机把密钥放回密钥环；然后按 m u。";
    VAULT_FILE_GONE = "The vault's key file is not there; secrets cannot be used.", "保险库的密钥文件不存在，密钥不可用。";
    VAULT_FILE_GONE_DO = "On this host: put the key file back; then `m u`.", "在本机放回密钥文件；然后按 m u。";
    VAULT_FILE_REFUSED = "The vault's key file is not used as it is; secrets cannot be used.", "保险库的密钥文件目前不可用，密钥不可用。";
    VAULT_FILE_REFUSED_DO = "On this host: mend its owner, mode or content; then `m u`.", "在本机修正其所有者、权限或内容；然后按 m u。";
    VAULT_CREDENTIAL = "The system handed in no key that fits this vault.", "系统没有提供与此保险库相符的密钥。";
    VAULT_CREDENTIAL_DO = "In the unit: LoadCredential=pairdeck-key:… ; then start it again.", "在 unit 中写 LoadCredential=pairdeck-key:… ，然后重新启动。";
    VAULT_MEMORY = "This vault's key ended with the process that made it.", "此保险库的密钥已随其进程消失。";
    VAULT_MEMORY_DO = "Choose another folder with --home.", "用 --home 另选目录。";
    VAULT_AS_IT_IS = "The vault was left as it is.", "保险库保持原样。";
    VAULT_AS_IT_IS_DO = "`pairdeck secret status` says how it stands.", "pairdeck secret status 显示其状态。";
    VAULT_KEY_CHANGED = "Another process replaced the vault key meanwhile; nothing was lost.", "其他进程已更换保险库密钥；没有丢失任何内容。";
    VAULT_KEY_CHANGED_DO = "Run it again if yet another key is wanted.", "若仍需再换密钥，请再次运行。";
    KEYRING_ABSENT = "No keyring answers here, so the new vault needs a passphrase.", "此处没有可用的密钥环，新密钥库需要口令。";
    KEYRING_ABSENT_DO = "Choose one (`pairdeck secret init`): 8 characters or more; each start asks for it.", "设一个至少 8 个字符的口令（pairdeck secret init）；每次启动都会询问。";
    READ_ONLY = "This deck is read-only (`--read-only`). Nothing is changed from here.", "本面板为只读（--read-only），不会做任何更改。";
    STORE_UNWRITABLE = "The store cannot be written, so nothing is started that must be journaled.", "数据库不可写，不会开始任何需要记录的操作。";
    STORE_UNWRITABLE_DO = "On this host: check space and rights of pairdeck's folder.", "检查 pairdeck 目录的空间和权限。";
    STORE_BROKEN = "The store is broken or was written by a newer pairdeck.", "数据库已损坏或由更新版本写入。";
    STORE_BROKEN_DO = "On this host: run `pairdeck doctor`.", "在本机运行 pairdeck doctor。";
    STORE_FULL = "The disk is full: nothing is kept, and no action starts.", "磁盘已满：不会保存，也不会开始操作。";
    STORE_FULL_DO = "On this host: make space on the disk of {path}.", "在本机：为 {path} 所在磁盘腾出空间。";
    STORE_QUOTA = "The disk quota is used up: nothing is kept, and no action starts.", "磁盘配额已用尽：不会保存，也不会开始操作。";
    STORE_QUOTA_DO = "On this host: remove files of this user, or raise the quota, where {path} lies.", "在本机：于 {path} 所在磁盘删除该用户的文件，或提高配额。";
    STORE_READ_ONLY = "The store can only be read: nothing is kept, and no action starts.", "数据库只读：不会保存，也不会开始操作。";
    STORE_READ_ONLY_DO = "On this host: make {path} writable (mode, mount), or choose --home.", "在本机：使 {path} 可写（权限、挂载），或用 --home 另选目录。";
    STORE_HELD = "Another program holds the store: nothing is kept, and no action starts.", "其他程序占用数据库：不会保存，也不会开始操作。";
    STORE_HELD_DO = "On this host: `fuser {path}` names who holds it.", "在本机用 fuser {path} 查看是谁占用。";
    STORE_DAMAGED = "The store is damaged: what is sealed cannot be used, and nothing is kept.", "数据库已损坏：封存的内容不可用，也不会保存。";
    STORE_DAMAGED_DO = "On this host: put back a copy, or start anew with `pairdeck secret set-aside`.", "在本机恢复备份，或用 pairdeck secret set-aside 重新开始。";
    SEAL_BROKEN = "A sealed secret does not open; all others do.", "有一个密封的密钥无法打开；其余正常。";
    TOKEN_SEAL = "The kept token of {target} does not open: its row in vault.db was changed from outside.", "{target} 保存的令牌无法打开：vault.db 中的记录被外部修改。";
    TOKEN_SEAL_DO = "A new one is fetched when it is next asked for, or now by `pairdeck token {target}`. Find out who wrote to vault.db.", "下次请求时会重新获取；也可现在运行 pairdeck token {target}。请查明谁写入了 vault.db。";
    OP_SEALED = "What the journal sealed of it does not open: it was changed outside pairdeck.", "日志中为其密封的部分无法打开：它被外部修改过。";
    OP_SEALED_DO = "Nobody can go on with it: look at what stands there, then drop it (`pairdeck unfinished --drop {op}`).", "无法继续：请查看实际情况，然后丢弃（pairdeck unfinished --drop {op}）。";
    SEAL_BROKEN_DO = "On this host: `pairdeck secret set {sealed} --name {name}`, or `secret forget {sealed}`.", "在本机运行 pairdeck secret set {sealed} --name {name}，或 secret forget {sealed}。";
    FOREIGN = "Somebody else changed it meanwhile.", "期间被他人更改。";
    FOREIGN_DO = "`t` shows what was found; decide, then start anew.", "按 t 查看，决定后重新开始。";
    BUSY = "Another action holds this account.", "该账号正有其他操作。";
    BUSY_DO = "Wait for it, or `u` take it back.", "等它完成，或按 u 撤销。";
    CANCELLED = "Taken back; nothing was sent.", "已撤销，未发送任何请求。";
    STOPPED_HALFWAY = "Stopped and taken back, but requests had been sent before that.", "已停止并撤回，但此前已有请求发出。";
    STOPPED_HALFWAY_DO = "Look at its row and its history before you do it again.", "再次操作前，请先查看该行及其历史。";
    CREDENTIAL_LOST = "A code was out when pairdeck ended. If it was scanned, its credential is lost.", "pairdeck 退出时二维码仍有效；若已扫码，其凭证已丢失。";
    CREDENTIAL_LOST_DO = "Pair once more: a new code gives a new credential.", "重新配对：新的二维码会给出新的凭证。";
    KILLED_IN_FLIGHT = "pairdeck ended while a request was under way; its outcome is not known.", "请求进行中 pairdeck 退出，结果未知。";
    KILLED_IN_FLIGHT_DO = "`t` shows the step; check on the server, then start anew.", "按 t 查看步骤；在服务器上核对后重新开始。";
    NOT_YET = "The server allows it only later. Possible from {time}.", "服务器要求稍后才可执行：{time} 起。";
    GONE = "The row is not there any more.", "该行已不存在。";
    PERSON_NEEDED = "A person must decide.", "需要人工决定。";
    FLAG_MISMATCH = "The client logs in with flag {client}; its token is on flag {server}.", "客户端用标志 {client} 登录，令牌却在标志 {server}。";
    FLAG_MISMATCH_DO = "`f` shows the plan.", "按 f 看方案。";
    NEVER_ISSUED = "No token was ever issued for {device}.", "从未为 {device} 签发令牌。";
    NEVER_ISSUED_DO = "`m i` issues one; the client must wait until it was.", "按 m i 签发；客户端须等签发后再连接。";
    TOKEN_WIPED = "The token is empty: this device was quit.", "令牌为空：该设备已被登出。";
    TOKEN_WIPED_DO = "`r` issues a new one.", "按 r 签发新令牌。";
    TOKEN_OVERWRITTEN = "A later login on the same flag replaced this token.", "同一标志的后一次登录覆盖了令牌。";
    TOKEN_OVERWRITTEN_DO = "Give each platform its own flag: `f`.", "每个平台用单独的标志：按 f。";
    TOKEN_EMPTY = "The client sends an empty token.", "客户端发送的令牌为空。";
    TOKEN_EMPTY_DO = "In the client: give it the token that was issued; `T` shows it.", "在客户端填入已签发的令牌；按 T 查看。";
    BANNED = "The server bans this uid: every login is refused, silently.", "服务器已封禁该 uid：所有登录都会被静默拒绝。";
    BANNED_DO = "On the server: lift the ban of this uid (channel/info, ban = 0).", "在服务器上解除该 uid 的封禁（channel/info，ban = 0）。";
    CHECKS_OFF = "The server does not check tokens: whoever knows a uid is let in.", "服务器不校验令牌：知道 uid 即可登录。";
    CHECKS_OFF_DO = "On the server: set tokenAuthOn: true and restart it.", "在服务器上设置 tokenAuthOn: true 并重启。";
    VISITOR_UID = "A uid ending in ___vstr skips the token check.", "以 ___vstr 结尾的 uid 会跳过令牌校验。";
    VISITOR_UID_DO = "In config.toml: use another uid for this account.", "在 config.toml 中为该账号换一个 uid。";
    FLAG_COLLISION = "Two clients take turns on {device}: each login kicks the other.", "两个客户端轮流占用 {device}：每次登录都会踢掉对方。";
    FLAG_COLLISION_DO = "`f` shows the plan: give one of them a flag of its own.", "按 f 看方案：给其中一个单独的标志。";
    FLAG_UNSTEADY = "Login follows login on {device}: two clients, or one that drops.", "{device} 上登录接连不断：两个客户端互踢，或一个频繁掉线。";
    FLAG_UNSTEADY_DO = "`f`: a flag of its own for the second; if there is one only, its network.", "按 f 给第二个客户端单独的标志；若只有一个，查其网络。";
    DISPLACED = "Displaced by a later login on the same flag, from {by}.", "被同一标志的后一次登录（{by}）顶替。";
    DISPLACED_DO = "`m i` issues it a token on a flag of its own.", "按 m i 在单独的标志上为它签发令牌。";
    TOO_EARLY = "The client tried {seconds} s before the token existed.", "客户端在令牌存在前 {seconds} 秒就尝试登录。";
    TOO_EARLY_DO = "In the client: connect only after the token was issued.", "在客户端：等令牌签发后再连接。";
    SEND_BANNED = "Sending is forbidden for this uid: it was wiped hard.", "该 uid 已被禁止发送（硬清除）。";
    SEND_BANNED_DO = "`m b` allows it again.", "按 m b 恢复。";
    NOTHING_AGAINST = "Token and flag are right; the server tells no reason for a refusal.", "令牌和标志都正确；服务器没有给出拒绝原因。";
    NOTHING_AGAINST_DO = "In the client: check the address that it connects to.", "检查客户端连接的地址。";
    NOT_COMPARED = "Nothing seen on the server speaks against it; flag or token of the client is not known.", "服务器上未见异常；客户端的标志或令牌未知。";
    NOT_COMPARED_DO = "In the client: look up its flag or library and its token; give both here.", "在客户端查明标志或库及其令牌，并在此给出。";
    TOKEN_NEVER_HELD = "{device} never had this token: its only one was set at {at}.", "{device} 从未有过此令牌：唯一的令牌设置于 {at}。";
    TOKEN_NEVER_HELD_DO = "In the client: give it the token that was issued, of this uid and this server.", "在客户端：使用为该 uid、在该服务器上签发的令牌。";
    BAD_TARGET = "{what} cannot be used here: {why}.", "{what} 不能使用：{why}。";
    FLAG_TAKEN = "{device} has a token since {since}; another would overwrite it.", "{device} 自 {since} 起已有令牌；再签发会覆盖它。";
    FLAG_TAKEN_DO = "Issue on a free flag, such as {free}; `r` on it replaces its token.", "在空闲标志上签发，如 {free}；在其上按 r 更换令牌。";
    CONN_UNCLEAR = "The server does not tell which connection is that of {device}.", "服务器未说明哪个连接属于 {device}。";
    CONN_UNCLEAR_DO = "On the account: `m k` kicks all of its connections, or `w` on the device.", "对账号按 m k 踢掉其全部连接，或对设备按 w。";
    NOT_ONLINE = "It is not online.", "不在线。";
    CLUSTER_PEER = "A node of the server's cluster does not answer, so the list fails as a whole.", "集群中有节点无响应，整个查询失败。";
    CLUSTER_PEER_DO = "On the server: check its cluster nodes.", "在服务器上检查集群节点。";
    NOT_IN_VERSION = "This version of the server has no way to do that.", "此版本的服务器没有该功能。";
    WRONG_ACCOUNT = "The phone is logged in as {found}, not {wanted}; nothing was logged in.", "手机登录的是 {found}，不是 {wanted}；未登录任何账号。";
    WRONG_ACCOUNT_DO = "On the phone: log in as {wanted}, then `p` again.", "在手机上登录 {wanted}，再按 p。";
    OTHER_SERVER = "The business server gave out a token, but {gateway} does not hold it.", "业务服务器发了令牌，但 {gateway} 上没有。";
    OTHER_SERVER_DO = "In config.toml: check that business_url belongs to {gateway}.", "检查 config.toml 中 business_url 是否属于 {gateway}。";
    INTERNAL = "Something inside pairdeck failed.", "pairdeck 内部出错。";
    INTERNAL_DO = "`L` shows the log; a report is welcome.", "按 L 查看日志；欢迎报告。";
}

/// The sentence for a reason, without its raw code.
pub fn sentence(reason: &Reason, lang: Lang) -> String {
    let said = words(reason).fill(lang, &reason.args);
    match reason.arg("log_since") {
        Some(_) => format!("{said} {}", super::langbot::LOG_SINCE.fill(lang, &reason.args)),
        None => said,
    }
}

/// The words of that sentence: by its code, and by what it is about where that says more.
pub fn words(reason: &Reason) -> &'static super::Words {
    special(reason).map_or_else(|| text(reason.code), |w| w.0)
}

/// Sentence and remedy of a reason that says more closely what it is about: one account's own secret, a bot, what was seen.
fn special(reason: &Reason) -> Option<(&'static super::Words, &'static super::Words)> {
    let arg = |name: &str| reason.arg(name);
    if reason.code == ReasonCode::StoreBroken && arg("sealed").is_some() {
        return Some((&SEAL_BROKEN, &SEAL_BROKEN_DO));
    }
    if reason.code == ReasonCode::StoreBroken && arg("op").is_some() {
        return Some((&OP_SEALED, &OP_SEALED_DO));
    }
    if let Some(refused) = arg("refused").filter(|_| arg("account").is_some()) {
        return map::of_refused(reason.code, refused);
    }
    if let Some(words) = arg("needs").and_then(|needs| map::of_needs(reason.code, needs)) {
        return Some(words);
    }
    if let Some(words) = arg("dc").and_then(|_| map::of_dc(reason.code)) {
        return Some(words);
    }
    arg("evidence")
        .and_then(|e| map::of_evidence(reason.code, e))
        .or_else(|| arg("token").and_then(|_| map::of_token(reason.code)))
        .or_else(|| arg("bot").and_then(|_| map::of_bot(reason.code, arg("app").is_some())))
        .or_else(|| arg("account").and_then(|_| map::of_account(reason.code)))
}

/// The words of its remedy, likewise.
pub fn remedy_words(reason: &Reason) -> Option<&'static super::Words> {
    special(reason).map(|w| w.1).or_else(|| remedy(reason.code))
}

/// The remedy for a reason, if there is one.
pub fn remedy_sentence(reason: &Reason, lang: Lang) -> Option<String> {
    remedy_words(reason).map(|w| w.fill(lang, &reason.args))
}

/// Sentence with the raw code in brackets behind it.
pub fn full(reason: &Reason, lang: Lang) -> String {
    match &reason.raw {
        Some(raw) if !raw.is_empty() => format!("{} [{raw}]", sentence(reason, lang)),
        _ => sentence(reason, lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_problem_has_a_sentence_that_fits_a_line() {
        for code in ReasonCode::ALL {
            for lang in [Lang::En, Lang::Zh] {
                let t = text(*code).get(lang);
                assert!(t.width() <= 90, "{code:?} is {} cells wide", t.width());
                let all = [
                    "died",
                    "changed",
                    "limited",
                    "bot",
                    "restarted",
                    "heard",
                    "again",
                    "corp",
                    "key_changed",
                    "ca_itself",
                    "damaged",
                    "disk_full",
                    "quota",
                    "read_only",
                    "held",
                ]
                .into_iter()
                .chain(crate::vault::shut::EVIDENCE);
                let seen = all.filter_map(|e| map::of_evidence(*code, e));
                let bots = [map::of_bot(*code, false), map::of_bot(*code, true), map::of_dc(*code)].into_iter().flatten();
                let bots = bots.chain(["api_id", "bot_token"].into_iter().filter_map(|what| map::of_refused(*code, what)));
                let bots = bots.chain(["scope", "login"].into_iter().filter_map(|what| map::of_needs(*code, what)));
                for w in map::of_account(*code).into_iter().chain(seen).chain(bots).flat_map(|(a, b)| [a, b]) {
                    assert!(w.get(lang).width() <= 90, "{} is {} cells wide", w.name, w.get(lang).width());
                }
                if let Some(r) = remedy(*code) {
                    assert!(r.get(lang).width() <= 90, "remedy of {code:?} is {} cells wide", r.get(lang).width());
                }
            }
        }
    }
}
