#include "sim/models/network/pod_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace sim::network {

namespace {

bool is_in(const std::vector<PodNetwork::PodRef>& pods, const PodNetwork::PodRef* pod) {
  return pod != nullptr && std::find(pods.begin(), pods.end(), *pod) != pods.end();
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
    : engine_(engine), log_(log), random_(random), api_(api), kubelets_(kubelets) {}

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
  const auto disturb = [this](const std::vector<PodRef>& pods) {
    for (const PodRef pod : pods) {
      std::unique_ptr<Disturbed>& place = disturbed_[pod];
      if (place == nullptr) place = std::make_unique<Disturbed>();
      place->pod = pod;
    }
  };
  disturb(rule.senders);
  if (rule.kind == Rule::Kind::kPath) disturb(rule.receivers);
  const Id id = ++last_;
  rules_.emplace(id, std::move(rule));
  changed();
  return id;
}

void PodNetwork::remove(Id id) {
  const auto found = rules_.find(id);
  if (found == rules_.end()) return;
  if (found->second.kind == Rule::Kind::kPath) --path_rules_;
  rules_.erase(found);
  changed();
}

void PodNetwork::changed() {
  for (auto place = disturbed_.begin(); place != disturbed_.end();) {
    Disturbed& pod = *place->second;
    look_at(pod);
    const bool is_named = std::any_of(rules_.begin(), rules_.end(), [&](const auto& rule) {
      return is_in(rule.second.senders, &pod.pod) || is_in(rule.second.receivers, &pod.pod);
    });
    place = is_named ? std::next(place) : disturbed_.erase(place);
  }
  for (const auto& listener : listeners_) listener();
}

// ---- paths ----------------------------------------------------------------------------------------------------------

/// Null: something that is no pod (a node, a client outside).
Impairment PodNetwork::one_way(const PodRef* from, const PodRef* to) const {
  Impairment all;
  double arrives = 1.0;
  for (const auto& [id, rule] : rules_) {
    if (rule.kind != Rule::Kind::kPath) continue;
    const bool is_sent = rule.senders.empty() || is_in(rule.senders, from);
    const bool is_received = rule.receivers.empty() || is_in(rule.receivers, to);
    if (!is_sent || !is_received) continue;
    all.drops = all.drops || rule.impairment.drops;
    arrives *= 1.0 - rule.impairment.loss;
    all.delay += rule.impairment.delay;
    all.jitter += rule.impairment.jitter;
    all.bytes_per_second = slower(all.bytes_per_second, rule.impairment.bytes_per_second);
  }
  all.loss = 1.0 - arrives;
  return all;
}

PathQuality PodNetwork::both_ways(const Impairment& there, const Impairment& back) {
  PathQuality path;
  // TCP needs both.
  path.is_cut = there.cuts() || back.cuts();
  path.trip = {there.loss, back.loss, there.delay + back.delay, there.jitter + back.jitter};
  path.bytes_per_second = slower(there.bytes_per_second, back.bytes_per_second);
  return path;
}

PathQuality PodNetwork::path(PodRef from, PodRef to) const {
  if (from == to || path_rules_ == 0) return {};  // the loopback device has no such rules
  return both_ways(one_way(&from, &to), one_way(&to, &from));
}

bool PodNetwork::resolves(PodRef pod, std::string_view name) const {
  return std::none_of(rules_.begin(), rules_.end(), [&](const auto& entry) {
    const Rule& rule = entry.second;
    if (rule.kind != Rule::Kind::kNames || !is_in(rule.senders, &pod)) return false;
    return rule.patterns.empty() || std::any_of(rule.patterns.begin(), rule.patterns.end(), [&](const std::string& pattern) { return fits_name(pattern, name); });
  });
}

// ---- what probes and clients see ----------------------------------------------------------------------------------------

double PodNetwork::chance_of_failing(const k8s::Pod& pod, const k8s::Container& container, const k8s::Probe& probe, const PathQuality& from_node, PodRef ref) const {
  if (probe.is_exec) return 0.0;
  if (from_node.is_cut) return 1.0;
  RoundTrip trip = from_node.trip;
  if (probe.is_http) {
    std::int32_t port = probe.port;
    for (const k8s::ContainerPort& one : container.ports) {
      if (port == 0 && probe.port_name && one.name == probe.port_name) port = one.container_port;
    }
    for (const auto& [id, rule] : rules_) {
      if (rule.kind != Rule::Kind::kHttp || rule.port != port || !is_in(rule.senders, &ref)) continue;
      if (rule.fails) return 1.0;
      trip.delay += rule.delay / 2;  // the answer alone is later, and fails_within() counts a delay twice
    }
  }
  (void)pod;
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
  for (const auto& [id, rule] : rules_) serves_http_wrong = serves_http_wrong || (rule.kind == Rule::Kind::kHttp && rule.fails && is_in(rule.senders, &it.pod));

  // Told once, when it changes.
  const bool is_cut = from_node.is_cut || serves_http_wrong;
  std::string now = serves_http_wrong && !from_node.is_cut ? "its HTTP port answers with errors or not at all" : from_node.is_impaired() ? from_node.describe() : std::string();
  if (now.empty() && path_rules_ > 0) {
    for (const auto& [id, rule] : rules_) {
      if (rule.kind == Rule::Kind::kPath && (is_in(rule.senders, &it.pod) || is_in(rule.receivers, &it.pod))) now = "to or from some pods: " + rule.impairment.describe();
    }
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
      const double one = chance_of_failing(*pod, container, *probe, from_node, it.pod);
      if (one <= chance) return;
      chance = one;
      which = &*probe;
    };
    look(container.readiness_probe, readiness, readiness_probe);
    look(container.liveness_probe, liveness, liveness_probe);
    if (container.startup_probe) startup = startup || chance_of_failing(*pod, container, *container.startup_probe, from_node, it.pod) >= 1.0;
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
