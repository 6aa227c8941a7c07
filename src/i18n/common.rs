//! Words that several rooms use.

catalogue! { "common";
    YES = "yes", "是";
    NO = "no", "否";
    UNKNOWN = "not known", "未知";
}
