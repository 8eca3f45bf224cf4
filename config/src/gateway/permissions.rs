//! `[permissions]`: rights taken away from the built-in table, and those that it leaves to the operator.

use protocol::{
    party::Party,
    permission::{Permissions, Selection},
};

use crate::reader::{Fault, Given, Key, Section, Value};

impl Value for Selection {
    fn form() -> String {
        "rights as role:system or role:system:action, such as \"billing-agent:claims:offer\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

pub(super) fn read(root: &Section<'_>, parties: Option<&[Party]>) -> Option<Permissions> {
    let section = root.section(
        "permissions",
        "Who may do what, beside the built-in table (docs/permissions.md). Nothing here can let institutions reach each \
         other.",
    );
    let withdrawn = section.optional_list::<Selection>(&Key::new(
        "withdraw",
        "Rights that nobody of this role has here. What runs under a right ends when it is withdrawn.",
        "[\"billing-agent:claims\"]",
    ));
    let granted = section.optional_list::<Selection>(&Key::new(
        "grant",
        "Rights that the table leaves to the operator.",
        "[\"review-agency:claims\"]",
    ));
    let permissions = Permissions { withdrawn: withdrawn?, granted: granted? };
    let roles = || parties.unwrap_or_default().iter().map(Party::role);
    for selection in &permissions.granted {
        if parties.is_some() && !roles().any(|role| selection.may_be_granted(role)) {
            let reason = if roles().any(|role| selection.is_in_table(role)) {
                format!("{selection} is allowed by the table already")
            } else {
                format!("{selection} is never allowed here, whatever a configuration says (guideline 別表 8)")
            };
            section.refuse(
                "grant",
                Fault::new(reason, "remove it; docs/permissions.md shows what may be granted"),
            );
        }
    }
    for selection in &permissions.withdrawn {
        if parties.is_some() && !roles().any(|role| selection.is_in_table(role)) {
            section.refuse(
                "withdraw",
                Fault::new(
                    format!("{selection} is not allowed here in the first place"),
                    "remove it, or correct its spelling; docs/permissions.md shows the table",
                ),
            );
        }
    }
    Some(permissions)
}
