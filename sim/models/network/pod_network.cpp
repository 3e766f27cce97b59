#include "sim/models/network/pod_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace sim::network {

namespace {

bool is_in(const std::vector<PodNetwork::PodRef>& pods, const PodNetwork::PodRef* pod) {
  return pod != nullptr && std::binary_search(pods.begin(), pods.end(), *pod);
}

double slower(double a, double b) { return a <= 0.0 ? b : b <= 0.0 ? a : std::min(a, b); }

std::string describe_parts(bool is_cut, double loss, SimDuration delay, SimDuration jitter, double rate) {
  if (is_cut) return "nothing gets through";
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (delay > SimDuration::zero()) add(jitter > SimDuration::zero() ? fmt::format("{} +- {} later", format_duration(delay), format_duration(jitter)) : fmt::format("{} later", format_duration(delay)));
  if (loss > 0.0) add(fmt::format("{:.3g} % of the packets lost", loss * 100.0));
  if (rate > 0.0) add(fmt::format("at most {:.6g} kB/s", rate / 1000.0));
  return text;
}

}  // namespace

void Impairment::add(const Impairment& other) {
  drops = drops || other.drops;
  delay += other.delay;
  jitter += other.jitter;
  bytes_per_second = slower(bytes_per_second, other.bytes_per_second);
}

std::string Impairment::describe() const { return describe_parts(cuts(), loss, delay, jitter, bytes_per_second); }
std::string PathQuality::describe() const {
  return describe_parts(is_cut, 1.0 - (1.0 - trip.loss_there) * (1.0 - trip.loss_back), trip.delay, trip.jitter, bytes_per_second);
}

bool fits_name(std::string_view pattern, std::string_view name) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*') return true;  // allowed at the end only
    if (i >= name.size()) return false;
    if (pattern[i] == '?') continue;
    if (std::tolower(static_cast<unsigned char>(pattern[i])) != std::tolower(static_cast<unsigned char>(name[i]))) return false;
  }
  return pattern.size() == name.size();
}

PodNetwork::PodNetwork(Engine& engine, EventLog& log, const Randomness& random, k8s::ApiServer& api, k8s::Kubelets& kubelets)
    : engine_(engine), log_(log), random_(random), api_(api), kubelets_(kubelets), look_(engine) {}

PodNetwork::Id PodNetwork::impair(std::vector<PodRef> senders, std::vector<PodRef> receivers, const Impairment& impairment) {
  Rule rule;
  rule.senders = std::move(senders);
  rule.receivers = std::move(receivers);
  rule.impairment = impairment;
  return add(std::move(rule));
}

PodNetwork::Id PodNetwork::break_names(std::vector<PodRef> pods, std::vector<std::string> patterns) {
  Rule rule;
  rule.kind = Rule::Kind::kNames;
  rule.senders = std::move(pods);
  rule.patterns = std::move(patterns);
  return add(std::move(rule));
}

PodNetwork::Id PodNetwork::disturb_http(std::vector<PodRef> pods, std::int32_t port, bool fails, SimDuration delay) {
  Rule rule;
  rule.kind = Rule::Kind::kHttp;
  rule.senders = std::move(pods);
  rule.port = port;
  rule.fails = fails;
  rule.delay = delay;
  return add(std::move(rule));
}

PodNetwork::Id PodNetwork::add(Rule rule) {
  if (rule.kind == Rule::Kind::kPath) ++path_rules_;
  const Id id = ++last_;
  for (std::vector<PodRef>* pods : {&rule.senders, &rule.receivers}) {
    std::sort(pods->begin(), pods->end());
    pods->erase(std::unique(pods->begin(), pods->end()), pods->end());
    for (const PodRef pod : *pods) {
      std::vector<Id>& ids = rules_of_[pod];
      if (ids.empty() || ids.back() != id) ids.push_back(id);
      std::unique_ptr<Disturbed>& place = disturbed_[pod];
      if (place == nullptr) place = std::make_unique<Disturbed>();
      place->pod = pod;
    }
  }
  changed(rules_.emplace(id, std::move(rule)).first->second);
  return id;
}

void PodNetwork::remove(Id id) {
  const auto found = rules_.find(id);
  if (found == rules_.end()) return;
  const Rule rule = std::move(found->second);
  rules_.erase(found);
  if (rule.kind == Rule::Kind::kPath) --path_rules_;
  for (const std::vector<PodRef>* pods : {&rule.senders, &rule.receivers}) {
    for (const PodRef pod : *pods) {
      const auto place = rules_of_.find(pod);
      if (place == rules_of_.end()) continue;
      std::erase(place->second, id);
      if (place->second.empty()) rules_of_.erase(place);
    }
  }
  changed(rule);
}

void PodNetwork::changed(const Rule& rule) {
  for (const std::vector<PodRef>* pods : {&rule.senders, &rule.receivers}) {
    for (const PodRef pod : *pods) dirty_[pod] = engine_.cause();
  }
  if (!look_.is_pending()) look_.set_after(SimDuration::zero(), [this] { look(); });
}

void PodNetwork::look() {
  const std::map<PodRef, CauseId> dirty = std::exchange(dirty_, {});
  CauseId last{};
  for (const auto& [ref, cause] : dirty) {
    const auto place = disturbed_.find(ref);
    if (place == disturbed_.end()) continue;
    const ScopedCause because(engine_, cause);
    last = cause;
    look_at(*place->second);
    if (!rules_of_.contains(ref)) disturbed_.erase(place);
  }
  const ScopedCause because(engine_, last);
  for (const auto& listener : listeners_) listener();
}

template <class Visit>
void PodNetwork::for_rules_of(const PodRef* a, const PodRef* b, Visit&& visit) const {
  static const std::vector<Id> kNone;
  const auto list = [this](const PodRef* pod) -> const std::vector<Id>& {
    const auto found = pod == nullptr ? rules_of_.end() : rules_of_.find(*pod);
    return found == rules_of_.end() ? kNone : found->second;
  };
  const std::vector<Id>& first = list(a);
  const std::vector<Id>& second = list(b);
  std::size_t i = 0;
  std::size_t k = 0;
  while (i < first.size() || k < second.size()) {
    const bool from_first = k == second.size() || (i < first.size() && first[i] <= second[k]);
    const Id id = from_first ? first[i] : second[k];
    if (i < first.size() && first[i] == id) ++i;
    if (k < second.size() && second[k] == id) ++k;
    visit(rules_.at(id));
  }
}

// ---- paths ----------------------------------------------------------------------------------------------------------

/// Null: something that is no pod (a node, a client outside).
Impairment PodNetwork::one_way(const PodRef* from, const PodRef* to) const {
  Impairment all;
  double arrives = 1.0;
  for_rules_of(from, to, [&](const Rule& rule) {
    if (rule.kind != Rule::Kind::kPath) return;
    const bool is_sent = rule.senders.empty() || is_in(rule.senders, from);
    const bool is_received = rule.receivers.empty() || is_in(rule.receivers, to);
    if (!is_sent || !is_received) return;
    all.add(rule.impairment);
    arrives *= 1.0 - rule.impairment.loss;
  });
  all.loss = 1.0 - arrives;
  return all;
}

PathQuality both_ways(const Impairment& there, const Impairment& back) {
  PathQuality path;
  path.is_cut = there.cuts() || back.cuts();
  path.trip = {there.loss, back.loss, there.delay + back.delay, there.jitter + back.jitter};
  path.bytes_per_second = slower(there.bytes_per_second, back.bytes_per_second);
  return path;
}

PathQuality PodNetwork::path(PodRef from, PodRef to) const {
  if (from == to || !has_path_rules()) return {};  // the loopback device has no such rules
  PathQuality path = path_rules_ == 0 ? PathQuality{} : both_ways(one_way(&from, &to), one_way(&to, &from));
  const k8s::Pod* a = host_path_ ? api_.get(from) : nullptr;
  const k8s::Pod* b = host_path_ ? api_.get(to) : nullptr;
  if (a == nullptr || b == nullptr) return path;
  const host::HostId here = kubelets_.host_of(a->node);
  const host::HostId there = kubelets_.host_of(b->node);
  if (!here || !there || here == there) return path;
  const PathQuality between = host_path_(here, there);
  path.is_cut = path.is_cut || between.is_cut;
  path.trip.loss_there = 1.0 - (1.0 - path.trip.loss_there) * (1.0 - between.trip.loss_there);
  path.trip.loss_back = 1.0 - (1.0 - path.trip.loss_back) * (1.0 - between.trip.loss_back);
  path.trip.delay += between.trip.delay;
  path.trip.jitter += between.trip.jitter;
  path.bytes_per_second = slower(path.bytes_per_second, between.bytes_per_second);
  return path;
}

void PodNetwork::use_hosts(std::function<PathQuality(host::HostId, host::HostId)> path) {
  host_path_ = std::move(path);
  for (const auto& listener : listeners_) listener();
}

bool PodNetwork::resolves(PodRef pod, std::string_view name) const {
  bool good = true;
  for_rules_of(&pod, nullptr, [&](const Rule& rule) {
    if (rule.kind != Rule::Kind::kNames) return;
    good = good && !rule.patterns.empty() && std::none_of(rule.patterns.begin(), rule.patterns.end(), [&](const std::string& pattern) { return fits_name(pattern, name); });
  });
  return good;
}

// ---- what probes and clients see ----------------------------------------------------------------------------------------

double PodNetwork::chance_of_failing(const k8s::Container& container, const k8s::Probe& probe, const PathQuality& from_node, PodRef ref) const {
  if (probe.is_exec) return 0.0;
  if (from_node.is_cut) return 1.0;
  RoundTrip trip = from_node.trip;
  if (probe.is_http) {
    std::int32_t port = probe.port;
    for (const k8s::ContainerPort& one : container.ports) {
      if (port == 0 && probe.port_name && one.name == probe.port_name) port = one.container_port;
    }
    bool fails = false;
    for_rules_of(&ref, nullptr, [&](const Rule& rule) {
      if (rule.kind != Rule::Kind::kHttp || rule.port != port) return;
      fails = fails || rule.fails;
      trip.delay += rule.delay / 2;  // the answer alone is later, and fails_within() counts a delay twice
    });
    if (fails) return 1.0;
  }
  if (trip.loss_there <= 0.0 && trip.loss_back <= 0.0 && trip.delay <= SimDuration::zero()) return 0.0;
  return fails_within(trip, std::chrono::seconds(probe.timeout_seconds));
}

void PodNetwork::look_at(Disturbed& it) {
  const k8s::Pod* pod = api_.get(it.pod);
  if (pod == nullptr || pod->spec == nullptr) {
    engine_.cancel(std::exchange(it.readiness.timer, TimerId{}));
    engine_.cancel(std::exchange(it.liveness.timer, TimerId{}));
    return;
  }
  const PathQuality from_node = path_rules_ == 0 ? PathQuality{} : both_ways(one_way(nullptr, &it.pod), one_way(&it.pod, nullptr));
  bool serves_http_wrong = false;
  for_rules_of(&it.pod, nullptr, [&](const Rule& rule) { serves_http_wrong = serves_http_wrong || (rule.kind == Rule::Kind::kHttp && rule.fails); });

  // Told once, when it changes.
  const bool is_cut = from_node.is_cut || serves_http_wrong;
  std::string now = serves_http_wrong && !from_node.is_cut ? "its HTTP port answers with errors or not at all" : from_node.is_impaired() ? from_node.describe() : std::string();
  if (now.empty() && path_rules_ > 0) {
    for_rules_of(&it.pod, nullptr, [&](const Rule& rule) {
      if (rule.kind == Rule::Kind::kPath) now = "to or from some pods: " + rule.impairment.describe();
    });
  }
  CauseId id = engine_.cause();
  if (now != it.told) {
    it.told = now;
    id = api_.record(it.pod, now.empty() ? "NetworkRestored" : is_cut ? "NetworkCut" : "NetworkImpaired", now.empty() ? "its network works as it should" : now);
  }
  const ScopedCause because(engine_, id);

  double readiness = 0.0;
  double liveness = 0.0;
  bool startup = false;
  const k8s::Probe* readiness_probe = nullptr;
  const k8s::Probe* liveness_probe = nullptr;
  for (const k8s::Container& container : pod->spec->containers) {
    const auto look = [&](const std::optional<k8s::Probe>& probe, double& chance, const k8s::Probe*& which) {
      if (!probe) return;
      const double one = chance_of_failing(container, *probe, from_node, it.pod);
      if (one <= chance) return;
      chance = one;
      which = &*probe;
    };
    look(container.readiness_probe, readiness, readiness_probe);
    look(container.liveness_probe, liveness, liveness_probe);
    if (container.startup_probe) startup = startup || chance_of_failing(container, *container.startup_probe, from_node, it.pod) >= 1.0;
  }
  it.now.is_unreachable = is_cut;
  it.now.startup_fails = startup;
  set_spells(it, it.readiness, readiness, readiness_probe, "readiness");
  set_spells(it, it.liveness, liveness, liveness_probe, "liveness");
  apply(it);
}

void PodNetwork::set_spells(Disturbed& pod, Spells& spells, double chance, const k8s::Probe* probe, std::string_view purpose) {
  if (chance == spells.chance) return;
  engine_.cancel(std::exchange(spells.timer, TimerId{}));
  spells.chance = chance;
  spells.fails = chance >= 1.0;
  if (chance <= 0.0 || chance >= 1.0) return;
  spells.period = std::chrono::seconds(probe->period_seconds);
  spells.threshold = probe->failure_threshold;
  begin_spell(pod, spells, purpose);
}

/// Draws how long it takes until as many probes in a row fail (or one succeeds) as it takes, and sleeps until then.
void PodNetwork::begin_spell(Disturbed& pod, Spells& spells, std::string_view purpose) {
  constexpr std::int64_t kFarAhead = 1'000'000;  // probes: months
  const k8s::Pod* object = api_.get(pod.pod);
  if (object == nullptr) return;
  const std::string& name = api_.names().text(object->meta.name);
  RandomStream draws = random_.stream("pod-network/probes", fmt::format("{}/{}/{}#{}", api_.names().text(object->meta.ns), name, purpose, spells.drawn++));
  const auto fails = [&] { return draws.uniform() < spells.chance; };
  std::int64_t probes = 1;
  if (spells.fails) {
    while (probes < kFarAhead && fails()) ++probes;
  } else {
    std::int64_t in_a_row = 0;
    for (; probes < kFarAhead; ++probes) {
      in_a_row = fails() ? in_a_row + 1 : 0;
      if (in_a_row >= spells.threshold) break;
    }
    // Its probes are told to fail when the row begins: the kubelet counts by itself.
    probes -= spells.threshold - 1;
  }
  const SimDuration wait = spells.fails ? spells.period * (probes + spells.threshold - 1) : spells.period * (probes - 1);
  Disturbed* place = &pod;
  Spells* which = &spells;
  spells.timer = engine_.after(std::max(wait, SimDuration(1)), [this, place, which, purpose] {
    which->timer = TimerId{};
    which->fails = !which->fails;
    if (api_.get(place->pod) == nullptr) return;
    apply(*place);
    begin_spell(*place, *which, purpose);
  });
}

void PodNetwork::apply(Disturbed& it) {
  it.now.readiness_fails = it.readiness.fails;
  it.now.liveness_fails = it.liveness.fails;
  kubelets_.set_interference(it.pod, it.now);
}

}  // namespace sim::network
