#include "chaos/hunt/instants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace chaos::hunt {

using sim::SimDuration;

std::string_view kind_of_subject(std::string_view subject) { return subject.substr(0, std::min(subject.find('/'), subject.size())); }

Instants interesting_instants(const sim::EventLog& log, SimDuration from, SimDuration to, std::size_t max) {
  struct Class {
    std::size_t count = 0;
    std::size_t first = 0;
    std::size_t last = 0;
  };
  std::map<std::pair<std::string, std::string>, Class> classes;
  SimDuration quiet_begin = from;
  SimDuration quiet_length{-1};
  SimDuration quiet_at = from;
  const auto quiet_until = [&](SimDuration end) {
    if (end - quiet_begin > quiet_length) {
      quiet_length = end - quiet_begin;
      quiet_at = quiet_begin + quiet_length / 2;
    }
    quiet_begin = end;
  };
  for (std::size_t i = 0; i < log.size(); ++i) {
    const sim::EventLog::Record& record = log.records()[i];
    const SimDuration at = record.time.time_since_epoch();
    if (at < from || at >= to) continue;
    quiet_until(at);
    Class& one = classes[{log.kind(record), std::string(kind_of_subject(log.subject(record)))}];
    if (one.count++ == 0) one.first = i;
    one.last = i;
  }
  quiet_until(to);

  Instants result;
  result.classes = classes.size();
  std::vector<Class> order;
  for (const auto& entry : classes) order.push_back(entry.second);
  std::stable_sort(order.begin(), order.end(), [](const Class& a, const Class& b) { return std::tie(a.count, a.first) < std::tie(b.count, b.first); });

  // To the second where nothing depends on it: it is read by people.
  const SimDuration whole{std::chrono::floor<std::chrono::seconds>(quiet_at)};
  std::set<SimDuration> taken;
  const auto take = [&](SimDuration at, std::string what) {
    if (at < from || at >= to || !taken.insert(at).second) return;
    if (result.chosen.size() < max) {
      result.chosen.push_back({at, std::move(what)});
    } else {
      ++result.left_out;
    }
  };
  take(whole < from ? quiet_at : whole, "nothing happens");
  const auto beside = [&](std::size_t index) {
    const sim::EventLog::Record& record = log.records()[index];
    const SimDuration at = record.time.time_since_epoch();
    const std::string what = fmt::format("{} {}", log.kind(record), log.subject(record));
    const SimDuration before{std::chrono::ceil<std::chrono::milliseconds>(at) - kBeside};
    take(before < at ? before : before - kBeside, "right before " + what);
    take(SimDuration{std::chrono::floor<std::chrono::milliseconds>(at) + kBeside}, "right after " + what);
  };
  for (const Class& one : order) beside(one.first);
  for (const Class& one : order) beside(one.last);
  return result;
}

}  // namespace chaos::hunt
