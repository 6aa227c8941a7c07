//! Words of the store room: files, locks, databases, the vault. Those of the configuration stand in [`super::config`].

catalogue! { "store";
    NO_HOME = "no home folder is known: give one with --home or PAIRDECK_HOME", "找不到主目录：请用 --home 或 PAIRDECK_HOME 指定";
    FOLDER_UNWRITABLE = "{path} cannot be written ({why}): live state is shown, nothing is kept; mend it or choose --home", "{path} 无法写入（{why}）：仍显示实时状态，但不会保存；请修复或用 --home 另选目录";
    FOLDER_LOOSE = "{path} is open to others and its mode cannot be changed: run  chmod {mode} {path}", "{path} 对其他用户开放，且无法修改权限：请运行  chmod {mode} {path}";
    NEWER = "{path} was written by a newer pairdeck (schema {found}, this one knows {known}): update pairdeck, or choose another --home", "{path} 由更新版本的 pairdeck 写入（结构 {found}，本版本支持 {known}）：请升级 pairdeck，或用 --home 另选目录";
    BROKEN = "{path} is damaged ({why}): nothing was changed or deleted; put back a copy, or move the file away to start anew", "{path} 已损坏（{why}）：未改动也未删除任何内容；请恢复备份，或移走该文件重新开始";
    DISK_FULL = "the disk is full: nothing was lost, but nothing can be kept until there is space", "磁盘已满：没有丢失数据，但在腾出空间前无法保存";
    READ_ONLY_FILE = "{path} is read-only: live state is shown, nothing is kept", "{path} 为只读：仍显示实时状态，但不会保存";
    HELD = "another program holds the store for too long: try again", "其他程序占用存储过久：请重试";
    CLOSED = "the store was closed", "存储已关闭";
    OP_GONE = "that action is not open any more", "该操作已不再进行";
    SEAL_BROKEN = "a sealed value does not open: {what} was changed outside pairdeck or belongs to another store", "密封数据无法打开：{what} 被外部修改，或属于另一个存储";
    KEY_CHANGED = "the vault key was replaced by another process: open the vault again", "保险库密钥已被其他进程更换：请重新打开保险库";
    VAULT_EXISTS = "this store has a vault already", "此存储已有保险库";
    KEYRING_NONE = "no keyring answers here: use a passphrase", "此处没有可用的密钥环：请使用口令";
    KEYRING_NO_COLLECTION = "the keyring has no default collection: make one, or use a passphrase", "密钥环没有默认集合：请创建，或使用口令";
    KEYRING_LOCKED = "the keyring is locked: unlock it, then try again", "密钥环已锁定：请先解锁再重试";
    KEYRING_STUCK = "the keyring does not answer within {seconds} s: restart its daemon, then try again", "密钥环在 {seconds} 秒内没有应答：请重启其服务后重试";
    KEYRING_FAILED = "the keyring failed: {why}", "密钥环出错：{why}";
    KEY_MISSING = "the vault key is gone from the {source}: put it back; no other place is tried", "保险库密钥已不在{source}中：请放回；不会尝试其他来源";
    KEY_WRONG = "the key from the {source} does not fit this vault: nothing was changed", "{source}中的密钥与此保险库不符：未作任何更改";
    KEY_LOOSE = "{path} can be read by others: run  chmod 600 {path}", "{path} 可被其他用户读取：请运行  chmod 600 {path}";
    PASSPHRASE_NEEDED = "the vault wants its passphrase", "保险库需要口令";
    PASSPHRASE_WRONG = "that passphrase does not open the vault", "口令不正确";
    PASSPHRASE_SHORT = "a passphrase needs at least 8 characters", "口令至少需要 8 个字符";
    CREDENTIAL_NONE = "no systemd credential named pairdeck-key was handed to this process", "没有向本进程提供名为 pairdeck-key 的 systemd 凭据";
    MEMORY_GONE = "the key of this vault lived in a process that ended", "此保险库的密钥只存在于已结束的进程中";
}
