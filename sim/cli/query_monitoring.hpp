/// What `squall query` shows of monitoring: metrics, rules, alerts, notifications.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/models/kubernetes/views/table.hpp"

namespace sim {
class World;
}

namespace cli {

/// Empty when the word is none of these.
bool is_monitoring_word(std::string_view word);
/// Text of `metrics`: the exposition format.
std::string metrics_text(sim::World& world, std::int64_t start_unix_seconds);
sim::k8s::views::TextTable monitoring_table(const sim::World& world, std::string_view word);

}  // namespace cli
