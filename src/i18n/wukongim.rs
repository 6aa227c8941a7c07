//! Words of the wukongim room.

catalogue! { "wukongim";
    KEY = "Manager token (the server's managerToken; empty if it has none)", "管理令牌（服务器的 managerToken；没有则留空）";
    USER = "Manager user name, if there is no manager token", "管理员用户名（没有管理令牌时）";
    PASSWORD = "Manager password", "管理员密码";
    VERB_ISSUE = "issue a token for a device", "为设备签发令牌";
    VERB_KICK = "kick, token kept", "踢下线，令牌保留";
    VERB_HARD = "wipe hard: forbid sending too", "硬清除：同时禁止发送";
    VERB_ALLOW = "allow sending again", "恢复发送";
    ASK_FLAG = "Device flag: a number 0 to 255 or a configured name", "设备标志：0 到 255 的数字或已配置的名称";
    ASK_LEVEL = "Level: slave or master", "级别：slave（从）或 master（主）";
    NOT_BUILT = "This is not there yet.", "尚未提供。";
    FACT_DEVICES = "Devices", "设备数";
    FACT_CONNECTIONS = "Connected", "连接数";
    FACT_UNPLACED = "Flag ?", "标志未知";
    FACT_BUSINESS = "Business", "业务持有";
    FACT_FLAG = "Flag", "标志";
    FACT_LEVEL = "Level", "级别";
    FACT_DISPLACED = "Kicked", "被踢";
    FACT_DISPLACED_BY = "By", "顶替者";
    FACT_DISPLACED_AT = "Kicked at", "被踢时间";
    FACT_SWAPS = "Swaps", "顶替次数";
    FACT_IP = "Address", "地址";
    FACT_DEVICE_ID = "Device id", "设备 ID";
    FACT_IDLE = "Idle", "空闲";
    FACT_UPTIME = "Up", "在线时长";
    FACT_CONNECTION_ID = "Conn id", "连接 ID";
    FACT_CREATED = "Created", "创建";
    FACT_UPDATED = "Token set", "令牌写入";
    FACT_ENFORCED = "Enforced", "校验令牌";
    FACT_PLAN = "Planned", "方案";
    WARN_NOT_ENFORCED = "Tokens are not enforced: whoever knows a uid is let in.", "令牌未强制校验：知道 uid 即可登录。";
    WARN_OPEN = "The API answers without a token: anybody who reaches it can read and change every token.", "API 无需令牌即可访问：任何能连上它的人都可读写所有令牌。";
    WARN_GUEST = "guest:guest reads every token on the manager port: set auth.users on the server.", "guest:guest 可在管理端口读取所有令牌：请在服务器上设置 auth.users。";
    WARN_NO_DEVICES = "The server does not list devices: {why}", "服务器未列出设备：{why}";
    WARN_UIDS_FILE = "The file of uids cannot be read: {why}", "无法读取 uid 文件：{why}";
    WARN_BEYOND = "{n} more accounts are not watched.", "另有 {n} 个账号未监视。";
}
