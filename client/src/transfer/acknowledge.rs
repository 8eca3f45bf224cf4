//! Telling the centre that we hold its receipt. The receipt counts whether or not this succeeds.

use std::sync::Arc;

use protocol::{
    digest::Sha256,
    jws,
    one_line::in_one_line,
    statement::{Acknowledgement, HeldReceipt, VERSION},
};

use super::{Drive, ending};
use crate::{
    error::SendError,
    line::{
        Break,
        requests::{self, Reply},
    },
    progress::ProgressEvent,
    store::{ACKNOWLEDGEMENT, RECEIPT, StoreFault},
};

impl Drive<'_> {
    /// Acknowledges, once; what stands in the way is told and left to a later run.
    pub(super) async fn acknowledge(&mut self) {
        match self.try_acknowledge().await {
            Ok(None) => self.progress.event(&ProgressEvent::Acknowledged),
            Ok(Some(reason)) => self.progress.event(&ProgressEvent::AcknowledgementPending { reason }),
            Err(error) => {
                let reason = in_one_line(&error);
                tracing::warn!(transfer = %self.transfer.id(), reason, "the acknowledgement is pending");
                self.progress.event(&ProgressEvent::AcknowledgementPending { reason });
            }
        }
    }

    async fn try_acknowledge(&mut self) -> Result<Option<String>, SendError> {
        let text = self.statement().await?;
        let answer = match self.try_exchange(requests::acknowledge(text.clone())).await {
            Ok(answer) => answer,
            Err(broken) => {
                self.line = None;
                return Ok(Some(in_one_line(&broken)));
            }
        };
        match requests::done(&answer) {
            Ok(Reply::Done(())) => {
                let crls = self.desk.crls.clone();
                self.write(move |store, transfer| ending::acknowledged(store, transfer, &text, &crls))
                    .await?;
                Ok(None)
            }
            Ok(Reply::Turned(turned)) => Ok(Some(format!("{} ({})", turned.problem.title(), turned.problem))),
            Ok(Reply::Checking(_)) => Ok(Some(Break::BadAnswer("202 to an acknowledgement").to_string())),
            Err(broken) => Ok(Some(broken.to_string())),
        }
    }

    /// The signed statement: made once, durable before it leaves, and the same text whenever it leaves again.
    async fn statement(&mut self) -> Result<String, SendError> {
        let (signer, acting, environment) =
            (Arc::clone(&self.desk.signer), self.desk.acting.clone(), self.desk.environment);
        self.write(move |_, transfer| {
            if let Some(text) = transfer.text(ACKNOWLEDGEMENT)? {
                return Ok(text);
            }
            let receipt = transfer.text(RECEIPT)?;
            let receipt = receipt.ok_or_else(|| StoreFault::Altered { path: transfer.file(RECEIPT) })?;
            let statement = Acknowledgement {
                version: VERSION,
                environment,
                acting,
                receiver: transfer.manifest.receiver.clone(),
                receipts: vec![HeldReceipt {
                    sender: transfer.manifest.sender.clone(),
                    transfer_id: transfer.id(),
                    receipt_sha256: Sha256::of(receipt.as_bytes()),
                }],
                acknowledged_at: pki::clock::now(),
            };
            let text = jws::sign(&statement, signer.as_ref())?;
            transfer.keep(ACKNOWLEDGEMENT, text.as_bytes())?;
            Ok::<_, SendError>(text)
        })
        .await
    }
}
