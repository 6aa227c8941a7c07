//! pairing
use crate::{
    domain::{Reason, ReasonCode, Target, Want},
    providers::{Cx, Pairing},
};
pub async fn begin(_cx: &Cx, _at: &Target, _want: Want) -> Result<Box<dyn Pairing>, Reason> {
    Err(Reason::new(ReasonCode::Internal))
}
