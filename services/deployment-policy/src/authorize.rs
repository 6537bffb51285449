//! Whether an enclave may have what its service gets.

use dcap_quote::{TcbStatus, UnixTime};

use crate::denial::{Denial, DenialCode, Reason};
use crate::document::{Lifetime, Name, Platforms, Service, Tolerated};
use crate::evidence::{Evidence, Registered};
use crate::grant::Grant;
use crate::identify::denial;
use crate::policy::Policy;
use crate::registry::RegistryQuestion;

/// For how long an answer of a registry may be used, unless the policy says otherwise.
const REGISTRY_MAX_AGE: Lifetime = Lifetime::days(1);

impl Policy {
    /// What to ask of which registry about the platform, so that [`Evidence::registered`] can be filled; none if nothing
    /// depends on it.
    #[must_use]
    pub fn registry(&self, service: &str, evidence: &Evidence) -> Option<RegistryQuestion<'_>> {
        let (_, service) = self.service(service)?;
        let (platforms, _) = self.platforms(service)?;
        let is_node = platforms.nodes.iter().any(|node| is(node, evidence));
        let url = platforms.registry.as_ref().filter(|_| !is_node)?;
        Some(RegistryQuestion {
            url,
            ppid: evidence.ppid?,
            max_age: platforms.registry_max_age.unwrap_or(REGISTRY_MAX_AGE),
        })
    }

    /// Whether an enclave may have what its service gets. `asked` is the service that it asks to be, if it says so.
    ///
    /// # Errors
    /// With every rule that it does not meet.
    pub fn authorize(
        &self,
        asked: Option<&str>,
        evidence: &Evidence,
        now: UnixTime,
    ) -> Result<Grant<'_>, Denial> {
        let name = self.identify(asked, evidence)?;
        let Some((name, service)) = self.service(name.as_str()) else {
            return Err(denial(Some(name), Vec::new()));
        };
        let mut tolerances = Tolerances {
            name,
            service,
            now,
            used: Vec::new(),
            reasons: Vec::new(),
        };
        tolerances.check(evidence);
        let Tolerances {
            used, mut reasons, ..
        } = tolerances;
        reasons.extend(self.platform_reason(name, service, evidence));
        if let Some(key) = evidence.image_key.filter(|key| !service.image_keys.contains(key)) {
            let message =
                format!("the image key {key} is none of this service's; add it if this is the right image");
            let rule = format!("services.{name}.image_keys");
            reasons.push(Reason::new(DenialCode::ImageKey, rule, key, message));
        }
        if let Some(most) = service
            .limits
            .instances
            .filter(|most| evidence.instances >= *most)
        {
            let running = evidence.instances;
            let message =
                format!("{running} instances run, and there may be {most}; stop one, or raise the limit");
            let rule = format!("services.{name}.limits.instances");
            reasons.push(Reason::new(DenialCode::Instances, rule, running, message));
        }
        if reasons.is_empty() {
            Ok(Grant::new(self, name, service, used, evidence.image_key))
        } else {
            Err(denial(Some(name), reasons))
        }
    }

    /// The platforms that a service may run on, and where that is written; none for any.
    fn platforms<'a>(&'a self, service: &'a Service) -> Option<(&'a Platforms, bool)> {
        let own = service.platforms.as_ref().map(|platforms| (platforms, true));
        own.or_else(|| {
            self.document()
                .platforms
                .as_ref()
                .map(|platforms| (platforms, false))
        })
    }

    fn platform_reason(&self, name: &Name, service: &Service, evidence: &Evidence) -> Option<Reason> {
        let (platforms, is_own) = self.platforms(service)?;
        if platforms.nodes.iter().any(|node| is(node, evidence)) {
            return None;
        }
        let rule = match is_own {
            true => format!("services.{name}.platforms"),
            false => "platforms".to_owned(),
        };
        let ppid = evidence
            .ppid
            .map_or_else(|| "unknown".to_owned(), |ppid| ppid.to_string());
        let machine = match evidence.platform_instance_id {
            Some(instance) => {
                format!("the machine with the PPID {ppid} and the PlatformInstanceID {instance}")
            }
            None => format!("the machine with the PPID {ppid}"),
        };
        let Some(registry) = &platforms.registry else {
            let message = format!("{machine} is none of the nodes; add it if it is yours");
            return Some(Reason::new(DenialCode::Platform, rule, ppid, message));
        };
        let registered = evidence.ppid.map_or(Registered::No, |_| evidence.registered);
        match registered {
            Registered::Yes => None,
            Registered::No => {
                let message = format!("{machine} is none of the nodes, and {registry} does not know it");
                Some(Reason::new(DenialCode::Platform, rule, ppid, message))
            }
            Registered::Unavailable | Registered::NotAsked => {
                let message =
                    format!("{registry} gave no answer about {machine}; try again when it can be reached");
                Some(Reason::new(DenialCode::RegistryUnavailable, rule, ppid, message))
            }
        }
    }
}

fn is(node: &crate::document::Node, evidence: &Evidence) -> bool {
    node.is(evidence.ppid, evidence.platform_instance_id)
}

/// The tolerances of a service, as they are used up.
struct Tolerances<'a> {
    name: &'a Name,
    service: &'a Service,
    now: UnixTime,
    used: Vec<Tolerated>,
    reasons: Vec<Reason>,
}

impl Tolerances<'_> {
    fn check(&mut self, evidence: &Evidence) {
        if evidence.debug {
            let what = "its host can read and change it with a debugger";
            self.ask(DenialCode::Debug, &[Tolerated::Debug], "debug", what);
        }
        if evidence.simulated {
            let what = "its platform is simulated and protects nothing";
            self.ask(DenialCode::Simulated, &[Tolerated::Simulated], "simulated", what);
        }
        let status = evidence.status;
        match status {
            TcbStatus::UpToDate => {}
            TcbStatus::Revoked | TcbStatus::NotSupported => {
                let message = format!("the TCB status of its platform is {status}, which is never accepted");
                self.deny(DenialCode::TcbStatus, status.name(), message);
            }
            status => {
                let what = format!("the TCB status of its platform is {status}");
                self.ask(
                    DenialCode::TcbStatus,
                    &[Tolerated::Status(status)],
                    status.name(),
                    &what,
                );
            }
        }
        for advisory in &evidence.advisories {
            let what = format!("its platform has the known weakness {advisory}");
            let by = [Tolerated::Advisory(advisory.clone()), Tolerated::AnyAdvisory];
            self.ask(DenialCode::Advisory, &by, advisory, &what);
        }
    }

    /// Whether one of these is tolerated now.
    fn ask(&mut self, code: DenialCode, by: &[Tolerated], found: &str, what: &str) {
        let given = self
            .service
            .tolerate
            .iter()
            .filter(|tolerance| by.contains(&tolerance.what));
        let mut ended = None;
        for tolerance in given {
            match tolerance.until.filter(|until| until.is_past(self.now)) {
                None => {
                    if !self.used.contains(&tolerance.what) {
                        self.used.push(tolerance.what.clone());
                    }
                    return;
                }
                Some(until) => ended = Some(until),
            }
        }
        let message = match ended {
            None => format!("{what}, which is not tolerated"),
            Some(until) => format!("{what}, which was tolerated until {until}"),
        };
        self.deny(code, found, message);
    }

    fn deny(&mut self, code: DenialCode, found: &str, message: String) {
        let rule = format!("services.{}.tolerate", self.name);
        self.reasons.push(Reason::new(code, rule, found, message));
    }
}
