#include "analysis/perfetto_trace.hpp"

#include <map>

// Generated code, and Protobuf's headers, are not ours to warn about.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "perfetto.pb.h"
#pragma GCC diagnostic pop

namespace analysis {

namespace {

constexpr std::uint32_t kSequence = 1;

std::uint64_t nanoseconds(sim::SimTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

squall::perfetto::TrackEvent& add_event(squall::perfetto::Trace& trace, sim::SimTime time, std::uint64_t track, squall::perfetto::TrackEvent::Type type) {
  squall::perfetto::TracePacket& packet = *trace.add_packet();
  packet.set_timestamp(nanoseconds(time));
  packet.set_trusted_packet_sequence_id(kSequence);
  squall::perfetto::TrackEvent& event = *packet.mutable_track_event();
  event.set_type(type);
  event.set_track_uuid(track);
  return event;
}

void add_track(squall::perfetto::Trace& trace, std::uint64_t uuid, const std::string& name, std::uint64_t parent) {
  squall::perfetto::TracePacket& packet = *trace.add_packet();
  packet.set_trusted_packet_sequence_id(kSequence);
  squall::perfetto::TrackDescriptor& track = *packet.mutable_track_descriptor();
  track.set_uuid(uuid);
  track.set_name(name);
  if (parent != 0) track.set_parent_uuid(parent);
}

}  // namespace

std::string perfetto_trace(const chaos::Verdict& verdict) {
  squall::perfetto::Trace trace;
  std::uint64_t next_uuid = 1;
  std::map<std::string, std::uint64_t> groups;
  for (const chaos::Lane& lane : verdict.lanes) {
    auto [group, is_new] = groups.try_emplace(lane.group, next_uuid);
    if (is_new) add_track(trace, next_uuid++, lane.group, 0);
    const std::uint64_t track = next_uuid++;
    add_track(trace, track, lane.subject, group->second);
    for (const chaos::Lane::Interval& interval : lane.intervals) {
      squall::perfetto::TrackEvent& begin = add_event(trace, interval.start, track, squall::perfetto::TrackEvent::TYPE_SLICE_BEGIN);
      begin.set_name(interval.state);
      begin.add_categories(chaos::to_string(interval.severity));
      add_event(trace, interval.end, track, squall::perfetto::TrackEvent::TYPE_SLICE_END);
    }
  }
  const std::uint64_t faults = next_uuid++;
  add_track(trace, faults, "injections", 0);
  for (const chaos::FaultRun& fault : verdict.faults) {
    add_event(trace, fault.injected, faults, squall::perfetto::TrackEvent::TYPE_INSTANT).set_name(fault.name + " (" + fault.kind + " " + fault.target + ")");
  }
  return trace.SerializeAsString();
}

}  // namespace analysis
