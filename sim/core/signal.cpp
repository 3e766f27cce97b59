#include "sim/core/signal.hpp"

namespace sim {

Signal::~Signal() {
  while (first_ != nullptr) unlink(*first_);
}

void Signal::unlink(Waiter& waiter) {
  (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  waiter.previous_ = waiter.next_ = nullptr;
  waiter.linked_ = false;
  --waiting_;
}

bool Signal::notify_one() {
  if (first_ == nullptr) return false;
  Waiter& waiter = *first_;
  unlink(waiter);
  waiter.resume_soon(Wake::kElapsed);
  return true;
}

void Signal::notify_all() {
  // Ends: nobody runs in between, so nobody can begin to wait.
  while (notify_one()) {
  }
}

void Signal::Waiter::await_suspend(Process::Handle waiting) {
  begin(waiting);
  previous_ = signal_->last_;
  (previous_ != nullptr ? previous_->next_ : signal_->first_) = this;
  signal_->last_ = this;
  linked_ = true;
  ++signal_->waiting_;
  if (span_ != SimDuration::max()) {
    resume_after(span_, Wake::kTimeout);
    resuming_ = false;  // a notification at the instant of the timeout still counts, if it comes first
  }
}

void Signal::Waiter::leave(QueuedWait& self) {
  auto& waiter = static_cast<Waiter&>(self);
  if (waiter.linked_) waiter.signal_->unlink(waiter);
}

}  // namespace sim
