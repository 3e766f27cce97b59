#include "sim/models/ceph/crush/tool_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "sim/models/ceph/crush/hash.hpp"

namespace sim::ceph::crush {

namespace {

/// "[1,2]".
void append_osds(std::string& text, const std::vector<std::int32_t>& osds) {
  text += '[';
  for (std::size_t i = 0; i < osds.size(); ++i) {
    if (i != 0) text += ',';
    const fmt::format_int digits(osds[i]);
    text.append(digits.data(), digits.size());
  }
  text += ']';
}

std::vector<bool> devices_in_tree(const CrushMap& map) {
  std::vector<bool> present(static_cast<std::size_t>(map.max_devices()));
  for (std::int32_t id = -1; id >= -map.max_buckets(); --id) {
    const Bucket* bucket = map.bucket(id);
    if (bucket == nullptr) continue;
    for (const std::int32_t item : bucket->items) {
      if (item >= 0) present[static_cast<std::size_t>(item)] = true;
    }
  }
  return present;
}

/// The most replicas that crushtool expects a rule to place: the fewest buckets (shadows too) of any type that it chooses.
int affected_max(const CrushMap& map, const Rule& rule) {
  std::map<std::int32_t, int> wanted;
  std::vector<std::int32_t> types;
  for (const RuleStep& step : rule.steps) {
    if (step.op < RuleOp::kChooseFirstn || step.op == RuleOp::kEmit) continue;
    types.push_back(step.arg2);
    wanted[step.arg2] = step.arg1;
  }
  std::map<std::int32_t, int> there;
  for (const std::int32_t type : types) {
    for (const auto& [id, name] : map.item_names()) {
      // Devices have no type of their own in this count: rules that choose OSDs are bounded by the size of the map only.
      if (map.bucket(id) != nullptr && map.bucket(id)->type == type) ++there[type];
    }
  }
  for (const std::int32_t type : types) {
    if (wanted[type] > 0 && wanted[type] < there[type]) there[type] = wanted[type];
  }
  constexpr std::uint32_t kBucketsAtFirst = 8;  // the array of buckets doubles from here
  const int places = map.max_buckets() == 0 ? 0 : static_cast<int>(std::max(kBucketsAtFirst, std::bit_ceil(static_cast<std::uint32_t>(map.max_buckets()))));
  int most = std::max(places, map.max_devices());
  for (const std::int32_t type : types) {
    if (there[type] > 0 && there[type] < most) most = there[type];
  }
  return most;
}

constexpr std::size_t kFlushAt = 1 << 16;

/// One rule with one number of replicas. False when the sink has had enough.
bool test_rule(const CrushMap& map, const Mapper& mapper, const MapTest& test, int id, int replicas, int min_x, int max_x,
               const std::vector<std::uint32_t>& weights, std::string& text, const TextSink& sink) {
  const Rule& rule = *map.rule(id);
  std::int32_t total = 0;
  for (const std::uint32_t weight : weights) total = static_cast<std::int32_t>(static_cast<std::uint32_t>(total) + weight);
  if (total == 0) return true;
  std::vector<int> stored(weights.size());
  std::map<std::size_t, int> sizes;
  const int choose_args = mapper.find_choose_args(0);
  std::vector<std::uint32_t> inputs;
  std::vector<std::vector<std::int32_t>> results;
  constexpr std::int64_t kBatch = 256;
  for (std::int64_t wide_x = min_x; wide_x <= max_x; ++wide_x) {
    const int x = static_cast<int>(wide_x);
    const std::size_t place = static_cast<std::size_t>((wide_x - min_x) % kBatch);
    if (place == 0) {
      inputs.clear();
      for (std::int64_t other = wide_x; other <= max_x && other < wide_x + kBatch; ++other) {
        const std::uint32_t input = static_cast<std::uint32_t>(other);
        inputs.push_back(test.pool_id != -1 ? hash2(input, static_cast<std::uint32_t>(test.pool_id)) : input);
      }
      mapper.do_rules(id, inputs, replicas, weights, choose_args, results);
    }
    const std::vector<std::int32_t>& out = results[place];
    if (test.show_mappings) {
      fmt::format_to(std::back_inserter(text), "CRUSH rule {} x {} ", id, x);
      append_osds(text, out);
      text += '\n';
    }
    bool hole = false;
    for (const std::int32_t item : out) {
      hole = hole || item == kItemNone;
      // A rule may end at buckets; crushtool counts only what is a device.
      if (item >= 0 && item < map.max_devices()) ++stored[static_cast<std::size_t>(item)];
    }
    ++sizes[out.size()];
    if (test.show_bad_mappings && (hole || static_cast<int>(out.size()) != replicas)) {
      fmt::format_to(std::back_inserter(text), "bad mapping rule {} x {} num_rep {} result ", id, x, replicas);
      append_osds(text, out);
      text += '\n';
    }
    if (text.size() >= kFlushAt) {
      if (!sink(text)) return false;
      text.clear();
    }
  }
  if (!test.show_statistics) return true;
  for (const auto& [size, count] : sizes) {
    fmt::format_to(std::back_inserter(text), "rule {} ({}) num_rep {} result size == {}:\t{}/{}\n", id, rule.name, replicas, size, count,
                   static_cast<std::int64_t>(max_x) - min_x + 1);
  }
  if (!test.show_utilization) return true;
  // In single precision, as crushtool counts.
  const float objects = static_cast<float>(std::min(replicas, affected_max(map, rule)) * (max_x - min_x + 1));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const float share = static_cast<float>(weights[i]) / static_cast<float>(total);
    const float expected = share * objects;
    if (expected > 0 && stored[i] > 0) {
      fmt::format_to(std::back_inserter(text), "  device {}:\t\t stored : {}\t expected : {:.6g}\n", i, stored[i], static_cast<double>(expected));
    }
  }
  return true;
}

}  // namespace

void test_map(const CrushMap& map, const MapTest& wanted, const TextSink& sink) {
  MapTest test = wanted;
  test.show_statistics = test.show_statistics || test.show_utilization;  // crushtool shows one with the other
  const Mapper mapper(map);
  const bool range = test.min_x >= 0 && test.max_x >= 0;
  constexpr int kLastX = 1023;
  const int min_x = range ? test.min_x : 0;
  const int max_x = range ? test.max_x : kLastX;
  const std::vector<bool> present = devices_in_tree(map);
  std::vector<std::uint32_t> weights(present.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto given = test.weights.find(static_cast<std::int32_t>(i));
    weights[i] = given != test.weights.end() ? given->second : present[i] ? kWeightOne : 0;
  }
  const int first_rule = test.rule >= 0 ? test.rule : 0;
  const int last_rule = test.rule >= 0 ? std::min(test.rule, map.max_rules() - 1) : map.max_rules() - 1;
  std::string text;
  for (int id = first_rule; id <= last_rule; ++id) {
    const Rule* rule = map.rule(id);
    if (rule == nullptr) {
      if (test.show_statistics) fmt::format_to(std::back_inserter(text), "rule {} dne\n", id);
      continue;
    }
    const bool given = test.min_rep >= 0 && test.max_rep >= 0;
    const int least = given ? test.min_rep : rule->min_size;
    const int most = given ? test.max_rep : rule->max_size;
    if (test.show_statistics) {
      fmt::format_to(std::back_inserter(text), "rule {} ({}), x = {}..{}, numrep = {}..{}\n", id, rule->name, min_x, max_x, least, most);
    }
    for (int replicas = least; replicas <= most; ++replicas) {
      if (!test_rule(map, mapper, test, id, replicas, min_x, max_x, weights, text, sink)) return;
    }
  }
  sink(text);
}

void dump_pgs(const OsdMap& map, std::optional<std::int64_t> only, const TextSink& sink) {
  const std::size_t count = static_cast<std::size_t>(map.max_osd());
  std::vector<int> held(count);
  std::vector<int> first(count);
  std::vector<int> primaries(count);
  std::map<std::size_t, int> sizes;
  std::string text;
  std::vector<std::int32_t> raw;
  PgMapping mapping;
  for (const auto& [id, pool] : map.pools) {
    if (only && *only != id) continue;
    fmt::format_to(std::back_inserter(text), "pool {} pg_num {}\n", id, pool.pg_num);
    for (std::uint32_t seed = 0; seed < pool.pg_num; ++seed) {
      std::int32_t raw_primary = -1;
      map.pg_to_raw({id, seed}, raw, raw_primary);
      map.pg_to_up_acting({id, seed}, mapping);
      fmt::format_to(std::back_inserter(text), "{}.{:x} raw (", id, seed);
      append_osds(text, raw);
      fmt::format_to(std::back_inserter(text), ", p{}) up (", raw_primary);
      append_osds(text, mapping.up);
      fmt::format_to(std::back_inserter(text), ", p{}) acting (", mapping.up_primary);
      append_osds(text, mapping.acting);
      fmt::format_to(std::back_inserter(text), ", p{})\n", mapping.acting_primary);
      ++sizes[mapping.acting.size()];
      for (const std::int32_t osd : mapping.acting) {
        if (osd >= 0 && osd < map.max_osd()) ++held[static_cast<std::size_t>(osd)];
      }
      if (!mapping.acting.empty() && mapping.acting[0] != kItemNone) ++first[static_cast<std::size_t>(mapping.acting[0])];
      if (mapping.acting_primary >= 0 && mapping.acting_primary < map.max_osd()) ++primaries[static_cast<std::size_t>(mapping.acting_primary)];
      if (text.size() >= kFlushAt) {
        if (!sink(text)) return;
        text.clear();
      }
    }
  }
  std::map<std::int32_t, std::uint32_t> crush_weights;  // in the first bucket that holds the device
  for (std::int32_t id = -1; id >= -map.crush().max_buckets(); --id) {
    const Bucket* bucket = map.crush().bucket(id);
    for (std::size_t i = 0; bucket != nullptr && i < bucket->items.size(); ++i) crush_weights.emplace(bucket->items[i], bucket->weights[i]);
  }
  const auto counts = [&](std::int32_t osd) { return map.is_in(osd) && crush_weights.contains(osd) && crush_weights.at(osd) > 0; };
  text += "#osd\tcount\tfirst\tprimary\tc wt\twt\n";
  std::uint64_t total = 0;
  int in = 0;
  std::int32_t least = -1;
  std::int32_t most = -1;
  for (std::int32_t osd = 0; osd < map.max_osd(); ++osd) {
    if (!counts(osd)) continue;
    ++in;
    const std::size_t at = static_cast<std::size_t>(osd);
    const auto as_float = [](std::uint32_t weight) { return static_cast<double>(static_cast<float>(weight) / static_cast<float>(kWeightOne)); };
    fmt::format_to(std::back_inserter(text), "osd.{}\t{}\t{}\t{}\t{:.6g}\t{:.6g}\n", osd, held[at], first[at], primaries[at], as_float(crush_weights.at(osd)),
                   as_float(map.osd(osd).weight));
    total += static_cast<std::uint64_t>(held[at]);
    if (held[at] != 0 && (least < 0 || held[at] < held[static_cast<std::size_t>(least)])) least = osd;
    if (held[at] != 0 && (most < 0 || held[at] > held[static_cast<std::size_t>(most)])) most = osd;
  }
  const std::uint64_t average = in != 0 ? total / static_cast<std::uint64_t>(in) : 0;
  double deviation = 0;
  for (std::int32_t osd = 0; osd < map.max_osd(); ++osd) {
    if (!counts(osd)) continue;
    const double difference = static_cast<double>(average) - held[static_cast<std::size_t>(osd)];
    deviation += difference * difference;
  }
  deviation = std::sqrt(deviation / in);
  const double expected = std::sqrt(static_cast<double>(total) / in * (1.0 - 1.0 / in));
  const double mean = static_cast<double>(average);
  fmt::format_to(std::back_inserter(text), " in {}\n avg {} stddev {:.6g} ({:.6g}x) (expected {:.6g} {:.6g}x))\n", in, average, deviation, deviation / mean, expected,
                 expected / mean);
  if (least >= 0) fmt::format_to(std::back_inserter(text), " min osd.{} {}\n", least, held[static_cast<std::size_t>(least)]);
  if (most >= 0) fmt::format_to(std::back_inserter(text), " max osd.{} {}\n", most, held[static_cast<std::size_t>(most)]);
  for (const auto& [size, pgs] : sizes) fmt::format_to(std::back_inserter(text), "size {}\t{}\n", size, pgs);
  sink(text);
}

std::string object_line(const OsdMap& map, const Pool& pool, std::string_view name, std::string_view key, std::string_view name_space) {
  const PgId pg = OsdMap::raw_to_pg(pool, OsdMap::object_to_raw_pg(pool, name, key, name_space));
  PgMapping mapping;
  map.pg_to_up_acting(pg, mapping);
  std::string text = fmt::format(" object '{}' -> {} -> ", name, pg.to_string());
  append_osds(text, mapping.acting);
  text += '\n';
  return text;
}

}  // namespace sim::ceph::crush
