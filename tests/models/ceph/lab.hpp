/// A small Ceph cluster on hosts of its own, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sim/models/ceph/ceph_cluster.hpp"

namespace sim::ceph {

struct LabShape {
  int hosts = 4;
  int osds_per_host = 2;
  int mons = 3;
  int mgrs = 2;
  int racks = 0;  // 0: none; else hosts go round robin
  std::uint64_t seed = 1;
};

/// Hosts h0, h1, ...; mon.a on h0, mon.b on h1, ...; mgr.x on h0, mgr.y on h1; OSDs in order of hosts.
struct Lab {
  explicit Lab(LabShape shape = {}) : random(shape.seed) {
    for (int r = 0; r < shape.racks; ++r) topology.add(topology::ElementKind::kRack, fmt::format("rack{}", r));
    for (int h = 0; h < shape.hosts; ++h) {
      const std::string name = fmt::format("h{}", h);
      topology.add(topology::ElementKind::kHost, name);
      HostConfig host;
      host.host = name;
      if (shape.racks > 0) {
        host.rack = fmt::format("rack{}", h % shape.racks);
        topology.place(topology.find(name), topology.find(host.rack));
      }
      ids.push_back(hosts.add({.name = name}));
      config.hosts.push_back(host);
      for (int o = 0; o < shape.osds_per_host; ++o) config.osds.push_back({.host = name});
    }
    for (int m = 0; m < shape.mons; ++m) config.mons.push_back({std::string(1, static_cast<char>('a' + m)), fmt::format("h{}", m % shape.hosts)});
    for (int m = 0; m < shape.mgrs; ++m) config.mgrs.push_back({std::string(1, static_cast<char>('x' + m)), fmt::format("h{}", m % shape.hosts)});
    PoolConfig pool;
    pool.name = "rbd";
    pool.pg_num = 32;
    pool.stored_bytes = 100ll << 30;
    pool.writes_per_second = 100.0;
    config.pools.push_back(pool);
  }
  void start() {
    cluster = std::make_unique<CephCluster>(engine, log, random, hosts, config);
    cluster->start();
  }
  void run(SimDuration span) { engine.run_until(engine.now() + span); }
  /// Runs until `done` holds, looked at after each event; the time it took, or nothing when it does not within `limit`.
  template <class Done>
  std::optional<SimDuration> until(Done&& done, SimDuration limit) {
    const SimTime from = engine.now();
    while (!done()) {
      if (engine.next_event_time() > from + limit || !engine.step()) {
        engine.run_until(from + limit);
        return std::nullopt;
      }
    }
    return engine.now() - from;
  }
  bool is_up(int osd) const { return cluster->osd_monitor().is_up(osd); }
  bool is_in(int osd) const { return cluster->osd_monitor().is_in(osd); }
  std::uint32_t count(std::string_view state) const {
    std::uint32_t found = 0;
    for (const auto& [bits, number] : cluster->pgs().states()) {
      if (pg_state_name(bits) == state) found += number;
    }
    return found;
  }
  std::uint32_t count_with(std::uint32_t bit) const {
    std::uint32_t found = 0;
    for (const auto& [bits, number] : cluster->pgs().states()) found += (bits & bit) != 0 ? number : 0;
    return found;
  }
  /// Kinds of the records from the last one of that kind back to its root, joined by " < ".
  std::string chain_of(std::string_view kind) const {
    CauseId last{};
    for (std::uint32_t i = 1; i <= log.size(); ++i) {
      if (log.kind(log.at(CauseId{i})) == kind) last = CauseId{i};
    }
    std::string text;
    if (last) {
      for (const CauseId id : log.chain(last)) text += (text.empty() ? "" : " < ") + log.kind(log.at(id));
    }
    return text;
  }
  std::size_t records(std::string_view kind) const {
    return static_cast<std::size_t>(std::count_if(log.records().begin(), log.records().end(), [&](const EventLog::Record& r) { return log.kind(r) == kind; }));
  }
  std::string all_states() const {
    std::string text;
    for (const auto& [bits, number] : cluster->pgs().states()) text += fmt::format("{} {}; ", number, pg_state_name(bits));
    return text;
  }

  Engine engine;
  Interner names;
  EventLog log{engine, names};
  Randomness random;
  topology::Topology topology{engine, log};
  host::Hosts hosts{engine, log, random, topology};
  std::vector<host::HostId> ids;
  ClusterConfig config;
  std::unique_ptr<CephCluster> cluster;
};

}  // namespace sim::ceph
