#include "chaos/outages/pending_observer.hpp"

#include <algorithm>

namespace chaos {

using sim::k8s::Pod;
using sim::k8s::PodPhase;
using sim::k8s::Ref;
using sim::k8s::WatchEvent;

bool PodFilter::matches(const Pod& pod, const sim::Interner& names) const {
  if (ns && pod.meta.ns != ns) return false;
  return !selector || selector->matches(pod.meta.labels, names);
}

PendingObserver::PendingObserver(sim::k8s::ApiServer& api, PodFilter filter, SimDuration threshold, SimTime from, SimTime to)
    : api_(api), filter_(std::move(filter)), threshold_(threshold), from_(from), to_(to) {}

PendingObserver::~PendingObserver() {
  if (watching_) api_.unwatch(*this);
}

void PendingObserver::start() {
  api_.watch({sim::k8s::Kind::kPod}, *this);
  watching_ = true;
  count_.set(api_.engine().now(), 0.0, CauseId{});
  api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
    if (pod.phase == PodPhase::kPending && filter_.matches(pod, api_.names())) begin(ref, pod);
  });
}

void PendingObserver::begin(Ref<Pod> ref, const Pod& pod) {
  if (waiting_.size() <= ref.slot) waiting_.resize(ref.slot + 1);
  Waiting& place = waiting_[ref.slot];
  if (place.generation == ref.generation) return;
  if (place.generation != 0) finish(place);
  const CauseId cause = pod.meta.cause ? pod.meta.cause : api_.engine().cause();
  // Counted from its creation, not from when the watch tells of it; a pod of the start of the run, from then.
  place = Waiting{ref.generation, pod.meta.ns, pod.meta.name, pod.meta.created, cause, pod.meta.created, {}, {}, api_.engine().cause()};
  ++pending_;
  count_.set(api_.engine().now(), static_cast<double>(pending_), api_.engine().cause());
}

void PendingObserver::Waiting::blame_until(SimTime now) {
  if (now - cause_since >= blamed_for) {
    blamed = cause;
    blamed_for = now - cause_since;
  }
  cause_since = now;
}

void PendingObserver::finish(Waiting& waiting) {
  const SimTime now = api_.engine().now();
  waiting.blame_until(now);
  longest_ = std::max(longest_, within_window(waiting.since, now));
  if (now - waiting.since > threshold_) {
    if (spans_.size() < kSpansMax) {
      spans_.push_back(PendingSpan{waiting.ns, waiting.name, waiting.since, now, false, waiting.blamed, waiting.created_by});
    } else {
      ++left_out_;
    }
  }
  waiting.generation = 0;
  --pending_;
  count_.set(now, static_cast<double>(pending_), api_.engine().cause());
}

void PendingObserver::on_event(const WatchEvent& event) {
  if (listener_) listener_(event);
  const Ref<Pod> ref = event.ref<Pod>();
  const bool known = ref.slot < waiting_.size() && waiting_[ref.slot].generation == ref.generation;
  const Pod* pod = event.type == WatchEvent::Type::kDeleted ? nullptr : api_.get(ref);
  // A pod that is being deleted is not waited for any more.
  const bool pending = pod != nullptr && pod->phase == PodPhase::kPending && !pod->meta.is_deleting();
  if (!known) {
    if (pending && filter_.matches(*pod, api_.names())) begin(ref, *pod);
    return;
  }
  Waiting& waiting = waiting_[ref.slot];
  if (pod != nullptr && pod->meta.cause && pod->meta.cause != waiting.cause) {
    // Not every record comes with a change of the pod that is watched ("Pulling"): one that led to the newest has stood since its own time.
    const sim::EventLog& log = api_.log();
    const sim::EventLog::Record& newest = log.at(pod->meta.cause);
    if (newest.cause && newest.cause != waiting.cause && log.at(newest.cause).subject == newest.subject && log.at(newest.cause).time >= waiting.cause_since) {
      waiting.blame_until(log.at(newest.cause).time);
      waiting.cause = newest.cause;
    }
  }
  if (!pending) return finish(waiting);
  if (pod->meta.cause && pod->meta.cause != waiting.cause) {
    waiting.blame_until(api_.engine().now());
    waiting.cause = pod->meta.cause;
  }
}

SimDuration PendingObserver::longest(SimTime now) const {
  SimDuration longest = longest_;
  for (const Waiting& waiting : waiting_) {
    if (waiting.generation != 0) longest = std::max(longest, within_window(waiting.since, now));
  }
  return longest;
}

std::vector<PendingSpan> PendingObserver::spans(SimTime now) const {
  std::vector<PendingSpan> all = spans_;
  for (Waiting waiting : waiting_) {
    if (waiting.generation != 0 && now - waiting.since > threshold_) {
      waiting.blame_until(now);
      all.push_back(PendingSpan{waiting.ns, waiting.name, waiting.since, now, true, waiting.blamed, waiting.created_by});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const PendingSpan& a, const PendingSpan& b) { return a.start < b.start; });
  return all;
}

}  // namespace chaos
