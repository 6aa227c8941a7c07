//! Words of the clock room. Figures first, no promise that a code will work.

catalogue! { "clock";
    HEAD_NONE = "clock  no gateway asked yet", "时钟  尚未询问任何网关";
    HEAD_OK = "clock ok  {n} gateways within {within} of this host, checked {age}", "时钟正常  {n} 个网关与本机相差 {within} 以内，{age}前查过";
    HEAD_OK_ONE = "clock ok  {gateway} within {within} of this host, checked {age}", "时钟正常  {gateway} 与本机相差 {within} 以内，{age}前查过";
    HEAD_AHEAD = "clock  {gateway} is {skew} ahead of this host ±{err} s", "时钟  {gateway} 比本机快 {skew} ±{err} s";
    HEAD_BEHIND = "clock  {gateway} is {skew} behind this host ±{err} s", "时钟  {gateway} 比本机慢 {skew} ±{err} s";
    HEAD_HOST = "clock  this host is wrong by {skew} ±{err} s", "时钟  本机偏差 {skew} ±{err} s";
    HEAD_FLOOR = "clock  this host shows a time before this program existed", "时钟  本机时间早于本程序发布之日";
    HEAD_UNKNOWN = "clock  not known for {gateway}", "时钟  {gateway} 的时间未知";
    HEAD_UNKNOWN_MORE = "clock  not known for {gateway} and {n} more", "时钟  {gateway} 及另外 {n} 个的时间未知";
    HEAD_OTHERS = "other gateways within {within}", "其他网关相差 {within} 以内";
    HEAD_MORE = "{n} more off", "另有 {n} 个偏差";
    HEAD_LOOKS_UTC = "looks like local time as UTC", "像是把本地时间当作 UTC";

    CAUSE_UTC_AHEAD = "The gateway is {skew} ahead: local time kept as UTC{zones}.", "网关快 {skew}：本地时间被当作 UTC{zones}。";
    CAUSE_UTC_BEHIND = "The gateway is {skew} behind: local time kept as UTC{zones}.", "网关慢 {skew}：本地时间被当作 UTC{zones}。";
    CAUSE_AHEAD = "The gateway is {skew} ahead of this host.", "网关比本机快 {skew}。";
    CAUSE_BEHIND = "The gateway is {skew} behind this host.", "网关比本机慢 {skew}。";
    CAUSE_HOST = "This host's clock is wrong by {skew}.", "本机时钟偏差 {skew}。";
    CAUSE_BOTH = "Both clocks are wrong: this host by {host}, the gateway by {skew} against it.", "两边时钟都不对：本机偏差 {host}，网关相对本机 {skew}。";
    CAUSE_FLOOR = "This host's clock shows a time before this program was released.", "本机时钟早于本程序发布之日。";
    CAUSE_DATE_UNUSABLE = "The gateway's Date stands still, contradicts itself or comes from a cache.", "网关的 Date 停滞、前后矛盾或来自缓存。";
    CAUSE_NO_DATE = "The gateway sends no Date.", "网关未发送 Date。";
    CAUSE_NOT_ASKED = "The gateway was not asked within the last minutes.", "最近几分钟未询问网关。";

    DO_UTC_HOST = "On this host: timedatectl set-timezone AREA/CITY, then timedatectl set-ntp true.", "在本机先执行 timedatectl set-timezone 区域/城市，再执行 timedatectl set-ntp true。";
    DO_UTC_GATEWAY = "On the gateway's host: timedatectl set-timezone AREA/CITY, then set-ntp true.", "在网关主机先执行 timedatectl set-timezone 区域/城市，再执行 set-ntp true。";
    DO_UTC_EITHER = "On both hosts: timedatectl; where it is off, set-timezone, then set-ntp true.", "在两边主机执行 timedatectl；哪边有误就先 set-timezone 再 set-ntp true。";
    DO_HOST = "On this host: timedatectl set-ntp true.", "在本机执行 timedatectl set-ntp true。";
    DO_GATEWAY = "On the gateway's host (containers share its clock): timedatectl set-ntp true.", "在网关主机（容器共用其时钟）执行 timedatectl set-ntp true。";
    DO_EITHER = "On both hosts: timedatectl; where it is not synchronised, set-ntp true.", "在两边主机执行 timedatectl；哪边未同步就 set-ntp true。";
    DO_BOTH = "On both hosts: timedatectl set-ntp true.", "在两边主机执行 timedatectl set-ntp true。";
    DO_DATE = "At the proxy before the gateway: do not cache API answers.", "在网关前的代理上：不要缓存 API 应答。";
    DO_NO_DATE = "At the proxy before the gateway: let the Date header through.", "在网关前的代理上：放行 Date 响应头。";
    DO_ASK = "`r` asks again.", "按 r 重新询问。";

    BY_DATE = "Date", "Date";
    BY_NTP = "NTP", "NTP";
    BY_KERNEL = "kernel", "内核";
    BY_FLOOR = "release date", "发布日期";
    BY_SERVER_TIME = "server time", "服务器时间";
    BY_DAEMON = "time daemon", "时间守护进程";
    BY_ZONE_LABEL = "zone label", "时区标签";
    THIS_HOST = "this host", "本机";
    VERDICT_OK = "ok", "正常";
    VERDICT_WARN = "warning", "警告";
    VERDICT_UNKNOWN = "unknown", "未知";
    VERDICT_BLOCKED = "blocked", "已拦截";
    NO_REFERENCE = "no reference was asked; which side is wrong is not known", "未询问第三方时间源，无法判断哪边有误";

    DETAIL_NO_DATE = "no Date header", "没有 Date 响应头";
    DETAIL_CACHED = "answered from a cache", "来自缓存的应答";
    DETAIL_UNPARSABLE = "Date not understood", "无法理解 Date";
    DETAIL_STEPPED = "this host's clock was moved meanwhile", "期间本机时钟被调整";
    DETAIL_SYNCED = "synced, max error {error}", "已同步，最大误差 {error}";
    DETAIL_FREE = "not synchronised", "未同步";
    DETAIL_UNTOLD = "not told", "未告知";
    DETAIL_ABOVE = "after the release of this program", "晚于本程序发布之日";
    DETAIL_BELOW = "before the release of this program", "早于本程序发布之日";
    DETAIL_OTHER = "{text}", "{text}";

    TZ_EMPTY = "TZ is set but empty, which means UTC.", "TZ 已设但为空，即 UTC。";
    TZ_NOT_FOUND = "TZ={tz} names no zone, so times are UTC. Write AREA/CITY.", "TZ={tz} 不是有效时区，时间按 UTC。请写 区域/城市。";
    TZ_INVERTED = "TZ={tz} means {means}: its sign is inverted. Write AREA/CITY.", "TZ={tz} 实为 {means}：符号相反。请写 区域/城市。";
    TZ_POSIX = "TZ={tz} is an old form without a place's rules. Write AREA/CITY.", "TZ={tz} 是不含地区规则的旧写法。请写 区域/城市。";
    TZ_ESCAPES = "TZ={tz} is a path, not a zone. Write AREA/CITY.", "TZ={tz} 是路径而非时区。请写 区域/城市。";
    TZ_DIFFER = "/etc/localtime is {localtime}, /etc/timezone says {timezone}. Do: timedatectl set-timezone.", "/etc/localtime 为 {localtime}，/etc/timezone 为 {timezone}。请执行 timedatectl set-timezone。";
    TZ_NO_ZONES = "No timezone data here; times are shown in UTC.", "本机没有时区数据，时间按 UTC 显示。";
}
