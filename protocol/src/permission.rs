//! Which role may do what at which centre: one table, deny by default (guideline II.5(1)–(4), 別表 8).
//!
//! A row is a right of whoever calls (`from`) at whoever is called (`to`). Answers need no right of their own; edges are
//! never called. No configuration adds a row: it can take rights away, and switch on those that the table marks.

use std::{fmt, str::FromStr};

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
    /// 請求確定.
    Confirm,
    /// 請求取消.
    Withdraw,
    /// See what lies in the own mailbox.
    List,
    /// Take something out of the own mailbox.
    Fetch,
    /// Ask the implementing body, and get the answer at once.
    Query,
}

impl Action {
    /// Every action, in the order of the table.
    pub const ALL: [Action; 10] = [
        Action::Offer,
        Action::Send,
        Action::Ask,
        Action::Acknowledge,
        Action::Cancel,
        Action::Confirm,
        Action::Withdraw,
        Action::List,
        Action::Fetch,
        Action::Query,
    ];

    /// The name used in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Offer => "offer",
            Action::Send => "send",
            Action::Ask => "ask",
            Action::Acknowledge => "acknowledge",
            Action::Cancel => "cancel",
            Action::Confirm => "confirm",
            Action::Withdraw => "withdraw",
            Action::List => "list",
            Action::Fetch => "fetch",
            Action::Query => "query",
        }
    }
}

/// What the table says of one role, system and action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No configuration can allow it.
    Never,
    /// Not unless the configuration grants it.
    IfGranted,
    /// Yes, unless the configuration withdraws it.
    Always,
}

/// One right: these roles, at this one, in this system.
struct Right {
    from: &'static [Role],
    to: Role,
    system: System,
    actions: &'static [Action],
    standing: Standing,
}

/// Bring a file and see it through.
const CARRY: &[Action] = &[Action::Offer, Action::Send, Action::Ask, Action::Acknowledge, Action::Cancel];
/// Claims have a business step after their receipt, and their results come back by mailbox.
const CLAIM: &[Action] = &[
    Action::Offer,
    Action::Send,
    Action::Ask,
    Action::Acknowledge,
    Action::Cancel,
    Action::Confirm,
    Action::Withdraw,
    Action::List,
    Action::Fetch,
];
/// Take files out of the own mailbox.
const COLLECT: &[Action] = &[Action::List, Action::Fetch, Action::Ask];
/// Bring files, and take others out of the own mailbox.
const EXCHANGE: &[Action] = &[
    Action::Offer,
    Action::Send,
    Action::Ask,
    Action::Acknowledge,
    Action::Cancel,
    Action::List,
    Action::Fetch,
];
const QUERY: &[Action] = &[Action::Query];

const INSTITUTIONS: &[Role] = &[Role::Institution, Role::BillingAgent];
const SOCIETIES: &[Role] = &[Role::HealthInsuranceSociety, Role::SocietyVendor];
const INSURERS: &[Role] = &[Role::Insurer, Role::HealthInsuranceSociety, Role::SocietyVendor];

/// The whole table. Whatever stands in no row is [`Standing::Never`]: above all, institutions never reach each other.
const RIGHTS: &[Right] = &[
    // オンライン請求: institutions send claims files and get results; insurers take theirs out.
    Right {
        from: INSTITUTIONS,
        to: Role::ReviewAgency,
        system: System::Claims,
        actions: CLAIM,
        standing: Standing::Always,
    },
    Right {
        from: INSURERS,
        to: Role::ReviewAgency,
        system: System::Claims,
        actions: COLLECT,
        standing: Standing::Always,
    },
    // Between 支払基金 and 国保連合会 only where both have agreed on it.
    Right {
        from: &[Role::ReviewAgency],
        to: Role::ReviewAgency,
        system: System::Claims,
        actions: CARRY,
        standing: Standing::IfGranted,
    },
    // オンライン資格確認等: everybody asks the implementing body.
    Right {
        from: INSTITUTIONS,
        to: Role::ImplementingBody,
        system: System::Eligibility,
        actions: QUERY,
        standing: Standing::Always,
    },
    Right {
        from: &[Role::ReviewAgency],
        to: Role::ImplementingBody,
        system: System::Eligibility,
        actions: QUERY,
        standing: Standing::Always,
    },
    Right {
        from: INSURERS,
        to: Role::ImplementingBody,
        system: System::Eligibility,
        actions: QUERY,
        standing: Standing::Always,
    },
    Right {
        from: &[Role::ImplementingBody],
        to: Role::ReviewAgency,
        system: System::Eligibility,
        actions: QUERY,
        standing: Standing::Always,
    },
    // 健保組合電子申請: societies and their vendors, with the implementing body, and nobody else.
    Right {
        from: SOCIETIES,
        to: Role::ImplementingBody,
        system: System::Filing,
        actions: EXCHANGE,
        standing: Standing::Always,
    },
];

/// What the table says of this cell.
pub fn standing(from: Role, to: Role, system: System, action: Action) -> Standing {
    RIGHTS
        .iter()
        .find(|right| {
            right.to == to
                && right.system == system
                && right.from.contains(&from)
                && right.actions.contains(&action)
        })
        .map_or(Standing::Never, |right| right.standing)
}

/// The rights of one role in one system, all or one of them: `billing-agent:claims`, `billing-agent:claims:offer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Whose.
    pub from: Role,
    /// In which system.
    pub system: System,
    /// Which one; all without it.
    pub action: Option<Action>,
}

impl Selection {
    fn covers(&self, from: Role, system: System, action: Action) -> bool {
        self.from == from && self.system == system && self.action.is_none_or(|own| own == action)
    }

    /// The strongest standing among the cells it covers at this centre.
    fn best_standing(&self, to: Role) -> Standing {
        let standings = Action::ALL
            .into_iter()
            .filter(|action| self.covers(self.from, self.system, *action))
            .map(|action| standing(self.from, to, self.system, action));
        standings.fold(Standing::Never, |best, next| match (best, next) {
            (Standing::Never, other) | (other, Standing::Never) => other,
            (Standing::IfGranted, other) | (other, Standing::IfGranted) => other,
            (Standing::Always, Standing::Always) => Standing::Always,
        })
    }

    /// Is there anything at a centre of this role that it could withdraw?
    pub fn is_in_table(&self, to: Role) -> bool {
        self.best_standing(to) != Standing::Never
    }

    /// Is every right it names at a centre of this role one that may be granted?
    pub fn may_be_granted(&self, to: Role) -> bool {
        self.best_standing(to) == Standing::IfGranted
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.system.name())?;
        match self.action {
            Some(action) => write!(f, ":{}", action.name()),
            None => Ok(()),
        }
    }
}

impl FromStr for Selection {
    type Err = NoSelection;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let (Some(from), Some(system)) = (parts.next(), parts.next()) else { return Err(NoSelection) };
        let action = match parts.next() {
            None => None,
            Some(name) => {
                Some(Action::ALL.into_iter().find(|action| action.name() == name).ok_or(NoSelection)?)
            }
        };
        Ok(Selection {
            from: from.parse().map_err(|_| NoSelection)?,
            system: System::ALL.into_iter().find(|known| known.name() == system).ok_or(NoSelection)?,
            action,
        })
    }
}

/// Why a text selects no rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rights are named role:system or role:system:action")]
pub struct NoSelection;

/// The table as one centre has it: less what was withdrawn, more what may be granted and was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Taken away.
    pub withdrawn: Vec<Selection>,
    /// Switched on, where the table allows that.
    pub granted: Vec<Selection>,
}

impl Permissions {
    /// May `from` do this to `to` in this system?
    pub fn allow(&self, from: Role, to: Role, system: System, action: Action) -> bool {
        let covered = |selections: &[Selection]| {
            selections.iter().any(|selection| selection.covers(from, system, action))
        };
        match standing(from, to, system, action) {
            Standing::Never => false,
            Standing::IfGranted => covered(&self.granted) && !covered(&self.withdrawn),
            Standing::Always => !covered(&self.withdrawn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_cell() -> impl Iterator<Item = (Role, Role, System, Action)> {
        Role::ALL.into_iter().flat_map(|from| {
            Role::ALL.into_iter().flat_map(move |to| {
                System::ALL.into_iter().flat_map(move |system| {
                    Action::ALL.into_iter().map(move |action| (from, to, system, action))
                })
            })
        })
    }

    #[test]
    fn institutions_never_reach_each_other_whatever_is_granted() {
        let all: Vec<Selection> = every_cell()
            .map(|(from, _, system, action)| Selection { from, system, action: Some(action) })
            .collect();
        let everything = Permissions { withdrawn: Vec::new(), granted: all };
        for (from, to, system, action) in every_cell() {
            let institutions = [Role::Institution, Role::BillingAgent];
            if institutions.contains(&from) && institutions.contains(&to) {
                assert!(!everything.allow(from, to, system, action), "{from} to {to}: {}", action.name());
            }
        }
    }

    #[test]
    fn granting_everything_adds_only_what_the_table_marks() {
        for (from, to, system, action) in every_cell() {
            let granted =
                Permissions { granted: vec![Selection { from, system, action: None }], ..Default::default() };
            let expected = standing(from, to, system, action) != Standing::Never;
            assert_eq!(
                granted.allow(from, to, system, action),
                expected,
                "{from} to {to}: {}",
                action.name()
            );
            let default = Permissions::default().allow(from, to, system, action);
            assert_eq!(default, standing(from, to, system, action) == Standing::Always);
        }
    }

    #[test]
    fn what_is_withdrawn_is_gone_and_nothing_else() {
        let withdrawn = Permissions {
            withdrawn: vec!["billing-agent:claims:offer".parse().unwrap(), "insurer:claims".parse().unwrap()],
            granted: Vec::new(),
        };
        for (from, to, system, action) in every_cell() {
            let gone = system == System::Claims
                && (from == Role::Insurer || from == Role::BillingAgent && action == Action::Offer);
            let expected = standing(from, to, system, action) == Standing::Always && !gone;
            assert_eq!(
                withdrawn.allow(from, to, system, action),
                expected,
                "{from} to {to}: {}",
                action.name()
            );
        }
    }

    #[test]
    fn only_societies_their_vendors_and_the_implementing_body_have_filings() {
        for (from, to, system, action) in every_cell().filter(|(_, _, system, _)| *system == System::Filing) {
            let society = matches!(from, Role::HealthInsuranceSociety | Role::SocietyVendor);
            if !society || to != Role::ImplementingBody {
                assert_eq!(standing(from, to, system, action), Standing::Never, "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_selection_reads_back_as_itself_and_nothing_else_is_one() {
        for text in ["billing-agent:claims", "review-agency:claims:offer", "insurer:eligibility:query"] {
            assert_eq!(text.parse::<Selection>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "institution",
            "institution:",
            "doctor:claims",
            "institution:claims:",
            "institution:claims:eat",
        ] {
            assert!(text.parse::<Selection>().is_err(), "{text:?}");
        }
    }
}
