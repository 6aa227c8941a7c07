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
}
