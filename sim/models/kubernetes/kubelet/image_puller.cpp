#include "sim/models/kubernetes/kubelet/image_puller.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sim::k8s::kubelet {

namespace {
constexpr SimDuration kDialTimeout = std::chrono::seconds(30);
constexpr double kBytesDone = 0.5;  // what rounding may leave of a pull that is over
}  // namespace

bool ImagePuller::has(Symbol image) const { return std::find(images_.begin(), images_.end(), image) != images_.end(); }

void ImagePuller::add(Symbol image) {
  if (!has(image)) images_.push_back(image);
}

void ImagePuller::pull(Symbol image, Waiter waiter) {
  const auto same = [&](const Pull& pull) { return pull.image == image; };
  if (const auto found = std::find_if(active_.begin(), active_.end(), same); found != active_.end()) {
    found->waiters.push_back(waiter);
    return;
  }
  if (const auto found = std::find_if(queue_.begin(), queue_.end(), same); found != queue_.end()) {
    found->waiters.push_back(waiter);
    return;
  }
  Pull pull;
  pull.image = image;
  pull.cause = engine_.cause();
  pull.waiters.push_back(waiter);
  queue_.push_back(std::move(pull));
  begin_next();
}

void ImagePuller::forget(Waiter waiter) {
  for (Pull& pull : active_) std::erase(pull.waiters, waiter);
  for (Pull& pull : queue_) std::erase(pull.waiters, waiter);
  std::erase_if(queue_, [](const Pull& pull) { return pull.waiters.empty(); });
}

void ImagePuller::interrupt() {
  engine_.cancel(std::exchange(timer_, TimerId{}));
  active_.clear();
  queue_.clear();
  frozen_ = false;
}

void ImagePuller::freeze(bool frozen) {
  if (frozen == frozen_) return;
  if (frozen) advance();
  frozen_ = frozen;
  advanced_at_ = engine_.now();
  if (frozen) {
    engine_.cancel(std::exchange(timer_, TimerId{}));
  } else {
    begin_next();
    arm();
  }
}

void ImagePuller::begin_next() {
  if (frozen_) return;
  bool begun = false;
  while (!queue_.empty() && (!serialize_ || active_.empty())) {
    if (!begun) advance();
    begun = true;
    Pull pull = std::move(queue_.front());
    queue_.pop_front();
    switch (hooks_.registry()) {
      case RegistryState::kUp: pull.bytes_left = has(pull.image) ? 0.0 : static_cast<double>(hooks_.bytes(pull.image)); break;
      case RegistryState::kRefused: pull.fails_at = engine_.now(); break;
      case RegistryState::kSilent: pull.fails_at = engine_.now() + kDialTimeout; break;
    }
    active_.push_back(std::move(pull));
  }
  if (begun) arm();
}

void ImagePuller::advance() {
  const auto transfers = std::count_if(active_.begin(), active_.end(), [](const Pull& p) { return p.fails_at == kEndOfTime; });
  if (transfers > 0) {
    const double moved = seconds(engine_.now() - advanced_at_) * bytes_per_second_ / static_cast<double>(transfers);
    for (Pull& pull : active_) {
      if (pull.fails_at == kEndOfTime) pull.bytes_left = std::max(0.0, pull.bytes_left - moved);
    }
  }
  advanced_at_ = engine_.now();
}

void ImagePuller::arm() {
  engine_.cancel(std::exchange(timer_, TimerId{}));
  if (active_.empty() || frozen_) return;
  const auto transfers = std::count_if(active_.begin(), active_.end(), [](const Pull& p) { return p.fails_at == kEndOfTime; });
  SimTime next = kEndOfTime;
  for (const Pull& pull : active_) {
    if (pull.fails_at != kEndOfTime) {
      next = std::min(next, pull.fails_at);
    } else {
      const double left = pull.bytes_left <= kBytesDone ? 0.0 : pull.bytes_left * static_cast<double>(transfers) / bytes_per_second_;
      next = std::min(next, engine_.now() + SimDuration(static_cast<std::int64_t>(std::ceil(left * 1e9))));
    }
  }
  timer_ = engine_.at(next, [this] { on_timer(); });
}

void ImagePuller::on_timer() {
  timer_ = TimerId{};
  advance();
  std::vector<std::pair<Pull, bool>> ended;
  for (std::size_t i = 0; i < active_.size();) {
    const bool failed = active_[i].fails_at <= engine_.now();
    if (!failed && (active_[i].fails_at != kEndOfTime || active_[i].bytes_left > kBytesDone)) {
      ++i;
      continue;
    }
    ended.emplace_back(std::move(active_[i]), !failed && hooks_.registry() == RegistryState::kUp);
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::vector<std::size_t> arrived;
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (!ended[i].second || has(ended[i].first.image)) continue;
    add(ended[i].first.image);
    arrived.push_back(i);
  }
  // The next ones begin before the waiters hear: what a waiter asks for anew goes behind them.
  begin_next();
  arm();
  for (const std::size_t i : arrived) {
    const ScopedCause because(engine_, ended[i].first.cause);
    hooks_.arrived(ended[i].first.image);
  }
  for (const auto& [pull, pulled] : ended) {
    const ScopedCause because(engine_, pull.cause);
    for (const Waiter waiter : pull.waiters) hooks_.done(waiter, pull.image, PullResult{pulled});
  }
}

}  // namespace sim::k8s::kubelet
