#include "sim/core/resource.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/core/check.hpp"

namespace sim {

Server::Server(Engine& engine, std::int64_t capacity)
    : engine_(engine), capacity_(capacity), busy_over_time_(engine.now()), queue_over_time_(engine.now()) {}

void Server::note() {
  busy_over_time_.set(engine_.now(), static_cast<double>(busy_));
  queue_over_time_.set(engine_.now(), static_cast<double>(queue_.size()));
}

Server::RequestId Server::request(std::function<void()> granted) {
  const RequestId id{++last_request_};
  queue_.emplace(id.value, Waiting{std::move(granted), engine_.cause()});
  grant_free();
  note();
  return id;
}

void Server::grant_free() {
  while (busy_ < capacity_ && !queue_.empty()) {
    auto node = queue_.extract(queue_.begin());
    ++busy_;
    const std::uint64_t id = node.key();
    const CauseId before = engine_.cause();
    engine_.set_cause(node.mapped().cause);
    const TimerId timer = engine_.after(SimDuration::zero(), [this, id] {
      auto granted = granted_.extract(id);
      granted.mapped().call();
    });
    engine_.set_cause(before);
    granted_.emplace(id, Granted{std::move(node.mapped().granted), timer});
  }
}

bool Server::cancel(RequestId request) {
  if (queue_.erase(request.value) != 0) {
    note();
    return true;
  }
  const auto granted = granted_.find(request.value);
  if (granted == granted_.end()) return false;
  engine_.cancel(granted->second.timer);
  granted_.erase(granted);
  release();
  return true;
}

void Server::release() {
  SIM_CHECK(busy_ > 0, "only who holds a server gives it back");
  --busy_;
  grant_free();
  note();
}

void Server::serve(SimDuration span, std::function<void()> done) {
  request([this, span, done = std::move(done)] {
    engine_.after(span, [this, done] {
      release();
      done();
    });
  });
}

void Server::set_capacity(std::int64_t capacity) {
  capacity_ = capacity;
  grant_free();
  note();
}

void Server::Acquisition::await_suspend(Process::Handle waiting) {
  begin(waiting);
  request_ = server_.request([this] {
    request_ = RequestId{};
    process().resume();
  });
}

void Server::Acquisition::leave(QueuedWait& self) {
  auto& wait = static_cast<Acquisition&>(self);
  if (const RequestId request = std::exchange(wait.request_, RequestId{}); request.value != 0) wait.server_.cancel(request);
}

void Server::Use::await_suspend(Process::Handle waiting) {
  begin(waiting);
  request_ = server_.request([this] {
    request_ = RequestId{};
    held_ = true;
    resume_after(span_, Wake::kElapsed);  // gives the server back by leave()
  });
}

void Server::Use::leave(QueuedWait& self) {
  auto& wait = static_cast<Use&>(self);
  if (const RequestId request = std::exchange(wait.request_, RequestId{}); request.value != 0) wait.server_.cancel(request);
  if (std::exchange(wait.held_, false)) wait.server_.release();
}

// ---------------------------------------------------------------------------------------------------------------------

SharedBandwidth::~SharedBandwidth() {
  engine_.cancel(solve_timer_);
  for (Flow& flow : flows_) engine_.cancel(flow.completion);
}

SharedBandwidth::LinkId SharedBandwidth::add_link(double capacity) {
  SIM_CHECK(capacity >= 0, "a link moves no fewer than zero bytes");
  links_.push_back(Link{});
  links_.back().capacity = capacity;
  return LinkId{static_cast<std::uint32_t>(links_.size() - 1)};
}

void SharedBandwidth::set_capacity(LinkId link, double capacity) {
  SIM_CHECK(capacity >= 0, "a link moves no fewer than zero bytes");
  if (links_[link.value].capacity == capacity) return;
  links_[link.value].capacity = capacity;
  mark(link);
}

void SharedBandwidth::mark(LinkId link) {
  Link& changed = links_[link.value];
  if (!changed.changed) {
    changed.changed = true;
    changed_links_.push_back(link.value);
  }
  schedule();
}

void SharedBandwidth::schedule() {
  // In an event of its own, so that a hundred pulls that begin or end at one instant cost one computation.
  if (!engine_.is_pending(solve_timer_)) solve_timer_ = engine_.after(SimDuration::zero(), [this] { solve(); });
}

SharedBandwidth::FlowId SharedBandwidth::start(std::span<const LinkId> links, double bytes, std::function<void()> done, double limit) {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(flows_.size());
    flows_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Flow& flow = flows_[slot];
  flow.links.assign(links.begin(), links.end());
  // Over one link twice is over it once.
  std::sort(flow.links.begin(), flow.links.end());
  flow.links.erase(std::unique(flow.links.begin(), flow.links.end()), flow.links.end());
  flow.done = std::move(done);
  flow.remaining = std::max(bytes, 0.0);
  flow.limit = limit;
  flow.rate = 0;
  flow.settled = engine_.now();
  flow.cause = engine_.cause();
  flow.order = started_++;
  flow.active = true;
  ++active_;
  const FlowId id{slot, flow.generation};
  if (flow.remaining == 0) {
    flow.links.clear();
    flow.completion = engine_.after(SimDuration::zero(), [this, slot] { finish(slot); });
    return id;
  }
  for (const LinkId link : flow.links) {
    links_[link.value].flows.push_back(slot);
    mark(link);
  }
  if (flow.links.empty()) {
    changed_flows_.push_back(slot);
    schedule();
  }
  return id;
}

bool SharedBandwidth::is_active(FlowId flow) const {
  return flow.slot < flows_.size() && flows_[flow.slot].active && flows_[flow.slot].generation == flow.generation;
}

void SharedBandwidth::remove(std::uint32_t slot) {
  Flow& flow = flows_[slot];
  for (const LinkId link : flow.links) {
    std::vector<std::uint32_t>& on = links_[link.value].flows;
    on.erase(std::find(on.begin(), on.end(), slot));
    mark(link);
  }
  std::erase(changed_flows_, slot);
  flow.links.clear();
  flow.done = nullptr;
  flow.active = false;
  ++flow.generation;
  free_.push_back(slot);
  --active_;
}

bool SharedBandwidth::cancel(FlowId flow) {
  if (!is_active(flow)) return false;
  engine_.cancel(flows_[flow.slot].completion);
  remove(flow.slot);
  return true;
}

void SharedBandwidth::finish(std::uint32_t slot) {
  const std::function<void()> done = std::move(flows_[slot].done);
  remove(slot);
  if (done) done();
}

void SharedBandwidth::settle(Flow& flow) {
  if (flow.rate > 0) flow.remaining = std::max(0.0, flow.remaining - flow.rate * seconds(engine_.now() - flow.settled));
  flow.settled = engine_.now();
}

double SharedBandwidth::rate(FlowId flow) {
  if (!is_active(flow)) return 0;
  if (engine_.is_pending(solve_timer_)) solve();
  return flows_[flow.slot].rate;
}

double SharedBandwidth::remaining(FlowId flow) {
  if (!is_active(flow)) return 0;
  const Flow& it = flows_[flow.slot];
  return std::max(0.0, it.remaining - it.rate * seconds(engine_.now() - it.settled));
}

double SharedBandwidth::used(LinkId link) {
  if (engine_.is_pending(solve_timer_)) solve();
  double total = 0;
  for (const std::uint32_t slot : links_[link.value].flows) total += flows_[slot].rate;
  return total;
}

void SharedBandwidth::set_rate(std::uint32_t slot, double rate) {
  Flow& flow = flows_[slot];
  if (rate == flow.rate) return;  // its end stays where it is
  settle(flow);
  flow.rate = rate;
  engine_.cancel(flow.completion);
  flow.completion = TimerId{};
  if (rate <= 0) return;
  // Up to the next whole nanosecond: at the event everything is there.
  const double nanoseconds = std::ceil(flow.remaining / rate * 1e9);
  const SimDuration left = nanoseconds < 9e18 ? SimDuration(static_cast<std::int64_t>(nanoseconds)) : SimDuration::max();
  const CauseId before = engine_.cause();
  engine_.set_cause(flow.cause);
  flow.completion = engine_.after(left, [this, slot] { finish(slot); });
  engine_.set_cause(before);
}

void SharedBandwidth::solve() {
  engine_.cancel(std::exchange(solve_timer_, TimerId{}));
  // What a change can reach: the flows of its link, their other links, and so on.
  std::vector<std::uint32_t> links;
  std::vector<std::uint32_t> flows;
  for (const std::uint32_t link : changed_links_) {
    links_[link].changed = false;
    if (!std::exchange(links_[link].reached, true)) links.push_back(link);
  }
  changed_links_.clear();
  for (std::size_t i = 0; i < links.size(); ++i) {
    for (const std::uint32_t slot : links_[links[i]].flows) {
      if (std::exchange(flows_[slot].reached, true)) continue;
      flows.push_back(slot);
      for (const LinkId link : flows_[slot].links) {
        if (!std::exchange(links_[link.value].reached, true)) links.push_back(link.value);
      }
    }
  }
  flows.insert(flows.end(), changed_flows_.begin(), changed_flows_.end());
  changed_flows_.clear();
  // One order, whatever the way they were reached: sums of rates, and ties, follow it.
  std::sort(links.begin(), links.end());
  std::sort(flows.begin(), flows.end(), [this](std::uint32_t a, std::uint32_t b) { return flows_[a].order < flows_[b].order; });
  for (const std::uint32_t link : links) {
    links_[link].left = links_[link].capacity;
    links_[link].open = links_[link].flows.size();
  }
  std::vector<std::uint32_t> by_limit = flows;  // the smallest limit first
  std::stable_sort(by_limit.begin(), by_limit.end(), [this](std::uint32_t a, std::uint32_t b) { return flows_[a].limit < flows_[b].limit; });
  for (const std::uint32_t slot : flows) flows_[slot].fixed = false;
  const auto fix = [this](std::uint32_t slot, double share) {
    Flow& flow = flows_[slot];
    flow.fixed = true;
    flow.share = share;
    for (const LinkId id : flow.links) {
      Link& link = links_[id.value];
      link.left = std::max(0.0, link.left - share);
      --link.open;
    }
  };
  std::size_t next_limit = 0;
  std::vector<std::uint32_t> open_links = links;
  for (;;) {
    // Progressive filling: all open flows grow together until a link is full or a flow has its limit.
    std::erase_if(open_links, [this](std::uint32_t link) { return links_[link].open == 0; });
    while (next_limit < by_limit.size() && flows_[by_limit[next_limit]].fixed) ++next_limit;
    if (next_limit == by_limit.size()) break;
    std::uint32_t tightest = UINT32_MAX;
    double share = flows_[by_limit[next_limit]].limit;
    for (const std::uint32_t link : open_links) {
      const double level = links_[link].left / static_cast<double>(links_[link].open);
      if (level < share) {
        share = level;
        tightest = link;
      }
    }
    if (tightest == UINT32_MAX) {
      fix(by_limit[next_limit], share);
      continue;
    }
    for (const std::uint32_t slot : links_[tightest].flows) {
      if (!flows_[slot].fixed) fix(slot, share);
    }
  }
  for (const std::uint32_t link : links) links_[link].reached = false;
  for (const std::uint32_t slot : flows) {
    flows_[slot].reached = false;
    set_rate(slot, flows_[slot].share);
  }
}

// ---------------------------------------------------------------------------------------------------------------------

double TokenBucket::available(SimTime now) const { return std::min(burst_, tokens_ + rate_ * seconds(now - updated_)); }

void TokenBucket::update(SimTime now) {
  if (now <= updated_) return;
  tokens_ = available(now);
  updated_ = now;
}

bool TokenBucket::try_take(SimTime now, double count) {
  update(now);
  // A token that comes at this very nanosecond counts: the sum of many small gains is a hair below the whole number.
  constexpr double kHair = 1e-9;
  if (tokens_ + kHair < count) return false;
  tokens_ -= count;
  return true;
}

SimDuration TokenBucket::reserve(SimTime now, double count) {
  update(now);
  const double missing = count - tokens_;
  if (missing <= 0) {
    tokens_ -= count;
    return SimDuration::zero();
  }
  if (rate_ <= 0) return SimDuration::max();
  tokens_ -= count;
  const double nanoseconds = std::ceil(missing / rate_ * 1e9 - 1e-3);
  return nanoseconds < 9e18 ? SimDuration(static_cast<std::int64_t>(nanoseconds)) : SimDuration::max();
}

void TokenBucket::give_back(SimTime now, double count) {
  update(now);
  tokens_ = std::min(burst_, tokens_ + count);
}

void TokenBucket::set_rate(SimTime now, double rate) {
  update(now);
  rate_ = rate;
}

}  // namespace sim
