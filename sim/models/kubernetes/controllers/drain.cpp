#include "sim/models/kubernetes/controllers/drain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/models/kubernetes/api/eviction.hpp"

namespace sim::k8s {

namespace {

using namespace std::chrono_literals;

constexpr SimDuration kPoll = 1s;           // waitForDelete
constexpr SimDuration kApiRetry = 5s;       // the API cannot be written
constexpr std::size_t kCausesMax = 16;      // unhealthy pods that a blocked eviction names as causes
constexpr std::size_t kNamesMax = 5;        // pods named in the message of the end

ApiStatus set_unschedulable(ApiServer& api, Ref<Node> ref, bool unschedulable, std::string_view why) {
  if (!api.writable()) return ApiStatus::kUnavailable;
  const Node* node = api.get(ref);
  if (node == nullptr) return ApiStatus::kNotFound;
  if (node->unschedulable == unschedulable) return ApiStatus::kOk;
  const CauseId record = api.record(ref, unschedulable ? "NodeCordoned" : "NodeUncordoned", why);
  const ScopedCause because(api.engine(), record);
  return api.update(ref, Change::kSpec | Change::kTaints, [&](Node& n) { n.unschedulable = unschedulable; });
}

bool is_controlled_by(const Pod& pod, Kind kind) {
  const OwnerReference* owner = pod.meta.controller();
  return owner != nullptr && owner->owner.kind == kind;
}

}  // namespace

ApiStatus cordon(ApiServer& api, Ref<Node> node, std::string_view why) { return set_unschedulable(api, node, true, why); }
ApiStatus uncordon(ApiServer& api, Ref<Node> node, std::string_view why) { return set_unschedulable(api, node, false, why); }

const char* to_string(DrainResult::Outcome outcome) {
  switch (outcome) {
    case DrainResult::Outcome::kDone: return "done";
    case DrainResult::Outcome::kTimedOut: return "timed out";
    case DrainResult::Outcome::kRefused: return "refused";
    case DrainResult::Outcome::kFailed: return "failed";
    case DrainResult::Outcome::kNodeGone: return "node gone";
  }
  return "";
}

Drain::Drain(ApiServer& api, Ref<Node> node, DrainOptions options)
    : api_(api), engine_(api.engine()), node_(node), options_(options), timeout_(engine_), next_(engine_) {}

Drain::~Drain() {
  if (watching_) api_.unwatch(*this);
}

void Drain::start(OnEnd on_end) {
  on_end_ = std::move(on_end);
  running_ = true;
  const Node* node = api_.get(node_);
  if (node != nullptr) node_name_ = node->meta.name;
  cause_ = api_.log().record("DrainStarted", api_.subject(Kind::kNode, Symbol{}, node_name_),
                             options_.timeout > SimDuration{} ? fmt::format("timeout {}", format_duration(options_.timeout)) : std::string("no timeout"));
  const ScopedCause because(engine_, cause_);
  if (options_.timeout > SimDuration{}) {
    timeout_.set_after(options_.timeout, [this] { finish(DrainResult::Outcome::kTimedOut); });
  }
  next_.set_after(SimDuration{}, [this] { begin(); });
}

void Drain::begin() {
  const Node* node = api_.get(node_);
  if (node == nullptr) {
    finish(DrainResult::Outcome::kNodeGone);
    return;
  }
  if (!api_.writable()) {
    next_.set_after(kApiRetry, [this] { begin(); });
    return;
  }
  cordon(api_, node_, "drain");

  struct Listed {
    const std::string* ns;
    const std::string* name;
    Ref<Pod> ref;
  };
  const Symbol mirror = api_.names().find("kubernetes.io/config.mirror");
  std::vector<Listed> listed;
  api_.all<Pod>().for_each([&](Ref<Pod> ref, const Pod& pod) {
    if (pod.node_name != node_name_) return;
    if (mirror && pod.meta.annotations.has(mirror)) return;
    if (is_controlled_by(pod, Kind::kDaemonSet) && !pod.is_terminal()) return;
    listed.push_back(Listed{&api_.names().text(pod.meta.ns), &api_.names().text(pod.meta.name), ref});
  });
  std::sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) {
    if (*a.ns != *b.ns) return *a.ns < *b.ns;
    return *a.name < *b.name;
  });

  // One pod that needs a flag stops all of it, before anything is evicted.
  for (const Listed& one : listed) {
    const Pod& pod = *api_.get(one.ref);
    if (pod.is_terminal()) continue;
    std::string why;
    if (pod.spec->has_local_storage && !options_.delete_emptydir_data) why = "cannot delete Pods with local storage (use --delete-emptydir-data to override)";
    if (pod.meta.controller() == nullptr && !options_.force) why = "cannot delete Pods that declare no controller (use --force to override)";
    if (!why.empty()) result_.left.push_back(PodLeft{one.ref, api_.subject(pod), std::move(why), Symbol{}});
  }
  if (!result_.left.empty()) {
    finish(DrainResult::Outcome::kRefused);
    return;
  }

  result_.pods = listed.size();
  for (const Listed& one : listed) {
    Target& target = targets_[one.ref];
    const Pod& pod = *api_.get(one.ref);
    target.uid = pod.meta.uid;
    target.subject = api_.subject(pod);
    target.retry = Timer(engine_);
  }
  api_.watch({Kind::kPod}, *this);
  watching_ = true;
  for (const Listed& one : listed) evict_pod(one.ref);
  finish_if_all_gone();
}

void Drain::evict_pod(Ref<Pod> ref) {
  const auto entry = targets_.find(ref);
  if (entry == targets_.end()) return;
  Target& target = entry->second;
  const ScopedCause because(engine_, cause_);
  DeleteOptions options;
  options.grace_period_seconds = options_.grace_period_seconds;
  options.uid = target.uid;
  EvictionResult answer;
  if (options_.disable_eviction) {
    answer.status = api_.writable() ? api_.remove(ref, options) : ApiStatus::kUnavailable;
    if (answer.status == ApiStatus::kUnavailable) answer.message = "the API server cannot serve writes";
  } else {
    answer = evict(api_, ref, options, fmt::format("drain of {}", api_.names().text(node_name_)));
  }
  switch (answer.status) {
    case ApiStatus::kOk:
      target.accepted = true;
      target.accepted_at = engine_.now();
      target.why = "still terminating";
      target.budget = Symbol{};
      break;
    case ApiStatus::kNotFound:
    case ApiStatus::kConflict:
      gone(ref);
      break;
    case ApiStatus::kTooManyRequests:
      ++result_.refusals;
      target.why = answer.detail.empty() ? answer.message : answer.message + " " + answer.detail;
      record_block(ref, target, answer.budget);
      target.retry.set_after(options_.retry_after, [this, ref] { evict_pod(ref); });
      break;
    case ApiStatus::kUnavailable:
      target.why = answer.message;
      target.retry.set_after(kApiRetry, [this, ref] { evict_pod(ref); });
      break;
    case ApiStatus::kServerError:
      target.failed = true;
      target.why = answer.message;
      record_block(ref, target, answer.budget);
      finish_if_all_gone();
      break;
  }
}

/// The first refusal of a pod: because of the drain, and of everything that keeps the budget from allowing it.
void Drain::record_block(Ref<Pod> ref, Target& target, Ref<PodDisruptionBudget> budget_ref) {
  const PodDisruptionBudget* budget = api_.get(budget_ref);
  target.budget = budget == nullptr ? Symbol{} : api_.subject(*budget);
  if (std::exchange(target.block_recorded, true)) return;
  const CauseId record = api_.log().record("EvictionBlocked", target.subject, target.why, cause_);
  blocks_.push_back(record);
  if (budget == nullptr || !budget->selector) return;
  std::size_t named = 0;
  api_.all<Pod>().for_each([&](Ref<Pod> other_ref, const Pod& other) {
    if (named == kCausesMax || other_ref == ref || other.meta.ns != budget->meta.ns) return;
    if (other.ready && !other.meta.is_deleting()) return;
    if (!budget->selector->matches(other.meta.labels, api_.names())) return;
    ++named;
    api_.log().also_caused_by(record, other.meta.cause);
  });
}

void Drain::on_event(const WatchEvent& event) {
  if (event.type != WatchEvent::Type::kDeleted) return;
  const Ref<Pod> ref = event.ref<Pod>();
  const auto entry = targets_.find(ref);
  // One that waits for its next try learns only then that the pod is gone.
  if (entry == targets_.end() || !entry->second.accepted) return;
  const SimDuration waited = engine_.now() - entry->second.accepted_at;
  const SimDuration::rep polls = (waited + kPoll - SimDuration{1}) / kPoll;
  last_seen_gone_ = std::max(last_seen_gone_, entry->second.accepted_at + polls * kPoll);
  gone(ref);
}

void Drain::gone(Ref<Pod> ref) {
  targets_.erase(ref);
  last_seen_gone_ = std::max(last_seen_gone_, engine_.now());
  finish_if_all_gone();
}

void Drain::finish_if_all_gone() {
  const bool is_open = std::any_of(targets_.begin(), targets_.end(), [](const auto& entry) { return !entry.second.failed; });
  if (is_open || !running_) return;
  const bool has_failed = !targets_.empty();
  const ScopedCause because(engine_, cause_);
  next_.set_at(std::max(last_seen_gone_, engine_.now()),
               [this, has_failed] { finish(has_failed ? DrainResult::Outcome::kFailed : DrainResult::Outcome::kDone); });
}

std::vector<PodLeft> Drain::left() const {
  if (!running_) return result_.left;
  std::vector<PodLeft> all;
  for (const auto& [ref, target] : targets_) all.push_back(PodLeft{ref, target.subject, target.why, target.budget});
  return all;
}

void Drain::finish(DrainResult::Outcome outcome) {
  if (outcome != DrainResult::Outcome::kRefused) result_.left = left();
  running_ = false;
  timeout_.cancel();
  next_.cancel();
  targets_.clear();
  if (watching_) api_.unwatch(*this);
  watching_ = false;
  result_.outcome = outcome;

  std::string message = fmt::format("{} of {} pods gone", result_.pods - std::min(result_.pods, result_.left.size()), result_.pods);
  const char* kind = "DrainFinished";
  if (outcome == DrainResult::Outcome::kTimedOut) kind = "DrainTimedOut";
  if (outcome == DrainResult::Outcome::kRefused) kind = "DrainRefused";
  if (outcome == DrainResult::Outcome::kFailed || outcome == DrainResult::Outcome::kNodeGone) kind = "DrainFailed";
  if (outcome == DrainResult::Outcome::kNodeGone) message = "the Node object does not exist";
  std::size_t named = 0;
  for (const PodLeft& pod : result_.left) {
    if (named++ == kNamesMax) {
      message += fmt::format("; and {} more", result_.left.size() - kNamesMax);
      break;
    }
    message += fmt::format("; {}: {}", api_.names().text(pod.subject), pod.why);
  }
  result_.record = api_.log().record(kind, api_.subject(Kind::kNode, Symbol{}, node_name_), message, cause_);
  if (outcome != DrainResult::Outcome::kDone) {
    for (const CauseId block : blocks_) api_.log().also_caused_by(result_.record, block);
  }
  const ScopedCause because(engine_, result_.record);
  // Last, and on copies: the listener may destroy this drain.
  const OnEnd on_end = std::move(on_end_);
  const DrainResult result = result_;
  if (on_end) on_end(result);
}

}  // namespace sim::k8s
