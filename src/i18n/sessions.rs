//! Words about session files of workers, who holds them, and keys that two of them share.

catalogue! { "sessions";
    SESSION_ABSENT = "{file} is not there.", "{file} 不存在。";
    SESSION_ABSENT_DO = "`r` makes a session; or put the right path into config.toml.", "按 r 新建会话；或在 config.toml 中改正路径。";
    SESSION_UNREADABLE = "{file} cannot be read: {what}.", "无法读取 {file}：{what}。";
    SESSION_UNREADABLE_DO = "At a shell: give pairdeck's user the right to read {file}.", "在命令行：让 pairdeck 的用户可读 {file}。";
    SESSION_TRUNCATED = "{file} ends in the middle; nobody is writing it.", "{file} 不完整，且没有进程在写入。";
    SESSION_TRUNCATED_DO = "`r` makes a new key, once its worker is stopped.", "停掉工作进程后按 r 生成新密钥。";
    SESSION_CORRUPT = "{file} is damaged: {what}.", "{file} 已损坏：{what}。";
    SESSION_CORRUPT_DO = "`r` makes a new key, once its worker is stopped.", "停掉工作进程后按 r 生成新密钥。";
    SESSION_FOREIGN = "{file} is not what its format says: {what}.", "{file} 与所述格式不符：{what}。";
    SESSION_FOREIGN_DO = "In config.toml: put the right `format` or `file` for this slot.", "在 config.toml 中改正该槽位的 format 或 file。";
    SESSION_VERSION = "{file} has the version {what}, which pairdeck does not know.", "{file} 的版本为 {what}，pairdeck 不认识。";
    SESSION_VERSION_DO = "Update pairdeck; the worker's library is newer than this one.", "请升级 pairdeck；工作进程的库更新。";
    SESSION_EMPTY = "{file} holds no key: its login was never finished.", "{file} 中没有密钥：登录从未完成。";
    SESSION_EMPTY_DO = "`r` makes a session of its own for this slot.", "按 r 为该槽位新建会话。";
    SESSION_KEY_ID = "{file} tells another key id than its key has ({what}).", "{file} 所记密钥编号与密钥不符（{what}）。";
    SESSION_KEY_ID_DO = "`r` makes a new key; a hand-made copy is a usual cause.", "按 r 生成新密钥；常因手工复制所致。";
    SESSION_LOOSE = "{file} can be read by others (mode {mode}).", "{file} 可被他人读取（权限 {mode}）。";
    SESSION_LOOSE_DO = "At a shell: chmod 600 {file}", "在命令行：chmod 600 {file}";

    SLOT_HARD_LINKED = "{file} has {n} names: another one would keep the old key.", "{file} 有 {n} 个名字：另一个会保留旧密钥。";
    SLOT_HARD_LINKED_DO = "At a shell: find its other name and remove it.", "在命令行：找到另一个名字并删除。";
    SLOT_MOUNTED = "{file} is itself a mount and cannot be replaced whole.", "{file} 本身是挂载点，无法整体替换。";
    SLOT_MOUNTED_DO = "In the container's settings: mount the folder, not the file.", "在容器设置中挂载文件夹而非文件。";
    SLOT_UNWRITABLE = "{file} cannot be written: {why}.", "无法写入 {file}：{why}。";
    SLOT_UNWRITABLE_DO = "At a shell: give pairdeck's user the right to write its folder.", "在命令行：让 pairdeck 的用户可写其文件夹。";
    SLOT_TAKEN = "{slot} uses that already ({how}): {file}.", "{slot} 已在使用（{how}）：{file}。";
    SLOT_TAKEN_DO = "Choose a file of its own for each slot.", "为每个槽位选择单独的文件。";
    SLOT_FILE_THERE = "{file} is there already, and no slot has it.", "{file} 已存在，且不属于任何槽位。";
    SLOT_FILE_THERE_DO = "Choose a new file; or name this one in config.toml, then `r`.", "换一个新文件；或先把它写进 config.toml，再按 r。";
    SLOT_HELD = "{holder} holds it ({evidence}).", "{holder} 正持有它（{evidence}）。";
    SLOT_HELD_DO = "Stop it first, and start it with `pairdeck run` from then on.", "请先停掉它，以后用 pairdeck run 启动。";
    KEY_TWIN = "One key in several places: {where}.", "一个密钥在多处：{where}。";
    KEY_TWIN_DO = "Stop all but one; `r` on each of the others makes a key of its own.", "只留一个，其余停掉并按 r 各自生成密钥。";
    SPACES_TWIN = "Two containers on one volume hold one session: {where}.", "两个容器经同一卷持有一个会话：{where}。";
    SPACES_TWIN_DO = "Give each container its own volume and its own slot.", "给每个容器单独的卷和槽位。";
    SLOT_RESURRECTED = "{file} has its old key {key} again: a live process wrote it back.", "{file} 又是旧密钥 {key}：存活的进程写回了它。";
    SLOT_RESURRECTED_DO = "Stop that process, then `r` once more.", "停掉该进程，再按 r。";
    SESSION_DUPLICATED = "The platform ended the session: its key was used twice at once.", "平台已结束会话：密钥被同时使用两次。";
    SESSION_DUPLICATED_DO = "Find the other copy first; then `r` makes a key of its own.", "先找到另一份副本，再按 r 生成单独密钥。";
    SESSION_REVOKED = "The platform does not know this session any more.", "平台已不再承认该会话。";
    SESSION_REVOKED_DO = "`r` makes a new one, once its worker is stopped.", "停掉工作进程后按 r 重新生成。";
    REBUILD_LOOP = "It reconnected {n} times and failed alike: {what}. It was stopped.", "重连 {n} 次均同样失败：{what}。已停止。";
    REBUILD_LOOP_DO = "`r` makes a key of its own, once every copy is found.", "找到所有副本后按 r 生成单独密钥。";
    REBUILD_NONE = "The session is dead ({what}), and nothing here can rebuild it.", "会话已失效（{what}），此处无法重建。";
    REBUILD_NONE_DO = "Stop the worker, make a new session, then start it again.", "停掉工作进程，新建会话，再启动。";
    REBUILD_LIMIT = "It was rebuilt {n} times and died again: {what}.", "已重建 {n} 次仍失效：{what}。";
    REBUILD_LIMIT_DO = "Look for a copy on another host before the next attempt.", "再次尝试前先查其他主机上的副本。";

    HOW_PATH = "the same path", "同一路径";
    HOW_SYMLINK = "a symbolic link to it", "指向它的符号链接";
    HOW_HARD_LINK = "a hard link to it", "它的硬链接";
    HOW_BIND = "a bind mount of it", "它的绑定挂载";
    FACT_LEASE = "Held among hosts by", "主机间持有者";
    HOW_NAME = "the same name", "同名";
    HOW_KEY = "the same key", "同一密钥";
    STALE_DEAD = "{path}: process {pid} has ended; it holds nothing", "{path}：进程 {pid} 已结束，并未持有";
    STALE_REUSED = "{path}: {pid} is another process by now; it holds nothing", "{path}：{pid} 已是另一个进程，并未持有";
    STALE_BOOT = "{path}: {pid} is from before this host was started; it holds nothing", "{path}：{pid} 属于上次开机，并未持有";
    STALE_CLEANED = "removed: {what}", "已移除：{what}";
    STALE_DO = "It is removed at the next `pairdeck run`, `r` or `w` of this slot.", "下次对该槽位 pairdeck run、r 或 w 时会移除。";
    BY_PIDFILE = "pidfile {path}", "pid 文件 {path}";
    BY_UNIT = "systemd unit {unit}", "systemd 单元 {unit}";
    BY_RUN = "pairdeck run", "pairdeck run";
    BY_OPEN = "it has the file open", "打开着该文件";
    BY_ARGV = "the file stands in its command line", "命令行中有该文件";
    BY_CWD = "it runs in the file's folder", "在该文件的目录中运行";

    RENEW_SH_DO = "`pairdeck regenerate` gives it a key of its own, once its worker is stopped.", "停掉工作进程后，用 pairdeck regenerate 给它单独的密钥。";
    TWIN_SH_DO = "Stop all but one; `pairdeck regenerate` gives each of the others a key of its own.", "只留一个，其余停掉并用 pairdeck regenerate 各给单独密钥。";
    PAIR_SH_DO = "Its worker makes a session at its first login; or put the right path into config.toml.", "工作进程首次登录时会建立会话；或在 config.toml 中改正路径。";

    RUN_NOTHING = "{target}: nothing is held for this kind of target", "{target}：此类目标无需持有";
    RUN_LOCKED = "{target} is run already by {holder}", "{target} 已由 {holder} 运行";
    RUN_SHARED_HELD = "{what} is held on another host by {holder}", "{what} 正由另一台主机的 {holder} 持有";
    RUN_WARN_HELD = "{holder} holds {target} without pairdeck run ({evidence})", "{holder} 未经 pairdeck run 持有 {target}（{evidence}）";
    RUN_LEASE_ENDS = "the lease of {target} cannot be renewed ({why}); the command is stopped before it ends", "{target} 的租约无法续期（{why}）；在其结束前停止命令";
    RUN_LEASE_LOST = "{target} was taken over by another host; the command is stopped", "{target} 已被另一台主机接管；停止命令";
    RUN_NOT_FOUND = "{cmd}: {why}", "{cmd}：{why}";
    RUN_HEALED = "{target} was rebuilt; the command starts again in {s} s", "{target} 已重建；{s} 秒后重新启动命令";
    RUN_NO_HEAL = "{target}: there is nothing to heal for this kind", "{target}：此类目标没有可修复的内容";

    FACT_FILE = "File", "文件";
    FACT_FORMAT = "Format", "格式";
    FACT_KEY = "Key id", "密钥编号";
    FACT_DC = "Data centre", "数据中心";
    FACT_HOLDER = "Held by", "持有者";
    FACT_EVIDENCE = "Known by", "依据";
    FACT_CONNECTED = "Last connected", "上次连接";
    NOT_HERE = "Only what lies on this machine is known of it.", "仅知道本机上的内容。";

    CHECK_SLOTS = "{n} slots, each with a key and a file of its own", "{n} 个槽位，各有单独的密钥和文件";
    CHECK_SLOT = "{slot}: {what}", "{slot}：{what}";
    CHECK_BLIND = "{n} processes of other users could not be looked at", "有 {n} 个其他用户的进程无法查看";
}
