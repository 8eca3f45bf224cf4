//! Requests outside of sending: one question about a transfer, or calling it off. Content is never sent here.

use std::time::Duration;

use protocol::{
    problem::{Advice, Problem},
    sender::Phase,
};

use super::{Drive, journal, known::Known, trouble::Trouble};
use crate::{
    error::{LastTry, SendError},
    line::requests::{self, Reply},
    store::Transfer,
};

impl Drive<'_> {
    /// Asks once, and keeps what the answer proves.
    pub async fn ask_once(mut self) -> Result<Transfer, SendError> {
        self.write(journal::taken_up).await?;
        if self.transfer.phase() == Phase::Received {
            self.acknowledge().await;
            return Ok(self.transfer);
        }
        match self.question().await {
            Ok(()) => Ok(self.transfer),
            Err(Trouble::Final(error)) => Err(error),
            Err(Trouble::Again(last, _)) => {
                Err(SendError::NotDelivered { id: self.transfer.id(), tries: 1, last })
            }
        }
    }

    async fn question(&mut self) -> Result<(), Trouble> {
        if !self.transfer.record.offered {
            // The centre was never told of it: nothing to ask, and asking must not offer.
            return Ok(());
        }
        let request = requests::ask(&self.transfer.manifest.key(), self.log_seen().await?);
        let answer = self.exchange(request).await?;
        let known = match self.understand(requests::asked(&answer)).await? {
            Reply::Done(state) => self.known(state).await?,
            Reply::Checking(after) => Known::Checking(after),
            Reply::Turned(turned) if turned.problem == Problem::NotFound => {
                self.write(|_, transfer| journal::forgotten(transfer)).await?;
                return Ok(());
            }
            Reply::Turned(turned) => return Err(self.turned(turned).await),
        };
        match known {
            Known::Receipt(answer) => {
                self.receive(*answer).await?;
                self.acknowledge().await;
            }
            Known::Refusal(text) => return Err(Trouble::Final(self.refuse(text).await)),
            Known::Cancelled => self.write(journal::cancelled).await?,
            Known::Wanted { offset, cause, .. } => {
                let reached = self.transfer.manifest.length;
                if let Some(cause) = cause {
                    self.abort(cause, reached, Duration::ZERO).await?;
                }
                self.write(move |_, transfer| journal::holds(transfer, offset)).await?;
            }
            Known::Checking(_) => {
                if self.transfer.phase() != Phase::AwaitingReceipt {
                    self.write(|_, transfer| journal::checking(transfer)).await?;
                }
            }
            Known::Expired => return Err(Trouble::Final(self.expire().await)),
        }
        Ok(())
    }

    /// Calls the transfer off. One that the centre says it never heard of ends here alone.
    pub async fn cancel(mut self) -> Result<Transfer, SendError> {
        self.write(journal::taken_up).await?;
        match self.try_cancel().await {
            Ok(()) => {
                self.write(journal::cancelled).await?;
                Ok(self.transfer)
            }
            Err(Trouble::Final(error)) => Err(error),
            Err(Trouble::Again(last, _)) => {
                Err(SendError::NotDelivered { id: self.transfer.id(), tries: 1, last })
            }
        }
    }

    async fn try_cancel(&mut self) -> Result<(), Trouble> {
        // Even if no answer to the offer ever came, the offer itself may have arrived.
        let answer = self.exchange(requests::cancel(&self.transfer.manifest.key())).await?;
        match self.understand(requests::done(&answer)).await? {
            Reply::Done(()) => Ok(()),
            Reply::Turned(turned) if turned.problem == Problem::NotFound => Ok(()),
            Reply::Turned(turned) if turned.refusal.is_some() => Err(self.turned(turned).await),
            Reply::Turned(turned) => {
                let (id, problem) = (self.transfer.id(), turned.problem);
                Err(match problem.advice() {
                    Advice::Retry => Trouble::Again(LastTry::Turned(problem), turned.retry_after),
                    Advice::Ask | Advice::GiveUp => Trouble::Final(SendError::TurnedDown { id, problem }),
                })
            }
            Reply::Checking(_) => Err(Trouble::Again(LastTry::NoReceiptYet, None)),
        }
    }
}
