//! Requests outside of sending: one question about a transfer, or calling it off. Content is never sent here.

use std::time::Duration;

use protocol::{
    problem::{Advice, Problem},
    sender::Phase,
};

use super::{Drive, ending, journal, known::Known, trouble::Trouble};
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
        if !self.transfer.record.offered {
            // The centre was never told of it: nothing to ask, and asking must not offer.
            return Ok(self.transfer);
        }
        match self.question().await {
            Ok(()) | Err(Trouble::Final(SendError::Cancelled { .. })) => Ok(self.transfer),
            Err(trouble) => Err(self.asked_in_vain(trouble)),
        }
    }

    async fn question(&mut self) -> Result<(), Trouble> {
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
        }
        Ok(())
    }

    /// Calls the transfer off. It has ended when the signed refusal that says so is kept; one that the centre never
    /// heard of ends here alone.
    pub async fn cancel(mut self) -> Result<Transfer, SendError> {
        self.write(journal::taken_up).await?;
        self.write(|_, transfer| journal::cancel_asked(transfer)).await?;
        let tried = self.try_cancel().await;
        match (self.transfer.phase(), tried) {
            (Phase::Cancelled, _) => Ok(self.transfer),
            (_, Err(trouble)) => Err(self.asked_in_vain(trouble)),
            (phase, Ok(())) if phase.is_final() => {
                Err(SendError::Ended { id: self.transfer.id(), phase: phase.name() })
            }
            (_, Ok(())) => {
                let last = LastTry::BadAnswer("it does not say that the transfer is called off");
                Err(self.asked_in_vain(Trouble::Again(last, None)))
            }
        }
    }

    async fn try_cancel(&mut self) -> Result<(), Trouble> {
        // Even if no answer to the offer ever came, the offer itself may have arrived.
        let answer = self.exchange(requests::cancel(&self.transfer.manifest.key())).await?;
        match self.understand(requests::done(&answer)).await? {
            Reply::Done(()) => self.question().await,
            Reply::Turned(turned) if turned.problem == Problem::NotFound => {
                Ok(self.write(ending::never_offered).await?)
            }
            // How it has ended, the centre says when it is asked.
            Reply::Turned(turned) if turned.problem == Problem::AlreadyFinal => self.question().await,
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

    /// What a question that was not answered is told as: it is asked once, and not again by itself.
    fn asked_in_vain(&self, trouble: Trouble) -> SendError {
        match trouble {
            Trouble::Final(error) => error,
            Trouble::Again(last, _) => SendError::NotDelivered { id: self.transfer.id(), tries: 1, last },
        }
    }
}
