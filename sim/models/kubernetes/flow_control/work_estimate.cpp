#include "sim/models/kubernetes/flow_control/work_estimate.hpp"

#include <algorithm>
#include <cmath>

namespace sim::k8s::flow_control {

namespace {
constexpr double kBytesPerSeat = 100'000;
constexpr std::int64_t kMemoryOfCachedList = 1'000'000;  // lists are streamed from the cache
constexpr std::int64_t kLargestObject = 1'500'000;
constexpr std::int64_t kMostListSeats = 100;
constexpr std::int64_t kMostWriteSeats = 10;
constexpr std::int64_t kWatchersPerSeat = 10;
constexpr SimDuration kPerWatcher = std::chrono::milliseconds(5);
}  // namespace

WorkEstimate estimate_list(const ListRequest& request, std::int64_t max_seats) {
  if (!request.objects) return {};
  const std::int64_t most = max_seats == 0 ? kMostListSeats : std::min(max_seats, kMostListSeats);
  const std::int64_t bytes = request.average_bytes <= 0 && *request.objects != 0 ? kLargestObject : request.average_bytes;
  const std::int64_t limited = request.limit > 0 ? std::min(request.limit, *request.objects) : *request.objects;
  std::int64_t loaded = limited;
  if (request.is_single) {
    loaded = 1;
  } else if (!request.from_cache && request.has_selector) {
    loaded = std::max(limited, *request.objects / 2);
  }
  std::int64_t memory = loaded * bytes;
  if (request.from_cache) memory = std::min(memory, kMemoryOfCachedList);
  const auto seats = static_cast<std::int64_t>(std::ceil(static_cast<double>(memory) / kBytesPerSeat));
  return {.initial_seats = std::min(std::max<std::int64_t>(seats, 1), most)};
}

WorkEstimate estimate_write(std::int64_t watchers, std::int64_t max_seats) {
  WorkEstimate work;
  if (watchers < kWatchersPerSeat) return work;
  const std::int64_t most = max_seats == 0 ? kMostWriteSeats : std::min(max_seats, kMostWriteSeats);
  const std::int64_t seats = (watchers + kWatchersPerSeat - 1) / kWatchersPerSeat;
  // The same work on fewer seats takes longer.
  work.final_seats = std::min(seats, most);
  work.additional_latency = SeatSeconds::of(static_cast<double>(seats), kPerWatcher).duration_per_seat(static_cast<double>(work.final_seats));
  return work;
}

}  // namespace sim::k8s::flow_control
