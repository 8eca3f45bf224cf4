//! The claims that every back end must meet, each a function of its own that fails by panicking.
//!
//! A back end lends itself by a bench ([`LedgerBench`], [`SpoolBench`]) and turns each claim into a test of its own
//! with [`ledger_claims!`](crate::ledger_claims) and [`spool_claims!`](crate::spool_claims).

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, wherever they are compiled")]

macro_rules! claims {
    ($($module:ident)+) => {
        $(
            #[allow(missing_docs, reason = "each claim's name says it")]
            pub mod $module;
        )+
    };
}

claims! { attempts endings logs model offers spools }
pub mod dice;
pub mod samples;

use async_trait::async_trait;
use protocol::checkpoint::LogIdentity;

use crate::{audit::AuditLog, ledger::Ledger, spool::Spool};

/// One ledger, to be opened again and again.
#[async_trait]
pub trait LedgerBench: Send + Sync {
    /// The back end.
    type Store: Ledger + AuditLog + 'static;

    /// Opens the ledger; the first time it is new.
    async fn open(&self) -> Self::Store;

    /// Ends it as a killed process does: nothing is finished, nothing is closed.
    async fn kill(&self, ledger: Self::Store);

    /// The log it writes.
    fn log(&self) -> LogIdentity;
}

/// One spool, to be opened again and again.
pub trait SpoolBench {
    /// The back end.
    type Store: Spool;

    /// Opens the spool; the first time it is new.
    fn open(&self) -> Self::Store;

    /// Contents that it holds in any form, finished or not.
    fn contents(&self, spool: &Self::Store) -> usize;
}

/// Makes one test of each claim about ledgers, on the bench that the expression makes.
#[macro_export]
macro_rules! ledger_claims {
    ($bench:expr) => {
        $crate::ledger_claims! { $bench;
            offers: a_new_offer_is_stored_and_found,
            offers: the_same_manifest_again_changes_nothing,
            offers: another_manifest_under_the_same_key_is_a_conflict,
            offers: another_partys_id_is_neither_found_nor_in_conflict,
            offers: an_offer_refused_for_good_is_final_and_serves_its_refusal,
            offers: a_sender_has_no_more_unfinished_transfers_than_it_may,
            offers: a_sender_is_known_to_be_full_only_while_it_is,
            offers: a_sender_offers_no_more_in_a_day_than_it_may,
            offers: content_that_is_held_is_not_accepted_again,
            offers: content_that_is_repeated_on_purpose_is_accepted,
            offers: the_first_head_of_a_log_is_kept_and_a_later_one_takes_its_place,
            offers: an_older_head_changes_nothing,
            offers: a_log_with_two_roots_of_one_size_is_forked,
            offers: a_log_of_another_party_or_key_is_forked,
            offers: a_certificate_with_one_code_more_is_the_same_party,
            offers: a_head_verified_against_a_stale_one_is_not_taken,
            attempts: attempts_that_race_get_numbers_of_their_own,
            attempts: an_older_attempt_is_fenced,
            attempts: a_step_of_an_unknown_transfer_is_named,
            attempts: parts_that_do_not_belong_together_are_turned_down,
            attempts: a_fault_changes_nothing,
            attempts: a_state_keeps_the_time_it_was_entered,
            attempts: what_changes_nothing_is_not_logged,
            attempts: every_step_survives_a_kill,
            attempts: what_runs_at_a_kill_is_restarted_once,
            endings: a_commit_keeps_the_receipt_and_its_entry,
            endings: a_commit_that_lost_the_race_for_the_same_content_is_not_done,
            endings: content_that_is_committed_at_once_is_committed_like_any_other,
            endings: a_commit_that_is_forbidden_changes_nothing_and_may_be_allowed_later,
            endings: a_commit_that_was_allowed_is_durable_once_the_ledger_has_settled,
            endings: nothing_is_committed_once_it_was_forbidden_and_the_ledger_has_settled,
            endings: one_of_many_commits_of_the_same_content_wins,
            endings: a_transfer_that_lost_the_race_can_be_refused,
            endings: a_second_mismatch_keeps_its_refusal,
            endings: all_receipts_of_a_statement_are_acknowledged_or_none,
            endings: an_acknowledgement_counts_once,
            endings: only_the_receipts_own_hash_acknowledges_it,
            endings: a_delivery_is_noted_once,
            endings: only_what_is_committed_can_be_delivered,
            endings: overdue_are_those_that_wait_beyond_their_deadline,
            endings: counts_are_those_of_the_transfers,
            logs: each_entry_stands_under_the_checkpoint_it_came_with,
            logs: each_head_continues_every_earlier_one,
            logs: entries_stand_in_one_order_without_a_gap,
            logs: entries_name_the_transfer_and_attempt_whatever_the_caller_wrote,
            logs: texts_are_kept_to_the_byte,
            logs: what_the_log_does_not_have_is_not_proved,
            logs: a_sound_log_verifies_to_its_end,
            logs: a_log_goes_on_after_a_kill,
            model: a_random_life_is_that_of_the_pure_receiver,
        }
    };
    ($bench:expr; $($module:ident : $claim:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                $crate::conformance::$module::$claim(&$bench).await;
            }
        )+
    };
}

/// Makes one test of each claim about spools, on the bench that the expression makes.
#[macro_export]
macro_rules! spool_claims {
    ($bench:expr) => {
        $crate::spool_claims! { $bench;
            what_was_synced_is_there_after_a_kill,
            what_is_durable_ends_where_a_piece_does,
            content_that_comes_in_any_portions_is_read_in_any_portions,
            finished_content_is_there_after_a_kill,
            empty_content_can_be_finished,
            a_newer_attempt_fences_the_older_writer,
            what_an_older_attempt_still_writes_is_never_seen,
            an_older_attempt_cannot_begin_after_a_newer_one,
            an_older_attempt_cannot_touch_what_a_newer_one_finished,
            an_attempt_begins_once,
            an_attempt_goes_on_exactly_where_it_said,
            an_attempt_does_not_begin_beyond_what_is_there,
            an_attempt_begins_where_a_piece_does,
            content_of_any_length_is_kept,
            small_content_is_durable_as_a_whole_or_not_at_all,
            small_content_that_is_whole_may_be_finished_by_a_newer_attempt,
            content_may_begin_anew_with_another_length,
            what_many_finish_at_once_is_all_there_after_a_kill,
            the_random_lives_of_small_contents_are_those_of_lists_of_bytes,
            finished_content_can_be_opened_again_by_a_newer_attempt,
            content_is_never_longer_than_declared,
            content_that_is_short_is_not_finished,
            dropped_content_is_gone_and_its_writer_fenced,
            dropping_what_is_not_there_is_no_fault,
            reading_beyond_what_is_there_is_a_fault,
            one_transfers_content_is_not_anothers,
            recovery_keeps_what_is_wanted_and_removes_the_rest,
            recovery_names_what_is_shorter_than_the_ledger_says,
            a_random_life_is_that_of_a_list_of_bytes,
        }
    };
    ($bench:expr; $($claim:ident,)+) => {
        $(
            #[test]
            fn $claim() {
                $crate::conformance::spools::$claim(&$bench);
            }
        )+
    };
}
