//! Which role may do what to which: deny by default (guideline II.5(1)–(4), 別表 8).

use crate::{kind::System, party::Role};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Offer a transfer.
    Offer,
    /// Send its content.
    Send,
    /// Ask what became of it.
    Ask,
    /// Say that its receipt is held.
    Acknowledge,
    /// Call it off.
    Cancel,
}

/// May `from` do this to `to` in this system? Institutions never reach each other, whatever the configuration says.
pub fn may(from: Role, to: Role, system: System, action: Action) -> bool {
    let sends_claims = matches!(from, Role::Institution | Role::BillingAgent) && to == Role::ReviewAgency;
    match action {
        Action::Offer | Action::Send | Action::Ask | Action::Acknowledge | Action::Cancel => {
            sends_claims && system == System::Claims
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_institutions_and_their_agents_sends_claims_to_a_review_agency() {
        for from in Role::ALL {
            for to in Role::ALL {
                for system in [System::Claims, System::Eligibility, System::Filing] {
                    let expected = matches!(from, Role::Institution | Role::BillingAgent)
                        && to == Role::ReviewAgency
                        && system == System::Claims;
                    assert_eq!(may(from, to, system, Action::Offer), expected, "{from} to {to}");
                }
            }
        }
    }
}
