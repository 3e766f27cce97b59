#include "sim/models/ceph/crush/mapper.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "sim/models/ceph/crush/hash.hpp"
#include "sim/models/ceph/crush/ln.hpp"
#include "sim/models/ceph/crush/straw2.hpp"

namespace sim::ceph::crush {

namespace {

/// A position that indep has not decided yet.
constexpr std::int32_t kItemUndefined = 0x7ffffffe;

/// Weights and ids of a straw2 bucket, padded for the wide forms.
struct Straw2Arrays {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> weights;
  std::vector<float> inverse;
  Straw2View view;
};

Straw2Arrays make_arrays(const std::vector<std::int32_t>& ids, const std::vector<std::uint32_t>& weights) {
  Straw2Arrays arrays;
  const std::size_t padded = (ids.size() + kStraw2Lanes - 1) / kStraw2Lanes * kStraw2Lanes;
  arrays.ids = ids;
  arrays.weights = weights;
  arrays.ids.resize(padded);
  arrays.weights.resize(padded);
  for (const std::uint32_t weight : arrays.weights) {
    arrays.inverse.push_back(weight == 0 ? std::numeric_limits<float>::infinity() : 1.0F / static_cast<float>(weight));
  }
  arrays.view.size = static_cast<std::uint32_t>(ids.size());
  const bool equal = std::all_of(weights.begin(), weights.end(), [&weights](std::uint32_t weight) { return weight == weights[0]; });
  arrays.view.equal_weight = equal && !weights.empty() ? weights[0] : 0;
  return arrays;
}

/// A bucket as the mapper walks it.
struct Place {
  bool exists = false;
  BucketAlg alg = BucketAlg::kStraw2;
  std::uint8_t hash = 0;
  std::uint16_t type = 0;
  std::int32_t id = 0;
  std::uint32_t size = 0;
  const std::int32_t* items = nullptr;
  const std::uint32_t* weights = nullptr;
  const std::uint32_t* table = nullptr;
  std::uint32_t table_size = 0;
  Straw2View straw2;
  std::int32_t pool_begin = 0;  // where its items begin in the arrays of all straw2 buckets
};

}  // namespace

/// Choices of 16 inputs that their rule will most likely ask for: those of each replica if nothing collides and nothing is out.
struct Mapper::FirstTries {
  static constexpr std::uint32_t kEntries = 64;
  struct Entry {
    std::uint32_t r = 0;
    std::array<std::int32_t, kStraw2Lanes> bucket;  // 0: none
    std::array<std::int32_t, kStraw2Lanes> item;
  };
  std::array<Entry, kEntries> entries;
  std::uint32_t count = 0;
};

struct Mapper::State {
  std::vector<Bucket> buckets;
  std::vector<Place> places;  // by -1 - id
  std::vector<Straw2Arrays> arrays;
  std::vector<std::int32_t> pool_ids;  // of all straw2 buckets
  std::vector<float> pool_inverse;
  Straw2ChooseLanes straw2_lanes = nullptr;
  std::vector<std::vector<RuleStep>> rules;  // without steps: no such rule
  Tunables tunables;
  std::int32_t max_devices = 0;
  Straw2Choose straw2 = nullptr;
  std::vector<std::int64_t> choose_args_keys;
  // [choose args][-1 - bucket id][position]; no positions: the bucket's own.
  std::vector<std::vector<std::vector<Straw2View>>> choose_args;

  const Place* place(std::int32_t id) const {
    const std::int64_t at = -1 - static_cast<std::int64_t>(id);
    return at >= 0 && at < static_cast<std::int64_t>(places.size()) && places[static_cast<std::size_t>(at)].exists ? &places[static_cast<std::size_t>(at)]
                                                                                                                   : nullptr;
  }
};

namespace {

/// What stays the same during one do_rule.
template <class Tries>
struct RunOf {
  const std::vector<Place>& places;
  Straw2Choose straw2;
  const std::vector<std::vector<Straw2View>>* choose_args;
  std::span<const std::uint32_t> weights;
  std::int32_t max_devices;
  std::uint32_t x;
  const Tries* tries;  // null: none
  std::uint32_t lane;
  mutable std::uint32_t cursor = 0;  // entries before it were asked for

  const Place& place(std::int32_t id) const { return places[static_cast<std::size_t>(-1 - id)]; }
  std::int32_t type_of(std::int32_t item) const { return item < 0 ? place(item).type : 0; }

  bool is_out(std::int32_t device) const {
    const std::size_t at = static_cast<std::size_t>(device);
    if (at >= weights.size()) return true;
    const std::uint32_t weight = weights[at];
    if (weight >= kWeightOne) return false;
    if (weight == 0) return true;
    return (hash2(x, static_cast<std::uint32_t>(device)) & 0xffff) >= weight;
  }

  /// What was computed beforehand for this choice.
  const std::int32_t* known(const Place& bucket, std::uint32_t r) const {
    for (std::uint32_t i = cursor; i < tries->count; ++i) {
      const auto& entry = tries->entries[i];
      if (entry.r != r || entry.bucket[lane] != bucket.id) continue;
      cursor = i + 1;
      return &entry.item[lane];
    }
    return nullptr;
  }
};

std::uint32_t hash3_of(const Place& bucket, std::uint32_t a, std::uint32_t b, std::uint32_t c) { return bucket.hash == 0 ? hash3(a, b, c) : 0; }
std::uint32_t hash4_of(const Place& bucket, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return bucket.hash == 0 ? hash4(a, b, c, d) : 0;
}

/// Item `r` of a random permutation that depends on x only: the first r steps of Fisher and Yates.
std::int32_t choose_permuted(const Place& bucket, std::uint32_t x, std::uint32_t r) {
  const std::uint32_t id = static_cast<std::uint32_t>(bucket.id);
  const std::uint32_t last = r % bucket.size;
  if (last == 0) return bucket.items[hash3_of(bucket, x, id, 0) % bucket.size];
  thread_local std::vector<std::uint32_t> order;  // scratch: written before it is read
  order.resize(bucket.size);
  for (std::uint32_t i = 0; i < bucket.size; ++i) order[i] = i;
  for (std::uint32_t step = 0; step <= last && step + 1 < bucket.size; ++step) {
    std::swap(order[step], order[step + hash3_of(bucket, x, id, step) % (bucket.size - step)]);
  }
  return bucket.items[order[last]];
}

std::int32_t choose_list(const Place& bucket, std::uint32_t x, std::uint32_t r) {
  for (std::uint32_t i = bucket.size; i-- > 0;) {
    const std::uint64_t straw = hash4_of(bucket, x, static_cast<std::uint32_t>(bucket.items[i]), r, static_cast<std::uint32_t>(bucket.id)) & 0xffff;
    if ((straw * bucket.table[i]) >> 16 < bucket.weights[i]) return bucket.items[i];
  }
  return bucket.items[0];
}

std::int32_t choose_tree(const Place& bucket, std::uint32_t x, std::uint32_t r) {
  std::uint32_t node = bucket.table_size >> 1;
  while ((node & 1) == 0) {
    const std::uint64_t point =
        (static_cast<std::uint64_t>(hash4_of(bucket, x, node, r, static_cast<std::uint32_t>(bucket.id))) * bucket.table[node]) >> 32;
    const std::uint32_t half = (node & -node) >> 1;
    node = point < bucket.table[node - half] ? node - half : node + half;
  }
  // In a tree without any weight the walk keeps right and leaves the items; Ceph then reads what lies behind them.
  return bucket.items[std::min(node >> 1, bucket.size - 1)];
}

std::int32_t choose_straw(const Place& bucket, std::uint32_t x, std::uint32_t r) {
  std::uint32_t best = 0;
  std::uint64_t best_draw = 0;
  for (std::uint32_t i = 0; i < bucket.size; ++i) {
    const std::uint64_t straw = hash3_of(bucket, x, static_cast<std::uint32_t>(bucket.items[i]), r) & 0xffff;
    const std::uint64_t draw = straw * bucket.table[i];
    if (i == 0 || draw > best_draw) {
      best = i;
      best_draw = draw;
    }
  }
  return bucket.items[best];
}

/// straw2 when the hash is always 0: the nearest to no draw at all is the greatest weight.
std::uint32_t choose_straw2_unhashed(const Straw2View& view) {
  const auto quotient = [&view](std::uint32_t i) {
    return view.weights[i] == 0 ? std::numeric_limits<std::int64_t>::max() : ln_tables().distance[0] / view.weights[i];
  };
  std::uint32_t best = 0;
  for (std::uint32_t i = 1; i < view.size; ++i) {
    if (quotient(i) < quotient(best)) best = i;
  }
  return best;
}

template <class Run>
std::int32_t choose_item(const Run& run, const Place& bucket, std::uint32_t r, std::uint32_t position) {
  if (bucket.alg == BucketAlg::kStraw2) {
    if (run.tries != nullptr) {
      if (const std::int32_t* item = run.known(bucket, r)) return *item;
    }
    const Straw2View* view = &bucket.straw2;
    if (run.choose_args != nullptr) {
      const std::vector<Straw2View>& positions = (*run.choose_args)[static_cast<std::size_t>(-1 - bucket.id)];
      if (!positions.empty()) view = &positions[std::min<std::size_t>(position, positions.size() - 1)];
    }
    return bucket.items[bucket.hash == 0 ? run.straw2(*view, run.x, r) : choose_straw2_unhashed(*view)];
  }
  switch (bucket.alg) {
    case BucketAlg::kUniform: return choose_permuted(bucket, run.x, r);
    case BucketAlg::kList: return choose_list(bucket, run.x, r);
    case BucketAlg::kTree: return choose_tree(bucket, run.x, r);
    default: return choose_straw(bucket, run.x, r);
  }
}

struct Limits {
  std::uint32_t tries = 0;
  std::uint32_t leaf_tries = 0;
  std::uint32_t local_retries = 0;
  std::uint32_t local_fallback_retries = 0;
  std::uint32_t vary_r = 0;
  std::uint32_t stable = 0;
};

enum class Recurse : std::uint8_t { kNo, kToLeaf };

/// Appends to out[filled..] up to `room` items of `type`, none of them in out[0..filled) already. The new count.
template <class Run>
std::int32_t choose_firstn(const Run& run, const Place& start, std::int32_t count, std::int32_t type, std::int32_t* out, std::int32_t filled,
                           std::int32_t room, const Limits& limits, Recurse recurse, std::int32_t* leaves, std::uint32_t parent_r) {
  for (std::int32_t rep = limits.stable != 0 ? 0 : filled; rep < count && room > 0; ++rep) {
    std::uint32_t failures = 0;
    std::int32_t item = 0;
    bool skip = false;
    bool descend = true;
    while (descend) {
      descend = false;
      const Place* in = &start;
      std::uint32_t local_failures = 0;
      bool again = true;
      while (again) {
        again = false;
        bool collides = false;
        bool rejected = false;
        if (in->size == 0) {
          rejected = true;
        } else {
          const std::uint32_t r = static_cast<std::uint32_t>(rep) + parent_r + failures;
          const bool fall_back = limits.local_fallback_retries > 0 && local_failures >= (in->size >> 1) && local_failures > limits.local_fallback_retries;
          item = fall_back ? choose_permuted(*in, run.x, r) : choose_item(run, *in, r, static_cast<std::uint32_t>(filled));
          if (item >= run.max_devices) {
            skip = true;
            break;
          }
          const std::int32_t item_type = run.type_of(item);
          if (item_type != type) {
            if (item >= 0) {
              skip = true;
              break;
            }
            in = &run.place(item);
            again = true;
            continue;
          }
          collides = std::find(out, out + filled, item) != out + filled;
          if (!collides && recurse == Recurse::kToLeaf) {
            if (item < 0) {
              Limits below = limits;
              below.tries = limits.leaf_tries;
              // The shift's count is taken modulo 32, as the processor does it for Ceph.
              const std::uint32_t sub_r = limits.vary_r != 0 ? static_cast<std::uint32_t>(static_cast<std::int32_t>(r) >> ((limits.vary_r - 1) & 31)) : 0;
              rejected = choose_firstn(run, run.place(item), limits.stable != 0 ? 1 : filled + 1, 0, leaves, filled, room, below, Recurse::kNo, nullptr,
                                       sub_r) <= filled;
            } else {
              leaves[filled] = item;
            }
          }
          if (!rejected && !collides && item_type == 0) rejected = run.is_out(item);
        }
        if (rejected || collides) {
          ++failures;
          ++local_failures;
          if (collides && local_failures <= limits.local_retries) {
            again = true;
          } else if (limits.local_fallback_retries > 0 && local_failures <= in->size + limits.local_fallback_retries) {
            again = true;
          } else if (failures < limits.tries) {
            descend = true;
          } else {
            skip = true;
          }
        }
      }
    }
    if (skip) continue;
    out[filled++] = item;
    --room;
  }
  return filled;
}

/// Fills out[begin..begin + left) position by position; kItemNone where nothing was found.
template <class Run>
void choose_indep(const Run& run, const Place& start, std::int32_t left, std::int32_t count, std::int32_t type, std::int32_t* out, std::int32_t begin,
                  std::uint32_t tries, std::uint32_t leaf_tries, Recurse recurse, std::int32_t* leaves, std::uint32_t parent_r) {
  const std::int32_t end = begin + left;
  std::fill(out + begin, out + end, kItemUndefined);
  if (leaves != nullptr) std::fill(leaves + begin, leaves + end, kItemUndefined);
  const std::uint32_t replicas = static_cast<std::uint32_t>(count);
  for (std::uint32_t failures = 0; left > 0 && failures < tries; ++failures) {
    for (std::int32_t rep = begin; rep < end; ++rep) {
      if (out[rep] != kItemUndefined) continue;
      const Place* in = &start;
      while (true) {
        std::uint32_t r = static_cast<std::uint32_t>(rep) + parent_r;
        // A uniform bucket's permutation would come back to the same items if its size were a multiple of the step.
        const bool odd_step = in->alg == BucketAlg::kUniform && in->size % replicas == 0;
        r += (odd_step ? replicas + 1 : replicas) * failures;
        if (in->size == 0) break;
        const std::int32_t item = choose_item(run, *in, r, static_cast<std::uint32_t>(begin));
        const std::int32_t item_type = item >= run.max_devices ? -1 : run.type_of(item);
        if (item >= run.max_devices || (item_type != type && item >= 0)) {
          out[rep] = kItemNone;
          if (leaves != nullptr) leaves[rep] = kItemNone;
          --left;
          break;
        }
        if (item_type != type) {
          in = &run.place(item);
          continue;
        }
        if (std::find(out + begin, out + end, item) != out + end) break;
        if (recurse == Recurse::kToLeaf) {
          if (item < 0) {
            choose_indep(run, run.place(item), 1, count, 0, leaves, rep, leaf_tries, 0, Recurse::kNo, nullptr, r);
            if (leaves[rep] == kItemNone) break;
          } else {
            leaves[rep] = item;
          }
        }
        if (item_type == 0 && run.is_out(item)) break;
        out[rep] = item;
        --left;
        break;
      }
    }
  }
  std::replace(out + begin, out + end, kItemUndefined, kItemNone);
  if (leaves != nullptr) std::replace(leaves + begin, leaves + end, kItemUndefined, kItemNone);
}

}  // namespace

Mapper::Mapper(const CrushMap& map, SimdLevel simd) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.tunables = map.tunables;
  state.max_devices = map.max_devices();
  state.straw2 = straw2_choose(simd);
  state.straw2_lanes = straw2_choose_lanes(simd);
  state.places.resize(static_cast<std::size_t>(map.max_buckets()));
  for (int id = 0; id < map.max_rules(); ++id) {
    const Rule* rule = map.rule(id);
    state.rules.push_back(rule == nullptr ? std::vector<RuleStep>{} : rule->steps);
  }
  // All arrays first: places point into them.
  std::size_t straw2_arrays = 0;
  for (std::int32_t id = -1; id > -1 - map.max_buckets(); --id) {
    const Bucket* bucket = map.bucket(id);
    if (bucket == nullptr) continue;
    state.buckets.push_back(*bucket);
    ++straw2_arrays;
  }
  for (const auto& [key, args] : map.choose_args) {
    for (const auto& [id, arg] : args) straw2_arrays += arg.weight_set.size() + 1;
  }
  state.arrays.reserve(straw2_arrays);
  const auto view_of = [&state](const std::vector<std::int32_t>& ids, const std::vector<std::uint32_t>& weights) {
    Straw2Arrays& arrays = state.arrays.emplace_back(make_arrays(ids, weights));
    arrays.view.ids = arrays.ids.data();
    arrays.view.weights = arrays.weights.data();
    arrays.view.inverse = arrays.inverse.data();
    return arrays.view;
  };
  for (const Bucket& bucket : state.buckets) {
    Place& place = state.places[static_cast<std::size_t>(-1 - bucket.id)];
    place.exists = true;
    place.alg = bucket.alg;
    place.hash = bucket.hash;
    place.type = bucket.type;
    place.id = bucket.id;
    place.size = static_cast<std::uint32_t>(bucket.items.size());
    place.items = bucket.items.data();
    place.weights = bucket.weights.data();
    place.table = bucket.table.data();
    place.table_size = static_cast<std::uint32_t>(bucket.table.size());
    if (bucket.alg != BucketAlg::kStraw2) continue;
    place.straw2 = view_of(bucket.items, bucket.weights);
    place.pool_begin = static_cast<std::int32_t>(state.pool_ids.size());
    state.pool_ids.insert(state.pool_ids.end(), bucket.items.begin(), bucket.items.end());
    state.pool_inverse.insert(state.pool_inverse.end(), place.straw2.inverse, place.straw2.inverse + place.size);
  }
  for (const auto& [key, args] : map.choose_args) {
    state.choose_args_keys.push_back(key);
    auto& by_bucket = state.choose_args.emplace_back(state.places.size());
    for (const auto& [id, arg] : args) {
      const Bucket* bucket = map.bucket(id);
      if (bucket == nullptr || bucket->alg != BucketAlg::kStraw2) continue;
      auto& positions = by_bucket[static_cast<std::size_t>(-1 - id)];
      const std::vector<std::int32_t>& ids = arg.ids.empty() ? bucket->items : arg.ids;
      for (const auto& weights : arg.weight_set) positions.push_back(view_of(ids, weights));
      if (arg.weight_set.empty()) positions.push_back(view_of(ids, bucket->weights));
    }
  }
}

Mapper::~Mapper() = default;
Mapper::Mapper(Mapper&&) noexcept = default;
Mapper& Mapper::operator=(Mapper&&) noexcept = default;

int Mapper::find_choose_args(std::int64_t choose_args) const {
  for (const std::int64_t key : {choose_args, kDefaultChooseArgs}) {
    const auto& keys = state_->choose_args_keys;
    const auto found = std::find(keys.begin(), keys.end(), key);
    if (found != keys.end()) return static_cast<int>(found - keys.begin());
  }
  return -1;
}

void Mapper::do_rule(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, std::int64_t choose_args,
                     std::vector<std::int32_t>& out) const {
  do_rule_with(rule, x, num_rep, weights, find_choose_args(choose_args), out);
}

void Mapper::do_rule_with(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index,
                          std::vector<std::int32_t>& out) const {
  run(rule, x, num_rep, weights, choose_args_index, nullptr, 0, out);
}

void Mapper::do_rules(int rule, std::span<const std::uint32_t> xs, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index,
                      std::vector<std::vector<std::int32_t>>& out) const {
  out.resize(xs.size());
  FirstTries tries;
  for (std::size_t begin = 0; begin < xs.size(); begin += kStraw2Lanes) {
    const std::span<const std::uint32_t> batch = xs.subspan(begin, std::min<std::size_t>(kStraw2Lanes, xs.size() - begin));
    // Weight sets depend on the position, which is not known before.
    const bool tried = choose_args_index < 0 && state_->straw2_lanes != nullptr && try_first(rule, batch, num_rep, tries);
    for (std::size_t lane = 0; lane < batch.size(); ++lane) {
      run(rule, batch[lane], num_rep, weights, choose_args_index, tried ? &tries : nullptr, static_cast<std::uint32_t>(lane), out[begin + lane]);
    }
  }
}

bool Mapper::try_first(int rule, std::span<const std::uint32_t> xs, int num_rep, FirstTries& tries) const {
  const State& state = *state_;
  tries.count = 0;
  if (rule < 0 || rule >= static_cast<int>(state.rules.size())) return false;
  std::uint32_t vary_r = state.tunables.chooseleaf_vary_r;
  std::uint32_t stable = state.tunables.chooseleaf_stable;
  const Place* root = nullptr;
  const RuleStep* choose = nullptr;
  for (const RuleStep& step : state.rules[static_cast<std::size_t>(rule)]) {
    if (step.op == RuleOp::kTake) root = state.place(step.arg1);
    if (step.op == RuleOp::kSetChooseleafVaryR && step.arg1 >= 0) vary_r = static_cast<std::uint32_t>(step.arg1);
    if (step.op == RuleOp::kSetChooseleafStable && step.arg1 >= 0) stable = static_cast<std::uint32_t>(step.arg1);
    const bool chooses = step.op == RuleOp::kChooseFirstn || step.op == RuleOp::kChooseIndep || step.op == RuleOp::kChooseleafFirstn ||
                         step.op == RuleOp::kChooseleafIndep;
    if (!chooses) continue;
    choose = &step;
    break;
  }
  if (root == nullptr || choose == nullptr) return false;
  const bool firstn = choose->op == RuleOp::kChooseFirstn || choose->op == RuleOp::kChooseleafFirstn;
  const bool to_leaf = choose->op == RuleOp::kChooseleafFirstn || choose->op == RuleOp::kChooseleafIndep;
  const std::int32_t count = std::min(choose->arg1 > 0 ? choose->arg1 : choose->arg1 + num_rep, num_rep);

  Straw2Lanes lanes;
  lanes.ids = state.pool_ids.data();
  lanes.inverse = state.pool_inverse.data();
  for (std::size_t lane = 0; lane < kStraw2Lanes; ++lane) lanes.x[lane] = lane < xs.size() ? xs[lane] : 0;
  std::array<const Place*, kStraw2Lanes> at;
  std::array<std::int32_t, kStraw2Lanes> index;
  // Goes down from `at` to items of `type`; lanes that meet anything else, or another algorithm, end there.
  const auto descend = [&](std::uint32_t r, std::int32_t type) {
    std::array<const Place*, kStraw2Lanes> reached{};
    bool any = true;
    while (any && tries.count < FirstTries::kEntries) {
      any = false;
      FirstTries::Entry& entry = tries.entries[tries.count];
      entry.r = r;
      lanes.r = r;
      for (std::size_t lane = 0; lane < kStraw2Lanes; ++lane) {
        const Place* in = at[lane];
        const bool usable = in != nullptr && in->alg == BucketAlg::kStraw2 && in->hash == 0 && in->size > 0;
        at[lane] = usable ? in : nullptr;
        entry.bucket[lane] = usable ? in->id : 0;
        lanes.begin[lane] = usable ? in->pool_begin : 0;
        lanes.size[lane] = usable ? static_cast<std::int32_t>(in->size) : 0;
        lanes.equal_weight[lane] = usable ? in->straw2.equal_weight : 0;
        any = any || usable;
      }
      if (!any) break;
      const std::uint32_t sure = state.straw2_lanes(lanes, index.data());
      for (std::size_t lane = 0; lane < kStraw2Lanes; ++lane) {
        if (at[lane] == nullptr) continue;
        const std::uint32_t chosen = (sure >> lane & 1) != 0 ? static_cast<std::uint32_t>(index[lane]) : state.straw2(at[lane]->straw2, lanes.x[lane], r);
        const std::int32_t item = at[lane]->items[chosen];
        entry.item[lane] = item;
        at[lane] = item < 0 ? state.place(item) : nullptr;
        if (at[lane] == nullptr || at[lane]->type != type) continue;
        reached[lane] = at[lane];
        at[lane] = nullptr;
      }
      ++tries.count;
    }
    at = reached;
  };
  for (std::int32_t rep = 0; rep < count; ++rep) {
    const std::uint32_t r = static_cast<std::uint32_t>(rep);
    at.fill(nullptr);
    std::fill(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(xs.size()), root);
    descend(r, choose->arg2);
    if (!to_leaf) continue;
    const std::uint32_t below = vary_r != 0 ? r >> ((vary_r - 1) & 31) : 0;
    descend(firstn ? (stable != 0 ? below : r + below) : r + r, 0);
  }
  return tries.count > 0;
}

void Mapper::run(int rule, std::uint32_t x, int num_rep, std::span<const std::uint32_t> weights, int choose_args_index, const FirstTries* tries,
                 std::uint32_t lane, std::vector<std::int32_t>& result) const {
  const State& state = *state_;
  result.clear();
  if (rule < 0 || rule >= static_cast<int>(state.rules.size()) || num_rep <= 0) return;
  const RunOf<FirstTries> fixed{state.places,
                              state.straw2,
                              choose_args_index < 0 ? nullptr : &state.choose_args[static_cast<std::size_t>(choose_args_index)],
                              weights,
                              state.max_devices,
                              x,
                              tries,
                              lane};
  // The total counts retries, so there is one try more; those of a step count tries.
  Limits limits;
  limits.tries = state.tunables.choose_total_tries + 1;
  limits.local_retries = state.tunables.choose_local_tries;
  limits.local_fallback_retries = state.tunables.choose_local_fallback_tries;
  limits.vary_r = state.tunables.chooseleaf_vary_r;
  limits.stable = state.tunables.chooseleaf_stable;
  std::uint32_t leaf_tries = 0;

  constexpr std::size_t kOnStack = 32;
  const std::size_t room = static_cast<std::size_t>(num_rep);
  std::array<std::int32_t, 3 * kOnStack> small;
  std::vector<std::int32_t> large;
  if (room > kOnStack) large.resize(3 * room);
  std::int32_t* working = room > kOnStack ? large.data() : small.data();
  std::int32_t* chosen = working + room;
  std::int32_t* const leaves = chosen + room;
  std::int32_t working_size = 0;

  for (const RuleStep& step : state.rules[static_cast<std::size_t>(rule)]) {
    const std::uint32_t value = static_cast<std::uint32_t>(step.arg1);
    switch (step.op) {
      case RuleOp::kTake:
        if ((step.arg1 >= 0 && step.arg1 < state.max_devices) || state.place(step.arg1) != nullptr) {
          working[0] = step.arg1;
          working_size = 1;
        }
        break;
      case RuleOp::kSetChooseTries:
        if (step.arg1 > 0) limits.tries = value;
        break;
      case RuleOp::kSetChooseleafTries:
        if (step.arg1 > 0) leaf_tries = value;
        break;
      case RuleOp::kSetChooseLocalTries:
        if (step.arg1 >= 0) limits.local_retries = value;
        break;
      case RuleOp::kSetChooseLocalFallbackTries:
        if (step.arg1 >= 0) limits.local_fallback_retries = value;
        break;
      case RuleOp::kSetChooseleafVaryR:
        if (step.arg1 >= 0) limits.vary_r = value;
        break;
      case RuleOp::kSetChooseleafStable:
        if (step.arg1 >= 0) limits.stable = value;
        break;
      case RuleOp::kChooseFirstn:
      case RuleOp::kChooseIndep:
      case RuleOp::kChooseleafFirstn:
      case RuleOp::kChooseleafIndep: {
        if (working_size == 0) break;
        const bool firstn = step.op == RuleOp::kChooseFirstn || step.op == RuleOp::kChooseleafFirstn;
        const bool to_leaf = step.op == RuleOp::kChooseleafFirstn || step.op == RuleOp::kChooseleafIndep;
        const Recurse recurse = to_leaf ? Recurse::kToLeaf : Recurse::kNo;
        std::int32_t size = 0;
        for (std::int32_t i = 0; i < working_size; ++i) {
          const std::int32_t count = step.arg1 > 0 ? step.arg1 : step.arg1 + num_rep;
          if (count <= 0) continue;
          const Place* from = state.place(working[i]);
          if (from == nullptr) continue;  // a device, or a hole that indep left
          const std::int32_t space = num_rep - size;
          if (firstn) {
            limits.leaf_tries = leaf_tries != 0 ? leaf_tries : state.tunables.chooseleaf_descend_once != 0 ? 1 : limits.tries;
            size += choose_firstn(fixed, *from, count, step.arg2, chosen + size, 0, space, limits, recurse, leaves + size, 0);
          } else {
            const std::int32_t places = std::min(count, space);
            choose_indep(fixed, *from, places, count, step.arg2, chosen + size, 0, limits.tries, leaf_tries != 0 ? leaf_tries : 1, recurse, leaves + size, 0);
            size += places;
          }
        }
        if (to_leaf) std::copy(leaves, leaves + size, chosen);
        std::swap(chosen, working);
        working_size = size;
        break;
      }
      case RuleOp::kEmit:
        for (std::int32_t i = 0; i < working_size && result.size() < room; ++i) result.push_back(working[i]);
        working_size = 0;
        break;
      case RuleOp::kNoop:
        break;
    }
  }
}

}  // namespace sim::ceph::crush
