#include "sim/models/services/mode.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sim::services {

const char* to_string(Mode mode) {
  switch (mode) {
    case Mode::kStateless: return "stateless";
    case Mode::kQuorum: return "quorum";
    case Mode::kRaft: return "raft";
    case Mode::kLeader: return "leader";
    case Mode::kBroker: return "broker";
    case Mode::kProxy: return "proxy";
  }
  return "";
}

std::vector<std::vector<std::size_t>> ModeContext::groups(const std::vector<std::size_t>& which) const {
  std::vector<std::vector<std::size_t>> result;
  for (const std::size_t i : which) {
    if (!member(i).answers_peers()) continue;
    const auto home = std::find_if(result.begin(), result.end(), [&](const std::vector<std::size_t>& group) { return connected(group.front(), i); });
    if (home == result.end()) result.push_back({i});
    else home->push_back(i);
  }
  return result;
}

std::vector<std::size_t> ModeContext::all() const {
  std::vector<std::size_t> result(members.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = i;
  return result;
}

std::string ModeContext::names(const std::vector<std::size_t>& which) const {
  std::string text;
  for (const std::size_t i : which) text += (text.empty() ? "" : ", ") + member(i).name;
  return text;
}

}  // namespace sim::services
