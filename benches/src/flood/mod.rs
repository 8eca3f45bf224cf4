//! Three attacks of named size, the listener that takes the same load in a control, and the honest sender whose rate
//! tells what an attack does.

pub mod attack;
pub mod decoy;
pub mod greedy;
pub mod honest;
pub mod slow;
pub mod strangers;
