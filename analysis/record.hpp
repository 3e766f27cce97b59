/// What one replication contributes to the figures of many: a few hundred numbers instead of its verdict, so that a thousand replications
/// take the memory of one. What is added up is added in the order of the seeds, whoever ran them: threads, processes or machines.
///
/// Checked by: tests/cli/many_runs.py (shards, processes and threads give the same bytes).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chaos/harness.hpp"

namespace analysis {

/// One number that every run of a scenario has.
struct Figure {
  std::string name;  // "kube-apiserver (write) availability"
  chaos::Unit unit = chaos::Unit::kRatio;
  bool more_is_better = true;
  bool is_share = false;        // 1 or 0 a run: its mean is a share of runs
  bool needs_monitoring = false;
  friend bool operator==(const Figure&, const Figure&) = default;
};

/// What the runs of one scenario have in common.
struct Shape {
  std::vector<Figure> figures;
  std::vector<std::string> objectives;
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// Of one run the longest outage of a kind and subject.
struct LongOutage {
  std::size_t position = 0;  // among the outages of its run
  chaos::Outage outage;
};

struct Record {
  std::size_t scenario = 0;     // index into the list of scenarios
  std::size_t replication = 0;  // from 0
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;       // eventLogHash
  bool held = true;
  bool monitored = false;
  std::shared_ptr<const Shape> shape;
  std::vector<double> values;          // as shape->figures
  std::vector<bool> objectives_held;   // as shape->objectives
  std::vector<LongOutage> outages;     // by kind, then subject
};

/// Of a run that is complete.
Record make_record(std::size_t scenario, std::size_t replication, std::uint64_t seed, const chaos::RunOutcome& outcome);

using OutageKey = std::pair<chaos::OutageKind, std::string>;

/// Drops outages that one of an earlier record outlasts. What is left is enough to tell the longest of any beginning of the series, and its number
/// grows with the logarithm of the series' length only.
class OutageFilter {
 public:
  void keep_longer(Record& record);

 private:
  std::map<std::pair<std::size_t, OutageKey>, sim::SimDuration> longest_;
};

/// All replications of one scenario so far.
class ScenarioResults {
 public:
  /// The records of one scenario, one after the other: replication 0, 1, 2 ...
  void add(Record record);
  std::size_t size() const { return seeds_.size(); }
  bool empty() const { return seeds_.empty(); }
  /// Of the first replication: what later ones lack counts as 0, what they have besides is left out.
  const Shape& shape() const { return *shape_; }
  /// By replication.
  const std::vector<double>& column(std::size_t figure) const { return columns_[figure]; }
  const std::vector<std::uint64_t>& seeds() const { return seeds_; }
  const std::vector<std::uint64_t>& hashes() const { return hashes_; }
  const std::vector<bool>& held() const { return held_; }
  /// In how many replications it holds; as shape().objectives.
  const std::vector<std::size_t>& objectives_held() const { return objectives_held_; }
  bool monitored() const { return monitored_; }
  struct Longest {
    std::size_t replication = 0;
    std::uint64_t seed = 0;
    LongOutage longest;
  };
  /// Of equally long ones the first.
  const std::map<OutageKey, Longest>& outages() const { return outages_; }
  /// eventLogHash of one run, of many the hash of the list of theirs.
  std::string combined_hash() const;

 private:
  std::shared_ptr<const Shape> shape_;
  std::vector<std::vector<double>> columns_;
  std::vector<std::uint64_t> seeds_;
  std::vector<std::uint64_t> hashes_;
  std::vector<bool> held_;
  std::vector<std::size_t> objectives_held_;
  bool monitored_ = false;
  std::map<OutageKey, Longest> outages_;
};

/// Records as lines of JSON, without their ends. Numbers come back as they were, to the last bit. A shape is written with its first record.
class RecordWriter {
 public:
  std::string line(const Record& record);

 private:
  std::vector<std::shared_ptr<const Shape>> shapes_;
};
/// Reads the lines of one writer, in its order.
class RecordReader {
 public:
  /// False: the line is no record of this writer.
  bool read(const std::string& line, Record& record);

 private:
  std::vector<std::shared_ptr<const Shape>> shapes_;
};

}  // namespace analysis
