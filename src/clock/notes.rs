//! Advice beside the skew: what an operator should know that moves no clock. Each note has a stable code for scripts, one
//! sentence, and where something is to be done, one act.

use super::{
    causes::{self, What},
    container::{self, Container, Packages},
    gate::GateView,
    sample::{By, Sample, Subject},
    sntp,
    timezone::{self, ZoneFacts, ZoneTrouble},
    verdict::Side,
    zones::{self, Expected},
};
use crate::{
    domain::Wall,
    i18n::{Lang, Message, clock as w},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

/// What is known of this host besides its clock. The default knows nothing and gives no advice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its timezone settings, if they were read.
    pub zone: Option<ZoneFacts>,
    /// Its offset now, in minutes east of UTC.
    pub offset: Option<i32>,
    /// The container that this program runs in.
    pub container: Option<Container>,
    /// How its image installs packages.
    pub packages: Packages,
    /// The declared zone (`[clock] expect_timezone`) beside the real offset.
    pub expected: Option<Expected>,
    /// A declared zone that no database here knows.
    pub unknown_zone: Option<Arc<str>>,
}

impl HostFacts {
    /// Reads this host. Blocks on a few small local files.
    pub fn read(expect: Option<&str>, now: Wall) -> Self {
        let root = Path::new("/");
        let facts = Self {
            zone: Some(timezone::read()),
            offset: zones::own_offset(now),
            container: container::detect(root, &container::Env::read()),
            packages: container::packages(root),
            ..Self::default()
        };
        facts.expecting(expect, now)
    }
    /// The same host, whose zone should be `expect`.
    #[must_use]
    pub fn expecting(self, expect: Option<&str>, now: Wall) -> Self {
        let name: Option<Arc<str>> = expect.map(Arc::from);
        let expected = name.as_ref().and_then(|n| Expected::of(n, now, self.offset));
        let unknown_zone = if expected.is_none() { name } else { None };
        Self { expected, unknown_zone, ..self }
    }
    fn has_zones(&self) -> bool {
        self.zone.as_ref().is_none_or(|z| z.has_zones)
    }
    fn has_tz(&self) -> bool {
        self.zone.as_ref().is_some_and(|z| z.tz.as_ref().is_some_and(|t| !t.is_empty()))
    }
}

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// This host's timezone settings.
    Zone(ZoneTrouble),
    /// An image without a zone database, and how it gets one.
    ImageWithoutZones(Packages),
    /// A container without `TZ` keeps UTC.
    ContainerWithoutTz(Container),
    /// This host is not in the declared zone.
    HostZone(Expected, Where),
    /// The declared zone is not known here, so nothing was compared.
    UnknownZone(Arc<str>),
    /// This host's clock is suspect, and it is that of the machine below the container.
    SharedClock(Container),
    /// The zone is wrong, not the time: nobody should type local time into a clock that counts UTC.
    SetZoneNotClock,
    /// After the clock was put right a new code must be asked for.
    NewCode,
    /// Nothing tells which of two clocks is wrong.
    NoReference,
    /// NTP servers are configured and none answered.
    NtpSilent,
    /// A time server asked to be left alone.
    NtpRate,
    /// A time server refuses this host.
    NtpDenied,
    /// A time server is not synchronised itself.
    NtpUnsynced,
    /// The gateway is not in the declared zone.
    GatewayZone(Expected),
    /// The gateway shows UTC although another zone was declared: its image may lack zone data.
    GatewayImage,
}

/// Where a host's zone is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In the environment: `TZ` is set.
    Variable,
    /// For the whole machine.
    Machine,
    /// At the start of the container.
    Container(Container),
}

impl Note {
    /// The code that JSON shows. Stable.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Zone(t) => t.name(),
            Self::ImageWithoutZones(_) => "image_without_zone_data",
            Self::ContainerWithoutTz(_) => "container_without_tz",
            Self::HostZone(..) => "host_zone_differs",
            Self::UnknownZone(_) => "expected_zone_unknown",
            Self::SharedClock(_) => "container_shares_clock",
            Self::SetZoneNotClock => "set_zone_not_clock",
            Self::NewCode => "new_code_after_fix",
            Self::NoReference => "no_reference",
            Self::NtpSilent => "ntp_no_answer",
            Self::NtpRate => "ntp_rate_limited",
            Self::NtpDenied => "ntp_denied",
            Self::NtpUnsynced => "ntp_unsynchronised",
            Self::GatewayZone(_) => "gateway_zone_differs",
            Self::GatewayImage => "gateway_image_without_zone_data",
        }
    }
    /// False for what is worth knowing and no fault.
    pub const fn is_warning(&self) -> bool {
        !matches!(
            self,
            Self::Zone(ZoneTrouble::NoZones) | Self::ContainerWithoutTz(_) | Self::ImageWithoutZones(_) | Self::NewCode | Self::NoReference
        )
    }
    /// The sentence, and what to do.
    pub fn says(&self) -> (Message, Option<Message>) {
        let plain = |says, act| (Message::new(says), Some(Message::new(act)));
        match self {
            Self::Zone(t) => super::words::zone(t),
            Self::ImageWithoutZones(p) => plain(&w::TZ_NO_ZONES, install(*p)),
            Self::ContainerWithoutTz(c) => plain(&w::NOTE_CONTAINER_TZ, start_with(*c)),
            Self::HostZone(e, place) => (causes::zone(&w::CAUSE_ZONE_HOST, e), Some(set_zone(e, *place))),
            Self::UnknownZone(name) => (Message::new(&w::NOTE_ZONE_UNKNOWN).with("zone", name), Some(Message::new(&w::DO_ZONE_UNKNOWN))),
            Self::SharedClock(_) => plain(&w::NOTE_SHARED, &w::DO_SHARED),
            Self::SetZoneNotClock => (Message::new(&w::NOTE_SET_ZONE), None),
            Self::NewCode => plain(&w::NOTE_NEW_CODE, &w::DO_NEW_CODE),
            Self::NoReference => plain(&w::NOTE_NO_REFERENCE, &w::DO_REFERENCE),
            Self::NtpSilent => plain(&w::NOTE_NTP_SILENT, &w::DO_NTP_SILENT),
            Self::NtpRate => plain(&w::NOTE_NTP_RATE, &w::DO_NTP_RATE),
            Self::NtpDenied => plain(&w::NOTE_NTP_DENIED, &w::DO_NTP_OTHER),
            Self::NtpUnsynced => plain(&w::NOTE_NTP_UNSYNCED, &w::DO_NTP_OTHER),
            Self::GatewayZone(e) => (causes::zone(&w::CAUSE_ZONE_GATEWAY, e), Some(causes::zone(&w::DO_ZONE_GATEWAY, e))),
            Self::GatewayImage => plain(&w::NOTE_GATEWAY_IMAGE, &w::DO_GATEWAY_IMAGE),
        }
    }
    /// `{code, text, remedy}`.
    pub fn json(&self, lang: Lang) -> Value {
        let (says, act) = self.says();
        json!({ "code": self.code(), "text": says.text(lang), "remedy": act.map(|m| crate::i18n::shell::told(m).text(lang)) })
    }
}

const fn install(packages: Packages) -> &'static crate::i18n::Words {
    match packages {
        Packages::Apt => &w::DO_TZDATA_APT,
        Packages::Apk => &w::DO_TZDATA_APK,
        Packages::Other => &w::DO_TZDATA,
    }
}

const fn start_with(container: Container) -> &'static crate::i18n::Words {
    match container {
        Container::Docker | Container::Podman | Container::Other => &w::DO_TZ_CONTAINER,
        Container::Kubernetes => &w::DO_TZ_POD,
        Container::Nspawn => &w::DO_TZ_NSPAWN,
        Container::Lxc => &w::DO_TZ_LXC,
    }
}

fn set_zone(e: &Expected, place: Where) -> Message {
    let words = match place {
        Where::Variable => &w::DO_ZONE_VARIABLE,
        Where::Machine => &w::DO_ZONE_MACHINE,
        Where::Container(Container::Docker | Container::Podman | Container::Other) => &w::DO_ZONE_CONTAINER,
        Where::Container(Container::Kubernetes) => &w::DO_ZONE_POD,
        Where::Container(Container::Nspawn | Container::Lxc) => &w::DO_ZONE_VARIABLE,
    };
    causes::zone(words, e)
}

/// Advice about this host, whatever the gateways say.
pub fn host_notes(host: &HostFacts) -> Vec<Note> {
    let troubles = host.zone.as_ref().map(timezone::troubles).unwrap_or_default();
    let mut notes: Vec<Note> = troubles.into_iter().filter(|t| *t != ZoneTrouble::NoZones || host.container.is_none()).map(Note::Zone).collect();
    if let Some(differs) = host.expected.clone().filter(|e| e.differs().is_some()) {
        let place = match host.container {
            Some(c) => Where::Container(c),
            None if host.has_tz() => Where::Variable,
            None => Where::Machine,
        };
        notes.push(Note::HostZone(differs, place));
    }
    if let Some(name) = host.unknown_zone.clone().filter(|_| host.has_zones()) {
        notes.push(Note::UnknownZone(name));
    }
    if let Some(c) = host.container {
        if !host.has_zones() {
            notes.push(Note::ImageWithoutZones(host.packages));
        }
        let utc = host.zone.is_some() && host.offset == Some(0);
        // Where UTC was declared it is what somebody wants.
        if utc && !host.has_tz() && host.expected.is_none() {
            notes.push(Note::ContainerWithoutTz(c));
        }
    }
    notes
}

/// Advice about one gateway's view, beside its cause and remedy. What the cause itself says is not said again.
pub fn notes(view: &GateView, host: &HostFacts) -> Vec<Note> {
    let what = causes::what(view);
    let mut notes = Vec::new();
    match &what {
        Some(What::Gateway { minutes, .. } | What::Host { minutes, .. } | What::Alike { minutes, .. }) => {
            notes.extend(minutes.map(|_| Note::SetZoneNotClock));
            notes.push(Note::NewCode);
        }
        Some(What::Both { .. } | What::BeforeBuild | What::BeforeSaved) => notes.push(Note::NewCode),
        _ => {}
    }
    let open = view.side == Some(Side::CannotTell) && !matches!(what, Some(What::Conflict(_)));
    let told = matches!(view.side, Some(Side::Host | Side::Both)) || matches!(what, Some(What::BeforeBuild | What::BeforeSaved));
    let host_suspect = open || told;
    notes.extend(host.container.filter(|_| host_suspect).map(Note::SharedClock));
    let ntp = ntp(&view.host.samples);
    if open && !view.host.samples.iter().any(|s| s.by == By::Ntp) {
        notes.push(Note::NoReference);
    }
    notes.extend(ntp);
    if let Some(zone) = view.zone.clone().filter(|e| e.differs().is_some()) {
        let image = zone.found == Some(0);
        if !matches!(what, Some(What::GatewayZone(_))) {
            notes.push(Note::GatewayZone(zone));
        }
        if image {
            notes.push(Note::GatewayImage);
        }
    }
    notes
}

/// Why time servers told nothing; empty when one did, or when none was asked.
fn ntp(samples: &[Sample]) -> Vec<Note> {
    let asked: Vec<&Sample> = samples.iter().filter(|s| s.by == By::Ntp && s.subject == Subject::Host).collect();
    if asked.is_empty() || asked.iter().any(|s| s.interval.is_some()) {
        return Vec::new();
    }
    let says = |details: &[&str]| asked.iter().any(|s| details.iter().any(|d| s.detail.as_str() == *d));
    let all = [(says(RATE), Note::NtpRate), (says(DENIED), Note::NtpDenied), (says(UNSYNCED), Note::NtpUnsynced), (says(SILENT), Note::NtpSilent)];
    all.into_iter().filter_map(|(is, note)| is.then_some(note)).collect()
}

const SILENT: &[&str] = &[sntp::NO_ANSWER, sntp::REFUSED, sntp::UNREACHABLE];
const RATE: &[&str] = &[sntp::KISS_RATE];
const DENIED: &[&str] = &[sntp::KISS_DENY, sntp::KISS_RSTR, sntp::KISS_OTHER];
const UNSYNCED: &[&str] = &[sntp::UNSYNCED, sntp::FAR];

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
