//! Words about time servers: why one gave nothing, and what their disagreement means.

catalogue! { "sntp";
    NO_ANSWER = "no answer (UDP blocked, or no server there)", "无应答（UDP 被拦截，或该处没有服务器）";
    REFUSED = "refused: no time server on that port", "被拒绝：该端口没有时间服务器";
    UNREACHABLE = "no route to that network", "没有通往该网络的路由";
    NAME_UNKNOWN = "name unknown", "名称未知";
    NAME_SLOW = "the name was not resolved in time", "名称未能及时解析";
    UNSYNCED = "the server itself is not synchronised", "该服务器自身未同步";
    KISS_RATE = "asks to be left alone (RATE); not asked again", "要求暂停询问（RATE）；不再询问";
    KISS_DENY = "refuses this host (DENY)", "拒绝本机（DENY）";
    KISS_RSTR = "refuses this host (RSTR)", "拒绝本机（RSTR）";
    KISS_OTHER = "refuses to tell the time", "拒绝报时";
    SHORT = "the answer is too short", "应答过短";
    GARBAGE = "the answer is no NTP", "应答不是 NTP";
    FOREIGN = "the answer belongs to another question", "应答属于另一次询问";
    MODE = "not a server's answer", "不是服务器的应答";
    NO_TIME = "the answer holds no time", "应答中没有时间";
    BACKWARDS = "sent before it was received, by its own clock", "按其自身时钟，发送早于接收";
    FAR = "its own error bound is 16 s or more", "其自身误差上限达 16 秒或更多";
    CONFLICT = "the servers contradict each other", "各服务器相互矛盾";
    HOST_NOT_ASKED = "no reference was asked", "未询问参考时间源";
    HOST_NO_ANSWER = "no reference answered", "没有参考时间源应答";
    HOST_CONTRADICTED = "its references contradict each other", "各参考时间源相互矛盾";
    DAEMON = "follows {name}, offset {offset}", "跟随 {name}，偏差 {offset}";
    BEFORE_SAVED = "before the last time that was verified here", "早于本机上次核实的时间";
    CAUSE_SAVED = "This host's clock shows a time before the last one that was verified here.", "本机时钟早于上次核实的时间。";
    HEAD_SAVED = "clock  this host shows a time before the last verified one", "时钟  本机时间早于上次核实的时间";
    CAUSE_HOST_STALE = "This host's clock was wrong when a time server was last asked.", "上次询问时间服务器时，本机时钟有误。";
}
