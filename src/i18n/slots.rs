//! Words of the token view, the slot plan, the questions of a verb and the diagnosis on the deck.

catalogue! { "slots";
    TOKEN_TITLE = "token  {name}", "令牌  {name}";
    TOKEN_KEYS = "v show {s} s   y copy what is shown   {r} regenerate   {w} wipe   Esc", "v 显示 {s} 秒   y 复制所示   {r} 重发   {w} 清除   Esc";
    TOKEN_KEYS_NONE = "Esc", "Esc";
    TOKEN_NONE = "No token is known of this row.", "此行没有已知令牌。";
    TOKEN_DEVICES = "Each of its devices has a token of its own: put the cursor on one.", "每个设备有各自的令牌：把光标移到一个设备上。";
    TOKEN_FP = "Fingerprint", "指纹";
    TOKEN_LENGTH = "Length", "长度";
    TOKEN_CHARS = "{n} characters", "{n} 个字符";
    TOKEN_ISSUED = "Issued", "签发";
    TOKEN_DIES = "Dies", "失效";
    TOKEN_REFUSED = "refused by the platform; it would have lived {left} more", "平台已拒绝；原本还有 {left}";
    TOKEN_IN = "in {left}", "{left} 后";
    TOKEN_RENEWAL = "Renewal", "更新方式";
    TOKEN_LASTING = "lives until it is replaced", "有效至被替换";
    TOKEN_SAME = "the same one comes back until it expires", "过期前返回同一令牌";
    TOKEN_ROTATING = "each request makes a new one", "每次请求生成新令牌";
    TOKEN_OVERLAP = "a new one shortly before the end; both live", "到期前不久给新令牌；新旧并存";
    TOKEN_RENEWED = "each request lengthens its life", "每次请求延长有效期";
    TOKEN_TEXT = "Token", "令牌";
    TOKEN_ASKING = "asking the server", "正在询问服务器";
    TOKEN_LEFT = "hidden again in {n} s", "{n} 秒后隐藏";
    TOKEN_NOT_SHOWN = "Show it first: v.", "请先按 v 显示。";
    TOKEN_COPIED = "Token copied, if the terminal allows it.", "令牌已复制（若终端允许）。";

    PLAN_TITLE = "slot plan  {name}", "标志方案  {name}";
    PLAN_KEYS = "j k slot   Enter arm the suggestion   Esc", "j k 选择   Enter 预备建议操作   Esc";
    PLAN_KEYS_NONE = "j k slot   Esc", "j k 选择   Esc";
    PLAN_NONE = "This kind of gateway has no slots.", "此类网关没有标志。";
    PLAN_EMPTY = "No slot is used and none is planned.", "没有使用中的标志，也没有方案。";
    PLAN_SUGGEST = "Suggest: {what}", "建议：{what}";
    PLAN_NO_SUGGESTION = "There is nothing to suggest.", "没有可建议的操作。";

    VERB_TITLE = "{verb}  {name}", "{verb}  {name}";
    VERB_KEYS_START = "Tab next   Enter start   Esc", "Tab 下一项   Enter 开始   Esc";
    VERB_KEYS = "Tab next   Enter arm   Esc", "Tab 下一项   Enter 预备   Esc";
    VERB_DEFAULT = "empty: {default}", "留空：{default}";
    VERB_NEEDED = "An answer is needed.", "需要填写。";
    NEEDS_DEVICE = "Put the cursor on a device first.", "先把光标移到一个设备上。";
    NEEDS_ACCOUNT = "This is done to an account or one of its devices.", "此操作针对账号或其设备。";

    WHY_TITLE = "why can it not log in?  {name}", "为何无法登录？  {name}";
    WHY_KEYS = "Tab next   left right library   ctrl-u clear   Enter compare   Esc", "Tab 下一项   左右选库   ctrl-u 清空   Enter 比较   Esc";
    WHY_KEYS_READ = "j k scroll   Enter ask again   Esc", "j k 滚动   Enter 重新询问   Esc";
    WHY_SLOT = "slot", "标志";
    WHY_SDK = "library", "客户端库";
    WHY_SDK_NONE = "not told", "未说明";
    WHY_TOKEN = "token", "令牌";
    WHY_LOG = "log", "日志";
    WHY_LOG_HINT = "paste lines of the server's log here", "在此粘贴服务器日志";
    WHY_LOG_HELD = "{lines} lines, {n} characters, hidden", "{lines} 行，{n} 个字符，已隐藏";
    WHY_HINT = "Everything is optional. Nothing is changed, and nobody is logged in to find out.", "均可留空。不作任何更改，也不会登录来试探。";
    WHY_ASKING = "◌ comparing", "◌ 正在比较";
    WHY_NONE = "This kind of gateway has nothing to compare; the row's reason is all there is.", "此类网关没有可比较的内容；只有该行的原因。";
    WHY_DO = "do", "处理";
    WHY_PLAIN = "At a shell: pairdeck status --why", "请在命令行使用：pairdeck status --why";
}
