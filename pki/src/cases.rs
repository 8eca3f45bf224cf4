//! What mutually authenticated gateways have got wrong, one numbered case each, and the test that shows it is not so here.
//!
//! The numbers are those of the project's list of cases. A case is named `case_NN_<claim>`; one that has several halves has
//! several tests.
//!
//! | cases | about | where |
//! |---|---|---|
//! | 1–7 | coming back without being judged anew | [`resumption`] |
//! | 10–12, 31, 33 | files and settings that must not open the door | [`loading`] |
//! | 13–18, 21, 22 | what stands in a certificate, and how much of it | [`contents`] |
//! | 19, 20, 24–28 | revocation lists | [`lists`] |
//! | 23 | the verdicts of others on certificates made to be wrong | [`crate::differential`] |
//!
//! Cases 8, 9, 29, 30, 32 and from 34 on need a listener or HTTP and stand in the gateway's and the end-to-end tests.

mod contents;
mod lists;
mod loading;
mod resumption;
