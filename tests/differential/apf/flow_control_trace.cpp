// usage: flow_control_trace < CASES. API Priority and Fairness as Squall models it, for differential.py to hold against the real one: one JSON case a line
// comes in, one JSON answer a line goes out (the form of both: oracle/oracle_test.go).
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/engine.hpp"
#include "sim/models/kubernetes/flow_control/flow_controller.hpp"
#include "sim/models/kubernetes/flow_control/work_estimate.hpp"
#include "sim/scenario/document.hpp"
#include "sim/scenario/manifests.hpp"

namespace {

using namespace sim;
using namespace sim::k8s::flow_control;
using Yaml = scenario::Node;

std::int64_t integer(Yaml node, std::string_view key, std::int64_t otherwise = 0) { return node.find(key).as_integer().value_or(otherwise); }
std::string text(Yaml node, std::string_view key) {
  const Yaml value = node.find(key);
  return value.is_null() ? std::string() : std::string(value.text());
}

struct Pending {
  RequestInfo info;
  Flow flow;
  WorkEstimate work;
  std::int64_t started = -1;
  std::int64_t refused = -1;
  std::int64_t retry_after = 0;
  SimDuration takes{};
  SimDuration timeout{};
  SimDuration cancel{};
  TimerId deadline{};
};

/// The filter's arithmetic of a list: whether the cache serves it.
bool is_from_cache(Yaml query, const std::string& verb) {
  if (verb == "watch") return true;
  if (!query.find("continue").is_null()) return false;
  const std::string version = text(query, "resourceVersion");
  const std::string match = text(query, "resourceVersionMatch");
  if (match == "Exact") return false;
  if (match == "NotOlderThan" || version.empty() || version == "0") return true;
  // A version without a match is exact when pages of it are asked for.
  return text(query, "limit").empty();
}

std::string answer(Yaml root) {
  Interner names;
  scenario::Diagnostics diagnostics;
  scenario::ManifestSet set;
  for (const std::string_view key : {"levels", "schemas"}) {
    for (std::size_t i = 0; i < root.find(key).size(); ++i) scenario::decode(root.find(key).item(i), names, diagnostics, set);
  }
  const Configuration configuration = scenario::flow_control_of(set);
  if (diagnostics.has_errors()) {
    diagnostics.print(stderr);
    std::exit(2);
  }
  Engine engine;
  FlowController controller(configuration, static_cast<int>(integer(root, "limit")), engine.now());
  const Yaml requests = root.find("requests");
  std::vector<Pending> all(requests.size());
  const auto refuse = [&](Pending& p) {
    p.refused = engine.now().time_since_epoch().count();
    // The oracle's clock begins at a whole second, and its case 2 s later.
    p.retry_after = controller.refuse(p.flow.level, engine.now().time_since_epoch() / std::chrono::seconds(1) + 946684802);
  };
  controller.on_dispatch = [&](std::uint64_t tag, QueueSet::RequestId id) {
    Pending& p = all[tag];
    engine.cancel(p.deadline);
    p.started = engine.now().time_since_epoch().count();
    engine.after(p.takes, [&, id] {
      const SimDuration lingers = controller.finish(engine.now(), p.flow.level, id);
      if (lingers > SimDuration{}) engine.after(lingers, [&, id] { controller.release(engine.now(), p.flow.level, id); });
    });
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Yaml r = requests.item(i);
    Pending& p = all[i];
    p.info.user = text(r, "user");
    for (std::size_t g = 0; g < r.find("groups").size(); ++g) p.info.groups.emplace_back(r.find("groups").item(g).text());
    p.info.verb = text(r, "verb");
    p.info.path = text(r, "path");
    p.info.is_resource = p.info.path.empty();
    p.info.api_group = text(r, "group");
    p.info.resource = text(r, "resource");
    p.info.subresource = text(r, "subresource");
    p.info.ns = text(r, "namespace");
    p.info.name = text(r, "name");
    p.takes = SimDuration(integer(r, "takes"));
    p.timeout = SimDuration(integer(r, "timeout"));
    p.cancel = SimDuration(integer(r, "cancel"));
    engine.at(SimTime(SimDuration(integer(r, "at"))), [&, r, i] {
      Pending& q = all[i];
      q.flow = controller.classify(q.info);
      const std::int64_t most = controller.level(q.flow.level).max_request_seats;
      const std::string& verb = q.info.verb;
      const Yaml query = r.find("query");
      if (verb == "list" || verb == "watch") {
        ListRequest list;
        if (!r.find("objects").is_null()) list.objects = integer(r, "objects");
        list.average_bytes = integer(r, "bytes");
        list.limit = text(query, "limit").empty() ? 0 : std::stoll(text(query, "limit"));
        list.from_cache = is_from_cache(query, verb);
        list.has_selector = !query.find("fieldSelector").is_null() || !query.find("labelSelector").is_null();
        list.is_single = !q.info.name.empty();
        const std::string version = text(query, "resourceVersion");
        const bool begins_with_all = verb == "list" || version.empty() || version == "0" || text(query, "sendInitialEvents") == "true";
        if (begins_with_all) q.work = estimate_list(list, most);
      } else if (verb == "create" || verb == "update" || verb == "patch" || verb == "delete") {
        if (q.info.resource != "serviceaccounts" || q.info.subresource != "token") q.work = estimate_write(integer(r, "watchers"), most);
      }
      const FlowController::Started started = controller.start(engine.now(), q.flow, q.work, i);
      if (started.id == QueueSet::kNone) {
        refuse(q);
      } else if (started.outcome == QueueSet::Outcome::kQueued) {
        SimDuration wait = q.timeout / 4;
        if (q.cancel > SimDuration{}) wait = std::min(wait, q.cancel);
        q.deadline = engine.after(std::min<SimDuration>(wait, std::chrono::minutes(1)), [&, i, id = started.id] {
          controller.cancel(engine.now(), all[i].flow.level, id);
          refuse(all[i]);
        });
      }
    });
  }
  struct Tick {
    static void next(Engine& engine, FlowController& controller, const std::size_t& left) {
      engine.after(FlowController::kAdjustEvery, [&] {
        controller.adjust(engine.now());
        if (left > 0) next(engine, controller, left);
      });
    }
  };
  std::size_t left = 1;
  controller.adjust(engine.now());
  Tick::next(engine, controller, left);
  std::vector<std::string> looks;
  SimTime until{};
  for (std::size_t i = 0; i < root.find("looks").size(); ++i) {
    const SimTime at{SimDuration(root.find("looks").item(i).as_integer().value_or(0))};
    until = std::max(until, at);
    engine.at(at, [&] {
      std::string line;
      for (std::size_t l = 0; l < controller.level_count(); ++l) {
        line += fmt::format("{}\"{}\": {}", l == 0 ? "" : ", ", controller.level(l).spec.name, controller.level(l).current_seats);
      }
      looks.push_back("{" + line + "}");
    });
  }
  engine.run_until(until + std::chrono::minutes(10));
  std::string result = "{\"outcomes\": [";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Pending& p = all[i];
    result += fmt::format("{}{{\"schema\": \"{}\", \"level\": \"{}\", \"seats\": [{}, {}, {}], \"started\": {}, \"refused\": {}, \"retryAfter\": {}}}", i == 0 ? "" : ", ",
                          controller.schemas()[p.flow.schema].name, controller.level(p.flow.level).spec.name, p.work.initial_seats, p.work.final_seats,
                          p.work.additional_latency.count(), p.started, p.refused, p.retry_after);
  }
  result += fmt::format("], \"looks\": [{}], \"hands\": [", fmt::join(looks, ", "));
  for (std::size_t i = 0; i < root.find("hands").size(); ++i) {
    const Yaml hand = root.find("hands").item(i);
    const int deck = static_cast<int>(integer(hand, "deck"));
    const int size = static_cast<int>(integer(hand, "hand"));
    if (i > 0) result += ", ";
    result += Dealer::is_valid(deck, size) ? fmt::format("[{}]", fmt::join(Dealer(deck, size).deal(std::stoull(text(hand, "hash"))), ", ")) : "null";
  }
  return result + "]}";
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    scenario::Diagnostics diagnostics;
    const auto document = scenario::load_text("case", line, diagnostics);
    if (diagnostics.has_errors()) {
      diagnostics.print(stderr);
      return 2;
    }
    std::cout << answer(document->root()) << '\n';
  }
  return 0;
}
